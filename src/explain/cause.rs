//! What went wrong, and what to change: every cause that can be named, with its words in one table.

use time::OffsetDateTime;

use super::words::{instant, listed, shown_value, span, this};

/// Why a request does not pass. What was found by trying is certain: with that one thing undone, the signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    // What was signed is another request than the one that arrived.
    /// Another host or port.
    Host { signed: String, arrived: String },
    /// The bucket stands in the host in one and in the path in the other.
    AddressingStyle { signed: String, arrived: String },
    /// A path prefix came or went.
    PathPrefix { prefix: String, removed: bool },
    /// The bucket stands in the path once more, or once less.
    BucketTwice { signed: String },
    /// A slash more or less in front of the key.
    LeadingSlash { signed: String },
    /// `//`, `.` or `..` were merged.
    PathNormalised { signed: String },
    /// The signer encoded the path twice.
    PathEncodedTwice,
    /// Something on the way encoded the path again.
    PathReencoded,
    /// The signer left characters of the path as they are.
    PathUnencoded { signed: String },
    /// A space and a plus were taken for each other.
    PathPlusSpace { signed: String },
    /// The signer encoded the key's slashes.
    PathSlashesEncoded,
    /// Another method.
    Method { signed: String, arrived: String },
    /// Parameters that were not signed.
    ParameterAdded { names: Vec<String> },
    /// A parameter that was signed and did not arrive.
    ParameterDropped { name: String, value: String },
    /// A parameter with another value.
    ParameterChanged {
        name: String,
        signed: String,
        arrived: String,
    },
    /// The signer does not sort the query.
    QueryUnsorted,
    /// The signer does not encode the query as it must, or not once.
    QueryUnencoded { how: &'static str },
    /// A signed header with another value.
    HeaderValue {
        name: String,
        signed: String,
        arrived: String,
    },
    /// A signed header that did not arrive.
    HeaderMissing { names: Vec<String> },
    /// The payload line of the canonical request.
    PayloadLine { signed: String, arrived: String },
    /// Somebody else's secret.
    OtherSecret { signer: String },
    /// Their own secret, damaged.
    SecretDamaged { how: &'static str },
    /// The secret without `AWS4` in front.
    SecretPrefix,
    /// The signing key of another day or region.
    KeyScope { date: String, region: String },
    /// The signature in upper case.
    SignatureCase,

    // The URL's text was damaged on its way.
    /// `&amp;` for `&`.
    HtmlEscaped,
    /// Something behind or around the URL.
    TrailingCharacter { text: String },
    /// White space within.
    LineBreak,
    /// Fewer than 64 digits.
    SignatureCut { digits: usize },
    /// No signature at all in its place.
    SignatureMalformed,
    /// Percent-encoded once more.
    EncodedTwice,
    /// `\u0026` for `&`, or backslashes.
    JsonEscaped,
    /// `=3D` for `=`.
    QuotedPrintable,
    /// Within another URL.
    Wrapped { host: String },
    /// Cut at the first `&`.
    ShellCut,
    /// `%3F` for `?`.
    QuestionMarkEncoded,
    /// In lower case.
    LowerCased,

    // The refusal says it.
    /// Signature Version 2.
    SignatureVersion2,
    /// Two ways of authenticating.
    SeveralMechanisms { beside_link: bool },
    /// An Authorization header that S3 does not know.
    UnsupportedAuthorization { scheme: String },
    /// No signature.
    NotSigned,
    /// Parameters of a link that are not there.
    ParametersMissing { names: Vec<&'static str> },
    /// Another algorithm.
    Algorithm { given: String },
    /// No credential.
    CredentialMalformed,
    /// The Authorization header has not its three components.
    AuthorizationMalformed,
    /// A name in the list of signed headers is repeated or malformed.
    SignedHeadersMalformed,
    /// `X-Amz-Date`.
    DateMalformed { given: String },
    /// Neither date header.
    DateMissing,
    /// `X-Amz-Expires` is no number of seconds.
    ExpiresInvalid { given: String },
    /// Over a week, or over what the operator allows.
    ExpiresTooLong { given: String, most: u64 },
    /// Its time is over.
    Expired {
        life: u64,
        expired_at: OffsetDateTime,
        now: OffsetDateTime,
    },
    /// A link of no life.
    ExpiresZero,
    /// A form's policy is over.
    FormExpired { at: OffsetDateTime },
    /// Signed in the future.
    ClockAhead { seconds: i64 },
    /// Signed by headers, too far from now.
    ClockSkew { seconds: i64 },
    /// Another region.
    RegionWrong { given: String, expected: String },
    /// Another service.
    ServiceWrong { given: String },
    /// Another terminator.
    TerminatorWrong { given: String },
    /// The credential's day is another than the date's.
    ScopeDate { given: String, expected: String },
    /// Nobody's key.
    UnknownAccessKeyId { given: String, known: Option<String> },
    /// Headers that must be signed.
    HeadersNotSigned { names: Vec<String> },
    /// A session token with a permanent key.
    SessionToken,
    /// The hash header is missing.
    PayloadHashMissing,
    /// The hash header is no hash.
    PayloadHashMalformed,
    /// No URL, or broken escapes.
    MalformedUrl { problem: String },

    // The signature holds.
    /// Taken back.
    Revoked { rule: String },
    /// Its key's secret changed.
    SecretChanged { access_key_id: String },
    /// No statement allows it.
    NoStatement {
        signer: String,
        action: String,
        arn: String,
    },
    /// A statement denies it.
    ExplicitDeny { action: String, statement: String },
    /// A condition does not hold.
    ConditionFails { statements: Vec<String> },
    /// Not built.
    NotImplemented { message: String },
    /// Malformed, or not to be had.
    Call { code: &'static str, message: String },
    /// No such bucket.
    NoSuchBucket { bucket: String },
    /// No such key.
    NoSuchKey {
        bucket: String,
        key: String,
        hidden: bool,
    },
    /// Not the signature, nor the policy: what came later.
    Later { reason: String, message: String },
}

macro_rules! names {
    ($($variant:ident),* $(,)?) => {
        impl Cause {
            /// A short name that never changes, for scripts.
            pub(super) fn name(&self) -> &'static str {
                match self { $(Self::$variant { .. } => stringify!($variant),)* }
            }
        }
    };
}

names! {
    Host, AddressingStyle, PathPrefix, BucketTwice, LeadingSlash, PathNormalised, PathEncodedTwice, PathReencoded, PathUnencoded,
    PathPlusSpace, PathSlashesEncoded, Method, ParameterAdded, ParameterDropped, ParameterChanged, QueryUnsorted, QueryUnencoded,
    HeaderValue, HeaderMissing, PayloadLine, OtherSecret, SecretDamaged, SecretPrefix, KeyScope, SignatureCase, HtmlEscaped,
    TrailingCharacter, LineBreak, SignatureCut, SignatureMalformed, EncodedTwice, JsonEscaped, QuotedPrintable, Wrapped, ShellCut,
    QuestionMarkEncoded, LowerCased, SignatureVersion2, SeveralMechanisms, UnsupportedAuthorization, NotSigned, ParametersMissing,
    Algorithm, CredentialMalformed, AuthorizationMalformed, SignedHeadersMalformed, DateMalformed, DateMissing, ExpiresInvalid, ExpiresTooLong, Expired,
    ExpiresZero, FormExpired, ClockAhead, ClockSkew, RegionWrong, ServiceWrong, TerminatorWrong, ScopeDate, UnknownAccessKeyId,
    HeadersNotSigned, SessionToken, PayloadHashMissing, PayloadHashMalformed, MalformedUrl, Revoked, SecretChanged, NoStatement,
    ExplicitDeny, ConditionFails, NotImplemented, Call, NoSuchBucket, NoSuchKey, Later,
}

impl Cause {
    /// What went wrong: one sentence.
    pub(super) fn what(&self) -> String {
        match self {
            Self::Host { signed, arrived } => format!("the client signed for the host {signed}, and the request came for {arrived}"),
            Self::AddressingStyle { signed, arrived } => {
                format!("the bucket moved between host and path: {signed} was signed, {arrived} arrived")
            }
            Self::PathPrefix { prefix, removed: true } => format!("{prefix} was signed in front of the path and taken away on the way, by a proxy it seems"),
            Self::PathPrefix { prefix, removed: false } => format!("{prefix} was put in front of the path after signing, by a proxy or an endpoint URL with a path"),
            Self::BucketTwice { signed } => format!("the path that was signed names the bucket another number of times: {signed}"),
            Self::LeadingSlash { signed } => format!("a slash in front of the key came or went: {signed} was signed"),
            Self::PathNormalised { signed } => format!("the path was normalised on the way (//, . and .. are parts of a key in S3): {signed} was signed"),
            Self::PathEncodedTwice => "the signer encoded the path twice, as other services than S3 want it".to_owned(),
            Self::PathReencoded => "the path was percent-encoded once more on its way: %25 where % was signed".to_owned(),
            Self::PathUnencoded { signed } => format!("the signer left characters of the path unencoded in what it signed: {signed}"),
            Self::PathPlusSpace { signed } => format!("a plus and a space in the path were taken for each other: {signed} was signed"),
            Self::PathSlashesEncoded => "the signer wrote the key's slashes as %2F in what it signed".to_owned(),
            Self::Method { signed, arrived } => format!("the link was signed for {signed} and used with {arrived}"),
            Self::ParameterAdded { names } => format!("{} put into the query after signing: {}", this(names.len(), "parameter was", "parameters were"), listed(names)),
            Self::ParameterDropped { name, value } => format!("the query lost a signed parameter on its way: {name}={value}"),
            Self::ParameterChanged { name, signed, arrived } => format!("{name} was changed after signing: from {signed} to {arrived}"),
            Self::QueryUnsorted => "the signer took the query in the order of the URL; it must be sorted by encoded name".to_owned(),
            Self::QueryUnencoded { how } => format!("the signer wrote the query otherwise than SigV4 wants in what it signed: {how}"),
            Self::HeaderValue { name, signed, arrived } => format!(
                "the signed header {name} came with another value: {:?} was signed, {:?} arrived",
                shown_value(name, signed),
                shown_value(name, arrived)
            ),
            Self::HeaderMissing { names } => format!("{} signed, and not sent: {}", this(names.len(), "header is", "headers are"), listed(names)),
            Self::PayloadLine { signed, arrived } => format!("the payload line (x-amz-content-sha256) differs: {signed} was signed, the request says {arrived}"),
            Self::OtherSecret { signer } => format!("it was signed with a secret of {signer}, beside an access key id that is not {signer}'s"),
            Self::SecretDamaged { how } => format!("the client's secret is the right one, {how}"),
            Self::SecretPrefix => "the signer began with the secret alone; the key's derivation begins with AWS4 and the secret".to_owned(),
            Self::KeyScope { date, region } => format!("the signing key was derived for {date} and {region}, which is not what the credential says"),
            Self::SignatureCase => "the signature is written in upper case; only lower-case hexadecimal digits are one".to_owned(),
            Self::HtmlEscaped => "the URL was copied out of HTML: it holds &amp; where & was signed".to_owned(),
            Self::TrailingCharacter { text } => format!("the URL has something around it that is no part of it: {text:?}"),
            Self::LineBreak => "the URL was broken over lines: white space got into it".to_owned(),
            Self::SignatureCut { digits } => format!("the signature has {digits} digits of 64: the URL was cut"),
            Self::SignatureMalformed => "X-Amz-Signature does not hold 64 hexadecimal digits".to_owned(),
            Self::EncodedTwice => "the URL was percent-encoded once more on its way: %25 stands where % did".to_owned(),
            Self::JsonEscaped => "the URL was copied out of JSON or a shell, with its escapes (\\u0026 or \\& for &)".to_owned(),
            Self::QuotedPrintable => "the URL was copied out of a mail's source (quoted-printable: =3D for =)".to_owned(),
            Self::Wrapped { host } => format!("this is not the link but one that leads to it, by way of {host}"),
            Self::ShellCut => "the URL ends at its first &: a shell cut it there".to_owned(),
            Self::QuestionMarkEncoded => "the ? in front of the query was percent-encoded (%3F), so all of it is taken for the key".to_owned(),
            Self::LowerCased => "the URL was turned into lower case, in which names and keys are others".to_owned(),
            Self::SignatureVersion2 => "it is signed with Signature Version 2, which AWS retired".to_owned(),
            Self::SeveralMechanisms { beside_link: true } => "an Authorization header was sent beside the signed link".to_owned(),
            Self::SeveralMechanisms { beside_link: false } => "the request authenticates in two ways at once".to_owned(),
            Self::UnsupportedAuthorization { scheme } => format!("its Authorization header is of the type {scheme:?}, which S3 does not know"),
            Self::NotSigned => "the request is not signed: there is no signature in its query or headers".to_owned(),
            Self::ParametersMissing { names } => format!("{} missing from the query: {}", this(names.len(), "parameter is", "parameters are"), listed(names)),
            Self::Algorithm { given } => format!("X-Amz-Algorithm is {given:?}"),
            Self::CredentialMalformed => "X-Amz-Credential has not the five parts ID/yyyyMMdd/REGION/s3/aws4_request".to_owned(),
            Self::AuthorizationMalformed => "the Authorization header has not its three components Credential, SignedHeaders and Signature, each once".to_owned(),
            Self::SignedHeadersMalformed => "the list of signed headers repeats a name, or holds one that is not a header's name".to_owned(),
            Self::DateMalformed { given } => format!("X-Amz-Date is {given:?}, and must look like 20261124T120000Z"),
            Self::DateMissing => "there is neither an x-amz-date nor a Date header that is a date".to_owned(),
            Self::ExpiresInvalid { given } => format!("X-Amz-Expires is {given:?}, and must be a number of seconds"),
            Self::ExpiresTooLong { given, most } => format!("X-Amz-Expires is {given} seconds, and may be at most {most}"),
            Self::Expired { life, expired_at, now } => {
                format!("the link expired at {}, {} ago; it lived for {}", instant(*expired_at), span((*now - *expired_at).whole_seconds()), span(i64::try_from(*life).unwrap_or(i64::MAX)))
            }
            Self::ExpiresZero => "X-Amz-Expires is 0: the link was never in force".to_owned(),
            Self::FormExpired { at } => format!("the form's policy expired at {}", instant(*at)),
            Self::ClockAhead { seconds } => format!("it is signed for a time {} from now: the signer's clock is ahead", span(*seconds)),
            Self::ClockSkew { seconds } => {
                let (by, which) = (span(seconds.abs()), if *seconds > 0 { "ahead" } else { "behind" });
                format!("the signer's clock is {by} {which}, and may be 15 minutes apart")
            }
            Self::RegionWrong { given, expected } => format!("it is signed for the region {given:?}, and this gateway is {expected:?}"),
            Self::ServiceWrong { given } => format!("it is signed for the service {given:?}, not for \"s3\""),
            Self::TerminatorWrong { given } => format!("its credential ends in {given:?}, not in \"aws4_request\""),
            Self::ScopeDate { given, expected } => format!("its credential is of the day {given:?}, and its date of {expected:?}"),
            Self::UnknownAccessKeyId { given, known: Some(known) } => format!("no signer has the access key id {given:?}; there is {known:?}"),
            Self::UnknownAccessKeyId { given, known: None } => format!("no signer has the access key id {given:?}"),
            Self::HeadersNotSigned { names } => format!("{} sent, and not signed: {}", this(names.len(), "header was", "headers were"), listed(names)),
            Self::SessionToken => "it carries a session token, and its key is a permanent one".to_owned(),
            Self::PayloadHashMissing => "it has no x-amz-content-sha256 header, which a request signed in its headers must have".to_owned(),
            Self::PayloadHashMalformed => "x-amz-content-sha256 is neither a SHA-256 in hexadecimal nor one of AWS's words".to_owned(),
            Self::MalformedUrl { problem } => format!("this is no URL that a client could send: {problem}"),
            Self::Revoked { rule } => format!("it was taken back: {rule}"),
            Self::SecretChanged { access_key_id } => format!("the key {access_key_id} has another secret now"),
            Self::NoStatement { signer, action, arn } => format!("no statement allows {signer} the action {action} on {arn}"),
            Self::ExplicitDeny { action, statement } => format!("{action} is denied by {statement}"),
            Self::ConditionFails { statements } => format!("what would allow it does not count, since its condition does not hold: {}", statements.join("; ")),
            Self::NotImplemented { message } => format!("it is signed and allowed, and postern does not do it: {}", message.trim_end_matches('.')),
            Self::Call { code, message } => format!("{}: {code}", message.trim_end_matches('.')),
            Self::NoSuchBucket { bucket } => format!("there is no bucket {bucket:?}"),
            Self::NoSuchKey { bucket, key, hidden: false } => format!("there is no object {key:?} in {bucket}"),
            Self::NoSuchKey { bucket, key, hidden: true } => {
                format!("there is no object {key:?} in {bucket}, and a signer without s3:ListBucket hears AccessDenied for that, as on AWS")
            }
            Self::Later { reason, message } => format!("signature and policy are fine; it failed later ({reason}): {message}"),
        }
    }

    /// What to change: one sentence or two.
    pub(super) fn fix(&self) -> String {
        match self {
            Self::Host { signed, .. } => format!(
                "sign for the address that clients use (the SDK's endpoint), or add the origin of {signed} to server.public_urls; a proxy in between must pass the Host header on"
            ),
            Self::AddressingStyle { .. } => "let signer and client use one addressing style: in boto3 Config(s3={'addressing_style': 'path'}), in the JavaScript SDK forcePathStyle: true; or name the domain in server.virtual_host_domains".to_owned(),
            Self::PathPrefix { prefix, .. } => format!("name the public URL with its prefix in server.public_urls (https://HOST{prefix}), or sign and send without it"),
            Self::BucketTwice { .. } => "the endpoint must not hold the bucket's name: give it to the SDK once, as Bucket".to_owned(),
            Self::LeadingSlash { .. } => "give the key without a slash in front, or with it everywhere: /a and a are two keys".to_owned(),
            Self::PathNormalised { .. } => "keep proxies and clients from normalising paths (nginx: merge_slashes off and proxy_pass without a path; curl: --path-as-is), or avoid such keys".to_owned(),
            Self::PathEncodedTwice => "use the SDK's S3 signer (in botocore S3SigV4Auth; elsewhere an option such as uriEscapePath: false or disableDoubleEncoding)".to_owned(),
            Self::PathReencoded => "pass the URL on as it is: a proxy or client that decodes and encodes paths must not touch it".to_owned(),
            Self::PathUnencoded { .. } => "encode every byte but A-Z a-z 0-9 - . _ ~ and / before signing: JavaScript's encodeURIComponent leaves !*'() alone, encodeURI more".to_owned(),
            Self::PathPlusSpace { .. } => "write a space in a path as %20 and a plus as %2B, when signing and when sending".to_owned(),
            Self::PathSlashesEncoded => "encode the key segment by segment: its slashes stay slashes in the canonical request".to_owned(),
            Self::Method { signed, arrived } => format!("sign for {arrived}, or use the link with {signed}: a link is for one method (a link for GET does not serve HEAD)"),
            Self::ParameterAdded { .. } => "add nothing to a signed URL: give parameters to the SDK when signing, and keep trackers and caches from adding theirs".to_owned(),
            Self::ParameterDropped { name, .. } => format!("send the URL as it was signed: something removes {name} from it"),
            Self::ParameterChanged { .. } => "sign again with the value that is wanted: what is in the URL is covered by the signature".to_owned(),
            Self::QueryUnsorted => "sort the encoded parameters by name, then by value, in the canonical request; the URL itself may have any order".to_owned(),
            Self::QueryUnencoded { .. } => "encode every byte of a name or value but A-Z a-z 0-9 - . _ ~ as %XX in upper case, once, with / as %2F and a space as %20; write name= where there is no value".to_owned(),
            Self::HeaderValue { name, signed, .. } => format!(
                "send {name}: {} exactly as it was signed (HTTP clients append a charset or set a type of their own), \
                 or leave {name} out when signing",
                shown_value(name, signed)
            ),
            Self::HeaderMissing { names } => format!("send {} with the value that was signed, or sign again without", listed(names)),
            Self::PayloadLine { signed, .. } => match signed.as_str() {
                "UNSIGNED-PAYLOAD" => "do not send x-amz-content-sha256 with the link, or send UNSIGNED-PAYLOAD".to_owned(),
                _ => format!("a link without x-amz-content-sha256 is signed with UNSIGNED-PAYLOAD; to sign {signed}, put it into that header or parameter and send it"),
            },
            Self::OtherSecret { signer } => format!("use {signer}'s access key id with that secret, or the secret that belongs to the id: two configurations were mixed"),
            Self::SecretDamaged { .. } => "take the secret exactly as it stands in the policy file: trim what was read from a file or a variable, and use no quotes and no encoding".to_owned(),
            Self::SecretPrefix => "derive the signing key from \"AWS4\" + secret, then date, region, s3, aws4_request".to_owned(),
            Self::KeyScope { .. } => "derive the signing key for the day and the region that stand in X-Amz-Credential, in UTC; do not keep it over midnight".to_owned(),
            Self::SignatureCase => "write the signature in lower-case hexadecimal".to_owned(),
            Self::HtmlEscaped => "replace &amp; with &: take the URL from the link's target, not from the page's source".to_owned(),
            Self::TrailingCharacter { .. } => "use the URL without it: put a space or a line end behind a URL in text".to_owned(),
            Self::LineBreak => "take the white space out: send long URLs in one line, or as a link".to_owned(),
            Self::SignatureCut { .. } | Self::SignatureMalformed => "take the whole URL again from where it was made: something cut or changed it".to_owned(),
            Self::EncodedTwice => "decode it once, or pass the URL on without encoding it: mail tools and redirects do that".to_owned(),
            Self::JsonEscaped => "parse the JSON, or leave the backslashes out and put the URL in single quotes".to_owned(),
            Self::QuotedPrintable => "take the URL from the decoded mail".to_owned(),
            Self::Wrapped { .. } => "follow that link, or take the URL out of its parameter, decoded once".to_owned(),
            Self::ShellCut => "put the URL in quotes: curl 'URL'".to_owned(),
            Self::QuestionMarkEncoded => "give the URL to the client as a whole; do not encode it as if it were a path".to_owned(),
            Self::LowerCased => "use the URL as it was made: upper and lower case count in it".to_owned(),
            Self::SignatureVersion2 => "sign with Version 4: in boto3 Config(signature_version='s3v4'), with s3cmd signature_v2 = False (its signurl knows only Version 2), in the old AWS SDK for JavaScript signatureVersion: 'v4', in the AWS CLI aws configure set default.s3.signature_version s3v4".to_owned(),
            Self::SeveralMechanisms { beside_link: true } => "send the link without an Authorization header: keep the HTTP client's default headers, .netrc or a proxy's login away from it".to_owned(),
            Self::SeveralMechanisms { beside_link: false } => "sign in the query or in the header, not in both, and with one version".to_owned(),
            Self::UnsupportedAuthorization { .. } => "sign with AWS4-HMAC-SHA256, by an S3 SDK or a presigned link: passwords and tokens are not taken".to_owned(),
            Self::NotSigned => "use the whole link with its query, or sign the request; nothing here is open without a signature".to_owned(),
            Self::ParametersMissing { .. } => "use the whole link as it was made: all six X-Amz-* parameters belong to it".to_owned(),
            Self::Algorithm { .. } => "sign with AWS4-HMAC-SHA256 (SigV4A, AWS4-ECDSA-P256-SHA256, is not taken)".to_owned(),
            Self::CredentialMalformed => "let an SDK make it, or write ID/yyyyMMdd/REGION/s3/aws4_request, its slashes as %2F in the URL".to_owned(),
            Self::AuthorizationMalformed => "write AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…".to_owned(),
            Self::SignedHeadersMalformed => "name each signed header once, in lower case, sorted, joined with ;".to_owned(),
            Self::DateMalformed { .. } => "write the time of signing in UTC as yyyyMMdd'T'HHmmss'Z'".to_owned(),
            Self::DateMissing => "send x-amz-date, and sign it".to_owned(),
            Self::ExpiresInvalid { .. } => "give whole seconds, from 1 to 604800: a duration such as 1h or 0.5 is none".to_owned(),
            Self::ExpiresTooLong { most, .. } => format!("sign for at most {most} seconds{}", if *most < 604_800 { " (presign.max_expires)" } else { ": AWS knows no longer link either" }),
            Self::Expired { .. } => "sign a new link, with a longer life if this one was followed in time; it cannot be prolonged".to_owned(),
            Self::ExpiresZero => "sign for at least one second".to_owned(),
            Self::FormExpired { .. } => "make a new form, with a later expiration in its policy".to_owned(),
            Self::ClockAhead { .. } | Self::ClockSkew { .. } => "set the clocks of both machines by NTP, and give the time of signing in UTC".to_owned(),
            Self::RegionWrong { given, expected } => format!("set the client's region to {expected} (AWS_REGION), or name {given:?} in server.regions"),
            Self::ServiceWrong { .. } => "sign for the service s3".to_owned(),
            Self::TerminatorWrong { .. } => "end the credential's scope with aws4_request".to_owned(),
            Self::ScopeDate { expected, .. } => format!("take the credential's day from the date of signing, in UTC: {expected}"),
            Self::UnknownAccessKeyId { given, .. } => {
                let whose = match given.as_str() {
                    id if id.starts_with("ASIA") => " (an id that begins with ASIA is a temporary key of AWS's)",
                    "minioadmin" | "test" => " (this is another server's default)",
                    _ => "",
                };
                format!("use the keys of a signer of the policy file, which postern check lists{whose}; the environment or a profile may hold others")
            }
            Self::HeadersNotSigned { names } => format!("give {} to the SDK when signing (as parameters of the call), or do not send {}", listed(names), if names.len() == 1 { "it" } else { "them" }),
            Self::SessionToken => "unset AWS_SESSION_TOKEN, and take it out of the profile: keys of the policy file have none".to_owned(),
            Self::PayloadHashMissing => "send x-amz-content-sha256: the body's SHA-256, or UNSIGNED-PAYLOAD".to_owned(),
            Self::PayloadHashMalformed => "send the body's SHA-256 in hexadecimal, or UNSIGNED-PAYLOAD".to_owned(),
            Self::MalformedUrl { .. } => "percent-encode what a URL cannot hold, once".to_owned(),
            Self::Revoked { .. } => "sign a new link, where that is still allowed; or postern restore with the same selector gives this one back".to_owned(),
            Self::SecretChanged { .. } => "sign again with the new secret".to_owned(),
            Self::NoStatement { action, arn, .. } => format!(
                "allow it in the policy file, below the signer: [[signer.statement]] Effect = \"Allow\" Action = [\"{action}\"] Resource = [\"{arn}\"]"
            ),
            Self::ExplicitDeny { .. } => "a denial beats every permission: narrow or remove that statement".to_owned(),
            Self::ConditionFails { .. } => "send the request as the condition wants it, or change the condition".to_owned(),
            Self::NotImplemented { .. } => "leave out what it asks for: the README's last section says what is there, docs/ERRORS.md what is refused".to_owned(),
            Self::Call { .. } => "change the request as the message says (docs/ERRORS.md)".to_owned(),
            Self::NoSuchBucket { bucket } => format!("make it with postern mb s3://{bucket}, or check the name"),
            Self::NoSuchKey { .. } => "check the key, letter by letter: keys are case-sensitive and never normalised".to_owned(),
            Self::Later { .. } => "see docs/ERRORS.md for this answer".to_owned(),
        }
    }
}
