//! Names and flags as listings write them. Where names are to be URL-encoded, a space becomes `%20`, which every decoder takes for one.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::s3::xml::Document;

/// What AWS leaves as it is in an encoded name.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'*')
    .remove(b'~')
    .remove(b'/');

/// A name as it is, or URL-encoded.
pub(super) fn encoded(text: &str, url_encoded: bool) -> Cow<'_, str> {
    if url_encoded {
        utf8_percent_encode(text, ENCODED).into()
    } else {
        Cow::Borrowed(text)
    }
}

/// `true` or `false`.
pub(super) fn put_boolean(document: &mut Document, name: &str, value: bool) {
    document.text(name, if value { "true" } else { "false" });
}
