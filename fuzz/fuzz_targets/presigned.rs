//! Any target and any signed header: parsed, judged and answered, never a panic, never a pass.
#![no_main]

use http::{HeaderMap, HeaderValue, Method, Uri};
use libfuzzer_sys::fuzz_target;
use postern::{
    policy::{PolicyFile, References, Snapshot},
    types::{Peer, RequestHead, Scheme},
    verdict::{Circumstances, Settings, decide},
};
use std::sync::{Arc, LazyLock};
use time::macros::datetime;

static SNAPSHOT: LazyLock<Arc<Snapshot>> = LazyLock::new(|| {
    let text = "[[signer]]\nname = 'a'\naccess_key_id = 'AKIA'\nsecret_access_key = 's'\n\
        [[signer.statement]]\nEffect = 'Allow'\nAction = 's3:*'\nResource = '*'\n";
    let compiled = PolicyFile::parse(text, "policy.toml").unwrap().compile(&References::new()).unwrap();
    Arc::new(Snapshot::new(compiled, 1, String::new()))
});

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (target, header) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(uri) = target.parse::<Uri>() else { return };
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("localhost"));
    if let Ok(value) = HeaderValue::from_str(header) {
        headers.insert("x-amz-content-sha256", value);
    }
    let Ok(head) = RequestHead::new(Method::GET, Scheme::Http, uri, headers) else { return };
    let settings = Settings::default();
    let now = datetime!(2026-11-24 12:00 UTC);
    let circumstances = Circumstances { head: &Arc::new(head), client: Peer::plain(([127, 0, 0, 1], 1).into()).into(), snapshot: &SNAPSHOT, settings: &settings, now };
    match decide(&circumstances).outcome {
        // Nobody finds a signature by chance.
        Ok(_) => panic!("a request passed"),
        Err(refusal) => {
            refusal.s3_error().to_xml("R", "H");
        }
    }
});
