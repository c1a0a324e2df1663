//! The one place that reads the time. Everything else takes the time as an argument, or a [`Clock`] where it has to ask
//! again; a test sets its clock and moves it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use time::OffsetDateTime;

use crate::types::Span;

/// Tells the time: the system's, or one that a test has set. Clones tell the same time.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Fixed(Arc<Mutex<OffsetDateTime>>),
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still at `at` until it is set or moved. For tests.
    pub fn fixed(at: OffsetDateTime) -> Self {
        Self(Source::Fixed(Arc::new(Mutex::new(at))))
    }

    /// The time now, in UTC.
    pub fn now(&self) -> OffsetDateTime {
        match &self.0 {
            Source::System => system_now(),
            Source::Fixed(at) => *at.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Sets a fixed clock and all its clones. The system's clock is left alone.
    pub fn set(&self, at: OffsetDateTime) {
        self.change(|now| *now = at);
    }

    /// Moves a fixed clock and all its clones forward. The system's clock is left alone.
    pub fn advance(&self, by: Span) {
        self.change(|now| {
            *now = now.saturating_add(time::Duration::seconds(
                i64::try_from(by.seconds()).unwrap_or(i64::MAX),
            ))
        });
    }

    fn change(&self, change: impl FnOnce(&mut OffsetDateTime)) {
        match &self.0 {
            Source::System => {}
            Source::Fixed(at) => change(&mut at.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// A moment to measure waiting from. It never stands still, whatever the clock: waiting is no part of what tests set.
    pub(crate) fn moment(&self) -> Instant {
        Instant::now()
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the time"
)]
fn system_now() -> OffsetDateTime {
    of_system(SystemTime::now())
}

/// The same moment. It is what `into` gives, which adds a length of time of any sign and size to a date; two readings a request showed in a profile.
fn of_system(at: SystemTime) -> OffsetDateTime {
    let told = |since: Duration| {
        let seconds = since.as_secs().try_into().ok()?;
        let at = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
        at.replace_nanosecond(since.subsec_nanos()).ok()
    };
    let since = at.duration_since(SystemTime::UNIX_EPOCH).ok();
    since.and_then(told).unwrap_or_else(|| at.into())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_fixed_clock_moves_only_when_it_is_moved_and_its_clones_move_along() {
        let clock = Clock::fixed(datetime!(2013-05-24 00:00 UTC));
        let clone = clock.clone();
        assert_eq!(clock.now(), clone.now());
        clock.advance(Span::from_seconds(900));
        assert_eq!(clone.now(), datetime!(2013-05-24 00:15 UTC));
        clone.set(datetime!(2026-11-23 12:00 UTC));
        assert_eq!(clock.now(), datetime!(2026-11-23 12:00 UTC));
        clock.advance(Span::from_seconds(u64::MAX));
        assert!(clock.now() > datetime!(9999-01-01 00:00 UTC));
    }

    #[test]
    fn a_time_of_the_system_is_the_same_moment() {
        let hour = Duration::from_secs(3_600);
        for since in [
            Duration::ZERO,
            Duration::new(1_795_651_199, 999_999_999),
            Duration::new(253_402_300_799, 1),
        ] {
            let at = SystemTime::UNIX_EPOCH + since;
            assert_eq!(of_system(at), OffsetDateTime::from(at));
        }
        let before = SystemTime::UNIX_EPOCH - hour;
        assert_eq!(of_system(before), datetime!(1969-12-31 23:00 UTC));
    }

    #[test]
    fn the_system_clock_cannot_be_set() {
        let clock = Clock::system();
        clock.set(datetime!(2013-05-24 00:00 UTC));
        clock.advance(Span::from_seconds(u64::MAX));
        let now = clock.now();
        assert!(now > datetime!(2025-01-01 00:00 UTC) && now < datetime!(9000-01-01 00:00 UTC));
    }
}
