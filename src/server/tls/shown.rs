//! Which certificate a client is shown. In goes the name that it asks for (SNI); out comes a pair.

use std::{collections::HashMap, sync::Arc};

use super::pair::Pair;

/// The pairs in force, the first one for whoever asks for no name that is known.
pub(super) struct Shown {
    pairs: Vec<Arc<Pair>>,
    /// By name as the certificate writes it, `*.` included.
    by_name: HashMap<String, Arc<Pair>>,
}

impl Shown {
    /// Where two certificates have a name in common, the one that comes first has it.
    pub(super) fn new(pairs: Vec<Arc<Pair>>) -> Self {
        let mut by_name = HashMap::new();
        for pair in &pairs {
            for name in &pair.names {
                by_name.entry(name.clone()).or_insert_with(|| pair.clone());
            }
        }
        Self { pairs, by_name }
    }

    /// All of them, in the order of the settings.
    pub(super) fn pairs(&self) -> &[Arc<Pair>] {
        &self.pairs
    }

    /// The pair whose certificate has this very name, else the one with a wildcard for it, else the first. A wildcard covers exactly one label.
    /// <https://www.rfc-editor.org/rfc/rfc9525#section-6.3>
    pub(super) fn choose(&self, name: Option<&str>) -> Option<&Arc<Pair>> {
        let named = name.and_then(|name| {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let exact = self.by_name.get(&name);
            let wildcard = || self.by_name.get(&format!("*.{}", name.split_once('.')?.1));
            exact.or_else(wildcard)
        });
        named.or_else(|| self.pairs.first())
    }
}

#[cfg(test)]
mod tests {
    use rustls::{crypto::ring, pki_types::PrivateKeyDer, sign::CertifiedKey};
    use time::OffsetDateTime;

    use super::*;

    fn pair(name: &str, names: &[&str]) -> Arc<Pair> {
        let made = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let certified =
            CertifiedKey::from_der(vec![made.cert.der().clone()], key, &ring::default_provider()).unwrap();
        Arc::new(Pair {
            certified: Arc::new(certified),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            name: name.to_owned(),
            not_before: OffsetDateTime::UNIX_EPOCH,
            not_after: OffsetDateTime::UNIX_EPOCH,
        })
    }

    #[test]
    fn a_name_gets_its_own_certificate_and_whoever_asks_for_none_the_first() {
        let shown = Shown::new(vec![
            pair("first", &["files.example.com", "shared.example.com"]),
            pair("wildcard", &["*.example.com", "shared.example.com"]),
            pair("exact", &["exact.example.com"]),
            pair("deep", &["*.s3.example.com"]),
        ]);
        for (asked, answered) in [
            (Some("files.example.com"), "first"),
            (Some("FILES.Example.COM"), "first"),
            (Some("files.example.com."), "first"),
            (Some("other.example.com"), "wildcard"),
            (Some("exact.example.com"), "exact"),
            (Some("shared.example.com"), "first"),
            (Some("bucket.s3.example.com"), "deep"),
            // One label, no more and no less.
            (Some("a.b.example.com"), "first"),
            (Some("a.bucket.s3.example.com"), "first"),
            (Some("example.com"), "first"),
            (Some("s3.example.com"), "wildcard"),
            (Some("*.example.com"), "wildcard"),
            (Some("elsewhere.test"), "first"),
            (Some("com"), "first"),
            (Some(""), "first"),
            (Some("."), "first"),
            (None, "first"),
        ] {
            let found = shown.choose(asked).map(|pair| pair.name.as_str());
            assert_eq!(found, Some(answered), "{asked:?}");
        }
    }
}
