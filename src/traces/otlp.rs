//! Spans as a document of OTLP: the JSON form of `ExportTraceServiceRequest`.
//! <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>

use std::fmt;

use serde::{Serialize, Serializer};

use crate::types::Scheme;

use super::Span;

/// What a server's span is called in OTLP.
const SERVER: u8 = 2;
/// A status that says that something went wrong.
const ERROR: u8 = 2;
/// The trace is sampled; the parent is known to be, or not to be, of another process; it is.
const SAMPLED: u32 = 0x001;
const KNOWS_WHERE_FROM: u32 = 0x100;
const FROM_ELSEWHERE: u32 = 0x200;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    resource_spans: [ResourceSpans<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: Resource<'a>,
    scope_spans: [ScopeSpans<'a>; 1],
}

#[derive(Serialize)]
struct Resource<'a> {
    attributes: Vec<Attribute<'a>>,
}

#[derive(Serialize)]
struct ScopeSpans<'a> {
    scope: Scope,
    spans: Vec<Written<'a>>,
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    flags: u32,
    name: &'a str,
    kind: u8,
    start_time_unix_nano: Whole<i128>,
    end_time_unix_nano: Whole<i128>,
    attributes: Vec<Attribute<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
}

#[derive(Serialize)]
struct Status {
    code: u8,
}

#[derive(Serialize)]
struct Attribute<'a> {
    key: &'static str,
    value: Value<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Value<'a> {
    StringValue(&'a str),
    IntValue(Whole<u64>),
}

/// Whole numbers of 64 bits are texts in this form.
struct Whole<N>(N);

impl<N: fmt::Display> Serialize for Whole<N> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

/// The document of these spans.
pub(super) fn document(spans: &[Span]) -> Vec<u8> {
    let document = Document {
        resource_spans: [ResourceSpans {
            resource: Resource {
                attributes: vec![
                    text("service.name", "postern"),
                    text("service.version", env!("CARGO_PKG_VERSION")),
                ],
            },
            scope_spans: [ScopeSpans {
                scope: Scope {
                    name: "postern",
                    version: env!("CARGO_PKG_VERSION"),
                },
                spans: spans.iter().map(written).collect(),
            }],
        }],
    };
    // Texts and numbers: there is nothing in it that cannot be written.
    serde_json::to_vec(&document).unwrap_or_default()
}

fn written(span: &Span) -> Written<'_> {
    let context = &span.context;
    let began = span.began.unix_timestamp_nanos().max(0);
    let took = i128::try_from(span.duration.as_nanos()).unwrap_or(0);
    Written {
        trace_id: hex::encode(context.trace),
        span_id: hex::encode(context.span),
        parent_span_id: context.parent.map(hex::encode),
        flags: match context.parent {
            Some(_) => SAMPLED | KNOWS_WHERE_FROM | FROM_ELSEWHERE,
            None => SAMPLED,
        },
        name: span.name(),
        kind: SERVER,
        start_time_unix_nano: Whole(began),
        end_time_unix_nano: Whole(began + took),
        attributes: attributes(span),
        status: span.is_error.then_some(Status { code: ERROR }),
    }
}

fn attributes(span: &Span) -> Vec<Attribute<'_>> {
    let scheme = match span.scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    let mut attributes = vec![
        text("http.request.method", span.known_method().unwrap_or("_OTHER")),
        text("url.scheme", scheme),
        number("http.request.body.size", span.bytes_received),
        number("http.response.body.size", span.bytes_sent),
        text("aws.request_id", &span.request_id),
        text("postern.outcome", span.outcome),
    ];
    if let Some(status) = span.status {
        attributes.push(number("http.response.status_code", status.into()));
    }
    let bucket = span.bucket.as_ref().map(|bucket| bucket.as_str());
    for (key, value) in [
        ("postern.operation", span.operation),
        ("aws.s3.bucket", bucket),
        ("postern.signer", span.signer.as_deref()),
        ("postern.code", span.code),
        ("error.type", span.reason),
    ] {
        attributes.extend(value.map(|value| text(key, value)));
    }
    attributes
}

fn text<'a>(key: &'static str, value: &'a str) -> Attribute<'a> {
    Attribute {
        key,
        value: Value::StringValue(value),
    }
}

fn number<'a>(key: &'static str, value: u64) -> Attribute<'a> {
    Attribute {
        key,
        value: Value::IntValue(Whole(value)),
    }
}

#[cfg(test)]
mod tests {
    use http::Method;
    use serde_json::{Value, json};

    use super::*;
    use crate::traces::span::tests::any as span;

    fn shown(span: Span) -> Value {
        let document: Value = serde_json::from_slice(&document(&[span])).unwrap();
        document["resourceSpans"][0]["scopeSpans"][0]["spans"][0].clone()
    }

    fn attribute(span: &Value, key: &str) -> Option<Value> {
        let attributes = span["attributes"].as_array().unwrap();
        let found = attributes.iter().find(|attribute| attribute["key"] == key)?;
        Some(found["value"].clone())
    }

    #[test]
    fn a_span_reads_as_collectors_want_it() {
        let shown = shown(span());
        assert_eq!(shown["traceId"], "4b".repeat(16));
        assert_eq!(shown["spanId"], "01".repeat(8));
        assert_eq!(shown["parentSpanId"], "b7".repeat(8));
        assert_eq!(shown["name"], "GetObject");
        assert_eq!((&shown["kind"], &shown["flags"]), (&json!(2), &json!(0x301)));
        assert_eq!(shown["startTimeUnixNano"], "1795521600000000000");
        assert_eq!(shown["endTimeUnixNano"], "1795521600001500000");
        assert_eq!(shown.get("status"), None);
        assert_eq!(
            attribute(&shown, "http.response.status_code"),
            Some(json!({"intValue": "206"}))
        );
        assert_eq!(
            attribute(&shown, "postern.signer"),
            Some(json!({"stringValue": "alice"}))
        );
        assert_eq!(attribute(&shown, "error.type"), None);
    }

    #[test]
    fn a_root_has_no_parent_and_a_fault_is_marked() {
        let mut failed = span();
        failed.context.parent = None;
        failed.is_error = true;
        failed.reason = Some("Unreadable");
        let shown = shown(failed);
        assert_eq!(
            (shown.get("parentSpanId"), &shown["flags"]),
            (None, &json!(0x001))
        );
        assert_eq!(shown["status"], json!({"code": 2}));
        assert_eq!(
            attribute(&shown, "error.type"),
            Some(json!({"stringValue": "Unreadable"}))
        );
    }

    #[test]
    fn a_clients_own_method_is_no_name() {
        let mut odd = span();
        odd.method = Method::from_bytes(b"SECRET-WORD").unwrap();
        odd.operation = None;
        let shown = shown(odd);
        assert_eq!(shown["name"], "HTTP");
        assert!(!shown.to_string().contains("SECRET"), "{shown}");
    }
}
