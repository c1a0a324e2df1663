//! What postern is for, told once from beginning to end.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::{
    config::{BehaviorVersion, Credentials, Region},
    presigning::PresigningConfig,
};
use http::{Method, StatusCode};
use postern::{
    sigv4::{AddressingStyle, Endpoint, SignRequest},
    types::{BucketName, ObjectKey, Span},
};

use crate::support::{ALICE, BUCKET, TestGateway, policy, reader, sign_as};

/// A link made by AWS's own SDK, which asks no server either.
async fn sdk_link(gateway: &TestGateway, key: &str) -> String {
    let (id, secret) = ALICE;
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(gateway.endpoint())
        .force_path_style(true)
        .credentials_provider(Credentials::new(id, secret, None, None, "test"))
        .build();
    let presigning = PresigningConfig::builder()
        .start_time(SystemTime::from(gateway.clock.now()))
        .expires_in(Duration::from_secs(900))
        .build()
        .unwrap();
    let request = aws_sdk_s3::Client::from_conf(config)
        .get_object()
        .bucket(BUCKET)
        .key(key);
    request.presigned(presigning).await.unwrap().uri().to_owned()
}

#[tokio::test]
async fn a_link_opens_while_its_signer_may_and_until_it_expires() {
    let gateway = TestGateway::start().await;
    gateway.put("films/a film & more+.txt", "the film");
    let key = "films/a film & more+.txt";
    let links = [gateway.link(&Method::GET, key), sdk_link(&gateway, key).await];

    // Anybody who has the link gets the file; nobody else does.
    for link in &links {
        let answer = gateway.get(link).await;
        assert_eq!(
            (answer.status, answer.text()),
            (StatusCode::OK, "the film"),
            "{link}"
        );
        let without = gateway.get(link.split('?').next().unwrap()).await;
        assert_eq!(
            (without.status, without.code().as_str()),
            (StatusCode::FORBIDDEN, "AccessDenied")
        );
    }

    // The permission goes: every link that rests on it stops.
    gateway.save_policy(&policy(&[])).await;
    for link in &links {
        let answer = gateway.get(link).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::FORBIDDEN, "AccessDenied")
        );
        assert!(!answer.text().contains("the film"));
    }

    // It comes back, and the same links work again.
    gateway.save_policy(&reader()).await;
    for link in &links {
        assert_eq!(gateway.get(link).await.status, StatusCode::OK);
    }

    // The last second of its 15 minutes, and the first one behind them.
    gateway.clock.advance(Span::from_seconds(899));
    for link in &links {
        assert_eq!(gateway.get(link).await.status, StatusCode::OK);
    }
    gateway.clock.advance(Span::from_seconds(1));
    for link in &links {
        let answer = gateway.get(link).await;
        assert_eq!(answer.element("Message").as_deref(), Some("Request has expired"));
    }
}

#[tokio::test]
async fn any_made_up_key_signs_without_complaint_and_is_refused() {
    let gateway = TestGateway::start().await;
    gateway.put("a", "content");
    let (bucket, key) = (BucketName::parse(BUCKET).unwrap(), ObjectKey::parse("a").unwrap());
    let request = SignRequest {
        method: &Method::GET,
        endpoint: &Endpoint::parse(&gateway.endpoint()).unwrap(),
        style: AddressingStyle::Path,
        bucket: Some(&bucket),
        key: Some(&key),
        headers: &[],
        query: &[],
        session_token: None,
    };
    let made_up = sign_as(("AKIAMADEUP0000000000", "made up"), &request, gateway.clock.now());
    let answer = gateway.get(&made_up).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::FORBIDDEN, "InvalidAccessKeyId")
    );
    let guessed = sign_as((ALICE.0, "a guess"), &request, gateway.clock.now());
    let answer = gateway.get(&guessed).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::FORBIDDEN, "SignatureDoesNotMatch")
    );
}
