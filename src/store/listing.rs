//! What a listing asks for and what a page of it holds.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>

use std::sync::Arc;

use crate::types::{ObjectAttributes, ObjectKey};

/// What to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Only keys that begin so.
    pub prefix: String,
    /// Keys that have this text behind the prefix are rolled up, each to the part up to and including its first occurrence.
    /// Never empty.
    pub delimiter: Option<String>,
    /// Only keys behind this text, in the order of bytes. Where it is itself what keys are rolled up to, they are all passed over.
    pub after: Option<String>,
    /// The most entries of a page, rolled up ones counted once.
    pub limit: usize,
}

/// One page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// What it holds, in the order of bytes.
    pub entries: Vec<Listed>,
    /// Is there more behind the last entry? Always `false` where the limit is 0.
    pub more: bool,
}

/// One entry of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// An object.
    Object(ObjectKey, Arc<ObjectAttributes>),
    /// What several keys, or one, are rolled up to: a `CommonPrefixes` element.
    CommonPrefix(String),
}
