//! File systems that take two names for one: other letter case, other Unicode form (macOS, ext4 with casefold, many network mounts).
//! There `Secret` would open `secret`, past a policy that denies `secret`. In goes a folder; out comes whether it folds. Where it does,
//! every name on the way to a file is compared, byte for byte, with what the folder really holds.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

/// A name of ours in two spellings that only a folding file system takes for one, by case and by Unicode form.
const PROBE: &str = "~!probe-a\u{e9}";
const FOLDED: [&str; 2] = ["~!PROBE-A\u{c9}", "~!probe-ae\u{301}"];

/// Does this folder fold names? A folder that cannot be written to is judged by the names that it holds.
pub(super) fn folds(folder: &Path) -> bool {
    let probe = folder.join(PROBE);
    match fs::OpenOptions::new().write(true).create_new(true).open(&probe) {
        Ok(_) => {
            let folds = FOLDED
                .iter()
                .any(|name| folder.join(name).symlink_metadata().is_ok());
            _ = fs::remove_file(probe);
            folds
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            _ = fs::remove_file(probe);
            folds_by_its_names(folder)
        }
        Err(_) => folds_by_its_names(folder),
    }
}

fn folds_by_its_names(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    let names: Vec<_> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.iter().any(|name| {
        let other = name.chars().map(swapped).collect::<String>();
        other != *name && !names.contains(&other) && folder.join(other).symlink_metadata().is_ok()
    })
}

fn swapped(letter: char) -> char {
    if letter.is_ascii_lowercase() {
        letter.to_ascii_uppercase()
    } else {
        letter.to_ascii_lowercase()
    }
}

/// Does every component of `path` stand in its folder with exactly these bytes? It reads each folder on the way, so it is for
/// folding file systems alone, off the async threads.
pub(super) fn is_spelled(folder: &Path, path: &str) -> bool {
    let mut at = PathBuf::from(folder);
    path.split('/').all(|name| {
        let held = fs::read_dir(&at).is_ok_and(|entries| {
            entries
                .flatten()
                .any(|entry| entry.file_name() == OsStr::new(name))
        });
        at.push(name);
        held
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spelling_is_exact_or_none() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("Films")).unwrap();
        fs::write(folder.path().join("Films/caf\u{e9}"), "").unwrap();
        assert!(is_spelled(folder.path(), "Films/caf\u{e9}"));
        for other in [
            "films/caf\u{e9}",
            "Films/Caf\u{e9}",
            "Films/cafe\u{301}",
            "Films/none",
            "none/caf\u{e9}",
        ] {
            assert!(!is_spelled(folder.path(), other), "{other}");
        }
    }

    #[test]
    fn the_probe_leaves_nothing_and_agrees_with_the_file_system() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("name"), "").unwrap();
        let really = folder.path().join("NAME").exists();
        assert_eq!(folds(folder.path()), really);
        assert_eq!(folds_by_its_names(folder.path()), really);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
