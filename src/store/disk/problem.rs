//! What can be wrong with a folder of the store while the gateway runs. Each message names the path, what is wrong, and the remedy.

use std::{io, path::PathBuf};

use super::lock::MARK;

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    /// Nothing can be opened there.
    #[error(
        "{path} cannot be opened any more: {source}; mount its file system again, or put the folder back: it is taken up again by itself"
    )]
    Gone {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is a folder, and it is not the store.
    #[error(
        "{path} is not the folder that was opened, and bears no mark `{MARK}` of this store: its file system is not mounted, most likely; mount it again: it is taken up again by itself"
    )]
    Elsewhere {
        /// The folder.
        path: PathBuf,
    },
    /// There is a store, and it is another one.
    #[error(
        "{path} holds another store than the one that was opened; put that one back, or restart postern to serve this one"
    )]
    Another {
        /// The folder.
        path: PathBuf,
    },
    /// It is a folder without a mark, which was another one when it was opened.
    #[error(
        "{path} is not the folder that was opened, which could not be written to and so bears no mark to know it again by; mount it again, or restart postern to serve what is there now"
    )]
    Unmarked {
        /// The folder.
        path: PathBuf,
    },
    /// The store has come back, and somebody else has it.
    #[error(
        "{path} is the store again, and another process has locked it meanwhile; stop that one: it is taken up again by itself"
    )]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The mark was removed.
    #[error(
        "{path} has lost its mark `{MARK}`: somebody removed it, or the disk is losing data; look what else is missing, then restart postern, which marks it anew"
    )]
    MarkGone {
        /// The folder.
        path: PathBuf,
    },
    /// The mark cannot be read.
    #[error("{path}/{MARK} cannot be read: {source}; see what the kernel says of this disk (`dmesg`)")]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing can be written any more.
    #[error(
        "{path} has become read-only, so nothing can be uploaded: file systems do this after an error of their disk; see what the kernel says (`dmesg`), check the file system, and mount it writable again"
    )]
    ReadOnly {
        /// The folder.
        path: PathBuf,
    },
    /// Nothing can be written any more, for another reason.
    #[error(
        "{path} cannot be written to: {source}; nothing can be uploaded until that is mended; see what the kernel says of this disk (`dmesg`)"
    )]
    Unwritable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The disk does not answer.
    #[error(
        "{path}: its disk has not answered for more than {seconds}s, and what needs it is refused until it does; see what the kernel says of it (`dmesg`), or the server that it is mounted from"
    )]
    Stalls {
        /// The folder.
        path: PathBuf,
        /// How long a probe waits before this is said.
        seconds: u64,
    },
}
