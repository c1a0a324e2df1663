//! Bucket and key are what was signed: never another reading of the same bytes.

use http::{Method, StatusCode};
use postern::{
    sigv4::{AddressingStyle, Endpoint, SignRequest},
    types::{BucketName, ObjectKey},
    verdict::{PublicUrl, Settings},
};

use crate::support::{ALICE, BUCKET, TestGateway, Wishes, client, policy, sign_as};

fn sign(gateway: &TestGateway, endpoint: &str, style: AddressingStyle, bucket: &str, key: &str) -> String {
    let request = SignRequest {
        method: &Method::GET,
        endpoint: &Endpoint::parse(endpoint).unwrap(),
        style,
        bucket: Some(&BucketName::parse(bucket).unwrap()),
        key: Some(&ObjectKey::parse(key).unwrap()),
        headers: &[],
        query: &[],
        session_token: None,
    };
    sign_as(ALICE, &request, gateway.clock.now())
}

#[tokio::test]
async fn both_styles_open_the_same_object() {
    let gateway = TestGateway::start().await;
    gateway.put("a/b.txt", "content");
    let port = gateway.address.port();
    for style in [AddressingStyle::Path, AddressingStyle::VirtualHost] {
        let link = sign(
            &gateway,
            &format!("http://s3.localhost:{port}"),
            style,
            BUCKET,
            "a/b.txt",
        );
        let answer = gateway.get(&link).await;
        assert_eq!(
            (answer.status, answer.text()),
            (StatusCode::OK, "content"),
            "{style:?}"
        );
    }
}

#[tokio::test]
async fn a_link_for_a_key_on_a_virtual_host_never_opens_a_bucket_by_path() {
    let all = policy(&[
        "[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:*'\nResource = 'arn:aws:s3:::pres-url-test/*'\n",
    ]);
    let gateway = TestGateway::with(Wishes {
        policy: Some(all),
        ..Wishes::default()
    })
    .await;
    let private = gateway.folder.path().join("data/private");
    std::fs::create_dir(&private).unwrap();
    std::fs::write(private.join("secret"), "secret").unwrap();
    gateway.put("private/secret", "mine");
    let link = sign(
        &gateway,
        "http://s3.localhost",
        AddressingStyle::VirtualHost,
        BUCKET,
        "private/secret",
    );
    assert_eq!(gateway.get(&link).await.text(), "mine");
    for host in ["s3.localhost", "localhost", &gateway.address.to_string()] {
        let answer = client::send(gateway.address, Method::GET, &link, &[("host", host)]).await;
        assert_eq!(answer.code(), "SignatureDoesNotMatch", "{host}");
    }
}

#[tokio::test]
async fn a_link_for_another_public_origin_opens_what_that_origin_names() {
    let public_urls = vec![PublicUrl::parse("https://files.example.com/s3").unwrap()];
    let settings = Settings {
        public_urls,
        ..Settings::default()
    };
    let gateway = TestGateway::with(Wishes {
        verdict: Some(settings),
        ..Wishes::default()
    })
    .await;
    gateway.put("a", "content");
    let link = sign(
        &gateway,
        "https://files.example.com/s3",
        AddressingStyle::Path,
        BUCKET,
        "a",
    );
    // The proxy changes the host, and passes the prefix on or cuts it off.
    for url in [link.clone(), link.replacen("/s3/", "/", 1)] {
        let answer = client::send(gateway.address, Method::GET, &url, &[("host", "postern:9000")]).await;
        assert_eq!(
            (answer.status, answer.text()),
            (StatusCode::OK, "content"),
            "{url}"
        );
    }
    let elsewhere = sign(
        &gateway,
        "https://other.example.com",
        AddressingStyle::Path,
        BUCKET,
        "a",
    );
    let answer = client::send(
        gateway.address,
        Method::GET,
        &elsewhere,
        &[("host", "postern:9000")],
    )
    .await;
    assert_eq!(answer.code(), "SignatureDoesNotMatch");
}

#[tokio::test]
async fn no_key_leads_out_of_its_bucket() {
    let all = policy(&["[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:*'\nResource = '*'\n"]);
    let gateway = TestGateway::with(Wishes {
        policy: Some(all),
        ..Wishes::default()
    })
    .await;
    gateway.put("a", "content");
    std::os::unix::fs::symlink(
        gateway.policy_file(),
        gateway.folder.path().join("data/pres-url-test/link"),
    )
    .unwrap();
    for key in [
        "../../policy.toml",
        "/../../policy.toml",
        "link",
        "..",
        "a/../../../policy.toml",
        "a\0b",
    ] {
        let answer = gateway.get(&gateway.link(&Method::GET, key)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (404, "NoSuchKey"),
            "{key}"
        );
    }
}
