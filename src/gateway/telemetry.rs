//! Who is told of each request when it is over.

use crate::{audit::Audit, metrics::Metrics};

/// The audit trail and the counters.
#[derive(Clone)]
pub struct Telemetry {
    /// One record per request.
    pub audit: Audit,
    /// Counters.
    pub metrics: Metrics,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            audit: Audit::off(),
            metrics: Metrics::default(),
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
