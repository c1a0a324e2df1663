//! Opening below a folder and nowhere else. A folder and a relative path go in, an open file comes out. The kernel does the confining
//! (`openat2` with RESOLVE_BENEATH and without symlinks), not a look at the path's text; where there is no `openat2` (other systems, a seccomp
//! filter) each component is opened from its parent without following symlinks.

use std::{fs::File, os::fd::BorrowedFd};

use rustix::{
    fs::{self, Mode, OFlags},
    io::Errno,
};

/// May the call wait for a disk?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Yes: off the async threads.
    Allowed,
    /// No: `AGAIN` comes back where names are not cached.
    Never,
}

/// A FIFO must not hang the opening, and nothing opened may become a terminal or reach a child.
const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOCTTY);

/// Opens `path`, which is relative and has no empty and no `..` component, below `folder`.
pub(super) fn open(folder: BorrowedFd<'_>, path: &str, wait: Wait) -> Result<File, Errno> {
    match kernel(folder, path, wait) {
        Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) if wait == Wait::Never => Err(Errno::AGAIN),
        Err(Errno::NOSYS | Errno::PERM) => walk(folder, path),
        opened => opened,
    }
}

#[cfg(target_os = "linux")]
fn kernel(folder: BorrowedFd<'_>, path: &str, wait: Wait) -> Result<File, Errno> {
    use rustix::fs::ResolveFlags;
    let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    if wait == Wait::Never {
        resolve |= ResolveFlags::CACHED;
    }
    loop {
        match fs::openat2(folder, path, FLAGS, Mode::empty(), resolve) {
            Err(Errno::INTR) => {}
            // Without CACHED it means that a rename ran beside the look-up, and that the kernel wants it done again.
            Err(Errno::AGAIN) if wait == Wait::Allowed => {}
            opened => return opened.map(File::from),
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn kernel(_folder: BorrowedFd<'_>, _path: &str, _wait: Wait) -> Result<File, Errno> {
    Err(Errno::NOSYS)
}

fn walk(folder: BorrowedFd<'_>, path: &str) -> Result<File, Errno> {
    let (front, name) = path.rsplit_once('/').unwrap_or(("", path));
    let flags = FLAGS | OFlags::NOFOLLOW;
    let mut parent = None;
    for component in front.split('/').filter(|component| !component.is_empty()) {
        let from = parent
            .as_ref()
            .map_or(folder, |file: &File| std::os::fd::AsFd::as_fd(file));
        parent = Some(File::from(fs::openat(
            from,
            component,
            flags | OFlags::DIRECTORY,
            Mode::empty(),
        )?));
    }
    let from = parent
        .as_ref()
        .map_or(folder, |file| std::os::fd::AsFd::as_fd(file));
    fs::openat(from, name, flags, Mode::empty()).map(File::from)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::fd::AsFd, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn both_ways_of_opening_stay_below_the_folder_and_follow_no_symlink() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("in/deep")).unwrap();
        fs::write(root.path().join("secret"), "secret").unwrap();
        fs::write(root.path().join("in/deep/file"), "file").unwrap();
        symlink("../secret", root.path().join("in/relative")).unwrap();
        symlink(root.path().join("secret"), root.path().join("in/absolute")).unwrap();
        symlink("deep", root.path().join("in/folder")).unwrap();
        let folder = File::open(root.path().join("in")).unwrap();
        for way in [
            |f: BorrowedFd<'_>, p: &str| open(f, p, Wait::Allowed),
            |f: BorrowedFd<'_>, p: &str| walk(f, p),
        ] {
            assert!(way(folder.as_fd(), "deep/file").is_ok());
            for out in ["relative", "absolute", "folder/file"] {
                assert!(way(folder.as_fd(), out).is_err(), "{out}");
            }
            assert_eq!(way(folder.as_fd(), "deep/file/x").unwrap_err(), Errno::NOTDIR);
            assert_eq!(way(folder.as_fd(), "none").unwrap_err(), Errno::NOENT);
        }
        assert!(open(folder.as_fd(), "../secret", Wait::Allowed).is_err());
    }
}
