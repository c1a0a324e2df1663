//! What in a policy was understood and yet does nothing. A policy with warnings is in force; whoever loads it tells them.

use std::fmt;

use super::{
    error::{Location, quoted},
    evaluate::StatementReference,
};

/// A statement, or a part of one, that can never apply here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWarning {
    /// Where.
    pub location: Location,
    /// Which statement.
    pub statement: StatementReference,
    /// What.
    pub warned: Warned,
}

/// What never applies.
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
    /// An action on objects beside resources that are all buckets, or the other way round.
    LevelMismatch {
        /// The action, as written.
        action: String,
        /// What the statement should name: `objects (arn:aws:s3:::bucket/*)` or `buckets (…)`.
        needed: &'static str,
    },
}

impl fmt::Display for PolicyWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}: {}",
            self.location,
            self.statement.owner(),
            self.warned
        )
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
