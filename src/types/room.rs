//! How much room a file system has.

/// The room of a file system, in bytes and in files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Bytes that this user may still write.
    pub free_bytes: u64,
    /// Bytes that it has, used or not.
    pub total_bytes: u64,
    /// Files that this user may still make. 0 of 0 where the file system keeps no such count.
    pub free_inodes: u64,
    /// Files that it has room for, made or not.
    pub total_inodes: u64,
}
