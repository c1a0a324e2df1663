//! The thread that writes records. Requests hand it their entries and go on; it sleeps while they come, then writes all of them at once, so that a
//! request wakes nobody. While it cannot write it keeps what comes, within a bound, and tries again.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::{self, SyncSender, TrySendError},
    },
    thread::{self, Thread},
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{
    clock::Clock,
    obstacle::{Obstacle, Wanted},
};

use super::{
    Entry, OnFailure, Settings, SyncRecords, To,
    file::AuditFile,
    flood::{Budget, Flood},
};

mod backlog;
mod writer;

use writer::{Stream, Writer};

/// How many entries may wait: some seconds of a busy gateway, a few dozen MiB.
const LONGEST_QUEUE: usize = 65_536;
/// How many of them may be of requests without a verified signature. More are only counted.
const MOST_REFUSED: usize = 8_192;
/// What they may write in a second. Files of 400 MiB hold half an hour of the worst flood.
const REFUSED: Budget = Budget {
    bytes: 128 * 1024,
    bytes_per_source: 64 * 1024,
    rows: 256,
};
/// Where requests leave their entries. A copy is another handle on the same.
#[derive(Clone)]
pub struct Audit(Option<Arc<Shared>>);

struct Shared {
    queue: SyncSender<Message>,
    /// The thread that writes.
    writer: OnceLock<Thread>,
    on_failure: OnFailure,
    sync: SyncRecords,
    failing: AtomicBool,
    /// How many entries found no room.
    lost: Arc<AtomicU64>,
    /// The same, since the start.
    lost_in_all: Arc<AtomicU64>,
    problem: Mutex<Option<String>>,
    refused: Arc<Refused>,
}

/// Requests without a verified signature.
struct Refused {
    /// How many entries of them wait in the queue.
    waiting: AtomicUsize,
    /// What they may write, and counts of those that are not written.
    flood: Mutex<Flood>,
}

impl Refused {
    fn flood(&self) -> MutexGuard<'_, Flood> {
        self.flood.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Message {
    Entry(Box<Entry>),
    /// The same, and an answer that waits until it is on stable storage.
    Commit(Box<Entry>, oneshot::Sender<()>),
    Reopen,
    Flush(SyncSender<()>),
}

/// How the trail fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// What keeps records from being written, if anything does.
    pub problem: Option<String>,
    /// Requests are refused because of it.
    pub refusing: bool,
    /// How many records found no room, since the start.
    pub lost: u64,
}

/// The record of a request is not on stable storage. It may get there later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record could not be put on stable storage")]
pub struct NotRecorded;

/// Why there is no trail.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The file cannot be opened, and no request may go unrecorded.
    #[error(
        "the audit file {path} cannot be written: {obstacle}; mend that, or set audit.on_failure = \"continue\" or audit.to = \"off\""
    )]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What stands in the way, and the fix.
        obstacle: Obstacle,
    },
    /// There is no thread to be had.
    #[error("no thread for the audit trail: {0}")]
    Thread(io::Error),
}

impl Audit {
    /// No trail.
    pub fn off() -> Self {
        Self(None)
    }

    /// Opens the trail. A file that cannot be opened is an error under `on_failure = "refuse"`; else it is told of, and tried again.
    pub fn start(settings: &Settings, clock: Clock) -> Result<Self, AuditError> {
        let (signed, refused) = match settings.to {
            To::Off => return Ok(Self::off()),
            To::Stdout => (Stream::to_stdout(), Stream::to_stdout()),
            To::File | To::Auto => {
                let stream = |path: PathBuf, rotate_bytes, keep_files, sync| {
                    let file = AuditFile::new(path.clone(), rotate_bytes, keep_files, sync);
                    opened(file, &path, settings.on_failure).map(|file| Stream::to_file(file, path))
                };
                let (bytes, files) = (settings.rotate_bytes, settings.keep_files);
                let signed = stream(settings.file.clone(), bytes, files, settings.sync)?;
                let (bytes, files) = (settings.refused_rotate_bytes, settings.refused_keep_files);
                // No answer waits for the record of a stranger: a flood of them would keep the disk busy.
                let refused = stream(refused_file(settings), bytes, files, SyncRecords::Never)?;
                (signed, refused)
            }
        };
        let (queue, inbox) = mpsc::sync_channel(LONGEST_QUEUE);
        let shared = Arc::new(Shared {
            queue,
            writer: OnceLock::new(),
            on_failure: settings.on_failure,
            sync: settings.sync,
            failing: AtomicBool::new(false),
            lost: Arc::default(),
            lost_in_all: Arc::default(),
            problem: Mutex::new(None),
            refused: Arc::new(Refused {
                waiting: AtomicUsize::new(0),
                flood: Mutex::new(Flood::new(REFUSED)),
            }),
        });
        // The thread ends when the last handle is gone.
        let writer = Writer::new(&shared, signed, refused, clock);
        let thread = thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(&inbox))
            .map_err(AuditError::Thread)?;
        _ = shared.writer.set(thread.thread().clone());
        Ok(Self(Some(shared)))
    }

    /// Is there a trail?
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Leaves an entry. Never waits.
    pub fn record(&self, entry: Box<Entry>) {
        let Some(shared) = &self.0 else { return };
        if !entry.is_authenticated() {
            return shared.record_refused(entry);
        }
        match shared.queue.try_send(Message::Entry(entry)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => shared.lose(),
        }
    }

    /// Whether answers wait for their records: see [`Audit::commit`].
    pub fn commits(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|shared| shared.sync == SyncRecords::Each)
    }

    /// Leaves an entry, and waits until it is on stable storage. Entries that come while others are written go there together.
    pub async fn commit(&self, entry: Box<Entry>) -> Result<(), NotRecorded> {
        let Some(shared) = &self.0 else { return Ok(()) };
        let (done, written) = oneshot::channel();
        if shared.queue.try_send(Message::Commit(entry, done)).is_err() {
            shared.lose();
            return Err(NotRecorded);
        }
        shared.wake();
        written.await.map_err(|_| NotRecorded)
    }

    /// Must requests be refused, because nothing could be said of them?
    pub fn refuses(&self) -> bool {
        self.0.as_ref().is_some_and(|shared| {
            shared.on_failure == OnFailure::Refuse && shared.failing.load(Ordering::Relaxed)
        })
    }

    /// How it fares.
    pub fn health(&self) -> Health {
        let problem = self.0.as_ref().and_then(|shared| {
            let problem = shared.problem.lock().unwrap_or_else(PoisonError::into_inner);
            problem.clone()
        });
        Health {
            problem,
            refusing: self.refuses(),
            lost: self
                .0
                .as_ref()
                .map_or(0, |shared| shared.lost_in_all.load(Ordering::Relaxed)),
        }
    }

    /// Opens the file anew: another program has moved it away.
    pub fn reopen(&self) {
        if let Some(shared) = &self.0 {
            _ = shared.queue.try_send(Message::Reopen);
            shared.wake();
        }
    }

    /// The same as [`flush`](Self::flush), but for no longer than this, and for nobody who would have to wait for room in the queue: a disk that stalls
    /// holds up no operator.
    pub fn flush_within(&self, longest: Duration) {
        let Some(shared) = &self.0 else { return };
        let (done, wait) = mpsc::sync_channel(1);
        if shared.queue.try_send(Message::Flush(done)).is_ok() {
            shared.wake();
            _ = wait.recv_timeout(longest);
        }
    }

    /// Waits until what was left before is written, or the writer has given up for now. Blocks.
    pub fn flush(&self) {
        let Some(shared) = &self.0 else { return };
        let (done, wait) = mpsc::sync_channel(1);
        if shared.queue.send(Message::Flush(done)).is_ok() {
            shared.wake();
            _ = wait.recv();
        }
    }
}

/// The file for requests without a verified signature. A pipe or a device takes them all.
fn refused_file(settings: &Settings) -> PathBuf {
    let file = &settings.file;
    match file.metadata() {
        Ok(found) if !found.is_file() && !found.is_dir() => file.clone(),
        Ok(_) | Err(_) => settings.refused_file(),
    }
}

/// Opens a file of the trail. One that cannot be opened is an error only if no request may go
/// unrecorded.
fn opened(mut file: AuditFile, path: &Path, on_failure: OnFailure) -> Result<AuditFile, AuditError> {
    if let Err(source) = file.open() {
        let obstacle = Obstacle::new(path, Wanted::Write, source);
        if on_failure == OnFailure::Refuse {
            let path = path.to_owned();
            return Err(AuditError::Unwritable { path, obstacle });
        }
        let path = path.display();
        tracing::error!(
            "the audit file {path} cannot be written, and requests go on without a trail: {obstacle}"
        );
    }
    Ok(file)
}

impl Shared {
    /// Counts an entry that found no room.
    fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.lost_in_all.fetch_add(1, Ordering::Relaxed);
        // The writer clears this once it has caught up.
        self.failing.store(true, Ordering::Relaxed);
    }

    /// Leaves the entry of a request without a verified signature. However many there are, they
    /// take no room of the others, and each is written or counted.
    fn record_refused(&self, entry: Box<Entry>) {
        let refused = &self.refused;
        if refused.waiting.fetch_add(1, Ordering::Relaxed) < MOST_REFUSED {
            match self.queue.try_send(Message::Entry(entry)) {
                Ok(()) => return,
                Err(
                    TrySendError::Full(Message::Entry(entry))
                    | TrySendError::Disconnected(Message::Entry(entry)),
                ) => refused.flood().count(&entry),
                Err(_) => {}
            }
        } else {
            refused.flood().count(&entry);
        }
        refused.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// Ends the gathering.
    fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }
}

#[cfg(test)]
mod tests;
