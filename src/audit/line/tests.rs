//! Lines, held against the form that a record is written in.

use proptest::{option, prelude::*};
use time::macros::datetime;

use super::*;
use crate::{
    audit::{Outcome, Record, RequestName},
    policy::{
        Decision, Denial, GivenContext, PolicyFile, References, RevocationReference, Snapshot,
        StatementReference,
    },
    types::{
        AccessKeyId, Action, Announced, BucketName, LinkId, ObjectKey, Peer, Resource, Scheme, TlsVersion,
    },
};

const LINK: &str = "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925";

fn line(entry: &Entry) -> String {
    let mut line = Vec::new();
    entry.write_line(&mut line);
    String::from_utf8(line).unwrap()
}

/// The same by way of a record.
fn plain(entry: &Entry) -> String {
    String::from_utf8(Record::from(entry.clone()).line()).unwrap()
}

fn peer(address: &str) -> Peer {
    Peer::plain(address.parse().unwrap())
}

/// Of whom nothing is known.
fn stranger() -> Entry {
    Entry::begun(
        datetime!(2026-11-24 12:00:07 UTC),
        RequestName::new(*b"D16ED4D2D9A31C35"),
        peer("203.0.113.7:51544").into(),
        http::Method::GET,
    )
}

/// With everything that an entry can have.
fn full() -> Entry {
    let (statement, _) = rules();
    Entry {
        time: datetime!(2026-11-24 13:00:07.042_999 +1),
        client: Peer {
            announced: Announced::Client("[2001:db8::7]:80".parse().unwrap()),
            ..peer("10.0.0.1:65535")
        }
        .into(),
        user_agent: Some("a \"player\"/1.0\n\u{1b}[31m \\ \u{7f} é \u{2028}".to_owned()),
        range: Some("bytes=0-".to_owned()),
        signer: Some("al\"ice".into()),
        access_key_id: Some(AccessKeyId::parse("AKIA\"ALICE").unwrap()),
        link_id: LinkId::parse(LINK),
        mechanism: Some("query"),
        signed_at: Some(datetime!(2026-11-24 12:00 UTC)),
        expires_at: Some(datetime!(2026-11-30 12:00:00.5 -2)),
        origin: Some("https://files.example".into()),
        operation: Some("CopyObject"),
        action: Some("s3:PutObject"),
        bucket: Some(BucketName::parse("films").unwrap()),
        key: Some(ObjectKey::parse("ä\t\"\u{0}.mp4").unwrap()),
        source: Some((
            BucketName::parse("films").unwrap(),
            ObjectKey::parse("b\\\n/\".mp4").unwrap(),
        )),
        decided_by: Some(Decided::Statement(statement)),
        generation: 3,
        outcome: Outcome::Served,
        status: Some(206),
        code: Some("NoSuchKey"),
        reason: Some("Missing"),
        bytes_sent: u64::MAX,
        bytes_received: 7,
        completed: true,
        duration: Duration::from_nanos(1_641_234_567),
        ..stranger()
    }
}

/// A statement and a rule that revokes, whose texts need escaping.
fn rules() -> (StatementReference, RevocationReference) {
    let text = format!(
        "[[signer]]\nname = 'alice'\naccess_key_id = 'AKIAALICE00000000000'\nsecret_access_key = '{LINK}'\n\
         [[signer.statement]]\nSid = 'read'\nEffect = 'Allow'\nAction = 's3:GetObject'\nResource = '*'\n\
         [[revoked_url]]\nsha256 = '{LINK}'\nnote = 'posted \"in\" a chat'\n"
    );
    let compiled = PolicyFile::parse(&text, "a\\policy.toml")
        .unwrap()
        .compile(&References::new());
    let snapshot = Snapshot::new(compiled.unwrap(), 1, String::new());
    let (bucket, key) = (
        BucketName::parse("films").unwrap(),
        ObjectKey::parse("a").unwrap(),
    );
    let resource = Resource::Object(&bucket, &key);
    let signer = snapshot.signers().next().unwrap();
    match snapshot.evaluate(signer, Action::GetObject, resource, &GivenContext::default()) {
        Decision::Allow(statement) | Decision::Deny(Denial::Explicit(statement)) => {
            (statement, snapshot.revocations().pop().unwrap())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_line_is_written_in_this_form() {
    assert_eq!(
        line(&stranger()),
        "{\"time\":\"2026-11-24T12:00:07Z\",\"outcome\":\"gone\",\"request_id\":\"D16ED4D2D9A31C35\",\"method\":\"GET\",\
         \"generation\":0,\"bytes_sent\":0,\"bytes_received\":0,\"completed\":false,\"duration_ms\":0.0,\"client\":\"203.0.113.7:51544\"}\n"
    );
    assert_eq!(
        line(&full()),
        concat!(
            r#"{"time":"2026-11-24T12:00:07.042Z","outcome":"served","request_id":"D16ED4D2D9A31C35","signer":"al\"ice","#,
            r#""access_key_id":"AKIA\"ALICE","link_id":"66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925","#,
            r#""mechanism":"query","signed_at":"2026-11-24T12:00:00Z","expires_at":"2026-11-30T14:00:00.5Z","#,
            r#""origin":"https://files.example","method":"GET","operation":"CopyObject","action":"s3:PutObject","#,
            r#""bucket":"films","key":"ä\t\"\u0000.mp4","source":"films/b\\\n/\".mp4","range":"bytes=0-","status":206,"#,
            r#""code":"NoSuchKey","reason":"Missing","decided_by":"a\\policy.toml line 5: signer alice, statement 1 (Sid \"read\")","#,
            r#""generation":3,"bytes_sent":18446744073709551615,"bytes_received":7,"completed":true,"duration_ms":1641.235,"#,
            r#""client":"[2001:db8::7]:80","proxy":"10.0.0.1:65535","#,
            "\"user_agent\":\"a \\\"player\\\"/1.0\\n\\u001b[31m \\\\ \u{7f} é \u{2028}\"}\n"
        )
    );
}

#[test]
fn a_line_is_what_its_record_is_written_as() {
    let (_, rule) = rules();
    let mut entries = vec![
        stranger(),
        full(),
        Entry {
            decided_by: Some(Decided::Revocation(rule)),
            method: http::Method::from_bytes(b"M-SEARCH").unwrap(),
            ..full()
        },
    ];
    for address in [
        "0.0.0.0:0",
        "255.255.255.255:65535",
        "[::1]:443",
        "[::ffff:1.2.3.4]:9",
        "[fe80::1%3]:9",
    ] {
        let mut entry = stranger();
        entry.client = peer(address).into();
        entry.client.proxy = Some(address.parse().unwrap());
        entries.push(entry.clone());
        entry.client.port = None;
        entries.push(entry);
    }
    for outcome in [
        Outcome::Served,
        Outcome::Denied,
        Outcome::Failed,
        Outcome::Gone,
        Outcome::Cut,
        Outcome::Running,
    ] {
        entries.push(Entry {
            outcome,
            ..stranger()
        });
    }
    for entry in entries {
        assert_eq!(line(&entry), plain(&entry));
        let read: Record = serde_json::from_str(&line(&entry)).unwrap();
        assert_eq!(read, Record::from(entry));
    }
}

proptest! {
    #[test]
    fn a_line_is_what_its_record_is_written_as_whatever_was_asked(
        texts in option::of((any::<String>(), "[ -~\"\\\\\u{0}-\u{20}é]{0,40}", "[a-z\"]{0,20}")),
        key in "(?s).{1,40}",
        numbers in any::<(u64, u64, u64, Option<u16>)>(),
        (nanoseconds, moment) in (any::<u64>(), 0i64..253_402_300_799),
        (octets, port, tls) in any::<([u8; 4], Option<u16>, bool)>(),
    ) {
        let at = OffsetDateTime::from_unix_timestamp(moment).unwrap() + Duration::from_nanos(nanoseconds % 1_000_000_000);
        let (user_agent, range, signer) = texts.clone().map_or((None, None, None), |(a, b, c)| (Some(a), Some(b), Some(c)));
        let entry = Entry {
            time: at,
            client: crate::types::Client {
                address: octets.into(),
                port,
                scheme: Scheme::Http,
                tls: tls.then_some(TlsVersion::V1_3),
                proxy: None,
            },
            user_agent,
            range,
            signer: signer.map(Into::into),
            signed_at: texts.is_some().then_some(at),
            key: ObjectKey::parse(&key).ok(),
            generation: numbers.0,
            bytes_sent: numbers.1,
            bytes_received: numbers.2,
            status: numbers.3,
            duration: Duration::from_nanos(nanoseconds),
            ..stranger()
        };
        prop_assert_eq!(line(&entry), plain(&entry));
    }
}
