//! One span for each request, in the trace that its client names, with nothing in it that a stranger may not see.

use http::{Method, StatusCode};
use postern::{
    audit,
    traces::{Settings, Traces},
};
use serde_json::Value;

use crate::support::{
    TestGateway, Wishes, client,
    collector::{Collector, attribute},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn to(collector: &Collector) -> Settings {
    Settings {
        endpoint: collector.endpoint(),
        ..Settings::default()
    }
}

async fn traced(settings: Settings) -> TestGateway {
    let gateway = TestGateway::with(Wishes {
        traces: Some(settings),
        ..Wishes::default()
    })
    .await;
    gateway.put("films/secret-name.mp4", "moving pictures");
    gateway
}

async fn get(gateway: &TestGateway, url: &str, headers: &[(&str, &str)]) -> StatusCode {
    client::send(gateway.address, Method::GET, url, headers)
        .await
        .status
}

/// Waits until so many spans have been sent on, or were dropped. A record is left when its answer has been read, or shortly after.
async fn settled(gateway: &TestGateway, count: u64) -> &Traces {
    let traces = gateway.telemetry.traces.as_ref().unwrap();
    let start = std::time::Instant::now();
    loop {
        traces.flush().await;
        let counts = traces.counts();
        if counts.exported + counts.not_taken + counts.crowded_out >= count {
            return traces;
        }
        assert!(start.elapsed().as_secs() < 20, "{counts:?} and not {count}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_request_with_a_traceparent_is_a_span_of_that_trace_and_one_without_is_a_root() {
    let collector = Collector::start(StatusCode::OK).await;
    let gateway = traced(to(&collector)).await;
    let link = gateway.link(&Method::GET, "films/secret-name.mp4");
    let parent = format!("00-{TRACE}-{SPAN}-01");
    assert_eq!(get(&gateway, &link, &[("traceparent", &parent)]).await, 200);
    assert_eq!(get(&gateway, &link, &[]).await, 200);
    settled(&gateway, 2).await;
    let spans = collector.spans();
    assert_eq!(spans.len(), 2);
    let (child, root): (Vec<_>, Vec<_>) = spans.iter().partition(|span| span["traceId"] == TRACE);
    let ([child], [root]) = (&child[..], &root[..]) else {
        panic!("{spans:?}")
    };
    assert_eq!(child["parentSpanId"], SPAN);
    assert_ne!(child["spanId"], SPAN);
    assert_eq!(root.get("parentSpanId"), None);
    assert_eq!(root["traceId"].as_str().unwrap().len(), 32);
    assert_eq!((&child["name"], &child["kind"]), (&"GetObject".into(), &2.into()));
    let record = gateway.record(|record| record.status == Some(200)).await;
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("http.response.body.size", "15"),
        ("url.scheme", "http"),
        ("postern.operation", "GetObject"),
        ("postern.outcome", "served"),
        ("postern.signer", "alice"),
        ("aws.s3.bucket", "pres-url-test"),
    ] {
        assert_eq!(attribute(child, key).as_deref(), Some(value), "{key}");
    }
    let ids: Vec<_> = spans
        .iter()
        .map(|span| attribute(span, "aws.request_id"))
        .collect();
    assert!(ids.contains(&Some(record.request_id)), "{ids:?}");
}

#[tokio::test]
async fn a_parent_that_is_not_sampled_is_respected_and_a_malformed_one_is_not_heard() {
    let collector = Collector::start(StatusCode::OK).await;
    let gateway = traced(Settings {
        sample: 0.0,
        ..to(&collector)
    })
    .await;
    let link = gateway.link(&Method::GET, "films/secret-name.mp4");
    let sampled = format!("00-{TRACE}-{SPAN}-01");
    for parent in [
        format!("00-{TRACE}-{SPAN}-00"),
        format!("00-{TRACE}-{SPAN}-01-x"),
        "nonsense".to_owned(),
    ] {
        assert_eq!(get(&gateway, &link, &[("traceparent", &parent)]).await, 200);
    }
    let twice = [("traceparent", sampled.as_str()), ("traceparent", &sampled)];
    assert_eq!(get(&gateway, &link, &twice).await, 200);
    assert_eq!(get(&gateway, &link, &[("traceparent", &sampled)]).await, 200);
    settled(&gateway, 1).await;
    let spans = collector.spans();
    assert_eq!(spans.len(), 1, "{spans:?}");
    assert_eq!(spans[0]["parentSpanId"], SPAN);
}

#[tokio::test]
async fn a_stranger_gets_no_span_where_parents_are_not_honoured() {
    let collector = Collector::start(StatusCode::OK).await;
    let gateway = traced(Settings {
        sample: 0.0,
        honour_parents: false,
        ..to(&collector)
    })
    .await;
    let link = gateway.link(&Method::GET, "films/secret-name.mp4");
    let sampled = format!("00-{TRACE}-{SPAN}-01");
    assert_eq!(get(&gateway, &link, &[("traceparent", &sampled)]).await, 200);
    // A record is left right behind the span.
    gateway.record(|record| record.status == Some(200)).await;
    settled(&gateway, 0).await;
    assert_eq!(collector.spans().len(), 0);
}

#[tokio::test]
async fn no_span_holds_a_path_a_query_a_signature_or_what_a_stranger_writes() {
    let collector = Collector::start(StatusCode::OK).await;
    let gateway = traced(to(&collector)).await;
    let link = gateway.link(&Method::GET, "films/secret-name.mp4");
    let signature = link.split("X-Amz-Signature=").nth(1).unwrap();
    let forged = link.replace(signature, &"0".repeat(64));
    let odd = [
        ("user-agent", "odd-agent"),
        ("referer", "http://odd-page"),
        ("tracestate", "odd=state"),
        ("traceparent", "odd-parent"),
    ];
    assert_eq!(get(&gateway, &link, &odd).await, 200);
    assert_eq!(get(&gateway, &forged, &odd).await, 403);
    let missing = gateway.link(&Method::GET, "films/secret-name.avi");
    assert_eq!(get(&gateway, &missing, &odd).await, 404);
    let stranger = format!("{}/odd-bucket/odd-key?odd-query", gateway.endpoint());
    assert_eq!(get(&gateway, &stranger, &odd).await, 403);
    let method = Method::from_bytes(b"ODD-METHOD").unwrap();
    client::send(gateway.address, method, &stranger, &odd).await;
    settled(&gateway, 5).await;
    let (spans, text) = (collector.spans(), collector.received());
    assert_eq!(spans.len(), 5);
    for word in [
        signature,
        "X-Amz",
        "AWS4-HMAC",
        "secret-name",
        "AKIAALICE",
        "127.0.0.1",
        "odd",
        "ODD",
        &"0".repeat(64),
    ] {
        assert!(!text.contains(word), "{word} is in {text}");
    }
    let of = |status: &str| {
        let mut spans = spans.iter();
        let is = |span: &&Value| attribute(span, "http.response.status_code").as_deref() == Some(status);
        spans.find(is).unwrap()
    };
    assert_eq!(attribute(of("404"), "postern.code").as_deref(), Some("NoSuchKey"));
    assert_eq!(
        of("404").get("status"),
        None,
        "what a client does wrong is no error of ours"
    );
    assert_eq!(of("403").get("status"), None);
    assert!(spans.iter().any(|span| {
        attribute(span, "error.type").as_deref() == Some("Mismatch")
            && attribute(span, "postern.signer").is_none()
            && attribute(span, "aws.s3.bucket").is_none()
    }));
}

#[tokio::test]
async fn a_fault_of_ours_is_marked_as_an_error() {
    let collector = Collector::start(StatusCode::OK).await;
    let gateway = TestGateway::with(Wishes {
        traces: Some(to(&collector)),
        audit: Some(audit::Settings {
            on_failure: audit::OnFailure::Refuse,
            ..audit::Settings::default()
        }),
        ..Wishes::default()
    })
    .await;
    gateway.put("films/secret-name.mp4", "moving pictures");
    // A folder in the trail's place: no request may go unrecorded, so the next one is refused.
    let trail = gateway.folder.path().join("audit.jsonl");
    std::fs::remove_file(&trail).unwrap();
    std::fs::create_dir(&trail).unwrap();
    gateway.audit.reopen();
    let link = gateway.link(&Method::GET, "films/secret-name.mp4");
    assert_eq!(get(&gateway, &link, &[]).await, 200);
    settled(&gateway, 1).await;
    while !gateway.audit.refuses() {
        gateway.audit.flush();
        tokio::task::yield_now().await;
    }
    assert_eq!(get(&gateway, &link, &[]).await, 503);
    settled(&gateway, 2).await;
    let spans = collector.spans();
    assert_eq!(spans[0].get("status"), None);
    assert_eq!(spans[1]["status"]["code"], 2, "{spans:?}");
    assert_eq!(attribute(&spans[1], "error.type").as_deref(), Some("AuditTrail"));
}

#[tokio::test]
async fn a_collector_that_is_gone_or_refuses_disturbs_no_request_and_what_is_lost_is_counted() {
    let refusing = Collector::start(StatusCode::SERVICE_UNAVAILABLE).await;
    let gone = Settings {
        // Nobody listens on a port of a listener that is closed.
        endpoint: {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            format!("http://{}", listener.local_addr().unwrap())
        },
        ..Settings::default()
    };
    for settings in [to(&refusing), gone] {
        let gateway = traced(settings).await;
        let link = gateway.link(&Method::GET, "films/secret-name.mp4");
        for _ in 0..20 {
            assert_eq!(get(&gateway, &link, &[]).await, 200);
        }
        let counts = settled(&gateway, 20).await.counts();
        assert_eq!((counts.exported, counts.not_taken), (0, 20));
    }
}
