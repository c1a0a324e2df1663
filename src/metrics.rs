//! Counters and gauges for Prometheus. What happens goes in; a text in the OpenMetrics form comes out, for the admin listener alone.
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>

mod certificates;

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// The numbers of one process. A copy counts into the same.
#[derive(Clone)]
pub struct Metrics(Arc<Numbers>);

struct Numbers {
    registry: Mutex<Registry>,
    generation: Gauge,
    age: Gauge,
    denying_all: Gauge,
    reload_failures: Gauge,
    audit_failing: Gauge,
    storage_healthy: Gauge,
    requests: Family<End, Counter>,
    revocations_hit: Family<Rule, Counter>,
    transfers_cut: Counter,
    certificates: certificates::Numbers,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct End {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Rule {
    rule: &'static str,
}

/// What is true at the moment of asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The number of the snapshot in force.
    pub generation: u64,
    /// For how many seconds it has been.
    pub age_seconds: u64,
    /// Is everything denied for want of a valid policy?
    pub denying_all: bool,
    /// How many readings of the policy file were invalid since the start.
    pub reload_failures: u64,
    /// Can the audit trail not be written?
    pub audit_failing: bool,
}

/// The rules that revoke, by the names that the log gives them.
const RULES: [&str; 4] = [
    "SignerRevoked",
    "KeyRevoked",
    "SignedBeforeRevocation",
    "LinkRevoked",
];

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("postern");
        let (generation, age, denying_all) = (Gauge::default(), Gauge::default(), Gauge::default());
        let (reload_failures, audit_failing) = (Gauge::default(), Gauge::default());
        let requests = Family::<End, Counter>::default();
        let revocations_hit = Family::<Rule, Counter>::default();
        let transfers_cut = Counter::default();
        registry.register(
            "policy_generation",
            "The number of the policy snapshot in force",
            generation.clone(),
        );
        registry.register(
            "policy_age_seconds",
            "For how long it has been in force",
            age.clone(),
        );
        registry.register(
            "policy_denying_all",
            "1 while every request is denied for want of a valid policy",
            denying_all.clone(),
        );
        registry.register(
            "policy_reload_failures",
            "Invalid readings of the policy file since the start",
            reload_failures.clone(),
        );
        registry.register(
            "audit_failing",
            "1 while audit records cannot be written",
            audit_failing.clone(),
        );
        let storage_healthy = Gauge::default();
        registry.register(
            "storage_healthy",
            "0 while something is wrong with a folder of the store",
            storage_healthy.clone(),
        );
        registry.register("requests", "Requests by their end", requests.clone());
        registry.register(
            "revocations_hit",
            "Requests and transfers that a revocation stopped",
            revocations_hit.clone(),
        );
        registry.register(
            "transfers_cut",
            "Transfers in flight that a change of the policy ended",
            transfers_cut.clone(),
        );
        for rule in RULES {
            // A counter that has not counted yet is 0, not absent: alerts need the first step.
            drop(revocations_hit.get_or_create(&Rule { rule }));
        }
        let certificates = certificates::Numbers::register(&mut registry);
        Self(Arc::new(Numbers {
            certificates,
            registry: Mutex::new(registry),
            generation,
            age,
            denying_all,
            reload_failures,
            audit_failing,
            storage_healthy,
            requests,
            revocations_hit,
            transfers_cut,
        }))
    }
}

impl Metrics {
    /// A request has ended so, for this reason.
    pub fn ended(&self, outcome: &'static str, reason: Option<&str>) {
        self.0.requests.get_or_create(&End { outcome }).inc();
        if outcome == "cut" {
            self.0.transfers_cut.inc();
        }
        if let Some(rule) = RULES.into_iter().find(|rule| reason == Some(rule)) {
            self.0.revocations_hit.get_or_create(&Rule { rule }).inc();
        }
    }

    /// Which certificates are in force, by name and until when (seconds since 1970), how often changed files were not taken, and is something wrong now?
    pub fn certificates(&self, in_force: impl Iterator<Item = (String, i64)>, failures: u64, problem: bool) {
        self.0.certificates.set(in_force, failures, problem);
    }

    /// Is nothing wrong with the folders of the store?
    pub fn storage(&self, healthy: bool) {
        self.0.storage_healthy.set(healthy.into());
    }

    /// All of them as text.
    pub fn text(&self, now: Now) -> String {
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let numbers = &*self.0;
        numbers.generation.set(whole(now.generation));
        numbers.age.set(whole(now.age_seconds));
        numbers.denying_all.set(now.denying_all.into());
        numbers.reload_failures.set(whole(now.reload_failures));
        numbers.audit_failing.set(now.audit_failing.into());
        let mut text = String::new();
        let registry = numbers.registry.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing into a text cannot fail.
        _ = encode(&mut text, &registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_told() {
        let metrics = Metrics::default();
        metrics.ended("served", None);
        metrics.ended("denied", Some("LinkRevoked"));
        metrics.clone().ended("cut", Some("LinkRevoked"));
        metrics.ended("denied", Some("ExplicitDeny"));
        let text = metrics.text(Now {
            generation: 7,
            age_seconds: 60,
            reload_failures: 2,
            ..Now::default()
        });
        for line in [
            "postern_policy_generation 7",
            "postern_policy_age_seconds 60",
            "postern_policy_reload_failures 2",
            "postern_policy_denying_all 0",
            "postern_requests_total{outcome=\"denied\"} 2",
            "postern_requests_total{outcome=\"cut\"} 1",
            "postern_revocations_hit_total{rule=\"LinkRevoked\"} 2",
            "postern_revocations_hit_total{rule=\"SignerRevoked\"} 0",
            "postern_transfers_cut_total 1",
            "# EOF",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in\n{text}"
            );
        }
    }
}
