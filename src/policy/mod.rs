//! The policy, pure. In goes the text of a policy file and of what it refers to; out comes a [`Snapshot`]: keys, signers and
//! statements that decide, for a signer, an action and a resource, `Allow` or `Deny` and by which statement.
//!
//! `text → PolicyFile::parse → references → (the caller reads them) → compile → Snapshot → evaluate`
//!
//! Stricter than AWS, all at load: an unknown field or `s3:` action, a `Condition`, a variable in a resource and an ARN of
//! too few parts are errors, where AWS lets some of them pass as rules that never apply. A gateway that drops what it
//! does not know turns a narrow grant into a wide one.

mod actions;
mod compile;
mod document;
mod error;
mod evaluate;
mod json;
mod pattern;
mod reference;
mod resource;
mod signer;
mod signing_keys;
mod snapshot;
mod statement;
mod tree;
mod warning;
mod words;

pub use compile::Compiled;
pub use document::{MAX_POLICY_BYTES, PolicyFile};
pub use error::{Location, PolicyError, Problem};
pub use evaluate::{Decision, Denial, StatementReference};
pub use reference::{Reference, References};
pub use signer::{Key, Signer};
pub use snapshot::{BroadGrant, Snapshot};
pub use statement::{Clause, Effect, Statement};
pub use warning::{PolicyWarning, Warned};
