//! Tags as a document.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html>

use crate::{
    s3::{
        S3Error,
        call::tags::check,
        xml::{Document, Element, malformed},
    },
    types::Tag,
};

/// The answer to GetObjectTagging.
pub fn tag_set(tags: &[Tag]) -> Vec<u8> {
    let mut document = Document::new("Tagging");
    document.element("TagSet", |set| {
        for tag in tags {
            set.element("Tag", |element| {
                element.text("Key", &tag.key);
                element.text("Value", &tag.value);
            });
        }
    });
    document.finish()
}

/// The body of PutObjectTagging. Errors: `MalformedXML`, `InvalidTag`, `BadRequest`.
pub fn tags(document: &[u8]) -> Result<Vec<Tag>, S3Error> {
    let root = Element::parse(document, "Tagging")?;
    root.only(&["TagSet"])?;
    let [set] = root.children.as_slice() else {
        return Err(malformed());
    };
    set.only(&["Tag"])?;
    let tag = |element: &Element| {
        element.only(&["Key", "Value"])?;
        let text = |name| Ok(element.child(name)?.ok_or_else(malformed)?.to_owned());
        Ok(Tag {
            key: text("Key")?,
            value: text("Value")?,
        })
    };
    let tags = set
        .children
        .iter()
        .map(tag)
        .collect::<Result<Vec<_>, S3Error>>()?;
    check(&tags)?;
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::ErrorCode;

    fn tag(key: &str, value: &str) -> Tag {
        Tag {
            key: key.to_owned(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn tags_come_back_from_their_document() {
        for set in [vec![], vec![tag("a", "1 & 2"), tag("é <", "")]] {
            assert_eq!(tags(&tag_set(&set)).unwrap(), set);
        }
    }

    #[test]
    fn what_is_no_tag_set_is_refused() {
        let eleven = tag_set(&(0..11).map(|n| tag(&n.to_string(), "")).collect::<Vec<_>>());
        for (document, code) in [
            (b"<Tagging/>".to_vec(), ErrorCode::MalformedXML),
            (
                b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>".to_vec(),
                ErrorCode::MalformedXML,
            ),
            (
                b"<Tagging><TagSet/><Other/></Tagging>".to_vec(),
                ErrorCode::MalformedXML,
            ),
            (tag_set(&[tag("a", ""), tag("a", "")]), ErrorCode::InvalidTag),
            (
                tag_set(&[tag("class", "a"), tag("Class", "secret")]),
                ErrorCode::InvalidTag,
            ),
            (tag_set(&[tag("", "")]), ErrorCode::InvalidTag),
            (tag_set(&[tag(&"k".repeat(129), "")]), ErrorCode::InvalidTag),
            (tag_set(&[tag("k", &"v".repeat(257))]), ErrorCode::InvalidTag),
            (tag_set(&[tag("aws:x", "")]), ErrorCode::InvalidTag),
            (eleven, ErrorCode::BadRequest),
        ] {
            let text = String::from_utf8_lossy(&document).into_owned();
            assert_eq!(tags(&document).unwrap_err().code(), code, "{text}");
        }
    }
}
