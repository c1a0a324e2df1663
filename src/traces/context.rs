//! Which trace a request belongs to: what a client says in `traceparent` goes in, the names of trace and span come out.
//! <https://www.w3.org/TR/trace-context/>

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

use http::HeaderMap;

/// What the header is called.
const TRACEPARENT: &str = "traceparent";
/// The flag that says that the parent has a span itself.
const SAMPLED: u8 = 1;

/// The place of one request in its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The name of the trace.
    pub trace: [u8; 16],
    /// The client's span, where there is one.
    pub parent: Option<[u8; 8]>,
    /// Our own.
    pub span: [u8; 8],
}

/// What a client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parent {
    pub(super) trace: [u8; 16],
    pub(super) span: [u8; 8],
    pub(super) sampled: bool,
}

impl Parent {
    /// None where there is no such header, or more than one, or one that the specification does not allow: then the client is not heard.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let (only, None) = (values.next()?, values.next()) else {
            return None;
        };
        Self::parse(only.as_bytes())
    }

    /// `00-<trace>-<span>-<flags>` in lower-case hexadecimal. A later version may have more behind a hyphen, which is not looked at.
    fn parse(text: &[u8]) -> Option<Self> {
        let (known, rest) = text.split_at_checked(55)?;
        let mut fields = known.split(|byte| *byte == b'-');
        let (version, trace) = (bytes::<1>(fields.next()?)?, bytes(fields.next()?)?);
        let (span, flags) = (bytes(fields.next()?)?, bytes::<1>(fields.next()?)?);
        let more = match version {
            [0xff] => return None,
            [0] => rest.is_empty(),
            [_] => rest.is_empty() || rest.starts_with(b"-"),
        };
        let named = trace != [0; 16] && span != [0; 8];
        (more && named && fields.next().is_none()).then_some(Self {
            trace,
            span,
            sampled: flags[0] & SAMPLED != 0,
        })
    }
}

/// So many bytes in lower-case hexadecimal.
fn bytes<const LENGTH: usize>(text: &[u8]) -> Option<[u8; LENGTH]> {
    if text.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    let mut bytes = [0; LENGTH];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

/// Makes names, and decides which requests have a span. A name is a counter behind a randomly keyed hash: it costs no system call, and none follows
/// from another.
pub(super) struct Sampler {
    counter: AtomicU64,
    hash: RandomState,
    /// The share of traces of our own that have spans.
    share: f64,
    honours_parents: bool,
}

impl Sampler {
    pub(super) fn new(share: f64, honours_parents: bool) -> Self {
        Self {
            counter: AtomicU64::new(0),
            hash: RandomState::new(),
            share,
            honours_parents,
        }
    }

    /// The place of a request in its trace; none where it has no span.
    pub(super) fn place(&self, headers: &HeaderMap) -> Option<Context> {
        let parent = match self.honours_parents {
            true => Parent::of(headers),
            false => None,
        };
        if parent.is_some_and(|parent| !parent.sampled) {
            return None;
        }
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        // 0 is no name.
        let name = |part: u8| self.hash.hash_one((count, part)).max(1).to_be_bytes();
        let span = name(0);
        if let Some(Parent { trace, span: of, .. }) = parent {
            return Some(Context {
                trace,
                parent: Some(of),
                span,
            });
        }
        let mut trace = [0; 16];
        let (front, back) = trace.split_at_mut(8);
        front.copy_from_slice(&name(1));
        back.copy_from_slice(&name(2));
        self.takes(&name(2)).then_some(Context {
            trace,
            parent: None,
            span,
        })
    }

    /// Is a trace whose name ends like this among the share? The same trace is with the same share everywhere, as OpenTelemetry's samplers have it.
    fn takes(&self, end: &[u8; 8]) -> bool {
        let place = (u64::from_be_bytes(*end) >> 1) as f64;
        place < self.share * (1_u64 << 63) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(TRACEPARENT, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_parent_is_heard_as_the_specification_says() {
        for (text, sampled) in [
            (format!("00-{TRACE}-{SPAN}-01"), true),
            (format!("00-{TRACE}-{SPAN}-00"), false),
            (format!("00-{TRACE}-{SPAN}-03"), true),
            (format!("00-{TRACE}-{SPAN}-02"), false),
            (format!("cc-{TRACE}-{SPAN}-01"), true),
            (format!("cc-{TRACE}-{SPAN}-01-more"), true),
        ] {
            let parent = Parent::of(&headers(&[&text])).unwrap();
            assert_eq!(
                (
                    hex::encode(parent.trace),
                    hex::encode(parent.span),
                    parent.sampled
                ),
                (TRACE.to_owned(), SPAN.to_owned(), sampled),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_malformed_is_not_heard() {
        let upper = TRACE.to_uppercase();
        for text in [
            String::new(),
            "00".to_owned(),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-zz"),
            format!("00-{upper}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}{SPAN}--01"),
            format!("00_{TRACE}_{SPAN}_01"),
            format!("cc-{TRACE}-{SPAN}-01more"),
            format!("00-{TRACE}-{SPAN}-01 "),
        ] {
            // A header is sent without the white space around it, so this one is parsed as it is.
            assert_eq!(Parent::parse(text.as_bytes()), None, "{text:?}");
        }
        let good = format!("00-{TRACE}-{SPAN}-01");
        assert_eq!(Parent::of(&headers(&[&good, &good])), None, "two of them");
        assert_eq!(Parent::of(&headers(&[])), None);
    }

    #[test]
    fn a_parent_decides_before_the_share_does() {
        let (yes, no) = (
            headers(&[&format!("00-{TRACE}-{SPAN}-01")]),
            headers(&[&format!("00-{TRACE}-{SPAN}-00")]),
        );
        let never = Sampler::new(0.0, true);
        let place = never.place(&yes).unwrap();
        assert_eq!(
            (hex::encode(place.trace), place.parent.map(hex::encode)),
            (TRACE.to_owned(), Some(SPAN.to_owned()))
        );
        assert_ne!(never.place(&yes).unwrap().span, place.span);
        assert_eq!(never.place(&headers(&[])), None);
        let always = Sampler::new(1.0, true);
        assert_eq!(always.place(&no), None);
        assert_eq!(always.place(&headers(&[])).unwrap().parent, None);
        let deaf = Sampler::new(1.0, false);
        let place = deaf.place(&yes).unwrap();
        assert!(place.parent.is_none() && hex::encode(place.trace) != TRACE);
    }

    #[test]
    fn a_share_is_about_that_share() {
        let sampler = Sampler::new(0.25, true);
        let none = headers(&[]);
        let taken = (0..10_000).filter(|_| sampler.place(&none).is_some()).count();
        assert!((2_000..3_000).contains(&taken), "{taken}");
    }
}
