//! Failures that an answer with status 200 reports in its document are logged, recorded and counted like any other.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use md5::{Digest, Md5};
use postern::{
    audit::{Outcome, Record},
    gateway::{Connection, Gateway, Settings},
    metrics::Now,
    store::{MultipartUpload, NewMultipart, Part, StoredPart},
    types::{ObjectKey, PartNumber, Peer, Properties, UploadId},
};

use crate::support::{BUCKET, NOON, TestGateway, Wishes, broken::Broken, log::Log, policy};

const EVERYTHING: &str = "\n[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:*'\nResource = '*'\n";
const NOT_SECRET: &str =
    "\n[[statement]]\nEffect = 'Deny'\nAction = 's3:DeleteObject'\nResource = 'arn:aws:s3:::*/secret*'\n";

async fn gateway() -> TestGateway {
    TestGateway::with(Wishes {
        policy: Some(policy(&[EVERYTHING, NOT_SECRET])),
        ..Wishes::default()
    })
    .await
}

/// Sends a signed POST to a gateway over this store. The text of the answer, its request ID, its record.
async fn post(
    gateway: &TestGateway,
    store: Broken,
    (key, query): (&str, &[(&str, &str)]),
    body: String,
) -> (String, String, Record) {
    Log::of_the_process();
    let over = Gateway::new(
        store,
        gateway.live.clone(),
        gateway.clock.clone(),
        gateway.telemetry.clone(),
        Settings::default(),
    );
    let md5 = BASE64_STANDARD.encode(Md5::digest(&body));
    let link = gateway.sign(&Method::POST, key, query, &[]);
    let request = Request::post(link.strip_prefix(&gateway.endpoint()).unwrap())
        .header("host", gateway.address.to_string())
        .header("content-md5", md5)
        .header("content-length", body.len())
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    let peer = Peer::plain(gateway.address);
    let response = over.handle(request, peer, Connection::new()).await;
    let id = response.headers()["x-amz-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(response.status(), StatusCode::OK);
    let text = response.into_body().collect().await.unwrap().to_bytes();
    let record = gateway.record(|record| record.request_id == id).await;
    (String::from_utf8(text.to_vec()).unwrap(), id, record)
}

fn deletion(keys: &[&str]) -> String {
    let keys: String = keys
        .iter()
        .map(|key| format!("<Object><Key>{key}</Key></Object>"))
        .collect();
    format!("<Delete>{keys}</Delete>")
}

fn metrics(gateway: &TestGateway) -> String {
    gateway.telemetry.metrics.text(&Now::default())
}

#[tokio::test]
async fn failed_key_of_many_counts_as_a_failed_delete() {
    let gateway = gateway().await;
    let store = Broken {
        whole: &["a", "c"],
        ..Broken::default()
    };
    let body = deletion(&["a", "secret", "b&#10;b", "c", "d"]);
    let (text, id, record) = post(&gateway, store, ("", &[("delete", "")]), body).await;
    assert_eq!(text.matches("<Deleted>").count(), 2, "{text}");
    assert_eq!(text.matches("<Code>InternalError</Code>").count(), 2, "{text}");
    assert_eq!(text.matches("<Code>AccessDenied</Code>").count(), 1, "{text}");
    assert_eq!((record.outcome, record.status), (Outcome::Failed, Some(200)));
    assert_eq!(
        (record.code.as_deref(), record.reason.as_deref()),
        (Some("InternalError"), Some("Unreadable"))
    );
    let errors = Log::of_the_process().errors_of(&id);
    for key in [r#"key="b\nb""#, r#"key="d""#] {
        let of_key = |line: &&String| line.contains(key) && line.contains(BUCKET);
        let line = errors.iter().find(of_key).expect(key);
        assert!(
            line.contains("/srv/data/b/k cannot be read: permission denied"),
            "{line}"
        );
    }
    let metrics = metrics(&gateway);
    for line in [
        "postern_requests_total{operation=\"DeleteObjects\",outcome=\"failed\",status=\"200\",code=\"InternalError\"} 1",
        "postern_refusals_total{outcome=\"failed\",reason=\"Unreadable\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}

#[tokio::test]
async fn denied_key_of_many_counts_as_a_denied_delete() {
    let gateway = gateway().await;
    let store = Broken {
        whole: &["a"],
        ..Broken::default()
    };
    let body = deletion(&["a", "secret"]);
    let (_, id, record) = post(&gateway, store, ("", &[("delete", "")]), body).await;
    assert_eq!((record.outcome, record.status), (Outcome::Denied, Some(200)));
    assert_eq!(record.code.as_deref(), Some("AccessDenied"));
    assert!(Log::of_the_process().errors_of(&id).is_empty());
}

#[tokio::test]
async fn many_keys_without_a_failure_are_served() {
    let gateway = gateway().await;
    let store = Broken {
        whole: &["a", "b"],
        ..Broken::default()
    };
    let (_, _, record) = post(&gateway, store, ("", &[("delete", "")]), deletion(&["a", "b"])).await;
    assert_eq!((record.outcome, record.code), (Outcome::Served, None));
}

/// A store with one upload of alice's, of one part, which fails to complete after this time. The upload's ID, and the body that completes it.
fn failing_completion(delay: Duration) -> (Broken, UploadId, String) {
    let id = UploadId::parse("an-upload").unwrap();
    let part = StoredPart {
        part: Part {
            number: PartNumber::new(1).unwrap(),
            md5: [1; 16],
            checksum: None,
        },
        size: 5,
        last_modified: NOON,
    };
    let upload = MultipartUpload {
        id: id.clone(),
        initiated: NOON,
        began: NewMultipart {
            key: ObjectKey::parse("film").unwrap(),
            initiator: "alice".to_owned(),
            properties: Properties::default(),
            checksum: None,
        },
    };
    let etag = part.etag();
    let part_of_body = format!("<PartNumber>1</PartNumber><ETag>{}</ETag>", etag.as_str());
    let store = Broken {
        upload: Some((upload, vec![part])),
        delay,
        ..Broken::default()
    };
    let body = format!("<CompleteMultipartUpload><Part>{part_of_body}</Part></CompleteMultipartUpload>");
    (store, id, body)
}

fn names_the_film(line: &str) -> bool {
    line.contains(r#"key="film""#) && line.contains(BUCKET) && line.contains("cannot be read")
}

/// The completion takes longer than the answer waits with its head, and fails then.
#[tokio::test]
async fn completion_that_fails_late_counts_as_failed() {
    let gateway = gateway().await;
    let (store, upload, body) = failing_completion(Duration::from_millis(5_200));
    let query = [("uploadId", upload.as_str())];
    let (text, id, record) = post(&gateway, store, ("film", &query), body).await;
    assert!(text.contains("<Error><Code>InternalError</Code>"), "{text}");
    assert_eq!((record.outcome, record.status), (Outcome::Failed, Some(200)));
    assert_eq!(
        (record.code.as_deref(), record.reason.as_deref()),
        (Some("InternalError"), Some("Unreadable"))
    );
    let errors = Log::of_the_process().errors_of(&id);
    assert!(errors.iter().any(|line| names_the_film(line)), "{errors:?}");
    let line = "postern_refusals_total{outcome=\"failed\",reason=\"Unreadable\"} 1";
    assert!(metrics(&gateway).contains(line));
}

#[tokio::test]
async fn completion_that_fails_without_its_client_is_logged() {
    let gateway = gateway().await;
    let (store, upload, body) = failing_completion(Duration::from_millis(500));
    let query = [("uploadId", upload.as_str())];
    let posted = post(&gateway, store, ("film", &query), body);
    tokio::time::timeout(Duration::from_millis(200), posted)
        .await
        .unwrap_err();
    let record = gateway.record(|record| record.outcome == Outcome::Gone).await;
    let start = std::time::Instant::now();
    while !Log::of_the_process()
        .errors_of(&record.request_id)
        .iter()
        .any(|line| names_the_film(line))
    {
        assert!(start.elapsed() < Duration::from_secs(20), "no line about it");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
