//! S3's refusals over time, scope, headers and tokens: their order, and the data that their errors show.

use hmac::Mac;
use http::Method;
use proptest::prelude::*;
use time::{Duration, OffsetDateTime, macros::datetime};

use super::{
    super::{
        AddressingStyle, Endpoint, Presigned, Reject, ScopeReject, SignRequest, Target, Terms, canonical,
        presign, signing_key,
    },
    Request, SECRET, example, name,
};
use crate::types::{AccessKeyId, BucketName, CanonicalPath, ObjectKey, Query, Region, SecretKey, Span};

const SIGNED_AT: OffsetDateTime = datetime!(2013-05-24 0:00 UTC);

#[test]
fn a_link_is_good_from_15_minutes_before_its_date_to_its_last_second() {
    for (after, expected) in [
        (Duration::seconds(-901), "NotYetValid"),
        (Duration::seconds(-900), "Verified"),
        (Duration::seconds(0), "Verified"),
        (Duration::seconds(86_399), "Verified"),
        (Duration::seconds(86_400), "Expired"),
        (Duration::days(4_000), "Expired"),
        (Duration::days(-4_000), "NotYetValid"),
    ] {
        assert_eq!(name(&example().verify_at(SIGNED_AT + after)), expected, "{after}");
    }
}

#[test]
fn an_expired_link_tells_life_end_and_time() {
    let now = datetime!(2013-05-26 0:00 UTC);
    let Err(Reject::Expired {
        expires_seconds,
        expired_at,
        server_time,
    }) = example().verify_at(now)
    else {
        panic!("not expired");
    };
    assert_eq!(
        (expires_seconds, expired_at, server_time),
        (86_400, datetime!(2013-05-25 0:00 UTC), now)
    );
}

#[test]
fn a_link_from_the_future_tells_date_end_and_time() {
    let now = datetime!(2013-05-20 0:00 UTC);
    let Err(Reject::NotYetValid {
        signed_at,
        expires_at,
        server_time,
    }) = example().verify_at(now)
    else {
        panic!("not refused");
    };
    assert_eq!(
        (signed_at, expires_at, server_time),
        (SIGNED_AT, datetime!(2013-05-25 0:00 UTC), now)
    );
}

#[test]
fn a_life_of_nothing_has_expired_even_at_its_own_second_and_before() {
    for now in [
        SIGNED_AT,
        SIGNED_AT - Duration::minutes(5),
        SIGNED_AT - Duration::days(1),
    ] {
        let request = example().set("X-Amz-Expires", "0");
        assert_eq!(name(&request.verify_at(now)), "Expired", "{now}");
    }
}

#[test]
fn a_date_at_the_end_of_time_is_refused_and_does_not_overflow() {
    let request = example().set("X-Amz-Date", "99991231T235959Z");
    assert_eq!(name(&request.verify_at(SIGNED_AT)), "NotYetValid");
    assert_eq!(
        name(&example().verify_at(datetime!(9999-12-31 23:59:59 UTC))),
        "Expired"
    );
}

#[test]
fn shape_comes_before_time_and_time_before_scope() {
    let late = datetime!(2020-01-01 0:00 UTC);
    for (expected, request) in [
        (
            "Algorithm",
            example()
                .set("X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256")
                .set("X-Amz-Date", "x"),
        ),
        (
            "CredentialMalformed",
            example().set("X-Amz-Credential", "x").set("X-Amz-Date", "x"),
        ),
        (
            "DateMalformed",
            example().set("X-Amz-Date", "x").set("X-Amz-Expires", "x"),
        ),
        ("ExpiresNotANumber", example().set("X-Amz-Expires", "x")),
        ("ExpiresNegative", example().set("X-Amz-Expires", "-1")),
        ("ExpiresOverAWeek", example().set("X-Amz-Expires", "604801")),
        (
            "Expired",
            example().set("X-Amz-Credential", "AKID%2Fx%2Fx%2Fx%2Fx"),
        ),
    ] {
        assert_eq!(name(&request.verify_at(late)), expected);
    }
    for (expected, credential) in [
        ("ScopeDateMalformed", "AKID%2Fx%2Fx%2Fx%2Fx"),
        ("ScopeDateDiffers", "AKID%2F20130523%2Fx%2Fx%2Fx"),
        ("Region", "AKID%2F20130524%2Fx%2Fx%2Fx"),
        ("Service", "AKID%2F20130524%2Fus-east-1%2Fx%2Fx"),
        ("Terminator", "AKID%2F20130524%2Fus-east-1%2Fs3%2Fx"),
        ("Mismatch", "AKID%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"),
    ] {
        let request = example().set("X-Amz-Credential", credential);
        assert_eq!(name(&request.verify_at(SIGNED_AT)), expected);
    }
}

#[test]
fn a_wrong_scope_tells_what_was_given_and_what_was_expected() {
    let refused = |credential| {
        example()
            .set("X-Amz-Credential", credential)
            .verify_at(SIGNED_AT)
            .unwrap_err()
    };
    let Reject::Scope {
        reject: ScopeReject::Region { given, expected },
        ..
    } = refused("A%2F20130524%2Fmars%0A%2Fs3%2Faws4_request")
    else {
        panic!("not the region");
    };
    assert_eq!((given.as_str(), expected.as_str()), ("mars\n", "us-east-1"));
    let Reject::Scope {
        reject: ScopeReject::DateDiffers { given, expected },
        ..
    } = refused("A%2F20130523%2Fmars%2Fs3%2Faws4_request")
    else {
        panic!("not the date");
    };
    assert_eq!((given.as_str(), expected.as_str()), ("20130523", "20130524"));
    let printed = refused("A%2F20130524%2Fmars%0A%2Fs3%2Faws4_request").to_string();
    assert!(!printed.contains('\n'), "a log line stays one line: {printed}");
}

#[test]
fn the_operators_shorter_life_is_refused_with_its_figure() {
    let request = example();
    let head = request.head();
    let query = head.query().unwrap();
    let regions = [Region::parse("us-east-1").unwrap()];
    let in_force = |seconds| {
        let terms = Terms {
            now: SIGNED_AT,
            regions: &regions,
            max_expires: Span::from_seconds(seconds),
        };
        Presigned::parse(&query).unwrap().in_force(&terms)
    };
    assert!(in_force(86_400).is_ok());
    assert!(in_force(u64::MAX).is_ok());
    let Some(Reject::ExpiresOverCap { max }) = in_force(86_399).err() else {
        panic!("not refused");
    };
    assert_eq!(max.seconds(), 86_399);
}

#[test]
fn unsigned_headers_are_told_sorted() {
    let mut request = example();
    for name in [
        "x-amz-meta-b",
        "range",
        "x-amz-acl",
        "x-amz-meta-b",
        "x-amz-content-sha256",
    ] {
        request
            .headers
            .push((name.to_owned(), "UNSIGNED-PAYLOAD".to_owned()));
    }
    let Err(Reject::HeadersNotSigned { names }) = request.set("X-Amz-SignedHeaders", "range").verify() else {
        panic!("not refused");
    };
    assert_eq!(names, ["host", "x-amz-acl", "x-amz-meta-b"]);
}

#[test]
fn a_session_token_with_a_permanent_key_is_told_only_once_the_signature_holds() {
    let endpoint = Endpoint::parse("http://localhost:9000").unwrap();
    let sign = SignRequest {
        method: &Method::GET,
        endpoint: &endpoint,
        style: AddressingStyle::Path,
        bucket: Some(&BucketName::parse("films").unwrap()),
        key: Some(&ObjectKey::parse("a.mp4").unwrap()),
        headers: &[],
        query: &[],
        session_token: Some("to/ken="),
    };
    let id = AccessKeyId::parse("AKID").unwrap();
    let secret = SecretKey::parse(SECRET.to_owned()).unwrap();
    let region = Region::parse("us-east-1").unwrap();
    let url = presign(&sign, &id, &secret, &region, SIGNED_AT, Span::from_seconds(60)).unwrap();
    let request = Request::of_url("GET", &url.into_string(), &[]);
    let Err(Reject::UnexpectedToken { token }) = request.verify_at(SIGNED_AT) else {
        panic!("not refused");
    };
    assert_eq!(token.expose(), "to/ken=");
    assert_eq!(name(&request.verify_with(SIGNED_AT, "made-up")), "Mismatch");
}

#[test]
fn a_session_token_in_a_signed_header_is_as_unexpected() {
    let mut request = example().set("X-Amz-SignedHeaders", "host%3Bx-amz-security-token");
    request
        .headers
        .push(("x-amz-security-token".to_owned(), "to/ken=".to_owned()));
    let Err(Reject::Mismatch(mismatch)) = request.verify_at(SIGNED_AT) else {
        panic!("the signature is of another list");
    };
    let secret = SecretKey::parse(SECRET.to_owned()).unwrap();
    let key = signing_key(&secret, "20130524", "us-east-1");
    let mac = canonical::signed(&key, mismatch.string_to_sign.expose_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    let Err(Reject::UnexpectedToken { token }) =
        request.set("X-Amz-Signature", &signature).verify_at(SIGNED_AT)
    else {
        panic!("not refused");
    };
    assert_eq!(token.expose(), "to/ken=");
}

#[test]
fn a_link_verifies_for_the_origin_that_it_was_signed_for_and_comes_out_with_it() {
    let request = example();
    let mut behind_a_proxy = request.clone();
    behind_a_proxy.host = "postern:9000".to_owned();
    behind_a_proxy.path = "/stripped".to_owned();
    let head = behind_a_proxy.head();
    let query = head.query().unwrap();
    let regions = [Region::parse("us-east-1").unwrap()];
    let terms = Terms {
        now: SIGNED_AT,
        regions: &regions,
        max_expires: Span::from_seconds(604_800),
    };
    let in_force = Presigned::parse(&query)
        .unwrap()
        .in_force(&terms)
        .unwrap_or_else(|r| panic!("{r}"));
    let secret = SecretKey::parse(SECRET.to_owned()).unwrap();
    let key = signing_key(&secret, in_force.scope_date(), in_force.region().as_str());
    let tried = |authority, path| {
        let path = CanonicalPath::parse(path).unwrap();
        let target = Target {
            authority,
            path: &path,
        };
        in_force.verify(&head, target, &key)
    };
    assert_eq!(name(&tried(head.authority(), head.path())), "Mismatch");
    let verified = tried(&request.host, &request.path).unwrap();
    assert_eq!(
        verified.target(),
        Target {
            authority: &request.host,
            path: &CanonicalPath::parse("/test.txt").unwrap()
        }
    );
    assert_eq!(verified.access_key_id().as_str(), "AKIAIOSFODNN7EXAMPLE");
    assert_eq!(
        (verified.signed_at(), verified.region()),
        (SIGNED_AT, &regions[0])
    );
    assert_eq!(
        verified.link_id().to_string(),
        verified.seed_signature().link_id().to_string()
    );
}

proptest! {
    /// Stands in for a fuzz target: whatever the query and the path, there is an answer.
    #[test]
    fn any_request_is_answered(
        path in "/[ -~]{0,20}",
        values in prop::collection::vec("[!-~é]{0,20}|[0-9TZ]{15,17}|AKID(/[a-z0-9_-]{0,9}){3,5}", 6),
        extra in "[!-~]{0,20}",
    ) {
        let names = ["Algorithm=AWS4-HMAC-SHA256&a", "Credential", "Date", "Expires", "SignedHeaders", "Signature"];
        let pairs: Vec<_> = names.iter().zip(&values).map(|(n, v)| format!("X-Amz-{n}={v}")).collect();
        let raw = format!("{}&{extra}", pairs.join("&"));
        let Ok(query) = Query::parse(&raw) else { return Ok(()) };
        let regions = [Region::parse("us-east-1").unwrap()];
        let terms = Terms { now: SIGNED_AT, regions: &regions, max_expires: Span::from_seconds(604_800) };
        let reject = Presigned::parse(&query).and_then(|presigned| presigned.in_force(&terms)).err();
        prop_assert!(reject.is_some(), "random text is never in force");
        let head = example().head();
        let key = signing_key(&SecretKey::parse(SECRET.to_owned()).unwrap(), "20130524", "us-east-1");
        let query = head.query().unwrap();
        let in_force = Presigned::parse(&query).unwrap().in_force(&terms).unwrap_or_else(|r| panic!("{r}"));
        let Ok(path) = CanonicalPath::parse(&path) else { return Ok(()) };
        let tried = in_force.verify(&head, Target { authority: &extra, path: &path }, &key);
        prop_assert_eq!(name(&tried), "Mismatch");
    }
}

/// The request with the right signature for its own text, however odd its list of signed headers is.
fn signed_as_it_is(request: &Request) -> Request {
    let head = request.head();
    let query = head.query().unwrap();
    let canonical_request = canonical::CanonicalRequest {
        method: head.method(),
        authority: head.authority(),
        path: &head.canonical_path().unwrap(),
        query: &query,
        headers: head.headers(),
        signed_headers: query.first("X-Amz-SignedHeaders").unwrap(),
        payload: "UNSIGNED-PAYLOAD",
    };
    let string_to_sign = canonical::StringToSign {
        date: "20130524T000000Z",
        scope_date: "20130524",
        region: "us-east-1",
        canonical_request: &canonical_request.bytes(),
    };
    let key = signing_key(
        &SecretKey::parse(SECRET.to_owned()).unwrap(),
        "20130524",
        "us-east-1",
    );
    let mac = canonical::signed(&key, &string_to_sign.bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    request.clone().set("X-Amz-Signature", &signature)
}

/// Names must be well formed, each once, and each header must be there.
#[test]
fn odd_list_of_signed_headers_is_refused() {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    for (list, expected) in [
        ("host", "Verified"),
        ("Host", "Verified"),
        ("range%3Bhost", "Verified"),
        ("host%3Bx-amz-acl", "Verified"),
        ("%3Bhost", "SignedHeadersMalformed"),
        ("host%3B", "SignedHeadersMalformed"),
        ("host%3B%3Brange", "SignedHeadersMalformed"),
        ("host%3Bhost", "SignedHeadersMalformed"),
        ("host%3BHost", "SignedHeadersMalformed"),
        ("range%3Bhost%3Brange", "SignedHeadersMalformed"),
        ("host%3Ba%20b", "SignedHeadersMalformed"),
        ("host%3B%0Ax", "SignedHeadersMalformed"),
        ("host,range", "SignedHeadersMalformed"),
        ("host%3Bif-match", "Mismatch"),
        ("host%3Bx-amz-copy-source", "Mismatch"),
    ] {
        let mut request = example().set("X-Amz-SignedHeaders", list);
        request.headers.push(header("range", "bytes=0-9"));
        request.query.push(header("X-Amz-Acl", "private"));
        let request = signed_as_it_is(&request);
        assert_eq!(name(&request.verify_at(SIGNED_AT)), expected, "{list}");
    }
}
