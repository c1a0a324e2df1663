//! One signed request under other hosts, prefixes, escapes, lines and spaces: whatever verifies has one reading.
#![no_main]

use std::sync::{Arc, LazyLock};

use http::{HeaderMap, HeaderValue, Method, Uri};
use libfuzzer_sys::fuzz_target;
use postern::{
    policy::{PolicyFile, References, Snapshot},
    s3::{Call, Target},
    sigv4::{AddressingStyle, Endpoint, SignRequest, presign},
    types::{AccessKeyId, BucketName, ObjectKey, Peer, Region, RequestHead, Scheme, SecretKey, Span},
    verdict::{Circumstances, PublicUrl, Settings, decide},
};
use time::{OffsetDateTime, macros::datetime};

const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);
const HOSTS: [&str; 4] = ["a.test", "b.test:8080", "s3.localhost", "films.s3.localhost"];
const PREFIXES: [&str; 6] = ["", "/films", "/films/deep", "/media", "/%66ilms/a%20b", "/media//x"];
const BUCKETS: [&str; 4] = ["films", "media", "deep", "public"];

static ALL: LazyLock<Arc<Snapshot>> = LazyLock::new(|| {
    let text = "[[signer]]\nname = 'a'\naccess_key_id = 'AKIA'\nsecret_access_key = 's'\n\
        [[signer.statement]]\nEffect = 'Allow'\nAction = 's3:*'\nResource = '*'\n";
    let compiled = PolicyFile::parse(text, "policy.toml").unwrap().compile(&References::new()).unwrap();
    Arc::new(Snapshot::new(compiled, 1, String::new()))
});

fn pick<'a>(from: &[&'a str], byte: u8) -> &'a str {
    from[usize::from(byte) % from.len()]
}

/// What a request names and asks for, if it verifies.
fn read(host: &str, target: &str, headers: &HeaderMap, settings: &Settings) -> Option<(Target, Option<Call>)> {
    let mut headers = headers.clone();
    headers.insert("host", HeaderValue::from_str(host).ok()?);
    headers.insert("content-length", HeaderValue::from_static("1"));
    let head = RequestHead::new(Method::PUT, Scheme::Http, target.parse().ok()?, headers).ok()?;
    let head = Arc::new(head);
    let client = Peer::plain(([127, 0, 0, 1], 1).into()).into();
    let verdict = decide(&Circumstances { head: &head, client, snapshot: &ALL, settings, now: NOW });
    let target = verdict.identity?.target?;
    let query = head.query().ok()?;
    let call = Call::parse(head.method(), &target, &query, head.headers(), &settings.account_id);
    Some((target, call.ok()))
}

fuzz_target!(|data: &[u8]| {
    // Six choices, a mask for escapes and lines, then the key and the value of a header.
    let Some((choices, rest)) = data.split_at_checked(6) else { return };
    let Some((mask, rest)) = rest.split_at_checked(8) else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let (key, value) = text.split_once('\n').unwrap_or((text, "a,b c"));
    let Ok(key) = ObjectKey::parse(key) else { return };
    let urls = [choices[0], choices[1]].map(|byte| {
        PublicUrl::parse(&format!("http://{}{}", pick(&HOSTS, byte), pick(&PREFIXES, byte / 4))).unwrap()
    });
    let settings = Settings { public_urls: urls.to_vec(), ..Settings::default() };
    let (host, prefix) = (pick(&HOSTS, choices[2]), pick(&PREFIXES, choices[2] / 4));
    let source = ("x-amz-copy-source".to_owned(), format!("/films/k{value}"));
    let request = SignRequest {
        method: &Method::PUT,
        endpoint: &Endpoint::parse(&format!("http://{host}{prefix}")).unwrap(),
        style: if choices[3] % 2 == 0 { AddressingStyle::Path } else { AddressingStyle::VirtualHost },
        bucket: Some(&BucketName::parse(pick(&BUCKETS, choices[3] / 2)).unwrap()),
        key: Some(&key),
        headers: std::slice::from_ref(&source),
        query: &[],
        session_token: None,
    };
    let (id, secret) = (AccessKeyId::parse("AKIA").unwrap(), SecretKey::parse("s".to_owned()).unwrap());
    let Ok(link) = presign(&request, &id, &secret, &Region::us_east_1(), NOW, Span::from_seconds(60)) else { return };
    let link = link.into_string();
    let Ok(uri) = link.parse::<Uri>() else { return };
    let (path, query) = (uri.path(), uri.query().unwrap_or_default());
    let own_host = uri.authority().expect("a link has a host").as_str();

    let mut headers = HeaderMap::new();
    let Ok(whole) = HeaderValue::from_str(&source.1) else { return };
    headers.insert("x-amz-copy-source", whole);
    let signed = read(own_host, &format!("{path}?{query}"), &headers, &settings);

    // The same under another host, with a prefix cut off or put before it, escaped and spaced differently.
    let other_host = if choices[4] % 3 == 0 { own_host } else { pick(&HOSTS, choices[4]) };
    let other_prefix = pick(&PREFIXES, choices[5] / 3);
    let moved = match choices[5] % 3 {
        0 => path.to_owned(),
        1 => path.strip_prefix(other_prefix).filter(|rest| rest.starts_with('/')).unwrap_or(path).to_owned(),
        _ => format!("{other_prefix}{path}"),
    };
    let mut escaped = String::new();
    for (at, letter) in moved.bytes().enumerate() {
        let in_escape = moved.as_bytes()[at.saturating_sub(2)..=at].contains(&b'%');
        match mask[at % mask.len()] % 3 {
            1 if at > 0 && !in_escape => escaped.push_str(&format!("%{letter:02x}")),
            2 if at > 0 && !in_escape => escaped.push_str(&format!("%{letter:02X}")),
            _ => escaped.push(char::from(letter)),
        }
    }
    let mut lines = vec![String::new()];
    for (at, letter) in source.1.chars().enumerate() {
        let line = lines.last_mut().expect("there is one");
        match (letter, mask[at % mask.len()] % 4) {
            (',', 1) => lines.push(String::new()),
            (' ', count) => line.push_str(&" ".repeat(usize::from(count) + 1)),
            _ => line.push(letter),
        }
    }
    let mut sent = HeaderMap::new();
    for line in &lines {
        let Ok(line) = HeaderValue::from_str(line) else { return };
        sent.append("x-amz-copy-source", line);
    }
    if let (Some(signed), Some(other)) =
        (signed, read(other_host, &format!("{escaped}?{query}"), &sent, &settings))
    {
        assert_eq!(signed, other, "{other_host} {escaped} {lines:?}");
    }
});
