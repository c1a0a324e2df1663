//! One request as a span, by OpenTelemetry's conventions for HTTP servers.
//! <https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server>
//!
//! Stricter than they are: there is no path and no query (a link's query is a credential, and a key may be nobody else's business), no address and no
//! user agent. The audit trail has the key and the client, under the request's id that the span carries.

use std::{sync::Arc, time::Duration};

use http::Method;
use time::OffsetDateTime;

use crate::types::{BucketName, Scheme};

use super::Context;

/// One request, once it is over.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its place in its trace.
    pub context: Context,
    /// When it came.
    pub began: OffsetDateTime,
    /// How long it took, to the last byte.
    pub duration: Duration,
    /// HTTP's method.
    pub method: Method,
    /// HTTP or HTTPS.
    pub scheme: Scheme,
    /// HTTP's status; none where nobody was there to hear it.
    pub status: Option<u16>,
    /// Its name in its answer, in the log and in the audit trail.
    pub request_id: String,
    /// AWS's name of what was permitted.
    pub operation: Option<&'static str>,
    /// The bucket, where something was permitted.
    pub bucket: Option<BucketName>,
    /// Whose request it is, where its signature holds.
    pub signer: Option<Arc<str>>,
    /// S3's error code.
    pub code: Option<&'static str>,
    /// What became of it: one of a few fixed words.
    pub outcome: &'static str,
    /// The precise reason where it did not get what it asked for.
    pub reason: Option<&'static str>,
    /// Did it end otherwise than it should have, by our fault or by a change of the policy? What a client does wrong is no error of ours.
    pub is_error: bool,
    /// Bytes of the request's body.
    pub bytes_received: u64,
    /// Bytes of the answer's body.
    pub bytes_sent: u64,
}

/// A method is whatever a client writes, and a name in a trace is not.
const METHODS: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::PUT,
    Method::POST,
    Method::DELETE,
    Method::OPTIONS,
    Method::PATCH,
    Method::TRACE,
    Method::CONNECT,
];

impl Span {
    /// What it is called: the operation, or, where none was permitted, the method.
    pub(super) fn name(&self) -> &str {
        match (self.operation, self.known_method()) {
            (Some(operation), _) => operation,
            (None, Some(method)) => method,
            (None, None) => "HTTP",
        }
    }

    /// The method where it is one that there is.
    pub(super) fn known_method(&self) -> Option<&str> {
        METHODS.contains(&self.method).then(|| self.method.as_str())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use time::macros::datetime;

    use super::*;

    /// A span of an object that was read.
    pub(in crate::traces) fn any() -> Span {
        Span {
            context: Context {
                trace: [0x4b; 16],
                parent: Some([0xb7; 8]),
                span: [0x01; 8],
            },
            began: datetime!(2026-11-24 12:00 UTC),
            duration: Duration::from_micros(1500),
            method: Method::GET,
            scheme: Scheme::Https,
            status: Some(206),
            request_id: "0123456789ABCDEF".to_owned(),
            operation: Some("GetObject"),
            bucket: BucketName::parse("films").ok(),
            signer: Some("alice".into()),
            code: None,
            outcome: "served",
            reason: None,
            is_error: false,
            bytes_received: 0,
            bytes_sent: 10,
        }
    }
}
