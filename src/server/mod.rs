//! (in work)

mod settings;

pub use settings::{AdminSettings, Settings, TlsSettings};
