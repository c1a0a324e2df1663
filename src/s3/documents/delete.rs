//! DeleteObjects as documents.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>

use crate::{
    s3::{
        ErrorCode, S3Error,
        xml::{Document, Element, malformed},
    },
    types::{ObjectKey, WriteCondition},
};

const MOST_KEYS: usize = 1000;

/// The body of DeleteObjects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteRequest {
    /// In the order given.
    pub entries: Vec<DeleteEntry>,
    /// Are only failures told?
    pub quiet: bool,
}

/// One object to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteEntry {
    /// The key as it was given: whether it is one shows when it is deleted.
    pub key: String,
    /// What must hold of it.
    pub condition: WriteCondition,
    /// Why it cannot be deleted as it is asked.
    pub problem: Option<S3Error>,
}

/// What became of one object.
#[derive(Clone, Debug)]
pub struct Deletion {
    /// The key as it was given.
    pub key: String,
    /// Deleted, or the reason why not.
    pub outcome: Result<(), S3Error>,
}

impl DeleteRequest {
    /// Reads the body. Errors: `MalformedXML`.
    pub fn parse(document: &[u8]) -> Result<Self, S3Error> {
        let root = Element::parse(document, "Delete")?;
        root.only(&["Object", "Quiet"])?;
        let quiet = root
            .child("Quiet")?
            .is_some_and(|text| text.trim().eq_ignore_ascii_case("true"));
        let objects = root.children.iter().filter(|child| child.name == "Object");
        let entries = objects.map(DeleteEntry::parse).collect::<Result<Vec<_>, _>>()?;
        if !(1..=MOST_KEYS).contains(&entries.len()) {
            return Err(malformed());
        }
        Ok(Self { entries, quiet })
    }
}

impl DeleteEntry {
    fn parse(object: &Element) -> Result<Self, S3Error> {
        object.only(&["Key", "VersionId", "ETag", "LastModifiedTime", "Size"])?;
        let key = object
            .child("Key")?
            .filter(|key| !key.is_empty())
            .ok_or_else(malformed)?;
        let condition = match object.child("ETag")? {
            Some(tag) => WriteCondition::Matches(tag.trim().trim_matches('"').to_owned()),
            None => WriteCondition::Always,
        };
        let version = object
            .child("VersionId")?
            .filter(|version| !["", "null"].contains(version));
        let further = object.child("LastModifiedTime")?.or(object.child("Size")?);
        let problem = match (version, further) {
            (Some(_), _) => Some(S3Error::new(ErrorCode::NoSuchVersion)),
            (None, Some(_)) => Some(S3Error::new(ErrorCode::NotImplemented)),
            (None, None) => None,
        };
        Ok(Self {
            key: key.to_owned(),
            condition,
            problem,
        })
    }

    /// The key, where it is one.
    pub fn object_key(&self) -> Result<ObjectKey, S3Error> {
        ObjectKey::parse(&self.key).map_err(|_| S3Error::new(ErrorCode::KeyTooLongError))
    }
}

/// The answer to DeleteObjects.
pub fn deletions(done: &[Deletion], quiet: bool) -> Vec<u8> {
    let mut document = Document::new("DeleteResult");
    for deletion in done {
        match &deletion.outcome {
            Ok(()) if quiet => {}
            Ok(()) => document.element("Deleted", |deleted| deleted.text("Key", &deletion.key)),
            Err(error) => document.element("Error", |element| {
                element.text("Key", &deletion.key);
                element.text("Code", error.code().name());
                element.text("Message", error.text());
            }),
        }
    }
    document.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_conditions_and_quiet_are_read() {
        let body = "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>a &amp; b</Key></Object>\
            <Object><Key>c</Key><ETag>\"t\"</ETag><VersionId>null</VersionId></Object>\
            <Object><Key>d</Key><VersionId>v</VersionId></Object><Quiet>true</Quiet></Delete>";
        let request = DeleteRequest::parse(body.as_bytes()).unwrap();
        assert!(request.quiet);
        let read: Vec<_> = request
            .entries
            .iter()
            .map(|entry| {
                (
                    entry.key.as_str(),
                    entry.condition.clone(),
                    entry.problem.is_some(),
                )
            })
            .collect();
        assert_eq!(
            read,
            [
                ("a & b", WriteCondition::Always, false),
                ("c", WriteCondition::Matches("t".to_owned()), false),
                ("d", WriteCondition::Always, true),
            ]
        );
    }

    #[test]
    fn what_is_no_list_of_keys_is_malformed() {
        let many = format!(
            "<Delete>{}</Delete>",
            "<Object><Key>k</Key></Object>".repeat(1001)
        );
        for body in [
            "<Delete/>",
            "<Delete><Object/></Delete>",
            "<Delete><Object><Key/></Object></Delete>",
            "<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>",
            "<Delete><Other/></Delete>",
            &many,
        ] {
            assert_eq!(
                DeleteRequest::parse(body.as_bytes()).unwrap_err().code(),
                ErrorCode::MalformedXML
            );
        }
    }

    #[test]
    fn the_answer_tells_each_key_and_quietly_only_failures() {
        let done = [
            Deletion {
                key: "a".to_owned(),
                outcome: Ok(()),
            },
            Deletion {
                key: "<b>".to_owned(),
                outcome: Err(S3Error::new(ErrorCode::AccessDenied)),
            },
        ];
        let text = |quiet| String::from_utf8(deletions(&done, quiet)).unwrap();
        let error = "<Error><Key>&lt;b&gt;</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error></DeleteResult>";
        assert!(text(false).ends_with(&format!("<Deleted><Key>a</Key></Deleted>{error}")));
        assert!(!text(true).contains("Deleted>") && text(true).ends_with(error));
    }
}
