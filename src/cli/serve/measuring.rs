//! What `/metrics` tells: the counters, and what the policy, the trail, the store and the system say when they are asked.

use std::time::Duration;

use crate::{
    clock::Clock,
    gateway::Telemetry,
    live::Live,
    metrics::{self, Now, Policy, Process, Spans, Trail},
    server::Certificates,
    store::DiskStore,
    traces::Traces,
};

use super::super::logging::Log;

/// How long a file system may take to say how much room it has. Prometheus waits ten seconds for all of it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks all that is asked only for `/metrics`.
pub(super) struct Measuring {
    pub(super) store: DiskStore,
    pub(super) policy: Live,
    pub(super) telemetry: Telemetry,
    pub(super) certificates: Option<Certificates>,
    pub(super) log: Log,
    pub(super) clock: Clock,
    /// When the process began, in seconds since 1970.
    pub(super) started: f64,
}

impl Measuring {
    /// What is asked of files waits on the blocking pool, and a file system that does not answer leaves its numbers out.
    pub(super) async fn text(&self) -> String {
        let rooms = tokio::time::timeout(PATIENCE, self.store.rooms());
        let (rooms, process) = tokio::join!(rooms, tokio::task::spawn_blocking(Process::measure));
        let rooms = rooms.ok().flatten().map(|rooms| {
            let folders = rooms.into_iter();
            folders
                .map(|folder| (folder.path.display().to_string(), folder.room))
                .collect()
        });
        let spans = self
            .telemetry
            .traces
            .as_ref()
            .map(Traces::counts)
            .unwrap_or_default();
        let (status, trail) = (self.policy.status(), self.telemetry.audit.health());
        let age = (self.clock.now() - status.loaded_at).whole_seconds();
        self.telemetry.metrics.text(&Now {
            policy: Policy {
                generation: status.generation,
                age_seconds: u64::try_from(age).unwrap_or_default(),
                denying_all: status.denying_all,
                file_invalid: status.problem.is_some(),
                reload_failures: status.failures,
            },
            audit: Trail {
                failing: trail.problem.is_some(),
                lost: trail.lost,
            },
            certificates: self.certificates.as_ref().map(certificates),
            log_lines_lost: self.log.lost(),
            signing_keys: self.policy.signing_keys(),
            listings: self.store.listings(),
            attributes: self.store.attributes(),
            storage_healthy: self.store.problem().is_none(),
            rooms,
            process: process.unwrap_or_default(),
            spans: Spans {
                exported: spans.exported,
                crowded_out: spans.crowded_out,
                not_taken: spans.not_taken,
            },
            started: self.started,
        })
    }
}

fn certificates(certificates: &Certificates) -> metrics::Certificates {
    let status = certificates.status();
    let in_force = status.in_force.into_iter();
    metrics::Certificates {
        in_force: in_force
            .map(|certificate| (certificate.name, certificate.not_after.unix_timestamp()))
            .collect(),
        reload_failures: status.reload_failures,
        problem: status.problem.is_some(),
    }
}

/// The time now, in seconds since 1970.
pub(super) fn seconds(clock: &Clock) -> f64 {
    clock.now().unix_timestamp_nanos() as f64 / 1e9
}
