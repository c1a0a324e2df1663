//! What operators are told on their own listener.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use crate::{
    audit::Audit,
    explain::{Explanation, Question},
    gateway::Gateway,
    live::Live,
    server::{self, Certificates, Readiness},
    store::DiskStore,
};

use super::measuring::Measuring;

/// How long an answer waits for records to be written. Whoever revokes must not wait for the disk of the audit trail.
const LONGEST_FLUSH: Duration = Duration::from_secs(1);

/// What operators are told.
pub(super) struct Operators {
    pub(super) gateway: Gateway<DiskStore>,
    pub(super) store: DiskStore,
    pub(super) policy: Live,
    pub(super) audit: Audit,
    pub(super) certificates: Option<Certificates>,
    pub(super) measuring: Measuring,
}

impl server::Source for Operators {
    fn readiness(&self) -> Readiness {
        let storage_problem = self.store.problem();
        let ready = readiness(&self.policy, &self.audit);
        Readiness {
            ready: ready.ready && storage_problem.is_none(),
            storage_problem,
            certificate_problem: self
                .certificates
                .as_ref()
                .and_then(|certificates| certificates.status().problem),
            ..ready
        }
    }

    async fn transfers(&self) -> String {
        let running = self.gateway.transfers();
        // Who asks reads the trail next: a transfer that has just ended must be told of in one of the two.
        let audit = self.audit.clone();
        _ = tokio::task::spawn_blocking(move || audit.flush_within(LONGEST_FLUSH)).await;
        serde_json::to_string(&running).unwrap_or_default()
    }

    async fn metrics(&self) -> String {
        self.measuring.text().await
    }

    async fn explain(&self, question: Bytes) -> (StatusCode, String) {
        match serde_json::from_slice::<Question>(&question) {
            Ok(question) => told(self.gateway.explain(question).await),
            Err(error) => (
                StatusCode::BAD_REQUEST,
                json!({ "error": error.to_string() }).to_string(),
            ),
        }
    }

    async fn explain_request(&self, id: &str) -> (StatusCode, String) {
        told(self.gateway.explain_request(id).await)
    }
}

fn told(explanation: Option<Explanation>) -> (StatusCode, String) {
    match explanation {
        Some(explanation) => (
            StatusCode::OK,
            serde_json::to_string(&explanation).unwrap_or_default(),
        ),
        None => {
            let error = "no such request is kept: the last 512 that were refused are, since the start";
            (StatusCode::NOT_FOUND, json!({ "error": error }).to_string())
        }
    }
}

fn readiness(policy: &Live, audit: &Audit) -> Readiness {
    let status = policy.status();
    let health = audit.health();
    Readiness {
        ready: !status.denying_all && !health.refusing,
        audit_problem: health.problem,
        storage_problem: None,
        certificate_problem: None,
        generation: status.generation,
        digest: status.digest,
        loaded_at: status
            .loaded_at
            .format(&time::format_description::well_known::Rfc3339)
            .unwrap_or_default(),
        problem: status.problem,
    }
}
