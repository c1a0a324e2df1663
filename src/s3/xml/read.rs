//! A document that a client sent, as a tree: elements with text, or with elements. Namespaces and attributes count for nothing, as with AWS;
//! a document type, an entity that XML does not define itself and a deep nest are refused.

use quick_xml::{Reader, events::Event};

use super::is_forbidden;
use crate::s3::{ErrorCode, S3Error};

/// More than any of S3's documents needs.
const DEEPEST: usize = 8;
/// More than the largest of S3's documents has: 10,000 parts, each with its number, ETag, size and every checksum. An element takes some hundred bytes
/// of memory and four on the wire.
const MOST_ELEMENTS: usize = 130_000;

/// One element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::s3) struct Element {
    /// Its name, without a prefix.
    pub(in crate::s3) name: String,
    /// The text directly in it, entities resolved.
    pub(in crate::s3) text: String,
    /// The elements directly in it.
    pub(in crate::s3) children: Vec<Element>,
}

impl Element {
    /// Reads a whole document, whose root must have this name. Errors: `MalformedXML`.
    pub(in crate::s3) fn parse(document: &[u8], root: &str) -> Result<Self, S3Error> {
        let text = std::str::from_utf8(document).map_err(|_| malformed())?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // What we could not write again would be kept as something else than was sent.
        if text.contains(is_forbidden) {
            return Err(malformed());
        }
        let found = tree(text).filter(|element| element.name == root);
        found.ok_or_else(malformed)
    }

    /// The text of a child that is there at most once.
    pub(in crate::s3) fn child(&self, name: &str) -> Result<Option<&str>, S3Error> {
        let mut found = self.children.iter().filter(|child| child.name == name);
        let first = found.next();
        if found.next().is_some() || first.is_some_and(|child| !child.children.is_empty()) {
            return Err(malformed());
        }
        Ok(first.map(|child| child.text.as_str()))
    }

    /// Refuses every child that is none of these.
    pub(in crate::s3) fn only(&self, known: &[&str]) -> Result<(), S3Error> {
        let odd = |child: &Self| !known.contains(&child.name.as_str());
        let mixed = !self.children.is_empty() && !self.text.trim().is_empty();
        if mixed || self.children.iter().any(odd) {
            return Err(malformed());
        }
        Ok(())
    }
}

/// The error for whatever is not S3's schema.
pub(in crate::s3) fn malformed() -> S3Error {
    S3Error::new(ErrorCode::MalformedXML)
}

fn tree(text: &str) -> Option<Element> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let (mut open, mut root): (Vec<Element>, Option<Element>) = (Vec::new(), None);
    let mut count = 0;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                count += 1;
                if open.len() >= DEEPEST || count > MOST_ELEMENTS || root.is_some() {
                    return None;
                }
                let name = start.local_name().into_inner().to_owned();
                open.push(Element {
                    name,
                    ..Element::default()
                });
            }
            Event::End(_) => {
                let closed = open.pop()?;
                match open.last_mut() {
                    Some(parent) => parent.children.push(closed),
                    None => root = Some(closed),
                }
            }
            Event::Text(part) => {
                let part = part.into_inner();
                match open.last_mut() {
                    Some(element) => element.text.push_str(&part),
                    None if part.trim().is_empty() => {}
                    None => return None,
                }
            }
            Event::CData(part) => open.last_mut()?.text.push_str(&part.into_inner()),
            Event::GeneralRef(reference) => {
                let character = match reference.resolve_char_ref().ok()? {
                    Some(character) if is_forbidden(character) => return None,
                    Some(character) => character.to_string(),
                    None => predefined(&reference)?.to_owned(),
                };
                open.last_mut()?.text.push_str(&character);
            }
            Event::Eof => return root.filter(|_| open.is_empty()),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::DocType(_) | Event::Empty(_) => return None,
        }
    }
}

fn predefined(name: &str) -> Option<&'static str> {
    Some(match name {
        "lt" => "<",
        "gt" => ">",
        "amp" => "&",
        "quot" => "\"",
        "apos" => "'",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_a_tree_with_or_without_a_namespace() {
        for text in [
            "<A><B>x &amp; &#233;<![CDATA[<]]></B><C/></A>",
            "<?xml version='1.0'?>\n<A xmlns='http://s3.amazonaws.com/doc/2006-03-01/'><B>x &amp; é&lt;</B><C></C></A>\n",
            "\u{feff}<n:A xmlns:n='x'><n:B>x &amp; é&lt;</n:B><n:C/></n:A>",
        ] {
            let root = Element::parse(text.as_bytes(), "A").unwrap();
            assert_eq!(root.child("B").unwrap(), Some("x & é<"), "{text}");
            assert_eq!(root.child("C").unwrap(), Some(""));
            assert_eq!(root.child("D").unwrap(), None);
            assert!(root.only(&["B", "C"]).is_ok() && root.only(&["B"]).is_err());
        }
    }

    #[test]
    fn what_is_no_document_is_malformed() {
        let deep = format!("{}{}", "<A>".repeat(100), "</A>".repeat(100));
        let many = format!("<A>{}</A>", "<B/>".repeat(MOST_ELEMENTS));
        for text in [
            "",
            "text",
            "<A>",
            "<A></B>",
            "<A/><A/>",
            "<A/>text",
            "<B/>",
            "<A>&unknown;</A>",
            "<A>\u{5}</A>",
            "<A>\u{ffff}</A>",
            "<A>&#5;</A>",
            "<A>&#xFFFE;</A>",
            "<A><![CDATA[\u{b}]]></A>",
            "<!DOCTYPE A [<!ENTITY x 'y'>]><A>&x;</A>",
            "<!DOCTYPE A SYSTEM 'file:///etc/passwd'><A/>",
            &deep,
            &many,
        ] {
            assert_eq!(
                Element::parse(text.as_bytes(), "A").unwrap_err().code(),
                ErrorCode::MalformedXML,
                "{text}"
            );
        }
        assert!(Element::parse(b"<A>\xff</A>", "A").is_err());
    }
}
