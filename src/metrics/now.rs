//! What is true at the moment of asking: numbers that others keep, read when Prometheus asks.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::Registry,
};

use crate::types::{CacheCounts, Room};

use super::{
    certificates::Certificates,
    process::{self, Process},
};

/// What is true at the moment of asking.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Now {
    /// The policy in force.
    pub policy: Policy,
    /// The audit trail.
    pub audit: Trail,
    /// Lines of the log that found no room, since the start.
    pub log_lines_lost: u64,
    /// The certificates, where HTTPS is spoken.
    pub certificates: Option<Certificates>,
    /// Signing keys that were at hand or had to be derived.
    pub signing_keys: CacheCounts,
    /// Sorted folders that were at hand or had to be read.
    pub listings: CacheCounts,
    /// Attributes of objects that were at hand or had to be read.
    pub attributes: CacheCounts,
    /// Is nothing wrong with the folders of the store?
    pub storage_healthy: bool,
    /// The room where objects are kept, by folder; none where the file system did not say in time.
    pub rooms: Option<Vec<(String, Option<Room>)>>,
    /// Spans of traces.
    pub spans: Spans,
    /// The process.
    pub process: Process,
    /// When it began, in seconds since 1970.
    pub started: f64,
}

/// The policy in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The number of the snapshot in force.
    pub generation: u64,
    /// For how many seconds it has been.
    pub age_seconds: u64,
    /// Is everything denied for want of a valid policy?
    pub denying_all: bool,
    /// Is the policy file, as it stands, not valid?
    pub file_invalid: bool,
    /// How many readings of the policy file were invalid since the start.
    pub reload_failures: u64,
}

/// The audit trail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    /// Can it not be written?
    pub failing: bool,
    /// How many records found no room while it could not be, since the start.
    pub lost: u64,
}

/// Spans of traces, since the start. All 0 where there are no traces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    /// The collector took them.
    pub exported: u64,
    /// They found no room where they wait.
    pub crowded_out: u64,
    /// The collector could not be reached, or did not take them.
    pub not_taken: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cache {
    cache: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Folder {
    folder: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

impl Now {
    /// Those of postern's own.
    pub(super) fn register(&self, registry: &mut Registry) {
        self.policy.register(registry);
        self.audit.register(registry);
        self.spans.register(registry);
        registry.register(
            "log_lines_lost",
            "Lines of the log that were lost while standard error took none",
            ConstCounter::new(self.log_lines_lost),
        );
        if let Some(certificates) = &self.certificates {
            certificates.register(registry);
        }
        let asked = Family::<Cache, Counter>::default();
        for (cache, counts) in [
            ("signing_keys", self.signing_keys),
            ("listings", self.listings),
            ("attributes", self.attributes),
        ] {
            for (result, count) in [("hit", counts.hits), ("miss", counts.misses)] {
                asked.get_or_create(&Cache { cache, result }).inc_by(count);
            }
        }
        registry.register("cache_lookups", "Look-ups in caches, by cache and result", asked);
        gauge(
            registry,
            "storage_healthy",
            "0 while something is wrong with a folder of the store",
            self.storage_healthy.into(),
        );
        rooms(registry, self.rooms.as_deref());
    }

    /// Those that every program has, under everybody's names.
    pub(super) fn register_process(&self, registry: &mut Registry) {
        self.process.register(registry);
        process::register_start(registry, self.started);
    }
}

impl Policy {
    fn register(&self, registry: &mut Registry) {
        for (name, help, value) in [
            (
                "policy_generation",
                "The number of the policy snapshot in force",
                self.generation,
            ),
            (
                "policy_age_seconds",
                "For how long it has been in force",
                self.age_seconds,
            ),
            (
                "policy_denying_all",
                "1 while every request is denied for want of a valid policy",
                self.denying_all.into(),
            ),
            (
                "policy_file_invalid",
                "1 while the policy file as it stands is not valid",
                self.file_invalid.into(),
            ),
            (
                "policy_reload_failures",
                "Invalid readings of the policy file since the start",
                self.reload_failures,
            ),
        ] {
            gauge(registry, name, help, value);
        }
    }
}

impl Trail {
    fn register(&self, registry: &mut Registry) {
        gauge(
            registry,
            "audit_failing",
            "1 while audit records cannot be written",
            self.failing.into(),
        );
        registry.register(
            "audit_records_lost",
            "Audit records that were lost for want of room while they could not be written",
            ConstCounter::new(self.lost),
        );
    }
}

impl Spans {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "trace_spans_exported",
            "Spans that the collector of traces took",
            ConstCounter::new(self.exported),
        );
        let dropped = Family::<Reason, Counter>::default();
        for (reason, count) in [("queue", self.crowded_out), ("collector", self.not_taken)] {
            dropped.get_or_create(&Reason { reason }).inc_by(count);
        }
        registry.register(
            "trace_spans_dropped",
            "Spans that were dropped: the queue was full, or the collector did not take them",
            dropped,
        );
    }
}

fn rooms(registry: &mut Registry, rooms: Option<&[(String, Option<Room>)]>) {
    let silent = rooms.is_none_or(|rooms| rooms.iter().any(|(_, room)| room.is_none()));
    gauge(
        registry,
        "storage_silent",
        "1 where a file system of the store did not say in time how much room it has",
        silent.into(),
    );
    let of = |number: fn(&Room) -> u64| {
        let family = Family::<Folder, Gauge>::default();
        for (folder, room) in rooms.unwrap_or_default() {
            if let Some(room) = room {
                let folder = escaped(folder);
                family.get_or_create(&Folder { folder }).set(whole(number(room)));
            }
        }
        family
    };
    for (name, help, family) in [
        (
            "storage_free_bytes",
            "Bytes that may still be written",
            of(|room| room.free_bytes),
        ),
        (
            "storage_total_bytes",
            "Bytes that the file system has",
            of(|room| room.total_bytes),
        ),
        (
            "storage_free_inodes",
            "Files that may still be made",
            of(|room| room.free_inodes),
        ),
        (
            "storage_total_inodes",
            "Files that the file system has room for",
            of(|room| room.total_inodes),
        ),
    ] {
        registry.register(name, help, family);
    }
}

/// A text as a label's value: the library writes values as they are, so a quote would end one.
/// <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md#escaping>
pub(super) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// Registers a number as it is now.
pub(super) fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstGauge::new(whole(value)));
}

/// Registers a number with a fraction as it is now.
pub(super) fn gauge_f64(registry: &mut Registry, name: &str, help: &str, value: f64) {
    registry.register(name, help, ConstGauge::new(value));
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
