//! S3's documents as a client reads them: elements with text and children. A server's text goes in; namespaces, attributes and what is
//! not known count for nothing. A document type is refused, so no entity is ever expanded but XML's own five.

use quick_xml::{Reader, events::Event};

/// More than any of S3's documents needs.
const DEEPEST: usize = 16;

/// One element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// Its name, without a prefix.
    pub(super) name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// Reads a whole document; `None` where it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        // The document itself is the child of a root that is never closed.
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) if open.len() <= DEEPEST => open.push(Self {
                    name: start.local_name().into_inner().to_owned(),
                    ..Self::default()
                }),
                Event::End(_) => {
                    let closed = open.pop()?;
                    open.last_mut()?.children.push(closed);
                }
                Event::Text(part) => open.last_mut()?.text.push_str(&part.into_inner()),
                Event::CData(part) => open.last_mut()?.text.push_str(&part.into_inner()),
                Event::GeneralRef(reference) => {
                    let text = &mut open.last_mut()?.text;
                    match reference.resolve_char_ref().ok()? {
                        Some(character) => text.push(character),
                        None => text.push_str(quick_xml::escape::resolve_xml_entity(&reference)?),
                    }
                }
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
                Event::Start(_) | Event::Empty(_) | Event::DocType(_) => return None,
                Event::Eof => break,
            }
        }
        let [root] = <[Self; 1]>::try_from(open).ok()?;
        root.children.into_iter().next()
    }

    /// The children of this name, in order.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the first child of this name, if it has any.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        let child = self.children.iter().find(|child| child.name == name)?;
        Some(child.text.as_str()).filter(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_a_tree_and_anything_else_is_none() {
        let root = Element::parse(
            "<?xml version='1.0'?>\n<A xmlns='x'><B>1 &amp; &#50;</B><B/><C><B>3</B></C></A>\n",
        )
        .unwrap();
        assert_eq!(
            (root.name.as_str(), root.text_of("B"), root.all("B").count()),
            ("A", Some("1 & 2"), 2)
        );
        assert_eq!(root.all("C").next().unwrap().text_of("B"), Some("3"));
        assert_eq!(root.text_of("D"), None);
        let deep = "<A>".repeat(100);
        for none in [
            "",
            "text",
            "<A>",
            "<A></B>",
            "<A>&x;</A>",
            "<!DOCTYPE A [<!ENTITY x 'y'>]><A>&x;</A>",
            &deep,
        ] {
            assert_eq!(Element::parse(none), None, "{none}");
        }
    }
}
