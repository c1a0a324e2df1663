//! Every refusal on the wire: status, code, message and elements as AWS gives them. Each row is a request that must not work.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use postern::{
    audit::Audit,
    gateway::{Connection, Gateway},
    sigv4::{self, AddressingStyle, Endpoint, SignRequest},
    types::{AccessKeyId, BucketName, ObjectKey, Peer, Region, SecretKey, Span},
    verdict::Settings,
};

use crate::support::{
    ALICE, BUCKET, TestGateway, Wishes, broken::Broken, client, policy, reader_without_list, sign_as,
};

/// A link's text, changed at one place.
fn changed(link: &str, from: &str, to: &str) -> String {
    assert!(link.contains(from), "{link} holds no {from}");
    link.replacen(from, to, 1)
}

#[tokio::test]
async fn each_failure_of_a_link_is_told_as_aws_tells_it() {
    let gateway = TestGateway::start().await;
    gateway.put("a.txt", "content");
    let link = gateway.link(&Method::GET, "a.txt");
    let credential = "Error parsing the X-Amz-Credential parameter; ";
    let rows: &[(&str, &str, u16, &str, &str)] = &[
        (
            "X-Amz-Expires=900&",
            "",
            400,
            "AuthorizationQueryParametersError",
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
        ),
        (
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA1",
            400,
            "AuthorizationQueryParametersError",
            "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\"",
        ),
        (
            "%2Faws4_request",
            "",
            400,
            "AuthorizationQueryParametersError",
            &format!(
                "{credential}the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."
            ),
        ),
        (
            "us-east-1",
            "eu-west-1",
            400,
            "AuthorizationQueryParametersError",
            &format!("{credential}the region 'eu-west-1' is wrong; expecting 'us-east-1'"),
        ),
        (
            "%2Fs3%2F",
            "%2Fec2%2F",
            400,
            "AuthorizationQueryParametersError",
            &format!("{credential}incorrect service \"ec2\". This endpoint belongs to \"s3\"."),
        ),
        (
            "aws4_request",
            "aws5_request",
            400,
            "AuthorizationQueryParametersError",
            &format!("{credential}incorrect terminal \"aws5_request\". This endpoint uses \"aws4_request\"."),
        ),
        (
            "%2F20261124%2F",
            "%2F2026-11-24%2F",
            400,
            "AuthorizationQueryParametersError",
            &format!(
                "{credential}incorrect date format \"2026-11-24\". This date in the credential must be in the format \"yyyyMMdd\"."
            ),
        ),
        (
            "%2F20261124%2F",
            "%2F20261123%2F",
            400,
            "AuthorizationQueryParametersError",
            "Invalid credential date \"20261123\". This date is not the same as X-Amz-Date: \"20261124\".",
        ),
        (
            "X-Amz-Date=20261124T120000Z",
            "X-Amz-Date=2026-11-24",
            400,
            "AuthorizationQueryParametersError",
            "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"",
        ),
        (
            "Expires=900",
            "Expires=soon",
            400,
            "AuthorizationQueryParametersError",
            "X-Amz-Expires should be a number",
        ),
        (
            "Expires=900",
            "Expires=-1",
            400,
            "AuthorizationQueryParametersError",
            "X-Amz-Expires must be non-negative",
        ),
        (
            "Expires=900",
            "Expires=604801",
            400,
            "AuthorizationQueryParametersError",
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
        ),
        (
            "Expires=900",
            "Expires=0",
            403,
            "AccessDenied",
            "Request has expired",
        ),
        (
            ALICE.0,
            "AKIANOBODY0000000000",
            403,
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
        ),
        (
            "Expires=900",
            "Expires=901",
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
        ),
        (
            "a.txt",
            "b.txt",
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
        ),
        (
            "X-Amz-Signature=",
            "X-Amz-Signature=A",
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
        ),
        (
            "?X-",
            "?utm_source=mail&X-",
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
        ),
        (
            "?X-",
            "?%zz&X-",
            400,
            "InvalidURI",
            "Couldn't parse the specified URI.",
        ),
        (
            "?X-",
            "?Signature=x&AWSAccessKeyId=y&Expires=1&X-",
            400,
            "InvalidArgument",
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
        ),
    ];
    for (from, to, status, code, message) in rows {
        let answer = gateway.get(&changed(&link, from, to)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (*status, *code),
            "{from} → {to}"
        );
        assert_eq!(
            answer.element("Message").as_deref(),
            Some(*message),
            "{from} → {to}"
        );
        assert_eq!(answer.header("content-type"), "application/xml");
        assert_eq!(
            answer.element("RequestId").as_deref(),
            Some(answer.header("x-amz-request-id"))
        );
        assert!(answer.text().ends_with("</HostId></Error>"), "{}", answer.text());
    }
}

#[tokio::test]
async fn errors_carry_awss_elements() {
    let gateway = TestGateway::start().await;
    gateway.put("a.txt", "content");
    let link = gateway.link(&Method::GET, "a.txt");
    let elements = |answer: &client::Answer, names: &[&str]| -> Vec<String> {
        names
            .iter()
            .map(|name| {
                answer
                    .element(name)
                    .unwrap_or_else(|| panic!("no {name} in {}", answer.text()))
            })
            .collect()
    };

    let wrong = gateway.get(&changed(&link, "Expires=900", "Expires=901")).await;
    let names = [
        "AWSAccessKeyId",
        "StringToSign",
        "SignatureProvided",
        "StringToSignBytes",
        "CanonicalRequest",
        "CanonicalRequestBytes",
    ];
    let found = elements(&wrong, &names);
    let bytes = |text: &str| {
        text.bytes()
            .map(|b| format!("{b:02x}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(found[0], ALICE.0);
    assert!(found[1].starts_with("AWS4-HMAC-SHA256\n20261124T120000Z\n20261124/us-east-1/s3/aws4_request\n"));
    assert!(link.ends_with(&found[2]));
    assert_eq!(
        (found[3].clone(), found[5].clone()),
        (bytes(&found[1]), bytes(&found[4]))
    );
    assert!(found[4].starts_with("GET\n/pres-url-test/a.txt\n") && found[4].ends_with("\nUNSIGNED-PAYLOAD"));
    let places: Vec<_> = names
        .iter()
        .map(|name| wrong.text().find(&format!("<{name}>")))
        .collect();
    assert!(places.is_sorted(), "in AWS's order");

    let region = gateway.get(&changed(&link, "us-east-1", "eu-west-1")).await;
    assert_eq!(elements(&region, &["Region"]), ["us-east-1"]);

    let unsigned = client::send(
        gateway.address,
        Method::GET,
        &link,
        &[("x-amz-copy-source", "/b/k"), ("x-amz-acl", "private")],
    )
    .await;
    assert_eq!(
        (unsigned.status.as_u16(), unsigned.code().as_str()),
        (403, "AccessDenied")
    );
    assert_eq!(
        elements(&unsigned, &["Message", "HeadersNotSigned"]),
        [
            "There were headers present in the request which were not signed",
            "x-amz-acl, x-amz-copy-source"
        ]
    );

    let both = client::send(
        gateway.address,
        Method::GET,
        &link,
        &[("authorization", "Basic abc")],
    )
    .await;
    assert_eq!(
        (both.status.as_u16(), both.code().as_str()),
        (400, "InvalidArgument")
    );
    assert_eq!(
        elements(&both, &["ArgumentName", "ArgumentValue"]),
        ["Authorization", "Basic abc"]
    );

    let token = {
        let request = SignRequest {
            method: &Method::GET,
            endpoint: &Endpoint::parse(&gateway.endpoint()).unwrap(),
            style: AddressingStyle::Path,
            bucket: Some(&BucketName::parse(BUCKET).unwrap()),
            key: Some(&ObjectKey::parse("a.txt").unwrap()),
            headers: &[],
            query: &[],
            session_token: Some("a token"),
        };
        gateway.get(&sign_as(ALICE, &request, gateway.clock.now())).await
    };
    assert_eq!(
        (token.status.as_u16(), token.code().as_str()),
        (400, "InvalidToken")
    );
    assert_eq!(elements(&token, &["Token-0"]), ["a token"]);

    gateway.clock.advance(Span::from_seconds(900));
    let late = gateway.get(&link).await;
    assert_eq!(
        (late.status.as_u16(), late.code().as_str()),
        (403, "AccessDenied")
    );
    assert_eq!(
        elements(&late, &["X-Amz-Expires", "Expires", "ServerTime"]),
        ["900", "2026-11-24T12:15:00Z", "2026-11-24T12:15:00Z"]
    );

    gateway
        .clock
        .set(time::macros::datetime!(2026-11-24 11:44:59 UTC));
    let early = gateway.get(&link).await;
    assert_eq!(
        elements(&early, &["Message", "X-Amz-Date", "Expires", "ServerTime"]),
        [
            "Request is not yet valid",
            "1795521600000",
            "2026-11-24T12:15:00Z",
            "2026-11-24T11:44:59Z"
        ]
    );
    gateway
        .clock
        .set(time::macros::datetime!(2026-11-24 11:45:00 UTC));
    assert_eq!(
        gateway.get(&link).await.status,
        StatusCode::OK,
        "15 minutes of skew are allowed"
    );
}

#[tokio::test]
async fn what_is_not_built_or_not_there_is_told_only_to_those_who_may() {
    let gateway = TestGateway::start().await;
    gateway.put("folder/a", "content");
    let at = gateway.address;
    for (method, key, status, code) in [
        (Method::GET, "none", 404, "NoSuchKey"),
        (Method::GET, "folder", 404, "NoSuchKey"),
        (Method::GET, "folder/", 404, "NoSuchKey"),
        (Method::DELETE, "folder/a", 403, "AccessDenied"),
    ] {
        let answer = client::send(at, method.clone(), &gateway.link(&method, key), &[]).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code),
            "{method} {key}"
        );
    }
    for (method, key, query, message) in [
        (
            Method::POST,
            "folder/a",
            "select",
            "SelectObjectContent is not implemented.",
        ),
        (
            Method::GET,
            "",
            "versions",
            "ListObjectVersions is not implemented.",
        ),
    ] {
        let link = gateway.sign(&method, key, &[(query, "")], &[]);
        let answer = client::send(at, method.clone(), &link, &[]).await;
        let expected = if key.is_empty() { 403 } else { 501 };
        assert_eq!(answer.status.as_u16(), expected, "{method} {key}?{query}");
        if expected == 501 {
            assert_eq!(answer.element("Message").as_deref(), Some(message));
        }
    }
    let post = client::send(at, Method::PATCH, &gateway.link(&Method::GET, "folder/a"), &[]).await;
    assert_eq!(
        post.code(),
        "SignatureDoesNotMatch",
        "a method is refused only after the signature"
    );

    gateway.save_policy(&reader_without_list()).await;
    let hidden = gateway.get(&gateway.link(&Method::GET, "none")).await;
    assert_eq!(
        (hidden.status.as_u16(), hidden.code().as_str()),
        (403, "AccessDenied")
    );
    let head = client::send(at, Method::HEAD, &gateway.link(&Method::HEAD, "none"), &[]).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (403, 0));
}

#[tokio::test]
async fn features_that_are_off_are_never_ignored() {
    let gateway = TestGateway::start().await;
    gateway.put("a", "content");
    for (query, headers, status, code) in [
        (&[("versionId", "abc")][..], &[][..], 400, "InvalidArgument"),
        (
            &[("response-content-type", "a\r\nSet-Cookie: x=y")],
            &[],
            400,
            "InvalidArgument",
        ),
        (
            &[],
            &[("x-amz-server-side-encryption-customer-algorithm", "AES256")],
            400,
            "InvalidRequest",
        ),
        (
            &[],
            &[("x-amz-server-side-encryption", "aws:kms")],
            400,
            "InvalidArgument",
        ),
        (
            &[],
            &[("x-amz-expected-bucket-owner", "111122223333")],
            403,
            "AccessDenied",
        ),
    ] {
        let link = gateway.sign(&Method::GET, "a", query, headers);
        let answer = client::send(gateway.address, Method::GET, &link, headers).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code),
            "{query:?} {headers:?}"
        );
    }
    let plain = format!(
        "{}/pres-url-test/a?response-content-type=text/html",
        gateway.endpoint()
    );
    let answer = gateway.get(&plain).await;
    assert_eq!(
        answer.element("Message").as_deref(),
        Some("Request specific response headers cannot be used for anonymous GET requests.")
    );
}

#[tokio::test]
async fn a_body_that_is_not_the_signed_one_is_refused_and_a_refusal_arrives_in_spite_of_a_body() {
    let gateway = TestGateway::start().await;
    gateway.put("a", "content");
    let declared = [(
        "x-amz-content-sha256",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    )];
    let link = gateway.sign(&Method::GET, "a", &[], &declared);
    let answer = client::send(gateway.address, Method::GET, &link, &declared).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (400, "XAmzContentSHA256Mismatch")
    );
    assert_eq!(
        answer.element("ClientComputedContentSHA256").as_deref(),
        Some(declared[0].1)
    );
    let same = client::send_body(
        gateway.address,
        Method::GET,
        &link,
        &declared,
        Bytes::from_static(b"abc"),
    )
    .await;
    assert_eq!(same.status, StatusCode::OK);

    let streaming = [("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")];
    let link = gateway.sign(&Method::GET, "a", &[], &streaming);
    let answer = client::send(gateway.address, Method::GET, &link, &streaming).await;
    assert_eq!(
        answer.code(),
        "MissingContentLength",
        "no path on which a declared signature goes unchecked"
    );

    let body = Bytes::from(vec![0; 512 * 1024]);
    let forged = changed(
        &gateway.link(&Method::PUT, "a"),
        "X-Amz-Signature=",
        "X-Amz-Signature=0",
    );
    let answer = client::send_body(gateway.address, Method::PUT, &forged, &[], body).await;
    assert_eq!(answer.code(), "SignatureDoesNotMatch");
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_told_to_those_who_may_use_it() {
    let gateway = TestGateway::start().await;
    let link = gateway.link(&Method::GET, "a");
    std::fs::remove_dir(gateway.folder.path().join("data/pres-url-test")).unwrap();
    let answer = gateway.get(&link).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (404, "NoSuchBucket")
    );
    gateway.save_policy(&policy(&[])).await;
    let answer = gateway.get(&link).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (403, "AccessDenied")
    );
}

#[tokio::test]
async fn what_the_store_cannot_give_is_a_5xx_that_names_no_path() {
    let gateway = TestGateway::start().await;
    let broken = Gateway::new(
        Broken::default(),
        gateway.live.clone(),
        gateway.clock.clone(),
        Audit::off(),
        Settings::default(),
    );
    let link = gateway.link(&Method::GET, "a");
    let request = Request::get(link.strip_prefix(&gateway.endpoint()).unwrap())
        .header("host", gateway.address.to_string())
        .body(Empty::<Bytes>::new())
        .unwrap();
    let peer = Peer::plain(gateway.address);
    let response = broken.handle(request, peer, Connection::new()).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(response.headers().contains_key("x-amz-request-id"));
    let text = response.into_body().collect().await.unwrap().to_bytes();
    let text = std::str::from_utf8(&text).unwrap();
    assert!(
        text.contains("<Code>InternalError</Code>") && !text.contains("/srv"),
        "{text}"
    );
}

#[tokio::test]
async fn a_link_may_name_any_of_the_configured_regions() {
    let regions = ["us-east-1", "eu-west-1"]
        .map(|name| Region::parse(name).unwrap())
        .to_vec();
    let settings = Settings {
        regions,
        ..Settings::default()
    };
    let gateway = TestGateway::with(Wishes {
        verdict: Some(settings),
        ..Wishes::default()
    })
    .await;
    gateway.put("a.txt", "content");
    let endpoint = Endpoint::parse(&gateway.endpoint()).unwrap();
    for (region, status) in [("us-east-1", 200), ("eu-west-1", 200), ("eu-west-2", 400)] {
        let (id, secret) = (
            AccessKeyId::parse(ALICE.0).unwrap(),
            SecretKey::parse(ALICE.1.to_owned()).unwrap(),
        );
        let request = SignRequest {
            method: &Method::GET,
            endpoint: &endpoint,
            style: AddressingStyle::Path,
            bucket: Some(&BucketName::parse(BUCKET).unwrap()),
            key: Some(&ObjectKey::parse("a.txt").unwrap()),
            headers: &[],
            query: &[],
            session_token: None,
        };
        let (region, now) = (Region::parse(region).unwrap(), gateway.clock.now());
        let link = sigv4::presign(&request, &id, &secret, &region, now, Span::from_seconds(900)).unwrap();
        assert_eq!(
            gateway.get(&link.into_string()).await.status.as_u16(),
            status,
            "{region}"
        );
    }
}
