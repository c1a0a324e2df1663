//! What holds for every URL: no false cause on one that is valid, none on garbage, and a bounded search.

use std::sync::Arc;

use http::Method;
use proptest::prelude::*;
use time::{OffsetDateTime, macros::datetime};

use super::*;
use crate::{
    policy::{PolicyFile, References},
    sigv4::{AddressingStyle, Endpoint, SignRequest, presign},
    types::{AccessKeyId, BucketName, ObjectKey, SecretKey, Span},
    verdict::{PublicUrl, Settings},
};

const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

fn snapshot() -> Arc<Snapshot> {
    let text = "
[[signer]]
name = 'alice'
access_key_id = 'AKIAALICE00000000000'
secret_access_key = 'alice-secret'
[[signer.statement]]
Effect = 'Allow'
Action = 's3:*'
Resource = 'arn:aws:s3:::films/*'
[[signer]]
name = 'bob'
access_key_id = 'AKIABOB0000000000000'
secret_access_key = 'bob-secret'
";
    let compiled = PolicyFile::parse(text, "policy.toml")
        .unwrap()
        .compile(&References::new())
        .unwrap();
    Arc::new(Snapshot::new(compiled, 1, String::new()))
}

fn explain(snapshot: &Arc<Snapshot>, question: &Question) -> Explanation {
    let explainer = Explainer {
        snapshot,
        settings: &Settings::default(),
        hosts: &["localhost:9000".to_owned()],
        now: NOW,
        budget: &HashBudget::default(),
    };
    explainer.explain(question)
}

fn signed(method: &Method, key: &str, query: &[(String, String)], endpoint: &str, secret: &str) -> String {
    let request = SignRequest {
        method,
        endpoint: &Endpoint::parse(endpoint).unwrap(),
        style: AddressingStyle::Path,
        bucket: Some(&BucketName::parse("films").unwrap()),
        key: Some(&ObjectKey::parse(key).unwrap()),
        headers: &[],
        query,
        session_token: None,
    };
    let id = AccessKeyId::parse("AKIAALICE00000000000").unwrap();
    let secret = SecretKey::parse(secret.to_owned()).unwrap();
    presign(
        &request,
        &id,
        &secret,
        &Region::us_east_1(),
        NOW,
        Span::from_seconds(900),
    )
    .unwrap()
    .into_string()
}

fn asked(method: &Method, url: String) -> Question {
    Question {
        url,
        method: Some(method.to_string()),
        ..Question::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn a_valid_link_has_no_cause(
        key in "[ -~äß/+%]{1,30}",
        method in proptest::sample::select(vec![Method::GET, Method::HEAD, Method::PUT, Method::DELETE]),
        query in proptest::collection::btree_map("[a-z-]{1,8}", "[ -~ä]{0,8}", 0..3),
    ) {
        // Of the query only what means nothing to S3, each name once.
        let query: Vec<_> = query.into_iter().map(|(name, value)| (format!("x-{name}"), value)).collect();
        let url = signed(&method, &key, &query, "http://localhost:9000", "alice-secret");
        let explanation = explain(&snapshot(), &asked(&method, url));
        prop_assert!(explanation.passes, "{}", explanation.conclusion);
        prop_assert!(explanation.causes.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]
    #[test]
    fn garbage_has_no_cause_that_was_found_by_trying(signature in "[0-9a-f]{64}", key in "[a-z/%+]{1,12}") {
        let url = signed(&Method::GET, &key, &[], "http://localhost:9000", "alice-secret");
        let (front, _) = url.rsplit_once('=').unwrap();
        let explanation = explain(&snapshot(), &asked(&Method::GET, format!("{front}={signature}")));
        prop_assert!(!explanation.passes);
        prop_assert!(explanation.causes.is_empty() && explanation.differences.is_empty(), "{}", explanation.conclusion);
        prop_assert!(explanation.tries > 1_000 && explanation.tries <= search::MOST_TRIES);
    }

    #[test]
    fn any_text_is_explained_without_a_panic(url in any::<String>(), method in any::<String>(), header in any::<(String, String)>()) {
        let question = Question { url, method: Some(method), headers: vec![header], ..Question::default() };
        let explanation = explain(&snapshot(), &question);
        prop_assert!(!explanation.passes);
    }
}

#[test]
fn the_public_url_that_was_signed_for_is_named() {
    let snapshot = snapshot();
    let public = "https://files.example.com/s3";
    let settings = Settings {
        public_urls: vec![PublicUrl::parse(public).unwrap()],
        ..Settings::default()
    };
    let explainer = Explainer {
        snapshot: &snapshot,
        settings: &settings,
        hosts: &[],
        now: NOW,
        budget: &HashBudget::default(),
    };
    for (endpoint, named) in [(public, Some(public)), ("http://localhost:9000", None)] {
        let question = Question {
            host: Some("localhost:9000".to_owned()),
            ..asked(
                &Method::GET,
                signed(&Method::GET, "a.mp4", &[], endpoint, "alice-secret"),
            )
        };
        let explanation = explainer.explain(&question);
        assert!(explanation.passes, "{}", explanation.conclusion);
        let mut evidence = explanation.steps.iter().flat_map(|step| &step.evidence);
        let found = evidence.find(|(label, _)| label == "public url");
        assert_eq!(found.map(|(_, text)| text.as_str()), named);
    }
}

#[test]
fn two_mistakes_at_once_are_both_found() {
    let url = signed(&Method::GET, "a.mp4", &[], "http://minio:9000", "alice-secret");
    let question = Question {
        host: Some("localhost:9000".to_owned()),
        ..asked(&Method::HEAD, url)
    };
    let names: Vec<_> = explain(&snapshot(), &question)
        .causes
        .into_iter()
        .map(|cause| cause.name)
        .collect();
    assert_eq!(names, ["Host", "Method"]);
    let url = signed(&Method::GET, "a.mp4", &[], "http://localhost:9000", "bob-secret");
    let explanation = explain(&snapshot(), &asked(&Method::GET, url + "&utm_source=mail"));
    let names: Vec<_> = explanation.causes.into_iter().map(|cause| cause.name).collect();
    assert_eq!(names, ["OtherSecret", "ParameterAdded"]);
}

#[test]
fn what_is_wrong_behind_an_expiry_is_told_too() {
    let url = signed(
        &Method::GET,
        "a.mp4",
        &[],
        "http://localhost:9000",
        "alice-secret",
    );
    let explainer = Explainer {
        snapshot: &snapshot(),
        settings: &Settings::default(),
        hosts: &[],
        now: NOW + time::Duration::hours(2),
        budget: &HashBudget::default(),
    };
    let explanation = explainer.explain(&asked(&Method::PUT, url));
    let names: Vec<_> = explanation
        .causes
        .iter()
        .map(|cause| cause.name.as_str())
        .collect();
    assert_eq!(names, ["Expired", "Method"]);
    assert!(
        explanation.conclusion.contains("1 hour 45 minutes ago"),
        "{}",
        explanation.conclusion
    );
}
