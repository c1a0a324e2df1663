//! An IAM policy document. In goes JSON text; out come its statements as tables and the version they are read by. Stricter than
//! AWS: unknown fields are errors, and so is a field that stands twice, of which JSON readers take either.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{
    document::MAX_POLICY_BYTES,
    error::{PolicyError, Problem},
    statement::Version,
    tree::{Field, Node, Source, Table, Value},
};

/// Document, statement list, statement, list of strings: and a little more, for errors that know what they saw.
const DEEPEST: usize = 8;

const FIELDS: &[&str] = &["Version", "Id", "Statement"];

/// Reads a document into its version and statements.
pub(super) fn parse_document(source: &Source<'_>) -> Result<(Version, Vec<Table>), PolicyError> {
    if source.text.len() > MAX_POLICY_BYTES {
        return Err(source.error(0, Problem::TooLarge));
    }
    source.begins_with_text()?;
    let raw: &RawValue = serde_json::from_str(source.text).map_err(|error| syntax(source, &error))?;
    let mut document = node_of(source, raw, 0)?.table(source, "the document", "an object")?;
    document.knows(source, "a policy document", FIELDS)?;
    let version = version(source, &mut document)?;
    document.take_text(source, "Id")?;
    let statements = document.require(source, "Statement", "this policy document")?;
    let statements = statements.tables(source, "Statement", "an object or a list of objects", true)?;
    Ok((version, statements))
}

/// Without a `Version`, IAM reads a document by the older one.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html>
fn version(source: &Source<'_>, document: &mut Table) -> Result<Version, PolicyError> {
    match document.take_text(source, "Version")? {
        None => Ok(Version::V2008),
        Some(found) => match found.text.as_str() {
            "2012-10-17" => Ok(Version::V2012),
            "2008-10-17" => Ok(Version::V2008),
            _ => Err(source.error(found.at, Problem::UnknownVersion { version: found.text })),
        },
    }
}

fn syntax(source: &Source<'_>, error: &serde_json::Error) -> PolicyError {
    let text = error.to_string();
    // The place is told by the error's location.
    let reason = text.split(" at line ").next().unwrap_or("").to_owned();
    let start = source
        .text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum::<usize>();
    let at = (start + error.column().saturating_sub(1)).min(source.text.len());
    source.error(
        at,
        Problem::Syntax {
            format: "JSON",
            reason,
        },
    )
}

/// Where in the source a raw value begins: it is a slice of the source.
fn offset(source: &Source<'_>, raw: &RawValue) -> usize {
    (raw.get().as_ptr() as usize).saturating_sub(source.text.as_ptr() as usize)
}

fn node_of(source: &Source<'_>, raw: &RawValue, depth: usize) -> Result<Node, PolicyError> {
    let at = offset(source, raw);
    if depth > DEEPEST {
        return Err(source.error(at, Problem::TooDeep));
    }
    let unreadable = |error: serde_json::Error| {
        let text = error.to_string();
        let reason = text.split(" at line ").next().unwrap_or("").to_owned();
        source.error(
            at,
            Problem::Syntax {
                format: "JSON",
                reason,
            },
        )
    };
    let text = raw.get();
    let value = match text.bytes().next() {
        Some(b'"') => Value::Text(Zeroizing::new(serde_json::from_str(text).map_err(unreadable)?)),
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(unreadable)?;
            let nodes: Result<_, _> = items
                .into_iter()
                .map(|item| node_of(source, item, depth + 1))
                .collect();
            Value::List(nodes?)
        }
        Some(b'{') => {
            let members: Members<'_> = serde_json::from_str(text).map_err(unreadable)?;
            Value::Table(fields_of(source, members, depth)?)
        }
        Some(b't') => Value::Boolean(true),
        Some(b'f') => Value::Boolean(false),
        Some(b'n') => Value::Other("null"),
        Some(_) | None => Value::Number(text.to_owned(), "a number"),
    };
    Ok(Node { at, value })
}

fn fields_of(source: &Source<'_>, members: Members<'_>, depth: usize) -> Result<Vec<Field>, PolicyError> {
    let mut seen = std::collections::HashSet::new();
    let mut fields = Vec::with_capacity(members.0.len());
    for (key, raw) in members.0 {
        let at = key_offset(source, &key, offset(source, raw));
        if !seen.insert(key.clone()) {
            return Err(source.error(at, Problem::RepeatedField { field: key }));
        }
        fields.push(Field {
            key,
            at,
            node: node_of(source, raw, depth + 1)?,
        });
    }
    Ok(fields)
}

/// Where the key before a value begins; where it is written with escapes, the value's own place.
fn key_offset(source: &Source<'_>, key: &str, value: usize) -> usize {
    let before = source.text.get(..value).unwrap_or("").trim_end();
    let before = before.strip_suffix(':').unwrap_or(before).trim_end();
    let quoted = before
        .strip_suffix('"')
        .and_then(|rest| rest.strip_suffix(key))
        .and_then(|rest| rest.strip_suffix('"'));
    quoted.map_or(value, str::len)
}

/// An object's members in order, the repeated ones too.
struct Members<'t>(Vec<(String, &'t RawValue)>);

impl<'t> Deserialize<'t> for Members<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'t> Visitor<'t> for MembersVisitor {
    type Value = Members<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map
            .next_entry::<String, &'t RawValue>()
            .map_err(A::Error::custom)?
        {
            members.push(member);
        }
        Ok(Members(members))
    }
}
