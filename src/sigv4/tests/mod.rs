//! The whole way of a presigned request, over the fixtures and over links made here.

mod fixtures;
mod header;
mod round_trip;
mod rows;
mod tamper;

use std::{fs, path::PathBuf};

use http::{HeaderMap, HeaderName, Method};
use time::{Duration, OffsetDateTime};

use super::{Presigned, Reject, Target, Terms, Verified, signing_key, window};
use crate::types::{Region, RequestHead, Scheme, SecretKey, Span};

pub(super) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// A request in parts that a test can change one by one.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) host: String,
    pub(super) path: String,
    /// Encoded names and values.
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: Vec<(String, String)>,
}

impl Request {
    pub(super) fn parse(text: &str) -> Self {
        let mut lines = text.lines();
        let mut first = lines.next().unwrap().split(' ');
        let (method, target) = (first.next().unwrap(), first.next().unwrap());
        let mut headers: Vec<_> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let host = headers.remove(0);
        assert_eq!(host.0, "host");
        Self::new(method, &host.1, target, headers)
    }

    fn new(method: &str, host: &str, target: &str, headers: Vec<(String, String)>) -> Self {
        let (path, query) = target.split_once('?').unwrap();
        let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap());
        Self {
            method: method.to_owned(),
            host: host.to_owned(),
            path: path.to_owned(),
            query: pairs.map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
            headers,
        }
    }

    pub(super) fn of_url(method: &str, url: &str, headers: &[(String, String)]) -> Self {
        let rest = url.split_once("://").unwrap().1;
        let (host, target) = rest.split_at(rest.find('/').unwrap());
        Self::new(method, host, target, headers.to_vec())
    }

    /// The first value of a parameter.
    pub(super) fn parameter(&mut self, name: &str) -> &mut String {
        let found = self.query.iter_mut().find(|(n, _)| n == name);
        &mut found.unwrap_or_else(|| panic!("no {name}")).1
    }

    pub(super) fn set(mut self, name: &str, value: &str) -> Self {
        value.clone_into(self.parameter(name));
        self
    }

    pub(super) fn head(&self) -> RequestHead {
        let pairs: Vec<_> = self.query.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let uri = format!("{}?{}", self.path, pairs.join("&"));
        let mut headers = HeaderMap::new();
        headers.insert("host", self.host.parse().unwrap());
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, value.parse().unwrap());
        }
        let method: Method = self.method.parse().unwrap();
        RequestHead::new(method, Scheme::Http, uri.parse().unwrap(), headers).unwrap()
    }

    /// Every check, a minute after the request was signed (or, where its date is none, at AWS's example's time).
    pub(super) fn verify(&self) -> Result<Verified, Reject> {
        let date = self.query.iter().find(|(name, _)| name == "X-Amz-Date");
        let signed_at = date.and_then(|(_, value)| window::parse_date(value));
        let example = time::macros::datetime!(2013-05-24 0:00 UTC);
        self.verify_at(signed_at.unwrap_or(example) + Duration::minutes(1))
    }

    pub(super) fn verify_at(&self, now: OffsetDateTime) -> Result<Verified, Reject> {
        self.verify_with(now, SECRET)
    }

    pub(super) fn verify_with(&self, now: OffsetDateTime, secret: &str) -> Result<Verified, Reject> {
        let head = self.head();
        let query = head.query().unwrap();
        let regions = [
            Region::parse("us-east-1").unwrap(),
            Region::parse("eu-west-1").unwrap(),
        ];
        let terms = Terms {
            now,
            regions: &regions,
            max_expires: Span::from_seconds(604_800),
        };
        let in_force = Presigned::parse(&query)?.in_force(&terms)?;
        let secret = SecretKey::parse(secret.to_owned()).unwrap();
        let key = signing_key(&secret, in_force.scope_date(), in_force.region().as_str());
        let path = head.canonical_path().map_err(|_| Reject::MalformedUri)?;
        let target = Target {
            authority: head.authority(),
            path: &path,
        };
        in_force.verify(&head, target, &key)
    }
}

/// A fixture's name, its folder and its request.
pub(super) fn fixtures() -> Vec<(String, PathBuf, Request)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/sigv4");
    let folders = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let cases: Vec<_> = folders
        .filter(|path| path.is_dir())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let request = Request::parse(&fs::read_to_string(path.join("request.txt")).unwrap());
            (name, path, request)
        })
        .collect();
    assert!(!cases.is_empty());
    cases
}

/// AWS's published example.
pub(super) fn example() -> Request {
    let found = fixtures()
        .into_iter()
        .find(|(name, ..)| name == "get-object-aws-example");
    found.unwrap().2
}

/// How a verification ended, in one word.
pub(super) fn name(result: &Result<Verified, Reject>) -> &'static str {
    match result {
        Ok(_) => "Verified",
        Err(reject) => reject.name(),
    }
}
