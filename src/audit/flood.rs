//! Bounds what requests without a verified signature may write, to the audit trail and to the log.
//!
//! A second has a budget of bytes for lines about single requests, and each source has a share of
//! it. Beyond that requests are only counted, by source and reason, in a table of a fixed size. What
//! the table has no room for is counted together, so the total is always exact.

use std::{
    collections::HashMap,
    fmt,
    time::{Duration, Instant},
};

use time::OffsetDateTime;

use crate::types::Network;

use super::{Entry, Outcome};

/// How long a budget lasts, and how often counts are written.
pub const WINDOW: Duration = Duration::from_secs(1);

/// What one window may hold.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Bytes of lines about single requests, of all sources together.
    pub bytes: usize,
    /// The same, of one source.
    pub bytes_per_source: usize,
    /// Rows of the table of counts, and sources that have a share.
    pub rows: usize,
}

/// Who sent requests that were counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An IPv4 address, or a /64 of IPv6.
    Network(Network),
    /// Several, for which the table had no room.
    Others,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Others => f.write_str("others"),
        }
    }
}

/// Requests that were counted and not written one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// Who sent them.
    pub source: Source,
    /// What became of them.
    pub outcome: Outcome,
    /// S3's error code, of the first of them.
    pub code: Option<&'static str>,
    /// The precise reason; none for [`Source::Others`].
    pub reason: Option<&'static str>,
    /// How many there were.
    pub requests: u64,
    /// The bytes that their answers had.
    pub bytes_sent: u64,
    /// The bytes that their bodies had.
    pub bytes_received: u64,
    /// When the first of them came.
    pub first: OffsetDateTime,
    /// When the last of them came.
    pub last: OffsetDateTime,
}

impl Repeated {
    fn begun(entry: &Entry, source: Source) -> Self {
        let is_row = source != Source::Others;
        Self {
            source,
            outcome: entry.outcome,
            code: entry.code.filter(|_| is_row),
            reason: entry.reason.filter(|_| is_row),
            requests: 0,
            bytes_sent: 0,
            bytes_received: 0,
            first: entry.time,
            last: entry.time,
        }
    }

    fn add(&mut self, entry: &Entry) {
        self.requests = self.requests.saturating_add(1);
        self.bytes_sent = self.bytes_sent.saturating_add(entry.bytes_sent);
        self.bytes_received = self.bytes_received.saturating_add(entry.bytes_received);
        self.first = self.first.min(entry.time);
        self.last = self.last.max(entry.time);
    }
}

/// The lines and counts of one window.
#[derive(Debug)]
pub struct Flood {
    budget: Budget,
    began: Option<Instant>,
    spent: usize,
    spent_by: HashMap<Network, usize>,
    rows: HashMap<(Network, Outcome, Option<&'static str>), Repeated>,
    /// At most one for each outcome.
    others: Vec<Repeated>,
}

impl Flood {
    /// Nothing is spent yet.
    pub fn new(budget: Budget) -> Self {
        Self {
            budget,
            began: None,
            spent: 0,
            spent_by: HashMap::new(),
            rows: HashMap::new(),
            others: Vec::new(),
        }
    }

    /// Whether a line of so many bytes about this request may be written. If so, it is paid for.
    pub fn admits(&mut self, entry: &Entry, bytes: usize, now: Instant) -> bool {
        if self
            .began
            .is_none_or(|began| now.saturating_duration_since(began) >= WINDOW)
        {
            self.began = Some(now);
            self.spent = 0;
            self.spent_by.clear();
        }
        let source = Network::of(entry.client.address);
        let spent = self.spent_by.get(&source).copied();
        let has_room = spent.is_some() || self.spent_by.len() < self.budget.rows;
        let by_source = spent.unwrap_or(0).saturating_add(bytes);
        let in_all = self.spent.saturating_add(bytes);
        if !has_room || in_all > self.budget.bytes || by_source > self.budget.bytes_per_source {
            return false;
        }
        self.spent_by.insert(source, by_source);
        self.spent = in_all;
        true
    }

    /// Counts a request of which no line is written.
    pub fn count(&mut self, entry: &Entry) {
        let source = Network::of(entry.client.address);
        let key = (source, entry.outcome, entry.reason);
        let has_room = self.rows.len() < self.budget.rows;
        match self.rows.get_mut(&key) {
            Some(row) => row.add(entry),
            None if has_room => {
                let mut row = Repeated::begun(entry, Source::Network(source));
                row.add(entry);
                self.rows.insert(key, row);
            }
            None => self.count_among_others(entry),
        }
    }

    fn count_among_others(&mut self, entry: &Entry) {
        let same = |row: &&mut Repeated| row.outcome == entry.outcome;
        match self.others.iter_mut().find(same) {
            Some(row) => row.add(entry),
            None => {
                let mut row = Repeated::begun(entry, Source::Others);
                row.add(entry);
                self.others.push(row);
            }
        }
    }

    /// Whether nothing was counted since the counts were last taken.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.others.is_empty()
    }

    /// Takes the counts, the oldest first.
    pub fn take(&mut self) -> Vec<Repeated> {
        let mut counts: Vec<_> = self.rows.drain().map(|(_, row)| row).collect();
        counts.append(&mut self.others);
        counts.sort_by_key(|row| row.first);
        counts
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;
    use crate::{audit::RequestName, types::Peer};

    const BUDGET: Budget = Budget {
        bytes: 1_000,
        bytes_per_source: 500,
        rows: 3,
    };

    fn entry(address: IpAddr, reason: &'static str) -> Entry {
        let client = Peer::plain((address, 5).into()).into();
        let noon = datetime!(2026-11-24 12:00 UTC);
        Entry {
            outcome: Outcome::Denied,
            reason: Some(reason),
            ..Entry::begun(noon, RequestName::new([b'A'; 16]), client, http::Method::GET)
        }
    }

    fn of(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn a_source_has_a_share_and_all_sources_have_a_bound() {
        let mut flood = Flood::new(BUDGET);
        let start = Instant::now();
        let mut admitted = |source: u8, at: Instant| flood.admits(&entry(of(source), "R"), 200, at);
        assert!(admitted(1, start) && admitted(1, start));
        assert!(!admitted(1, start), "its share is spent");
        assert!(admitted(2, start) && admitted(2, start) && admitted(3, start));
        assert!(!admitted(3, start), "all is spent");
        assert!(!admitted(4, start + WINDOW / 2));
        assert!(admitted(1, start + WINDOW), "another window");
    }

    #[test]
    fn a_64_of_ipv6_is_one_source() {
        let mut flood = Flood::new(BUDGET);
        for host in 1..=9_u16 {
            let address = format!("2001:db8:1:2::{host:x}").parse().unwrap();
            flood.count(&entry(address, "R"));
        }
        let [row] = flood.take().try_into().unwrap();
        assert_eq!(
            (row.source.to_string(), row.requests),
            ("2001:db8:1:2::/64".to_owned(), 9)
        );
    }

    proptest! {
        #[test]
        fn counts_are_exact_whatever_comes(
            requests in prop::collection::vec((0..9_u8, 0..3_usize), 0..300)
        ) {
            let reasons = ["A", "B", "C"];
            let mut flood = Flood::new(BUDGET);
            for (source, reason) in &requests {
                flood.count(&entry(of(*source), reasons[*reason]));
            }
            let counts = flood.take();
            prop_assert!(flood.is_empty() && counts.len() <= BUDGET.rows + 1);
            let total: u64 = counts.iter().map(|row| row.requests).sum();
            prop_assert_eq!(total, requests.len() as u64);
            for row in counts.iter().filter(|row| row.source != Source::Others) {
                let same = requests.iter().filter(|(source, reason)| {
                    row.source == Source::Network(Network::of(of(*source)))
                        && row.reason == Some(reasons[*reason])
                });
                prop_assert_eq!(row.requests, same.count() as u64);
            }
        }
    }
}
