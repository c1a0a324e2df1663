//! `config.toml` as it is written, and what is wrong with it, by line and column.

use std::path::PathBuf;

use figment::{Figment, error::Kind, providers::Serialized};

use crate::{
    audit, confine, gateway, live, server, store, traces,
    types::{ForwardedHeader, Region, Span},
};

use super::{
    ConfigError,
    places::{Places, place},
};

/// Every section of the file.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Document {
    pub(super) server: ServerSection,
    pub(super) admin: server::AdminSettings,
    pub(super) storage: store::Settings,
    pub(super) bucket: Vec<store::BucketFolder>,
    pub(super) policy: live::Settings,
    pub(super) audit: audit::Settings,
    pub(super) presign: PresignSection,
    pub(super) cors: Vec<crate::s3::CorsRule>,
    pub(super) traces: traces::Settings,
    pub(super) log: LogSettings,
}

/// `[server]`: sockets, and what signatures must fit.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ServerSection {
    pub(super) mode: gateway::Mode,
    pub(super) listen: String,
    pub(super) region: Region,
    pub(super) regions: Vec<Region>,
    pub(super) virtual_host_domains: Vec<String>,
    pub(super) public_urls: Vec<String>,
    pub(super) trusted_proxies: Vec<String>,
    pub(super) forwarded_header: ForwardedHeader,
    pub(super) proxy_protocol: server::ProxyProtocol,
    pub(super) account_id: String,
    pub(super) max_head_bytes: usize,
    pub(super) max_headers: usize,
    pub(super) head_timeout: Span,
    pub(super) shutdown_grace: Span,
    pub(super) confine: confine::Mode,
    pub(super) confine_also_read: Vec<PathBuf>,
    pub(super) confine_also_write: Vec<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tls: Option<server::TlsSettings>,
}

impl Default for ServerSection {
    fn default() -> Self {
        let (sockets, verdict) = (server::Settings::default(), crate::verdict::Settings::default());
        let mut regions = verdict.regions.into_iter();
        Self {
            mode: gateway::Mode::default(),
            listen: sockets.listen,
            region: regions.next().unwrap_or_else(Region::us_east_1),
            regions: regions.collect(),
            virtual_host_domains: verdict.virtual_host_domains,
            public_urls: Vec::new(),
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::default(),
            proxy_protocol: sockets.proxy_protocol,
            account_id: verdict.account_id.to_string(),
            max_head_bytes: sockets.max_head_bytes,
            max_headers: sockets.max_headers,
            head_timeout: sockets.head_timeout,
            shutdown_grace: sockets.shutdown_grace,
            confine: confine::Mode::default(),
            confine_also_read: Vec::new(),
            confine_also_write: Vec::new(),
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
) -> Result<(Document, Places), ConfigError> {
    let document: Document = toml::from_str(text).map_err(|error| in_file(text, name, &error))?;
    let mut places = Places::of_file(text, name);
    let mut figment = Figment::from(Serialized::defaults(document));
    for (variable, value) in environment {
        let Some((section, key)) = variable
            .strip_prefix("POSTERN_")
            .and_then(|rest| rest.split_once("__"))
        else {
            continue;
        };
        let dotted = format!("{section}.{}", key.replace("__", ".")).to_ascii_lowercase();
        figment = overlay(&figment, &dotted, &value).map_err(|error| ConfigError::Invalid {
            place: format!("the variable {variable}"),
            problem: said(&error),
        })?;
        places.overwrite(dotted, &variable);
    }
    let document = figment.extract().map_err(|error| ConfigError::Invalid {
        place: "the environment".to_owned(),
        problem: said(&error),
    })?;
    Ok((document, places))
}

/// Sets one key. Numbers, lists and quoted texts are taken for what they look like (figment reads them), and a number where
/// text belongs, such as an account id, for the text. What is missing may come with the next variable.
fn overlay(figment: &Figment, dotted: &str, text: &str) -> Result<Figment, Box<figment::Error>> {
    let set = |value: figment::value::Value| {
        let merged = figment.clone().merge(Serialized::default(dotted, value));
        match merged.extract::<Document>() {
            Ok(_) => Ok(merged),
            Err(error) if matches!(error.kind, Kind::MissingField(_)) => Ok(merged),
            Err(error) => Err(Box::new(error)),
        }
    };
    let looks_like: figment::value::Value = text.parse().unwrap_or_else(|error| match error {});
    set(looks_like).or_else(|error| set(text.into()).map_err(|_| error))
}

fn said(error: &figment::Error) -> String {
    match &error.kind {
        Kind::UnknownField(field, known) => unknown(field, known.iter().copied()),
        other => other.to_string(),
    }
}

fn in_file(text: &str, name: &str, error: &toml::de::Error) -> ConfigError {
    let message = error.message();
    // serde names the field and the known ones in its message, each in back quotes.
    let mut words = message.split('`').skip(1).step_by(2);
    let problem = match (message.starts_with("unknown field"), words.next()) {
        (true, Some(field)) => unknown(field, words),
        (_, _) => message.to_owned(),
    };
    ConfigError::Invalid {
        place: place(text, name, error.span().map_or(0, |span| span.start)),
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
