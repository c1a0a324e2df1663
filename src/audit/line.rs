//! An entry's line of the trail, in the form of a [`Record`](super::Record), from the entry as it is: a record would own a copy of each text.

use std::time::Duration;

use time::{OffsetDateTime, UtcOffset};

use super::{Decided, Entry, json::Object};

impl Entry {
    /// Appends the line, with its end. It is what the [`Record`](super::Record) of the entry is written as.
    pub fn write_line(&self, line: &mut Vec<u8>) {
        let mut object = Object::begin(line);
        object.time("time", Some(to_the_millisecond(self.time)));
        object.word("outcome", Some(self.outcome.name()));
        object.text("request_id", Some(self.request_id.as_str()));
        object.text("signer", self.signer.as_deref());
        object.text("access_key_id", self.access_key_id.as_ref().map(|id| id.as_str()));
        object.shown("link_id", self.link_id);
        object.word("mechanism", self.mechanism);
        object.time("signed_at", self.signed_at.map(utc));
        object.time("expires_at", self.expires_at.map(utc));
        object.text("origin", self.origin.as_deref());
        object.text("method", Some(self.method.as_str()));
        object.word("operation", self.operation);
        object.word("action", self.action);
        object.text("bucket", self.bucket.as_ref().map(|bucket| bucket.as_str()));
        object.text("key", self.key.as_ref().map(|key| key.as_str()));
        if let Some((bucket, key)) = &self.source {
            object.shown("source", Some(format_args!("{bucket}/{key}")));
        }
        object.text("range", self.range.as_deref());
        object.value("status", self.status);
        object.word("code", self.code);
        object.word("reason", self.reason);
        match &self.decided_by {
            Some(Decided::Statement(statement)) => object.shown("decided_by", Some(statement)),
            Some(Decided::Revocation(rule)) => object.shown("decided_by", Some(rule)),
            None => {}
        }
        object.value("generation", Some(self.generation));
        object.value("bytes_sent", Some(self.bytes_sent));
        object.value("bytes_received", Some(self.bytes_received));
        object.value("completed", Some(self.completed));
        object.value("duration_ms", Some(milliseconds(self.duration)));
        object.client("client", &self.client);
        object.shown("proxy", self.client.proxy);
        object.text("user_agent", self.user_agent.as_deref());
        object.end();
        line.push(b'\n');
    }
}

/// How long it took, to the microsecond.
pub(super) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// The same moment, told by UTC.
pub(super) fn utc(at: OffsetDateTime) -> OffsetDateTime {
    at.to_offset(UtcOffset::UTC)
}

/// A millisecond is fine enough, and a third of the text.
pub(super) fn to_the_millisecond(at: OffsetDateTime) -> OffsetDateTime {
    let at = utc(at);
    at.replace_millisecond(at.millisecond()).unwrap_or(at)
}

#[cfg(test)]
mod tests;
