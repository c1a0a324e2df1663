//! What in a policy was understood and yet does nothing. A policy with warnings is in force; whoever loads it tells them.

use std::fmt;

use super::{
    error::{Location, quoted},
    evaluate::StatementReference,
};

/// A statement, or a part of one, that never applies here or that probably does not do what it
/// seems to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWarning {
    /// Where.
    pub location: Location,
    /// Which statement; none for a document without any.
    pub statement: Option<StatementReference>,
    /// What.
    pub warned: Warned,
}

/// What is doubtful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warned {
    /// All actions are other services': the whole statement is inert.
    OtherServices,
    /// One action is another service's.
    OtherService {
        /// The action, as written.
        action: String,
    },
    /// A resource that no bucket or object of this gateway can have: another service's, partition's or an access point's.
    OtherResource {
        /// The resource, as written.
        resource: String,
    },
    /// A shared policy that no signer has.
    Unused,
    /// A policy document whose list of statements is empty.
    NoStatements,
    /// A text with `${`, in a document of the version that has no variables.
    VariableOfOldVersion {
        /// The text, as written.
        text: String,
    },
    /// A `*` that an operator for exact texts compares as it stands.
    LiteralWildcard {
        /// The operator, as written.
        operator: String,
        /// The value, as written.
        value: String,
    },
    /// `ForAnyValue:…IfExists`, which does not hold for an absent key.
    IfExistsWithoutEffect {
        /// The operator, as written.
        operator: String,
    },
    /// `ForAllValues:` on a key of one value, in an Allow: it holds for a request without the key.
    HoldsWithoutKey {
        /// The key.
        key: String,
    },
    /// A condition on a key that no request for the action has.
    KeyOfOtherAction {
        /// The key.
        key: String,
        /// The action, as written.
        action: String,
        /// What becomes of the condition.
        holds: Holds,
    },
    /// An action on objects beside resources that are all buckets, or the other way round.
    LevelMismatch {
        /// The action, as written.
        action: String,
        /// What the statement should name: `objects (arn:aws:s3:::bucket/*)` or `buckets (…)`.
        needed: &'static str,
    },
}

/// How often a condition holds that no request can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// For every request.
    Always,
    /// For none.
    Never,
}

impl fmt::Display for PolicyWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.statement {
            Some(statement) => write!(f, "{}: {}: {}", self.location, statement.owner(), self.warned),
            None => write!(f, "{}: {}", self.location, self.warned),
        }
    }
}

impl fmt::Display for Warned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherServices => {
                f.write_str("all its actions are other services', so it does nothing here")
            }
            Self::OtherService { action } => write!(
                f,
                "{} is another service's action and does nothing here",
                quoted(action)
            ),
            Self::OtherResource { resource } => {
                write!(
                    f,
                    "{} is no bucket or object of this gateway and matches nothing",
                    quoted(resource)
                )
            }
            Self::NoStatements => {
                f.write_str("`Statement` is empty, so the document allows and denies nothing")
            }
            Self::VariableOfOldVersion { text } => write!(
                f,
                "{} holds `${{`, which is a variable only with `\"Version\": \"2012-10-17\"`; here it is text",
                quoted(text)
            ),
            Self::LiteralWildcard { operator, value } => write!(
                f,
                "{} compares the `*` in {} as it stands; for a wildcard, write StringLike or StringNotLike",
                quoted(operator),
                quoted(value)
            ),
            Self::IfExistsWithoutEffect { operator } => write!(
                f,
                "{} does not hold without the key: `IfExists` changes nothing after `ForAnyValue:`",
                quoted(operator)
            ),
            Self::HoldsWithoutKey { key } => write!(
                f,
                "`ForAllValues:` on {} also allows requests without it; leave `ForAllValues:` out, since the key \
                 has one value",
                quoted(key)
            ),
            Self::KeyOfOtherAction { key, action, holds } => write!(
                f,
                "no request for {} has {}, so the condition {} holds for it",
                quoted(action),
                quoted(key),
                match holds {
                    Holds::Always => "always",
                    Holds::Never => "never",
                }
            ),
            Self::Unused => f.write_str("no signer has this policy, so it does nothing"),
            Self::LevelMismatch { action, needed } => {
                write!(
                    f,
                    "{} applies to {needed}, which no resource of the statement names",
                    quoted(action)
                )
            }
        }
    }
}
