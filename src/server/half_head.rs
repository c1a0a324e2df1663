//! A bound on heads of which only a part has come: whoever sends no more of one holds a buffer for it. Each source has as many as it may have
//! requests that are not authenticated, and so have all of them together.

use crate::{
    gateway::{StrangerSlot, Strangers},
    types::{Client, Network, Peer},
};

use super::Settings;

/// The head that a connection waits for, and its place among its source's half heads.
pub(super) struct HalfHead {
    strangers: Strangers,
    source: Network,
    most: usize,
    per_source: usize,
    slot: Option<StrangerSlot>,
}

impl HalfHead {
    pub(super) fn new(strangers: &Strangers, peer: &Peer, settings: &Settings) -> Self {
        let address = Client::from(*peer).address;
        let most = settings.limits.unverified_requests;
        let per_source = match settings.trusted_proxies.contains(address) {
            // It passes on the heads of many.
            true => most,
            false => settings.limits.unverified_requests_per_source,
        };
        Self {
            strangers: strangers.clone(),
            source: Network::of(address),
            most,
            per_source,
            slot: None,
        }
    }

    /// Some of a head has come, and the rest is waited for. `false`: its source has as many of these as it may.
    pub(super) fn is_waited_for(&mut self) -> bool {
        if self.slot.is_none() {
            self.slot = self.strangers.take(self.source, self.most, self.per_source);
        }
        self.slot.is_some()
    }

    /// The rest has come.
    pub(super) fn is_whole(&mut self) {
        self.slot = None;
    }
}
