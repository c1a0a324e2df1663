//! A target and a host, as they stand in a request's first lines: read once, and signed again they name the same bucket and key. Nothing unsigned passes,
//! and no method's arguments panic.
#![no_main]

use std::sync::{Arc, LazyLock};

use http::{HeaderMap, HeaderValue, Method, Uri};
use libfuzzer_sys::fuzz_target;
use postern::{
    policy::{PolicyFile, References, Snapshot},
    s3::{Call, Target},
    sigv4::{AddressingStyle, Endpoint, SignRequest, presign},
    types::{Client, AccessKeyId, CanonicalPath, Peer, Region, RequestHead, Scheme, SecretKey, Span},
    verdict::{Circumstances, Settings, asked_for, decide},
};
use time::macros::datetime;

static NOBODY: LazyLock<Arc<Snapshot>> = LazyLock::new(|| {
    let compiled = PolicyFile::parse("signer = []\n", "p").unwrap().compile(&References::new()).unwrap();
    Arc::new(Snapshot::new(compiled, 1, String::new()))
});
static DOMAINS: LazyLock<Vec<String>> = LazyLock::new(|| vec!["s3.localhost".to_owned()]);

/// The target that a signer's own URL for this bucket and key leads to.
fn signed_and_read(target: &Target, style: AddressingStyle) -> Option<Target> {
    let (bucket, key) = match target {
        Target::Service => return None,
        Target::Bucket(bucket) => (bucket, None),
        Target::Object(bucket, key) => (bucket, Some(key)),
    };
    let request = SignRequest {
        method: &Method::GET,
        endpoint: &Endpoint::parse("http://s3.localhost").ok()?,
        style,
        bucket: Some(bucket),
        key,
        headers: &[],
        query: &[],
        session_token: None,
    };
    let (id, secret) = (AccessKeyId::parse("A").ok()?, SecretKey::parse("s".to_owned()).ok()?);
    let now = datetime!(2026-11-24 12:00 UTC);
    let url = presign(&request, &id, &secret, &Region::us_east_1(), now, Span::from_seconds(60)).ok()?;
    let uri: Uri = url.into_string().parse().expect("what is signed is an address");
    let authority = uri.authority().expect("with a host").as_str().to_owned();
    let path = CanonicalPath::parse(uri.path()).expect("with a path");
    Some(Target::parse(&authority, &path, &DOMAINS).expect("and one of ours"))
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (target, host) = text.split_once('\n').unwrap_or((text, "localhost"));
    let (Ok(uri), Ok(host)) = (target.parse::<Uri>(), HeaderValue::from_str(host)) else { return };
    let mut headers = HeaderMap::new();
    headers.insert("host", host);
    let Ok(head) = RequestHead::new(Method::GET, Scheme::Http, uri, headers) else { return };
    let settings = Settings::default();
    let _ = asked_for(&head, &settings);
    if let Ok(query) = head.query() {
        for parameter in query.iter() {
            assert!(query.has(&parameter.name) && parameter.value.len() <= text.len());
        }
        let target = head.canonical_path().ok();
        let target = target.and_then(|path| Target::parse(head.authority(), &path, &DOMAINS).ok());
        if let Some(target) = target {
            for style in [AddressingStyle::Path, AddressingStyle::VirtualHost] {
                if let Some(read) = signed_and_read(&target, style) {
                    assert_eq!(read, target);
                }
            }
            for method in [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::HEAD] {
                if let Err(error) = Call::parse(&method, &target, &query, head.headers(), "000000000000") {
                    error.to_xml("R", "H");
                }
            }
        }
    }
    let circumstances = Circumstances {
        head: &Arc::new(head),
        client: Client::from(Peer::plain(([127, 0, 0, 1], 1).into())),
        snapshot: &NOBODY,
        settings: &settings,
        now: datetime!(2026-11-24 12:00 UTC),
    };
    assert!(decide(&circumstances).outcome.is_err(), "nobody may do anything");
});
