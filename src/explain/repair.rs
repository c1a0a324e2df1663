//! What happens to the text of a URL on its way, undone: each repair takes a text and gives the one that it was, where it finds its damage.

use percent_encoding::percent_decode_str;

use super::Cause;

/// A text that is mended, and what had happened to it.
pub(super) struct Repaired {
    pub(super) cause: Cause,
    pub(super) text: String,
}

type Repair = fn(&str) -> Option<Repaired>;

const REPAIRS: &[Repair] = &[
    html,
    json,
    quoted_printable,
    line_break,
    trailing,
    behind_signature,
    wrapped,
    question_mark,
    encoded_twice,
    lower_case,
];

/// Every text that this one may have been, mended in one way or in two.
pub(super) fn repaired(text: &str) -> Vec<(Vec<Cause>, String)> {
    let mut found = Vec::new();
    for (at, repair) in REPAIRS.iter().enumerate() {
        let Some(once) = repair(text) else { continue };
        found.push((vec![once.cause.clone()], once.text.clone()));
        for (other, repair) in REPAIRS.iter().enumerate() {
            if other != at
                && let Some(twice) = repair(&once.text)
            {
                found.push((vec![once.cause.clone(), twice.cause], twice.text));
            }
        }
    }
    found.sort_by_key(|(causes, _)| causes.len());
    found
}

fn changed(before: &str, text: String, cause: Cause) -> Option<Repaired> {
    (text != before).then_some(Repaired { cause, text })
}

fn html(text: &str) -> Option<Repaired> {
    let mut mended = text.to_owned();
    for entity in [
        "&amp;amp;",
        "&amp;",
        "&#38;",
        "&#038;",
        "&#x26;",
        "%26amp%3B",
        "&AMP;",
    ] {
        mended = mended.replace(entity, "&");
    }
    mended = mended
        .replace("&#61;", "=")
        .replace("&#x3D;", "=")
        .replace("&quot;", "")
        .replace("&lt;", "")
        .replace("&gt;", "");
    changed(text, mended, Cause::HtmlEscaped)
}

fn json(text: &str) -> Option<Repaired> {
    let mut mended = text
        .replace("\\u0026", "&")
        .replace("\\u003d", "=")
        .replace("\\u003D", "=")
        .replace("\\u003f", "?")
        .replace("\\x26", "&");
    // As a client sends a backslash that nobody took away.
    mended = mended.replace("%5Cu0026", "&").replace("%5C", "\\");
    mended = mended.replace('\\', "");
    changed(text, mended, Cause::JsonEscaped)
}

fn quoted_printable(text: &str) -> Option<Repaired> {
    if !text.contains("=3D") {
        return None;
    }
    let mended = text
        .replace("=\r\n", "")
        .replace("=\n", "")
        .replace("= ", "")
        .replace("=3D", "=")
        .replace("=26", "&")
        .replace("=3F", "?");
    changed(text, mended, Cause::QuotedPrintable)
}

fn line_break(text: &str) -> Option<Repaired> {
    let is_space = |c: char| {
        c.is_whitespace() || matches!(c, '\u{200b}' | '\u{200c}' | '\u{200d}' | '\u{feff}' | '\u{ad}')
    };
    let mut mended: String = text.chars().filter(|c| !is_space(*c)).collect();
    for escape in [
        "%0D%0A", "%0A", "%0D", "%0d%0a", "%0a", "%0d", "%09", "\\r\\n", "\\n",
    ] {
        mended = mended.replace(escape, "");
    }
    // A space in the query where there was none: links hold few.
    if let Some((front, query)) = mended.split_once('?') {
        mended = format!("{front}?{}", query.replace("%20", "").replace("%E2%80%8B", ""));
    }
    changed(text, mended, Cause::LineBreak)
}

/// What stands around a URL in text.
const AROUND: &[char] = &[
    '.', ',', ';', ':', '!', '?', ')', ']', '}', '>', '"', '\'', '`', '*', '_', '”', '’', '»', '“', '‘', '«',
    '<', '(', '[', '{', '…', '|', '/',
];
const AROUND_ESCAPED: &[&str] = &[
    "%22",
    "%27",
    "%29",
    "%5D",
    "%7D",
    "%3E",
    "%2C",
    "%2E",
    "%3B",
    "%60",
    "%E2%80%9D",
    "%E2%80%99",
    "%C2%BB",
    "%E2%80%A6",
];

fn trailing(text: &str) -> Option<Repaired> {
    let mut mended = text.trim_start_matches(AROUND);
    loop {
        let mut shorter = mended.trim_end_matches(AROUND);
        for escape in AROUND_ESCAPED {
            shorter = shorter.strip_suffix(escape).unwrap_or(shorter);
        }
        if shorter == mended {
            break;
        }
        mended = shorter;
    }
    let around = text.replacen(mended, "", 1);
    changed(text, mended.to_owned(), Cause::TrailingCharacter { text: around })
}

/// Letters right behind the signature's 64 digits.
fn behind_signature(text: &str) -> Option<Repaired> {
    const NAME: &str = "X-Amz-Signature=";
    let start = text.find(NAME)?.checked_add(NAME.len())?;
    let value = text.get(start..)?.split('&').next()?;
    let (digits, behind) = value.split_at_checked(64)?;
    if behind.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    Some(Repaired {
        cause: Cause::TrailingCharacter {
            text: behind.to_owned(),
        },
        text: text.replacen(value, digits, 1),
    })
}

fn wrapped(text: &str) -> Option<Repaired> {
    let (front, query) = text.split_once('?')?;
    let host = front
        .split_once("://")
        .map_or(front, |(_, rest)| rest)
        .split('/')
        .next()
        .unwrap_or_default();
    for pair in query.split('&') {
        let (_, value) = pair.split_once('=').unwrap_or(("", pair));
        let inner = percent_decode_str(value).decode_utf8().ok()?;
        let is_link = (inner.starts_with("http://") || inner.starts_with("https://"))
            && (inner.contains("X-Amz-") || inner.contains("x-amz-"));
        if is_link {
            let cause = Cause::Wrapped {
                host: host.to_owned(),
            };
            // One that was not encoded goes on to the end.
            let text = match value.contains("%3A") || value.contains("%3a") {
                true => inner.into_owned(),
                false => query.split_once('=').map(|(_, rest)| rest.to_owned())?,
            };
            return Some(Repaired { cause, text });
        }
    }
    None
}

fn question_mark(text: &str) -> Option<Repaired> {
    let at = text.find("%3FX-Amz-").or_else(|| text.find("%3fX-Amz-"))?;
    let (front, rest) = text.split_at_checked(at)?;
    let rest = rest.get(3..)?;
    // The whole of it was encoded, or the mark alone.
    let rest = match rest.contains("%3D") {
        true => percent_decode_str(rest).decode_utf8().ok()?.into_owned(),
        false => rest.to_owned(),
    };
    Some(Repaired {
        cause: Cause::QuestionMarkEncoded,
        text: format!("{front}?{rest}"),
    })
}

fn encoded_twice(text: &str) -> Option<Repaired> {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let cause = match query.contains("%25") {
        true => Cause::EncodedTwice,
        false if path.contains("%25") => Cause::PathReencoded,
        false => return None,
    };
    changed(text, text.replace("%25", "%"), cause)
}

fn lower_case(text: &str) -> Option<Repaired> {
    let (front, query) = text.split_once('?')?;
    if !query.contains("x-amz-signature=") {
        return None;
    }
    let upper = |name: &str| match name {
        "x-amz-algorithm" => "X-Amz-Algorithm".to_owned(),
        "x-amz-credential" => "X-Amz-Credential".to_owned(),
        "x-amz-date" => "X-Amz-Date".to_owned(),
        "x-amz-expires" => "X-Amz-Expires".to_owned(),
        "x-amz-signedheaders" => "X-Amz-SignedHeaders".to_owned(),
        "x-amz-signature" => "X-Amz-Signature".to_owned(),
        "x-amz-content-sha256" => "X-Amz-Content-Sha256".to_owned(),
        other => other.to_owned(),
    };
    let pairs: Vec<_> = query
        .split('&')
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = match name {
                "x-amz-algorithm" | "x-amz-date" => value.to_ascii_uppercase(),
                "x-amz-content-sha256" => value.to_ascii_uppercase(),
                "x-amz-credential" => credential(value),
                _ => value.to_owned(),
            };
            format!("{}={value}", upper(name))
        })
        .collect();
    Some(Repaired {
        cause: Cause::LowerCased,
        text: format!("{front}?{}", pairs.join("&")),
    })
}

/// Access key ids are in upper case, as a rule; the scope is not.
fn credential(value: &str) -> String {
    let value = value.replace("%2f", "%2F");
    match value.split_once("%2F").or_else(|| value.split_once('/')) {
        Some((id, scope)) => format!("{}%2F{scope}", id.to_ascii_uppercase()),
        None => value,
    }
}
