//! The stages of a request, each as work that can be done again and again: for the clock (`main.rs`) and for instruction counts (`../instructions`).

use std::{hint::black_box, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Empty};
use postern::{
    audit::{Audit, Decided, Entry, Outcome, RequestName},
    clock::Clock,
    explain::{Explainer, HashBudget, Question},
    gateway::{Connection, Gateway},
    live::{self, Live, OnInvalid},
    metrics::{Ended, Metrics},
    policy::{Decision, GivenContext, PolicyFile, References, Snapshot},
    s3::{self, Call, Operation},
    sigv4::{self, InForce, Mechanism, Presigned, Terms},
    store::{self, DiskStore, disk::mapping},
    types::{
        AccessKeyId, Action, Announced, BucketName, Client, LinkId, ObjectKey, Peer, Query, Region,
        RequestHead, Resource, Scheme, SecretKey, SigningKey, Span, TlsVersion,
    },
    verdict::{Circumstances, Settings, decide},
};
use tempfile::TempDir;
use time::macros::datetime;

/// AWS's published example of a presigned URL:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
const URL: &str = "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
    &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z\
    &X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
    &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
const SIGNER: &str = "[[signer]]\nname = 'example'\naccess_key_id = 'AKIAIOSFODNN7EXAMPLE'\n\
    secret_access_key = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'\n";
const MAY_READ: &str =
    "[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:Get*'\nResource = 'arn:aws:s3:::examplebucket/*'\n";
const NOON: time::OffsetDateTime = datetime!(2013-05-24 12:00 UTC);
const PEER: Peer = Peer {
    address: std::net::SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 1)),
    announced: Announced::Itself,
    tls: Some(TlsVersion::V1_3),
};

/// One stage.
pub struct Stage {
    /// What it does, as reports name it.
    pub name: &'static str,
    /// Does it once.
    pub work: Box<dyn FnMut()>,
}

fn stage(name: &'static str, work: impl FnMut() + 'static) -> Stage {
    Stage {
        name,
        work: Box::new(work),
    }
}

/// Every stage that needs no disk, in the order in which a request passes them.
pub fn stages() -> Vec<Stage> {
    vec![
        head(),
        query(),
        claim(),
        signing_key(),
        verify(),
        call(),
        evaluate("decide, one statement", 1),
        evaluate("decide over 1,000 statements, the last one matching", 1_000),
        verdict("verdict: head to permit", request_head(URL), true),
        verdict("verdict: a browser's head to permit", browsers_head(), true),
        verdict(
            "verdict: a signature that does not match",
            request_head(&altered()),
            false,
        ),
        path("key to path, plain", "films/2026/11/a film & more.mp4"),
        path(
            "key to path, escaped and cut",
            &("../a//~=%/".to_owned() + &"é".repeat(300)),
        ),
        explain(),
        counted(),
        audited(),
        pipeline("gateway: head to a denial's last byte", false),
    ]
}

/// The stage that reads from a disk: the whole way of a GET of 4 KiB, without its socket.
pub fn served() -> Stage {
    pipeline("gateway: head to the last byte of 4 KiB", true)
}

fn request_head(url: &str) -> Arc<RequestHead> {
    let head = RequestHead::new(Method::GET, Scheme::Https, url.parse().unwrap(), HeaderMap::new());
    Arc::new(head.unwrap())
}

/// The same request with the headers that a browser sends for a film.
fn browsers_head() -> Arc<RequestHead> {
    let headers = [
        ("host", "examplebucket.s3.amazonaws.com"),
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        ),
        (
            "accept",
            "video/webm,video/ogg,video/*;q=0.9,application/ogg;q=0.7,audio/*;q=0.6,*/*;q=0.5",
        ),
        ("accept-language", "en-US,en;q=0.5"),
        ("accept-encoding", "identity"),
        ("range", "bytes=0-"),
        ("referer", "https://films.example.com/"),
        ("sec-fetch-dest", "video"),
        ("sec-fetch-mode", "no-cors"),
        ("sec-fetch-site", "cross-site"),
        ("priority", "u=4"),
    ];
    let pair = |(name, value): (&'static str, &'static str)| {
        (HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    let headers = headers.into_iter().map(pair).collect();
    let head = RequestHead::new(Method::GET, Scheme::Https, URL.parse().unwrap(), headers);
    Arc::new(head.unwrap())
}

fn altered() -> String {
    URL.replace("aeeed9bb", "00000000")
}

fn snapshot(statements: usize) -> Arc<Snapshot> {
    let mut text = SIGNER.to_owned();
    for number in 1..statements {
        text += &format!(
            "[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:GetObject'\n\
             Resource = 'arn:aws:s3:::bucket-{number}/films/*/{number}-*.mp4'\n"
        );
    }
    text += MAY_READ;
    let file = PolicyFile::parse(&text, "policy.toml").unwrap();
    Arc::new(Snapshot::new(
        file.compile(&References::new()).unwrap(),
        1,
        String::new(),
    ))
}

fn settings() -> Settings {
    Settings {
        virtual_host_domains: vec!["s3.amazonaws.com".to_owned()],
        ..Settings::default()
    }
}

fn head() -> Stage {
    let uri: http::Uri = URL.parse().unwrap();
    stage("parse: head", move || {
        let head = RequestHead::new(
            Method::GET,
            Scheme::Https,
            black_box(&uri).clone(),
            HeaderMap::new(),
        );
        black_box(head.unwrap());
    })
}

fn query() -> Stage {
    let head = request_head(URL);
    stage("parse: query", move || {
        black_box(black_box(&head).query().unwrap());
    })
}

fn in_force<'a>(head: &RequestHead, query: &'a Query<'_>) -> InForce<'a> {
    let regions = [Region::us_east_1()];
    assert_eq!(Mechanism::of(head, query).unwrap(), Mechanism::Presigned);
    let terms = Terms {
        now: NOON,
        regions: &regions,
        max_expires: Span::from_seconds(604_800),
    };
    Presigned::parse(query).unwrap().in_force(&terms).unwrap()
}

fn claim() -> Stage {
    let head = request_head(URL);
    stage("parse: query to what is claimed, in force", move || {
        let query = black_box(&head).query().unwrap();
        black_box(in_force(&head, &query));
    })
}

fn derived() -> SigningKey {
    let secret = SecretKey::parse("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()).unwrap();
    sigv4::signing_key(&secret, "20130524", "us-east-1")
}

fn signing_key() -> Stage {
    stage("verify: a signing key that is not known yet", || {
        black_box(derived());
    })
}

fn verify() -> Stage {
    let (head, key) = (request_head(URL), derived());
    stage("verify: query to verified, signing key warm", move || {
        let query = black_box(&head).query().unwrap();
        let path = head.canonical_path().unwrap();
        let target = sigv4::Target {
            authority: head.authority(),
            path: &path,
        };
        black_box(in_force(&head, &query).verify(&head, target, &key).unwrap());
    })
}

fn call() -> Stage {
    let (head, settings) = (request_head(URL), settings());
    stage("parse: the S3 call", move || {
        let (head, query) = (black_box(&head), head.query().unwrap());
        let path = head.canonical_path().unwrap();
        let target = s3::Target::parse(head.authority(), &path, &settings.virtual_host_domains).unwrap();
        black_box(
            Call::parse(
                head.method(),
                &target,
                &query,
                head.headers(),
                &settings.account_id,
            )
            .unwrap(),
        );
    })
}

fn evaluate(name: &'static str, statements: usize) -> Stage {
    let snapshot = snapshot(statements);
    let bucket = BucketName::parse("examplebucket").unwrap();
    let key = ObjectKey::parse("films/a/test.mp4").unwrap();
    stage(name, move || {
        let signer = snapshot.signers().next().unwrap();
        let resource = Resource::Object(black_box(&bucket), &key);
        let decision = snapshot.evaluate(signer, Action::GetObject, resource, &GivenContext::default());
        assert!(decision.is_allowed());
    })
}

fn verdict(name: &'static str, head: Arc<RequestHead>, passes: bool) -> Stage {
    let (snapshot, settings) = (snapshot(1), settings());
    stage(name, move || {
        let circumstances = Circumstances {
            head: &head,
            client: Client::from(PEER),
            snapshot: &snapshot,
            settings: &settings,
            now: NOON,
        };
        assert_eq!(decide(black_box(&circumstances)).outcome.is_ok(), passes);
    })
}

fn path(name: &'static str, key: &str) -> Stage {
    let key = ObjectKey::parse(key).unwrap();
    stage(name, move || {
        black_box(mapping::to_path(black_box(&key)));
    })
}

fn explain() -> Stage {
    let (snapshot, settings) = (snapshot(1), settings());
    let question = Question {
        url: altered(),
        ..Question::default()
    };
    stage("explain: the whole search, which finds nothing", move || {
        let explainer = Explainer {
            snapshot: &snapshot,
            settings: &settings,
            hosts: &[],
            now: NOON,
            budget: &HashBudget::default(),
        };
        assert!(explainer.explain(black_box(&question)).causes.is_empty());
    })
}

fn counted() -> Stage {
    let metrics = Metrics::default();
    let read = Ended {
        operation: Some(Operation::GetObject),
        outcome: "served",
        status: Some(200),
        code: None,
        reason: None,
        bytes_sent: 4096,
        bytes_received: 0,
        duration: Duration::from_micros(300),
        answered_after: Some(Duration::from_micros(200)),
    };
    stage("metrics: a served request counted", move || {
        metrics.begun();
        metrics.ended(black_box(&read));
    })
}

fn audited() -> Stage {
    let snapshot = snapshot(1);
    let bucket = BucketName::parse("examplebucket").unwrap();
    let key = ObjectKey::parse("test.txt").unwrap();
    let signer = snapshot.signers().next().unwrap();
    let resource = Resource::Object(&bucket, &key);
    let decision = snapshot.evaluate(signer, Action::GetObject, resource, &GivenContext::default());
    let Decision::Allow(statement) = decision else {
        unreachable!("{decision:?}")
    };
    let begun = Entry::begun(
        NOON + Duration::from_micros(42_042),
        RequestName::new(*b"D16ED4D2D9A31C35"),
        Client::from(PEER),
        Method::GET,
    );
    let entry = Entry {
        user_agent: Some("a player/1.0".to_owned()),
        signer: Some("example".into()),
        access_key_id: AccessKeyId::parse("AKIAIOSFODNN7EXAMPLE").ok(),
        link_id: LinkId::parse("66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925"),
        mechanism: Some("query"),
        signed_at: Some(datetime!(2013-05-24 00:00 UTC)),
        expires_at: Some(datetime!(2013-05-25 00:00 UTC)),
        operation: Some("GetObject"),
        action: Some("s3:GetObject"),
        bucket: Some(bucket),
        key: Some(key),
        decided_by: Some(Decided::Statement(statement)),
        generation: 1,
        outcome: Outcome::Served,
        status: Some(200),
        bytes_sent: 4096,
        completed: true,
        duration: Duration::from_micros(312),
        ..begun
    };
    let mut line = Vec::new();
    stage("audit: a served request's line", move || {
        line.clear();
        black_box(&entry).write_line(black_box(&mut line));
    })
}

/// A gateway, what it stands on, and who asks it.
struct Asked {
    runtime: tokio::runtime::Runtime,
    gateway: Gateway<DiskStore>,
    _folder: TempDir,
}

impl Asked {
    fn start(policy: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(path("data/examplebucket")).unwrap();
        std::fs::write(path("data/examplebucket/test.txt"), vec![b'a'; 4096]).unwrap();
        std::fs::write(path("policy.toml"), policy).unwrap();
        let live = live::Settings {
            file: path("policy.toml"),
            on_invalid: OnInvalid::Keep,
            cut_transfers: true,
            ..live::Settings::default()
        };
        let clock = Clock::fixed(NOON);
        let (live, _) = Live::load(live, clock.clone()).unwrap();
        let store = store::Settings {
            root: path("data"),
            ..store::Settings::default()
        };
        let gateway = runtime.block_on(async {
            let store = DiskStore::open(&store, &[]).unwrap();
            Gateway::new(store, live, clock, Audit::off(), settings())
        });
        Self {
            runtime,
            gateway,
            _folder: folder,
        }
    }

    /// Asks once, and reads the answer to its end.
    fn get(&self) -> (u16, usize) {
        self.runtime.block_on(async {
            let request = Request::builder()
                .uri(URL)
                .header("host", "examplebucket.s3.amazonaws.com");
            let request = request.body(Empty::<Bytes>::new()).unwrap();
            let response = self.gateway.handle(request, PEER, Connection::new()).await;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (status, body.len())
        })
    }
}

fn pipeline(name: &'static str, passes: bool) -> Stage {
    let statement = if passes { MAY_READ } else { "" };
    let asked = Asked::start(&(SIGNER.to_owned() + statement));
    stage(name, move || {
        let (status, length) = asked.get();
        match passes {
            true => assert_eq!((status, length), (200, 4096)),
            false => assert_eq!(status, 403),
        }
    })
}
