//! A request that a person describes, `aws:SourceIp=203.0.113.7`, for questions to a policy without a request. Each value
//! becomes what a real request would say it with: an address, a header, a tag. So conditions get their facts from the same
//! code as for a real one.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    policy::{ConditionKey, Context, Fact, PlainKey, Signer},
    sigv4::{Mechanism, Payload},
    types::{Client, RequestHead, Scheme, Tag, TlsVersion},
};

use super::{Listing, ObjectTags, RequestContext, RequestTags, Said, Seen, SignatureFacts};

/// A request that a person describes. A key that is not given is absent, except those that the signer and the time say.
pub struct DescribedRequest {
    request: RequestContext<DescribedSignature>,
    given: BTreeSet<PlainKey>,
    object_tags: Vec<Tag>,
}

/// Why no request can say this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DescribeError {
    /// The value is not one of the key's.
    #[error("{key}={value:?}: {wanted}")]
    Value {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// Two values of a key that has one.
    #[error("{key} has one value in a request, and two are given")]
    Repeated {
        /// The key.
        key: String,
    },
    /// What the signer alone says.
    #[error("{key} is {actual:?} for this signer, not {value:?}")]
    NotTheSigners {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What it is.
        actual: String,
    },
}

struct DescribedSignature {
    signed_at: OffsetDateTime,
    mechanism: Mechanism,
    payload: Payload,
}

impl SignatureFacts for DescribedSignature {
    fn signed_at(&self) -> OffsetDateTime {
        self.signed_at
    }

    fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    fn payload(&self) -> Payload {
        self.payload
    }
}

/// What was described so far.
struct Draft {
    given: BTreeSet<PlainKey>,
    headers: HeaderMap,
    address: IpAddr,
    scheme: Scheme,
    tls: Option<TlsVersion>,
    now: OffsetDateTime,
    age: Duration,
    mechanism: Mechanism,
    payload: Payload,
    listing: Option<Listing>,
    acl: Option<String>,
    copy_source: Option<String>,
    request_tags: Vec<Tag>,
    object_tags: Vec<Tag>,
}

impl DescribedRequest {
    /// Describes a request of a signer at a time, which the description may change.
    pub fn new<'d>(
        signer: &Signer,
        account_id: &str,
        now: OffsetDateTime,
        given: impl IntoIterator<Item = (&'d ConditionKey, &'d str)>,
    ) -> Result<Self, DescribeError> {
        let mut draft = Draft {
            given: BTreeSet::new(),
            headers: HeaderMap::new(),
            address: IpAddr::from([127, 0, 0, 1]),
            scheme: Scheme::Http,
            tls: None,
            now,
            age: Duration::ZERO,
            mechanism: Mechanism::Presigned,
            payload: Payload::Unsigned,
            listing: None,
            acl: None,
            copy_source: None,
            request_tags: Vec::new(),
            object_tags: Vec::new(),
        };
        let mut tag_keys = Vec::new();
        for (key, value) in given {
            match key {
                ConditionKey::ExistingObjectTag(tag) => add_tag(&mut draft.object_tags, key, tag, value)?,
                ConditionKey::RequestObjectTag(tag) => add_tag(&mut draft.request_tags, key, tag, value)?,
                ConditionKey::Plain(PlainKey::RequestObjectTagKeys) => tag_keys.push(value),
                ConditionKey::Plain(plain) => {
                    if !draft.given.insert(*plain) {
                        return Err(DescribeError::Repeated { key: key.to_string() });
                    }
                    draft.take(*plain, value, signer, account_id)?;
                }
            }
        }
        for key in tag_keys {
            if !draft.request_tags.iter().any(|tag| tag.key == key) {
                let (key, value) = (key.to_owned(), String::new());
                draft.request_tags.push(Tag { key, value });
            }
        }
        draft.finish(signer, account_id)
    }
}

fn add_tag(tags: &mut Vec<Tag>, key: &ConditionKey, tag: &str, value: &str) -> Result<(), DescribeError> {
    if tags.iter().any(|known| known.key == tag) {
        return Err(DescribeError::Repeated { key: key.to_string() });
    }
    tags.push(Tag {
        key: tag.to_owned(),
        value: value.to_owned(),
    });
    Ok(())
}

impl Draft {
    fn take(
        &mut self,
        key: PlainKey,
        value: &str,
        signer: &Signer,
        account_id: &str,
    ) -> Result<(), DescribeError> {
        let wrong = |wanted| DescribeError::Value {
            key: key.name().to_owned(),
            value: value.to_owned(),
            wanted,
        };
        let is = |actual: String| match actual == value {
            true => Ok(()),
            false => Err(DescribeError::NotTheSigners {
                key: key.name().to_owned(),
                value: value.to_owned(),
                actual,
            }),
        };
        match key {
            PlainKey::SourceIp => {
                let address: IpAddr = value
                    .parse()
                    .map_err(|_| wrong("an address, such as 203.0.113.7"))?;
                self.address = address.to_canonical();
            }
            PlainKey::SecureTransport => {
                self.scheme = match value {
                    "true" => Scheme::Https,
                    "false" => Scheme::Http,
                    _ => return Err(wrong("true or false")),
                };
            }
            PlainKey::TlsVersion => {
                let versions = [TlsVersion::V1_2, TlsVersion::V1_3];
                let found = versions.into_iter().find(|version| version.number() == value);
                self.tls = Some(found.ok_or_else(|| wrong("1.2 or 1.3"))?);
            }
            PlainKey::CurrentTime => {
                let now = OffsetDateTime::parse(value, &Rfc3339);
                self.set_now(now.ok(), PlainKey::EpochTime).ok_or_else(|| {
                    wrong("a time, such as 2026-11-23T12:00:00Z, and the same as aws:EpochTime")
                })?;
            }
            PlainKey::EpochTime => {
                let seconds = value.parse().ok();
                let now = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
                self.set_now(now, PlainKey::CurrentTime)
                    .ok_or_else(|| wrong("seconds since 1970, and the same as aws:CurrentTime"))?;
            }
            PlainKey::UserAgent => self.header(header::USER_AGENT, value).map_err(wrong)?,
            PlainKey::Referer => self.header(header::REFERER, value).map_err(wrong)?,
            PlainKey::Acl => self.acl = Some(value.to_owned()),
            // Decoded, as conditions see it; one slash in front means nothing.
            PlainKey::CopySource => {
                self.copy_source = Some(value.strip_prefix('/').unwrap_or(value).to_owned());
            }
            PlainKey::Username | PlainKey::Userid => is(signer.name().to_owned())?,
            PlainKey::PrincipalArn => is(format!("arn:aws:iam::{account_id}:user/{}", signer.name()))?,
            PlainKey::SignatureVersion => is("AWS4-HMAC-SHA256".to_owned())?,
            PlainKey::SignatureAge => {
                let age: u32 = value.parse().map_err(|_| wrong("milliseconds"))?;
                self.age = Duration::milliseconds(age.into());
            }
            PlainKey::AuthType => {
                self.mechanism = match value {
                    "REST-QUERY-STRING" => Mechanism::Presigned,
                    "REST-HEADER" => Mechanism::Header,
                    "POST" => Mechanism::Form,
                    _ => return Err(wrong("REST-QUERY-STRING, REST-HEADER or POST")),
                };
            }
            PlainKey::ContentSha256 => {
                self.payload = Payload::parse(value)
                    .ok_or_else(|| wrong("64 hexadecimal digits, UNSIGNED-PAYLOAD or STREAMING-…"))?;
            }
            PlainKey::Prefix => self.listing().prefix = Some(value.to_owned()),
            PlainKey::Delimiter => self.listing().delimiter = Some(value.to_owned()),
            PlainKey::MaxKeys => self.listing().max_keys = Some(value.to_owned()),
            // Taken with the tags.
            PlainKey::RequestObjectTagKeys => {}
        }
        Ok(())
    }

    /// Sets the time, unless another key has said another.
    fn set_now(&mut self, now: Option<OffsetDateTime>, other: PlainKey) -> Option<()> {
        let now = now?;
        if !self.given.contains(&other) {
            self.now = now;
        } else if self.now.unix_timestamp() != now.unix_timestamp() {
            return None;
        } else if other == PlainKey::EpochTime {
            // The date says parts of the second too.
            self.now = now;
        }
        Some(())
    }

    fn header(&mut self, name: HeaderName, value: &str) -> Result<(), &'static str> {
        let value = HeaderValue::from_bytes(value.as_bytes());
        self.headers
            .insert(name, value.map_err(|_| "a value that a header can have")?);
        Ok(())
    }

    fn listing(&mut self) -> &mut Listing {
        self.listing.get_or_insert(Listing {
            prefix: None,
            delimiter: None,
            max_keys: None,
        })
    }

    fn finish(mut self, signer: &Signer, account_id: &str) -> Result<DescribedRequest, DescribeError> {
        self.headers
            .insert(header::HOST, HeaderValue::from_static("localhost"));
        let head = RequestHead::new(Method::GET, self.scheme, Uri::from_static("/"), self.headers);
        let head = head.map_err(|error| DescribeError::Value {
            key: "headers".to_owned(),
            value: error.to_string(),
            wanted: "headers that a request can have",
        })?;
        Ok(DescribedRequest {
            request: RequestContext {
                verified: DescribedSignature {
                    signed_at: self.now.saturating_sub(self.age),
                    mechanism: self.mechanism,
                    payload: self.payload,
                },
                signer: signer.shared_name(),
                head: Arc::new(head),
                client: Client {
                    address: self.address,
                    port: None,
                    scheme: self.scheme,
                    tls: self.tls,
                    proxy: None,
                },
                now: self.now,
                account_id: account_id.into(),
                said: Said {
                    listing: self.listing,
                    acl: self.acl,
                    copy_source: self.copy_source,
                    tags: RequestTags::Given(self.request_tags),
                },
            },
            given: self.given,
            object_tags: self.object_tags,
        })
    }
}

impl Context for DescribedRequest {
    fn fact(&self, key: &ConditionKey) -> Fact<'_> {
        let is_told = match key {
            ConditionKey::ExistingObjectTag(_) | ConditionKey::RequestObjectTag(_) => true,
            ConditionKey::Plain(
                PlainKey::Username
                | PlainKey::Userid
                | PlainKey::PrincipalArn
                | PlainKey::CurrentTime
                | PlainKey::EpochTime
                | PlainKey::SignatureVersion
                | PlainKey::RequestObjectTagKeys,
            ) => true,
            ConditionKey::Plain(plain) => self.given.contains(plain),
        };
        if !is_told {
            return Fact::Absent;
        }
        let seen = Seen {
            request: &self.request,
            object_tags: ObjectTags::Known(&self.object_tags),
            later_tags: None,
        };
        seen.known(key)
    }
}

#[cfg(test)]
mod tests;
