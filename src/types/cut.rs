//! A text cut in two at an ASCII byte: `split_once` for the short texts of a head. The library's own, which takes any pattern, spends on getting ready
//! several times what looking at some dozen bytes takes.

/// What stands before the first such byte, and what behind it. None where there is none.
pub(crate) fn cut(text: &str, byte: u8) -> Option<(&str, &str)> {
    halves(text, text.bytes().position(|b| b == byte)?)
}

/// What stands before the last such byte, and what behind it. None where there is none.
pub(crate) fn cut_last(text: &str, byte: u8) -> Option<(&str, &str)> {
    halves(text, text.bytes().rposition(|b| b == byte)?)
}

/// What stands before the byte at this place, and what behind it.
pub(super) fn halves(text: &str, at: usize) -> Option<(&str, &str)> {
    Some((text.get(..at)?, text.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_are_cut_as_the_library_cuts_them(text in "[a-b:/é]{0,12}") {
            prop_assert_eq!(cut(&text, b':'), text.split_once(':'));
            prop_assert_eq!(cut_last(&text, b'/'), text.rsplit_once('/'));
        }
    }
}
