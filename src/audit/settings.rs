//! What an operator may set of the audit trail: `[audit]`.

use std::path::{Path, PathBuf};

/// Where the audit trail goes, and what happens when it cannot.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where records go.
    pub to: To,
    /// The file for requests whose signature holds. Older ones are beside it, with `.1` (the newest) and so on behind their names.
    /// All other requests have a file of their own, see [`refused_file`](Self::refused_file).
    pub file: PathBuf,
    /// A file of more bytes is set aside and a new one begun.
    pub rotate_bytes: u64,
    /// How many that were set aside are kept.
    pub keep_files: usize,
    /// The same for the file of requests without a verified signature.
    pub refused_rotate_bytes: u64,
    /// The same.
    pub refused_keep_files: usize,
    /// What happens to requests while records cannot be written.
    pub on_failure: OnFailure,
    /// Whether answers wait until their records are on stable storage.
    pub sync: SyncRecords,
}

impl Settings {
    /// The file for requests without a verified signature.
    pub fn refused_file(&self) -> PathBuf {
        refused_beside(&self.file)
    }

    /// Every file that records are written to. Rotated ones lie beside each.
    pub fn files(&self) -> Vec<PathBuf> {
        vec![self.file.clone(), self.refused_file()]
    }
}

/// `audit.refused.jsonl` beside `audit.jsonl`.
pub(super) fn refused_beside(file: &Path) -> PathBuf {
    let mut name = file.file_stem().unwrap_or_default().to_owned();
    name.push(".refused");
    if let Some(extension) = file.extension() {
        name.push(".");
        name.push(extension);
    }
    file.with_file_name(name)
}

/// Where records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum To {
    /// To a file where there is a policy file to revoke in; nowhere where keys were given or made for one run, which is to leave no files.
    Auto,
    /// To a file.
    File,
    /// To standard output.
    Stdout,
    /// Nowhere.
    Off,
}

/// What happens to requests while records cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// They go on; what cannot be kept for later is lost, and the trail says how much.
    Continue,
    /// They are refused with 503 until records can be written again.
    Refuse,
}

/// When records are put on stable storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncRecords {
    /// When the system does it. A killed process loses some milliseconds of records, a power cut some seconds.
    Never,
    /// Before anything of the answer is sent, for each request whose signature holds.
    Each,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            to: To::Auto,
            file: PathBuf::from("audit.jsonl"),
            rotate_bytes: 100 * 1024 * 1024,
            keep_files: 10,
            refused_rotate_bytes: 100 * 1024 * 1024,
            refused_keep_files: 3,
            on_failure: OnFailure::Continue,
            sync: SyncRecords::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_have_a_file_of_their_own_beside_the_other() {
        for (file, refused) in [
            ("audit.jsonl", "audit.refused.jsonl"),
            ("/var/log/postern/trail", "/var/log/postern/trail.refused"),
            ("a.b.c", "a.b.refused.c"),
        ] {
            let settings = Settings {
                file: file.into(),
                ..Settings::default()
            };
            assert_eq!(settings.refused_file(), PathBuf::from(refused));
        }
    }
}
