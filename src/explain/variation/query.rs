//! Other queries: parameters that came later, went missing or were changed, and queries that were written otherwise than SigV4 wants.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{Arrived, Change, Variation, path::lower_escapes};
use crate::explain::Cause;

/// All but the unreserved characters, RFC 3986 section 2.3.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// What a link must have.
pub(in crate::explain) const SIX: [&str; 6] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
];
/// Of so many further parameters every selection is tried.
const MOST_SELECTED: usize = 6;
/// What trackers put into links.
const TRACKERS: &[&str] = &[
    "fbclid", "gclid", "dclid", "msclkid", "mc_cid", "mc_eid", "igshid", "ref", "source", "_ga", "_gl", "si",
    "yclid", "twclid",
];
/// Usual lives of links, in seconds.
const LIVES: &[u32] = &[
    60, 120, 300, 600, 900, 1_200, 1_800, 3_600, 7_200, 10_800, 14_400, 21_600, 28_800, 43_200, 86_400,
    172_800, 259_200, 432_000, 604_800,
];

/// Of an upload's parts the numbers up to this one are tried.
const MOST_PARTS: u32 = 20;

type Pair = (String, String);

pub(super) fn variations(arrived: &Arrived<'_>) -> Vec<Variation> {
    let pairs: Vec<Pair> = arrived
        .canonical
        .parameters()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut found = Vec::with_capacity(64);
    let mut other = |cause: Cause, query: String| {
        found.push(Variation {
            cause,
            change: Change {
                query: Some(query),
                ..Change::default()
            },
        });
    };
    added(&pairs, arrived.most_of_a_kind, &mut other);
    dropped(arrived, &pairs, &mut other);
    changed(&pairs, &mut other);
    written_otherwise(arrived, &pairs, &mut other);
    found
}

/// Parameters that were put in after signing.
fn added(pairs: &[Pair], most: usize, other: &mut impl FnMut(Cause, String)) {
    let is_extra = |name: &str| !SIX.contains(&name);
    let is_tracker = |name: &str| name.starts_with("utm_") || TRACKERS.contains(&name);
    let mut without = |gone: &dyn Fn(usize, &str) -> bool| {
        let (removed, kept): (Vec<_>, Vec<_>) = pairs
            .iter()
            .cloned()
            .enumerate()
            .partition(|(at, (name, _))| gone(*at, name));
        if removed.is_empty() {
            return;
        }
        let names = removed.into_iter().map(|(_, (name, _))| decoded(&name)).collect();
        let kept = kept.into_iter().map(|(_, pair)| pair).collect();
        other(Cause::ParameterAdded { names }, sorted(kept));
    };
    let extras: Vec<usize> = (0..pairs.len())
        .filter(|at| pairs.get(*at).is_some_and(|(name, _)| is_extra(name)))
        .collect();
    for extra in extras.iter().take(most) {
        without(&|at, _| at == *extra);
    }
    without(&|_, name| is_tracker(name));
    without(&|_, name| is_extra(name));
    without(&|_, name| is_extra(name) && !name.to_ascii_lowercase().starts_with("x-amz-"));
    if extras.len() <= MOST_SELECTED {
        for selection in 1_u32..1 << extras.len() {
            without(&|at, _| {
                extras
                    .iter()
                    .position(|extra| *extra == at)
                    .is_some_and(|bit| selection & 1 << bit != 0)
            });
        }
    }
}

/// Parameters that SDKs sign and that go missing.
fn dropped(arrived: &Arrived<'_>, pairs: &[Pair], other: &mut impl FnMut(Cause, String)) {
    let operation = match arrived.canonical.method.as_str() {
        "PUT" => "PutObject",
        "HEAD" => "HeadObject",
        "DELETE" => "DeleteObject",
        _ => "GetObject",
    };
    let mut with = |more: &[(&str, &str)]| {
        let has = |name: &str| pairs.iter().any(|(found, _)| found == name);
        let Some((name, value)) = more.first().copied().filter(|(name, _)| !has(name)) else {
            return;
        };
        let more = more
            .iter()
            .map(|(name, value)| ((*name).to_owned(), encoded(value)));
        let all = pairs.iter().cloned().chain(more).collect();
        let cause = Cause::ParameterDropped {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        other(cause, sorted(all));
    };
    with(&[("x-id", operation)]);
    with(&[("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")]);
    with(&[("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"), ("x-id", operation)]);
    with(&[("x-id", operation), ("x-amz-checksum-mode", "ENABLED")]);
    with(&[("x-amz-checksum-mode", "ENABLED"), ("x-id", operation)]);
    with(&[("x-amz-checksum-mode", "ENABLED")]);
    for value in ["attachment", "inline"] {
        with(&[("response-content-disposition", value)]);
    }
    with(&[("versionId", "null")]);
}

/// A life, or the number of a part, that was edited.
fn changed(pairs: &[Pair], other: &mut impl FnMut(Cause, String)) {
    let lives = LIVES.iter().map(|life| ("X-Amz-Expires", *life));
    let numbers = (1..=MOST_PARTS).map(|number| ("partNumber", number));
    for (name, value) in lives.chain(numbers) {
        let Some((_, arrived)) = pairs.iter().find(|(found, _)| found == name) else {
            continue;
        };
        let signed = value.to_string();
        let set = |(found, old): &Pair| {
            (
                found.clone(),
                if found == name {
                    signed.clone()
                } else {
                    old.clone()
                },
            )
        };
        let cause = Cause::ParameterChanged {
            name: name.to_owned(),
            signed: signed.clone(),
            arrived: arrived.clone(),
        };
        other(cause, sorted(pairs.iter().map(set).collect()));
    }
}

fn written_otherwise(arrived: &Arrived<'_>, pairs: &[Pair], other: &mut impl FnMut(Cause, String)) {
    let query = &arrived.canonical.query;
    if let Ok(sent) = arrived.head.query() {
        let in_order = sent.iter();
        let in_order: Vec<_> = in_order
            .filter(|parameter| parameter.name != "X-Amz-Signature")
            .map(|parameter| (encoded(&parameter.name), encoded(&parameter.value)))
            .collect();
        other(Cause::QueryUnsorted, joined(&in_order));
    }
    let mut how = |how: &'static str, query: String| other(Cause::QueryUnencoded { how }, query);
    how("with / as it is, not as %2F", query.replace("%2F", "/"));
    how("with ; as it is, not as %3B", query.replace("%3B", ";"));
    how(
        "with / and ; as they are",
        query.replace("%2F", "/").replace("%3B", ";"),
    );
    how("with a space as +", query.replace("%20", "+"));
    how(
        "with a + meant where a + was sent, which is a space",
        query.replace("%20", "%2B"),
    );
    how("with escapes in lower case (%2f)", lower_escapes(query));
    how("encoded twice (%252F)", query.replace('%', "%25"));
    let plain = |(name, value): &Pair| (decoded(name), decoded(value));
    how(
        "not encoded at all",
        joined(&pairs.iter().map(plain).collect::<Vec<_>>()),
    );
    let bare: Vec<_> = query
        .split('&')
        .map(|pair| pair.strip_suffix('=').unwrap_or(pair))
        .collect();
    how("without = where there is no value", bare.join("&"));
    how("with ~ as %7E", query.replace('~', "%7E"));
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn sorted(mut pairs: Vec<Pair>) -> String {
    pairs.sort();
    joined(&pairs)
}

fn joined(pairs: &[Pair]) -> String {
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}
