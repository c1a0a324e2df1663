//! What a verified request says of itself, for the conditions of statements. It is kept with the permit, so that whatever is asked later (another
//! key of the body, the tags of the object that was opened, a policy that changed) gets the answers of the request's own moment.

use std::{borrow::Cow, sync::Arc};

use http::{HeaderMap, HeaderName, header};
use time::{OffsetDateTime, macros::format_description};

use crate::{
    policy::{ConditionKey, Context, Fact, PlainKey, Signer},
    s3::{Call, Form, canned_acl},
    sigv4::{Mechanism, Payload, Verified},
    types::{Client, FoldedHeaders, Query, RequestHead, Scheme, Tag},
};

use super::Circumstances;

mod described;

pub use described::{DescribeError, DescribedRequest};

/// What a signature says, as conditions see it.
pub(super) trait SignatureFacts {
    fn signed_at(&self) -> OffsetDateTime;
    fn mechanism(&self) -> Mechanism;
    fn payload(&self) -> Payload;
}

impl SignatureFacts for Verified {
    fn signed_at(&self) -> OffsetDateTime {
        Self::signed_at(self)
    }

    fn mechanism(&self) -> Mechanism {
        Self::mechanism(self)
    }

    fn payload(&self) -> Payload {
        Self::payload(self)
    }
}

/// One request, as conditions see it. Only a [`DescribedRequest`] has a signature that nobody verified, and it is decided
/// by for people alone.
pub(super) struct RequestContext<S = Verified> {
    pub(super) verified: S,
    pub(super) signer: Arc<str>,
    head: Arc<RequestHead>,
    client: Client,
    now: OffsetDateTime,
    account_id: Arc<str>,
    said: Said,
}

/// What the call says of itself.
#[derive(Default)]
pub(super) struct Said {
    listing: Option<Listing>,
    acl: Option<String>,
    /// The parsed source of a copy, `bucket/key`: not the header, which has many texts for one source.
    copy_source: Option<String>,
    pub(super) tags: RequestTags,
}

struct Listing {
    prefix: Option<String>,
    delimiter: Option<String>,
    max_keys: Option<String>,
}

/// The tags that a request gives an object.
#[derive(Default)]
pub(super) enum RequestTags {
    /// None, or these.
    Given(Vec<Tag>),
    /// They become known later: from the body, the source of a copy, or the beginning of a
    /// multipart upload.
    #[default]
    Later,
}

impl Said {
    pub(super) fn of_head(call: &Call, query: &Query<'_>, headers: &HeaderMap) -> Self {
        let listing = matches!(call, Call::ListObjects(_) | Call::ListObjectsV2(_)).then(|| {
            let first = |name| query.first(name).map(str::to_owned);
            Listing {
                prefix: first("prefix"),
                delimiter: first("delimiter"),
                max_keys: first("max-keys"),
            }
        });
        Self {
            listing,
            acl: canned_acl(headers, query),
            copy_source: call
                .copy_source()
                .map(|(bucket, key)| format!("{bucket}/{}", key.as_str())),
            tags: tags(call),
        }
    }

    pub(super) fn of_form(call: &Call, form: &Form) -> Self {
        let acl = form.field("acl").or_else(|| form.field("x-amz-acl"));
        Self {
            listing: None,
            acl: acl.map(str::to_owned),
            copy_source: None,
            tags: tags(call),
        }
    }
}

fn tags(call: &Call) -> RequestTags {
    RequestTags::Given(match call {
        Call::PutObjectTagging | Call::CompleteMultipartUpload(_) => return RequestTags::Later,
        Call::CopyObject(copy) => match &copy.tags {
            Some(tags) => tags.clone(),
            None => return RequestTags::Later,
        },
        Call::PutObject(write) => write.properties.tags.clone(),
        Call::PostObject(post) => post.properties.tags.clone(),
        Call::CreateMultipartUpload(create) => create.properties.tags.clone(),
        _ => Vec::new(),
    })
}

impl RequestContext {
    pub(super) fn new(
        circumstances: &Circumstances<'_>,
        signer: &Signer,
        verified: Verified,
        said: Said,
    ) -> Self {
        Self {
            verified,
            signer: signer.shared_name(),
            head: circumstances.head.clone(),
            client: circumstances.client,
            now: circumstances.now,
            account_id: circumstances.settings.account_id.clone(),
            said,
        }
    }

    /// The moment at which the request is decided.
    pub(super) fn now(&self) -> OffsetDateTime {
        self.now
    }
}

impl<S: SignatureFacts> RequestContext<S> {
    fn header(&self, name: HeaderName) -> Fact<'_> {
        let value = FoldedHeaders::new(self.head.headers()).value(name.as_str());
        Fact::of(value.map(|value| String::from_utf8_lossy(&value).into_owned()))
    }

    fn plain(&self, key: PlainKey) -> Fact<'_> {
        let listing = |of: fn(&Listing) -> &Option<String>| {
            Fact::of(
                self.said
                    .listing
                    .as_ref()
                    .and_then(|listing| of(listing).as_deref()),
            )
        };
        let owned = |text: String| Fact::One(Cow::Owned(text));
        match key {
            PlainKey::SourceIp => owned(self.client.address.to_string()),
            PlainKey::SecureTransport => Fact::One(match self.client.scheme {
                Scheme::Https => "true".into(),
                Scheme::Http => "false".into(),
            }),
            PlainKey::TlsVersion => Fact::of(self.client.tls.map(|tls| tls.number())),
            PlainKey::CurrentTime => owned(iso(self.now)),
            PlainKey::EpochTime => owned(self.now.unix_timestamp().to_string()),
            PlainKey::UserAgent => self.header(header::USER_AGENT),
            PlainKey::Referer => self.header(header::REFERER),
            PlainKey::Username | PlainKey::Userid => Fact::One(Cow::Borrowed(&self.signer)),
            PlainKey::PrincipalArn => owned(format!("arn:aws:iam::{}:user/{}", self.account_id, self.signer)),
            PlainKey::SignatureAge => {
                // A clock that is a little ahead signs in the future: of no age.
                let age = (self.now - self.verified.signed_at()).whole_milliseconds().max(0);
                owned(age.to_string())
            }
            PlainKey::AuthType => Fact::of(match self.verified.mechanism() {
                Mechanism::Presigned => Some("REST-QUERY-STRING"),
                Mechanism::Header => Some("REST-HEADER"),
                Mechanism::Form => Some("POST"),
                Mechanism::Anonymous => None,
            }),
            PlainKey::SignatureVersion => Fact::One("AWS4-HMAC-SHA256".into()),
            PlainKey::Prefix => listing(|listing| &listing.prefix),
            PlainKey::Delimiter => listing(|listing| &listing.delimiter),
            PlainKey::MaxKeys => listing(|listing| &listing.max_keys),
            PlainKey::ContentSha256 => self.payload(),
            PlainKey::Acl => Fact::of(self.said.acl.as_deref()),
            PlainKey::CopySource => Fact::of(self.said.copy_source.as_deref()),
            // Answered with the tags.
            PlainKey::RequestObjectTagKeys => Fact::Absent,
        }
    }

    /// What was verified of the body, not what a header says.
    fn payload(&self) -> Fact<'_> {
        match self.verified.payload() {
            Payload::Sha256(digest) => Fact::One(hex::encode(digest).into()),
            Payload::Unsigned => Fact::One("UNSIGNED-PAYLOAD".into()),
            Payload::Streaming(streaming) => Fact::One(streaming.name().into()),
        }
    }
}

/// What is known of the object's own tags.
#[derive(Clone, Copy)]
pub(super) enum ObjectTags<'t> {
    /// The action is not about an object's tags, or there is no object.
    Absent,
    /// The object will be opened.
    Unknown,
    Known(&'t [Tag]),
}

/// A request at one point of its way: with what is known by then.
pub(super) struct Seen<'r, S = Verified> {
    pub(super) request: &'r RequestContext<S>,
    pub(super) object_tags: ObjectTags<'r>,
    /// The tags that take effect and that the head does not hold, once they are known.
    pub(super) later_tags: Option<&'r [Tag]>,
}

impl<S: SignatureFacts> Context for Seen<'_, S> {
    fn fact(&self, key: &ConditionKey) -> Fact<'_> {
        self.known(key)
    }
}

impl<'r, S: SignatureFacts> Seen<'r, S> {
    /// What the key holds.
    fn known(&self, key: &ConditionKey) -> Fact<'r> {
        let request_tags = match (&self.request.said.tags, self.later_tags) {
            (RequestTags::Given(tags), _) => Some(tags.as_slice()),
            (RequestTags::Later, tags) => tags,
        };
        match (key, request_tags) {
            (ConditionKey::ExistingObjectTag(tag), _) => match self.object_tags {
                ObjectTags::Absent => Fact::Absent,
                ObjectTags::Unknown => Fact::Unknown,
                ObjectTags::Known(tags) => Fact::of_tag(tags, tag),
            },
            (
                ConditionKey::RequestObjectTag(_) | ConditionKey::Plain(PlainKey::RequestObjectTagKeys),
                None,
            ) => Fact::Unknown,
            (ConditionKey::RequestObjectTag(tag), Some(tags)) => Fact::of_tag(tags, tag),
            (ConditionKey::Plain(PlainKey::RequestObjectTagKeys), Some([])) => Fact::Absent,
            (ConditionKey::Plain(PlainKey::RequestObjectTagKeys), Some(tags)) => {
                Fact::Many(tags.iter().map(|tag| tag.key.as_str().into()).collect())
            }
            (ConditionKey::Plain(key), _) => self.request.plain(*key),
        }
    }
}

/// `2026-11-24T12:00:00.123Z`
fn iso(at: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    at.to_offset(time::UtcOffset::UTC)
        .format(format)
        .unwrap_or_default()
}
