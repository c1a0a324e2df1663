//! A document, written element by element.

use std::borrow::Cow;

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
};

use super::is_forbidden;

/// The namespace of S3's documents, errors excepted.
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// A document on its way. Writing into memory does not fail; were it to, what is missing would break the document, and the client would say
/// so.
pub(in crate::s3) struct Document {
    writer: Writer<Vec<u8>>,
    root: &'static str,
    attributes: Vec<(&'static str, &'static str)>,
    opened: bool,
}

impl Document {
    /// A document in S3's namespace.
    pub(in crate::s3) fn new(root: &'static str) -> Self {
        Self::with(root, vec![("xmlns", NAMESPACE)])
    }

    /// A document in none.
    pub(in crate::s3) fn plain(root: &'static str) -> Self {
        Self::with(root, Vec::new())
    }

    fn with(root: &'static str, attributes: Vec<(&'static str, &'static str)>) -> Self {
        let mut writer = Writer::new(Vec::with_capacity(512));
        _ = writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
        writer.get_mut().push(b'\n');
        Self {
            writer,
            root,
            attributes,
            opened: false,
        }
    }

    /// An element with a text.
    pub(in crate::s3) fn text(&mut self, name: &str, value: &str) {
        self.open();
        let element = self.writer.create_element(name);
        _ = if value.is_empty() {
            element.write_empty()
        } else {
            element.write_text_content(BytesText::new(&allowed(value)))
        };
    }

    /// An element with a text, where there is one.
    pub(in crate::s3) fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// An element with elements in it.
    pub(in crate::s3) fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.typed(name, &[], content);
    }

    /// The same, with attributes.
    pub(in crate::s3) fn typed(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        content: impl FnOnce(&mut Self),
    ) {
        self.open();
        let start = BytesStart::new(name).with_attributes(attributes.iter().copied());
        _ = self.writer.write_event(Event::Start(start));
        content(self);
        _ = self.writer.write_event(Event::End(BytesEnd::new(name)));
    }

    /// The text of the root itself, for a document that is one element.
    pub(in crate::s3) fn finish_with(mut self, text: &str) -> Vec<u8> {
        self.open();
        _ = self
            .writer
            .write_event(Event::Text(BytesText::new(&allowed(text))));
        self.finish()
    }

    /// The document.
    pub(in crate::s3) fn finish(mut self) -> Vec<u8> {
        let event = if self.opened {
            Event::End(BytesEnd::new(self.root))
        } else {
            Event::Empty(self.start())
        };
        _ = self.writer.write_event(event);
        self.writer.into_inner()
    }

    fn start(&self) -> BytesStart<'static> {
        BytesStart::new(self.root).with_attributes(self.attributes.iter().copied())
    }

    fn open(&mut self) {
        if !self.opened {
            let start = self.start();
            _ = self.writer.write_event(Event::Start(start));
            self.opened = true;
        }
    }
}

/// The text with every character that XML cannot carry, escaped or not, replaced by U+FFFD. AWS sends some of them as
/// references that no parser takes; a listing with `encoding-type=url` carries them all.
fn allowed(text: &str) -> Cow<'_, str> {
    if text.contains(is_forbidden) {
        Cow::Owned(text.replace(is_forbidden, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}
