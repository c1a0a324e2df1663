//! What tells one state of a file or folder from another: its identity and its times, to the nanosecond.

use std::{fs::Metadata, os::unix::fs::MetadataExt};

use time::{Duration, OffsetDateTime};

/// What changed so shortly before it was looked at may have changed once more in the same tick of the file system's clock: what is read of it then is good
/// for the request at hand and not kept.
const TICK: Duration = Duration::milliseconds(100);

/// One state of a file or folder. Every change of its content, its name or its extended attributes makes another one, as far as the file system moves
/// the times with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Version {
    device: u64,
    inode: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Version {
    pub(super) fn of(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }

    /// Had some time passed since the last change?
    pub(super) fn is_settled(&self, at: OffsetDateTime) -> bool {
        let (seconds, nanoseconds) = self.modified.max(self.changed);
        OffsetDateTime::from_unix_timestamp(seconds)
            .is_ok_and(|changed| changed + Duration::nanoseconds(nanoseconds) + TICK < at)
    }
}
