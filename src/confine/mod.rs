//! The process keeps to itself: its memory goes into no dump, and once it serves, the kernel lets it open nothing but what its settings name.
//! In go the places; out comes how far the kernel goes along. Whoever is refused a file later asks [`outside`] whether that is the reason.
//!
//! The confinement is Landlock's (<https://docs.kernel.org/userspace-api/landlock.html>). It holds for the thread that enters it and for all
//! that this one starts later, so it is entered while there is no other thread. It can never be left or widened: what a later edit of the
//! policy names elsewhere needs a restart, or a setting. Elsewhere than on Linux there is none.

#[cfg(target_os = "linux")]
mod linux;
mod memory;
mod settings;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::OnceLock,
};

pub use memory::keep_memory_private;
pub use settings::{Mode, Settings};

/// What the process may open from here on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Files, and folders with all below them, to be read.
    pub read: Vec<PathBuf>,
    /// The same, to be written to as well: files made, renamed and removed.
    pub write: Vec<PathBuf>,
    /// Folders in which a folder may be removed, and nothing else.
    pub remove: Vec<PathBuf>,
    /// The one TCP port that may be connected to, whosever it is.
    pub connect: Option<u16>,
}

/// How far the process is confined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confined {
    /// To the places that were given, and it can open no TCP connection but to the port that was.
    Wholly,
    /// To the places; this kernel knows less than it could: truncating a file by its path, ioctl on a device, or connecting is not held.
    Partly,
    /// Not at all, and why.
    No(&'static str),
}

/// It was to confine itself, and cannot.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// `confine = "require"`, and this kernel cannot.
    #[error(
        "server.confine is \"require\", and this process cannot be confined: {0}; set it to \"auto\" to serve all the same"
    )]
    Impossible(&'static str),
    /// The kernel can, and refuses.
    #[error(
        "the kernel does not confine this process: {0}; server.confine = \"off\" serves without confinement"
    )]
    Refused(String),
}

/// A file that the confinement keeps this process from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    path: PathBuf,
    setting: &'static str,
}

impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the confinement that this process entered when it started forbids it: {} is in none of the folders that the configuration and the \
             policy named then; restart postern, or list the folder in server.{} for the next start",
            self.path.display(),
            self.setting
        )
    }
}

/// The places that are open to this process, their symlinks resolved. Empty until it is confined.
static ENTERED: OnceLock<Entered> = OnceLock::new();

struct Entered {
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
}

/// Confines the calling thread, and all that it starts from here on, to these places. A place that is not there is left out and told of. For
/// the whole process it must be called before there is a second thread.
pub fn enter(mode: Mode, places: &Places) -> Result<Confined, ConfineError> {
    if mode == Mode::Off {
        return Ok(Confined::No("server.confine is \"off\""));
    }
    let confined = restrict(places)?;
    match (&confined, mode) {
        (Confined::No(reason), Mode::Require) => return Err(ConfineError::Impossible(reason)),
        (Confined::No(_), Mode::Auto | Mode::Off) => {}
        (Confined::Wholly | Confined::Partly, _) => {
            let resolved = |places: &[PathBuf]| {
                places
                    .iter()
                    .filter_map(|place| place.canonicalize().ok())
                    .collect()
            };
            _ = ENTERED.set(Entered {
                read: resolved(&places.read),
                write: resolved(&places.write),
            });
        }
    }
    Ok(confined)
}

#[cfg(target_os = "linux")]
use linux::restrict;

#[cfg(not(target_os = "linux"))]
fn restrict(_: &Places) -> Result<Confined, ConfineError> {
    Ok(Confined::No("only Linux has Landlock"))
}

/// Was a file refused to be read because of the confinement? `None` where it was not.
pub fn outside(path: &Path, refusal: &io::Error) -> Option<Outside> {
    let entered = ENTERED.get()?;
    let path = lies_outside(path, refusal, &[&entered.read, &entered.write])?;
    let setting = "confine_also_read";
    Some(Outside { path, setting })
}

/// Was a file refused to be written because of the confinement? `None` where it was not.
pub fn outside_for_writing(path: &Path, refusal: &io::Error) -> Option<Outside> {
    let entered = ENTERED.get()?;
    let path = lies_outside(path, refusal, &[&entered.write])?;
    let setting = "confine_also_write";
    Some(Outside { path, setting })
}

/// What the path leads to, where that is in none of the places that are open and the refusal is one of permission.
fn lies_outside(path: &Path, refusal: &io::Error, open: &[&Vec<PathBuf>]) -> Option<PathBuf> {
    if refusal.kind() != io::ErrorKind::PermissionDenied {
        return None;
    }
    // Looking names up is not confined, so a symlink is followed to what the kernel judged; of a file that is to be made its folder counts.
    let real = path.canonicalize().or_else(|_| {
        let folder = path.parent().unwrap_or(path).canonicalize()?;
        Ok::<_, io::Error>(folder.join(path.file_name().unwrap_or_default()))
    });
    let real = real.ok()?;
    let mut places = open.iter().copied().flatten();
    (!places.any(|place| real.starts_with(place))).then_some(real)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_outside_the_places_is_the_confinements() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        std::fs::create_dir(home.join("in")).unwrap();
        std::fs::write(home.join("in/a"), "").unwrap();
        std::fs::write(home.join("out"), "").unwrap();
        std::os::unix::fs::symlink(home.join("out"), home.join("in/link")).unwrap();
        let (denied, missing) = (
            io::ErrorKind::PermissionDenied.into(),
            io::ErrorKind::NotFound.into(),
        );
        let open = vec![home.join("in")];
        for (path, refusal, outside) in [
            ("in/a", &denied, false),
            ("in/new", &denied, false),
            ("out", &denied, true),
            ("in/link", &denied, true),
            ("new", &denied, true),
            ("out", &missing, false),
        ] {
            let found = lies_outside(&home.join(path), refusal, &[&open]);
            assert_eq!(found.is_some(), outside, "{path}: {found:?}");
        }
    }
}
