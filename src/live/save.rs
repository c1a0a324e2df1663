//! Saving an edited policy as a careful person would: under a lock against a second editor, written beside, read back as `serve` will read it,
//! and only then renamed over the old one. A policy that is not valid never gets into place.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, fchown},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};

use crate::{
    operator_file,
    policy::{MAX_POLICY_BYTES, Snapshot},
};

use super::{LoadError, Loaded, read};

/// How often another editor is waited for, which takes a moment where nobody is asked.
const TRIES: usize = 20;
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

/// A policy file that is this process's to edit.
pub struct Edit {
    file: PathBuf,
    text: String,
    _lock: File,
}

/// Why a policy was not saved. The old one is in place.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Somebody else is at it.
    #[error("{} is locked: another command is editing the policy", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
    },
    /// Somebody changed it by other means since it was read.
    #[error("{} has changed meanwhile: run the command again", path.display())]
    Changed {
        /// The policy file.
        path: PathBuf,
    },
    /// The new policy does not do what it was written for.
    #[error("the policy was left as it is: {0}")]
    Unproven(String),
    /// What came out is no policy.
    #[error("the policy would not be valid any more, so it was left as it is: {0}")]
    Invalid(LoadError),
}

impl Edit {
    /// Locks the policy file and reads it. A symlink is followed: what it leads to is edited.
    pub fn begin(policy_file: &Path) -> Result<Self, SaveError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| SaveError::File { path, source }
        };
        let file = policy_file.canonicalize().map_err(failed(policy_file))?;
        let path = beside(&file, "lock");
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            // Whoever can open it can lock it, and so keep everybody from editing.
            .mode(0o600)
            .open(&path)
            .map_err(failed(&path))?;
        let locked = |_| {
            flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() || {
                thread::sleep(BETWEEN_TRIES);
                false
            }
        };
        if !(0..TRIES).any(locked) {
            return Err(SaveError::Locked { path });
        }
        let text = read_policy(&file)?;
        Ok(Self {
            file,
            text,
            _lock: lock,
        })
    }

    /// The policy as it stands.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The policy as it stands, as `serve` would read it.
    pub fn snapshot(&self) -> Result<Snapshot, LoadError> {
        read(&self.file).map(in_force)
    }

    /// Puts another text in its place, with the same owner and permissions, if it is a valid policy that the check takes.
    /// The check sees what `serve` will read; what it returns as an error is for people.
    pub fn save(
        self,
        text: &str,
        check: impl FnOnce(&Snapshot) -> Result<(), String>,
    ) -> Result<(), SaveError> {
        let new = beside(&self.file, "new");
        let saved = self.write(&new, text, check);
        if saved.is_err() {
            _ = fs::remove_file(&new);
        }
        saved
    }

    fn write(
        &self,
        new: &Path,
        text: &str,
        check: impl FnOnce(&Snapshot) -> Result<(), String>,
    ) -> Result<(), SaveError> {
        let failed = |source| SaveError::File {
            path: new.to_owned(),
            source,
        };
        let old = fs::metadata(&self.file).map_err(failed)?;
        let mut file = create_like(new, &old).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        let snapshot = read(new).map(in_force).map_err(SaveError::Invalid)?;
        check(&snapshot).map_err(SaveError::Unproven)?;
        if read_policy(&self.file)? != self.text {
            return Err(SaveError::Changed {
                path: self.file.clone(),
            });
        }
        fs::rename(new, &self.file).map_err(failed)?;
        let folder = self.file.parent().unwrap_or(Path::new("."));
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed)
    }
}

/// Creates an empty file that only this user can open. Owner and permissions of the old file are
/// set before any secret is written. An edit by root leaves the file to the gateway's user.
fn create_like(new: &Path, old: &fs::Metadata) -> io::Result<File> {
    let file = create_private(new)?;
    let made = file.metadata()?;
    if (made.uid(), made.gid()) != (old.uid(), old.gid()) {
        fchown(&file, Some(old.uid()), Some(old.gid()))?;
    }
    file.set_permissions(old.permissions())?;
    Ok(file)
}

/// A new file of mode 0600 from the start: who opens it before a `chmod` keeps it open after.
fn create_private(path: &Path) -> io::Result<File> {
    // Left by a process that was killed.
    _ = fs::remove_file(path);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn in_force(loaded: Loaded) -> Snapshot {
    Snapshot::new(loaded.compiled, 0, loaded.digest)
}

fn read_policy(file: &Path) -> Result<String, SaveError> {
    let text = operator_file::read_text(file, MAX_POLICY_BYTES as u64);
    text.map(|text| text.to_string())
        .map_err(|error| SaveError::File {
            path: file.to_owned(),
            source: io::Error::other(error),
        })
}

/// `.policy.toml.lock` beside `policy.toml`.
fn beside(file: &Path, kind: &str) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!(".{name}.{kind}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    const POLICY: &str =
        "[[signer]]\nname = 'alice'\naccess_key_id = 'AKIAALICE00000000000'\nsecret_access_key = 'hush'\n";

    fn home() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.toml");
        fs::write(&file, POLICY).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        (folder, file)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().flatten();
        let mut names: Vec<_> = entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_valid_policy_takes_the_place_of_the_old_one_with_its_permissions_also_behind_a_symlink() {
        let (folder, file) = home();
        let link = folder.path().join("link.toml");
        symlink(&file, &link).unwrap();
        let edit = Edit::begin(&link).unwrap();
        assert_eq!(edit.text(), POLICY);
        let text = format!("{POLICY}revoked = true\n");
        edit.save(&text, |_| Ok(())).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(
            names(folder.path()),
            [".policy.toml.lock", "link.toml", "policy.toml"]
        );
    }

    #[test]
    fn new_policy_and_lock_are_private_from_the_start() {
        let (folder, file) = home();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let new = beside(&file, "new");
        fs::write(&new, "left by a killed process").unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o644)).unwrap();
        create_private(&new).unwrap();
        assert_eq!(mode(&new), 0o600);
        let _edit = Edit::begin(&file).unwrap();
        assert_eq!(mode(&folder.path().join(".policy.toml.lock")), 0o600);
    }

    /// Only root can give a file away; CI is root.
    #[test]
    fn an_edit_by_root_leaves_the_file_to_whose_it_is() {
        let (_folder, file) = home();
        if std::os::unix::fs::chown(&file, Some(12_345), Some(23_456)).is_err() {
            return;
        }
        Edit::begin(&file).unwrap().save(POLICY, |_| Ok(())).unwrap();
        let after = fs::metadata(&file).unwrap();
        assert_eq!(
            (after.uid(), after.gid(), after.mode() & 0o777),
            (12_345, 23_456, 0o640)
        );
    }

    #[test]
    fn what_is_no_policy_and_what_somebody_else_has_changed_are_left_alone() {
        let (folder, file) = home();
        let invalid = Edit::begin(&file)
            .unwrap()
            .save("[[signer]]\n", |_| Ok(()))
            .unwrap_err();
        assert!(
            invalid.to_string().contains("this signer has no name"),
            "{invalid}"
        );
        let edit = Edit::begin(&file).unwrap();
        assert!(matches!(Edit::begin(&file), Err(SaveError::Locked { .. })));
        fs::write(&file, format!("# by hand\n{POLICY}")).unwrap();
        let changed = edit.save(&format!("{POLICY}revoked = true\n"), |_| Ok(()));
        assert!(matches!(changed, Err(SaveError::Changed { .. })));
        assert!(fs::read_to_string(&file).unwrap().starts_with("# by hand"));
        assert_eq!(names(folder.path()), [".policy.toml.lock", "policy.toml"]);
    }
}
