//! When is a changed policy whole? A state machine without files: in go digests as they are read, notices of the file
//! system and the time; out comes when to take a policy up.
//!
//! A file counts as whole once its writer has closed it or renamed it into place, and two looks a moment apart agree. Without
//! such a notice (a network mount, a missing watch) it counts as whole once two looks [`UNNOTICED`] apart agree. As
//! long as a writer of this machine is known to hold a file open, it never does: half of a policy can be valid by itself.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Between two looks after a notice: another writer may still be at it, and files saved together arrive together.
pub(super) const NOTICED: Duration = Duration::from_millis(20);
/// Between two looks without a notice.
pub(super) const UNNOTICED: Duration = Duration::from_millis(500);

type Digest = [u8; 32];

/// What has been considered, and what is waiting to be.
pub(super) struct Settling {
    considered: Digest,
    waiting: Option<Waiting>,
    being_written: HashMap<PathBuf, Instant>,
}

struct Waiting {
    digest: Digest,
    since: Instant,
    due: Instant,
}

impl Settling {
    /// Begins with what is in force.
    pub(super) fn new(considered: Digest) -> Self {
        Self {
            considered,
            waiting: None,
            being_written: HashMap::new(),
        }
    }

    /// A writer has changed this file and has it open still.
    pub(super) fn written(&mut self, file: &Path, now: Instant) {
        self.being_written.entry(file.to_owned()).or_insert(now);
    }

    /// The file that has been held open longest by its writer, and since when.
    pub(super) fn held_open(&self) -> Option<(&Path, Instant)> {
        let longest = self.being_written.iter().min_by_key(|(_, since)| **since);
        longest.map(|(file, since)| (file.as_path(), *since))
    }

    /// A writer has closed this file, another took its place, or it is gone.
    pub(super) fn ended(&mut self, file: &Path) {
        self.being_written.remove(file);
    }

    /// Notices were lost: who is writing is not known any more.
    pub(super) fn lost(&mut self) {
        self.being_written.clear();
    }

    /// When the next look is needed, if one is.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.as_ref().map(|waiting| waiting.due)
    }

    /// Is what was read at `now` to be taken up? `noticed`: a close or a rename has been noticed since the last look,
    /// of files that can all be read.
    pub(super) fn ready(&mut self, digest: Digest, noticed: bool, now: Instant) -> bool {
        if digest == self.considered || !self.being_written.is_empty() {
            self.waiting = None;
            return false;
        }
        let wait = if noticed { NOTICED } else { UNNOTICED };
        match &mut self.waiting {
            Some(waiting) if waiting.digest == digest => {
                waiting.due = waiting.due.min(waiting.since + wait);
                if now < waiting.due {
                    return false;
                }
                self.consider(digest);
                true
            }
            Some(_) | None => {
                self.waiting = Some(Waiting {
                    digest,
                    since: now,
                    due: now + wait,
                });
                false
            }
        }
    }

    /// This one has been considered, whatever came of it.
    pub(super) fn consider(&mut self, digest: Digest) {
        self.considered = digest;
        self.waiting = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Digest = [0; 32];
    const HALF: Digest = [1; 32];
    const NEW: Digest = [2; 32];

    fn after(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn without_a_notice_two_looks_half_a_second_apart_must_agree() {
        let (mut settling, start) = (Settling::new(OLD), Instant::now());
        for (at, digest, ready) in [
            (0, HALF, false),
            (250, HALF, false),
            (499, HALF, false),
            (500, NEW, false),
            (750, NEW, false),
            (1000, NEW, true),
            (1250, NEW, false),
        ] {
            assert_eq!(settling.ready(digest, false, after(start, at)), ready, "{at} ms");
        }
    }

    #[test]
    fn after_a_notice_two_looks_a_moment_apart_are_enough() {
        let (mut settling, start) = (Settling::new(OLD), Instant::now());
        assert!(!settling.ready(NEW, true, start));
        assert_eq!(settling.due(), Some(start + NOTICED));
        assert!(!settling.ready(NEW, false, after(start, 19)));
        assert!(settling.ready(NEW, false, after(start, 20)));
        assert_eq!(settling.due(), None);
    }

    #[test]
    fn a_notice_shortens_a_wait_that_has_begun() {
        let (mut settling, start) = (Settling::new(OLD), Instant::now());
        assert!(!settling.ready(NEW, false, start));
        assert!(settling.ready(NEW, true, after(start, 60)));
    }

    #[test]
    fn nothing_is_taken_while_a_writer_holds_a_file_open_however_long() {
        let (mut settling, start) = (Settling::new(OLD), Instant::now());
        settling.written(Path::new("policy.toml"), start);
        for at in [0, 600, 60_000] {
            assert!(!settling.ready(HALF, at == 600, after(start, at)));
            assert_eq!(settling.due(), None);
        }
        settling.written(Path::new("policy.toml"), after(start, 60_000));
        assert_eq!(
            settling.held_open(),
            Some((Path::new("policy.toml"), start)),
            "since its first write"
        );
        settling.ended(Path::new("policy.toml"));
        assert!(
            !settling.ready(NEW, true, after(start, 61_000)),
            "the waiting begins with the close"
        );
        assert!(settling.ready(NEW, false, after(start, 61_020)));
    }

    #[test]
    fn a_lost_notice_does_not_block_for_ever() {
        let (mut settling, start) = (Settling::new(OLD), Instant::now());
        settling.written(Path::new("policy.toml"), start);
        settling.lost();
        assert!(!settling.ready(NEW, false, start));
        assert!(settling.ready(NEW, false, start + UNNOTICED));
    }

    #[test]
    fn a_change_that_is_taken_back_is_no_change() {
        let (mut settling, start) = (Settling::new(OLD), Instant::now());
        assert!(!settling.ready(NEW, true, start));
        assert!(!settling.ready(OLD, true, after(start, 10)));
        assert!(!settling.ready(NEW, true, after(start, 60)));
        assert!(settling.ready(NEW, false, after(start, 110)));
    }
}
