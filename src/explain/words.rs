//! Times, spans and lists as people read them.

use percent_encoding::percent_decode_str;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// `2026-11-24T12:00:00Z`
pub(super) fn instant(at: OffsetDateTime) -> String {
    at.replace_nanosecond(0)
        .unwrap_or(at)
        .format(&Rfc3339)
        .unwrap_or_default()
}

/// `3 days 4 hours`, `2 minutes`: the two largest units.
pub(super) fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (size, name) in units {
        let count = rest / size;
        rest %= size;
        if count > 0 {
            parts.push(format!("{count} {name}{}", if count == 1 { "" } else { "s" }));
        }
    }
    parts.truncate(2);
    match parts.is_empty() {
        true => "0 seconds".to_owned(),
        false => parts.join(" "),
    }
}

/// `a, b`
pub(super) fn listed(names: &[impl AsRef<str>]) -> String {
    names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
}

/// `a header is`, `2 headers are`
pub(super) fn this(count: usize, one: &str, many: &str) -> String {
    match count {
        1 => format!("a {one}"),
        count => format!("{count} {many}"),
    }
}

/// What stands in place of a credential.
const NOT_SHOWN: &str = "(not shown)";

/// Whether a header or a query parameter of this name holds a credential: a cookie, a token, a key of the customer's.
pub(super) fn is_credential(name: &str) -> bool {
    const PARTS: &[&str] = &[
        "authorization",
        "cookie",
        "token",
        "secret",
        "password",
        "passwd",
        "api-key",
        "apikey",
        "session",
        "customer-key",
    ];
    const HARMLESS: &[&str] = &["continuation-token", "customer-key-md5"];
    let name = percent_decode_str(name).decode_utf8_lossy().to_ascii_lowercase();
    let harmless = HARMLESS.iter().any(|part| name.ends_with(part));
    !harmless
        && (name == "signature" || name == "x-amz-signature" || PARTS.iter().any(|part| name.contains(part)))
}

/// The value of a header or a parameter, unless it is a credential.
pub(super) fn shown_value<'v>(name: &str, value: &'v str) -> &'v str {
    match is_credential(name) && !value.is_empty() {
        true => NOT_SHOWN,
        false => value,
    }
}

/// A query without the values of credentials.
pub(super) fn shown_query(query: &str) -> String {
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, value)) => format!("{name}={}", shown_value(name, value)),
        None => pair.to_owned(),
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// Removes the signature and the token that a damaged URL carries in its path or in another value.
/// The reader of an explanation need not be the holder of the link.
pub(super) fn redacted(text: &str) -> String {
    without_token(&without_signature(text))
}

fn without_token(text: &str) -> String {
    const NAME: &str = "x-amz-security-token";
    const SEPARATORS: &[&str] = &["=", ":", "%3D", "%3d", "%253D", "%253d"];
    const ENDS: &[&str] = &["&", "%26", "%2526", "\n", " ", "\"", "'"];
    let lower = text.to_ascii_lowercase();
    let (mut out, mut from) = (String::with_capacity(text.len()), 0);
    while let Some(at) = lower.get(from..).and_then(|rest| rest.find(NAME)) {
        let behind = from + at + NAME.len();
        out.push_str(text.get(from..behind).unwrap_or_default());
        from = behind;
        let rest = text.get(behind..).unwrap_or_default();
        let Some(separator) = SEPARATORS.iter().find(|separator| rest.starts_with(**separator)) else {
            continue;
        };
        let value = rest.get(separator.len()..).unwrap_or_default();
        let end = ENDS
            .iter()
            .filter_map(|end| value.find(end))
            .min()
            .unwrap_or(value.len());
        let is_shown_already = value
            .strip_prefix(NOT_SHOWN)
            .is_some_and(|rest| rest.is_empty() || ENDS.iter().any(|end| rest.starts_with(end)));
        if end > 0 && !is_shown_already {
            out.push_str(separator);
            out.push('…');
            from += separator.len() + end;
        }
    }
    out + text.get(from..).unwrap_or_default()
}

/// Removes the signature that a damaged URL carries in its path. The reader of an explanation need
/// not be the holder of the link.
fn without_signature(text: &str) -> String {
    const NAME: &str = "X-Amz-Signature";
    let mut rest = text;
    let mut out = String::with_capacity(text.len());
    while let Some(at) = rest.find(NAME) {
        let (front, behind) = rest.split_at_checked(at + NAME.len()).unwrap_or((rest, ""));
        out.push_str(front);
        // `=`, `%3D`, `%253D`, and whatever else stands in between.
        let digits = behind
            .find(|c: char| !c.is_ascii_hexdigit() && !"=%".contains(c))
            .unwrap_or(behind.len());
        if digits > 16 {
            out.push_str("=…");
            rest = behind.get(digits..).unwrap_or_default();
        } else {
            rest = behind;
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_left_out() {
        let digits = "0a".repeat(32);
        assert_eq!(
            redacted(&format!("/k%3FX-Amz-Signature%3D{digits}%26a")),
            "/k%3FX-Amz-Signature=…"
        );
        assert_eq!(
            redacted(&format!("X-Amz-Signature={digits}&a=b")),
            "X-Amz-Signature=…&a=b"
        );
        assert_eq!(
            redacted("X-Amz-SignedHeaders and X-Amz-Signature"),
            "X-Amz-SignedHeaders and X-Amz-Signature"
        );
    }

    #[test]
    fn tokens_are_left_out_wherever_they_stand() {
        for (text, shown) in [
            (
                "a?X-Amz-Security-Token=Fw%2FoG&b=c",
                "a?X-Amz-Security-Token=…&b=c",
            ),
            (
                "/k%3FX-Amz-Security-Token%3DFwoG%26b",
                "/k%3FX-Amz-Security-Token%3D…%26b",
            ),
            ("x-amz-security-token:FwoG\nhost", "x-amz-security-token:…\nhost"),
            (
                "a?X-Amz-Security-Token=(not shown)&b=c",
                "a?X-Amz-Security-Token=(not shown)&b=c",
            ),
            (
                "x-amz-security-token:(not shown)\nhost",
                "x-amz-security-token:(not shown)\nhost",
            ),
            (
                "x-amz-security-token:(not shown)FwoG",
                "x-amz-security-token:… shown)FwoG",
            ),
            ("X-AMZ-SECURITY-TOKEN%253Dé", "X-AMZ-SECURITY-TOKEN%253D…"),
            ("host;x-amz-security-token;x", "host;x-amz-security-token;x"),
            ("X-Amz-Security-Token=", "X-Amz-Security-Token="),
        ] {
            assert_eq!(redacted(text), shown);
        }
    }

    #[test]
    fn credentials_are_told_by_their_names() {
        for name in [
            "cookie",
            "authorization",
            "proxy-authorization",
            "x-amz-security-token",
            "X-Amz-Security-Token",
            "X%2DAmz%2DSecurity-Token",
            "x-amz-server-side-encryption-customer-key",
            "x-api-key",
            "access_token",
            "Signature",
        ] {
            assert!(is_credential(name), "{name}");
        }
        for name in [
            "host",
            "x-amz-date",
            "X-Amz-Credential",
            "X-Amz-SignedHeaders",
            "continuation-token",
            "x-amz-server-side-encryption-customer-key-md5",
        ] {
            assert!(!is_credential(name), "{name}");
        }
        assert_eq!(
            shown_query("a=1&X-Amz-Security-Token=t%26&b&access_token="),
            "a=1&X-Amz-Security-Token=(not shown)&b&access_token="
        );
    }

    #[test]
    fn spans_have_their_two_largest_units() {
        for (seconds, text) in [
            (-5, "0 seconds"),
            (1, "1 second"),
            (61, "1 minute 1 second"),
            (7_260, "2 hours 1 minute"),
            (90_061, "1 day 1 hour"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }
}
