//! A described request has the facts of the real one that it describes, for every key.

use std::collections::BTreeMap;

use time::macros::datetime;

use super::*;
use crate::{
    policy::{PolicyFile, References, Snapshot},
    s3::Call,
    sigv4::{AddressingStyle, Endpoint, SignRequest, presign, sign_header},
    types::{AccessKeyId, BucketName, ObjectKey, Region, SecretKey, Span},
    verdict::{Circumstances, Settings, authenticate},
};

const SIGNED: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);
const NOW: OffsetDateTime = datetime!(2026-11-24 12:00:01.25 UTC);

fn snapshot() -> Arc<Snapshot> {
    let text =
        "[[signer]]\nname = 'alice'\naccess_key_id = 'AKIAALICE00000000000'\nsecret_access_key = 'hush'\n";
    let compiled = PolicyFile::parse(text, "policy.toml")
        .unwrap()
        .compile(&References::new())
        .unwrap();
    Arc::new(Snapshot::new(compiled, 1, String::new()))
}

/// What a real request is made of.
#[derive(Clone, Default)]
struct Real {
    method: Method,
    key: Option<&'static str>,
    query: &'static [(&'static str, &'static str)],
    headers: &'static [(&'static str, &'static str)],
    by_header: bool,
    secure: bool,
    object_tags: &'static [(&'static str, &'static str)],
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

impl Real {
    /// Signs the request, has it verified as the gateway would, and hands over what conditions see of it.
    fn with<T>(&self, look: impl FnOnce(&dyn Context, &Signer) -> T) -> T {
        let (snapshot, settings) = (snapshot(), Settings::default());
        let key = self.key.map(|key| ObjectKey::parse(key).unwrap());
        let request = SignRequest {
            method: &self.method,
            endpoint: &Endpoint::parse("http://h:9000").unwrap(),
            style: AddressingStyle::Path,
            bucket: Some(&BucketName::parse("films").unwrap()),
            key: key.as_ref(),
            headers: &owned(self.headers),
            query: &owned(self.query),
            session_token: None,
        };
        let id = AccessKeyId::parse("AKIAALICE00000000000").unwrap();
        let secret = SecretKey::parse("hush".to_owned()).unwrap();
        let region = Region::us_east_1();
        let (url, mut headers) = if self.by_header {
            let signed = sign_header(&request, &id, &secret, &region, SIGNED, &"0a".repeat(32)).unwrap();
            (signed.url, signed.headers)
        } else {
            let hour = Span::from_seconds(3600);
            let signed = presign(&request, &id, &secret, &region, SIGNED, hour).unwrap();
            let mut headers = HeaderMap::new();
            for (name, value) in self.headers {
                headers.insert(*name, value.parse().unwrap());
            }
            (signed.into_string(), headers)
        };
        headers.insert(header::HOST, "h:9000".parse().unwrap());
        let target = url.strip_prefix("http://h:9000").unwrap();
        let scheme = if self.secure { Scheme::Https } else { Scheme::Http };
        let head = RequestHead::new(self.method.clone(), scheme, target.parse().unwrap(), headers);
        let head = Arc::new(head.unwrap());
        let circumstances = Circumstances {
            head: &head,
            client: Client {
                address: "2001:db8::7".parse().unwrap(),
                port: Some(1),
                scheme,
                tls: self.secure.then_some(TlsVersion::V1_2),
                proxy: None,
            },
            snapshot: &snapshot,
            settings: &settings,
            now: NOW,
        };
        let query = head.query().unwrap();
        let authenticated =
            authenticate(&circumstances, &query).unwrap_or_else(|refusal| panic!("{refusal}"));
        let call = Call::parse(
            head.method(),
            &authenticated.target,
            &query,
            head.headers(),
            &settings.account_id,
        );
        let said = Said::of_head(&call.unwrap(), &query, head.headers());
        let signer = snapshot.signer("alice").unwrap();
        let request = RequestContext::new(&circumstances, signer, authenticated.verified, said);
        let tags: Vec<Tag> = owned(self.object_tags)
            .into_iter()
            .map(|(key, value)| Tag { key, value })
            .collect();
        let seen = Seen {
            request: &request,
            object_tags: ObjectTags::Known(&tags),
            later_tags: None,
        };
        look(&seen, signer)
    }
}

/// Every key with a fixed name, and tags in several cases.
fn keys() -> Vec<ConditionKey> {
    let tags = ["class", "Class", "CLASS", "other", "ÄRGER", "ärger"];
    let tags = tags.into_iter().flat_map(|tag| {
        [
            ConditionKey::ExistingObjectTag(tag.into()),
            ConditionKey::RequestObjectTag(tag.into()),
        ]
    });
    PlainKey::ALL
        .iter()
        .copied()
        .map(ConditionKey::from)
        .chain(tags)
        .collect()
}

#[test]
fn described_request_has_the_facts_of_the_real_one() {
    let requests = [
        Real {
            method: Method::GET,
            key: Some("a b/é"),
            headers: &[("user-agent", "curl/8 é"), ("referer", "https://example.com/")],
            object_tags: &[("Class", "secret"), ("other", "")],
            ..Real::default()
        },
        Real {
            method: Method::GET,
            query: &[
                ("list-type", "2"),
                ("prefix", "a/ b"),
                ("delimiter", "/"),
                ("max-keys", "007"),
            ],
            secure: true,
            by_header: true,
            ..Real::default()
        },
        Real {
            method: Method::PUT,
            key: Some("x"),
            headers: &[
                ("content-length", "5"),
                ("x-amz-acl", "private"),
                ("x-amz-tagging", "Class=secret&other=open&%C3%84rger=1"),
            ],
            ..Real::default()
        },
        Real {
            method: Method::PUT,
            key: Some("x"),
            by_header: true,
            headers: &[
                ("x-amz-copy-source", "/films/a%20b"),
                ("x-amz-tagging-directive", "COPY"),
            ],
            object_tags: &[("class", "a"), ("CLASS", "b")],
            ..Real::default()
        },
    ];
    let mut told = BTreeMap::new();
    for real in requests {
        real.with(|context, signer| {
            // What a person would write: the tags by the names that they have, everything else by its key.
            let mut given: Vec<(ConditionKey, String)> = Vec::new();
            let tags = real.object_tags.iter();
            given.extend(tags.map(|(key, value)| {
                (
                    ConditionKey::ExistingObjectTag((*key).into()),
                    (*value).to_owned(),
                )
            }));
            for key in PlainKey::ALL.iter().copied().map(ConditionKey::from) {
                match context.fact(&key) {
                    Fact::One(value) => {
                        *told.entry(key.to_string()).or_insert(0) += 1;
                        given.push((key, value.into_owned()));
                    }
                    Fact::Many(names) => {
                        *told.entry(key.to_string()).or_insert(0) += 1;
                        for name in names {
                            let tag = ConditionKey::RequestObjectTag(name.as_ref().into());
                            let Fact::One(value) = context.fact(&tag) else {
                                panic!("{tag}")
                            };
                            given.push((tag, value.into_owned()));
                        }
                    }
                    Fact::Absent => {}
                    // A copy learns the tags that it takes over when it reads the source.
                    Fact::Unknown => assert!(is_about_given_tags(&key), "{key} is not known"),
                }
            }
            let pairs = given.iter().map(|(key, value)| (key, value.as_str()));
            let (account, another_time) = (Settings::default().account_id, datetime!(2020-01-01 0:00 UTC));
            let described = DescribedRequest::new(signer, &account, another_time, pairs);
            let described = described.unwrap_or_else(|error| panic!("{error}"));
            for key in keys() {
                match context.fact(&key) {
                    Fact::Unknown => assert!(is_about_given_tags(&key), "{key} is not known"),
                    fact => assert_eq!(described.fact(&key), fact, "{key}"),
                }
            }
        });
    }
    let untold: Vec<_> = PlainKey::ALL
        .iter()
        .filter(|key| !told.contains_key(key.name()))
        .collect();
    assert!(untold.is_empty(), "no request here has {untold:?}");
}

fn is_about_given_tags(key: &ConditionKey) -> bool {
    matches!(
        key,
        ConditionKey::Plain(PlainKey::RequestObjectTagKeys) | ConditionKey::RequestObjectTag(_)
    )
}

fn describe(pairs: &[(&str, &str)]) -> Result<DescribedRequest, DescribeError> {
    let snapshot = snapshot();
    let keys: Vec<_> = pairs
        .iter()
        .map(|(key, value)| (ConditionKey::parse(key).unwrap(), *value))
        .collect();
    let given = keys.iter().map(|(key, value)| (key, *value));
    DescribedRequest::new(snapshot.signer("alice").unwrap(), "123456789012", NOW, given)
}

#[test]
fn what_no_request_can_say_is_an_error() {
    for pairs in [
        &[("aws:SourceIp", "here")][..],
        &[("aws:SourceIp", "10.0.0.0/8")],
        &[("aws:SecureTransport", "yes")],
        &[("s3:TlsVersion", "1.1")],
        &[("aws:CurrentTime", "noon")],
        &[
            ("aws:CurrentTime", "2026-11-24T12:00:00Z"),
            ("aws:EpochTime", "5"),
        ],
        &[("aws:username", "bob")],
        &[("aws:PrincipalArn", "arn:aws:iam::123456789012:user/bob")],
        &[("s3:signatureversion", "AWS")],
        &[("s3:signatureAge", "-1")],
        &[("s3:authType", "REST")],
        &[("s3:x-amz-content-sha256", "abc")],
        &[("aws:UserAgent", "a\nb")],
        &[("aws:SourceIp", "10.0.0.1"), ("aws:sourceip", "10.0.0.2")],
        &[("s3:RequestObjectTag/a", "1"), ("s3:RequestObjectTag/a", "2")],
    ] {
        assert!(describe(pairs).is_err(), "{pairs:?}");
    }
}

#[test]
fn what_is_not_described_is_absent() {
    let described = describe(&[("aws:SourceIp", "::ffff:203.0.113.7")]).unwrap();
    let fact = |key: &str| described.fact(&ConditionKey::parse(key).unwrap());
    assert_eq!(fact("aws:SourceIp"), Fact::One("203.0.113.7".into()));
    assert_eq!(fact("aws:username"), Fact::One("alice".into()));
    assert_eq!(
        fact("aws:CurrentTime"),
        Fact::One("2026-11-24T12:00:01.250Z".into())
    );
    for key in [
        "aws:SecureTransport",
        "s3:TlsVersion",
        "s3:authType",
        "s3:signatureAge",
        "s3:prefix",
    ] {
        assert_eq!(fact(key), Fact::Absent, "{key}");
    }
    let keys = describe(&[("s3:RequestObjectTagKeys", "a"), ("s3:RequestObjectTag/b", "1")]).unwrap();
    let fact = keys.fact(&ConditionKey::from(PlainKey::RequestObjectTagKeys));
    assert_eq!(fact, Fact::Many(vec!["b".into(), "a".into()]));
}
