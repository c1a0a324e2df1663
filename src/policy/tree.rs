//! A parsed file as fields with places, the same for TOML and JSON. In goes TOML text (JSON comes in by [`json`](super::json));
//! out come tables whose fields are taken one by one, each error with its place and without the value.

use std::sync::Arc;

use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::{
    error::{Location, PolicyError, Problem},
    words::nearest,
};

/// A text and its name, for turning offsets into places.
pub(super) struct Source<'t> {
    pub(super) file: Arc<str>,
    pub(super) text: &'t str,
    line_starts: Vec<usize>,
}

impl<'t> Source<'t> {
    pub(super) fn new(file: &str, text: &'t str) -> Self {
        let behind = text
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'\n')
            .map(|(at, _)| at + 1);
        Self {
            file: file.into(),
            text,
            line_starts: std::iter::once(0).chain(behind).collect(),
        }
    }

    /// The place of a byte offset.
    pub(super) fn location(&self, at: usize) -> Location {
        // Counting characters is for people; on a line longer than anyone reads, bytes do, and cost nothing.
        const COUNTED: usize = 4096;
        let line = self.line_starts.partition_point(|start| *start <= at);
        let start = line
            .checked_sub(1)
            .and_then(|i| self.line_starts.get(i))
            .copied()
            .unwrap_or(0);
        let before = self.text.get(start..at).unwrap_or("");
        let passed = if before.len() > COUNTED {
            before.len()
        } else {
            before.chars().count()
        };
        Location {
            file: self.file.clone(),
            line,
            column: passed + 1,
        }
    }

    /// Refuses a byte order mark by its name: nobody sees it, and a parser only says that something
    /// is there.
    pub(super) fn begins_with_text(&self) -> Result<(), PolicyError> {
        match self.text.starts_with('\u{feff}') {
            true => Err(self.error(0, Problem::ByteOrderMark)),
            false => Ok(()),
        }
    }

    pub(super) fn error(&self, at: usize, problem: Problem) -> PolicyError {
        PolicyError {
            location: Box::new(self.location(at)),
            problem: Box::new(problem),
        }
    }
}

/// A value and its offset. No `Debug`: a text may be a secret.
pub(super) struct Node {
    pub(super) at: usize,
    pub(super) value: Value,
}

pub(super) enum Value {
    /// It may be a secret, so it is wiped where nothing takes it.
    Text(Zeroizing<String>),
    List(Vec<Node>),
    Table(Vec<Field>),
    Boolean(bool),
    /// A time as TOML writes it, with or without an offset.
    Time(String),
    /// A number as written, and its kind.
    Number(String, &'static str),
    /// Anything that no field takes, by its kind.
    Other(&'static str),
}

pub(super) struct Field {
    pub(super) key: String,
    pub(super) at: usize,
    pub(super) node: Node,
}

/// The fields of one table that have not been taken yet.
pub(super) struct Table {
    pub(super) at: usize,
    fields: Vec<Field>,
}

/// A text and its offset.
pub(super) struct Text {
    pub(super) at: usize,
    pub(super) text: String,
}

impl Text {
    /// Moved out of the tree, not copied.
    fn taken(at: usize, mut text: Zeroizing<String>) -> Self {
        let text = std::mem::take(&mut *text);
        Self { at, text }
    }
}

/// Parses a TOML text into its top-level table.
pub(super) fn parse_toml(source: &Source<'_>) -> Result<Table, PolicyError> {
    source.begins_with_text()?;
    let parsed = DeTable::parse(source.text).map_err(|error| {
        let at = error.span().map_or(source.text.len(), |span| span.start);
        source.error(
            at,
            Problem::Syntax {
                format: "TOML",
                reason: error.message().to_owned(),
            },
        )
    })?;
    Ok(Table {
        at: 0,
        fields: fields_of(parsed.into_inner()),
    })
}

fn fields_of(table: DeTable<'_>) -> Vec<Field> {
    let field = |(key, value): (toml::Spanned<_>, toml::Spanned<_>)| {
        let at = key.span().start;
        let key: std::borrow::Cow<'_, str> = key.into_inner();
        Field {
            key: key.into_owned(),
            at,
            node: node_of(value),
        }
    };
    let mut fields: Vec<Field> = table.into_iter().map(field).collect();
    // The parser sorts by name; people read from the top.
    fields.sort_by_key(|field| field.at);
    fields
}

fn node_of(value: toml::Spanned<DeValue<'_>>) -> Node {
    let at = value.span().start;
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(Zeroizing::new(text.into_owned())),
        DeValue::Array(items) => Value::List(items.into_iter().map(node_of).collect()),
        DeValue::Table(table) => Value::Table(fields_of(table)),
        DeValue::Integer(number) => Value::Number(number.to_string(), "an integer"),
        DeValue::Float(number) => Value::Number(number.to_string(), "a float"),
        DeValue::Boolean(value) => Value::Boolean(value),
        DeValue::Datetime(time) => Value::Time(time.to_string()),
    };
    Node { at, value }
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Boolean(_) => "a boolean",
            Self::Time(_) => "a time",
            Self::Number(_, kind) => kind,
            Self::Other(kind) => kind,
        }
    }
}

impl Node {
    fn wrong(&self, source: &Source<'_>, field: &'static str, expected: &'static str) -> PolicyError {
        source.error(
            self.at,
            Problem::WrongType {
                field,
                expected,
                found: self.value.kind(),
            },
        )
    }

    pub(super) fn text(self, source: &Source<'_>, field: &'static str) -> Result<Text, PolicyError> {
        match self.value {
            Value::Text(text) => Ok(Text::taken(self.at, text)),
            _ => Err(self.wrong(source, field, "a string")),
        }
    }

    pub(super) fn boolean(self, source: &Source<'_>, field: &'static str) -> Result<bool, PolicyError> {
        match self.value {
            Value::Boolean(value) => Ok(value),
            _ => Err(self.wrong(source, field, "true or false")),
        }
    }

    /// An instant: a time with an offset, bare or in quotes.
    pub(super) fn instant(
        self,
        source: &Source<'_>,
        field: &'static str,
    ) -> Result<OffsetDateTime, PolicyError> {
        let text = match &self.value {
            Value::Time(text) => text.as_str(),
            Value::Text(text) => text.as_str(),
            _ => return Err(self.wrong(source, field, "a time, such as 2026-11-23T12:00:00Z")),
        };
        let instant = OffsetDateTime::parse(&text.replacen(' ', "T", 1), &Rfc3339);
        instant.map_err(|_| source.error(self.at, Problem::NoInstant { field }))
    }

    pub(super) fn table(
        self,
        source: &Source<'_>,
        field: &'static str,
        expected: &'static str,
    ) -> Result<Table, PolicyError> {
        match self.value {
            Value::Table(fields) => Ok(Table { at: self.at, fields }),
            _ => Err(self.wrong(source, field, expected)),
        }
    }

    /// A list of tables; a single one where `single` allows it, as IAM's `Statement` does.
    pub(super) fn tables(
        self,
        source: &Source<'_>,
        field: &'static str,
        expected: &'static str,
        single: bool,
    ) -> Result<Vec<Table>, PolicyError> {
        match self.value {
            Value::List(nodes) => nodes
                .into_iter()
                .map(|node| node.table(source, field, expected))
                .collect(),
            Value::Table(fields) if single => Ok(vec![Table { at: self.at, fields }]),
            _ => Err(self.wrong(source, field, expected)),
        }
    }

    /// The values of a condition: one, or a list.
    pub(super) fn scalars(self, source: &Source<'_>) -> Result<Vec<Text>, PolicyError> {
        match self.value {
            Value::List(nodes) => nodes.into_iter().map(|node| scalar(source, node)).collect(),
            _ => scalar(source, self).map(|text| vec![text]),
        }
    }

    /// A list of strings; a single one where `single` allows it, as IAM does.
    pub(super) fn texts(
        self,
        source: &Source<'_>,
        field: &'static str,
        single: bool,
    ) -> Result<Vec<Text>, PolicyError> {
        let expected = if single {
            "a string or a list of strings"
        } else {
            "a list of strings"
        };
        match self.value {
            Value::Text(text) if single => Ok(vec![Text::taken(self.at, text)]),
            Value::List(nodes) => nodes
                .into_iter()
                .map(|node| match node.value {
                    Value::Text(text) => Ok(Text::taken(node.at, text)),
                    _ => Err(node.wrong(source, field, expected)),
                })
                .collect(),
            _ => Err(self.wrong(source, field, expected)),
        }
    }
}

/// One value of a condition, as text: a string, a number, a boolean or a time.
fn scalar(source: &Source<'_>, node: Node) -> Result<Text, PolicyError> {
    let text = match node.value {
        Value::Text(text) => return Ok(Text::taken(node.at, text)),
        Value::Time(text) | Value::Number(text, _) => text,
        Value::Boolean(value) => value.to_string(),
        Value::List(_) | Value::Table(_) | Value::Other(_) => {
            return Err(node.wrong(source, "Condition", SCALARS));
        }
    };
    Ok(Text { at: node.at, text })
}

const SCALARS: &str = "a string, a number, a boolean or a time, or a list of them";

impl Table {
    /// Every field that has not been taken.
    pub(super) fn into_fields(self) -> Vec<Field> {
        self.fields
    }

    /// Refuses any field that is not among the known ones, so that nothing is dropped unseen.
    pub(super) fn knows(
        &self,
        source: &Source<'_>,
        place: &'static str,
        known: &'static [&'static str],
    ) -> Result<(), PolicyError> {
        let Some(field) = self
            .fields
            .iter()
            .find(|field| !known.contains(&field.key.as_str()))
        else {
            return Ok(());
        };
        let nearest = nearest(&field.key, known.iter().copied());
        Err(source.error(
            field.at,
            Problem::UnknownField {
                field: field.key.clone(),
                place,
                nearest,
                known,
            },
        ))
    }

    /// Where a field stands, for errors about the field itself.
    pub(super) fn at(&self, key: &str) -> Option<usize> {
        self.fields
            .iter()
            .find(|field| field.key == key)
            .map(|field| field.at)
    }

    /// Takes a field out.
    pub(super) fn take(&mut self, key: &str) -> Option<Node> {
        let index = self.fields.iter().position(|field| field.key == key)?;
        Some(self.fields.remove(index).node)
    }

    /// Takes a field that must be there.
    pub(super) fn require(
        &mut self,
        source: &Source<'_>,
        field: &'static str,
        place: &'static str,
    ) -> Result<Node, PolicyError> {
        self.take(field)
            .ok_or_else(|| source.error(self.at, Problem::Missing { field, place }))
    }

    /// Takes a string that need not be there.
    pub(super) fn take_text(
        &mut self,
        source: &Source<'_>,
        field: &'static str,
    ) -> Result<Option<Text>, PolicyError> {
        self.take(field).map(|node| node.text(source, field)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let source = Source::new("p", "ab\n\u{e9}\u{e9}c\n");
        let place = |at| {
            let location = source.location(at);
            (location.line, location.column)
        };
        assert_eq!(
            [place(0), place(1), place(3), place(7), place(9)],
            [(1, 1), (1, 2), (2, 1), (2, 3), (3, 1)]
        );
    }
}
