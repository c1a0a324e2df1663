//! What tells one state of a file or folder from another: its identity, its size and its times.

use std::{fs::Metadata, os::unix::fs::MetadataExt};

use time::{Duration, OffsetDateTime};

/// One state of a file or folder. Every change of its content, its name or its extended attributes
/// makes another one, unless it follows another change within the grain of the file system's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Version {
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Version {
    pub(super) fn of(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }

    pub(super) fn device(&self) -> u64 {
        self.device
    }

    /// Whether more than `grain` had passed at this time since the last change, so that the next one
    /// will show.
    pub(super) fn is_settled(&self, at: OffsetDateTime, grain: Duration) -> bool {
        let (seconds, nanoseconds) = self.modified.max(self.changed);
        OffsetDateTime::from_unix_timestamp(seconds)
            .is_ok_and(|changed| changed + Duration::nanoseconds(nanoseconds) + grain < at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_differ_in_size_alone_are_of_two_versions() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "one").unwrap();
        let one = Version::of(&std::fs::metadata(&path).unwrap());
        let longer = Version { size: 4, ..one };
        assert_ne!(one, longer);
    }

    #[test]
    fn version_settles_once_the_grain_has_passed() {
        let version = Version {
            device: 1,
            inode: 2,
            size: 3,
            modified: (100, 0),
            changed: (101, 500_000_000),
        };
        let at = |milliseconds: i64| OffsetDateTime::UNIX_EPOCH + Duration::milliseconds(milliseconds);
        let grain = Duration::seconds(1);
        assert!(!version.is_settled(at(102_500), grain));
        assert!(version.is_settled(at(102_501), grain));
    }
}
