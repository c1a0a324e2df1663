//! Other signed headers: values that clients set by themselves, with and without a charset, as they were written before folding; and fewer headers.

use http::header::CONTENT_TYPE;

use super::{Arrived, Change, Variation};
use crate::explain::Cause;

/// Types that HTTP clients set where nobody says another, and those of what is uploaded most.
const TYPES: &[&str] = &[
    "",
    "application/octet-stream",
    "binary/octet-stream",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/json",
    "image/jpeg",
    "image/png",
    "image/jpg",
    "image/*",
    "image/gif",
    "image/webp",
    "image/svg+xml",
    "application/pdf",
    "video/mp4",
    "video/webm",
    "audio/mpeg",
    "text/html",
    "text/csv",
    "text/xml",
    "application/xml",
    "application/zip",
    "undefined",
    "null",
];
const CHARSETS: &[&str] = &[
    "; charset=utf-8",
    ";charset=UTF-8",
    "; charset=UTF-8",
    ";charset=utf-8",
];

/// What else is in force of headers that take one word of a few.
const WORDS: &[(&str, &[&str])] = &[
    (
        "x-amz-acl",
        &[
            "private",
            "public-read",
            "public-read-write",
            "authenticated-read",
            "bucket-owner-full-control",
            "bucket-owner-read",
        ],
    ),
    (
        "x-amz-storage-class",
        &[
            "STANDARD",
            "REDUCED_REDUNDANCY",
            "STANDARD_IA",
            "ONEZONE_IA",
            "INTELLIGENT_TIERING",
            "GLACIER",
            "DEEP_ARCHIVE",
            "GLACIER_IR",
        ],
    ),
    (
        "x-amz-server-side-encryption",
        &["AES256", "aws:kms", "aws:kms:dsse"],
    ),
    ("if-none-match", &["*"]),
];

type Headers = Vec<(String, String)>;

pub(super) fn variations(arrived: &Arrived<'_>) -> Vec<Variation> {
    let headers = &arrived.canonical.headers;
    let mut found = Vec::with_capacity(64);
    let mut left = arrived.most_of_a_kind;
    for (name, value) in headers.iter().filter(|(name, _)| name != "host") {
        let others = other_values(arrived, name, value);
        let Some(rest) = left.checked_sub(others.len().saturating_add(1)) else {
            break;
        };
        left = rest;
        for other in others {
            let cause = Cause::HeaderValue {
                name: name.clone(),
                signed: other.clone(),
                arrived: value.clone(),
            };
            found.push(variation(cause, with(headers, name, &other)));
        }
        let fewer = headers
            .iter()
            .filter(|(other, _)| other != name)
            .cloned()
            .collect();
        let cause = Cause::HeadersNotSigned {
            names: vec![name.clone()],
        };
        found.push(variation(cause, fewer));
    }
    found
}

fn variation(cause: Cause, headers: Headers) -> Variation {
    Variation {
        cause,
        change: Change {
            headers: Some(headers),
            ..Change::default()
        },
    }
}

fn with(headers: &Headers, name: &str, value: &str) -> Headers {
    let set = |(found, old): &(String, String)| {
        let value = if found == name { value } else { old };
        (found.clone(), value.to_owned())
    };
    headers.iter().map(set).collect()
}

fn other_values(arrived: &Arrived<'_>, name: &str, value: &str) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    if name == CONTENT_TYPE.as_str() {
        if let Some((plain, _)) = value.split_once(';') {
            values.push(plain.trim_end().to_owned());
        }
        values.extend(CHARSETS.iter().map(|charset| format!("{value}{charset}")));
        values.extend(TYPES.iter().map(|kind| (*kind).to_owned()));
        values.extend(
            ["text/plain", "text/html", "application/json"]
                .iter()
                .flat_map(|kind| CHARSETS.iter().map(move |charset| format!("{kind}{charset}"))),
        );
    }
    let words = WORDS
        .iter()
        .filter(|(header, _)| *header == name)
        .flat_map(|(_, words)| words.iter());
    values.extend(words.map(|word| (*word).to_owned()));
    let lines: Vec<_> = arrived
        .head
        .headers()
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    values.push(lines.join(","));
    values.push(lines.join(", "));
    values.extend(lines.first().map(|line| (*line).to_owned()));
    values.extend(lines.last().map(|line| (*line).to_owned()));
    values.push(lines.iter().rev().copied().collect::<Vec<_>>().join(","));
    values.push(value.to_ascii_lowercase());
    values.push(value.to_ascii_uppercase());
    values.push(value.replace(' ', ""));
    values.push(String::new());
    values.push(format!("\"{value}\""));
    if name == "content-length" {
        values.push("0".to_owned());
    }
    values
}
