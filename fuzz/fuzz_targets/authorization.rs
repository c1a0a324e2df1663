//! An Authorization header in place of the one that was signed, and a date: only what holds that very signature passes.
#![no_main]

use std::sync::{Arc, LazyLock};

use http::{HeaderMap, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use postern::{
    policy::{PolicyFile, References, Snapshot},
    sigv4::{AddressingStyle, Endpoint, SignRequest, sign_header},
    types::{Client, AccessKeyId, BucketName, ObjectKey, Peer, Region, RequestHead, Scheme, SecretKey},
    verdict::{Circumstances, Settings, decide},
};
use time::{OffsetDateTime, macros::datetime};

const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

static SNAPSHOT: LazyLock<Arc<Snapshot>> = LazyLock::new(|| {
    let text = "[[signer]]\nname = 'a'\naccess_key_id = 'AKIA'\nsecret_access_key = 's'\n\
        [[signer.statement]]\nEffect = 'Allow'\nAction = 's3:*'\nResource = '*'\n";
    let compiled = PolicyFile::parse(text, "policy.toml").unwrap().compile(&References::new()).unwrap();
    Arc::new(Snapshot::new(compiled, 1, String::new()))
});

/// The headers of a good request, `host` included.
static SIGNED: LazyLock<HeaderMap> = LazyLock::new(|| {
    let request = SignRequest {
        method: &Method::GET,
        endpoint: &Endpoint::parse("http://localhost:9000").unwrap(),
        style: AddressingStyle::Path,
        bucket: Some(&BucketName::parse("bucket").unwrap()),
        key: Some(&ObjectKey::parse("key").unwrap()),
        headers: &[("x-amz-meta-a".to_owned(), "b".to_owned())],
        query: &[],
        session_token: None,
    };
    let (id, secret) = (AccessKeyId::parse("AKIA").unwrap(), SecretKey::parse("s".to_owned()).ok().unwrap());
    let mut headers = sign_header(&request, &id, &secret, &Region::us_east_1(), NOW, "UNSIGNED-PAYLOAD").unwrap().headers;
    headers.insert("host", HeaderValue::from_static("localhost:9000"));
    headers
});

fn passes(headers: HeaderMap) -> bool {
    let uri = "/bucket/key".parse().unwrap();
    let Ok(head) = RequestHead::new(Method::GET, Scheme::Http, uri, headers) else { return false };
    let settings = Settings::default();
    let circumstances = Circumstances {
        head: &Arc::new(head),
        client: Client::from(Peer::plain(([127, 0, 0, 1], 1).into())),
        snapshot: &SNAPSHOT,
        settings: &settings,
        now: NOW,
    };
    match decide(&circumstances).outcome {
        Ok(_) => true,
        Err(refusal) => {
            refusal.s3_error().to_xml("R", "H");
            false
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let (header, date) = data.iter().position(|byte| *byte == b'\n').map_or((data, &b""[..]), |at| data.split_at(at));
    let Ok(header) = HeaderValue::from_bytes(header) else { return };
    let own = SIGNED.get("authorization").unwrap().to_str().unwrap();
    let (_, signature) = own.rsplit_once('=').unwrap();
    assert!(passes(SIGNED.clone()));

    let mut headers = SIGNED.clone();
    let holds = header.to_str().is_ok_and(|text| text.contains(signature));
    headers.insert("authorization", header.clone());
    assert!(!passes(headers.clone()) || holds, "{header:?}");

    // Beside the good one: two headers have no one reading.
    let mut both = SIGNED.clone();
    both.append("authorization", header);
    assert!(!passes(both) || holds);

    // The good one with another date.
    if let Some(date) = date.get(1..).and_then(|date| HeaderValue::from_bytes(date).ok()) {
        let mut dated = SIGNED.clone();
        let same = date == *dated.get("x-amz-date").unwrap();
        dated.insert("x-amz-date", date);
        assert!(!passes(dated) || same);
    }
});
