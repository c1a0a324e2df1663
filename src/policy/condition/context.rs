//! What conditions are decided on. A [`Context`] answers for one request what each key holds; [`GivenContext`] is one that a person wrote.

use std::{borrow::Cow, collections::BTreeMap};

use crate::types::Tag;

use super::{super::case, ConditionKey};

/// What one request says of itself, asked key by key and only where a statement needs it.
pub trait Context {
    /// What the key holds.
    fn fact(&self, key: &ConditionKey) -> Fact<'_>;
}

/// What one key holds in one request. Values are texts, which an operator reads as numbers, dates or addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact<'c> {
    /// The request has none.
    Absent,
    /// One value.
    One(Cow<'c, str>),
    /// Several.
    Many(Vec<Cow<'c, str>>),
    /// It cannot be known yet: the object was not opened, the body not read.
    Unknown,
}

impl<'c> Fact<'c> {
    /// One value, or absent.
    pub fn of(value: Option<impl Into<Cow<'c, str>>>) -> Self {
        value.map_or(Self::Absent, |value| Self::One(value.into()))
    }

    /// The value of a tag: of that key, else of one that differs in case alone, since keys in conditions have no case.
    pub fn of_tag(tags: &'c [Tag], key: &str) -> Self {
        let exact = tags.iter().find(|tag| tag.key == key);
        let folded = || {
            let key = case::folded(key);
            tags.iter().find(move |tag| case::folded(&tag.key) == key)
        };
        Self::of(exact.or_else(folded).map(|tag| tag.value.as_str()))
    }

    /// All values, where they are known.
    pub(super) fn values(&self) -> Option<&[Cow<'c, str>]> {
        match self {
            Self::Absent => Some(&[]),
            Self::One(value) => Some(std::slice::from_ref(value)),
            Self::Many(values) => Some(values),
            Self::Unknown => None,
        }
    }
}

/// A context that a person wrote: `aws:SourceIp=203.0.113.7`. What it does not name is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenContext(BTreeMap<ConditionKey, Vec<String>>);

impl GivenContext {
    /// Adds a value of a key. A second one for the same key is another value of it.
    pub fn add(&mut self, key: impl Into<ConditionKey>, value: String) {
        self.0.entry(key.into()).or_default().push(value);
    }
}

impl Context for GivenContext {
    fn fact(&self, key: &ConditionKey) -> Fact<'_> {
        match self.0.get(key).map(Vec::as_slice) {
            None | Some([]) => Fact::Absent,
            Some([value]) => Fact::One(value.into()),
            Some(values) => Fact::Many(values.iter().map(Cow::from).collect()),
        }
    }
}
