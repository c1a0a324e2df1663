//! What a setting's type cannot say: sizes that make sense, addresses that can be bound, spans that a link may have.
//! In goes the file as it was read; out comes the first setting that cannot be, as its key and what to write instead.

use std::net::SocketAddr;

use crate::{
    audit::{OnFailure, SyncRecords, To},
    server::ProxyProtocol,
    traces::TracesError,
    types::Span,
};

use super::{A_WEEK, document::Document, limits::LimitsSection};

/// hyper's smallest read buffer; AWS's own links with a session token fit well.
const SMALLEST_HEAD: usize = 8 * 1024;
const LARGEST_HEAD: usize = 16 * 1024 * 1024;
/// Fewer header lines than a browser sends would refuse browsers.
const FEWEST_HEADERS: usize = 16;
const MOST_HEADERS: usize = 10_000;

/// AWS's longest object of one request.
const FIVE_GIB: u64 = 5 * 1024 * 1024 * 1024;

/// A key, and what is wrong with its value.
type Wrong = (&'static str, String);

/// Checks every value that is more than its type.
pub(super) fn check(document: &Document) -> Result<(), Wrong> {
    let Document {
        server,
        admin,
        presign,
        storage,
        cors,
        traces,
        limits,
        audit,
        ..
    } = document;
    address("server.listen", &server.listen)?;
    address("admin.listen", &admin.listen)?;
    if server.listen == admin.listen && !server.listen.ends_with(":0") {
        let problem = format!(
            "{} is server.listen already; the two never share a port",
            admin.listen
        );
        return Err(("admin.listen", problem));
    }
    if let Some(listen) = server.tls.as_ref().and_then(|tls| tls.listen.as_deref()) {
        tls_address(listen, &server.listen, &admin.listen)?;
    }
    audit_sync(audit)?;
    count(
        "server.max_head_bytes",
        server.max_head_bytes,
        SMALLEST_HEAD,
        LARGEST_HEAD,
    )?;
    count(
        "server.max_headers",
        server.max_headers,
        FEWEST_HEADERS,
        MOST_HEADERS,
    )?;
    span("server.head_timeout", server.head_timeout, 1, "1h")?;
    span(
        "storage.abort_uploads_after",
        storage.abort_uploads_after,
        60,
        "365d",
    )?;
    limits_make_sense(limits)?;
    span(
        "storage.remove_leftovers_after",
        storage.remove_leftovers_after,
        1,
        "365d",
    )?;
    span("storage.probe_every", storage.probe_every, 1, "1h")?;
    span("server.shutdown_grace", server.shutdown_grace, 0, "1d")?;
    if traces.is_on() && traces.target().is_none() {
        let problem = TracesError::Endpoint(traces.endpoint.clone()).to_string();
        return Err(("traces.endpoint", problem));
    }
    if !(0.0..=1.0).contains(&traces.sample) {
        let problem = format!("{} is not between 0 and 1", traces.sample);
        return Err(("traces.sample", problem));
    }
    if let Some(problem) = cors.iter().find_map(|rule| rule.problem(true)) {
        return Err(("cors", problem));
    }
    if server.proxy_protocol == ProxyProtocol::Require && server.trusted_proxies.is_empty() {
        let problem =
            "\"require\" serves only the proxies of server.trusted_proxies, and none is named there";
        return Err(("server.proxy_protocol", problem.to_owned()));
    }
    if presign.max_expires > A_WEEK || presign.max_expires.seconds() == 0 {
        let problem = format!(
            "{} is not between 1s and AWS's own limit, 7d",
            presign.max_expires
        );
        return Err(("presign.max_expires", problem));
    }
    if server.account_id.len() != 12 || !server.account_id.bytes().all(|b| b.is_ascii_digit()) {
        return Err(("server.account_id", "an AWS account id has 12 digits".to_owned()));
    }
    server
        .virtual_host_domains
        .iter()
        .try_for_each(|domain| self::domain(domain))
}

/// Records that answers wait for need a file, and answers that wait for them cannot go on without.
fn audit_sync(audit: &crate::audit::Settings) -> Result<(), Wrong> {
    if audit.sync == SyncRecords::Never {
        return Ok(());
    }
    if matches!(audit.to, To::Stdout | To::Off) {
        let problem = "\"each\" needs a file: set audit.to = \"file\", or audit.sync = \"never\"";
        return Err(("audit.sync", problem.to_owned()));
    }
    match audit.on_failure {
        OnFailure::Refuse => Ok(()),
        OnFailure::Continue => {
            let problem =
                "\"each\" needs audit.on_failure = \"refuse\": no answer goes out without its record";
            Err(("audit.sync", problem.to_owned()))
        }
    }
}

/// Less than these would refuse everybody.
fn limits_make_sense(limits: &LimitsSection) -> Result<(), Wrong> {
    count("limits.connections", limits.connections, 1, 1_000_000)?;
    count("limits.requests", limits.requests, 1, 1_000_000)?;
    let unverified = limits.unverified_requests;
    count("limits.unverified_requests", unverified, 1, 1_000_000)?;
    let per_source = limits.unverified_requests_per_source;
    count("limits.unverified_requests_per_source", per_source, 1, 1_000_000)?;
    span("limits.body_timeout", limits.body_timeout, 1, "1h")?;
    span("limits.stall_timeout", limits.stall_timeout, 1, "1h")?;
    let buffers = limits.http2_send_buffers;
    count("limits.http2_send_buffers", buffers, 1024 * 1024, usize::MAX)?;
    span("limits.idle_timeout", limits.idle_timeout, 1, "1d")?;
    span("limits.lowest_rate_over", limits.lowest_rate_over, 1, "1d")?;
    let streams = usize::try_from(limits.http2_streams).unwrap_or(usize::MAX);
    count("limits.http2_streams", streams, 1, 10_000)?;
    count("limits.http2_resets", limits.http2_resets, 1, 10_000)?;
    match limits.upload_bytes {
        1..=FIVE_GIB => Ok(()),
        bytes => {
            let problem = format!("{bytes} is not between 1 and {FIVE_GIB}, AWS's own limit of one request");
            Err(("limits.upload_bytes", problem))
        }
    }
}

/// HTTPS besides plain HTTP needs a port of its own.
fn tls_address(listen: &str, plain: &str, admin: &str) -> Result<(), Wrong> {
    let key = "server.tls.listen";
    address(key, listen)?;
    if listen.ends_with(":0") {
        return Ok(());
    }
    if listen == plain {
        let problem = format!(
            "{listen} is server.listen already; leave server.tls.listen out to speak HTTPS alone there, or name another port"
        );
        return Err((key, problem));
    }
    if listen == admin {
        let problem = format!("{listen} is admin.listen already; the two never share a port");
        return Err((key, problem));
    }
    Ok(())
}

/// A host or address, and a port. Whether it can be bound shows when it is.
fn address(key: &'static str, text: &str) -> Result<(), Wrong> {
    let shaped = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
    let named = text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && host.bytes().all(shaped) && port.parse::<u16>().is_ok()
    });
    if named || text.parse::<SocketAddr>().is_ok() {
        return Ok(());
    }
    let hint =
        "write an address and a port, such as 127.0.0.1:9000, or 0.0.0.0:9000 or [::]:9000 for every address";
    Err((key, format!("{text:?} cannot be listened on; {hint}")))
}

fn count(key: &'static str, value: usize, least: usize, most: usize) -> Result<(), Wrong> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err((key, format!("{value} is not between {least} and {most}")))
}

fn span(key: &'static str, value: Span, least: u64, most: &'static str) -> Result<(), Wrong> {
    if value.seconds() >= least && Span::parse(most).is_ok_and(|most| value <= most) {
        return Ok(());
    }
    Err((key, format!("{value} is not between {least}s and {most}")))
}

fn domain(text: &str) -> Result<(), Wrong> {
    let shaped = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let label = |label: &str| !label.is_empty() && label.bytes().all(shaped);
    if text.split('.').all(label) {
        return Ok(());
    }
    let problem = format!("{text:?} is no domain in lower case without a port, such as s3.localhost");
    Err(("server.virtual_host_domains", problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host_and_a_port() {
        for good in [
            "127.0.0.1:9000",
            "0.0.0.0:0",
            "[::]:9000",
            "localhost:9000",
            "gate-1.example:80",
        ] {
            assert_eq!(address("k", good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "9000",
            ":9000",
            "127.0.0.1",
            "::1",
            "localhost:",
            "localhost:70000",
            "http://a:1",
            "a b:1",
        ] {
            assert!(address("k", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn domains_are_labels_in_lower_case() {
        for good in ["s3.localhost", "localhost", "s3-1.example.com"] {
            assert_eq!(domain(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            ".s3",
            "s3.",
            "a..b",
            "S3.localhost",
            "s3.localhost:9000",
            "http://s3",
            "*.s3",
        ] {
            assert!(domain(bad).is_err(), "{bad}");
        }
    }
}
