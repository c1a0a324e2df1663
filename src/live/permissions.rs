//! Who else can reach the policy's files. In go the paths; out come warnings for `serve` and `check`. AWS has no such files.

use std::{
    fmt, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::policy::Reference;

use super::reading::path_of;

const READABLE: u32 = 0o044;
const WRITABLE: u32 = 0o022;

/// Something about how a file lies on the disk that its operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileWarning {
    /// Others than its owner can read a file that holds secrets, or may hold them.
    Readable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Others than its owner can write it, and so grant themselves anything.
    Writable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The policy file is itself a mount point: what is renamed over it outside never arrives here.
    MountPoint {
        /// The file.
        path: PathBuf,
    },
}

impl fmt::Display for FileWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Readable { path, mode } => {
                let path = path.display();
                write!(
                    f,
                    "{path} holds secrets and others can read it (mode {mode:04o}); run `chmod 600 {path}`, and replace \
                     the keys if strangers have accounts here"
                )
            }
            Self::Writable { path, mode } => {
                let path = path.display();
                write!(
                    f,
                    "{path} decides who may do what and others can write it (mode {mode:04o}); run `chmod go-w {path}`"
                )
            }
            Self::MountPoint { path } => write!(
                f,
                "{} is a mount point by itself, so a new file that is renamed over it outside never arrives here; mount its folder",
                path.display()
            ),
        }
    }
}

/// Inspects the policy file and what it refers to. A file that is not there is no warning.
pub fn inspect(policy_file: &Path, references: &[Reference]) -> Vec<FileWarning> {
    let mut warnings = access(policy_file, true);
    if is_mount_point(policy_file) {
        warnings.push(FileWarning::MountPoint {
            path: policy_file.to_owned(),
        });
    }
    for reference in references {
        let secret = match reference {
            Reference::SecretFile(_) => true,
            Reference::Document(_) => false,
            Reference::SecretEnvironment(_) => continue,
        };
        warnings.extend(
            path_of(policy_file, reference)
                .iter()
                .flat_map(|path| access(path, secret)),
        );
    }
    warnings
}

fn access(path: &Path, secret: bool) -> Vec<FileWarning> {
    let Ok(found) = fs::metadata(path) else {
        return Vec::new();
    };
    let mode = found.permissions().mode() & 0o7777;
    let path = path.to_owned();
    let mut warnings = Vec::new();
    if secret && mode & READABLE != 0 {
        warnings.push(FileWarning::Readable {
            path: path.clone(),
            mode,
        });
    }
    if mode & WRITABLE != 0 {
        warnings.push(FileWarning::Writable { path, mode });
    }
    warnings
}

/// Asks the kernel (Linux 5.8 and later say so) whether something is mounted on the file itself.
#[cfg(target_os = "linux")]
fn is_mount_point(path: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

    statx(CWD, path, AtFlags::empty(), StatxFlags::empty())
        .is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(not(target_os = "linux"))]
fn is_mount_point(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &Path, name: &str, mode: u32) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, "x").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn files_that_others_can_read_or_write_are_warned_of() {
        let home = tempfile::tempdir().unwrap();
        for (mode, secret, expected) in [
            (0o600, true, vec![]),
            (0o400, true, vec![]),
            (0o640, true, vec!["Readable"]),
            (0o604, true, vec!["Readable"]),
            (0o646, true, vec!["Readable", "Writable"]),
            (0o644, false, vec![]),
            (0o664, false, vec!["Writable"]),
        ] {
            let path = file(home.path(), "f", mode);
            let kinds: Vec<&str> = access(&path, secret)
                .iter()
                .map(|warning| match warning {
                    FileWarning::Readable { .. } => "Readable",
                    FileWarning::Writable { .. } => "Writable",
                    FileWarning::MountPoint { .. } => "MountPoint",
                })
                .collect();
            assert_eq!(kinds, expected, "{mode:o}");
        }
    }

    #[test]
    fn a_warning_says_what_to_run() {
        let home = tempfile::tempdir().unwrap();
        let policy = file(home.path(), "policy.toml", 0o644);
        let document = file(home.path(), "a.json", 0o644);
        let secret = file(home.path(), "secret", 0o640);
        let said: Vec<String> = inspect(
            &policy,
            &[
                Reference::Document(document),
                Reference::SecretFile("secret".into()),
            ],
        )
        .iter()
        .map(ToString::to_string)
        .collect();
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(
            said[0].contains(&format!("(mode 0644); run `chmod 600 {}`", policy.display())),
            "{said:?}"
        );
        assert!(said[1].starts_with(&secret.display().to_string()), "{said:?}");
    }

    /// Every Linux has files mounted as mount points below `/proc` or `/`; the root itself always is one.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_mount_point_is_recognised_and_an_ordinary_file_is_none() {
        let home = tempfile::tempdir().unwrap();
        assert!(is_mount_point(Path::new("/")));
        assert!(!is_mount_point(&file(home.path(), "policy.toml", 0o600)));
    }
}
