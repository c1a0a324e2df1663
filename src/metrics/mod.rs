//! Counters and gauges for Prometheus. What happens goes in; a text in the OpenMetrics form comes out, for the admin listener alone.
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>
//!
//! What happens while requests run is counted here ([`Metrics`]). What others know at any moment (the policy's generation, free bytes) is read when
//! Prometheus asks ([`Now`]), so that nothing is kept twice. To add a counter: a field in a part of [`Metrics`] (or a part of its own, registered
//! as `Connections` is), a line in `docs/MONITORING.md`.
//!
//! Labels come from our own tables and from the configuration, never from a request: the number of series has a bound, which `docs/MONITORING.md`
//! names. Where every request counts nothing is locked, looked for or allocated, and each thread counts in a piece of its own.

mod certificates;
mod connections;
mod durations;
mod limits;
mod now;
mod pieces;
mod process;
mod requests;

pub use certificates::Certificates;
pub use connections::{Listener, OpenConnection};
pub use limits::Limit;
pub use now::{Now, Policy, Spans, Trail};
pub use process::Process;
pub use requests::Ended;

use std::sync::Arc;

use prometheus_client::{
    encoding::text::{encode_eof, encode_registry},
    metrics::info::Info,
    registry::Registry,
};

use connections::Connections;
use limits::Limits;
use requests::Requests;

/// What the names of our own begin with.
const PREFIX: &str = "postern";

/// The numbers of one process. A copy counts into the same.
#[derive(Clone)]
pub struct Metrics(Arc<Numbers>);

struct Numbers {
    registry: Registry,
    requests: Requests,
    connections: Connections,
    limits: Limits,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        registry.register(
            "build",
            "The program",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        let requests = Requests::register(&mut registry);
        let connections = Connections::register(&mut registry);
        let limits = Limits::register(&mut registry);
        Self(Arc::new(Numbers {
            registry,
            requests,
            connections,
            limits,
        }))
    }
}

impl Metrics {
    /// All of them as text.
    pub fn text(&self, now: &Now) -> String {
        let (mut own, mut process) = (Registry::with_prefix(PREFIX), Registry::default());
        now.register(&mut own);
        now.register_process(&mut process);
        let mut text = String::new();
        for registry in [&self.0.registry, &own, &process] {
            // Writing into a text cannot fail.
            _ = encode_registry(&mut text, registry);
        }
        _ = encode_eof(&mut text);
        text
    }
}

#[cfg(test)]
mod tests;
