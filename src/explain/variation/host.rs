//! Other hosts: those that the gateway is known by, those that clients are commonly told, and AWS's own; with the bucket in the host or in the path.

use super::{Arrived, Change, Variation};
use crate::explain::Cause;

/// What people call an S3 server in the configuration of their containers, and where it listens by default.
const USUAL: &[&str] = &[
    "localhost:9000",
    "127.0.0.1:9000",
    "minio:9000",
    "postern:9000",
    "s3:9000",
    "storage:9000",
    "host.docker.internal:9000",
    "localstack:4566",
    "localhost:4566",
    "127.0.0.1:4566",
    "localhost.localstack.cloud:4566",
    "s3.localhost.localstack.cloud:4566",
    "garage:3900",
    "localhost:3900",
    "localhost:8333",
    "localhost:8080",
    "localhost:8000",
    "localhost",
    "127.0.0.1",
    "minio",
    "postern",
];

/// Hosts below which a bucket may be a label.
const USUAL_DOMAINS: &[&str] = &["s3.localhost", "localhost", "s3.amazonaws.com"];

pub(super) fn variations(arrived: &Arrived<'_>) -> Vec<Variation> {
    let hosts = hosts(arrived);
    let mut all: Vec<_> = hosts.iter().map(|host| other_host(arrived, host)).collect();
    all.extend(moved_buckets(arrived, &hosts));
    all
}

fn other_host(arrived: &Arrived<'_>, host: &str) -> Variation {
    Variation {
        cause: Cause::Host {
            signed: host.to_owned(),
            arrived: arrived.canonical.host().to_owned(),
        },
        change: Change {
            host: Some(host.to_owned()),
            ..Change::default()
        },
    }
}

/// Every host to try, the likeliest first.
fn hosts(arrived: &Arrived<'_>) -> Vec<String> {
    let here = arrived.canonical.host();
    let (name, port) = here.rsplit_once(':').unwrap_or((here, ""));
    let mut hosts: Vec<String> = Vec::with_capacity(64);
    hosts.extend(arrived.url_host.map(str::to_owned));
    let public = &arrived.explainer.settings.public_urls;
    hosts.extend(public.iter().map(|url| url.authority().to_owned()));
    hosts.extend(arrived.explainer.hosts.iter().cloned());
    for header in ["x-forwarded-host", "x-original-host", "origin", "referer"] {
        let value = arrived.head.headers().get(header);
        let value = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let value = value.split("//").last().unwrap_or(value);
        let value = value.split(['/', ',']).next().unwrap_or(value).trim();
        if !value.is_empty() {
            hosts.push(value.to_owned());
        }
    }
    hosts.push(name.to_owned());
    hosts.extend([":80", ":443", ":9000"].map(|port| format!("{name}{port}")));
    hosts.extend([":80", ":443"].map(|port| format!("{here}{port}")));
    if !port.is_empty() {
        let names = [
            "localhost",
            "127.0.0.1",
            "[::1]",
            "0.0.0.0",
            "host.docker.internal",
            "minio",
            "postern",
        ];
        hosts.extend(names.map(|name| format!("{name}:{port}")));
    }
    hosts.extend(USUAL.iter().map(|host| (*host).to_owned()));
    for region in region(arrived) {
        hosts.push(format!("s3.{region}.amazonaws.com"));
        hosts.push(format!("s3-{region}.amazonaws.com"));
        hosts.push(format!("s3.dualstack.{region}.amazonaws.com"));
    }
    hosts.push("s3.amazonaws.com".to_owned());
    hosts.push("s3-accelerate.amazonaws.com".to_owned());
    hosts.push(here.to_ascii_lowercase());
    hosts.push(format!("{name}.{}{port}", if port.is_empty() { "" } else { ":" }));
    let mut seen = std::collections::HashSet::new();
    hosts.retain(|host| host != here && seen.insert(host.clone()));
    hosts
}

fn region(arrived: &Arrived<'_>) -> Vec<String> {
    let mut regions: Vec<_> = arrived
        .explainer
        .settings
        .regions
        .iter()
        .map(|region| region.as_str().to_owned())
        .collect();
    if !regions.iter().any(|region| region == "us-east-1") {
        regions.push("us-east-1".to_owned());
    }
    regions
}

/// The bucket in the host where it is in the path, and the other way round.
fn moved_buckets(arrived: &Arrived<'_>, hosts: &[String]) -> Vec<Variation> {
    let (here, path) = (arrived.canonical.host(), arrived.canonical.path.as_str());
    let mut found = Vec::new();
    let mut moved = |host: String, path: String| {
        found.push(Variation {
            cause: Cause::AddressingStyle {
                signed: format!("{host}{path}"),
                arrived: format!("{here}{}", arrived.canonical.path),
            },
            change: Change {
                host: Some(host),
                path: Some(path),
                ..Change::default()
            },
        });
    };
    // It arrived in path style, and the bucket was signed within the host.
    let inner = path.strip_prefix('/').unwrap_or(path);
    let (bucket, key) = inner.split_once('/').unwrap_or((inner, ""));
    let configured = &arrived.explainer.settings.virtual_host_domains;
    if !bucket.is_empty() {
        let port = here.rsplit_once(':').map_or("", |(_, port)| port);
        let domains = configured
            .iter()
            .map(String::as_str)
            .chain(USUAL_DOMAINS.iter().copied());
        let with_port = domains.flat_map(|domain| [format!("{domain}:{port}"), domain.to_owned()]);
        let names = [here.to_owned()]
            .into_iter()
            .chain(with_port)
            .chain(hosts.iter().cloned());
        for domain in names.filter(|name| !name.starts_with(|c: char| c.is_ascii_digit() || c == '[')) {
            moved(format!("{bucket}.{domain}"), format!("/{key}"));
        }
    }
    // It arrived with the bucket in the host, and was signed in path style.
    if let Some((bucket, rest)) = here.split_once('.') {
        moved(rest.to_owned(), format!("/{bucket}{path}"));
        for host in hosts {
            moved(host.clone(), format!("/{bucket}{path}"));
        }
        // Signed and sent with the bucket in the host, and in the path as well.
        moved(here.to_owned(), format!("/{bucket}{path}"));
    }
    found
}
