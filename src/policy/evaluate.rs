//! The decision. In go statements, an action and a resource; out comes `Allow` or `Deny` with the statement that decided. An
//! explicit denial beats every permission, and without a permission the answer is an implicit denial: the evaluation logic of IAM
//! within one account.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use std::{fmt, sync::Arc};

use crate::types::{Action, Resource};

use super::{
    error::Location,
    pattern::ResourceText,
    statement::{Effect, Statement},
};

/// The answer of a policy, with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// This statement allows, and none denies.
    Allow(StatementReference),
    /// Denied.
    Deny(Denial),
}

/// Why the answer is no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// This statement denies.
    Explicit(StatementReference),
    /// No statement allows.
    Implicit,
}

/// Which statement decided, as people find it: `policy.toml line 12: signer alice, statement 2 (Sid "read")`. A copy costs one count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementReference(Arc<Origin>);

#[derive(Debug, PartialEq, Eq)]
enum Origin {
    Statement {
        location: Location,
        owner: Owner,
        number: usize,
        sid: Option<String>,
    },
    OnInvalid,
}

/// Whose statement it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Signer(Arc<str>),
    Policy(Arc<str>),
    /// A policy document, which the location's file names.
    Document,
    Everyone,
}

/// Decides by these statements. The first statement of its effect, in the order of the file, is named as the reason.
pub(super) fn evaluate<'p>(
    statements: impl Iterator<Item = &'p Statement>,
    action: Action,
    resource: Resource<'_>,
) -> Decision {
    let text = ResourceText::of(resource);
    let mut allowed = None;
    for statement in statements {
        match statement.effect() {
            Effect::Deny if statement.matches(action, text) => {
                return Decision::Deny(Denial::Explicit(statement.reference().clone()));
            }
            Effect::Allow if allowed.is_none() && statement.matches(action, text) => {
                allowed = Some(statement)
            }
            Effect::Deny | Effect::Allow => {}
        }
    }
    allowed.map_or(Decision::Deny(Denial::Implicit), |statement| {
        Decision::Allow(statement.reference().clone())
    })
}

impl Decision {
    /// Whether the answer is yes.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow(_))
    }
}

impl StatementReference {
    pub(super) fn new(location: Location, owner: Owner, number: usize, sid: Option<String>) -> Self {
        Self(Arc::new(Origin::Statement {
            location,
            owner,
            number,
            sid,
        }))
    }

    /// No statement, but the setting that denies everything while the policy file is invalid.
    pub(super) fn on_invalid() -> Self {
        Self(Arc::new(Origin::OnInvalid))
    }

    /// Where the statement stands; none for `on_invalid`.
    pub fn location(&self) -> Option<&Location> {
        match &*self.0 {
            Origin::Statement { location, .. } => Some(location),
            Origin::OnInvalid => None,
        }
    }

    /// The statement's own name, where it has one.
    pub fn sid(&self) -> Option<&str> {
        match &*self.0 {
            Origin::Statement { sid, .. } => sid.as_deref(),
            Origin::OnInvalid => None,
        }
    }

    /// Whose statement and which, without the place: `signer alice, statement 2 (Sid "read")`.
    pub fn owner(&self) -> String {
        let Origin::Statement {
            owner, number, sid, ..
        } = &*self.0
        else {
            return "on_invalid = \"deny\"".to_owned();
        };
        let sid = sid
            .as_ref()
            .map(|sid| format!(" (Sid {sid:?})"))
            .unwrap_or_default();
        match owner {
            Owner::Signer(name) => format!("signer {name}, statement {number}{sid}"),
            Owner::Policy(name) => format!("policy {name}, statement {number}{sid}"),
            Owner::Document => format!("statement {number}{sid}"),
            Owner::Everyone => format!("every signer, statement {number}{sid}"),
        }
    }
}

impl fmt::Display for StatementReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.location() {
            Some(location) => write!(f, "{} line {}: {}", location.file, location.line, self.owner()),
            None => write!(
                f,
                "{}: the policy file is invalid, and every request is denied until it is mended",
                self.owner()
            ),
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Explicit(reference) => write!(f, "denied by {reference}"),
            Self::Implicit => f.write_str("no statement allows it"),
        }
    }
}
