//! The tamper matrix: each valid request with each one thing changed ends in its own refusal.

use super::{Request, example, fixtures, name};

type Change = fn(&mut Request);

fn push(text: &mut String, tail: &str) {
    text.push_str(tail);
}

fn remove(request: &mut Request, name: &str) {
    request.query.retain(|(n, _)| n != name);
}

fn credential(request: &mut Request, from: &str, to: &str) {
    let value = request.parameter("X-Amz-Credential");
    assert!(value.contains(from));
    *value = value.replace(from, to);
}

fn header(request: &mut Request, name: &str, value: &str) {
    request.headers.push((name.to_owned(), value.to_owned()));
}

const MATRIX: &[(&str, &str, Change)] = &[
    ("nothing", "Verified", |_| ()),
    ("an unsigned header that is not x-amz-*", "Verified", |r| {
        header(r, "range", "bytes=0-9")
    }),
    ("method", "Mismatch", |r| r.method = "PATCH".to_owned()),
    ("host", "Mismatch", |r| push(&mut r.host, "0")),
    ("path", "Mismatch", |r| push(&mut r.path, "x")),
    ("path, one slash more", "Mismatch", |r| r.path.insert(0, '/')),
    ("path, a dot segment", "Mismatch", |r| r.path.insert_str(0, "/.")),
    ("path, a broken escape", "MalformedUri", |r| {
        push(&mut r.path, "%zz")
    }),
    ("one parameter more", "Mismatch", |r| {
        r.query.push(("acl".to_owned(), String::new()))
    }),
    ("one parameter more, a response override", "Mismatch", |r| {
        r.query
            .push(("response-content-type".to_owned(), "text/html".to_owned()))
    }),
    ("no algorithm", "MissingParameter", |r| {
        remove(r, "X-Amz-Algorithm")
    }),
    ("no credential", "MissingParameter", |r| {
        remove(r, "X-Amz-Credential")
    }),
    ("no date", "MissingParameter", |r| remove(r, "X-Amz-Date")),
    ("no life", "MissingParameter", |r| remove(r, "X-Amz-Expires")),
    ("no signed headers", "MissingParameter", |r| {
        remove(r, "X-Amz-SignedHeaders")
    }),
    ("no signature", "MissingParameter", |r| {
        remove(r, "X-Amz-Signature")
    }),
    ("algorithm", "Algorithm", |r| {
        push(r.parameter("X-Amz-Algorithm"), "0")
    }),
    ("access key id", "Mismatch", |r| {
        r.parameter("X-Amz-Credential").insert(0, 'B')
    }),
    ("scope's date", "ScopeDateDiffers", |r| {
        credential(r, "20130524", "20130523")
    }),
    ("scope's date, malformed", "ScopeDateMalformed", |r| {
        credential(r, "20130524", "2013-05-24")
    }),
    ("region, one that the gateway does not have", "Region", |r| {
        credential(r, "us-east-1", "us-east-2")
    }),
    ("region, another of the gateway's", "Mismatch", |r| {
        credential(r, "us-east-1", "eu-west-1")
    }),
    ("service", "Service", |r| credential(r, "%2Fs3%2F", "%2Fec2%2F")),
    ("terminator", "Terminator", |r| {
        credential(r, "aws4_request", "aws4_requests")
    }),
    ("credential, a part less", "CredentialMalformed", |r| {
        "20130524%2Fus-east-1%2Fs3%2Faws4_request".clone_into(r.parameter("X-Amz-Credential"))
    }),
    ("date, a second later", "Mismatch", |r| {
        "20130524T000001Z".clone_into(r.parameter("X-Amz-Date"))
    }),
    ("date, a day later", "ScopeDateDiffers", |r| {
        "20130525T000000Z".clone_into(r.parameter("X-Amz-Date"))
    }),
    ("date, malformed", "DateMalformed", |r| {
        push(r.parameter("X-Amz-Date"), "0")
    }),
    ("life, a second less", "Mismatch", |r| {
        let shorter = r.parameter("X-Amz-Expires").parse::<u32>().unwrap() - 1;
        *r.parameter("X-Amz-Expires") = shorter.to_string();
    }),
    ("signed headers, one more", "Mismatch", |r| {
        push(r.parameter("X-Amz-SignedHeaders"), "%3Bx-more")
    }),
    ("signed headers, none", "HeadersNotSigned", |r| {
        r.parameter("X-Amz-SignedHeaders").clear()
    }),
    ("signature, empty", "Mismatch", |r| {
        r.parameter("X-Amz-Signature").clear()
    }),
    ("signature, short", "Mismatch", |r| {
        r.parameter("X-Amz-Signature").truncate(63)
    }),
    ("signature, long", "Mismatch", |r| {
        push(r.parameter("X-Amz-Signature"), "00")
    }),
    ("signature, upper case", "Mismatch", |r| {
        let upper = r.parameter("X-Amz-Signature").to_ascii_uppercase();
        *r.parameter("X-Amz-Signature") = upper;
    }),
    ("signature, twice", "Mismatch", |r| {
        let copy = r.parameter("X-Amz-Signature").clone();
        r.query.push(("X-Amz-Signature".to_owned(), copy));
    }),
    ("signature, another before it", "Mismatch", |r| {
        r.query.insert(0, ("X-Amz-Signature".to_owned(), "0".repeat(64)))
    }),
    ("date, twice", "Mismatch", |r| {
        r.query
            .push(("X-Amz-Date".to_owned(), "20130524T000000Z".to_owned()))
    }),
    ("unsigned copy source", "HeadersNotSigned", |r| {
        header(r, "x-amz-copy-source", "/private/key")
    }),
    ("unsigned token header", "HeadersNotSigned", |r| {
        header(r, "x-amz-security-token", "t")
    }),
    ("unsigned token parameter", "Mismatch", |r| {
        r.query.push(("X-Amz-Security-Token".to_owned(), "t".to_owned()))
    }),
    ("payload line", "Mismatch", |r| {
        r.headers.retain(|(name, _)| name != "x-amz-content-sha256");
        header(r, "x-amz-content-sha256", &"0a".repeat(32));
    }),
    ("payload line, to a stream", "Mismatch", |r| {
        r.headers.retain(|(name, _)| name != "x-amz-content-sha256");
        header(r, "x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    }),
    ("payload line, malformed", "PayloadHashMalformed", |r| {
        r.headers.retain(|(name, _)| name != "x-amz-content-sha256");
        header(r, "x-amz-content-sha256", "STREAMING-");
    }),
];

#[test]
fn each_change_of_each_valid_request_ends_in_its_own_refusal() {
    for (case, _, request) in fixtures() {
        for (change, expected, apply) in MATRIX {
            let mut changed = request.clone();
            apply(&mut changed);
            assert_eq!(name(&changed.verify()), *expected, "{case}: {change}");
        }
    }
}

#[test]
fn every_signed_header_counts() {
    let mut signed = 0;
    for (case, _, request) in fixtures() {
        let list = request.clone().parameter("X-Amz-SignedHeaders").clone();
        for at in 0..request.headers.len() {
            let header = request.headers[at].0.clone();
            if !list.split("%3B").any(|name| name == header) || header == "x-amz-content-sha256" {
                continue;
            }
            signed += 1;
            let mut changed = request.clone();
            push(&mut changed.headers[at].1, "x");
            assert_eq!(name(&changed.verify()), "Mismatch", "{case}: {header} changed");
            let mut removed = request.clone();
            removed.headers.remove(at);
            assert_eq!(name(&removed.verify()), "Mismatch", "{case}: {header} removed");
        }
    }
    assert!(signed >= 6, "the fixtures sign headers");
}

#[test]
fn another_secret_does_not_verify() {
    for (case, _, request) in fixtures() {
        let now = time::macros::datetime!(2013-05-24 0:01 UTC);
        assert_eq!(name(&request.verify_with(now, "made-up")), "Mismatch", "{case}");
    }
}

#[test]
fn a_refusal_prints_nothing_that_could_be_replayed() {
    for (case, _, request) in fixtures() {
        for (change, expected, apply) in MATRIX {
            let mut changed = request.clone();
            let signature = changed.parameter("X-Amz-Signature").clone();
            apply(&mut changed);
            let printed = format!("{:?}", changed.verify());
            assert!(
                !printed.contains(&signature[..16]),
                "{case}: {change}: {expected}: {printed}"
            );
            assert!(
                !printed.contains("X-Amz-Signature="),
                "{case}: {change}: {printed}"
            );
        }
    }
    let token = "the-token-itself";
    let mut request = example();
    request
        .headers
        .push(("x-amz-security-token".to_owned(), token.to_owned()));
    assert!(!format!("{:?}", request.verify()).contains(token));
}
