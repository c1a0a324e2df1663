//! `postern explain` against its corpus of real mistakes: the right cause first, the gateway of the same mind, nothing given away.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::PathBuf,
    sync::Arc,
};

use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use postern::{
    audit::Audit,
    clock::Clock,
    explain::{Explainer, Explanation, HashBudget, Presence, Question},
    gateway::{self, Connection, Gateway, Mode},
    live::{self, Live, OnInvalid},
    policy::{PolicyFile, References, Snapshot},
    sigv4::{AddressingStyle, Endpoint, Presigned, SignRequest},
    store::{self, DiskStore},
    types::{Announced, BucketName, ObjectKey, Peer, Query, Region, RequestHead, Scheme},
    verdict::{Circumstances, PublicUrl, Settings, decide},
};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::support::{ALICE, TestGateway, Wishes, client, policy, sign_as};

/// One mistake, as it was made.
#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    title: String,
    symptom: String,
    made_by: String,
    sdk: String,
    fix: String,
    expected: String,
    now: Option<String>,
    request: Asked,
    #[serde(default)]
    settings: Given,
}

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    method: String,
    url: String,
    host: Option<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
}

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Given {
    public_urls: Vec<String>,
    regions: Vec<String>,
}

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/explain")
}

fn cases() -> BTreeMap<String, Case> {
    let mut cases = BTreeMap::new();
    for entry in fs::read_dir(corpus().join("cases")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let case = toml::from_str(&fs::read_to_string(&path).unwrap());
        cases.insert(
            name,
            case.unwrap_or_else(|error| panic!("{}: {error}", path.display())),
        );
    }
    cases
}

fn policy_text() -> String {
    fs::read_to_string(corpus().join("policy.toml")).unwrap()
}

fn snapshot() -> Arc<Snapshot> {
    snapshot_of(&policy_text())
}

fn snapshot_of(policy: &str) -> Arc<Snapshot> {
    let file = PolicyFile::parse(policy, "policy.toml").unwrap();
    Arc::new(Snapshot::new(
        file.compile(&References::new()).unwrap(),
        1,
        String::new(),
    ))
}

fn hosts() -> Vec<String> {
    ["127.0.0.1:9000", "localhost:9000"].map(str::to_owned).to_vec()
}

impl Case {
    fn question(&self) -> Question {
        Question {
            url: self.request.url.clone(),
            method: Some(self.request.method.clone()),
            headers: self.request.headers.clone(),
            host: self.request.host.clone(),
            ..Question::default()
        }
    }

    fn verdict(&self) -> Settings {
        let public_urls = self
            .settings
            .public_urls
            .iter()
            .map(|url| PublicUrl::parse(url).unwrap());
        let mut settings = Settings {
            public_urls: public_urls.collect(),
            ..Settings::default()
        };
        if !self.settings.regions.is_empty() {
            settings.regions = self
                .settings
                .regions
                .iter()
                .map(|region| Region::parse(region).unwrap())
                .collect();
        }
        settings
    }

    /// As the case says, or a minute after the signing.
    fn now(&self) -> OffsetDateTime {
        if let Some(now) = &self.now {
            return OffsetDateTime::parse(now, &Rfc3339).unwrap();
        }
        let text = format!("{}&{:?}", self.request.url, self.request.headers);
        signing_time(&text).unwrap_or(crate::support::NOON) + Duration::MINUTE
    }

    fn explain(&self, snapshot: &Arc<Snapshot>) -> Explanation {
        let explainer = Explainer {
            snapshot,
            settings: &self.verdict(),
            hosts: &hosts(),
            now: self.now(),
            budget: &HashBudget::default(),
        };
        explainer.explain(&self.question()).knowing(Presence::There)
    }
}

/// The first `20261124T120000Z` in a text, of whatever case.
fn signing_time(text: &str) -> Option<OffsetDateTime> {
    let upper = text.to_ascii_uppercase();
    let is_time = |at: &usize| {
        upper.get(*at..at + 16).is_some_and(|text| {
            let bytes = text.as_bytes();
            bytes[8] == b'T'
                && bytes[15] == b'Z'
                && bytes
                    .iter()
                    .enumerate()
                    .all(|(at, byte)| at == 8 || at == 15 || byte.is_ascii_digit())
        })
    };
    let at = (0..upper.len()).find(is_time)?;
    let found = &upper[at..at + 16];
    let query = format!(
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F{}%2Fr%2Fs3%2Faws4_request&X-Amz-Date={found}&X-Amz-Expires=1&X-Amz-SignedHeaders=host&X-Amz-Signature=0",
        &found[..8]
    );
    Some(Presigned::parse(&Query::parse(&query).unwrap()).ok()?.signed_at())
}

#[test]
fn every_mistake_of_the_corpus_is_named_first() {
    let snapshot = snapshot();
    let cases = cases();
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for (name, case) in &cases {
        let explanation = case.explain(&snapshot);
        let told = if explanation.passes {
            &explanation.remarks
        } else {
            &explanation.causes
        };
        let first = told.first().map_or("nothing", |told| told.name.as_str());
        if first != case.expected {
            wrong.push(format!(
                "{name}: {first}, not {} ({})",
                case.expected, explanation.conclusion
            ));
        }
        assert!(
            explanation.passes || explanation.conclusion.starts_with("It is refused with"),
            "{name}"
        );
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

/// The gateway itself, over the same policy, at the same time, for the same host.
async fn served(case: &Case, folder: &tempfile::TempDir) -> Option<(StatusCode, String)> {
    let url = case.request.url.trim().split('#').next()?;
    let uri: http::Uri = url.parse().ok()?;
    let clock = Clock::fixed(case.now());
    let live_settings = live::Settings {
        file: folder.path().join("policy.toml"),
        on_invalid: OnInvalid::Keep,
        cut_transfers: false,
        ..live::Settings::default()
    };
    let (live, _) = Live::load(live_settings, clock.clone()).unwrap();
    let storage = store::Settings {
        root: folder.path().join("data"),
        ..store::Settings::default()
    };
    let store = DiskStore::open(&storage, &[]).unwrap();
    let settings = gateway::Settings {
        verdict: case.verdict(),
        ..gateway::Settings::default()
    };
    let gateway = Gateway::new(store, live, clock, Audit::off(), settings);
    let mut request = Request::builder()
        .method(case.request.method.as_str())
        .uri(uri.path_and_query()?.as_str());
    let host = case.request.host.clone();
    request = request.header(
        "host",
        host.or(uri.authority().map(|authority| authority.as_str().to_owned()))?,
    );
    for (name, value) in case
        .request
        .headers
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("host"))
    {
        request = request.header(name, value);
    }
    let length = case
        .request
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    if length.is_none() && ["PUT", "POST"].contains(&case.request.method.as_str()) {
        // As every client does.
        request = request.header("content-length", "0");
    }
    let length = length.map_or(0, |(_, length)| length.parse().unwrap());
    let peer = Peer {
        address: ([127, 0, 0, 1], 0).into(),
        announced: Announced::Itself,
        tls: (uri.scheme_str() == Some("https")).then_some(postern::types::TlsVersion::V1_3),
    };
    let answer = gateway
        .handle(
            request.body(Full::from(vec![0; length])).unwrap(),
            peer,
            Connection::new(),
        )
        .await;
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    Some((status, String::from_utf8_lossy(&body).into_owned()))
}

/// AWS's example keys, for the requests of `fixtures/sigv4`.
const EXAMPLE: &str = "
[[signer]]
name = 'example'
[[signer.key]]
access_key_id = 'AKIAIOSFODNN7EXAMPLE'
secret_access_key = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
[[signer.key]]
access_key_id = 'team/alice'
secret_access_key = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
[[signer.statement]]
Effect = 'Allow'
Action = 's3:*'
Resource = '*'
";

/// The requests of `fixtures/sigv4`, as they are, with another method, and at a time at which they are over.
fn signed_requests() -> Vec<(String, Case)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(corpus().parent().unwrap().join("sigv4")).unwrap() {
        let path = entry.unwrap().path().join("request.txt");
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        let (line, headers) = text.split_once('\n').unwrap_or((&text, ""));
        let words: Vec<_> = line.split(' ').collect();
        let headers: Vec<_> = headers
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        let host = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
        let url = match words[1].starts_with('/') {
            true => format!("http://{}{}", host.unwrap().1, words[1]),
            false => words[1].to_owned(),
        };
        for (method, now) in [
            (words[0], "2013-05-24T00:01:00Z"),
            ("OPTIONS", "2013-05-24T00:01:00Z"),
            (words[0], "2020-01-01T00:00:00Z"),
        ] {
            let case = Case {
                now: Some(now.to_owned()),
                request: Asked {
                    method: method.to_owned(),
                    url: url.clone(),
                    host: None,
                    headers: headers.clone(),
                },
                ..Case::default()
            };
            found.push((format!("{} {method} {now}", path.display()), case));
        }
    }
    assert!(found.len() >= 27);
    found
}

#[tokio::test]
async fn the_gateway_and_explain_are_of_one_mind() {
    let policy = policy_text() + EXAMPLE;
    let snapshot = snapshot_of(&policy);
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("data/films")).unwrap();
    fs::write(folder.path().join("policy.toml"), policy).unwrap();
    let mut compared = 0;
    for (name, case) in cases().into_iter().chain(signed_requests()) {
        let Some((status, body)) = served(&case, &folder).await else {
            continue;
        };
        let explanation = case.explain(&snapshot);
        // The objects are not there, and bodies are not what was declared of them, which only the gateway looks at.
        let later = ["NoSuchKey", "NoSuchBucket", "IncompleteBody"];
        let later = later
            .iter()
            .any(|code| body.contains(&format!("<Code>{code}</Code>")));
        let passes = status.is_success() || later || status == StatusCode::NOT_FOUND;
        assert_eq!(
            explanation.passes, passes,
            "{name}: {status} {body} against {}",
            explanation.conclusion
        );
        if !passes && case.request.method != "HEAD" {
            let code = format!("<Code>{}</Code>", explanation.code.unwrap());
            assert!(body.contains(&code), "{name}: {body} has no {code}");
            assert!(!body.contains("<Hint>"), "{name}");
        }
        assert!(
            passes || explanation.status == Some(status.as_u16()),
            "{name}: {status}"
        );
        compared += 1;
    }
    assert!(compared >= 60, "{compared}");
}

#[test]
fn no_explanation_gives_a_secret_or_a_signature_away() {
    let snapshot = snapshot();
    for (name, case) in cases() {
        let explanation = case.explain(&snapshot);
        let text = serde_json::to_string(&explanation).unwrap();
        for secret in ["alice/secret+access=key", "bob-secret", "carol-secret"] {
            assert!(!text.contains(secret), "{name}");
        }
        let signature = case
            .request
            .url
            .split("X-Amz-Signature=")
            .nth(1)
            .and_then(|rest| rest.get(..64));
        if let Some(signature) = signature {
            assert!(!text.contains(signature), "{name} repeats the signature");
        }
        // Of all 64 digits in it (hashes, names of links), none is a signature that holds for what was asked about.
        let Some(signature) = signature.filter(|_| !explanation.passes) else {
            continue;
        };
        let digits = |at: usize| {
            text.get(at..at + 64).filter(|digits| {
                digits
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            })
        };
        let tried: BTreeSet<_> = (0..text.len()).filter_map(digits).collect();
        for digits in tried {
            let url = case.request.url.replacen(signature, digits, 1);
            assert!(!holds(&case, &url, &snapshot), "{name} gives a signature away");
        }
    }
}

#[tokio::test]
async fn no_explanation_shows_a_signed_cookie_or_token() {
    let gateway = TestGateway::start().await;
    let snapshot = gateway.live.snapshot();
    let explain = |url: &str, cookie: &str| {
        let question = Question {
            url: url.to_owned(),
            headers: vec![("cookie".to_owned(), cookie.to_owned())],
            ..Question::default()
        };
        let explainer = Explainer {
            snapshot: &snapshot,
            settings: &Settings::default(),
            hosts: &[],
            now: gateway.clock.now(),
            budget: &HashBudget::default(),
        };
        explainer.explain(&question)
    };
    let link = |session_token| {
        let request = SignRequest {
            method: &Method::GET,
            endpoint: &Endpoint::parse(&gateway.endpoint()).unwrap(),
            style: AddressingStyle::Path,
            bucket: Some(&BucketName::parse("films").unwrap()),
            key: Some(&ObjectKey::parse("a.txt").unwrap()),
            headers: &[("cookie".to_owned(), "id=hushcookie".to_owned())],
            query: &[],
            session_token,
        };
        sign_as(ALICE, &request, gateway.clock.now())
    };
    let token = Some("hush/token");
    let mut causes = BTreeSet::new();
    for url in [link(None), link(token), format!("{}&a=b", link(token))] {
        for cookie in ["id=hushcookie", "id=hush cookie", "id=hush"] {
            let mistakes = [
                url.clone(),
                url.replacen('?', "%3F", 1),
                url.replace('&', "&amp;"),
            ];
            for url in mistakes {
                let explanation = explain(&url, cookie);
                let shown = serde_json::to_string(&explanation).unwrap();
                assert!(!shown.contains("hush"), "{url} {cookie}: {shown}");
                causes.extend(explanation.causes.into_iter().map(|cause| cause.name));
            }
        }
    }
    assert!(causes.contains("HeaderValue"), "{causes:?}");
}

/// Does the signature of this URL hold, used as in the case?
fn holds(case: &Case, url: &str, snapshot: &Arc<Snapshot>) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else {
        return false;
    };
    let mut headers = http::HeaderMap::new();
    for (name, value) in case
        .request
        .headers
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("host"))
    {
        let name: http::HeaderName = name.parse().unwrap();
        headers.append(name, value.parse().unwrap());
    }
    let Some(host) = case
        .request
        .host
        .clone()
        .or(uri.authority().map(|authority| authority.as_str().to_owned()))
    else {
        return false;
    };
    headers.insert("host", host.parse().unwrap());
    let target = uri.path_and_query().unwrap().as_str().parse().unwrap();
    let Ok(head) = RequestHead::new(
        case.request.method.parse().unwrap(),
        Scheme::Http,
        target,
        headers,
    ) else {
        return false;
    };
    let circumstances = Circumstances {
        head: &Arc::new(head),
        client: Peer::plain(([127, 0, 0, 1], 0).into()).into(),
        snapshot,
        settings: &case.verdict(),
        now: case.now(),
    };
    decide(&circumstances).identity.is_some()
}

#[test]
fn the_troubleshooting_guide_is_the_corpus() {
    let snapshot = snapshot();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/TROUBLESHOOTING.md");
    let mut guide = String::from(
        "# Troubleshooting presigned links\n\nMade from the cases in `fixtures/explain`, each a mistake that was made for real; `WRITE_GUIDE=1 cargo test troubleshooting` writes it anew.\n\
         For a link of your own: `postern explain 'URL'` says which of these it is.\n",
    );
    let mut by_symptom: BTreeMap<String, Vec<(String, Case)>> = BTreeMap::new();
    for (name, case) in cases() {
        by_symptom
            .entry(case.symptom.clone())
            .or_default()
            .push((name, case));
    }
    for (symptom, cases) in by_symptom {
        write!(guide, "\n## {symptom}\n").unwrap();
        for (name, case) in cases {
            let explanation = case.explain(&snapshot);
            let told = explanation
                .causes
                .iter()
                .chain(&explanation.remarks)
                .find(|told| told.name == case.expected);
            let what = told.map_or(explanation.conclusion.clone(), |told| told.what.clone());
            write!(
                guide,
                "\n### {}\n\n- cause: {} (`{}`)\n- fix: {}\n- {}: {} (`{name}`)\n",
                case.title,
                markdown(&what),
                case.expected,
                case.fix,
                match case.sdk.as_str() {
                    "any" => "met with",
                    other => other,
                },
                markdown(&case.made_by)
            )
            .unwrap();
        }
    }
    if std::env::var_os("WRITE_GUIDE").is_some() {
        fs::write(&path, &guide).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == guide,
        "docs/TROUBLESHOOTING.md is not what fixtures/explain says: WRITE_GUIDE=1 cargo test troubleshooting"
    );
}

fn markdown(text: &str) -> String {
    text.replace('*', "\\*")
        .replace('_', "\\_")
        .replace('<', "&lt;")
        .replace('\n', " ")
}

#[tokio::test]
async fn in_development_a_refusal_says_why_and_in_production_it_does_not() {
    let start = |mode| {
        TestGateway::with(Wishes {
            gateway: Some(gateway::Settings {
                mode,
                ..gateway::Settings::default()
            }),
            ..Wishes::default()
        })
    };
    let (development, production) = (start(Mode::Development).await, start(Mode::Production).await);
    for (gateway, hints) in [(&development, true), (&production, false)] {
        gateway.put("a.txt", "content");
        let link = gateway.link(&Method::GET, "a.txt");
        let answer = gateway.get(&format!("{link}&utm_source=mail")).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::FORBIDDEN, "SignatureDoesNotMatch")
        );
        let hint = answer.element("Hint");
        assert_eq!(hint.is_some(), hints);
        if let Some(hint) = hint {
            assert!(
                hint.contains("utm_source") && hint.contains("add nothing to a signed URL"),
                "{hint}"
            );
            assert!(!hint.contains(ALICE.1));
        }
        let answer = client::send(gateway.address, Method::HEAD, &format!("{link}&a=b"), &[]).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::FORBIDDEN, 0));
        assert_eq!(
            gateway.get(&link).await.text(),
            "content",
            "a link that passes is served as ever"
        );
    }
}

#[tokio::test]
async fn hints_are_limited_and_the_answer_is_aws_s_own_beyond() {
    let gateway = TestGateway::with(Wishes {
        gateway: Some(gateway::Settings {
            mode: Mode::Development,
            ..gateway::Settings::default()
        }),
        ..Wishes::default()
    })
    .await;
    let link = gateway.link(&Method::GET, "a.txt");
    let mut hinted = 0;
    let began = std::time::Instant::now();
    for _ in 0..200 {
        let answer = gateway.get(&format!("{link}&a=b")).await;
        assert_eq!(answer.code(), "SignatureDoesNotMatch");
        hinted += usize::from(answer.element("Hint").is_some());
    }
    let most = 21.0 + 20.0 * began.elapsed().as_secs_f64();
    assert!(hinted >= 20 && (hinted as f64) <= most, "{hinted}");
}

/// Links that are built to cost: many parameters, many signed headers, long values. Each is a forgery.
fn costly() -> Vec<String> {
    let link = |signed_headers: &str, more: &str| {
        format!(
            "http://h:9000/films/a?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F20261124\
             %2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20261124T120000Z&X-Amz-Expires=60\
             &X-Amz-SignedHeaders={signed_headers}&X-Amz-Signature={}{more}",
            ALICE.0,
            "0a".repeat(32)
        )
    };
    let many: String = (0..4_000).map(|number| format!("&p{number}=v")).collect();
    let names: String = (0..4_000).map(|number| format!(";x-{number}")).collect();
    let encoded = "%252F%2B%20;".repeat(4_000);
    vec![
        link("host", &many),
        link(&format!("host{names}"), ""),
        link("host", &format!("&p={encoded}")),
        link("host", &format!("&amp;{}", many.replace('&', "&amp;"))),
        format!(
            "{}%22%22",
            link("host", &many).replace("X-Amz-Expires=60", "X-Amz-Expires=1")
        ),
    ]
}

#[test]
fn forged_links_cost_no_more_than_the_budget() {
    const BUDGET: u64 = 4 << 20;
    let now = OffsetDateTime::parse("2026-11-24T12:00:00Z", &Rfc3339).unwrap();
    let url_of_usual_size = "&p=v".repeat(20);
    let usual = costly()[0].split("&p0").next().unwrap().to_owned() + &url_of_usual_size;
    for url in costly().iter().chain([&usual]) {
        let (snapshot, budget) = (snapshot_of(&policy(&[])), HashBudget::of_bytes(BUDGET));
        let explainer = Explainer {
            snapshot: &snapshot,
            settings: &Settings::default(),
            hosts: &[],
            now,
            budget: &budget,
        };
        let begun = std::time::Instant::now();
        let explanation = explainer.explain(&Question {
            url: url.clone(),
            ..Question::default()
        });
        let took = begun.elapsed();
        assert!(!explanation.passes && budget.spent() <= BUDGET);
        // 4 MiB take some 20 ms, unoptimised ten times as long; without a budget it is minutes.
        assert!(took.as_secs() < 20, "{took:?} for {} bytes", url.len());
        assert!(
            (explanation.tries as u64) <= BUDGET / 512,
            "{} tries",
            explanation.tries
        );
    }
}
