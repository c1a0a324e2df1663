//! (in work)

mod settings;

pub use settings::Settings;
