//! The cost of each stage of a request: verifying a presigned GET with a warm signing key, a decision over 1,000 statements, a key's path.
#![allow(clippy::unwrap_used, missing_docs)] // a benchmark may stop at the first surprise

use std::{hint::black_box, sync::Arc, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, Method};
use postern::{
    explain::{Explainer, Question},
    policy::{GivenContext, PolicyFile, References, Snapshot},
    sigv4::{self, Mechanism, Presigned, Target, Terms},
    store::disk::mapping,
    types::{
        Action, Announced, BucketName, Client, ObjectKey, Peer, Region, RequestHead, Resource, Scheme,
        SecretKey, Span, TlsVersion,
    },
    verdict::{Circumstances, Settings, decide},
};
use time::macros::datetime;

const URL: &str = "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
    &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z\
    &X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
    &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
const NOON: time::OffsetDateTime = datetime!(2013-05-24 12:00 UTC);

fn head() -> Arc<RequestHead> {
    let head = RequestHead::new(Method::GET, Scheme::Https, URL.parse().unwrap(), HeaderMap::new());
    Arc::new(head.unwrap())
}

fn snapshot(statements: usize) -> Snapshot {
    let mut text = "[[signer]]\nname = 'example'\naccess_key_id = 'AKIAIOSFODNN7EXAMPLE'\n\
        secret_access_key = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'\n"
        .to_owned();
    for number in 1..statements {
        text += &format!(
            "[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:GetObject'\n\
             Resource = 'arn:aws:s3:::bucket-{number}/films/*/{number}-*.mp4'\n"
        );
    }
    text += "[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:Get*'\nResource = 'arn:aws:s3:::examplebucket/*'\n";
    let compiled = PolicyFile::parse(&text, "policy.toml")
        .unwrap()
        .compile(&References::new())
        .unwrap();
    Snapshot::new(compiled, 1, String::new())
}

fn stages(criterion: &mut Criterion) {
    let head = head();
    let regions = [Region::us_east_1()];
    let secret = SecretKey::parse("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()).unwrap();
    let key = sigv4::signing_key(&secret, "20130524", "us-east-1");
    criterion.bench_function("verify a presigned GET, signing key warm", |bencher| {
        bencher.iter(|| {
            let query = black_box(&head).query().unwrap();
            assert_eq!(Mechanism::of(&head, &query).unwrap(), Mechanism::Presigned);
            let terms = Terms {
                now: NOON,
                regions: &regions,
                max_expires: Span::from_seconds(604_800),
            };
            let claim = Presigned::parse(&query).unwrap().in_force(&terms).unwrap();
            let target = Target {
                authority: head.authority(),
                path: head.path(),
            };
            black_box(claim.verify(&head, target, &key).unwrap());
        });
    });

    let large = snapshot(1_000);
    let signer = large.signers().next().unwrap();
    let (bucket, object) = (
        BucketName::parse("examplebucket").unwrap(),
        ObjectKey::parse("films/a/test.mp4").unwrap(),
    );
    criterion.bench_function("decide over 1,000 statements, the last one matching", |bencher| {
        bencher.iter(|| {
            let resource = Resource::Object(black_box(&bucket), &object);
            assert!(
                large
                    .evaluate(signer, Action::GetObject, resource, &GivenContext::default())
                    .is_allowed()
            );
        });
    });

    let client = Client::from(Peer {
        address: ([127, 0, 0, 1], 1).into(),
        announced: Announced::Itself,
        tls: Some(TlsVersion::V1_3),
    });
    let small = Arc::new(snapshot(1));
    let settings = Settings {
        virtual_host_domains: vec!["s3.amazonaws.com".to_owned()],
        ..Settings::default()
    };
    criterion.bench_function("verdict: head to permit, one statement", |bencher| {
        bencher.iter(|| {
            let circumstances = Circumstances {
                head: &head,
                client,
                snapshot: &small,
                settings: &settings,
                now: NOON,
            };
            assert!(decide(black_box(&circumstances)).outcome.is_ok());
        });
    });

    let unmatched = Question {
        url: URL.replace("aeeed9bb", "00000000"),
        ..Question::default()
    };
    criterion.bench_function("explain: the whole search, which finds nothing", |bencher| {
        bencher.iter(|| {
            let explainer = Explainer {
                snapshot: &small,
                settings: &settings,
                hosts: &[],
                now: NOON,
            };
            assert!(explainer.explain(black_box(&unmatched)).causes.is_empty());
        });
    });

    let plain = ObjectKey::parse("films/2026/11/a film & more.mp4").unwrap();
    let odd = ObjectKey::parse(&("../a//~=%/".to_owned() + &"é".repeat(300))).unwrap();
    for (name, key) in [
        ("key to path, plain", &plain),
        ("key to path, escaped and cut", &odd),
    ] {
        criterion.bench_function(name, |bencher| bencher.iter(|| mapping::to_path(black_box(key))));
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = stages
}
criterion_main!(benches);
