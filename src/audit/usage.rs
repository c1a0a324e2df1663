//! What the trail says of links: each one's uses, summed up. Records go in, the oldest first; links come out, the last used first.

use std::collections::{BTreeSet, HashMap};

use time::OffsetDateTime;

use super::{Outcome, Record};

/// The uses of one link.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct LinkUse {
    /// Its name.
    pub link_id: String,
    /// Who signed it.
    pub signer: String,
    /// With which key.
    pub access_key_id: String,
    /// What it is for: `GetObject`, where it was ever understood.
    pub operation: Option<String>,
    /// `bucket/key`
    pub resource: String,
    /// How often it was followed and got what it asked for, at least in part.
    pub served: u64,
    /// How often it was followed and refused.
    pub denied: u64,
    /// How many bytes were sent by it.
    pub bytes_sent: u64,
    /// From which addresses.
    pub clients: BTreeSet<String>,
    /// When it was followed first.
    #[serde(with = "time::serde::rfc3339")]
    pub first: OffsetDateTime,
    /// When it was followed last.
    #[serde(with = "time::serde::rfc3339")]
    pub last: OffsetDateTime,
    /// When it ends.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
}

impl LinkUse {
    /// Has it not ended by then?
    pub fn is_alive(&self, now: OffsetDateTime) -> bool {
        self.expires_at.is_some_and(|at| now < at)
    }
}

/// Sums up the presigned links among the records.
pub fn link_uses(records: impl IntoIterator<Item = Record>) -> Vec<LinkUse> {
    let mut links: HashMap<String, LinkUse> = HashMap::new();
    let presigned = |record: &Record| record.mechanism.as_deref() == Some("query");
    for record in records.into_iter().filter(presigned) {
        let (Some(link_id), Some(signer)) = (record.link_id.clone(), record.signer.clone()) else {
            continue;
        };
        let link = links.entry(link_id.clone()).or_insert_with(|| LinkUse {
            link_id,
            signer,
            access_key_id: record.access_key_id.clone().unwrap_or_default(),
            operation: None,
            resource: record.resource(),
            served: 0,
            denied: 0,
            bytes_sent: 0,
            clients: BTreeSet::new(),
            first: record.time,
            last: record.time,
            expires_at: record.expires_at,
        });
        match record.outcome {
            Outcome::Served | Outcome::Gone | Outcome::Cut | Outcome::Running => {
                link.served = link.served.saturating_add(1)
            }
            Outcome::Denied => link.denied = link.denied.saturating_add(1),
            Outcome::Failed | Outcome::Lost => {}
        }
        link.bytes_sent = link.bytes_sent.saturating_add(record.bytes_sent);
        link.last = link.last.max(record.time);
        link.operation = link.operation.take().or(record.operation);
        if let Some(client) = &record.client {
            let address = client
                .parse::<std::net::SocketAddr>()
                .map(|client| client.ip().to_string());
            link.clients.insert(address.unwrap_or_else(|_| client.clone()));
        }
    }
    let mut links: Vec<_> = links.into_values().collect();
    links.sort_by(|a, b| b.last.cmp(&a.last).then_with(|| a.link_id.cmp(&b.link_id)));
    links
}
