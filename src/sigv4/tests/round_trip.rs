//! What is signed here verifies here, whatever the key, method, headers and parameters; and one byte changed does not.

use http::Method;
use proptest::prelude::*;
use time::{OffsetDateTime, macros::datetime};

use super::{
    super::{AddressingStyle, Endpoint, SignError, SignRequest, presign},
    Request, SECRET, name,
};
use crate::types::{AccessKeyId, BucketName, ObjectKey, Region, SecretKey, Span};

const NOW: OffsetDateTime = datetime!(2026-11-24 4:05:06.789 UTC);

fn sign(
    method: &str,
    endpoint: &str,
    style: AddressingStyle,
    key: Option<&str>,
    headers: &[(String, String)],
    query: &[(String, String)],
) -> Result<String, SignError> {
    let key = key.map(|key| ObjectKey::parse(key).unwrap());
    let request = SignRequest {
        method: &method.parse::<Method>().unwrap(),
        endpoint: &Endpoint::parse(endpoint)?,
        style,
        bucket: Some(&BucketName::parse("films").unwrap()),
        key: key.as_ref(),
        headers,
        query,
        session_token: None,
    };
    let id = AccessKeyId::parse("team/alice").unwrap();
    let secret = SecretKey::parse(SECRET.to_owned()).unwrap();
    let region = Region::parse("us-east-1").unwrap();
    presign(&request, &id, &secret, &region, NOW, Span::from_seconds(900)).map(|url| url.into_string())
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

fn styles() -> impl Strategy<Value = AddressingStyle> {
    prop_oneof![Just(AddressingStyle::Path), Just(AddressingStyle::VirtualHost)]
}

prop_compose! {
    fn links()(
        method in prop_oneof![Just("GET"), Just("HEAD"), Just("PUT"), Just("DELETE"), Just("POST")],
        style in styles(),
        key in prop::string::string_regex(".{1,40}").unwrap(),
        headers in prop::collection::vec(("x-amz-meta-[a-z]{1,4}|content-type", "[ -~]{0,12}"), 0..4),
        query in prop::collection::vec((".{1,8}", ".{0,12}"), 0..4),
    ) -> Request {
        let url = sign(method, "http://localhost:9000/prefix", style, Some(&key), &headers, &query).unwrap();
        Request::of_url(method, &url, &headers)
    }
}

proptest! {
    #[test]
    fn what_is_signed_verifies(request in links()) {
        prop_assert_eq!(name(&request.verify_at(NOW)), "Verified");
    }

    #[test]
    fn a_changed_byte_anywhere_in_the_signed_parts_is_refused(
        request in links(),
        part in 0..4,
        at in any::<prop::sample::Index>(),
        to in prop::sample::select(b"abcXYZ019".to_vec()),
    ) {
        let mut changed = request.clone();
        let text = match part {
            0 => &mut changed.path,
            1 => &mut changed.host,
            2 => {
                let which = at.index(changed.query.len());
                &mut changed.query[which].1
            }
            _ => {
                let which = at.index(changed.query.len());
                &mut changed.query[which].0
            }
        };
        prop_assume!(!text.is_empty());
        let at = at.index(text.len());
        // An escape's digits may change their case without changing the byte: leave escapes whole.
        prop_assume!(!text.contains('%') && text.as_bytes()[at] != to && text.as_bytes()[at] != b'/');
        text.replace_range(at..=at, &char::from(to).to_string());
        prop_assert_ne!(name(&changed.verify_at(NOW)), "Verified");
    }

    #[test]
    fn a_changed_signed_header_is_refused(value in "[!-~]{1,12}", other in "[!-~]{1,12}") {
        prop_assume!(value != other);
        let url = sign("PUT", "http://h", AddressingStyle::Path, Some("k"), &pairs(&[("x-amz-acl", &value)]), &[]);
        let request = Request::of_url("PUT", &url.unwrap(), &pairs(&[("x-amz-acl", &other)]));
        prop_assert_eq!(name(&request.verify_at(NOW)), "Mismatch");
    }
}

#[test]
fn urls_are_shaped_as_asked() {
    for (endpoint, style, key, expected) in [
        (
            "http://localhost:9000",
            AddressingStyle::Path,
            Some("a b+c/ä%"),
            "http://localhost:9000/films/a%20b%2Bc/%C3%A4%25?",
        ),
        (
            "http://localhost:9000",
            AddressingStyle::VirtualHost,
            Some("/a"),
            "http://films.localhost:9000//a?",
        ),
        (
            "https://h:443/",
            AddressingStyle::Path,
            Some("a"),
            "https://h/films/a?",
        ),
        (
            "http://h:80/s3/",
            AddressingStyle::Path,
            Some("a"),
            "http://h/s3/films/a?",
        ),
        ("http://h:443", AddressingStyle::Path, None, "http://h:443/films?"),
        ("http://h", AddressingStyle::VirtualHost, None, "http://films.h/?"),
    ] {
        let url = sign("GET", endpoint, style, key, &[], &[]).unwrap();
        assert!(url.starts_with(expected), "{expected} {url}");
        assert!(url.contains(
            "X-Amz-Date=20261124T040506Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature="
        ));
        assert_eq!(
            name(&Request::of_url("GET", &url, &[]).verify_at(NOW)),
            "Verified"
        );
    }
}

#[test]
fn what_could_not_verify_is_not_signed() {
    let sign = |endpoint, headers: &[(&str, &str)], query: &[(&str, &str)]| {
        sign(
            "GET",
            endpoint,
            AddressingStyle::Path,
            Some("k"),
            &pairs(headers),
            &pairs(query),
        )
    };
    for endpoint in [
        "",
        "localhost:9000",
        "ftp://h",
        "http://",
        "http://u@h",
        "http://h?a=b",
        "http://h/#a",
    ] {
        assert_eq!(sign(endpoint, &[], &[]), Err(SignError::Endpoint), "{endpoint}");
    }
    assert_eq!(sign("http://h/%zz", &[], &[]), Err(SignError::Prefix));
    for header in ["host", "Authorization", "x-amz-security-token", "a b", ""] {
        assert_eq!(
            sign("http://h", &[(header, "v")], &[]),
            Err(SignError::Header(header.to_owned()))
        );
    }
    assert_eq!(
        sign("http://h", &[("x-a", "a\nb")], &[]),
        Err(SignError::Header("x-a".to_owned()))
    );
    for parameter in [
        "",
        "X-Amz-Expires",
        "x-amz-signature",
        "Signature",
        "X-Amz-Security-Token",
    ] {
        assert_eq!(
            sign("http://h", &[], &[(parameter, "v")]),
            Err(SignError::Parameter(parameter.to_owned()))
        );
    }
}

#[test]
fn a_life_is_from_a_second_to_a_week() {
    let id = AccessKeyId::parse("AKID").unwrap();
    let secret = SecretKey::parse(SECRET.to_owned()).unwrap();
    let region = Region::parse("us-east-1").unwrap();
    let request = SignRequest {
        method: &Method::GET,
        endpoint: &Endpoint::parse("http://h").unwrap(),
        style: AddressingStyle::Path,
        bucket: Some(&BucketName::parse("films").unwrap()),
        key: None,
        headers: &[],
        query: &[],
        session_token: None,
    };
    for (seconds, good) in [(0, false), (1, true), (604_800, true), (604_801, false)] {
        let signed = presign(&request, &id, &secret, &region, NOW, Span::from_seconds(seconds));
        assert_eq!(signed.is_ok(), good, "{seconds}");
        if let Ok(url) = signed {
            assert_eq!(
                (url.expires_at() - NOW).whole_seconds(),
                i64::try_from(seconds).unwrap() - 1,
                "whole seconds"
            );
        }
    }
}
