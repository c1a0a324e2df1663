//! What an operator may set of the gateway.

use crate::{s3::CorsRule, types::Forwarding, verdict};

/// What requests are answered by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// What signatures must fit.
    pub verdict: verdict::Settings,
    /// Who may talk to a bucket that has no rules of its own: `[[cors]]`.
    pub cors: Vec<CorsRule>,
    /// Which proxies are believed when they say who sent a request.
    pub forwarding: Forwarding,
    /// Does a refusal say why?
    pub mode: Mode,
    /// Where the public listener is reached on this machine: hosts with their ports, which clients may have signed for.
    pub hosts: Vec<String>,
}

/// How much a refusal says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// What AWS says, and no word more.
    #[default]
    Production,
    /// A `<Hint>` as well, with the cause and the fix.
    Development,
}

impl From<verdict::Settings> for Settings {
    fn from(verdict: verdict::Settings) -> Self {
        Self {
            verdict,
            ..Self::default()
        }
    }
}
