//! The connection that a request came by, as far as a gateway may act on it.

use tokio_util::sync::CancellationToken;

/// A handle on one connection. A copy is another handle on the same.
#[derive(Clone, Debug, Default)]
pub struct Connection(CancellationToken);

impl Connection {
    /// A connection that holds.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks whoever serves the connection to break it off at once: without an end to what is being sent, and without what waits to be sent.
    pub fn break_off(&self) {
        self.0.cancel();
    }

    /// Has it been asked?
    pub fn is_broken_off(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Ends when it has been asked.
    pub async fn broken_off(&self) {
        self.0.cancelled().await;
    }
}
