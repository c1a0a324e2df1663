//! Times, spans and lists as people read them.

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

/// Without the signature that a damaged URL carries in its path: whoever reads an explanation need not be whoever has the link.
pub(super) fn redacted(text: &str) -> String {
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
