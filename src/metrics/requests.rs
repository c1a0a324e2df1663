//! Requests: how many, of which operation, with which end, how long, how many bytes.
//!
//! Every label is a name out of a table of ours: AWS's operations, statuses that are answered with, S3's codes, the reasons of refusals. No text
//! of a client is ever one, and only who may do something makes an operation's name one: whoever is refused counts as `none`.

use std::{sync::OnceLock, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::family::Family,
    registry::{Registry, Unit},
};

use crate::{
    s3::{ErrorCode, Operation},
    types::InPieces,
};

use super::{Metrics, durations::Durations};

/// What every request counts into.
type Counter = prometheus_client::metrics::counter::Counter<u64, InPieces>;
/// The same, of what ends too.
type Gauge = prometheus_client::metrics::gauge::Gauge<i64, InPieces>;

/// What stands for an operation that was not permitted, a status that nobody heard, and a code where there is none.
const NONE: &str = "none";
/// What is served is served with one of these.
const USUAL: [u16; 4] = [200, 204, 206, 304];
/// The outcome of what is served.
const SERVED: &str = "served";

/// The rules that revoke, by the names that the log gives them.
const RULES: [&str; 4] = [
    "SignerRevoked",
    "KeyRevoked",
    "SignedBeforeRevocation",
    "LinkRevoked",
];
/// What an operator must see, by the names that the log gives it. These are 0 from the start: alerts need the first step.
const FAULTS: [&str; 7] = [
    "Unreadable",
    "Undescribed",
    "Unwritable",
    "Full",
    "ReadOnly",
    "AuditTrail",
    "Interrupted",
];

/// A request that is over.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// What was permitted, if anything was.
    pub operation: Option<Operation>,
    /// What became of it: one of a few fixed words.
    pub outcome: &'static str,
    /// HTTP's status; none where nobody was there to hear it.
    pub status: Option<u16>,
    /// S3's error code.
    pub code: Option<ErrorCode>,
    /// The precise reason where it did not get what it asked for: one of some dozens of fixed words.
    pub reason: Option<&'static str>,
    /// Bytes of the answer's body.
    pub bytes_sent: u64,
    /// Bytes of the request's body.
    pub bytes_received: u64,
    /// From the head to the last byte of the answer.
    pub duration: Duration,
    /// From the head to the head of the answer, if there was one.
    pub answered_after: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct End {
    operation: &'static str,
    outcome: &'static str,
    status: Status,
    code: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Status(Option<u16>);

impl EncodeLabelValue for Status {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        match self.0 {
            Some(status) => EncodeLabelValue::encode(&status, encoder),
            None => EncodeLabelValue::encode(&NONE, encoder),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Because {
    outcome: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Rule {
    rule: &'static str,
}

pub(super) struct Requests {
    in_flight: Gauge,
    ended: Family<End, Counter>,
    refused: Family<Because, Counter>,
    revocations_hit: Family<Rule, Counter>,
    transfers_cut: Counter,
    sent: Family<Of, Counter>,
    received: Family<Of, Counter>,
    duration: Family<Of, Durations>,
    answer: Family<Of, Durations>,
    /// What a request counts into without looking for it: one for each operation, and one for none.
    rows: Box<[Row]>,
}

/// What the requests of one operation count into. It comes out of the families at the first request, so that an operation that nobody asks for has
/// no series.
#[derive(Default)]
struct Row {
    usual: [OnceLock<Counter>; USUAL.len()],
    always: OnceLock<Always>,
}

struct Always {
    sent: Counter,
    received: Counter,
    duration: Durations,
    answer: Durations,
}

impl Requests {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let requests = Self {
            in_flight: Gauge::default(),
            ended: Family::default(),
            refused: Family::default(),
            revocations_hit: Family::default(),
            transfers_cut: Counter::default(),
            sent: Family::default(),
            received: Family::default(),
            duration: Family::default(),
            answer: Family::default(),
            rows: (0..=Operation::ALL.len()).map(|_| Row::default()).collect(),
        };
        registry.register(
            "requests_in_flight",
            "Requests whose answer has not ended",
            requests.in_flight.clone(),
        );
        registry.register(
            "requests",
            "Requests by operation, end, HTTP status and S3 error code",
            requests.ended.clone(),
        );
        registry.register(
            "refusals",
            "Requests that did not get what they asked for, by end and reason",
            requests.refused.clone(),
        );
        registry.register(
            "revocations_hit",
            "Requests and transfers that a revocation stopped",
            requests.revocations_hit.clone(),
        );
        registry.register(
            "transfers_cut",
            "Transfers in flight that a change of the policy ended",
            requests.transfers_cut.clone(),
        );
        registry.register_with_unit(
            "sent",
            "Bytes of answers' bodies that were handed to connections",
            Unit::Bytes,
            requests.sent.clone(),
        );
        registry.register_with_unit(
            "received",
            "Bytes of requests' bodies that came",
            Unit::Bytes,
            requests.received.clone(),
        );
        registry.register_with_unit(
            "request_duration",
            "From the head of a request to the last byte of its answer",
            Unit::Seconds,
            requests.duration.clone(),
        );
        registry.register_with_unit(
            "request_time_to_answer",
            "From the head of a request to the head of its answer",
            Unit::Seconds,
            requests.answer.clone(),
        );
        for rule in RULES {
            // A counter that has not counted yet is 0, not absent: alerts need the first step.
            drop(requests.revocations_hit.get_or_create(&Rule { rule }));
        }
        for reason in FAULTS {
            let outcome = "failed";
            drop(requests.refused.get_or_create(&Because { outcome, reason }));
        }
        requests
    }

    fn end(&self, ended: &Ended) {
        self.in_flight.dec();
        let operation = ended.operation.map_or(NONE, Operation::name);
        let at = ended.operation.map_or(Operation::ALL.len(), |at| at as usize);
        let count = || {
            self.ended.get_or_create_owned(&End {
                operation,
                outcome: ended.outcome,
                status: Status(ended.status),
                code: ended.code.map_or(NONE, ErrorCode::name),
            })
        };
        let Some(row) = self.rows.get(at) else { return };
        match row.usual(ended) {
            Some(usual) => usual.get_or_init(count).inc(),
            None => count().inc(),
        };
        let always = row.always.get_or_init(|| Always {
            sent: self.sent.get_or_create_owned(&Of { operation }),
            received: self.received.get_or_create_owned(&Of { operation }),
            duration: self.duration.get_or_create_owned(&Of { operation }),
            answer: self.answer.get_or_create_owned(&Of { operation }),
        });
        if ended.bytes_sent > 0 {
            always.sent.inc_by(ended.bytes_sent);
        }
        if ended.bytes_received > 0 {
            always.received.inc_by(ended.bytes_received);
        }
        always.duration.observe(ended.duration);
        if let Some(after) = ended.answered_after {
            always.answer.observe(after);
        }
        if let Some(reason) = ended.reason {
            self.refuse(ended.outcome, reason);
        }
    }

    fn refuse(&self, outcome: &'static str, reason: &'static str) {
        self.refused.get_or_create(&Because { outcome, reason }).inc();
        if outcome == "cut" {
            self.transfers_cut.inc();
        }
        if let Some(rule) = RULES.into_iter().find(|rule| reason == *rule) {
            self.revocations_hit.get_or_create(&Rule { rule }).inc();
        }
    }
}

impl Row {
    /// Where a request of a usual end counts.
    fn usual(&self, ended: &Ended) -> Option<&OnceLock<Counter>> {
        if ended.code.is_some() || ended.outcome != SERVED {
            return None;
        }
        let mut usual = USUAL.iter().zip(&self.usual);
        usual
            .find(|(status, _)| ended.status == Some(**status))
            .map(|(_, count)| count)
    }
}

impl Metrics {
    /// A request has begun. Whoever says so must say that it has ended too.
    pub fn begun(&self) {
        self.0.requests.in_flight.inc();
    }

    /// A request has ended so.
    pub fn ended(&self, ended: &Ended) {
        self.0.requests.end(ended);
    }
}
