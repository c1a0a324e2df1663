//! Other paths: encoded another number of times, with other characters left alone, normalised, with more or less in front.

use percent_encoding::percent_decode_str;

use super::{Arrived, Change, Variation};
use crate::explain::Cause;

/// Prefixes under which proxies commonly put an S3 server.
const USUAL_PREFIXES: &[&str] = &["/s3", "/minio", "/storage", "/files", "/api", "/media"];

/// So many slashes are tried as two.
const MOST_SLASHES: usize = 16;

pub(super) fn variations(arrived: &Arrived<'_>) -> Vec<Variation> {
    let path = arrived.canonical.path.as_str();
    let mut found = Vec::with_capacity(48);
    let mut other = |cause: Cause, path: String| {
        found.push(Variation {
            cause,
            change: Change {
                path: Some(path),
                ..Change::default()
            },
        });
    };
    prefixes(arrived, path, &mut other);
    encodings(arrived.head.path(), path, &mut other);
    slashes(path, &mut other);
    found
}

/// More or less in front of the bucket.
fn prefixes(arrived: &Arrived<'_>, path: &str, other: &mut impl FnMut(Cause, String)) {
    let public = arrived.explainer.settings.public_urls.iter();
    let configured = public
        .map(|url| url.path_prefix().as_str())
        .filter(|prefix| !prefix.is_empty());
    let inner = path.strip_prefix('/').unwrap_or(path);
    let (first, rest) = inner.split_once('/').unwrap_or((inner, ""));
    if !first.is_empty() {
        other(
            Cause::BucketTwice {
                signed: format!("/{first}{path}"),
            },
            format!("/{first}{path}"),
        );
        if rest == first || rest.starts_with(&format!("{first}/")) {
            other(
                Cause::BucketTwice {
                    signed: format!("/{rest}"),
                },
                format!("/{rest}"),
            );
        } else if rest.contains('/') {
            let prefix = format!("/{first}");
            other(
                Cause::PathPrefix {
                    prefix,
                    removed: false,
                },
                format!("/{rest}"),
            );
        } else {
            // What is left is no bucket and key: it is the bucket that is missing.
            other(
                Cause::BucketTwice {
                    signed: format!("/{rest}"),
                },
                format!("/{rest}"),
            );
        }
        if let Some((second, rest)) = rest.split_once('/') {
            let prefix = format!("/{first}/{second}");
            other(
                Cause::PathPrefix {
                    prefix,
                    removed: false,
                },
                format!("/{rest}"),
            );
        }
    }
    for prefix in configured.chain(USUAL_PREFIXES.iter().copied()) {
        let cause = Cause::PathPrefix {
            prefix: prefix.to_owned(),
            removed: true,
        };
        other(cause, format!("{prefix}{path}"));
    }
}

fn encodings(sent: &str, path: &str, other: &mut impl FnMut(Cause, String)) {
    let unencoded = |signed: String| {
        (
            Cause::PathUnencoded {
                signed: signed.clone(),
            },
            signed,
        )
    };
    let inner = path.strip_prefix('/').unwrap_or(path);
    if let Some((bucket, key)) = inner.split_once('/') {
        other(
            Cause::PathSlashesEncoded,
            format!("/{bucket}/{}", key.replace('/', "%2F")),
        );
        other(
            Cause::PathSlashesEncoded,
            format!("/{bucket}/{}", key.replace('/', "%252F")),
        );
    }
    other(Cause::PathEncodedTwice, path.replace('%', "%25"));
    if path.contains("%25") {
        other(Cause::PathReencoded, path.replace("%25", "%"));
    }
    if let Ok(decoded) = percent_decode_str(path).decode_utf8() {
        let (cause, signed) = unencoded(decoded.into_owned());
        other(cause, signed);
    }
    // What JavaScript's encodeURIComponent and encodeURI, and other encoders, leave alone.
    for kept in [
        "!'()*",
        "!*'();:@&=+$,?#",
        "!*'();:@&=+$,",
        "$&+,;=:@",
        "@:",
        "()",
        "!",
        "'",
        "*",
        "+",
        ",",
        "=",
        "@",
        "&",
        "$",
        ":",
        ";",
    ] {
        let (cause, signed) = unencoded(decode_only(path, kept));
        other(cause, signed);
    }
    let (cause, signed) = unencoded(path.replace('~', "%7E"));
    other(cause, signed);
    let (cause, signed) = unencoded(lower_escapes(path));
    other(cause, signed);
    // What was sent, letter by letter.
    let (cause, signed) = unencoded(sent.to_owned());
    other(cause, signed);
    for (from, to) in [("%2B", "%20"), ("%20", "%2B"), ("%20", "+")] {
        let signed = path.replace(from, to);
        other(
            Cause::PathPlusSpace {
                signed: signed.clone(),
            },
            signed,
        );
    }
}

fn slashes(path: &str, other: &mut impl FnMut(Cause, String)) {
    let inner = path.strip_prefix('/').unwrap_or(path);
    let (bucket, key) = inner.split_once('/').unwrap_or((inner, ""));
    let leading = |signed: String| {
        (
            Cause::LeadingSlash {
                signed: signed.clone(),
            },
            signed,
        )
    };
    let one_more = [format!("/{bucket}//{key}"), format!("/{path}")];
    let one_less = [
        format!("/{bucket}/{}", key.strip_prefix('/').unwrap_or(key)),
        path.strip_prefix('/').unwrap_or(path).to_owned(),
    ];
    for signed in one_more.into_iter().chain(one_less) {
        let (cause, signed) = leading(signed);
        other(cause, signed);
    }
    // Two slashes where one arrived, at each in turn.
    let at = path
        .match_indices('/')
        .map(|(at, _)| at)
        .skip(2)
        .take(MOST_SLASHES);
    let doubled = at
        .filter_map(|at| path.split_at_checked(at))
        .map(|(front, rest)| format!("{front}/{rest}"));
    for signed in doubled.chain([
        format!("{path}/"),
        normalised(path),
        path.replace("//", "/"),
        path.trim_end_matches('/').to_owned(),
    ]) {
        other(
            Cause::PathNormalised {
                signed: signed.clone(),
            },
            signed,
        );
    }
}

/// With the escapes of these characters undone, and of no others.
fn decode_only(path: &str, characters: &str) -> String {
    let mut text = path.to_owned();
    for character in characters.bytes() {
        text = text.replace(&format!("%{character:02X}"), &char::from(character).to_string());
    }
    text
}

/// `%c3` for `%C3`.
pub(super) fn lower_escapes(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut lowered = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        lowered.push('%');
        match piece.split_at_checked(2) {
            Some((digits, rest)) => {
                lowered.push_str(&digits.to_ascii_lowercase());
                lowered.push_str(rest);
            }
            None => lowered.push_str(piece),
        }
    }
    lowered
}

/// As RFC 3986 section 5.2.4 would have it, with `//` merged.
fn normalised(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        match segment {
            "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    format!("/{}", segments.join("/"))
}
