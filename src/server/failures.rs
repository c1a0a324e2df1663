//! Connections that cannot be accepted: told once when it begins and once, with their number, when it is over, and not twenty times a second.

use std::{
    io,
    time::{Duration, Instant},
};

use crate::clock::Clock;

/// How long accepting rests when the process has no descriptor left; connections that end give some back.
const REST: Duration = Duration::from_millis(50);
/// It is over when nothing has failed for so long: where descriptors are short, one connection in a few gets through.
const OVER: Duration = Duration::from_secs(5);

/// What has failed of late.
pub(super) struct Failures {
    listener: &'static str,
    clock: Clock,
    count: u64,
    last: Option<Instant>,
}

impl Failures {
    /// Of this listener.
    pub(super) fn new(listener: &'static str) -> Self {
        Self {
            listener,
            clock: Clock::system(),
            count: 0,
            last: None,
        }
    }

    /// One more. It rests a while, since the next would fail too.
    pub(super) async fn another(&mut self, error: &io::Error) {
        if self.count == 0 {
            tracing::warn!(listener = self.listener, %error, "cannot accept connections; it goes on trying");
        }
        self.count = self.count.saturating_add(1);
        self.last = Some(self.clock.moment());
        tokio::time::sleep(REST).await;
    }

    /// A connection was accepted.
    pub(super) fn none(&mut self) {
        let Some(last) = self.last else { return };
        if self.clock.moment().duration_since(last) >= OVER {
            tracing::warn!(
                listener = self.listener,
                failed = self.count,
                "connections are accepted again"
            );
            (self.count, self.last) = (0, None);
        }
    }
}
