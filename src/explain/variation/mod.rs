//! What else the client may have signed: each variation changes one part of the canonical request, or the key, and names the cause that it would
//! prove. The order is that of likelihood, since the first that holds is told.

mod header;
mod host;
mod key;
mod path;
mod query;

use std::collections::HashSet;

use crate::{
    sigv4::TrialScope,
    types::{RequestHead, SigningKey},
};

use super::{Cause, Explainer, canonical::Canonical};

pub(super) use key::keys;
pub(super) use query::SIX;

/// A change to what was signed, and what it proves if the signature holds with it.
pub(super) struct Variation {
    pub(super) cause: Cause,
    pub(super) change: Change,
}

/// The parts that are another; none stays as it arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Change {
    pub(super) method: Option<String>,
    pub(super) host: Option<String>,
    pub(super) path: Option<String>,
    pub(super) query: Option<String>,
    pub(super) headers: Option<Vec<(String, String)>>,
    pub(super) payload: Option<String>,
}

/// A key that may have signed in place of the right one.
pub(super) struct OtherKey {
    pub(super) cause: Cause,
    pub(super) scope: TrialScope,
    pub(super) key: SigningKey,
}

/// What variations are made of.
pub(super) struct Arrived<'a> {
    pub(super) explainer: &'a Explainer<'a>,
    pub(super) head: &'a RequestHead,
    pub(super) canonical: &'a Canonical,
    /// The URL's own host, where another one arrived.
    pub(super) url_host: Option<&'a str>,
    /// How many variations one kind may have that makes one for each parameter or header.
    pub(super) most_of_a_kind: usize,
    /// The SHA-256 of the body, where it is known.
    pub(super) body_sha256: Option<&'a str>,
}

impl Change {
    /// Which parts it changes.
    fn parts(&self) -> [bool; 6] {
        [
            self.method.is_some(),
            self.host.is_some(),
            self.path.is_some(),
            self.query.is_some(),
            self.headers.is_some(),
            self.payload.is_some(),
        ]
    }

    /// Can both be made at once?
    pub(super) fn is_apart_from(&self, other: &Self) -> bool {
        !self
            .parts()
            .into_iter()
            .zip(other.parts())
            .any(|(ours, theirs)| ours && theirs)
    }

    /// Makes it.
    pub(super) fn make(&self, canonical: &mut Canonical) {
        for (changed, part) in [
            (&self.method, &mut canonical.method),
            (&self.path, &mut canonical.path),
            (&self.query, &mut canonical.query),
            (&self.payload, &mut canonical.payload),
        ] {
            if let Some(changed) = changed {
                part.clone_from(changed);
            }
        }
        if let Some(headers) = &self.headers {
            let host = canonical.host().to_owned();
            canonical.headers.clone_from(headers);
            set_host(canonical, &host);
            let names: Vec<_> = canonical.headers.iter().map(|(name, _)| name.as_str()).collect();
            canonical.signed_headers = names.join(";");
        }
        if let Some(host) = &self.host {
            set_host(canonical, host);
        }
    }
}

fn set_host(canonical: &mut Canonical, host: &str) {
    let found = canonical.headers.iter_mut().find(|(name, _)| name == "host");
    if let Some((_, value)) = found {
        host.clone_into(value);
    }
}

/// Every variation of the canonical request, without twins and without such as change nothing.
pub(super) fn variations(arrived: &Arrived<'_>) -> Vec<Variation> {
    let mut all = Vec::with_capacity(256);
    all.extend(host::variations(arrived));
    all.extend(query::variations(arrived));
    all.extend(method(arrived));
    all.extend(header::variations(arrived));
    all.extend(path::variations(arrived));
    all.extend(payload(arrived));
    let mut seen = HashSet::new();
    all.retain(|variation| {
        let mut changed = arrived.canonical.clone();
        variation.change.make(&mut changed);
        changed != *arrived.canonical && seen.insert(variation.change.clone())
    });
    all
}

fn method(arrived: &Arrived<'_>) -> impl Iterator<Item = Variation> {
    let sent = arrived.canonical.method.clone();
    ["GET", "PUT", "HEAD", "POST", "DELETE", "PATCH", "OPTIONS"]
        .into_iter()
        .map(move |method| Variation {
            cause: Cause::Method {
                signed: method.to_owned(),
                arrived: sent.clone(),
            },
            change: Change {
                method: Some(method.to_owned()),
                ..Change::default()
            },
        })
}

/// SHA-256 of nothing.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn payload(arrived: &Arrived<'_>) -> impl Iterator<Item = Variation> {
    let sent = arrived.canonical.payload.clone();
    let own = [arrived.body_sha256.unwrap_or("UNSIGNED-PAYLOAD")];
    let words = [
        "UNSIGNED-PAYLOAD",
        EMPTY,
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "",
    ];
    let words: Vec<_> = own.iter().chain(&words).map(|word| (*word).to_owned()).collect();
    words.into_iter().map(move |word| Variation {
        cause: Cause::PayloadLine {
            signed: word.clone(),
            arrived: sent.clone(),
        },
        change: Change {
            payload: Some(word),
            ..Change::default()
        },
    })
}
