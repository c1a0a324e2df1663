//! S3's XML documents, by a library that escapes.

use std::borrow::Cow;

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
};

use super::S3Error;

/// The error document.
pub(super) fn error(error: &S3Error, request_id: &str, host_id: &str) -> Vec<u8> {
    let mut writer = Writer::new(Vec::with_capacity(512));
    let elements = [("Code", error.code().name()), ("Message", error.text())].into_iter();
    let elements = elements.chain(
        error
            .elements()
            .iter()
            .map(|(name, value)| (*name, value.as_str())),
    );
    let elements = elements.chain([("RequestId", request_id), ("HostId", host_id)]);
    let written = (|| {
        writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        writer.get_mut().push(b'\n');
        writer.create_element("Error").write_inner_content(|writer| {
            for (name, value) in elements {
                writer
                    .create_element(name)
                    .write_text_content(BytesText::new(&allowed(value)))?;
            }
            Ok(())
        })?;
        std::io::Result::Ok(())
    })();
    // Writing into memory does not fail; were it to, an empty body is still an answer.
    written.map(|()| writer.into_inner()).unwrap_or_default()
}

/// The text with every character that XML 1.0 cannot carry (section 2.2), escaped or not, replaced by U+FFFD.
fn allowed(text: &str) -> Cow<'_, str> {
    let forbidden =
        |c: char| matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}');
    if text.contains(forbidden) {
        Cow::Owned(text.replace(forbidden, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
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
