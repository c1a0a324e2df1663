//! Who is told of each request when it is over.

use crate::{audit::Audit, metrics::Metrics, traces::Traces};

use super::StrangerLog;

/// The audit trail, the counters and the traces.
#[derive(Clone)]
pub struct Telemetry {
    /// One record per request.
    pub audit: Audit,
    /// Counters.
    pub metrics: Metrics,
    /// A span of each request, where there is a collector.
    pub traces: Option<Traces>,
    /// What strangers may have written into the log.
    pub stranger_log: StrangerLog,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            audit: Audit::off(),
            metrics: Metrics::default(),
            traces: None,
            stranger_log: StrangerLog::default(),
        }
    }
}

impl From<Audit> for Telemetry {
    fn from(audit: Audit) -> Self {
        Self {
            audit,
            ..Self::default()
        }
    }
}
