//! Transfers in flight, held against the policy whenever it changes. Nothing is asked per chunk: a task of its own wakes with each new snapshot,
//! asks it for every transfer what was asked when the request came, with that request's own moment, and ends those that it denies.
//!
//! A download ends with its connection, since a reader that stalls is not reading our answer either: the client sees a body that is too short.
//! Over HTTP/2 its stream is reset, also one that stalls, and the other streams go on. An upload is woken, discarded, and told why.

use std::sync::{
    Arc, OnceLock, Weak,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use dashmap::DashMap;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    audit::{Entry, Outcome, Record},
    live::{Live, Status},
    policy::Snapshot,
    s3::Operation,
    store::{LastLook, StoreError},
    verdict::{Grounds, Refusal},
};

use super::{Connection, Failure};

/// All transfers in flight.
pub(super) struct Transfers {
    live: Live,
    active: DashMap<u64, Arc<Active>>,
    next: AtomicU64,
}

/// How a transfer is ended.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// By waking whoever waits for its bytes.
    Wake,
    /// By breaking off its connection.
    BreakOff(Connection),
}

struct Active {
    /// What is known of its request.
    entry: Option<Entry>,
    grounds: Arc<Grounds>,
    end: End,
    is_cut: AtomicBool,
    /// Why, and since which snapshot.
    why: OnceLock<(Refusal, u64)>,
    wake: CancellationToken,
}

/// One transfer, for as long as it lasts.
pub(super) struct Transfer {
    id: u64,
    active: Arc<Active>,
    transfers: Arc<Transfers>,
}

/// Whether a request's transfer is decided again under each new policy.
pub(super) enum Watch {
    /// It is not: nothing that the policy protects is being transferred.
    None,
    /// It will be once the transport does not take its bytes at once.
    Waiting(Arc<Transfers>, Arc<Grounds>, End),
    /// It is.
    Begun(Transfer),
}

impl Watch {
    /// The transfer, once it is watched.
    pub(super) fn transfer(&self) -> Option<&Transfer> {
        match self {
            Self::Begun(transfer) => Some(transfer),
            Self::None | Self::Waiting(..) => None,
        }
    }

    /// Begins to watch, if that has not begun. `entry` is what is known of the request.
    pub(super) fn begin(&mut self, entry: Option<&Entry>) {
        if let Self::Waiting(transfers, grounds, end) = self {
            *self = Self::Begun(transfers.begin(grounds.clone(), end.clone(), entry));
        }
    }
}

impl Transfers {
    /// Begins to watch the policy, where it is set to. Must be called within a runtime; the task ends with the last handle.
    pub(super) fn new(live: Live) -> Arc<Self> {
        let transfers = Arc::new(Self {
            live,
            active: DashMap::new(),
            next: AtomicU64::new(0),
        });
        if transfers.live.cuts_transfers() {
            // From now on: a change that comes before the task runs is not missed.
            let changes = transfers.live.changes();
            tokio::spawn(hold(Arc::downgrade(&transfers), changes));
        }
        transfers
    }

    /// A transfer that rests on these grounds begins.
    pub(super) fn begin(
        self: &Arc<Self>,
        grounds: Arc<Grounds>,
        end: End,
        entry: Option<&Entry>,
    ) -> Transfer {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let running = |entry: &Entry| Entry {
            outcome: Outcome::Running,
            ..entry.clone()
        };
        let active = Arc::new(Active {
            entry: entry.map(running),
            grounds,
            end,
            is_cut: AtomicBool::new(false),
            why: OnceLock::new(),
            wake: CancellationToken::new(),
        });
        self.active.insert(id, active.clone());
        if self.live.cuts_transfers() {
            // The policy may have changed between the verdict and this.
            active.hold_against(&self.live.snapshot());
        }
        Transfer {
            id,
            active,
            transfers: self.clone(),
        }
    }

    /// Those that are in flight now.
    pub(super) fn running(&self) -> Vec<Record> {
        let entries = self.active.iter().filter_map(|active| active.entry.clone());
        entries.map(Record::from).collect()
    }

    /// The check right before a change takes effect: whether the policy in force then allows it.
    /// Without `cut_transfers` an upload that runs goes on to its end; other changes are always checked.
    pub(super) fn last_look(&self, grounds: &Arc<Grounds>) -> LastLook {
        let goes_on = !self.live.cuts_transfers() && takes_content(grounds.operation());
        let (live, grounds) = (self.live.clone(), grounds.clone());
        LastLook::new(move |tags| goes_on || grounds.allow_effect_under(&live.snapshot(), tags).is_ok())
    }

    /// The failure of a change that the check before its commit refused, with the policy's reason.
    pub(super) fn withdrawn(&self, failure: Failure, grounds: &Grounds) -> Failure {
        if !matches!(failure, Failure::Store(StoreError::Withdrawn)) {
            return failure;
        }
        match self.why(grounds) {
            Some((refusal, generation)) => Failure::Withdrawn(refusal, generation),
            // Allowed again since: the change is not made all the same.
            None => failure,
        }
    }

    /// Why a last look said no: what the policy says of these grounds now.
    pub(super) fn why(&self, grounds: &Grounds) -> Option<(Refusal, u64)> {
        let snapshot = self.live.snapshot();
        let refusal = grounds.hold_under(&snapshot).err()?;
        Some((refusal, snapshot.generation()))
    }
}

/// Whether an operation transfers the content of an object, or joins what was transferred.
fn takes_content(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::PutObject
            | Operation::PostObject
            | Operation::CopyObject
            | Operation::UploadPart
            | Operation::UploadPartCopy
            | Operation::CompleteMultipartUpload
    )
}

/// Holds every transfer against each snapshot that comes into force.
async fn hold(transfers: Weak<Transfers>, mut changes: watch::Receiver<Status>) {
    let mut seen = 0;
    while changes.changed().await.is_ok() {
        let Some(transfers) = transfers.upgrade() else {
            return;
        };
        let snapshot = transfers.live.snapshot();
        // A problem that comes or goes changes nothing of what is in force.
        if std::mem::replace(&mut seen, snapshot.generation()) == snapshot.generation() {
            continue;
        }
        let active: Vec<_> = transfers
            .active
            .iter()
            .map(|entry| entry.value().clone())
            .collect();
        for (number, active) in active.iter().enumerate() {
            active.hold_against(&snapshot);
            if number % 64 == 63 {
                tokio::task::yield_now().await;
            }
        }
    }
}

impl Active {
    fn hold_against(self: &Arc<Self>, snapshot: &Snapshot) {
        if snapshot.generation() == self.grounds.generation() || self.is_cut.load(Ordering::Relaxed) {
            return;
        }
        let Err(refusal) = self.grounds.hold_under(snapshot) else {
            return;
        };
        if self.why.set((refusal, snapshot.generation())).is_err() {
            return;
        }
        self.is_cut.store(true, Ordering::Release);
        match &self.end {
            End::Wake => self.wake.cancel(),
            End::BreakOff(connection) => connection.break_off(),
        }
    }
}

impl Transfer {
    /// Has the policy ended it?
    pub(super) fn is_cut(&self) -> bool {
        self.active.is_cut.load(Ordering::Acquire)
    }

    /// Why it was ended, and by which snapshot.
    pub(super) fn why(&self) -> Option<&(Refusal, u64)> {
        self.active.why.get()
    }

    /// Is cancelled when it is ended.
    pub(super) fn wake(&self) -> CancellationToken {
        self.active.wake.clone()
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.transfers.active.remove(&self.id);
    }
}
