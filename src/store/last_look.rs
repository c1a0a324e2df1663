//! The check right before a change takes effect: whether the policy in force then still allows it.
//!
//! A request may take long between its permit and its effect: its body is slow, the disk is busy,
//! parts are joined. The policy may change meanwhile. So the store asks a [`LastLook`] under the lock
//! of the change, and the functions that make the change take the answer, a [`StillAllowed`], as an
//! argument. Nothing else makes one, so a change without the check does not compile.

use std::{fmt, sync::Arc};

use crate::types::Tag;

use super::StoreError;

/// The check that a store asks right before a change. It neither waits nor takes long.
#[derive(Clone)]
pub struct LastLook(Arc<Check>);

type Check = dyn Fn(Option<&[Tag]>) -> bool + Send + Sync;

/// Proof that a change was still allowed in the moment before it.
#[derive(Debug)]
pub struct StillAllowed(());

impl LastLook {
    /// A check by this function. Its argument is the tags of the object that is about to change, if
    /// the store has read them under the lock.
    pub fn new(is_allowed: impl Fn(Option<&[Tag]>) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(is_allowed))
    }

    /// The check of a change that no request asked for, such as the sample objects of a first start.
    pub fn none() -> Self {
        Self::new(|_| true)
    }

    /// Asks whether the change is still allowed.
    ///
    /// Errors: `Withdrawn`.
    pub(in crate::store) fn ask(&self, tags: Option<&[Tag]>) -> Result<StillAllowed, StoreError> {
        match (self.0)(tags) {
            true => Ok(StillAllowed(())),
            false => Err(StoreError::Withdrawn),
        }
    }
}

impl StillAllowed {
    /// The store's own cleaning up, which no policy decides.
    pub(in crate::store) fn housekeeping() -> Self {
        Self(())
    }
}

impl fmt::Debug for LastLook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastLook")
    }
}
