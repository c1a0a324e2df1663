use std::time::Duration;

use crate::{
    s3::{ErrorCode, Operation},
    types::{CacheCounts, Room},
};

use super::*;

/// An object that was read whole.
const READ: Ended = Ended {
    operation: Some(Operation::GetObject),
    outcome: "served",
    status: Some(200),
    code: None,
    reason: None,
    bytes_sent: 227,
    bytes_received: 0,
    duration: Duration::from_millis(3),
    answered_after: Some(Duration::from_millis(1)),
};

fn denied(outcome: &'static str, reason: &'static str) -> Ended {
    Ended {
        operation: None,
        outcome,
        status: Some(403),
        code: Some(ErrorCode::AccessDenied),
        reason: Some(reason),
        bytes_sent: 300,
        ..READ
    }
}

fn holds(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(
            text.lines().any(|found| found == *line),
            "{line} is not in\n{text}"
        );
    }
}

fn count(metrics: &Metrics, ended: &Ended) {
    metrics.begun();
    metrics.ended(ended);
}

#[test]
fn requests_count_by_operation_end_status_and_code() {
    let metrics = Metrics::default();
    count(&metrics, &READ);
    count(&metrics.clone(), &READ);
    count(
        &metrics,
        &Ended {
            status: Some(206),
            ..READ
        },
    );
    // Its connection broke off before it was answered.
    count(
        &metrics,
        &Ended {
            outcome: "gone",
            status: None,
            answered_after: None,
            bytes_sent: 0,
            bytes_received: 5,
            ..READ
        },
    );
    count(&metrics, &denied("denied", "ExplicitDeny"));
    metrics.begun();
    holds(
        &metrics.text(&Now::default()),
        &[
            "postern_requests_total{operation=\"GetObject\",outcome=\"served\",status=\"200\",code=\"none\"} 2",
            "postern_requests_total{operation=\"GetObject\",outcome=\"served\",status=\"206\",code=\"none\"} 1",
            "postern_requests_total{operation=\"GetObject\",outcome=\"gone\",status=\"none\",code=\"none\"} 1",
            "postern_requests_total{operation=\"none\",outcome=\"denied\",status=\"403\",code=\"AccessDenied\"} 1",
            "postern_refusals_total{outcome=\"denied\",reason=\"ExplicitDeny\"} 1",
            "postern_refusals_total{outcome=\"failed\",reason=\"Full\"} 0",
            "postern_sent_bytes_total{operation=\"GetObject\"} 681",
            "postern_received_bytes_total{operation=\"GetObject\"} 5",
            "postern_request_duration_seconds_count{operation=\"GetObject\"} 4",
            "postern_request_duration_seconds_bucket{le=\"0.0025\",operation=\"GetObject\"} 0",
            "postern_request_duration_seconds_bucket{le=\"0.005\",operation=\"GetObject\"} 4",
            "postern_request_time_to_answer_seconds_count{operation=\"GetObject\"} 3",
            "postern_requests_in_flight 1",
            "# EOF",
        ],
    );
}

#[test]
fn what_revocations_stop_counts_by_rule() {
    let metrics = Metrics::default();
    count(&metrics, &denied("denied", "LinkRevoked"));
    count(&metrics, &denied("cut", "LinkRevoked"));
    count(&metrics, &denied("denied", "ImplicitDeny"));
    holds(
        &metrics.text(&Now::default()),
        &[
            "postern_revocations_hit_total{rule=\"LinkRevoked\"} 2",
            "postern_revocations_hit_total{rule=\"SignerRevoked\"} 0",
            "postern_transfers_cut_total 1",
        ],
    );
}

#[test]
fn an_operation_that_nobody_asked_for_has_no_series() {
    let metrics = Metrics::default();
    count(&metrics, &READ);
    let text = metrics.text(&Now::default());
    assert!(
        text.contains("GetObject") && !text.contains("PutObject"),
        "{text}"
    );
}

#[test]
fn connections_count_while_they_are_open() {
    let metrics = Metrics::default();
    let one = metrics.connection(Listener::Https);
    drop(metrics.connection(Listener::Https));
    let lines = |open: u8| {
        [
            format!("postern_connections_open{{listener=\"https\"}} {open}"),
            "postern_connections_open{listener=\"admin\"} 0".to_owned(),
            "postern_connections_accepted_total{listener=\"https\"} 2".to_owned(),
        ]
    };
    let told = |open| {
        let (text, lines) = (metrics.text(&Now::default()), lines(open));
        holds(&text, &lines.each_ref().map(String::as_str));
    };
    told(1);
    drop(one);
    told(0);
}

#[test]
fn what_is_true_now_is_told_as_it_is_now() {
    let metrics = Metrics::default();
    let room = Room {
        free_bytes: 1 << 40,
        total_bytes: 1 << 41,
        free_inodes: 5,
        total_inodes: 10,
    };
    let now = Now {
        policy: Policy {
            generation: 7,
            age_seconds: 60,
            reload_failures: 2,
            ..Policy::default()
        },
        audit: Trail {
            failing: true,
            lost: 3,
        },
        signing_keys: CacheCounts { hits: 9, misses: 1 },
        rooms: Some(vec![("da\"ta".to_owned(), Some(room))]),
        process: Process {
            open_descriptors: Some(12),
            cpu_seconds: Some(1.5),
            ..Process::default()
        },
        started: 1_764_000_000.25,
        ..Now::default()
    };
    let text = metrics.text(&now);
    holds(
        &text,
        &[
            &format!(
                "postern_build_info{{version=\"{}\"}} 1",
                env!("CARGO_PKG_VERSION")
            ),
            "postern_policy_generation 7",
            "postern_policy_age_seconds 60",
            "postern_policy_reload_failures 2",
            "postern_policy_denying_all 0",
            "postern_audit_failing 1",
            "postern_audit_records_lost_total 3",
            "postern_cache_lookups_total{cache=\"signing_keys\",result=\"hit\"} 9",
            "postern_storage_silent 0",
            "postern_storage_free_bytes{folder=\"da\\\"ta\"} 1099511627776",
            "postern_storage_total_inodes{folder=\"da\\\"ta\"} 10",
            "postern_trace_spans_dropped_total{reason=\"queue\"} 0",
            "process_open_fds 12",
            "process_cpu_seconds_total 1.5",
            "process_start_time_seconds 1764000000.25",
        ],
    );
    assert!(!text.contains("process_max_fds"), "what is not known is not told");
    let silent = metrics.text(&Now::default());
    holds(&silent, &["postern_storage_silent 1"]);
    assert!(!silent.contains("postern_storage_free_bytes{"), "{silent}");
}
