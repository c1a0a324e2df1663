//! Where a path leads, and what stands there. In goes a path; out come the symlinks on the way, the folders in which a
//! rename could lead it elsewhere, and a stamp of the file at its end. Looking costs a few system calls and reads no content.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

/// As many symlinks as Linux follows in one path.
const MOST_LINKS: usize = 40;

/// A file or folder by device and inode.
pub(super) type Identity = (u64, u64);

/// What changes when a file is written or replaced: identity, size, and the times of its content and its inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    identity: Identity,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// A look at several files at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// The symlinks passed and the files reached: a notice counts if it names one of these.
    names: Vec<PathBuf>,
    /// The folders that hold them.
    folders: BTreeMap<PathBuf, Option<Identity>>,
    stamps: Vec<Option<Stamp>>,
}

impl Look {
    /// Looks at files, in order. A file that is not there is part of the look.
    pub(super) fn at(paths: impl IntoIterator<Item = impl AsRef<Path>>) -> Self {
        let mut look = Self::default();
        for path in paths {
            look.follow(path.as_ref());
        }
        look
    }

    /// Does a change of this path concern the files looked at?
    pub(super) fn names(&self, path: &Path) -> bool {
        self.names.iter().any(|name| name == path)
    }

    /// The folders on the way, with their identities where they are there.
    pub(super) fn folders(&self) -> &BTreeMap<PathBuf, Option<Identity>> {
        &self.folders
    }

    /// Walks a path as the kernel does, one name at a time.
    fn follow(&mut self, path: &Path) {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut to_go = reversed(&path);
        let mut here = PathBuf::new();
        let mut links = 0;
        while let Some(part) = to_go.pop() {
            match Path::new(&part).components().next() {
                Some(Component::RootDir) => here = PathBuf::from("/"),
                Some(Component::ParentDir) => _ = here.pop(),
                Some(Component::CurDir | Component::Prefix(_)) | None => {}
                Some(Component::Normal(name)) => {
                    let next = here.join(name);
                    match fs::read_link(&next) {
                        Ok(target) if links < MOST_LINKS => {
                            links += 1;
                            to_go.extend(reversed(&target));
                            self.add_name(next);
                        }
                        Ok(_) | Err(_) => here = next,
                    }
                }
            }
        }
        self.stamps
            .push(fs::metadata(&here).ok().map(|found| stamp(&found)));
        self.add_name(here);
    }

    fn add_name(&mut self, name: PathBuf) {
        if let Some(folder) = name.parent()
            && !self.folders.contains_key(folder)
        {
            self.folders.insert(
                folder.to_owned(),
                fs::metadata(folder).ok().map(|found| identity(&found)),
            );
        }
        if !self.names(&name) {
            self.names.push(name);
        }
    }
}

fn reversed(path: &Path) -> Vec<OsString> {
    path.components()
        .rev()
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

fn identity(found: &fs::Metadata) -> Identity {
    (found.dev(), found.ino())
}

fn stamp(found: &fs::Metadata) -> Stamp {
    Stamp {
        identity: identity(found),
        size: found.size(),
        modified: (found.mtime(), found.mtime_nsec()),
        changed: (found.ctime(), found.ctime_nsec()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_symlink_on_the_way_is_a_name_and_its_folder_is_watched() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        fs::create_dir_all(home.join("..2026_1")).unwrap();
        fs::write(home.join("..2026_1/policy.toml"), "x").unwrap();
        symlink("..2026_1", home.join("..data")).unwrap();
        symlink("..data/policy.toml", home.join("policy.toml")).unwrap();
        let look = Look::at([home.join("policy.toml")]);
        for name in ["policy.toml", "..data", "..2026_1/policy.toml"] {
            assert!(look.names(&home.join(name)), "{name}");
        }
        assert!(!look.names(&home.join("..2026_1")));
        assert_eq!(
            look.folders().keys().collect::<Vec<_>>(),
            [&home, &home.join("..2026_1")]
        );
    }

    #[test]
    fn a_look_differs_once_the_file_is_written_replaced_or_gone_and_ends_on_a_loop() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("policy.toml");
        let look = || Look::at([&file]);
        let missing = look();
        fs::write(&file, "one").unwrap();
        let one = look();
        assert_ne!(missing, one);
        assert_eq!(one, look());
        fs::write(home.path().join("new"), "two").unwrap();
        fs::rename(home.path().join("new"), &file).unwrap();
        assert_ne!(one, look(), "same size, another file");
        fs::remove_file(&file).unwrap();
        assert_eq!(missing, look());
        symlink("policy.toml", &file).unwrap();
        assert_eq!(look().stamps, [None]);
    }
}
