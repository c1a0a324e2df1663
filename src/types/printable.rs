//! Text of strangers, made safe to show: keys, user agents, a server's messages, URLs as somebody pasted them.
//!
//! A terminal obeys control characters, bidirectional controls reorder what a reader sees, and invisible characters make
//! two texts look alike. Each of them is shown as its escape, `\u{202e}`.

use std::{borrow::Cow, fmt::Write};

/// Whether the character steers a terminal, changes the order or the lines of text, or cannot be seen.
pub fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' // soft hyphen
            | '\u{34f}' // combining grapheme joiner
            | '\u{61c}' // Arabic letter mark
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // Hangul fillers
            | '\u{17b4}' | '\u{17b5}' // inherent Khmer vowels
            | '\u{180b}'..='\u{180f}' // Mongolian selectors and vowel separator
            | '\u{200b}'..='\u{200f}' // zero width, left-to-right and right-to-left mark
            | '\u{2028}'..='\u{202e}' // line and paragraph separator, embeddings and overrides
            | '\u{2060}'..='\u{206f}' // word joiner, invisible operators, isolates
            | '\u{feff}' // byte order mark
            | '\u{fff0}'..='\u{fffb}' // interlinear annotations
            | '\u{1bca0}'..='\u{1bca3}' // shorthand format controls
            | '\u{1d173}'..='\u{1d17a}' // musical format controls
            | '\u{e0000}'..='\u{e0fff}' // tags and further variation selectors
        )
}

/// The text on one line, with each deceptive character as its escape.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_deceptive, |shown, character| {
        shown.extend(character.escape_default())
    })
}

/// Whole output, of several lines or in JSON. Line ends and tabs stay, and a deceptive character becomes `\u202e`, which
/// means the same to a reader of JSON as the character itself.
pub fn printable_output(text: &str) -> Cow<'_, str> {
    let is_escaped = |c: char| !matches!(c, '\n' | '\t') && is_deceptive(c);
    escaped(text, is_escaped, |shown, character| {
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing into a String does not fail.
            _ = write!(shown, "\\u{unit:04x}");
        }
    })
}

fn escaped(
    text: &str,
    is_escaped: impl Fn(char) -> bool,
    escape: impl Fn(&mut String, char),
) -> Cow<'_, str> {
    if !text.chars().any(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match is_escaped(character) {
            true => escape(&mut shown, character),
            false => shown.push(character),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deceptive_characters_are_escaped() {
        for (text, shown) in [
            ("a b/é🔑 c", "a b/é🔑 c"),
            ("a\u{1b}[2J\nb\tc\r", "a\\u{1b}[2J\\nb\\tc\\r"),
            ("\u{9b}31m \u{7f}", "\\u{9b}31m \\u{7f}"),
            ("gpj\u{202e}.exe", "gpj\\u{202e}.exe"),
            ("a\u{2028}b\u{2029}c\u{85}", "a\\u{2028}b\\u{2029}c\\u{85}"),
            ("pay\u{200b}pal\u{feff}", "pay\\u{200b}pal\\u{feff}"),
            ("\u{e0041}\u{3164}", "\\u{e0041}\\u{3164}"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }

    /// Unicode's `Bidi_Control` characters, its line and paragraph separators, and those of no width.
    #[test]
    fn bidirectional_controls_separators_and_zero_width_count() {
        let bidirectional = ['\u{61c}', '\u{200e}', '\u{200f}'].into_iter();
        let bidirectional = bidirectional
            .chain('\u{202a}'..='\u{202e}')
            .chain('\u{2066}'..='\u{2069}');
        let others = [
            '\u{2028}', '\u{2029}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}',
        ];
        let controls = ('\0'..='\u{1f}').chain('\u{7f}'..='\u{9f}');
        for character in bidirectional.chain(others).chain(controls) {
            assert!(is_deceptive(character), "U+{:04X}", u32::from(character));
        }
        assert!(
            !(' '..='~')
                .chain(['é', 'ß', 'Ω', '中', 'א', 'ع', '🔑', '\u{301}'])
                .any(is_deceptive)
        );
    }

    #[test]
    fn output_keeps_its_lines_and_json_means_the_same() {
        assert_eq!(printable_output("a\n\tb\u{1b}\r\n"), "a\n\tb\\u001b\\u000d\n");
        let value = serde_json::json!({ "k\u{202e}": "\u{1b}\u{9b}\u{7f}\u{e0041} é \n" });
        for document in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let shown = printable_output(&document);
            assert!(!shown.chars().any(|c| c != '\n' && is_deceptive(c)), "{shown}");
            let read: serde_json::Value = serde_json::from_str(&shown).unwrap();
            assert_eq!(read, value);
        }
    }
}
