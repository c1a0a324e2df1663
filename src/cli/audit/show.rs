//! Records and links as people read them, or as scripts do. What a client chose (a key, a user agent) never reaches a terminal unescaped.

use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    audit::{LinkUse, Record},
    types::printable,
};

use super::Stopped;

/// How much of a link's name is enough to tell it from others.
const SHORT: usize = 12;

pub(super) fn record(record: &Record, as_json: bool) {
    if as_json {
        return println!("{}", json!(record));
    }
    println!("{}", line(record));
}

pub(super) fn record_to_stderr(record: &Record) {
    eprintln!("  {}", line(record));
}

/// `1 link`, `2 links`
pub(in crate::cli) fn counted(number: impl TryInto<u64>, noun: &str) -> String {
    match number.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {noun}"),
        number if noun.ends_with('s') => format!("{number} {noun}es"),
        number => format!("{number} {noun}s"),
    }
}

fn line(record: &Record) -> String {
    if let Some(lost) = record.lost {
        return format!(
            "{} lost: {lost} records could not be written before this",
            record.shown_time()
        );
    }
    let outcome = record.outcome.name();
    if let Some(repeated) = record.repeated {
        let client = printable(record.client.as_deref().unwrap_or("-"));
        let reason = printable(record.reason.as_deref().unwrap_or("for various reasons"));
        return format!(
            "{} {outcome} {} more from {client}: {reason}",
            record.shown_time(),
            counted(repeated, "request")
        );
    }
    let what = record
        .operation
        .as_deref()
        .or(record.method.as_deref())
        .unwrap_or("-");
    let mut line = format!(
        "{} {outcome} {what} {}",
        record.shown_time(),
        printable(&record.resource())
    );
    let mut add = |text: String| {
        line.push_str("  ");
        line.push_str(&text);
    };
    if let Some(source) = &record.source {
        add(format!("from {}", printable(source)));
    }
    if record.bytes_sent > 0 && record.status.is_some_and(|status| status < 300) {
        add(format!(
            "{} bytes{}",
            record.bytes_sent,
            if record.completed { "" } else { " (not all)" }
        ));
    }
    if let Some(signer) = &record.signer {
        add(format!("signer {}", printable(signer)));
    }
    if let (Some(link), Some("query")) = (&record.link_id, record.mechanism.as_deref()) {
        add(format!("link {}", link.get(..SHORT).unwrap_or(link)));
    }
    if let Some(client) = &record.client {
        add(format!("from {}", printable(client)));
    }
    if let Some(origin) = &record.origin {
        add(format!("at {}", printable(origin)));
    }
    match (&record.reason, &record.decided_by) {
        (Some(reason), Some(by)) => add(format!("{reason}: {}", printable(by))),
        (Some(reason), None) => add(reason.clone()),
        (None, _) => {}
    }
    line
}

pub(super) fn link(link: &LinkUse, now: OffsetDateTime, as_json: bool) {
    if as_json {
        let mut shown = json!(link);
        if let Some(fields) = shown.as_object_mut() {
            fields.insert("alive".to_owned(), link.is_alive(now).into());
        }
        return println!("{shown}");
    }
    println!("{}", link_line(link, now));
}

pub(super) fn link_to_stderr(link: &LinkUse, now: OffsetDateTime) {
    eprintln!("  {}", link_line(link, now));
}

fn link_line(link: &LinkUse, now: OffsetDateTime) -> String {
    let at = |at: OffsetDateTime| {
        at.replace_nanosecond(0)
            .unwrap_or(at)
            .format(&Rfc3339)
            .unwrap_or_default()
    };
    let ends = match link.expires_at {
        Some(ends) if now < ends => format!("ends {}", at(ends)),
        Some(ends) => format!("ended {}", at(ends)),
        None => String::new(),
    };
    let denied = match link.denied {
        0 => String::new(),
        denied => format!(", refused {}", counted(denied, "time")),
    };
    format!(
        "{} {}  signer {}  followed {}{denied} from {}, last {}  {ends}  link {}",
        link.operation.as_deref().unwrap_or("-"),
        printable(&link.resource),
        printable(&link.signer),
        counted(link.served, "time"),
        counted(link.clients.len(), "address"),
        at(link.last),
        link.link_id
    )
}

pub(super) fn stopped(stopped: &Stopped, as_json: bool) {
    if as_json {
        println!(
            "{}",
            json!({ "last_success": stopped.last_success, "stopped": stopped.records })
        );
        return;
    }
    match &stopped.last_success {
        Some(success) => println!("last success before: {}", line(success)),
        None => println!("no success before it is in the trail"),
    }
    match stopped.records.len() {
        0 => println!("nothing was stopped"),
        count => println!("stopped: {count}"),
    }
    stopped
        .records
        .iter()
        .for_each(|record| println!("  {}", line(record)));
}
