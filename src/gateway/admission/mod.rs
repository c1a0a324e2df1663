//! How much of the gateway one source, one signer or one link may take up at the same time.
//!
//! Two limits cover every request, so that none is outside a bound:
//!
//! - [`Strangers`] counts requests that no verdict permits: POST forms whose fields still arrive,
//!   preflights, and refusals until they are sent. Each source has a bound.
//! - [`Slots`] counts requests that the verdict permits, until the last byte of their answer. Only
//!   [`Admission::admit`] takes a slot, and it takes a [`Permit`]: a client without a key never
//!   holds one.

mod failures;
mod slots;
mod strangers;
mod tally;

use std::sync::Arc;

use crate::{sigv4::Mechanism, types::Network, verdict::Permit};

use super::{Failure, Limits};

pub(super) use failures::FailedAuthentications;
pub(super) use slots::{Exceeded, Slot};
use slots::{Principals, Slots};
pub use strangers::{StrangerSlot, Strangers};

/// The counts that all threads of a gateway share.
#[derive(Default)]
pub(super) struct Admission {
    slots: Arc<Slots>,
    strangers: Strangers,
    /// How often each source failed to authenticate.
    pub(super) failures: FailedAuthentications,
}

/// A permit whose request holds a slot. Only [`Admission::admit`] makes one, and executing a call
/// takes one.
pub(super) struct Admitted(Permit);

/// What a request holds until its answer is sent. Dropping it frees the slot.
#[expect(dead_code, reason = "a slot is held, and never asked anything")]
pub(super) enum HeldSlot {
    /// A slot among the permitted requests.
    Admitted(Slot),
    /// A slot among its source's strangers.
    Stranger(StrangerSlot),
}

impl Admission {
    /// Takes a slot for a permitted request, within its source's, signer's and link's share.
    pub(super) fn admit(
        &self,
        permit: Permit,
        source: Network,
        limits: &Limits,
    ) -> Result<(Admitted, Slot), Failure> {
        let verified = permit.verified();
        let link = (verified.mechanism() == Mechanism::Presigned).then(|| verified.link_id());
        let principals = Principals {
            source,
            signer: permit.signer(),
            link,
        };
        let slot = self.slots.take(&principals, limits.requests);
        let slot = slot.map_err(Failure::TooMany)?;
        Ok((Admitted(permit), slot))
    }

    /// Takes a slot for a request that no verdict permits, or none has yet.
    pub(super) fn stranger(&self, source: Network, limits: &Limits) -> Result<StrangerSlot, Failure> {
        self.strangers
            .take(
                source,
                limits.unverified_requests,
                limits.unverified_requests_per_source,
            )
            .ok_or(Failure::TooManyUnverified)
    }
}

impl Admitted {
    /// What is permitted.
    pub(super) fn permit(&self) -> &Permit {
        &self.0
    }
}
