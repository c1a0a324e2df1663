//! How slowly the other end may take or send bytes. While it is waited for, time counts; so much of it must bring so many bytes. What the gateway itself takes
//! (a disk, a hash) does not count, so a slow disk is nobody's fault.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::types::Span;

/// The slowest that bytes may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LowestRate {
    /// Bytes a second; 0: as slowly as can be.
    pub bytes_per_second: u64,
    /// Over how much waiting that is looked at.
    pub over: Span,
}

impl Default for LowestRate {
    fn default() -> Self {
        Self {
            bytes_per_second: 1024,
            // What counts as taken is what the kernel takes, in steps of up to a third of a socket's buffer (4 MiB on Linux).
            over: Span::from_seconds(120),
        }
    }
}

/// How fast one side of one connection is, or one body.
#[derive(Debug)]
pub struct Pace {
    lowest: LowestRate,
    /// Bytes in this window.
    moved: u64,
    /// How much of the window went by, as far as it was waited through.
    waited: Duration,
    /// Since when it is waited now.
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    /// Nothing has moved and nobody waits.
    pub fn new(lowest: LowestRate) -> Self {
        Self {
            lowest,
            moved: 0,
            waited: Duration::ZERO,
            since: None,
            timer: None,
        }
    }

    /// Bytes moved.
    pub fn moved(&mut self, bytes: usize) {
        self.moved = self.moved.saturating_add(bytes as u64);
        if let Some(since) = self.since.take() {
            self.waited = self.waited.saturating_add(since.elapsed());
        }
    }

    /// Nothing of what was counts any more.
    pub fn begin_anew(&mut self) {
        (self.moved, self.waited, self.since) = (0, Duration::ZERO, None);
    }

    /// It is waited for the other end: ready when that has been too slow.
    pub fn poll_too_slow(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let LowestRate {
            bytes_per_second,
            over,
        } = self.lowest;
        if bytes_per_second == 0 {
            return Poll::Pending;
        }
        loop {
            let now = *self.since.get_or_insert_with(Instant::now);
            let end = now + over.duration().saturating_sub(self.waited);
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
            if timer.deadline() != end {
                timer.as_mut().reset(end);
            }
            ready!(timer.as_mut().poll(context));
            if self.moved < bytes_per_second.saturating_mul(over.seconds()) {
                return Poll::Ready(());
            }
            self.begin_anew();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn pace(bytes_per_second: u64) -> Pace {
        Pace::new(LowestRate {
            bytes_per_second,
            over: Span::from_seconds(1),
        })
    }

    async fn is_too_slow_within(pace: &mut Pace, milliseconds: u64) -> bool {
        let slow = poll_fn(|context| pace.poll_too_slow(context));
        tokio::time::timeout(Duration::from_millis(milliseconds), slow)
            .await
            .is_ok()
    }

    #[tokio::test]
    async fn whoever_moves_nothing_for_the_whole_time_is_too_slow() {
        assert!(is_too_slow_within(&mut pace(1), 5_000).await);
    }

    #[tokio::test]
    async fn enough_bytes_buy_one_more_window_and_no_more() {
        let mut pace = pace(100);
        pace.moved(100);
        let began = Instant::now();
        assert!(is_too_slow_within(&mut pace, 10_000).await);
        assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn only_waiting_counts() {
        let mut pace = pace(1000);
        for _ in 0..4 {
            assert!(!is_too_slow_within(&mut pace, 100).await);
            pace.moved(1);
            // What the gateway does meanwhile.
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        assert!(pace.waited < Duration::from_millis(900), "{:?}", pace.waited);
    }

    #[tokio::test]
    async fn without_a_rate_nobody_is_too_slow() {
        assert!(!is_too_slow_within(&mut pace(0), 1_200).await);
    }
}
