//! Keys as paths. A key goes in and a relative path of safe components comes out, and back; both are pure. Every key
//! that S3 allows has exactly one path and no two keys share one, where other gateways refuse keys with `//` or `..`
//! or let two of them meet in one file.
//!
//! A segment between slashes is its own name where it can be. Otherwise it is `~=` and the segment with `%`, NUL and
//! the dots of `.` and `..` as `%hh`; one too long for a file name is cut into folders `~+piece` and a last `~=piece`.
//! `~@` is the object named like its folder, `~!` is the store's own and never a key.

use std::{borrow::Cow, path::Path};

use crate::types::ObjectKey;

/// The file that holds the object named like the folder it is in.
pub const OBJECT_OF_FOLDER: &str = "~@";
/// The prefix of the store's own names.
pub const OWN_PREFIX: &str = "~!";
const ESCAPED: &str = "~=";
/// The prefix of a folder that holds the rest of a name too long for one.
pub(super) const CONTINUED: &str = "~+";
/// The longest file name, in bytes, on the file systems that are used.
const MAX_NAME_BYTES: usize = 255;
/// Where a name over 255 bytes is cut.
const PIECE_BYTES: usize = 240;

/// The path of a key's file below its bucket: components joined by `/`, none of them empty, `.`, `..` or over 255 bytes,
/// none with a NUL. Where that path is a folder, the object is the file [`OBJECT_OF_FOLDER`] in it.
pub fn to_path(key: &ObjectKey) -> String {
    let mut path = String::with_capacity(key.as_str().len() + ESCAPED.len());
    push_path(&mut path, key);
    path
}

/// Appends it.
pub(super) fn push_path(path: &mut String, key: &ObjectKey) {
    for (at, segment) in key.as_str().split('/').enumerate() {
        if at > 0 {
            path.push('/');
        }
        push_segment(path, segment);
    }
}

/// The key whose file a relative path is, or `None` where the path is not one that [`to_path`] makes (with or without
/// [`OBJECT_OF_FOLDER`] behind it): such a file is invisible.
pub fn from_path(path: &Path) -> Option<ObjectKey> {
    let text = path.to_str()?;
    let folder = text
        .strip_suffix(OBJECT_OF_FOLDER)
        .and_then(|front| front.strip_suffix('/'));
    let text = folder.unwrap_or(text);
    let mut key = String::with_capacity(text.len());
    let mut long = String::new();
    for (at, component) in text.split('/').enumerate() {
        if at > 0 && long.is_empty() {
            key.push('/');
        }
        if let Some(piece) = component.strip_prefix(CONTINUED) {
            long.push_str(piece);
        } else if let Some(piece) = component.strip_prefix(ESCAPED) {
            long.push_str(piece);
            unescape(&mut key, &long)?;
            long.clear();
        } else {
            key.push_str(component);
        }
    }
    // Whatever is not the one spelling of its key (a needless escape, a cut elsewhere, pieces without an end) falls here.
    let key = ObjectKey::parse(&key).ok()?;
    (to_path(&key) == text).then_some(key)
}

/// The segment of a key that a path of one component, or of continuation folders and one, stands for; none where it is no segment's.
pub(super) fn segment(path: &str) -> Option<Cow<'_, str>> {
    if is_own_name(path) && !path.contains('/') {
        return Some(Cow::Borrowed(path));
    }
    let mut body = String::new();
    let mut pieces = path.split('/').peekable();
    while let Some(piece) = pieces.next() {
        let prefix = if pieces.peek().is_some() {
            CONTINUED
        } else {
            ESCAPED
        };
        body.push_str(piece.strip_prefix(prefix)?);
    }
    let mut segment = String::with_capacity(body.len());
    unescape(&mut segment, &body)?;
    (segment_path(&segment) == path).then_some(Cow::Owned(segment))
}

/// Can a file or a folder of this name be a segment of a key by itself?
pub(super) fn is_segment(name: &str) -> bool {
    segment(name).is_some()
}

/// The path of one segment: one component, or continuation folders and one.
pub(super) fn segment_path(segment: &str) -> String {
    let mut path = String::with_capacity(segment.len() + ESCAPED.len());
    push_segment(&mut path, segment);
    path
}

fn push_segment(path: &mut String, segment: &str) {
    if is_own_name(segment) {
        path.push_str(segment);
    } else {
        push_escaped(path, segment);
    }
}

fn is_own_name(segment: &str) -> bool {
    let reserved = [ESCAPED, CONTINUED, OBJECT_OF_FOLDER, OWN_PREFIX];
    (1..=MAX_NAME_BYTES).contains(&segment.len())
        && segment != "."
        && segment != ".."
        && !segment.contains('\0')
        && !reserved.iter().any(|prefix| segment.starts_with(prefix))
}

fn push_escaped(path: &mut String, segment: &str) {
    let body = escape(segment);
    let mut rest = body.as_str();
    if ESCAPED.len() + rest.len() > MAX_NAME_BYTES {
        while let Some((piece, behind)) = rest.split_at_checked(cut(rest))
            && !behind.is_empty()
        {
            path.push_str(CONTINUED);
            path.push_str(piece);
            path.push('/');
            rest = behind;
        }
    }
    path.push_str(ESCAPED);
    path.push_str(rest);
}

fn escape(segment: &str) -> String {
    if segment == "." || segment == ".." {
        return "%2e".repeat(segment.len());
    }
    let mut body = String::with_capacity(segment.len());
    for character in segment.chars() {
        match character {
            '%' => body.push_str("%25"),
            '\0' => body.push_str("%00"),
            plain => body.push(plain),
        }
    }
    body
}

/// How many bytes of an escaped body make the next piece: at most 240, never inside a code point or a `%hh`.
fn cut(body: &str) -> usize {
    if body.len() <= PIECE_BYTES {
        return body.len();
    }
    let at = body.floor_char_boundary(PIECE_BYTES);
    let inside = |back: usize| {
        at.checked_sub(back)
            .filter(|at| body.as_bytes().get(*at) == Some(&b'%'))
    };
    inside(1).or_else(|| inside(2)).unwrap_or(at)
}

/// Appends the segment that a body stands for; `None` for a `%` without two hexadecimal digits or a broken character.
fn unescape(key: &mut String, body: &str) -> Option<()> {
    let mut parts = body.split('%');
    key.push_str(parts.next()?);
    for part in parts {
        let (digits, plain) = part.split_at_checked(2)?;
        let byte = u8::from_str_radix(digits, 16).ok().filter(u8::is_ascii)?;
        key.push(char::from(byte));
        key.push_str(plain);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> ObjectKey {
        ObjectKey::parse(text).unwrap()
    }

    #[test]
    fn the_published_examples_hold() {
        let a = |n| "a".repeat(n);
        for (text, path) in [
            ("films/a.mp4", "films/a.mp4".to_owned()),
            ("100%.txt", "100%.txt".to_owned()),
            ("~", "~".to_owned()),
            ("a/", "a/~=".to_owned()),
            ("/", "~=/~=".to_owned()),
            ("/etc/passwd", "~=/etc/passwd".to_owned()),
            ("a//b", "a/~=/b".to_owned()),
            ("../x", "~=%2e%2e/x".to_owned()),
            (".", "~=%2e".to_owned()),
            ("...", "...".to_owned()),
            ("a\0%", "~=a%00%25".to_owned()),
            ("~@", "~=~@".to_owned()),
            ("~!tmp/x", "~=~!tmp/x".to_owned()),
            ("~=", "~=~=".to_owned()),
            ("~+%", "~=~+%25".to_owned()),
            (&a(255), a(255)),
            (&a(256), format!("~+{}/~={}", a(240), a(16))),
            (&format!("~={}", a(251)), format!("~=~={}", a(251))),
            (&format!("~={}", a(252)), format!("~+~={}/~={}", a(238), a(14))),
            (
                &format!("{}%{}", a(239), a(20)),
                format!("~+{}/~=%25{}", a(239), a(20)),
            ),
            (
                &format!("{}é{}", a(239), a(20)),
                format!("~+{}/~=é{}", a(239), a(20)),
            ),
        ] {
            assert_eq!(to_path(&key(text)), path, "{text}");
            assert_eq!(from_path(Path::new(&path)), Some(key(text)), "{path}");
        }
    }

    #[test]
    fn the_object_named_like_its_folder_has_a_file_in_it() {
        assert_eq!(from_path(Path::new("a/~@")), Some(key("a")));
        assert_eq!(from_path(Path::new("a/~=/~@")), Some(key("a/")));
        for none in ["~@", "~@/a", "a/~@/b", "a/~@/~@", "a/~@x"] {
            assert_eq!(from_path(Path::new(none)), None, "{none}");
        }
    }

    #[test]
    fn names_that_do_not_round_trip_are_no_keys() {
        let a = |n| "a".repeat(n);
        for none in [
            "",
            "/a",
            "a//b",
            "a/",
            ".",
            "..",
            "a/../b",
            "~!",
            "~!/x",
            "a/~!tmp",
            "~=a",
            "~=%",
            "~=%2",
            "~=%zz",
            "~=%2E",
            "~=%2f",
            "~=%+1",
            "~=%é",
            "~+a",
            "~+a/b",
            "~+a/~=b",
            "~+/~=",
            &format!("~+{}/~={}", a(239), a(17)),
            &format!("~+{}/b", a(240)),
            &format!("~={}", a(256)),
        ] {
            assert_eq!(from_path(Path::new(none)), None, "{none}");
        }
    }

    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            prop::sample::select(vec![
                "~", "=", "+", "@", "!", "%", ".", "/", "\0", "a", "é", "😀", "~=", "~+", "~@", "%2e", "%00"
            ])
            .prop_map(str::to_owned),
            (
                230usize..260,
                prop::sample::select(vec!["a", "%", "\0", "é", "😀"])
            )
                .prop_map(|(n, c)| c.repeat(n)),
            any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(piece, 1..12).prop_map(|pieces| {
            let text = pieces.concat();
            text[..text.floor_char_boundary(1024)].to_owned()
        })
    }

    proptest! {
        #[test]
        fn a_key_comes_back_from_its_path(text in hostile()) {
            let key = key(&text);
            let path = to_path(&key);
            prop_assert_eq!(from_path(Path::new(&path)), Some(key.clone()));
            let inside = format!("{path}/{OBJECT_OF_FOLDER}");
            prop_assert_eq!(from_path(Path::new(&inside)), Some(key));
        }

        #[test]
        fn two_keys_never_share_a_path(one in "[~=+@!%./\0ae2]{1,7}", other in "[~=+@!%./\0ae2]{1,7}") {
            prop_assert_eq!(to_path(&key(&one)) == to_path(&key(&other)), one == other);
        }

        #[test]
        fn a_path_is_no_keys_or_exactly_one_keys(path in "[~=+@!%./ae02]{1,9}") {
            if let Some(key) = from_path(Path::new(&path)) {
                let own = to_path(&key);
                let inside = format!("{own}/~@");
                prop_assert!(path == own || path == inside);
            }
        }

        #[test]
        fn every_component_is_a_safe_file_name(text in hostile()) {
            let path = to_path(&key(&text));
            prop_assert!(path.len() < 4000);
            for name in path.split('/') {
                prop_assert!(!name.is_empty() && name != "." && name != "..");
                prop_assert!(!name.contains('\0') && name.len() <= 255);
                prop_assert!(!name.starts_with(OWN_PREFIX) && !name.starts_with(OBJECT_OF_FOLDER));
            }
        }
    }
}
