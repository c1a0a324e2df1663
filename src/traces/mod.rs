//! Traces for OpenTelemetry: one span for each request, where the operator has named a collector. A request that is over goes in; OTLP over HTTP
//! comes out, in batches, off the way of requests.
//!
//! `traceparent → context (trace and span) → span (what became of it) → queue (bounded) → exporter → the collector`
//!
//! A span never holds a path, a query, a header or a secret: see [`Span`].

mod context;
mod exporter;
mod otlp;
mod queue;
mod settings;
mod span;

pub use context::Context;
pub use settings::Settings;
pub use span::Span;

use std::{io, sync::Arc, time::Duration};

use http::HeaderMap;

use context::Sampler;
use exporter::Exporter;
use queue::Queue;

/// How long spans may take to be sent when the process ends.
const LAST: Duration = Duration::from_secs(2);

/// Where requests leave their spans. A copy is another handle on the same.
#[derive(Clone)]
pub struct Traces(Arc<Parts>);

struct Parts {
    sampler: Sampler,
    queue: Arc<Queue>,
    exporter: Arc<Exporter>,
}

/// Spans since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The collector took them.
    pub exported: u64,
    /// They found no room where they wait.
    pub crowded_out: u64,
    /// The collector could not be reached, or did not take them.
    pub not_taken: u64,
}

/// Why there are no traces.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// The endpoint is no URL of a collector.
    #[error(
        "{0:?} is no URL of a collector; write its scheme, host and port, such as \"http://127.0.0.1:4318\""
    )]
    Endpoint(String),
    /// There is nothing to verify the collector by.
    #[error(
        "traces.endpoint: no certificates to trust on this system ({0}); install ca-certificates, or send to a collector over plain HTTP"
    )]
    Certificates(io::Error),
}

impl Traces {
    /// Begins to send what is left; none where no collector is named. Must be called within a runtime; the task ends with the last handle.
    pub fn start(settings: &Settings) -> Result<Option<Self>, TracesError> {
        if !settings.is_on() {
            return Ok(None);
        }
        let target = settings.target();
        let target = target.ok_or_else(|| TracesError::Endpoint(settings.endpoint.clone()))?;
        let exporter = Arc::new(Exporter::new(target).map_err(TracesError::Certificates)?);
        let queue = Arc::new(Queue::default());
        tokio::spawn(exporter.clone().run(Arc::downgrade(&queue)));
        Ok(Some(Self(Arc::new(Parts {
            sampler: Sampler::new(settings.sample, settings.honour_parents),
            queue,
            exporter,
        }))))
    }

    /// The place of a request in its trace, by its headers; none where it has no span.
    pub fn place(&self, headers: &HeaderMap) -> Option<Context> {
        self.0.sampler.place(headers)
    }

    /// Leaves the span of a request that is over. Never waits.
    pub fn leave(&self, span: Span) {
        self.0.queue.put(span);
    }

    /// Sends what waits, within two seconds.
    pub async fn flush(&self) {
        _ = tokio::time::timeout(LAST, self.0.exporter.export(&self.0.queue)).await;
    }

    /// Spans since the start.
    pub fn counts(&self) -> Counts {
        self.0.queue.counts()
    }
}
