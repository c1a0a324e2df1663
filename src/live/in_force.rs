//! What is in force: one snapshot, swapped whole, and what there is to say about it. In go readings that are whole; out come
//! snapshots, and a status for people.

use std::{path::Path, sync::Arc, time::Instant};

use arc_swap::ArcSwap;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::{
    clock::Clock,
    policy::{PolicyWarning, Snapshot},
    separation::UserFolders,
    types::{CacheCounts, CacheUse},
};

use super::{
    reading::{LoadError, Reading},
    settings::{OnInvalid, Settings},
};

/// What is in force, as `/readyz` and the log tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Counts the snapshots since the start, from 1.
    pub generation: u64,
    /// SHA-256, in hexadecimal, of the policy last taken, with all that it refers to. Secrets are part of what is hashed, so it
    /// is for the operator's eyes: a secret that can be guessed could be recognised by it.
    pub digest: String,
    /// When this generation came into force.
    pub loaded_at: OffsetDateTime,
    /// What is wrong with the policy file as it stands, where something is.
    pub problem: Option<String>,
    /// How many readings of the policy file were invalid since the start.
    pub failures: u64,
    /// Everything is denied, because of the problem and `on_invalid = "deny"`.
    pub denying_all: bool,
}

/// The snapshot in force and its status.
pub(super) struct InForce {
    settings: Settings,
    clock: Clock,
    snapshot: ArcSwap<Snapshot>,
    status: watch::Sender<Status>,
    /// How often signing keys were at hand, under every snapshot so far.
    signing_keys: Arc<CacheUse>,
}

impl InForce {
    /// Begins with the first snapshot. A `problem` means that it denies all.
    pub(super) fn new(settings: Settings, clock: Clock, snapshot: Snapshot, problem: Option<String>) -> Self {
        let status = Status {
            generation: snapshot.generation(),
            digest: snapshot.digest().to_owned(),
            loaded_at: clock.now(),
            denying_all: problem.is_some(),
            failures: problem.is_some().into(),
            problem,
        };
        let signing_keys = Arc::<CacheUse>::default();
        Self {
            settings,
            clock,
            snapshot: ArcSwap::from_pointee(snapshot.counting_into(signing_keys.clone())),
            status: watch::Sender::new(status),
            signing_keys,
        }
    }

    pub(super) fn file(&self) -> &Path {
        &self.settings.file
    }

    /// Where no file of the policy may lie.
    pub(super) fn user_folders(&self) -> &UserFolders {
        &self.settings.user_folders
    }

    pub(super) fn cuts_transfers(&self) -> bool {
        self.settings.cut_transfers
    }

    pub(super) fn moment(&self) -> Instant {
        self.clock.moment()
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    pub(super) fn under<T>(&self, look: impl FnOnce(&Arc<Snapshot>) -> T) -> T {
        look(&self.snapshot.load())
    }

    pub(super) fn signing_keys(&self) -> CacheCounts {
        self.signing_keys.counts()
    }

    pub(super) fn status(&self) -> &watch::Sender<Status> {
        &self.status
    }

    /// Takes a whole reading: a valid policy comes into force, an invalid one is told of, once.
    pub(super) fn take(&self, reading: Reading) {
        let digest = reading.digest_text();
        match reading.compile() {
            Ok(compiled) => {
                warn(&compiled.warnings);
                let before = self.status.borrow().clone();
                if before.digest == digest && !before.denying_all {
                    self.status.send_modify(|status| status.problem = None);
                    tracing::info!(
                        generation = before.generation,
                        "the policy file holds what is in force"
                    );
                    return;
                }
                let generation = before.generation.saturating_add(1);
                self.swap(Snapshot::new(compiled, generation, digest), None);
                tracing::info!(generation, "the policy has been reloaded");
            }
            Err(error) => self.refuse(&error),
        }
    }

    fn refuse(&self, error: &LoadError) {
        let problem = error.to_string();
        self.status.send_if_modified(|status| {
            status.failures = status.failures.saturating_add(1);
            false
        });
        let before = self.status.borrow().clone();
        let consequence = match self.settings.on_invalid {
            OnInvalid::Keep => "the last good policy stays in force",
            OnInvalid::Deny => "every request is denied until it is mended",
        };
        tracing::error!(
            generation = before.generation,
            "the policy file is invalid, and {consequence}: {problem}"
        );
        match self.settings.on_invalid {
            OnInvalid::Deny if !before.denying_all => {
                let generation = before.generation.saturating_add(1);
                self.swap(self.snapshot.load().denying_all(generation), Some(problem));
            }
            OnInvalid::Deny | OnInvalid::Keep => {
                self.status.send_modify(|status| status.problem = Some(problem))
            }
        }
    }

    /// The snapshot goes first: who hears of a new generation must find it.
    fn swap(&self, snapshot: Snapshot, problem: Option<String>) {
        let status = Status {
            generation: snapshot.generation(),
            digest: snapshot.digest().to_owned(),
            loaded_at: self.clock.now(),
            denying_all: problem.is_some(),
            failures: self.status.borrow().failures,
            problem,
        };
        let snapshot = snapshot.counting_into(self.signing_keys.clone());
        self.snapshot.store(Arc::new(snapshot));
        self.status.send_replace(status);
    }
}

fn warn(warnings: &[PolicyWarning]) {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}
