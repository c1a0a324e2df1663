//! A bucket's CORS rules and a preflight: what is read and written again is the same, and an origin that no rule names gets nothing.
#![no_main]

use http::{HeaderMap, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use postern::s3::{Preflight, cors_configuration, expose, parse_cors_configuration};

fuzz_target!(|data: &[u8]| {
    let (document, rest) = data.iter().position(|byte| *byte == 0).map_or((data, &b""[..]), |at| data.split_at(at));
    let Ok(rules) = parse_cors_configuration(document) else { return };
    let written = cors_configuration(&rules);
    let again = parse_cors_configuration(&written);
    assert!(again.as_ref().ok() == Some(&rules), "{}", String::from_utf8_lossy(&written));

    let mut lines = rest.get(1..).unwrap_or_default().split(|byte| *byte == b'\n');
    let mut headers = HeaderMap::new();
    for name in ["origin", "access-control-request-method", "access-control-request-headers"] {
        if let Some(Ok(value)) = lines.next().map(HeaderValue::from_bytes) {
            headers.insert(name, value);
        }
    }
    let Some(origin) = headers.get("origin").and_then(|origin| origin.to_str().ok()) else { return };
    let named = rules.iter().flat_map(|rule| &rule.allowed_origins);
    let named = named.into_iter().any(|pattern| match pattern.split_once('*') {
        None => pattern == origin,
        Some((front, back)) => origin.starts_with(front) && origin.ends_with(back),
    });
    let mut answer = HeaderMap::new();
    expose(&rules, origin, &Method::GET, &mut answer);
    let answers = [Some(answer), Preflight::parse(&headers).ok().and_then(|preflight| preflight.answer(&rules))];
    for answer in answers.into_iter().flatten() {
        if let Some(allowed) = answer.get("access-control-allow-origin") {
            assert!(named && (allowed == origin || allowed == "*"), "{allowed:?} for {origin:?}");
            assert!(allowed != "*" || !answer.contains_key("access-control-allow-credentials"));
        }
    }
});
