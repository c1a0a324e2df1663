//! A policy without a file: one pair of keys that may do everything, for a store that is started with keys in its environment. In go the
//! keys; out comes the text of a policy.

use zeroize::Zeroizing;

use crate::types::{AccessKeyId, SecretKey};

/// The signer's name.
pub const SIGNER: &str = "environment";

/// What stands in place of a file's name.
pub(super) const SOURCE: &str = "the keys given at the start";

/// A pair of keys that may do everything. It cannot be printed.
///
/// ```compile_fail
/// fn log(keys: &postern::live::given::Keys) { println!("{keys:?}"); }
/// ```
pub struct Keys {
    /// The public half.
    pub access_key_id: AccessKeyId,
    /// The secret half.
    pub secret_access_key: SecretKey,
}

impl Keys {
    /// Fresh ones, for one run.
    pub fn random() -> Result<Self, getrandom::Error> {
        let (id, secret) = super::fresh::random_keys()?;
        // Made of letters and digits, of the right length.
        match (
            AccessKeyId::parse(&id),
            SecretKey::parse(secret.as_str().to_owned()),
        ) {
            (Ok(access_key_id), Ok(secret_access_key)) => Ok(Self {
                access_key_id,
                secret_access_key,
            }),
            (Err(_), _) | (_, Err(_)) => Err(getrandom::Error::UNEXPECTED),
        }
    }

    /// The secret's text, for the one who runs the program to read.
    pub fn expose_secret(&self) -> &str {
        self.secret_access_key.expose()
    }

    /// A policy in which these keys may do everything.
    pub(super) fn policy(&self) -> Zeroizing<String> {
        let (id, secret) = (
            quoted(self.access_key_id.as_str()),
            quoted(self.secret_access_key.expose()),
        );
        Zeroizing::new(format!(
            "[[signer]]\nname = \"{SIGNER}\"\naccess_key_id = {id}\nsecret_access_key = {secret}\n\
             [[signer.statement]]\nEffect = \"Allow\"\nAction = \"s3:*\"\nResource = \"*\"\n",
            id = id.as_str(),
            secret = secret.as_str()
        ))
    }
}

/// A text as TOML writes it. Keys hold no control characters.
fn quoted(text: &str) -> Zeroizing<String> {
    // Room for all of it at once, so that no outgrown buffer is left behind unwiped.
    let mut quoted = Zeroizing::new(String::with_capacity(
        text.len().saturating_mul(2).saturating_add(2),
    ));
    quoted.push('"');
    for letter in text.chars() {
        if matches!(letter, '\\' | '"') {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::GivenContext;
    use crate::{
        clock::Clock,
        live::Live,
        types::{Action, Resource},
    };

    #[test]
    fn keys_of_any_letters_may_do_everything() {
        for (id, secret) in [
            ("test", "test"),
            ("minioadmin", "minio\\\"admin'+/="),
            ("A", "é 🔑"),
        ] {
            let keys = Keys {
                access_key_id: AccessKeyId::parse(id).unwrap(),
                secret_access_key: SecretKey::parse(secret.to_owned()).unwrap(),
            };
            let live = Live::given(&keys, Clock::system()).unwrap();
            let snapshot = live.snapshot();
            let key = snapshot.key(id).unwrap();
            assert_eq!(key.secret_access_key().expose(), secret);
            for action in [Action::DeleteBucket, Action::ListAllMyBuckets] {
                assert!(
                    snapshot
                        .evaluate(key.signer(), action, Resource::Service, &GivenContext::default())
                        .is_allowed()
                );
            }
            assert!(live.watch().is_err() && live.status().problem.is_none());
        }
    }

    #[test]
    fn random_keys_differ() {
        let (one, two) = (Keys::random().unwrap(), Keys::random().unwrap());
        assert_ne!(one.access_key_id, two.access_key_id);
        assert_ne!(one.expose_secret(), two.expose_secret());
    }
}
