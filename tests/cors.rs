//! What a browser is told of who may talk to a bucket, with rules of the bucket's own and with those of the configuration.

use aws_sdk_s3::types::{CorsConfiguration, CorsRule as SdkRule};
use http::Method;
use postern::{clock::Clock, gateway, s3::CorsRule, types::Span};

use crate::{
    objects::{everything, failure, is, sdk},
    support::{BUCKET, TestGateway, Wishes, client},
};

const APP: &str = "https://app.example.com";

/// A gateway whose configuration lets the app read and write, and everybody read.
async fn gateway(with_defaults: bool) -> TestGateway {
    let owned = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect();
    let rule = |origins: &[&str], methods: &[&str]| CorsRule {
        allowed_origins: owned(origins),
        allowed_methods: owned(methods),
        allowed_headers: owned(&["content-type", "x-amz-*"]),
        expose_headers: owned(&["ETag", "Content-Range", "x-amz-*"]),
        max_age: Some(Span::from_seconds(60)),
        ..CorsRule::default()
    };
    let cors = vec![
        rule(&[APP], &["GET", "PUT", "POST"]),
        rule(&["*"], &["GET", "HEAD"]),
    ];
    TestGateway::with(Wishes {
        policy: Some(everything()),
        clock: Some(Clock::system()),
        gateway: with_defaults.then(|| gateway::Settings {
            cors,
            ..gateway::Settings::default()
        }),
        ..Wishes::default()
    })
    .await
}

async fn preflight(
    gateway: &TestGateway,
    path: &str,
    origin: &str,
    method: &str,
    headers: &str,
) -> client::Answer {
    let url = format!("{}{path}", gateway.endpoint());
    let sent = [
        ("origin", origin),
        ("access-control-request-method", method),
        ("access-control-request-headers", headers),
    ];
    client::send(gateway.address, Method::OPTIONS, &url, &sent).await
}

#[tokio::test]
async fn without_rules_no_page_hears_anything() {
    let gateway = gateway(false).await;
    gateway.put("a.txt", "content");
    for path in [
        format!("/{BUCKET}/a.txt"),
        "/not-there/a.txt".to_owned(),
        "/".to_owned(),
    ] {
        let answer = preflight(&gateway, &path, APP, "GET", "").await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (403, "AccessForbidden"),
            "{path}"
        );
        assert_eq!(
            answer.element("Message").as_deref(),
            Some("CORSResponse: CORS is not enabled for this bucket.")
        );
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
    let link = gateway.link(&Method::GET, "a.txt");
    let answer = client::send(gateway.address, Method::GET, &link, &[("origin", APP)]).await;
    assert_eq!(
        (
            answer.status.as_u16(),
            answer.header("access-control-allow-origin")
        ),
        (200, "")
    );
}

#[tokio::test]
async fn the_configurations_rules_answer_preflights_without_a_signature_and_stand_on_errors() {
    let gateway = gateway(true).await;
    gateway.put("a.txt", "content");
    let path = format!("/{BUCKET}/a.txt");
    let answer = preflight(&gateway, &path, APP, "PUT", "Content-Type, x-amz-meta-a").await;
    assert_eq!(answer.status.as_u16(), 200);
    for (name, expected) in [
        ("access-control-allow-origin", APP),
        ("access-control-allow-methods", "GET, PUT, POST"),
        ("access-control-allow-headers", "content-type, x-amz-meta-a"),
        ("access-control-max-age", "60"),
    ] {
        assert_eq!(answer.header(name), expected);
    }
    assert!(answer.header("vary").contains("Origin"));
    for (origin, method, headers) in [
        ("https://evil.example", "PUT", ""),
        (APP, "PUT", "authorization"),
        (APP, "DELETE", ""),
    ] {
        let answer = preflight(&gateway, &path, origin, method, headers).await;
        assert_eq!(
            (
                answer.status.as_u16(),
                answer.header("access-control-allow-origin")
            ),
            (403, "")
        );
    }
    let link = gateway.link(&Method::GET, "a.txt");
    for (url, origin, status, allowed, credentials) in [
        (link.clone(), APP, 200, APP, "true"),
        (
            link.replace("X-Amz-Expires=900", "X-Amz-Expires=901"),
            APP,
            403,
            APP,
            "true",
        ),
        (gateway.link(&Method::GET, "none"), APP, 404, APP, "true"),
        (
            format!("{}{path}", gateway.endpoint()),
            "https://other.example",
            403,
            "*",
            "",
        ),
    ] {
        let answer = client::send(gateway.address, Method::GET, &url, &[("origin", origin)]).await;
        assert_eq!(answer.status.as_u16(), status, "{url}");
        assert_eq!(answer.header("access-control-allow-origin"), allowed, "{url}");
        assert_eq!(
            answer.header("access-control-allow-credentials"),
            credentials,
            "{url}"
        );
        assert!(
            answer
                .header("access-control-expose-headers")
                .contains("x-amz-request-id")
        );
    }
    // What asks for no page's sake hears nothing of pages.
    assert_eq!(gateway.get(&link).await.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn a_buckets_own_rules_are_put_read_and_removed_and_count_before_the_configurations() {
    let gateway = gateway(true).await;
    let s3 = sdk(&gateway);
    assert_eq!(
        failure(s3.get_bucket_cors().bucket(BUCKET).send().await),
        is("NoSuchCORSConfiguration", 404)
    );
    let put = |origin: &str, method: &str| {
        let rule = SdkRule::builder()
            .id("one")
            .allowed_origins(origin)
            .allowed_methods(method)
            .allowed_headers("*")
            .expose_headers("ETag")
            .max_age_seconds(5)
            .build()
            .unwrap();
        let rules = CorsConfiguration::builder().cors_rules(rule).build().unwrap();
        s3.put_bucket_cors()
            .bucket(BUCKET)
            .cors_configuration(rules)
            .send()
    };
    assert_eq!(failure(put("*", "PATCH").await), is("InvalidRequest", 400));
    put("https://own.example", "DELETE").await.unwrap();
    let got = s3.get_bucket_cors().bucket(BUCKET).send().await.unwrap();
    assert_eq!(
        (got.cors_rules()[0].id(), got.cors_rules()[0].max_age_seconds()),
        (Some("one"), Some(5))
    );
    let path = format!("/{BUCKET}/a");
    let own = preflight(&gateway, &path, "https://own.example", "DELETE", "x-any").await;
    assert_eq!(own.header("access-control-allow-origin"), "https://own.example");
    assert_eq!(
        preflight(&gateway, &path, APP, "PUT", "").await.status.as_u16(),
        403
    );
    s3.delete_bucket_cors().bucket(BUCKET).send().await.unwrap();
    s3.delete_bucket_cors().bucket(BUCKET).send().await.unwrap();
    assert_eq!(
        preflight(&gateway, &path, APP, "PUT", "").await.status.as_u16(),
        200
    );
    put("*", "GET").await.unwrap();
    s3.delete_bucket().bucket(BUCKET).send().await.unwrap();
    assert_eq!(failure(put("*", "GET").await), is("NoSuchBucket", 404));
}
