//! Signature Version 4 in the query string. A request's head and its query go in, with the time, the regions and a signing
//! key as arguments; a [`Verified`] comes out, or a [`Reject`] that holds what S3's error needs. [`presign`] makes such a
//! link, over the same canonical request.
//!
//! The steps are types, each made only by the step before it, in the order in which AWS tells errors:
//! [`Mechanism::of`] → [`Presigned::parse`] → [`Presigned::in_force`] → (the caller finds the key) → [`InForce::verify`].
//!
//! Stricter than AWS, each file saying why: [`mechanism`](Mechanism), [`presigned`](Presigned), [`window`](Terms).
//!
//! AWS's published example, checked and then made again:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
//!
//! ```
//! use http::{HeaderMap, Method};
//! use postern::{sigv4::{self, Mechanism, Presigned, Target, Terms}, types::{Region, RequestHead, Scheme, SecretKey, Span}};
//! use time::macros::datetime;
//!
//! let url = "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
//!     &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
//!     &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
//!     &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
//! let head = RequestHead::new(Method::GET, Scheme::Https, url.parse()?, HeaderMap::new())?;
//! let query = head.query()?;
//! assert_eq!(Mechanism::of(&head, &query)?, Mechanism::Presigned);
//!
//! let regions = [Region::parse("us-east-1")?];
//! let terms = Terms { now: datetime!(2013-05-24 12:00 UTC), regions: &regions, max_expires: Span::from_seconds(604_800) };
//! let in_force = Presigned::parse(&query)?.in_force(&terms)?;
//! assert_eq!(in_force.access_key_id().as_str(), "AKIAIOSFODNN7EXAMPLE");
//!
//! let secret = SecretKey::parse("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned())?;
//! let key = sigv4::signing_key(&secret, in_force.scope_date(), in_force.region().as_str());
//! let path = head.canonical_path()?;
//! let target = Target { authority: head.authority(), path: &path };
//! let verified = in_force.verify(&head, target, &key)?;
//! assert_eq!(verified.expires_at(), datetime!(2013-05-25 0:00 UTC));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod canonical;
mod chunked;
mod claim;
mod encode;
mod form;
mod header;
mod mechanism;
mod payload;
mod presigned;
mod reject;
mod scope;
mod sign;
mod sign_header;
mod signing_key;
#[cfg(test)]
mod tests;
mod trial;
mod verify;
mod window;

pub use chunked::{ChunkedDecoder, ChunkedReject, Decoded};
pub use form::{FormFields, FormInForce, FormSigned};
pub use header::HeaderSigned;
pub use mechanism::Mechanism;
pub use payload::{Payload, Streaming};
pub use presigned::Presigned;
pub use reject::{ErrorText, Mismatch, Reject, ScopeReject};
pub use sign::{AddressingStyle, Endpoint, SignError, SignRequest, SignedUrl, presign};
pub use sign_header::{SignedRequest, sign_header};
pub use signing_key::signing_key;
pub(crate) use trial::trial_key;
pub use trial::{Trial, TrialHash, TrialScope};
pub use verify::{Target, ToSign, Verified};
pub use window::{InForce, Terms};

/// The one algorithm that is spoken here, as the wire names it.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The service that a credential scope must name.
const SERVICE: &str = "s3";
/// How a credential scope ends.
const TERMINATOR: &str = "aws4_request";
/// AWS's longest life of a link, in seconds: a week.
const MAX_EXPIRES_SECONDS: u64 = 604_800;
