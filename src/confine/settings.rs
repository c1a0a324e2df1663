//! What an operator may set of the confinement: `confine`, `confine_also_read` and `confine_also_write` in `[server]`.

use std::path::PathBuf;

/// Whether the gateway confines itself, and what it may open besides what the other settings name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Is it to confine itself?
    pub mode: Mode,
    /// Files and folders that it may read besides.
    pub also_read: Vec<PathBuf>,
    /// Files and folders that it may write to besides.
    pub also_write: Vec<PathBuf>,
}

/// Is the gateway to confine itself?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Where the kernel can.
    #[default]
    Auto,
    /// No.
    Off,
    /// Yes, and it does not start where the kernel cannot.
    Require,
}
