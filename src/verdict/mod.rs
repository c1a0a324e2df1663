//! (in work)

mod origin;
mod settings;

pub use origin::{PublicUrl, PublicUrlError};
pub use settings::Settings;
