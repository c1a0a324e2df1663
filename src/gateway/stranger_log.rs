//! Log lines about requests without a verified signature: bounded in length and in number. Beyond
//! the bound requests are counted, and a line a second tells the count of each source and reason.

use std::{
    fmt::{self, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::audit::{Budget, Entry, Flood};

/// What a line has, at most and roughly.
const LINE_BYTES: usize = 512;
/// So many bytes a second are 128 lines, and 64 of one source.
const BUDGET: Budget = Budget {
    bytes: 64 * 1024,
    bytes_per_source: 32 * 1024,
    rows: 64,
};

/// What strangers may have written into the log. A copy is another handle on the same.
#[derive(Clone)]
pub struct StrangerLog(Arc<Mutex<Flood>>);

impl Default for StrangerLog {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Flood::new(BUDGET))))
    }
}

impl StrangerLog {
    /// Whether a line about this request may be written. If not, it is counted.
    pub(super) fn admits(&self, entry: &Entry, now: Instant) -> bool {
        let mut flood = self.flood();
        let admitted = flood.admits(entry, LINE_BYTES, now);
        if !admitted {
            flood.count(entry);
        }
        admitted
    }

    /// Writes the counts. Call it once a second and at the end.
    pub fn tell(&self) {
        let counts = self.flood().take();
        for counted in counts {
            let (client, outcome, reason) = (counted.source, counted.outcome.name(), counted.reason);
            let requests = counted.requests;
            tracing::info!(%client, outcome, reason, requests, "more of the same, without a line for each");
        }
    }

    fn flood(&self) -> MutexGuard<'_, Flood> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The beginning of what is shown, of at most so many bytes.
pub(super) struct Shortened<T>(pub(super) T, pub(super) usize);

impl<T: fmt::Display> fmt::Display for Shortened<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bounded = Bounded { to: f, left: self.1 };
        // It fails where the text is longer, and then its beginning is written.
        match write!(bounded, "{}", self.0) {
            Err(fmt::Error) if bounded.left == 0 => f.write_str("…"),
            written => written,
        }
    }
}

struct Bounded<'f, 'b> {
    to: &'f mut fmt::Formatter<'b>,
    left: usize,
}

impl fmt::Write for Bounded<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let fits = text.floor_char_boundary(self.left);
        let (beginning, rest) = text.split_at(fits);
        self.to.write_str(beginning)?;
        self.left -= fits;
        if rest.is_empty() {
            return Ok(());
        }
        self.left = 0;
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_at_a_letter() {
        assert_eq!(Shortened("short", 5).to_string(), "short");
        assert_eq!(Shortened("longer", 5).to_string(), "longe…");
        assert_eq!(Shortened(format_args!("{}{}", "aé", "éé"), 4).to_string(), "aé…");
    }
}
