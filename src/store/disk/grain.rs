//! The grain of a file system's times: how far apart two changes must be to get different times.
//!
//! Most file systems keep nanoseconds. ext3 and ext4 with inodes of 128 bytes keep whole seconds,
//! and so do others; FAT keeps two. Within one grain two states of a file look the same, so what was
//! read of it then must not be kept. The grain is found by setting a time and reading it back.

use std::{
    collections::HashMap,
    fs::{File, Metadata},
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::MetadataExt,
    },
    sync::{Mutex, PoisonError},
};

use rustix::fs::{self as rfs, AtFlags, Mode, OFlags, Timespec, Timestamps};
use time::{Duration, OffsetDateTime};

use crate::clock::Clock;

/// The grain of a file system that was not asked: the coarsest that is in use.
const COARSEST: Duration = Duration::seconds(2);
/// Kernels stamp files with the time of their last tick, at most 10 ms ago; a machine that is short of
/// processor time may miss some.
const TICK: Duration = Duration::milliseconds(100);
/// The time that is set: an odd second, and nanoseconds that every coarser grain cuts.
const PROBED: (i64, i64) = (1_234_567_891, 987_654_321);
/// The grains that file systems have, in nanoseconds.
const GRAINS: [i64; 5] = [1, 100, 1_000, 1_000_000, 1_000_000_000];

/// How long after a change a file must be left alone before its times tell the next change, for each
/// device that was asked.
#[derive(Debug, Default)]
pub(super) struct Grains(Mutex<HashMap<u64, Duration>>);

impl Grains {
    /// For how long the times of a file on this device may stay the same although it changes.
    pub(super) fn of(&self, device: u64) -> Duration {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&device).copied().unwrap_or(COARSEST) + TICK
    }

    /// Whether this device was asked.
    pub(super) fn knows(&self, device: u64) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.contains_key(&device)
    }

    /// Asks the file system of a folder that can be written to. `name` is a file that is made in it and
    /// removed again. If it cannot be made, the grain stays the coarsest.
    pub(super) fn find(&self, folder: BorrowedFd<'_>, name: &str, clock: &Clock) {
        let found = probe(folder, name, clock);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok((device, grain)) => known.insert(device, grain),
            // A device number may stand for another file system by now.
            Err(_) => {
                let metadata = folder.try_clone_to_owned().map(File::from);
                let metadata = metadata.and_then(|folder| folder.metadata());
                metadata.ok().and_then(|metadata| known.remove(&metadata.dev()))
            }
        };
    }
}

/// Makes a file, gives it a time, and reads that back. Its device and the grain come out. A clock of
/// the file system that is behind ours makes the grain longer by the difference.
fn probe(folder: BorrowedFd<'_>, name: &str, clock: &Clock) -> io::Result<(u64, Duration)> {
    // A FIFO of this name must not hold up the start.
    let flags = OFlags::WRONLY
        | OFlags::CREATE
        | OFlags::TRUNC
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK
        | OFlags::CLOEXEC;
    let before = clock.now();
    let file = File::from(rfs::openat(folder, name, flags, Mode::from_raw_mode(0o600))?);
    let probed = || -> io::Result<(u64, Duration)> {
        // Content, so that the file has the time of a write by now.
        rfs::ftruncate(&file, 1)?;
        let made = file.metadata()?;
        let behind = before - time_of(&made);
        let (seconds, nanoseconds) = PROBED;
        let time = Timespec {
            tv_sec: seconds,
            tv_nsec: nanoseconds,
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        rfs::futimens(file.as_fd(), &times)?;
        let found = file.metadata()?;
        let grain = grain((found.mtime(), found.mtime_nsec()));
        Ok((made.dev(), grain + behind.max(Duration::ZERO)))
    };
    let probed = probed();
    rfs::unlinkat(folder, name, AtFlags::empty())?;
    probed
}

fn time_of(file: &Metadata) -> OffsetDateTime {
    let seconds = OffsetDateTime::from_unix_timestamp(file.mtime()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    seconds + Duration::nanoseconds(file.mtime_nsec())
}

/// The grain that has made this of the time that was set.
fn grain(found: (i64, i64)) -> Duration {
    let (seconds, nanoseconds) = PROBED;
    let cut = |grain: &&i64| found == (seconds, nanoseconds.saturating_sub(nanoseconds % **grain));
    let grain = GRAINS.iter().find(cut);
    grain.map_or(COARSEST, |grain| Duration::nanoseconds(*grain))
}

/// Whether `restored` is this time as a coarser clock or an archive keeps it: cut to microseconds,
/// seconds or the like. Both are nanoseconds since 1970.
pub(super) fn is_cut(time: i64, restored: i64) -> bool {
    let coarsest = i64::try_from(COARSEST.whole_nanoseconds()).unwrap_or(1);
    let mut grains = GRAINS.iter().chain([&coarsest]);
    grains.any(|grain| time.saturating_sub(time.rem_euclid(*grain)) == restored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grain_is_what_the_file_system_left_of_a_time() {
        for (found, expected) in [
            ((1_234_567_891, 987_654_321), Duration::nanoseconds(1)),
            ((1_234_567_891, 987_654_300), Duration::nanoseconds(100)),
            ((1_234_567_891, 987_654_000), Duration::microseconds(1)),
            ((1_234_567_891, 987_000_000), Duration::milliseconds(1)),
            ((1_234_567_891, 0), Duration::seconds(1)),
            ((1_234_567_890, 0), COARSEST),
            ((1_234_567_892, 0), COARSEST),
            ((1_234_567_891, 980_000_000), COARSEST),
            ((0, 0), COARSEST),
        ] {
            assert_eq!(grain(found), expected, "{found:?}");
        }
    }

    #[test]
    fn file_system_of_the_tests_is_asked_and_left_clean() {
        let folder = tempfile::tempdir().unwrap();
        let opened = File::open(folder.path()).unwrap();
        let grains = Grains::default();
        let device = opened.metadata().unwrap().dev();
        assert!(!grains.knows(device));
        assert_eq!(grains.of(device), COARSEST + TICK, "not asked");
        grains.find(opened.as_fd(), "probe", &Clock::system());
        assert!(grains.knows(device));
        assert!(grains.of(device) <= COARSEST + TICK + Duration::seconds(1));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn file_system_whose_clock_is_behind_has_a_longer_grain() {
        let folder = tempfile::tempdir().unwrap();
        let opened = File::open(folder.path()).unwrap();
        let ahead = Clock::fixed(Clock::system().now() + std::time::Duration::from_secs(60));
        let (_, grain) = probe(opened.as_fd(), "probe", &ahead).unwrap();
        assert!(grain > Duration::seconds(50), "{grain}");
    }

    #[test]
    fn cut_times_are_known_again() {
        let time = 1_234_567_891_987_654_321;
        for restored in [
            time,
            1_234_567_891_987_654_300,
            1_234_567_891_987_654_000,
            1_234_567_891_987_000_000,
            1_234_567_891_000_000_000,
            1_234_567_890_000_000_000,
        ] {
            assert!(is_cut(time, restored), "{restored}");
        }
        for other in [
            time + 1,
            time - 1,
            1_234_567_892_000_000_000,
            1_234_567_891_900_000_000,
            0,
        ] {
            assert!(!is_cut(time, other), "{other}");
        }
    }
}
