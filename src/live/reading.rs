//! Reads a policy file and all that it refers to as one: in goes the path, out come the contents, one digest over them,
//! and whether the files held still meanwhile.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{
    confine,
    obstacle::{Obstacle, Wanted},
    operator_file::{self, FileError},
    policy::{Compiled, MAX_POLICY_BYTES, PolicyError, PolicyFile, Reference, References},
    separation::{Overlap, UserFolders},
};

use super::trail::Look;

/// How often files are read again that change while they are read.
const ATTEMPTS: usize = 3;

/// Why there is no policy to be taken from the file.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The policy file cannot be read.
    #[error("{}: the policy file cannot be read: {reason}", path.display())]
    Unreadable {
        /// The policy file.
        path: PathBuf,
        /// Why not, and what to do.
        reason: Unreadable,
    },
    /// The policy is invalid; the error says where and what to write instead.
    #[error(transparent)]
    Invalid(#[from] PolicyError),
}

/// Why a file cannot be read as text.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The system refuses.
    #[error("{0}")]
    System(Obstacle),
    /// The system refuses, because this process is confined to other folders.
    #[error("{0}")]
    Outside(confine::Outside),
    /// Users could replace it by an S3 request.
    #[error("{0}; move it elsewhere")]
    Shared(Overlap),
    /// A folder, a pipe or a device: reading it could take for ever.
    #[error("it is not a regular file")]
    NotRegular,
    /// With the files read before it, it is over the bound.
    #[error("the policy and all that it refers to is over {} MiB", MAX_POLICY_BYTES >> 20)]
    TooLarge,
    /// The bytes are no text.
    #[error("it is not UTF-8 text (line {line})")]
    NotText {
        /// The first line that is no text.
        line: usize,
    },
}

/// A policy file and what it refers to, as read at one moment.
pub(super) struct Reading {
    parsed: Result<(PolicyFile, References), LoadError>,
    /// SHA-256 over all contents (or the reasons that stand for them), so two readings are alike if their digests are.
    pub(super) digest: [u8; 32],
    /// Could every file be read?
    pub(super) complete: bool,
    /// Did every file hold still while all were read? If not, this may be half of one policy and half of another.
    pub(super) stable: bool,
    /// The files as they stood.
    pub(super) look: Look,
    /// What the policy file refers to.
    pub(super) references: Vec<Reference>,
}

impl Reading {
    /// Reads everything. Where the policy file cannot be parsed, what it last referred to (`known`) stays to be looked at.
    /// No file may lie in a folder whose file names users choose.
    pub(super) fn of(policy_file: &Path, known: &[Reference], user_folders: &UserFolders) -> Self {
        let mut reading = Self::attempt(policy_file, known, user_folders);
        for _ in 1..ATTEMPTS {
            if reading.stable {
                break;
            }
            reading = Self::attempt(policy_file, known, user_folders);
        }
        reading
    }

    fn attempt(policy_file: &Path, known: &[Reference], user_folders: &UserFolders) -> Self {
        let before = Look::at([policy_file]);
        let mut read = Reader {
            left: MAX_POLICY_BYTES as u64,
            user_folders,
        };
        let mut tally = Tally::default();
        let text = tally.add("policy", read.text(policy_file));
        let text = text.map_err(|reason| LoadError::Unreadable {
            path: policy_file.to_owned(),
            reason,
        });
        let parsed = text.and_then(|text| Ok(PolicyFile::parse(&text, &policy_file.display().to_string())?));
        let (parsed, references, held_still) = match parsed {
            Err(error) => (Err(error), known.to_owned(), true),
            Ok(file) => {
                let wanted: BTreeSet<Reference> = file.references().into_iter().collect();
                let wanted = Vec::from_iter(wanted);
                let before = Look::at(files(policy_file, &wanted));
                let contents = read_references(policy_file, &wanted, &mut read, &mut tally);
                let held_still = before == Look::at(files(policy_file, &wanted));
                (Ok((file, contents)), wanted, held_still)
            }
        };
        let stable = held_still && before == Look::at([policy_file]);
        let look = Look::at(files(policy_file, &references));
        Self {
            parsed,
            digest: tally.digest(),
            complete: tally.complete,
            stable,
            look,
            references,
        }
    }

    /// The digest in hexadecimal: what `sha256sum` prints for a policy file that refers to nothing.
    pub(super) fn digest_text(&self) -> String {
        hex::encode(self.digest)
    }

    /// The policy, if it is valid.
    pub(super) fn compile(self) -> Result<Compiled, LoadError> {
        let (file, references) = self.parsed?;
        Ok(file.compile(&references)?)
    }
}

/// The policy file and the files that it refers to.
pub(super) fn files(policy_file: &Path, references: &[Reference]) -> impl Iterator<Item = PathBuf> {
    let referenced = references
        .iter()
        .filter_map(|reference| path_of(policy_file, reference));
    std::iter::once(policy_file.to_owned()).chain(referenced)
}

/// The file behind a reference. A relative path begins at the folder that the policy file is named in (not at the one that
/// a symlink leads to: beside `..data/policy.toml` Kubernetes links every other file of the volume too).
pub(super) fn path_of(policy_file: &Path, reference: &Reference) -> Option<PathBuf> {
    let folder = policy_file.parent().unwrap_or(Path::new(""));
    match reference {
        Reference::SecretFile(path) | Reference::Document(path) => Some(folder.join(path)),
        Reference::SecretEnvironment(_) => None,
    }
}

fn read_references(
    policy_file: &Path,
    wanted: &[Reference],
    read: &mut Reader<'_>,
    tally: &mut Tally,
) -> References {
    let mut references = References::default();
    for reference in wanted {
        let content = match (reference, path_of(policy_file, reference)) {
            (Reference::SecretEnvironment(name), _) => std::env::var(name)
                .map(Zeroizing::new)
                .map_err(|error| error.to_string()),
            (_, Some(path)) => read.text(&path).map_err(|reason| reason.to_string()),
            (_, None) => Err("it is no file".to_owned()),
        };
        match tally.add(&format!("{reference:?}"), content) {
            // The copy is wiped by `References`, as this one is here.
            Ok(content) => references.insert(reference.clone(), String::clone(&content)),
            Err(reason) => references.insert_failure(reference.clone(), reason),
        }
    }
    references
}

/// Reads regular files whole, within one bound for all of them.
struct Reader<'a> {
    /// Bytes left of the bound.
    left: u64,
    user_folders: &'a UserFolders,
}

impl Reader<'_> {
    fn text(&mut self, path: &Path) -> Result<Zeroizing<String>, Unreadable> {
        if let Some(overlap) = self.user_folders.overlap(path) {
            return Err(Unreadable::Shared(overlap));
        }
        let text = operator_file::read_text(path, self.left).map_err(|error| match error {
            FileError::System(source) => match confine::outside(path, &source) {
                Some(outside) => Unreadable::Outside(outside),
                None => Unreadable::System(Obstacle::new(path, Wanted::Read, source)),
            },
            FileError::NotRegular => Unreadable::NotRegular,
            FileError::TooLarge { .. } => Unreadable::TooLarge,
            FileError::NotText { line } => Unreadable::NotText { line },
        })?;
        self.left = self.left.saturating_sub(text.len() as u64);
        Ok(text)
    }
}

/// One digest over several contents. That of a single content is its own SHA-256.
#[derive(Default)]
struct Tally {
    lines: Vec<(String, [u8; 32])>,
    complete: bool,
}

impl Tally {
    /// Counts a content, or the reason that stands for it, and hands it on.
    fn add<E: ToString>(
        &mut self,
        name: &str,
        content: Result<Zeroizing<String>, E>,
    ) -> Result<Zeroizing<String>, E> {
        self.complete = content.is_ok() && (self.complete || self.lines.is_empty());
        self.lines.push(match &content {
            Ok(text) => (name.to_owned(), Sha256::digest(text.as_bytes()).into()),
            Err(reason) => (
                format!("{name}, unreadable"),
                Sha256::digest(reason.to_string().as_bytes()).into(),
            ),
        });
        content
    }

    fn digest(&self) -> [u8; 32] {
        match self.lines.as_slice() {
            [(_, only)] if self.complete => *only,
            lines => {
                let list: String = lines
                    .iter()
                    .map(|(name, digest)| format!("{}  {name}\n", hex::encode(digest)))
                    .collect();
                Sha256::digest(list.as_bytes()).into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    fn reading(files: &[(&str, &str)]) -> Reading {
        let home = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(home.path().join(name), text).unwrap();
        }
        Reading::of(&home.path().join("policy.toml"), &[], &UserFolders::default())
    }

    const REFERRING: &str = concat!(
        "[[signer]]\nname = 'a'\naccess_key_id = 'AKIAALICE00000000000'\n",
        "secret_access_key = 'not-a-real-secret'\npolicy_documents = ['a.json']\n"
    );

    #[test]
    fn the_digest_of_a_lone_policy_file_is_what_sha256sum_prints() {
        let reading = reading(&[("policy.toml", "signer = []\n")]);
        assert_eq!(
            reading.digest_text(),
            hex::encode(Sha256::digest("signer = []\n"))
        );
        assert!(reading.stable && reading.complete);
    }

    #[test]
    fn the_digest_covers_what_the_file_refers_to_and_whether_it_could_be_read() {
        let one = reading(&[("policy.toml", REFERRING), ("a.json", "{}")]);
        let two = reading(&[("policy.toml", REFERRING), ("a.json", "{ }")]);
        let none = reading(&[("policy.toml", REFERRING)]);
        assert!(one.complete && two.complete && !none.complete);
        assert_ne!(one.digest, two.digest);
        assert_ne!(one.digest, none.digest);
        assert!(none.references == [Reference::Document("a.json".into())]);
        assert!(none.compile().is_err());
    }

    #[test]
    fn files_that_are_no_policy_are_refused_with_their_name_and_the_reason() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("policy.toml");
        let said = || {
            let reading = Reading::of(&path, &[], &UserFolders::default());
            reading.compile().err().unwrap().to_string()
        };
        assert!(
            said().contains("policy.toml: the policy file cannot be read"),
            "{}",
            said()
        );
        fs::create_dir(&path).unwrap();
        assert!(said().ends_with("it is not a regular file"), "{}", said());
        fs::remove_dir(&path).unwrap();
        fs::write(&path, b"a\nb\n\xff").unwrap();
        assert!(said().ends_with("it is not UTF-8 text (line 3)"), "{}", said());
        File::create(&path)
            .unwrap()
            .set_len(MAX_POLICY_BYTES as u64 + 1)
            .unwrap();
        assert!(said().ends_with("is over 16 MiB"), "{}", said());
    }

    #[test]
    fn no_file_of_a_policy_may_lie_below_a_bucket() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("policy.toml");
        fs::create_dir(home.path().join("data")).unwrap();
        fs::write(home.path().join("data/a.json"), r#"{"Statement": []}"#).unwrap();
        fs::write(&path, REFERRING.replace("a.json", "data/a.json")).unwrap();
        let read = |root: &Path| {
            let reading = Reading::of(&path, &[], &UserFolders::new(root, []));
            reading.compile().map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(read(&home.path().join("elsewhere")), Ok(()));
        let data = home.path().join("data");
        let said = read(&data).unwrap_err();
        assert!(said.contains("a.json lies below storage.root"), "{said}");
        assert!(said.contains(&data.display().to_string()), "{said}");
        let said = read(home.path()).unwrap_err();
        assert!(said.contains("policy.toml lies below storage.root"), "{said}");
    }
}
