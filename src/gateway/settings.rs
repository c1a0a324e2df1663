//! What an operator may set of the gateway.

use crate::{s3::CorsRule, verdict};

/// What requests are answered by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// What signatures must fit.
    pub verdict: verdict::Settings,
    /// Who may talk to a bucket that has no rules of its own: `[[cors]]`.
    pub cors: Vec<CorsRule>,
}

impl From<verdict::Settings> for Settings {
    fn from(verdict: verdict::Settings) -> Self {
        Self {
            verdict,
            ..Self::default()
        }
    }
}
