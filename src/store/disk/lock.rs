//! The store's mark and its lock. A root folder goes in; what comes out keeps every other process away while it lives.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
};

use rustix::fs::{FlockOperation, flock};

use crate::{
    obstacle::{Obstacle, Wanted},
    store::OpenError,
};

/// The file that marks a root as a store and carries the lock. Its name can be neither a bucket nor a key.
const MARK: &str = "~!postern";
/// What the mark says: the format of names and metadata below the root.
const FORMAT: &str = "postern store, format 1\n";

/// Marks the root, or checks its mark, and locks it. `None` where the root is read-only: nothing can be written there, so
/// nothing needs a lock.
pub(super) fn take(root: &Path) -> Result<Option<File>, OpenError> {
    let path = root.join(MARK);
    let create = |source| OpenError::Create {
        path: path.clone(),
        obstacle: Obstacle::new(&path, Wanted::Write, source),
    };
    let opened = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => return Ok(None),
        Err(error) => return Err(create(error)),
    };
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Err(OpenError::Locked { path });
    }
    let mut found = String::new();
    file.read_to_string(&mut found).map_err(create)?;
    match found.as_str() {
        "" => file.write_all(FORMAT.as_bytes()).map_err(create)?,
        FORMAT => {}
        other => {
            return Err(OpenError::Format {
                path,
                found: other.trim().chars().take(80).collect(),
            });
        }
    }
    Ok(Some(file))
}
