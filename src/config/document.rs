//! `config.toml` as it is written, and what is wrong with it, by line and column.

use figment::{Figment, providers::Serialized};

use crate::{
    live, server, store,
    types::{Region, Span},
};

use super::ConfigError;

/// Every section of the file.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Document {
    pub(super) server: ServerSection,
    pub(super) admin: server::AdminSettings,
    pub(super) storage: store::Settings,
    pub(super) bucket: Vec<store::BucketFolder>,
    pub(super) policy: live::Settings,
    pub(super) presign: PresignSection,
    pub(super) log: LogSettings,
}

/// `[server]`: sockets, and what signatures must fit.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ServerSection {
    pub(super) listen: String,
    pub(super) region: Region,
    pub(super) regions: Vec<Region>,
    pub(super) virtual_host_domains: Vec<String>,
    pub(super) public_urls: Vec<String>,
    pub(super) account_id: String,
    pub(super) max_head_bytes: usize,
    pub(super) max_headers: usize,
    pub(super) head_timeout: Span,
    pub(super) shutdown_grace: Span,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tls: Option<server::TlsSettings>,
}

impl Default for ServerSection {
    fn default() -> Self {
        let (sockets, verdict) = (server::Settings::default(), crate::verdict::Settings::default());
        let mut regions = verdict.regions.into_iter();
        Self {
            listen: sockets.listen,
            region: regions.next().unwrap_or_else(Region::us_east_1),
            regions: regions.collect(),
            virtual_host_domains: verdict.virtual_host_domains,
            public_urls: Vec::new(),
            account_id: verdict.account_id,
            max_head_bytes: sockets.max_head_bytes,
            max_headers: sockets.max_headers,
            head_timeout: sockets.head_timeout,
            shutdown_grace: sockets.shutdown_grace,
            tls: sockets.tls,
        }
    }
}

/// `[presign]`
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PresignSection {
    pub(super) max_expires: Span,
}

impl Default for PresignSection {
    fn default() -> Self {
        Self {
            max_expires: super::A_WEEK,
        }
    }
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// How a line looks.
    pub format: LogFormat,
    /// The least that is told: `error`, `warn`, `info`, `debug` or `trace`.
    pub level: LogLevel,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            level: LogLevel::Info,
        }
    }
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What is broken.
    Error,
    /// What may break.
    Warn,
    /// Each request.
    Info,
    /// Each connection.
    Debug,
    /// Everything.
    Trace,
}

/// Reads the text, then lays the environment over it.
pub(super) fn read(
    text: &str,
    name: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Document, ConfigError> {
    let document: Document = toml::from_str(text).map_err(|error| in_file(text, name, &error))?;
    let mut figment = Figment::from(Serialized::defaults(document));
    for (variable, value) in environment {
        let Some(key) = variable
            .strip_prefix("POSTERN_")
            .and_then(|rest| rest.split_once("__"))
        else {
            continue;
        };
        let path = format!(
            "{}.{}",
            key.0.to_ascii_lowercase(),
            key.1.to_ascii_lowercase().replace("__", ".")
        );
        // figment's own reader of variables: numbers, lists and quoted texts are taken for what they look like.
        let value: figment::value::Value = value.parse().unwrap_or_else(|error| match error {});
        figment = figment.merge(Serialized::default(&path, value));
        if let Err(error) = figment.extract::<Document>() {
            return Err(ConfigError::Invalid {
                place: format!("the variable {variable}"),
                problem: said(&error),
            });
        }
    }
    figment.extract().map_err(|error| ConfigError::Invalid {
        place: name.to_owned(),
        problem: said(&error),
    })
}

fn said(error: &figment::Error) -> String {
    match &error.kind {
        figment::error::Kind::UnknownField(field, known) => unknown(field, known.iter().copied()),
        other => other.to_string(),
    }
}

fn in_file(text: &str, name: &str, error: &toml::de::Error) -> ConfigError {
    let before = error
        .span()
        .and_then(|span| text.get(..span.start))
        .unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        .saturating_add(1);
    let message = error.message();
    // serde names the field and the known ones in its message, each in back quotes.
    let mut words = message.split('`').skip(1).step_by(2);
    let problem = match (message.starts_with("unknown field"), words.next()) {
        (true, Some(field)) => unknown(field, words),
        (_, _) => message.to_owned(),
    };
    ConfigError::Invalid {
        place: format!("{name}:{line}:{column}"),
        problem,
    }
}

fn unknown<'a>(field: &str, known: impl Iterator<Item = &'a str>) -> String {
    let nearest = known.max_by(|a, b| {
        let near = |word: &str| strsim::jaro_winkler(field, word);
        near(a).total_cmp(&near(b))
    });
    match nearest {
        Some(nearest) => format!("unknown key `{field}`; did you mean `{nearest}`?"),
        None => format!("unknown key `{field}`"),
    }
}
