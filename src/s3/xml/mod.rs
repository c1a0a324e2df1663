//! S3's XML, by a library that escapes: a [`Document`] to write one, [`Element`] for one that was read, and the error document.

mod read;
mod write;

pub(super) use read::{Element, malformed};
pub(super) use write::Document;

use super::S3Error;

/// The error document.
pub(super) fn error(error: &S3Error, request_id: &str, host_id: &str) -> Vec<u8> {
    let mut document = Document::plain("Error");
    document.text("Code", error.code().name());
    document.text("Message", error.text());
    for (name, value) in error.elements() {
        document.text(name, value);
    }
    document.text("RequestId", request_id);
    document.text("HostId", host_id);
    document.finish()
}

/// Is it a character that XML 1.0 cannot carry, neither as it is nor by a reference?
/// <https://www.w3.org/TR/xml/#charsets>
fn is_forbidden(c: char) -> bool {
    matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use crate::s3::{ErrorCode, S3Error};

    #[test]
    fn the_document_is_s3s_own() {
        let error = S3Error::new(ErrorCode::NoSuchKey).with("Key", "a b");
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code>\
            <Message>The specified key does not exist.</Message><Key>a b</Key>\
            <RequestId>R</RequestId><HostId>H</HostId></Error>";
        assert_eq!(String::from_utf8(error.to_xml("R", "H")).unwrap(), expected);
    }

    #[test]
    fn hostile_text_stays_text() {
        let error =
            S3Error::new(ErrorCode::NoSuchKey).with("Key", "</Key><Code>x</Code>&amp;\0\u{8}\u{ffff}\"'");
        let document = String::from_utf8(error.to_xml("R", "H")).unwrap();
        let key = document
            .split_once("<Key>")
            .unwrap()
            .1
            .split_once("</Key>")
            .unwrap()
            .0;
        assert_eq!(
            quick_xml::escape::unescape(key).unwrap(),
            "</Key><Code>x</Code>&amp;\u{fffd}\u{fffd}\u{fffd}\"'"
        );
    }

    #[test]
    fn a_signature_in_an_element_does_not_reach_a_log() {
        let error = S3Error::new(ErrorCode::SignatureDoesNotMatch).with("SignatureProvided", "abc123");
        assert_eq!(format!("{error:?}"), "S3Error(SignatureDoesNotMatch)");
    }
}
