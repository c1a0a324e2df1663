//! One line of the trail, as it is written and as it is read again. Fields that a request does not have are left out; what a reader does not
//! know it passes over, so that a later version may write more.

use std::time::Duration;

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    Decided, Entry, Outcome, Repeated,
    line::{milliseconds, to_the_millisecond, utc},
};

/// One line of the trail.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[allow(missing_docs)] // see Entry
pub struct Record {
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<String>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub signed_at: Option<OffsetDateTime>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub expires_at: Option<OffsetDateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `bucket/key`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    #[serde(default)]
    pub generation: u64,
    #[serde(default)]
    pub bytes_sent: u64,
    #[serde(default)]
    pub bytes_received: u64,
    #[serde(default)]
    pub completed: bool,
    #[serde(default)]
    pub duration_ms: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The connection's own address, where a proxy stood in between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// How many records were lost, for [`Outcome::Lost`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
    /// How many requests of one source and reason this stands for, during a flood. `client` is then
    /// the source: an address, a /64 of IPv6, or `others`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeated: Option<u64>,
    /// When the last of them came; `time` is the first's.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub last_time: Option<OffsetDateTime>,
}

impl Record {
    /// Says that records were lost.
    pub(super) fn of_loss(time: OffsetDateTime, lost: u64) -> Self {
        Self {
            lost: Some(lost),
            ..Self::empty(time, Outcome::Lost)
        }
    }

    /// Says how many requests were counted and not written.
    pub(super) fn of_repeated(counted: &Repeated) -> Self {
        Self {
            code: counted.code.map(str::to_owned),
            reason: counted.reason.map(str::to_owned),
            bytes_sent: counted.bytes_sent,
            bytes_received: counted.bytes_received,
            client: Some(counted.source.to_string()),
            repeated: Some(counted.requests),
            last_time: Some(to_the_millisecond(counted.last)),
            ..Self::empty(to_the_millisecond(counted.first), counted.outcome)
        }
    }

    /// When it was written, near enough to put two files in order.
    pub(super) fn ended(&self) -> OffsetDateTime {
        let took = Duration::try_from_secs_f64(self.duration_ms / 1e3).unwrap_or_default();
        let last = self.last_time.unwrap_or(self.time);
        last.checked_add(took.try_into().unwrap_or_default())
            .unwrap_or(last)
    }

    fn empty(time: OffsetDateTime, outcome: Outcome) -> Self {
        Self {
            time,
            outcome,
            request_id: String::new(),
            signer: None,
            access_key_id: None,
            link_id: None,
            mechanism: None,
            signed_at: None,
            expires_at: None,
            origin: None,
            method: None,
            operation: None,
            action: None,
            bucket: None,
            key: None,
            source: None,
            range: None,
            status: None,
            code: None,
            reason: None,
            decided_by: None,
            generation: 0,
            bytes_sent: 0,
            bytes_received: 0,
            completed: false,
            duration_ms: 0.0,
            client: None,
            proxy: None,
            user_agent: None,
            lost: None,
            repeated: None,
            last_time: None,
        }
    }

    /// The line, with its end.
    pub(super) fn line(&self) -> Vec<u8> {
        // Texts, numbers and times always are JSON.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }

    /// `bucket/key`, `bucket`, or nothing.
    pub fn resource(&self) -> String {
        match (&self.bucket, &self.key) {
            (Some(bucket), Some(key)) => format!("{bucket}/{key}"),
            (Some(bucket), None) => bucket.clone(),
            (None, _) => String::new(),
        }
    }

    /// The time, for people: to the second.
    pub fn shown_time(&self) -> String {
        shown(self.time)
    }
}

/// `2026-11-24T12:00:00Z`
pub(super) fn shown(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    at.replace_nanosecond(0)
        .unwrap_or(at)
        .format(&Rfc3339)
        .unwrap_or_default()
}

impl From<Entry> for Record {
    fn from(mut entry: Entry) -> Self {
        entry.bound();
        let owned = |text: &'static str| text.to_owned();
        Self {
            time: to_the_millisecond(entry.time),
            outcome: entry.outcome,
            request_id: entry.request_id.to_string(),
            signer: entry.signer.map(|name| name.to_string()),
            access_key_id: entry.access_key_id.map(|id| id.to_string()),
            link_id: entry.link_id.map(|id| id.to_string()),
            mechanism: entry.mechanism.map(owned),
            signed_at: entry.signed_at.map(utc),
            expires_at: entry.expires_at.map(utc),
            origin: entry.origin.map(|origin| origin.to_string()),
            method: Some(entry.method.to_string()),
            operation: entry.operation.map(owned),
            action: entry.action.map(owned),
            bucket: entry.bucket.map(|bucket| bucket.as_str().to_owned()),
            key: entry.key.map(|key| key.as_str().to_owned()),
            source: entry
                .source
                .map(|(bucket, key)| format!("{bucket}/{}", key.as_str())),
            range: entry.range,
            status: entry.status,
            code: entry.code.map(owned),
            reason: entry.reason.map(owned),
            decided_by: entry.decided_by.map(|decided| match decided {
                Decided::Statement(statement) => statement.to_string(),
                Decided::Revocation(rule) => rule.to_string(),
            }),
            generation: entry.generation,
            bytes_sent: entry.bytes_sent,
            bytes_received: entry.bytes_received,
            completed: entry.completed,
            duration_ms: milliseconds(entry.duration),
            client: Some(entry.client.to_string()),
            proxy: entry.client.proxy.map(|proxy| proxy.to_string()),
            user_agent: entry.user_agent,
            lost: None,
            repeated: None,
            last_time: None,
        }
    }
}
