//! Condition keys: what a condition asks about. In goes a key as a policy writes it; out comes the key, or the known one that was
//! probably meant. Case does not matter, as in IAM.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>,
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html#amazons3-policy-keys>

use std::fmt;

use super::super::words::nearest;

/// What a condition or a variable asks about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionKey {
    /// One that has a fixed name.
    Plain(PlainKey),
    /// `s3:ExistingObjectTag/…`: a tag of the object that is there.
    ExistingObjectTag(Box<str>),
    /// `s3:RequestObjectTag/…`: a tag that the request gives an object.
    RequestObjectTag(Box<str>),
}

/// The kinds of values that a key has, which say what operators fit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Any text: a tag may hold a number, a date, an address.
    Tag,
    Text,
    Number,
    /// A date, or seconds since 1970: dates and numbers compare with it.
    Date,
    Boolean,
    Address,
    Arn,
}

/// Writes the table of keys once: the variant, AWS's name, the kind of its values and what it holds.
macro_rules! plain_keys {
    ($($variant:ident $name:literal $kind:ident $about:literal,)*) => {
        /// A condition key that has a fixed name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum PlainKey { $(#[doc = concat!("`", $name, "`: ", $about)] $variant,)* }

        impl PlainKey {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// AWS's name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            fn kind(self) -> Kind {
                match self { $(Self::$variant => Kind::$kind,)* }
            }
        }
    };
}

plain_keys! {
    SourceIp "aws:SourceIp" Address "the client's address.",
    SecureTransport "aws:SecureTransport" Boolean "whether it came over TLS.",
    CurrentTime "aws:CurrentTime" Date "the time of the decision.",
    EpochTime "aws:EpochTime" Date "the same in seconds since 1970.",
    UserAgent "aws:UserAgent" Text "the `User-Agent` header, which anybody can set.",
    Referer "aws:Referer" Text "the `Referer` header, which anybody can set.",
    Username "aws:username" Text "the signer's name.",
    Userid "aws:userid" Text "the signer's name too: it has no other identity here.",
    PrincipalArn "aws:PrincipalArn" Arn "`arn:aws:iam::ACCOUNT:user/SIGNER`.",
    SignatureAge "s3:signatureAge" Number "milliseconds since it was signed.",
    AuthType "s3:authType" Text "`REST-QUERY-STRING`, `REST-HEADER` or `POST`.",
    SignatureVersion "s3:signatureversion" Text "`AWS4-HMAC-SHA256`.",
    Prefix "s3:prefix" Text "a listing's prefix.",
    Delimiter "s3:delimiter" Text "a listing's delimiter.",
    MaxKeys "s3:max-keys" Number "a listing's greatest number of keys.",
    ContentSha256 "s3:x-amz-content-sha256" Text "what was signed of the body.",
    Acl "s3:x-amz-acl" Text "the `x-amz-acl` header.",
    CopySource "s3:x-amz-copy-source" Text "the source of a copy, decoded: `bucket/key`.",
    TlsVersion "s3:TlsVersion" Number "`1.2` or `1.3`; absent without TLS.",
    RequestObjectTagKeys "s3:RequestObjectTagKeys" Text "the keys of the tags that the request gives.",
}

const EXISTING: &str = "s3:ExistingObjectTag/";
const REQUESTED: &str = "s3:RequestObjectTag/";

impl ConditionKey {
    /// Reads a key; `Err` has the nearest known one.
    pub fn parse(text: &str) -> Result<Self, Option<&'static str>> {
        let behind = |prefix: &str| {
            let front = text.get(..prefix.len())?;
            let tag = text.get(prefix.len()..)?;
            (front.eq_ignore_ascii_case(prefix) && !tag.is_empty()).then(|| tag.into())
        };
        if let Some(tag) = behind(EXISTING) {
            return Ok(Self::ExistingObjectTag(tag));
        }
        if let Some(tag) = behind(REQUESTED) {
            return Ok(Self::RequestObjectTag(tag));
        }
        let known = PlainKey::ALL
            .iter()
            .find(|key| key.name().eq_ignore_ascii_case(text));
        known.copied().map(Self::Plain).ok_or_else(|| {
            let names = PlainKey::ALL.iter().map(|key| key.name());
            nearest(text, names.chain([EXISTING, REQUESTED]))
        })
    }

    /// Does it have more than one value in one request?
    pub(in crate::policy) fn is_multivalued(&self) -> bool {
        matches!(self, Self::Plain(PlainKey::RequestObjectTagKeys))
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Plain(key) => key.kind(),
            Self::ExistingObjectTag(_) | Self::RequestObjectTag(_) => Kind::Tag,
        }
    }
}

impl From<PlainKey> for ConditionKey {
    fn from(key: PlainKey) -> Self {
        Self::Plain(key)
    }
}

impl fmt::Display for ConditionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(key) => f.write_str(key.name()),
            Self::ExistingObjectTag(tag) => write!(f, "{EXISTING}{tag}"),
            Self::RequestObjectTag(tag) => write!(f, "{REQUESTED}{tag}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_in_any_case_and_tags_keep_theirs() {
        for key in PlainKey::ALL {
            assert_eq!(
                ConditionKey::parse(&key.name().to_uppercase()),
                Ok(ConditionKey::Plain(*key))
            );
        }
        assert_eq!(
            ConditionKey::parse("S3:existingobjecttag/Class/x"),
            Ok(ConditionKey::ExistingObjectTag("Class/x".into()))
        );
    }

    #[test]
    fn what_is_not_known_has_a_nearest_key() {
        for (text, nearest) in [
            ("aws:SourceIP4", Some("aws:SourceIp")),
            ("s3:signature-age", Some("s3:signatureAge")),
            ("s3:ExistingObjectTag/", Some("s3:ExistingObjectTag/")),
            ("aws:MultiFactorAuthPresent", None),
            ("", None),
        ] {
            assert_eq!(ConditionKey::parse(text), Err(nearest), "{text}");
        }
    }
}
