//! The policy in force. In go the policy file and what it refers to; out comes one immutable [`Snapshot`] at a time, swapped
//! whole within a second of a save: in place, by rename, or by the symlink that Kubernetes turns.
//!
//! `watcher (looks, notices) → reading (one digest over all files) → settle (is it whole?) → in_force (swap, or say why not)`
//!
//! A request asks [`Live::snapshot`] once and decides under it. Nothing half-written comes into force: see
//! `settle.rs`. What the file system cannot show stays unseen: files changed one after the other, each whole, are
//! two policies for the moment in between; save such changes with one turn of a symlink, or keep them in one file.
//!
//! Has no counterpart on AWS, where a change of policy takes its time to reach everywhere; here it bites at once.

pub mod fresh;
pub mod given;
mod in_force;
mod notices;
pub mod permissions;
mod reading;
pub mod save;
mod settings;
mod settle;
mod trail;
mod watcher;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Sender},
    },
};

use tokio::sync::watch;

use crate::{
    clock::Clock,
    policy::{Compiled, PolicyFile, PolicyWarning, References, Snapshot},
    separation::UserFolders,
    types::CacheCounts,
};

pub use in_force::Status;
pub use permissions::FileWarning;
pub use reading::{LoadError, Unreadable};
pub use settings::{OnInvalid, Settings};
pub use watcher::Watcher;

use in_force::InForce;
use notices::Notice;
use reading::Reading;
use watcher::Start;

/// Something about a valid policy that its operator should know.
#[derive(Clone, Debug)]
pub enum Warning {
    /// What the policy says.
    Policy(PolicyWarning),
    /// How its files lie on the disk.
    File(FileWarning),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(warning) => warning.fmt(f),
            Self::File(warning) => warning.fmt(f),
        }
    }
}

/// A valid policy as it stands in its files, for commands that need no gateway.
pub struct Loaded {
    /// The policy, to be made a [`Snapshot`] of.
    pub compiled: Compiled,
    /// See [`Status::digest`].
    pub digest: String,
    /// What its operator should know, the policy's own warnings (that are in `compiled` too) included.
    pub warnings: Vec<Warning>,
}

/// Reads the policy once, with all that it refers to. Blocks for as long as the disk does.
pub fn read(policy_file: &Path) -> Result<Loaded, LoadError> {
    read_outside(policy_file, &UserFolders::default())
}

/// The same, as the gateway of these folders reads it: none of the files may lie there.
pub fn read_outside(policy_file: &Path, user_folders: &UserFolders) -> Result<Loaded, LoadError> {
    let reading = Reading::of(policy_file, &[], user_folders);
    let digest = reading.digest_text();
    let references = reading.references.clone();
    let compiled = reading.compile()?;
    let of_policy = compiled.warnings.iter().cloned().map(Warning::Policy);
    let of_files = permissions::inspect(policy_file, &references)
        .into_iter()
        .map(Warning::File);
    let warnings = of_policy.chain(of_files).collect();
    Ok(Loaded {
        compiled,
        digest,
        warnings,
    })
}

/// The policy in force. Clones share it.
#[derive(Clone)]
pub struct Live {
    in_force: Arc<InForce>,
    notices: Sender<Notice>,
    start: Arc<Mutex<Option<Start>>>,
}

impl Live {
    /// Loads the policy for the first time; blocks for as long as the disk does. An invalid policy is an error under
    /// `on_invalid = "keep"`, as there is none to keep. Under `"deny"` everything is denied until the file is mended, and
    /// [`Status::problem`] says why.
    pub fn load(settings: Settings, clock: Clock) -> Result<(Self, Vec<Warning>), LoadError> {
        let settings = Settings {
            // The program may change its folder later.
            file: std::path::absolute(&settings.file).unwrap_or(settings.file),
            ..settings
        };
        let reading = Reading::of(&settings.file, &[], &settings.user_folders);
        let considered = reading.digest;
        let references = reading.references.clone();
        let digest = reading.digest_text();
        let mut warnings: Vec<Warning> = permissions::inspect(&settings.file, &references)
            .into_iter()
            .map(Warning::File)
            .collect();
        let (snapshot, problem) = match reading.compile() {
            Ok(compiled) => {
                warnings.extend(compiled.warnings.iter().cloned().map(Warning::Policy));
                (Snapshot::new(compiled, 1, digest), None)
            }
            Err(error) => match settings.on_invalid {
                OnInvalid::Keep => return Err(error),
                OnInvalid::Deny => (Snapshot::new(nobody()?, 1, digest), Some(error.to_string())),
            },
        };
        if let Some(problem) = &problem {
            tracing::error!(
                "the policy file is invalid, and every request is denied until it is mended: {problem}"
            );
        }
        let in_force = Arc::new(InForce::new(settings, clock, snapshot, problem));
        let (notices, inbox) = mpsc::channel();
        let start = Start {
            in_force: in_force.clone(),
            considered,
            references,
            notices: notices.clone(),
            inbox,
        };
        let start = Arc::new(Mutex::new(Some(start)));
        Ok((
            Self {
                in_force,
                notices,
                start,
            },
            warnings,
        ))
    }

    /// A policy without a file, in which these keys may do everything. There is nothing to watch.
    pub fn given(keys: &given::Keys, clock: Clock) -> Result<Self, LoadError> {
        let text = keys.policy();
        let compiled = PolicyFile::parse(&text, given::SOURCE)?.compile(&References::default())?;
        let settings = Settings {
            file: PathBuf::from(given::SOURCE),
            ..Settings::default()
        };
        let snapshot = Snapshot::new(compiled, 1, given::SOURCE.to_owned());
        let (notices, _) = mpsc::channel();
        Ok(Self {
            in_force: Arc::new(InForce::new(settings, clock, snapshot, None)),
            notices,
            start: Arc::new(Mutex::new(None)),
        })
    }

    /// The snapshot in force. Ask once per decision.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.in_force.snapshot()
    }

    /// The same for as long as `look` takes, without a count that all threads would share.
    pub fn under<T>(&self, look: impl FnOnce(&Arc<Snapshot>) -> T) -> T {
        self.in_force.under(look)
    }

    /// What is in force, for people.
    pub fn status(&self) -> Status {
        self.in_force.status().borrow().clone()
    }

    /// How often a signing key was at hand, and how often it had to be derived, since the start.
    pub fn signing_keys(&self) -> CacheCounts {
        self.in_force.signing_keys()
    }

    /// Wakes when a new generation is in force, and when a problem comes or goes. The snapshot has been swapped by then.
    pub fn changes(&self) -> watch::Receiver<Status> {
        self.in_force.status().subscribe()
    }

    /// Is a transfer to be ended that a change of the policy denies?
    pub fn cuts_transfers(&self) -> bool {
        self.in_force.cuts_transfers()
    }

    /// The policy file, as an absolute path.
    pub fn file(&self) -> PathBuf {
        self.in_force.file().to_owned()
    }

    /// The policy file and the files that it refers to, as they are to be watched; none where the policy has no file, and none once the
    /// watching has begun.
    pub fn files(&self) -> Vec<PathBuf> {
        let start = self.start.lock().unwrap_or_else(PoisonError::into_inner);
        let files = |start: &Start| reading::files(self.in_force.file(), &start.references).collect();
        start.as_ref().map(files).unwrap_or_default()
    }

    /// Begins to watch the files, on a thread of its own, for as long as the [`Watcher`] is held. An error if there
    /// can be no such thread, or if there is one already.
    pub fn watch(&self) -> io::Result<Watcher> {
        let start = self.start.lock().unwrap_or_else(PoisonError::into_inner).take();
        start
            .ok_or_else(|| io::Error::other("the policy is being watched already"))?
            .watch()
    }

    /// Has the watcher take the policy as it stands, a writer or none, as soon as the files hold still. Returns at once;
    /// [`Live::changes`] tells what came of it. For SIGHUP.
    pub fn reload_now(&self) {
        // Where nobody listens, nobody watches any more: the gateway is ending.
        _ = self.notices.send(Notice::ReloadNow);
    }
}

/// The policy of nobody, under which everything is denied.
fn nobody() -> Result<Compiled, LoadError> {
    Ok(PolicyFile::parse("signer = []\n", "nobody")?.compile(&References::default())?)
}

#[cfg(test)]
mod tests;
