//! A change is allowed by the policy in force when it takes effect. Each operation with a body gets all
//! of it but the last bytes; then a Deny comes into force, and only then the rest of the body.

use std::{fs, path::Path, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::Method;
use md5::{Digest, Md5};
use postern::{
    sigv4::{AddressingStyle, Endpoint, SignRequest},
    store::{
        BucketDocument, Completion, DiskStore, LastLook, MultipartStore, NewMultipart, Part, PartsQuery,
        Settings, Store, StoreError, Upload, UploadName,
    },
    types::{BucketName, ETag, ObjectKey, PartNumber, Properties, Tag, WriteCondition},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    ALICE, BUCKET, TestGateway, Wishes, client,
    form::{BOUNDARY, TestForm},
    policy, sign_as,
};

const EVERYTHING: &str = "\n[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:*'\nResource = '*'\n";

/// A Deny of one action on everything, with these further lines.
fn deny(action: &str, condition: &str) -> String {
    format!("\n[[statement]]\nEffect = 'Deny'\nAction = '{action}'\nResource = '*'\n{condition}\n")
}

async fn gateway(leaves_transfers: bool) -> TestGateway {
    TestGateway::with(Wishes {
        policy: Some(policy(&[EVERYTHING])),
        leaves_transfers,
        ..Wishes::default()
    })
    .await
}

/// One request with a body.
struct Held {
    /// Method, URL and further header lines.
    head: (&'static str, String, String),
    body: Vec<u8>,
}

impl Held {
    fn new(method: &'static str, url: String, headers: &str, body: impl Into<Vec<u8>>) -> Self {
        let head = (method, url, headers.to_owned());
        let body = body.into();
        Self { head, body }
    }

    /// Sends all but the last byte, lets the policy change, and sends that byte. The answer comes out.
    async fn send(self, gateway: &TestGateway, changed: &str) -> String {
        let (method, url, headers) = self.head;
        let target = url.strip_prefix(&gateway.endpoint()).unwrap();
        let (last, front) = self.body.split_last().unwrap();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n",
            gateway.address,
            self.body.len()
        );
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(front).await.unwrap();
        // The request has its permit when it counts as a transfer in flight.
        let began = std::time::Instant::now();
        while gateway.gateway.transfers().is_empty() {
            assert!(began.elapsed().as_secs() < 20, "{method} {target} never began");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        gateway.save_policy(&policy(&[EVERYTHING, changed])).await;
        _ = stream.write_all(&[*last]).await;
        let mut answer = Vec::new();
        _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// Every file below the bucket's folder and its content, without the store's own.
fn objects(gateway: &TestGateway) -> Vec<(String, Vec<u8>)> {
    fn visit(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => visit(&path, found),
                false => found.push((path.display().to_string(), fs::read(&path).unwrap())),
            }
        }
    }
    let mut found = Vec::new();
    visit(&gateway.folder.path().join("data"), &mut found);
    found.retain(|(path, _)| !path.contains("~!tmp"));
    found.sort();
    found
}

fn delete_document(keys: &[&str]) -> String {
    let objects: String = keys
        .iter()
        .map(|key| format!("<Object><Key>{key}</Key></Object>"))
        .collect();
    format!("<Delete>{objects}</Delete>")
}

fn content_md5(body: &str) -> String {
    format!("content-md5: {}\r\n", STANDARD.encode(Md5::digest(body)))
}

const TAGGING: &str = "<Tagging><TagSet><Tag><Key>class</Key><Value>secret</Value></Tag></TagSet></Tagging>";
const CORS: &str = "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod>\
    <AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>";

const CREATE: &str = "<CreateBucketConfiguration></CreateBucketConfiguration>";

fn create_bucket_link(gateway: &TestGateway) -> String {
    let request = SignRequest {
        method: &Method::PUT,
        endpoint: &Endpoint::parse(&gateway.endpoint()).unwrap(),
        style: AddressingStyle::Path,
        bucket: Some(&bucket("made")),
        key: None,
        headers: &[],
        query: &[],
        session_token: None,
    };
    sign_as(ALICE, &request, gateway.clock.now())
}

/// The operations with a body besides DeleteObjects: the action to deny, and the request.
async fn held(gateway: &TestGateway) -> Vec<(&'static str, Held)> {
    let form = TestForm::signed(
        "2026-11-24T12:30:00Z",
        r#"["starts-with", "$key", ""]"#,
        &[("key", "form")],
    );
    let begun = client::send(
        gateway.address,
        Method::POST,
        &gateway.sign(&Method::POST, "parts", &[("uploads", "")], &[]),
        &[],
    )
    .await;
    let id = begun.element("UploadId").unwrap();
    let part = |number| [("partNumber", number), ("uploadId", id.as_str())];
    let sent = client::send_body(
        gateway.address,
        Method::PUT,
        &gateway.sign(&Method::PUT, "parts", &part("1"), &[]),
        &[],
        "one".into(),
    )
    .await;
    let complete = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
        sent.header("etag")
    );
    let content_type = format!("content-type: multipart/form-data; boundary={BOUNDARY}\r\n");
    vec![
        (
            "s3:PutObject",
            Held::new("PUT", gateway.link(&Method::PUT, "put"), "", "content"),
        ),
        (
            "s3:PutObject",
            Held::new(
                "PUT",
                gateway.sign(&Method::PUT, "parts", &part("2"), &[]),
                "",
                "two",
            ),
        ),
        (
            "s3:PutObject",
            Held::new(
                "POST",
                gateway.sign(&Method::POST, "parts", &[("uploadId", &id)], &[]),
                "",
                complete,
            ),
        ),
        (
            "s3:PutObject",
            Held::new(
                "POST",
                format!("{}/{BUCKET}", gateway.endpoint()),
                &content_type,
                form.body(),
            ),
        ),
        (
            "s3:PutObjectTagging",
            Held::new(
                "PUT",
                gateway.sign(&Method::PUT, "kept", &[("tagging", "")], &[]),
                "",
                TAGGING,
            ),
        ),
        (
            "s3:PutBucketCORS",
            Held::new(
                "PUT",
                gateway.sign(&Method::PUT, "", &[("cors", "")], &[]),
                "",
                CORS,
            ),
        ),
        (
            "s3:CreateBucket",
            Held::new("PUT", create_bucket_link(gateway), "", CREATE),
        ),
    ]
}

#[tokio::test]
async fn a_denial_before_the_last_byte_stops_every_operation() {
    let count = held(&gateway(false).await).await.len();
    for at in 0..count {
        let gateway = gateway(false).await;
        gateway.put("kept", "kept");
        let (action, request) = held(&gateway).await.remove(at);
        let before = objects(&gateway);
        let name = format!("{} {}", request.head.0, request.head.1);
        let answer = request.send(&gateway, &deny(action, "")).await;
        assert!(
            answer.starts_with("HTTP/1.1 403") && answer.contains("<Code>AccessDenied</Code>"),
            "{name}: {answer}"
        );
        assert_eq!(objects(&gateway), before, "{name}");
    }
}

#[tokio::test]
async fn changes_are_decided_again_where_transfers_are_not_cut() {
    let count = held(&gateway(true).await).await.len();
    // What transfers no object's content: tags, CORS rules, buckets.
    for at in count - 3..count {
        let gateway = gateway(true).await;
        gateway.put("kept", "kept");
        let (action, request) = held(&gateway).await.remove(at);
        let before = objects(&gateway);
        let answer = request.send(&gateway, &deny(action, "")).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{action}: {answer}");
        assert_eq!(objects(&gateway), before, "{action}");
    }
}

#[tokio::test]
async fn each_key_of_a_deletion_is_decided_when_it_is_deleted() {
    for leaves_transfers in [false, true] {
        let gateway = gateway(leaves_transfers).await;
        let (kept, gone) = (gateway.put("kept", "kept"), gateway.put("gone", "gone"));
        let url = gateway.sign(&Method::POST, "", &[("delete", "")], &[]);
        let body = delete_document(&["kept", "gone"]);
        let request = Held::new("POST", url, &content_md5(&body), body);
        let denied = "\n[[statement]]\nEffect = 'Deny'\nAction = 's3:DeleteObject'\n\
            Resource = 'arn:aws:s3:::pres-url-test/kept'\n";
        let answer = request.send(&gateway, denied).await;
        assert!(
            answer.contains("<Error><Key>kept</Key><Code>AccessDenied</Code>")
                && answer.contains("<Deleted><Key>gone</Key></Deleted>"),
            "{answer}"
        );
        assert!(kept.exists() && !gone.exists());
    }
}

#[tokio::test]
async fn a_new_condition_on_tags_is_decided_with_those_that_take_effect() {
    let given = "Condition = { StringEquals = { 's3:RequestObjectTag/class' = 'secret' } }";
    let existing = "Condition = { StringEquals = { 's3:ExistingObjectTag/state' = 'locked' } }";
    let other = "Condition = { StringEquals = { 's3:ExistingObjectTag/state' = 'open' } }";
    for (condition, status) in [(given, "403"), (existing, "403"), (other, "200")] {
        let gateway = gateway(false).await;
        let locked = client::send_body(
            gateway.address,
            Method::PUT,
            &gateway.sign(&Method::PUT, "kept", &[], &[("x-amz-tagging", "state=locked")]),
            &[("x-amz-tagging", "state=locked")],
            "kept".into(),
        )
        .await;
        assert_eq!(locked.status, 200);
        let url = gateway.sign(&Method::PUT, "kept", &[("tagging", "")], &[]);
        let answer = Held::new("PUT", url, "", TAGGING)
            .send(&gateway, &deny("s3:PutObjectTagging", condition))
            .await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{condition}: {answer}"
        );
        let tags = gateway.sign(&Method::GET, "kept", &[("tagging", "")], &[]);
        let tags = gateway.get(&tags).await;
        assert_eq!(tags.text().contains("secret"), status == "200", "{condition}");
    }
}

/// A store with the object `k`, tagged, the bucket `empty` and one upload with a part.
async fn store(folder: &Path) -> (DiskStore, UploadName) {
    let settings = Settings {
        root: folder.to_owned(),
        ..Settings::default()
    };
    let store = DiskStore::open(&settings, &[]).unwrap();
    for name in ["bucket", "empty"] {
        let made = store.create_bucket(&bucket(name), LastLook::none()).await;
        assert!(made.unwrap());
    }
    let put = upload(&store, LastLook::none(), "content").await;
    put.commit(&key("k"), etag(), Properties::default(), WriteCondition::Always)
        .await
        .unwrap();
    let rules = Some(b"rules".to_vec());
    store
        .keep_bucket_document(&bucket("bucket"), BucketDocument::Cors, rules, LastLook::none())
        .await
        .unwrap();
    let id = store
        .create_multipart(&bucket("bucket"), new_upload(), LastLook::none())
        .await
        .unwrap();
    let name = UploadName {
        bucket: bucket("bucket"),
        key: key("parts"),
        id,
    };
    let part = upload(&store, LastLook::none(), "part").await;
    part.keep_as_part(&name, first_part()).await.unwrap();
    (store, name)
}

fn bucket(name: &str) -> BucketName {
    BucketName::parse(name).unwrap()
}

fn key(key: &str) -> ObjectKey {
    ObjectKey::parse(key).unwrap()
}

fn etag() -> ETag {
    ETag::of_md5([0; 16])
}

fn new_upload() -> NewMultipart {
    NewMultipart {
        key: key("parts"),
        initiator: "alice".to_owned(),
        properties: Properties::default(),
        checksum: None,
    }
}

fn first_part() -> Part {
    Part {
        number: PartNumber::new(1).unwrap(),
        md5: [0; 16],
        checksum: None,
    }
}

async fn upload(store: &DiskStore, last_look: LastLook, content: &'static str) -> impl Upload + use<> {
    let mut upload = store.upload(&bucket("bucket"), None, last_look).await.unwrap();
    upload.write(content.into()).await.unwrap();
    upload
}

/// Every file and folder, with its content.
fn tree(folder: &Path) -> Vec<(String, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        found.push((path.display().to_string(), fs::read(&path).ok()));
        if path.is_dir() {
            found.extend(tree(&path));
        }
    }
    found.sort();
    found
}

/// Makes every change that a store knows, by its number, with this check.
async fn change(store: &DiskStore, number: usize, name: &UploadName, last_look: LastLook) -> Option<bool> {
    let in_bucket = bucket("bucket");
    let outcome = match number {
        0 => {
            store
                .delete(&in_bucket, &key("k"), WriteCondition::Always, last_look)
                .await
        }
        1 => {
            let tag = Tag {
                key: "a".to_owned(),
                value: "b".to_owned(),
            };
            store
                .replace_tags(&in_bucket, &key("k"), vec![tag], last_look)
                .await
        }
        2 => store.create_bucket(&bucket("another"), last_look).await.map(drop),
        3 => store.delete_bucket(&bucket("empty"), last_look).await,
        4 | 5 => {
            let content = (number == 4).then(|| b"other".to_vec());
            store
                .keep_bucket_document(&in_bucket, BucketDocument::Cors, content, last_look)
                .await
        }
        6 => store
            .create_multipart(&in_bucket, new_upload(), last_look)
            .await
            .map(drop),
        7 => {
            let other = Part {
                md5: [7; 16],
                ..first_part()
            };
            let part = upload(store, last_look, "other").await;
            part.keep_as_part(name, other).await.map(drop)
        }
        8 => {
            let put = upload(store, last_look, "new").await;
            put.commit(&key("new"), etag(), Properties::default(), WriteCondition::Always)
                .await
                .map(drop)
        }
        9 => {
            let completion = Completion {
                parts: store.parts(name, PartsQuery::ALL).await.unwrap(),
                etag: etag(),
                properties: Properties::default(),
                condition: WriteCondition::Always,
                last_look,
            };
            store.complete_multipart(name, completion).await.map(drop)
        }
        10 => store.abort_multipart(name, last_look).await,
        _ => return None,
    };
    match outcome {
        Ok(()) => Some(true),
        Err(StoreError::Withdrawn) => Some(false),
        Err(error) => panic!("change {number}: {error}"),
    }
}

#[tokio::test]
async fn every_change_of_the_store_asks_first() {
    let mut number = 0;
    loop {
        let folder = tempfile::tempdir().unwrap();
        let (store, name) = store(folder.path()).await;
        // The folder of temporary files may be made on the way.
        fs::create_dir_all(folder.path().join("bucket/~!tmp")).unwrap();
        let before = tree(folder.path());
        let Some(changed) = change(&store, number, &name, LastLook::new(|_| false)).await else {
            break;
        };
        assert!(!changed, "change {number} did not ask");
        assert_eq!(tree(folder.path()), before, "change {number}");
        let changed = change(&store, number, &name, LastLook::new(|_| true)).await;
        assert_eq!(changed, Some(true), "change {number}");
        // Tags are an attribute of the file.
        assert!(number == 1 || tree(folder.path()) != before, "change {number}");
        number += 1;
    }
    assert_eq!(number, 11);
}
