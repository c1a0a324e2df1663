//! Properties: of all the texts under which one signed request can arrive, those that verify have
//! one reading. Hosts, public URLs, prefixes, escapes, and lines and spaces of headers are random.

use std::sync::{Arc, LazyLock};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use postern::{
    policy::{PolicyFile, References, Snapshot},
    s3::{Call, Target},
    sigv4::{AddressingStyle, Endpoint, SignRequest},
    types::{BucketName, ObjectKey, Peer, RequestHead, Scheme},
    verdict::{Circumstances, PublicUrl, Refusal, Settings, Verdict, decide},
};
use proptest::prelude::*;

use crate::support::{ALICE, NOON, policy, sign_as};

static ALL: LazyLock<Arc<Snapshot>> = LazyLock::new(|| {
    let text = policy(&["[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:*'\nResource = '*'\n"]);
    let file = PolicyFile::parse(&text, "policy.toml").unwrap();
    Arc::new(Snapshot::new(
        file.compile(&References::new()).unwrap(),
        1,
        String::new(),
    ))
});

const HOSTS: [&str; 4] = ["a.test", "b.test:8080", "s3.localhost", "films.s3.localhost"];
const PREFIXES: [&str; 6] = ["", "/films", "/films/deep", "/media", "/%66ilms/a b", "/media//x"];
const BUCKETS: [&str; 4] = ["films", "media", "deep", "public"];

fn verdict(head: RequestHead, settings: &Settings) -> (Arc<RequestHead>, Verdict) {
    let head = Arc::new(head);
    let verdict = decide(&Circumstances {
        head: &head,
        client: Peer::plain(([127, 0, 0, 1], 1).into()).into(),
        snapshot: &ALL,
        settings,
        now: NOON,
    });
    (head, verdict)
}

/// The path with some bytes escaped that need no escape, in either case. The first slash stays.
fn escaped(path: &str, mask: &[u8]) -> String {
    let mut out = String::new();
    let mut rest = path;
    let mut at = 0;
    while let Some(first) = rest.chars().next() {
        // An escape stays whole; its digits may change their case.
        let length = if first == '%' { 3 } else { first.len_utf8() };
        let (piece, behind) = rest.split_at(length);
        let byte = mask.get(at % mask.len().max(1)).copied().unwrap_or_default();
        match (first, byte % 4) {
            ('%', 1) => out.push_str(&piece.to_ascii_lowercase()),
            ('%', _) => out.push_str(piece),
            (_, 1) if at > 0 => out.push_str(&format!("%{:02x}", piece.as_bytes()[0])),
            (_, 2) if at > 0 => out.push_str(&format!("%{:02X}", piece.as_bytes()[0])),
            _ => out.push_str(piece),
        }
        rest = behind;
        at += 1;
    }
    out
}

fn head(method: Method, host: &str, target: &str, mut headers: HeaderMap) -> Option<RequestHead> {
    let uri: Uri = target.parse().ok()?;
    headers.insert(header::HOST, HeaderValue::from_str(host).ok()?);
    RequestHead::new(method, Scheme::Http, uri, headers).ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn accepted_requests_name_one_bucket_and_key(
        urls in prop::collection::vec((0..HOSTS.len(), 0..PREFIXES.len()), 0..4),
        signed in (0..HOSTS.len(), 0..PREFIXES.len(), 0..BUCKETS.len()),
        key in "(films/|media/|deep/|[a-c%é/ +]){1,6}",
        style in prop_oneof![Just(AddressingStyle::Path), Just(AddressingStyle::VirtualHost)],
        masks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..24), 1..2),
    ) {
        let of_url = |(host, prefix): &(usize, usize)| {
            let path = PREFIXES[*prefix].replace(' ', "%20");
            PublicUrl::parse(&format!("http://{}{path}", HOSTS[*host])).unwrap()
        };
        let settings = Settings {
            public_urls: urls.iter().map(of_url).collect(),
            ..Settings::default()
        };
        let endpoint = format!("http://{}{}", HOSTS[signed.0], PREFIXES[signed.1].replace(' ', "%20"));
        let request = SignRequest {
            method: &Method::GET,
            endpoint: &Endpoint::parse(&endpoint).unwrap(),
            style,
            bucket: Some(&BucketName::parse(BUCKETS[signed.2]).unwrap()),
            key: Some(&ObjectKey::parse(&key).unwrap()),
            headers: &[],
            query: &[],
            session_token: None,
        };
        let link = sign_as(ALICE, &request, NOON);
        let uri: Uri = link.parse().unwrap();
        let (path, query) = (uri.path(), uri.query().unwrap());
        let own_host = uri.authority().unwrap().as_str().to_owned();
        let mut hosts: Vec<String> = HOSTS.map(str::to_owned).to_vec();
        hosts.extend([own_host.clone(), own_host.to_ascii_uppercase(), format!("{own_host}:80")]);
        let mut paths = vec![path.to_owned()];
        for prefix in PREFIXES {
            let prefix = prefix.replace(' ', "%20");
            paths.extend(path.strip_prefix(&prefix).filter(|rest| rest.starts_with('/')).map(str::to_owned));
            paths.push(format!("{prefix}{path}"));
        }
        let mut read: Vec<(Target, String)> = Vec::new();
        let texts = paths.iter().flat_map(|path| masks.iter().map(|mask| escaped(path, mask)));
        let texts: Vec<_> = paths.iter().cloned().chain(texts).collect();
        for (text, host) in texts.iter().flat_map(|text| hosts.iter().map(move |host| (text, host))) {
            let Some(head) = head(Method::GET, host, &format!("{text}?{query}"), HeaderMap::new()) else {
                continue;
            };
            let Some(identity) = verdict(head, &settings).1.identity else {
                continue;
            };
            let target = identity.target.unwrap();
            read.push((target, format!("{host} {text}")));
        }
        // The request as it was signed is among them unless it names no bucket.
        if let Some((first, _)) = read.first() {
            for (target, sent) in &read {
                prop_assert_eq!(target, first, "{}", sent);
            }
        }
        let as_signed = head(Method::GET, &own_host, &format!("{path}?{query}"), HeaderMap::new()).unwrap();
        let names_nothing = |verdict: &Verdict| matches!(&verdict.outcome, Err(Refusal::Call(_)));
        let (_, as_signed) = verdict(as_signed, &settings);
        prop_assert!(as_signed.identity.is_some() || names_nothing(&as_signed), "not accepted: {}", link);
    }

    #[test]
    fn accepted_requests_read_one_header_value(
        which in 0..5usize,
        value in "[a-c,= ]{1,8}",
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 8), 1..6),
    ) {
        let (name, value) = match which {
            0 => ("x-amz-copy-source", format!("/films/{value}k")),
            1 => ("x-amz-tagging", format!("a={value}")),
            2 => ("x-amz-copy-source-if-match", format!("\"a\",{value}")),
            3 => ("if-match", value),
            _ => ("x-amz-storage-class", "STANDARD_IA".to_owned()),
        };
        let mut headers = vec![(name.to_owned(), value.clone())];
        if name == "x-amz-copy-source-if-match" {
            headers.push(("x-amz-copy-source".to_owned(), "films/k".to_owned()));
        }
        let request = SignRequest {
            method: &Method::PUT,
            endpoint: &Endpoint::parse("http://a.test").unwrap(),
            style: AddressingStyle::Path,
            bucket: Some(&BucketName::parse("films").unwrap()),
            key: Some(&ObjectKey::parse("copy").unwrap()),
            headers: &headers,
            query: &[],
            session_token: None,
        };
        let link = sign_as(ALICE, &request, NOON);
        let target = link.split_once("a.test").unwrap().1;
        let settings = Settings::default();
        let mut read: Vec<(Call, Vec<String>)> = Vec::new();
        // The first is sent as it was signed.
        let lines = std::iter::once(vec![1]).chain(lines);
        for (number, mask) in lines.enumerate() {
            let mut sent = HeaderMap::new();
            let mut texts = vec![String::new()];
            for (at, letter) in value.chars().enumerate() {
                let byte = mask[at % mask.len()];
                match letter {
                    // A comma may be the end of a line, a space may be several.
                    ',' if byte % 3 == 0 => texts.push(" ".repeat(usize::from(byte % 2))),
                    ' ' => texts.last_mut().unwrap().push_str(&" ".repeat(usize::from((byte % 3 + 2) % 3 + 1))),
                    other => texts.last_mut().unwrap().push(other),
                }
            }
            for text in &texts {
                let name = HeaderName::try_from(name).unwrap();
                sent.append(name, HeaderValue::from_str(text).unwrap());
            }
            for (other, value) in headers.iter().skip(1) {
                sent.append(HeaderName::try_from(other.as_str()).unwrap(), value.parse().unwrap());
            }
            sent.insert(header::CONTENT_LENGTH, HeaderValue::from_static("1"));
            let Some(head) = head(Method::PUT, "a.test", target, sent) else {
                continue;
            };
            let (head, verdict) = verdict(head, &settings);
            let is_refused_call = matches!(&verdict.outcome, Err(Refusal::Call(_)));
            prop_assert!(number > 0 || verdict.outcome.is_ok() || is_refused_call, "{:?}", texts);
            let (true, Some(identity)) = (verdict.outcome.is_ok(), verdict.identity) else {
                continue;
            };
            let (named, query) = (identity.target.unwrap(), head.query().unwrap());
            let call = Call::parse(head.method(), &named, &query, head.headers(), &settings.account_id);
            read.push((call.unwrap(), texts));
        }
        if let Some((first, _)) = read.first() {
            for (call, sent) in &read {
                prop_assert_eq!(call, first, "{:?}", sent);
            }
        }
    }
}
