//! A last look before something becomes visible: whether it may still. An upload takes a while, and what allowed it may be taken back meanwhile.

use std::{fmt, sync::Arc};

/// A question that is asked in the moment before the rename. It must neither wait nor take long.
#[derive(Clone)]
pub struct LastLook(Arc<dyn Fn() -> bool + Send + Sync>);

impl LastLook {
    /// Asks this: may it still become visible?
    pub fn new(may: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(may))
    }

    /// Nobody can take it back.
    pub fn none() -> Self {
        Self::new(|| true)
    }

    /// Asks.
    pub fn may(&self) -> bool {
        (self.0)()
    }
}

impl fmt::Debug for LastLook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastLook")
    }
}
