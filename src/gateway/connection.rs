//! The connection that a request came by, as far as a gateway may act on it.

use tokio_util::sync::CancellationToken;

use super::file_window::{self, FileQueue, FileSource};

/// A handle on one connection. A copy is another handle on the same.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    end: CancellationToken,
    files: Option<FileQueue>,
}

impl Connection {
    /// A connection that holds.
    pub fn new() -> Self {
        Self::default()
    }

    /// One whose socket sends files by itself: whoever writes to it must send the pieces of the source in place of the slices that stand for them.
    pub fn sending_files() -> (Self, FileSource) {
        let (files, source) = file_window::queue();
        let connection = Self {
            files: Some(files),
            ..Self::default()
        };
        (connection, source)
    }

    /// Where to register files that the socket sends by itself, if it does.
    pub(super) fn files(&self) -> Option<&FileQueue> {
        self.files.as_ref()
    }

    /// Asks whoever serves the connection to break it off at once: without an end to what is being sent, and without what waits to be sent.
    pub fn break_off(&self) {
        self.end.cancel();
    }

    /// Has it been asked?
    pub fn is_broken_off(&self) -> bool {
        self.end.is_cancelled()
    }

    /// Ends when it has been asked.
    pub async fn broken_off(&self) {
        self.end.cancelled().await;
    }
}
