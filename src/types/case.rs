//! Comparison without case, for `StringEqualsIgnoreCase` and for the keys of tags.

/// Folds each character by itself, so that the result does not depend on its neighbours.
///
/// `str::to_lowercase` does: it makes `σ` or `ς` of a `Σ`, by its place in the word. Going to upper
/// case first joins characters that share one capital. The mapping is Unicode's simple case
/// folding, so a character that folds to several (`ß`) stays, and so does the dotless `ı`, which is
/// no `i`.
/// <https://www.unicode.org/Public/UCD/latest/ucd/CaseFolding.txt>
pub(crate) fn folded(text: &str) -> String {
    text.chars().map(folded_char).collect()
}

fn folded_char(char: char) -> char {
    if char.is_ascii() {
        return char.to_ascii_lowercase();
    }
    if char == 'ı' {
        return char;
    }
    let upper = only(char.to_uppercase()).unwrap_or(char);
    only(upper.to_lowercase()).unwrap_or(upper)
}

/// The character of a mapping to one character.
fn only(mut mapping: impl Iterator<Item = char>) -> Option<char> {
    let first = mapping.next();
    first.filter(|_| mapping.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_folds_character_by_character() {
        for (one, other, equal) in [
            ("ΟΔΟΣ", "οδος", true),
            ("ΟΔΟΣ", "οδοσ", true),
            ("οδος", "οδοσ", true),
            ("Été", "éTÉ", true),
            ("K", "\u{212a}", true),
            ("ı", "I", false),
            ("ß", "SS", false),
            ("ß", "\u{1e9e}", true),
            ("a", "b", false),
        ] {
            assert_eq!(folded(one) == folded(other), equal, "{one} {other}");
        }
    }

    #[test]
    fn folding_a_part_is_a_part_of_folding_the_whole() {
        for char in (0..=0x1_ffff).filter_map(char::from_u32) {
            let (alone, within) = (folded(&char.to_string()), folded(&format!("Σ{char}Σ a")));
            assert_eq!(within, format!("σ{alone}σ a"), "{char:?}");
            assert_eq!(folded(&alone), alone, "{char:?} folds twice");
        }
    }
}
