//! The thread that writes records. Requests hand it their entries and go on; it sleeps while they come, then writes all of them at once, so that a
//! request wakes nobody. While it cannot write it keeps what comes, within a bound, and tries again.

use std::{
    io::{self, Write},
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError},
    },
    thread::{self, Thread},
    time::Duration,
};

use crate::{
    clock::Clock,
    confine,
    obstacle::{Obstacle, Wanted},
};

use super::{Entry, OnFailure, Record, Settings, To, file::AuditFile};

mod backlog;

use backlog::Backlog;

/// How many entries may wait: some seconds of a busy gateway, a few dozen MiB.
const LONGEST_QUEUE: usize = 65_536;
/// How long entries are gathered. A thread that is woken for each request would cost it a tenth of its processor time.
const GATHER: Duration = Duration::from_millis(25);
/// How often a sink that fails is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// Where requests leave their entries. A copy is another handle on the same.
#[derive(Clone)]
pub struct Audit(Option<Arc<Shared>>);

struct Shared {
    queue: SyncSender<Message>,
    /// The thread that writes.
    writer: OnceLock<Thread>,
    on_failure: OnFailure,
    failing: AtomicBool,
    /// How many entries found no room.
    lost: Arc<AtomicU64>,
    /// The same, since the start.
    lost_in_all: Arc<AtomicU64>,
    problem: Mutex<Option<String>>,
}

enum Message {
    Entry(Box<Entry>),
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
        let output = match settings.to {
            To::Off => return Ok(Self::off()),
            To::Stdout => Output::Stdout,
            To::File | To::Auto => {
                let mut file =
                    AuditFile::new(settings.file.clone(), settings.rotate_bytes, settings.keep_files);
                match (file.open().map(drop), settings.on_failure) {
                    (Err(source), OnFailure::Refuse) => {
                        let path = settings.file.clone();
                        let obstacle = Obstacle::new(&path, Wanted::Write, source);
                        return Err(AuditError::Unwritable { path, obstacle });
                    }
                    (Err(error), OnFailure::Continue) => {
                        let error = Obstacle::new(&settings.file, Wanted::Write, error);
                        let path = settings.file.display();
                        tracing::error!(
                            "the audit file {path} cannot be written, and requests go on without a trail: {error}"
                        );
                    }
                    (Ok(()), _) => {}
                }
                Output::File(file, settings.file.clone())
            }
        };
        let (queue, inbox) = mpsc::sync_channel(LONGEST_QUEUE);
        let shared = Arc::new(Shared {
            queue,
            writer: OnceLock::new(),
            on_failure: settings.on_failure,
            failing: AtomicBool::new(false),
            lost: Arc::default(),
            lost_in_all: Arc::default(),
            problem: Mutex::new(None),
        });
        let writer = Writer {
            // The thread ends when the last handle is gone.
            shared: Arc::downgrade(&shared),
            lost: shared.lost.clone(),
            lost_in_all: shared.lost_in_all.clone(),
            output,
            clock,
            backlog: Backlog::default(),
            line: Vec::new(),
            failing: false,
        };
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
        match shared.queue.try_send(Message::Entry(entry)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                shared.lost.fetch_add(1, Ordering::Relaxed);
                shared.lost_in_all.fetch_add(1, Ordering::Relaxed);
                // The writer clears this once it has caught up.
                shared.failing.store(true, Ordering::Relaxed);
            }
        }
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

impl Shared {
    /// Ends the gathering.
    fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }
}

enum Output {
    File(AuditFile, PathBuf),
    Stdout,
}

impl Output {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Self::File(file, _) => file.append(lines),
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(lines)?;
                stdout.flush()
            }
        }
    }

    fn name(&self) -> String {
        match self {
            Self::File(_, path) => path.display().to_string(),
            Self::Stdout => "standard output".to_owned(),
        }
    }
}

struct Writer {
    shared: std::sync::Weak<Shared>,
    lost: Arc<AtomicU64>,
    lost_in_all: Arc<AtomicU64>,
    output: Output,
    clock: Clock,
    backlog: Backlog,
    /// The line in the making.
    line: Vec<u8>,
    failing: bool,
}

impl Writer {
    fn run(mut self, inbox: &Receiver<Message>) {
        loop {
            let first = match self.failing {
                false => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                true => inbox.recv_timeout(RETRY),
            };
            let mut waiting = Vec::new();
            match first {
                Ok(message) => {
                    let gathers = matches!(message, Message::Entry(_));
                    self.take(message, &mut waiting);
                    if gathers {
                        thread::park_timeout(GATHER);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.write(),
            }
            while !self.backlog.is_full()
                && let Ok(message) = inbox.try_recv()
            {
                self.take(message, &mut waiting);
            }
            self.write();
            waiting
                .into_iter()
                .for_each(|done: SyncSender<()>| _ = done.send(()));
        }
    }

    fn take(&mut self, message: Message, waiting: &mut Vec<SyncSender<()>>) {
        match message {
            Message::Entry(_) if self.backlog.is_full() => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                self.lost_in_all.fetch_add(1, Ordering::Relaxed);
            }
            Message::Entry(entry) => {
                self.line.clear();
                entry.write_line(&mut self.line);
                self.backlog.push(&self.line);
            }
            Message::Reopen => {
                // What came before belongs to the file as it was.
                self.write();
                if let Output::File(file, _) = &mut self.output {
                    file.close();
                }
            }
            Message::Flush(done) => waiting.push(done),
        }
    }

    /// Writes what there is, or notes that it cannot be.
    fn write(&mut self) {
        match self.write_all() {
            Ok(()) => self.works(),
            Err(error) => self.fails(&error),
        }
    }

    fn write_all(&mut self) -> io::Result<()> {
        let lost = self.lost.load(Ordering::Relaxed);
        if lost > 0 && !self.backlog.is_full() {
            self.lost.fetch_sub(lost, Ordering::Relaxed);
            self.backlog.push(&Record::of_loss(self.clock.now(), lost).line());
        }
        while let Some(batch) = self.backlog.next() {
            self.output.append(batch)?;
            self.backlog.written();
        }
        Ok(())
    }

    fn works(&mut self) {
        if self.failing {
            tracing::info!("the audit trail can be written again");
        }
        self.failing = false;
        self.tell(None);
    }

    fn fails(&mut self, error: &io::Error) {
        let mut problem = format!(
            "the audit trail cannot be written to {}: {error}",
            self.output.name()
        );
        if let Output::File(_, path) = &self.output
            && let Some(outside) = confine::outside_for_writing(path, error)
        {
            problem = format!("{problem}; {outside}");
        }
        if !self.failing {
            tracing::error!("{problem}");
        }
        self.failing = true;
        self.tell(Some(problem));
    }

    fn tell(&self, problem: Option<String>) {
        let Some(shared) = self.shared.upgrade() else {
            return;
        };
        shared.failing.store(problem.is_some(), Ordering::Relaxed);
        *shared.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}

#[cfg(test)]
mod tests;
