//! Where spans wait. A request puts its own there and wakes nobody; what finds no room is counted and gone.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use super::{Counts, Span};

/// How many spans may wait: some MiB.
const LONGEST: usize = 8192;

#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Vec<Span>>,
    crowded_out: AtomicU64,
    exported: AtomicU64,
    not_taken: AtomicU64,
}

impl Queue {
    /// Never waits for longer than another takes to put its own there.
    pub(super) fn put(&self, span: Span) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < LONGEST {
            return waiting.push(span);
        }
        drop(waiting);
        self.crowded_out.fetch_add(1, Ordering::Relaxed);
    }

    /// All that wait. Memory for as many comes with the next that is put there.
    pub(super) fn take(&self) -> Vec<Span> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn exported(&self, count: usize) {
        self.exported.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn not_taken(&self, count: usize) {
        self.not_taken.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> Counts {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            exported: load(&self.exported),
            crowded_out: load(&self.crowded_out),
            not_taken: load(&self.not_taken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::span::tests::any;

    #[test]
    fn what_finds_no_room_is_counted() {
        let queue = Queue::default();
        (0..LONGEST + 3).for_each(|_| queue.put(any()));
        assert_eq!((queue.take().len(), queue.counts().crowded_out), (LONGEST, 3));
        queue.put(any());
        assert_eq!((queue.take().len(), queue.take().len()), (1, 0));
    }
}
