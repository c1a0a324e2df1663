//! Numbers that every request counts, in a piece for each thread. Processors that count into one number pass its memory to and fro, and each waits for
//! the other.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many pieces there are. Where there are more threads, some share one.
pub const PIECES: usize = 8;

/// Which piece the thread that asks counts into.
pub fn own_piece() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % PIECES);
    OWN.with(|own| *own)
}

/// A number in pieces, to which each thread adds in a piece of its own; whoever asks gets their sum. It wraps around: one thread may take away what
/// another has added.
#[derive(Debug, Default)]
pub struct InPieces([Piece; PIECES]);

/// By itself in a line of the processor's cache.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Piece(AtomicU64);

impl InPieces {
    /// Adds to the thread's own piece.
    pub fn add(&self, count: u64) {
        if let Some(piece) = self.0.get(own_piece()) {
            piece.0.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// What all have added.
    pub fn sum(&self) -> u64 {
        let pieces = self.0.iter().map(|piece| piece.0.load(Ordering::Relaxed));
        pieces.fold(0, u64::wrapping_add)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn what_many_threads_count_is_counted_once_each() {
        let counted = InPieces::default();
        thread::scope(|scope| {
            for _ in 0..3 * PIECES {
                scope.spawn(|| (0..1_000).for_each(|_| counted.add(1)));
            }
        });
        assert_eq!(counted.sum(), 3_000 * PIECES as u64);
    }

    #[test]
    fn what_one_thread_adds_another_may_take_away() {
        let running = InPieces::default();
        running.add(5);
        thread::scope(|scope| {
            scope.spawn(|| running.add(3u64.wrapping_neg()));
        });
        assert_eq!(running.sum(), 2);
    }
}
