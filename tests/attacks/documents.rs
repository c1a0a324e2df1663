//! XML that a client sends: an entity that grows, one that reads a file or asks a server, a nest without end. In every body that is XML.

use bytes::Bytes;
use http::Method;
use md5::{Digest, Md5};

use super::Target;
use crate::support::{client, sign_as};
use postern::{
    sigv4::{AddressingStyle, Endpoint, SignRequest},
    types::{BucketName, ObjectKey},
};

/// Each call with a document: method, key, query, root element and what is in it, `%e` where a text of the client's stands.
const CALLS: &[(Method, &str, &str, &str, &str)] = &[
    (
        Method::POST,
        "",
        "delete",
        "Delete",
        "<Object><Key>%e</Key></Object>",
    ),
    (
        Method::POST,
        "good",
        "uploadId",
        "CompleteMultipartUpload",
        "<Part><PartNumber>1</PartNumber><ETag>%e</ETag></Part>",
    ),
    (
        Method::PUT,
        "good",
        "tagging",
        "Tagging",
        "<TagSet><Tag><Key>k</Key><Value>%e</Value></Tag></TagSet>",
    ),
    (
        Method::PUT,
        "",
        "cors",
        "CORSConfiguration",
        "<CORSRule><AllowedOrigin>%e</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>",
    ),
    (
        Method::PUT,
        "",
        "",
        "CreateBucketConfiguration",
        "<LocationConstraint>%e</LocationConstraint>",
    ),
];

/// Sends a document with a signed call, its MD5 beside it.
async fn send(
    target: &Target,
    call: &(Method, &str, &str, &str, &str),
    upload: &str,
    document: &str,
) -> client::Answer {
    let (method, key, name, _, _) = call;
    let value = if *name == "uploadId" { upload } else { "" };
    let query = [(name.to_string(), value.to_owned())];
    let bucket = if name.is_empty() {
        "made-by-xml"
    } else {
        crate::support::BUCKET
    };
    let object = ObjectKey::parse(key).ok();
    let request = SignRequest {
        method,
        endpoint: &Endpoint::parse(&target.gateway.endpoint()).unwrap(),
        style: AddressingStyle::Path,
        bucket: Some(&BucketName::parse(bucket).unwrap()),
        key: object.as_ref(),
        headers: &[],
        query: if name.is_empty() { &[] } else { &query },
        session_token: None,
    };
    let url = sign_as(crate::support::ALICE, &request, target.gateway.clock.now());
    let digest = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, Md5::digest(document));
    let headers = [("content-md5", digest.as_str())];
    let body = Bytes::copy_from_slice(document.as_bytes());
    client::send_body(target.gateway.address, method.clone(), &url, &headers, body).await
}

/// An upload in parts of `good`, for which there is something to complete.
async fn upload(target: &Target) -> String {
    let url = target
        .gateway
        .sign(&Method::POST, "good", &[("uploads", "")], &[]);
    let answer = client::send(target.gateway.address, Method::POST, &url, &[]).await;
    answer.element("UploadId").unwrap()
}

#[tokio::test]
async fn no_document_names_an_entity_a_type_or_a_file() {
    let target = Target::start().await;
    let secret = target.gateway.folder.path().join("secret");
    std::fs::write(&secret, "TOP SECRET").unwrap();
    let upload = upload(&target).await;
    let laughs: String = (1..10)
        .map(|n| format!("<!ENTITY a{n} \"{}\">", format!("&a{};", n - 1).repeat(10)))
        .collect();
    let file = format!("file://{}", secret.display());
    let before = |what: &str| what.to_owned();
    for call in CALLS {
        let (_, _, name, root, content) = call;
        let document = |declared: &str, text: &str| {
            format!("{declared}<{root}>{}</{root}>", content.replace("%e", text))
        };
        for (declared, text) in [
            (format!("<!DOCTYPE {root} [<!ENTITY a0 \"ha\">{laughs}]>"), "&a9;"),
            (
                format!("<!DOCTYPE {root} [<!ENTITY x SYSTEM \"{file}\">]>"),
                "&x;",
            ),
            (
                format!("<!DOCTYPE {root} [<!ENTITY x SYSTEM \"http://127.0.0.1:9/\">]>"),
                "&x;",
            ),
            (
                format!("<!DOCTYPE {root} [<!ENTITY % x SYSTEM \"{file}\"> %x;]>"),
                "a",
            ),
            (format!("<!DOCTYPE {root} SYSTEM \"{file}\">"), "a"),
            (
                format!("<!DOCTYPE {root} PUBLIC \"p\" \"http://127.0.0.1:9/\">"),
                "a",
            ),
            (format!("<!DOCTYPE {root}>"), "a"),
            (before(""), "&undeclared;"),
            (before(""), "&#0;&a;"),
            (before(""), &"<a>".repeat(5000)),
            (before(""), "<a/><a/>"),
            (
                before("<?xml version=\"1.0\" encoding=\"UTF-7\"?><!DOCTYPE x>"),
                "a",
            ),
        ] {
            let answer = send(&target, call, &upload, &document(&declared, text)).await;
            let seen = format!(
                "{name} {declared} {}: {}",
                text.get(..40).unwrap_or(text),
                answer.text()
            );
            assert_eq!(
                (answer.status.as_u16(), answer.code().as_str()),
                (400, "MalformedXML"),
                "{seen}"
            );
            assert!(!answer.text().contains("TOP SECRET"), "{seen}");
        }
        // What an XInclude or a stylesheet names is not fetched either: they are an element and an instruction that nobody follows.
        let include = format!(
            "<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"{file}\" parse=\"text\"/>"
        );
        let answer = send(&target, call, &upload, &document("", &include)).await;
        assert_eq!(answer.code(), "MalformedXML", "{name}: {}", answer.text());
    }
    assert!(
        target
            .gateway
            .folder
            .path()
            .join("data/pres-url-test/good")
            .exists()
    );
    assert!(!target.gateway.folder.path().join("data/made-by-xml").exists());
    let answer = client::send(
        target.gateway.address,
        Method::GET,
        &target.gateway.link(&Method::GET, "good"),
        &[],
    )
    .await;
    assert_eq!(answer.text(), "THE GOOD ONE");
}

#[tokio::test]
async fn a_document_has_a_bound_of_bytes_and_of_elements() {
    let target = Target::start().await;
    let upload = upload(&target).await;
    for call in CALLS {
        let (_, _, name, root, _) = call;
        // Within eight MiB there is room for two million elements.
        let many = format!("<{root}>{}</{root}>", "<a/>".repeat(200_000));
        let answer = send(&target, call, &upload, &many).await;
        assert!(
            ["MalformedXML", "MaxMessageLengthExceeded"].contains(&answer.code().as_str()),
            "{name}: {}",
            answer.text()
        );
        let bound = match *name {
            "delete" => 8 << 20,
            "uploadId" => 4 << 20,
            _ => 128 << 10,
        };
        let long = format!("<{root}>{}</{root}>", " ".repeat(bound));
        let answer = send(&target, call, &upload, &long).await;
        assert_eq!(
            answer.code(),
            "MaxMessageLengthExceeded",
            "{name}: {}",
            answer.text()
        );
    }
}
