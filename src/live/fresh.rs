//! The first policy. Where there is no policy file, one is written with fresh random keys, so that no secret ships with the
//! project. In goes the path; out comes what was written. Nobody but the owner can read it, at no moment, and it is never half there.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::{
    obstacle::{Obstacle, Wanted},
    types::AccessKeyId,
};

/// The signer in a fresh policy.
pub const SIGNER: &str = "sample";
/// The bucket that it may read.
pub const BUCKET: &str = "pres-url-test";

const ID_LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const SECRET_LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A policy file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreshPolicy {
    /// Where.
    pub path: PathBuf,
    /// The one signer in it, by name.
    pub signer: &'static str,
    /// The signer's access key id; the secret is in the file alone.
    pub access_key_id: AccessKeyId,
}

/// No policy file could be written.
#[derive(Debug, thiserror::Error)]
pub enum FreshError {
    /// The system gives no random bytes.
    #[error("no random bytes for fresh keys: {0}")]
    Random(#[from] getrandom::Error),
    /// The file cannot be written.
    #[error("{}: no policy file is there, and a fresh one cannot be written: {obstacle}", path.display())]
    Write {
        /// Where it should be.
        path: PathBuf,
        /// Why not, and the fix.
        obstacle: Obstacle,
    },
}

/// Writes a fresh policy file, unless there is something at the path already: then nothing is changed, and `None` comes back.
pub fn write_where_missing(path: &Path) -> Result<Option<FreshPolicy>, FreshError> {
    write_for(path, BUCKET)
}

/// The same for another bucket than the sample's. It must be a valid name.
pub fn write_for(path: &Path, bucket: &str) -> Result<Option<FreshPolicy>, FreshError> {
    // A symlink that leads nowhere counts as something: whoever made it meant another file.
    if path.symlink_metadata().is_ok() {
        return Ok(None);
    }
    let (access_key_id, secret_access_key) = random_keys()?;
    let text = text(&access_key_id, &secret_access_key, bucket);
    let failed = |source| FreshError::Write {
        path: path.to_owned(),
        obstacle: Obstacle::new(path, Wanted::Write, source),
    };
    let access_key_id =
        AccessKeyId::parse(&access_key_id).map_err(|error| failed(io::Error::other(error)))?;
    match place(path, &text) {
        Ok(()) => Ok(Some(FreshPolicy {
            path: path.to_owned(),
            signer: SIGNER,
            access_key_id,
        })),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Writes beside and links into place, which, other than a rename, never replaces a file that someone else just wrote.
fn place(path: &Path, text: &str) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    // Left by a process of the same number that was killed half-way.
    _ = fs::remove_file(&beside);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    let placed = written.and_then(|()| match fs::hard_link(&beside, path) {
        // Some file systems have no hard links.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists && path.symlink_metadata().is_err() => {
            fs::rename(&beside, path)
        }
        linked => linked,
    });
    _ = fs::remove_file(&beside);
    placed
}

/// A fresh pair of keys in AWS's form.
pub(super) fn random_keys() -> Result<(String, Zeroizing<String>), getrandom::Error> {
    let access_key_id = format!("AKIA{}", random(ID_LETTERS, 16)?.as_str());
    Ok((access_key_id, random(SECRET_LETTERS, 40)?))
}

/// So many letters, each as likely as any other: both alphabets have a power of two of them.
fn random(letters: &[u8], count: usize) -> Result<Zeroizing<String>, getrandom::Error> {
    let mut bytes = Zeroizing::new(vec![0; count]);
    getrandom::fill(&mut bytes)?;
    let letter = |byte: &u8| {
        letters
            .iter()
            .cycle()
            .nth(usize::from(*byte))
            .copied()
            .map(char::from)
    };
    // Room for all of it at once, so that no outgrown buffer is left behind unwiped.
    let mut text = Zeroizing::new(String::with_capacity(count));
    text.extend(bytes.iter().filter_map(letter));
    Ok(text)
}

fn text(access_key_id: &str, secret_access_key: &str, bucket: &str) -> Zeroizing<String> {
    Zeroizing::new(format!(
        r#"# The policy: who may sign links, and for what. Postern reads this file again within a second of every save.
#
# A link is good only while its signer may do what it asks. Delete a statement below, save, and every link that
# rested on it stops; put it back, and they work again. `postern check` tells what each signer may do.
#
# The keys below were made at random for this file. Whoever has the secret can sign: keep this file to yourself.

[[signer]]
name = "{SIGNER}"
access_key_id = "{access_key_id}"
secret_access_key = "{secret_access_key}"

# Read the objects of the bucket "{bucket}". Statements are AWS's own (IAM): Effect, Action, Resource, with * and ?.
[[signer.statement]]
Effect = "Allow"
Action = ["s3:GetObject"]
Resource = ["arn:aws:s3:::{bucket}/*"]

# Whoever may list a bucket is told of a missing object (404 NoSuchKey); whoever may not, just 403 AccessDenied.
[[signer.statement]]
Effect = "Allow"
Action = ["s3:ListBucket"]
Resource = ["arn:aws:s3:::{bucket}"]

# To have it upload and delete too, take the # away.
# [[signer.statement]]
# Effect = "Allow"
# Action = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
# Resource = ["arn:aws:s3:::{bucket}/*"]
"#
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use crate::live::{self, permissions};

    use super::*;

    #[test]
    fn a_fresh_policy_is_valid_for_its_owner_alone_and_has_keys_of_its_own() {
        let home = tempfile::tempdir().unwrap();
        let (one, two) = (home.path().join("one.toml"), home.path().join("two.toml"));
        let written = write_where_missing(&one).unwrap().unwrap();
        let other = write_where_missing(&two).unwrap().unwrap();
        assert_eq!(
            (written.path.as_path(), written.signer),
            (one.as_path(), "sample")
        );
        assert_ne!(written.access_key_id, other.access_key_id);
        assert_eq!(fs::metadata(&one).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(permissions::inspect(&one, &[]), []);
        assert!(live::read(&one).unwrap().warnings.is_empty());
        let names: Vec<_> = fs::read_dir(home.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names.len(), 2, "nothing is left beside: {names:?}");

        let secret = |path| {
            let table: toml::Table = fs::read_to_string(path).unwrap().parse().unwrap();
            let signer = &table["signer"][0];
            assert!(signer["access_key_id"].as_str().unwrap().starts_with("AKIA"));
            assert_eq!(signer["access_key_id"].as_str().unwrap().len(), 20);
            signer["secret_access_key"].as_str().unwrap().to_owned()
        };
        assert_eq!(secret(&one).len(), 40);
        assert_ne!(secret(&one), secret(&two));
    }

    #[test]
    fn what_is_there_is_never_replaced() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("policy.toml");
        fs::write(&path, "mine").unwrap();
        assert_eq!(write_where_missing(&path).unwrap(), None);
        assert_eq!(
            place(&path, "theirs").unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        let dangling = home.path().join("dangling.toml");
        symlink("nowhere", &dangling).unwrap();
        assert_eq!(write_where_missing(&dangling).unwrap(), None);
    }

    #[test]
    fn a_missing_folder_is_told_with_the_path() {
        let home = tempfile::tempdir().unwrap();
        let error = write_where_missing(&home.path().join("no/policy.toml"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("no/policy.toml: no policy file is there"),
            "{error}"
        );
    }
}
