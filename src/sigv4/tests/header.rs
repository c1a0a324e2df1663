//! Signatures in the Authorization header: AWS's published examples, and every part of a request changed, one at a time.

use hmac::Mac;
use http::{HeaderMap, Method};
use proptest::prelude::*;
use time::{OffsetDateTime, macros::datetime};

use super::super::{
    AddressingStyle, Endpoint, HeaderSigned, Reject, SignRequest, Target, Terms, Verified, canonical,
    sign_header, signing_key,
};
use crate::types::{AccessKeyId, BucketName, ObjectKey, Region, RequestHead, Scheme, SecretKey, Span};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn verify(method: &str, url: &str, sent: &[(&str, &str)], now: OffsetDateTime) -> Result<Verified, Reject> {
    let headers: HeaderMap = sent
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect();
    let head = RequestHead::new(
        method.parse().unwrap(),
        Scheme::Https,
        url.parse().unwrap(),
        headers,
    )
    .unwrap();
    let query = head.query().unwrap();
    let regions = [Region::us_east_1()];
    let terms = Terms {
        now,
        regions: &regions,
        max_expires: Span::from_seconds(604_800),
    };
    let in_force = HeaderSigned::parse(&head, &query)?.in_force(&terms)?;
    let secret = SecretKey::parse(SECRET.to_owned()).unwrap();
    let key = signing_key(&secret, in_force.scope_date(), in_force.region().as_str());
    let path = head.canonical_path().map_err(|_| Reject::MalformedUri)?;
    let target = Target {
        authority: head.authority(),
        path: &path,
    };
    in_force.verify(&head, target, &key)
}

fn authorization(signed_headers: &str, signature: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders={signed_headers},Signature={signature}"
    )
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
#[test]
fn awss_published_examples_hold() {
    let host = "https://examplebucket.s3.amazonaws.com";
    let put = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
    let date = ("x-amz-date", "20130524T000000Z");
    for (method, path, signed, signature, sent) in [
        (
            "GET",
            "/test.txt",
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            vec![("range", "bytes=0-9"), ("x-amz-content-sha256", EMPTY), date],
        ),
        (
            "PUT",
            "/test%24file.text",
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            vec![
                ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                ("x-amz-content-sha256", put),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                date,
            ],
        ),
        (
            "GET",
            "/?lifecycle",
            "host;x-amz-content-sha256;x-amz-date",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            vec![("x-amz-content-sha256", EMPTY), date],
        ),
        (
            "GET",
            "/?max-keys=2&prefix=J",
            "host;x-amz-content-sha256;x-amz-date",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            vec![("x-amz-content-sha256", EMPTY), date],
        ),
    ] {
        let authorization = authorization(signed, signature);
        let sent: Vec<_> = sent
            .into_iter()
            .chain([("authorization", authorization.as_str())])
            .collect();
        let url = format!("{host}{path}");
        let outcome = verify(method, &url, &sent, datetime!(2013-05-24 0:00 UTC));
        assert!(outcome.is_ok(), "{method} {path}: {:?}", outcome.err());
        // Nothing of it can be changed.
        for at in 0..sent.len() {
            let mut changed = sent.clone();
            let longer = format!("{}0", changed[at].1);
            changed[at].1 = &longer;
            assert!(
                verify(method, &url, &changed, datetime!(2013-05-24 0:00 UTC)).is_err(),
                "{:?}",
                changed[at].0
            );
        }
        for (method, url) in [
            ("DELETE", url.clone()),
            (method, url.replace("example", "other")),
            (method, format!("{url}&x=")),
        ] {
            assert!(
                verify(method, &url, &sent, datetime!(2013-05-24 0:00 UTC)).is_err(),
                "{method} {url}"
            );
        }
    }
}

/// A parameter of the query stands in for no header here.
#[test]
fn odd_list_of_an_authorization_header_is_refused() {
    let now = datetime!(2013-05-24 0:00 UTC);
    let date = ("x-amz-date", "20130524T000000Z");
    let reject = |list: &str, signature: &str| {
        let authorization = authorization(list, signature);
        let sent = [
            date,
            ("x-amz-content-sha256", EMPTY),
            ("authorization", &authorization),
        ];
        verify("GET", "https://h/b/k?x-amz-acl=private", &sent, now).err()
    };
    let all = "host;x-amz-content-sha256;x-amz-date";
    let unsigned = "0".repeat(64);
    for list in [
        format!(";{all}"),
        format!("{all};host"),
        format!("{all};"),
        format!("{all};X-Amz-Date"),
    ] {
        let name = reject(&list, &unsigned).map(|reject| reject.name());
        assert_eq!(name, Some("SignedHeadersMalformed"), "{list}");
    }
    for list in [format!("if-match;{all}"), format!("x-amz-acl;{all}")] {
        let Some(Reject::Mismatch(mismatch)) = reject(&list, &unsigned) else {
            panic!("{list} was signed by nobody");
        };
        let key = signing_key(
            &SecretKey::parse(SECRET.to_owned()).unwrap(),
            "20130524",
            "us-east-1",
        );
        let mac = canonical::signed(&key, mismatch.string_to_sign.expose_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        let name = reject(&list, &signature).map(|reject| reject.name());
        assert_eq!(name, Some("Mismatch"), "{list} names a header that was not sent");
    }
}

#[test]
fn the_date_may_come_in_the_date_header_in_http_form_or_its_own() {
    let bucket = BucketName::parse("abc").unwrap();
    let now = datetime!(2026-11-24 12:00 UTC);
    let request = SignRequest {
        method: &Method::GET,
        endpoint: &Endpoint::parse("https://h").unwrap(),
        style: AddressingStyle::Path,
        bucket: Some(&bucket),
        key: None,
        headers: &[],
        query: &[],
        session_token: None,
    };
    let id = AccessKeyId::parse("AKIAIOSFODNN7EXAMPLE").unwrap();
    let secret = SecretKey::parse(SECRET.to_owned()).unwrap();
    let signed = sign_header(&request, &id, &secret, &Region::us_east_1(), now, EMPTY).unwrap();
    let sent: Vec<_> = signed
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    assert!(verify("GET", &signed.url, &sent, now).is_ok());
    for (date, name) in [
        ("Tue, 24 Nov 2026 12:00:00 GMT", "HeadersNotSigned"),
        ("20261124T120000Z", "Mismatch"),
        ("Tue, 24 Nov 2026 12:00:00", "DateMissing"),
        ("1795521600", "DateMissing"),
    ] {
        // Without x-amz-date the Date header tells the time, and what was signed is another request.
        let mut sent: Vec<_> = sent
            .iter()
            .copied()
            .filter(|(name, _)| *name != "x-amz-date")
            .collect();
        sent.push(("date", date));
        let reject = verify("GET", &signed.url, &sent, now).unwrap_err().name();
        assert!(
            reject == name || (name != "DateMissing" && reject == "Mismatch"),
            "{date}: {reject}"
        );
    }
}

proptest! {
    #[test]
    fn what_is_signed_verifies_and_nothing_else_does(
        key in "\\PC{1,20}",
        query in prop::collection::vec(("[a-zA-Z +/%&=é-]{1,8}", "\\PC{0,8}"), 0..4),
        value in "[ -~]{0,20}",
        flip in any::<prop::sample::Index>(),
    ) {
        let now = datetime!(2026-11-24 12:00 UTC);
        let (bucket, key) = (BucketName::parse("abc").unwrap(), ObjectKey::parse(&key).unwrap());
        let headers = [("x-amz-meta-a".to_owned(), value)];
        let request = SignRequest {
            method: &Method::PUT,
            endpoint: &Endpoint::parse("https://h:9000").unwrap(),
            style: AddressingStyle::Path,
            bucket: Some(&bucket),
            key: Some(&key),
            headers: &headers,
            query: &query,
            session_token: None,
        };
        let id = AccessKeyId::parse("AKIAIOSFODNN7EXAMPLE").unwrap();
        let secret = SecretKey::parse(SECRET.to_owned()).unwrap();
        let signed = sign_header(&request, &id, &secret, &Region::us_east_1(), now, "UNSIGNED-PAYLOAD").unwrap();
        let sent: Vec<_> = signed.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap().to_owned())).collect();
        let borrowed: Vec<_> = sent.iter().map(|(name, value)| (*name, value.as_str())).collect();
        prop_assert!(verify("PUT", &signed.url, &borrowed, now).is_ok());
        let tampered: Vec<_> = sent.iter().map(|(name, value)| match *name {
            "authorization" => {
                let (front, digits) = value.rsplit_once('=').unwrap();
                let at = flip.index(digits.len());
                let mut digits = digits.to_owned().into_bytes();
                digits[at] = if digits[at] == b'0' { b'1' } else { b'0' };
                (*name, format!("{front}={}", String::from_utf8(digits).unwrap()))
            }
            _ => (*name, value.clone()),
        }).collect();
        let borrowed: Vec<_> = tampered.iter().map(|(name, value)| (*name, value.as_str())).collect();
        prop_assert_eq!(verify("PUT", &signed.url, &borrowed, now).unwrap_err().name(), "Mismatch");
    }
}
