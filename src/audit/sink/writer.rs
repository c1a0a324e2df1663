//! The thread that writes the trail: two streams, one for requests whose signature holds and one for
//! all others.

use std::{
    io::{self, Write},
    mem,
    path::PathBuf,
    sync::{
        Arc, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::{clock::Clock, confine};

use super::{Message, Refused, Shared, backlog::Backlog};
use crate::audit::{
    Entry, Record, WINDOW,
    file::{AuditFile, NotAppended, write_some},
};

/// How long entries are gathered. A thread that is woken for each request would cost it a tenth of its processor time.
const GATHER: Duration = Duration::from_millis(25);
/// How often a sink that fails is tried again.
const RETRY: Duration = Duration::from_millis(250);
/// How many lines about requests without a verified signature are kept while they cannot be
/// written. More are only counted.
const MOST_REFUSED_LINES: usize = 16_384;

enum Output {
    File(AuditFile, PathBuf),
    Stdout,
}

impl Output {
    fn append(&mut self, lines: &[u8]) -> Result<(), NotAppended> {
        match self {
            Self::File(file, _) => file.append(lines),
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                write_some(&mut stdout, lines)?;
                // What it has not passed on yet is in its own buffer, and goes out with the next lines.
                let kept = lines.len();
                stdout.flush().map_err(|error| NotAppended { kept, error })
            }
        }
    }

    /// What keeps it from being written, with the fix where it is known.
    fn problem(&self, error: &io::Error) -> String {
        let name = match self {
            Self::File(_, path) => path.display().to_string(),
            Self::Stdout => "standard output".to_owned(),
        };
        let problem = format!("the audit trail cannot be written to {name}: {error}");
        match self {
            Self::File(_, path) => match confine::outside_for_writing(path, error) {
                Some(outside) => format!("{problem}; {outside}"),
                None => problem,
            },
            Self::Stdout => problem,
        }
    }
}

/// Where lines go, and those that wait to be written there.
pub(super) struct Stream {
    output: Output,
    backlog: Backlog,
}

impl Stream {
    pub(super) fn to_stdout() -> Self {
        Self {
            output: Output::Stdout,
            backlog: Backlog::default(),
        }
    }

    pub(super) fn to_file(file: AuditFile, path: PathBuf) -> Self {
        Self {
            output: Output::File(file, path),
            backlog: Backlog::default(),
        }
    }

    /// Writes what waits, or says why it cannot be written.
    fn write(&mut self) -> Result<(), String> {
        while let Some(batch) = self.backlog.next() {
            if let Err(NotAppended { kept, error }) = self.output.append(batch) {
                self.backlog.written_in_part(kept);
                return Err(self.output.problem(&error));
            }
            self.backlog.written();
        }
        Ok(())
    }

    /// Lets go of the file: the next line opens whatever has its name then.
    fn close(&mut self) {
        if let Output::File(file, _) = &mut self.output {
            file.close();
        }
    }
}

/// Who waits until what came before is written.
#[derive(Default)]
struct Waiting {
    /// Answers that wait for their record. One that is dropped without a word is not written.
    commits: Vec<oneshot::Sender<()>>,
    flushes: Vec<SyncSender<()>>,
}

pub(super) struct Writer {
    shared: Weak<Shared>,
    lost: Arc<AtomicU64>,
    lost_in_all: Arc<AtomicU64>,
    /// Of requests whose signature holds.
    signed: Stream,
    /// Of all others.
    refused: Stream,
    refusals: Arc<Refused>,
    /// When counts were last written.
    counted: Instant,
    clock: Clock,
    /// The line in the making.
    line: Vec<u8>,
    failing: bool,
}

impl Writer {
    pub(super) fn new(shared: &Arc<Shared>, signed: Stream, refused: Stream, clock: Clock) -> Self {
        Self {
            shared: Arc::downgrade(shared),
            lost: shared.lost.clone(),
            lost_in_all: shared.lost_in_all.clone(),
            signed,
            refused,
            refusals: shared.refused.clone(),
            counted: clock.moment(),
            clock,
            line: Vec::new(),
            failing: false,
        }
    }

    pub(super) fn run(mut self, inbox: &Receiver<Message>) {
        loop {
            let patience = match (self.failing, self.refusals.flood().is_empty()) {
                (true, _) => Some(RETRY),
                (false, false) => Some(WINDOW),
                (false, true) => None,
            };
            let first = match patience {
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(patience) => inbox.recv_timeout(patience),
            };
            let mut waiting = Waiting::default();
            match first {
                Ok(message) => {
                    let gathers = matches!(message, Message::Entry(_));
                    self.take(message, &mut waiting);
                    if gathers {
                        thread::park_timeout(GATHER);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.push_counts();
                    self.write();
                    return;
                }
            }
            while !self.signed.backlog.is_full()
                && let Ok(message) = inbox.try_recv()
            {
                self.take(message, &mut waiting);
            }
            let now = self.clock.moment();
            if !waiting.flushes.is_empty() || now.saturating_duration_since(self.counted) >= WINDOW {
                self.counted = now;
                self.push_counts();
            }
            let written = self.write();
            let Waiting { commits, flushes } = waiting;
            if written {
                commits.into_iter().for_each(|done| _ = done.send(()));
            }
            flushes.into_iter().for_each(|done| _ = done.send(()));
        }
    }

    fn take(&mut self, message: Message, waiting: &mut Waiting) {
        match message {
            Message::Entry(entry) if !entry.is_authenticated() => self.take_refused(entry),
            Message::Entry(entry) => _ = self.take_signed(entry),
            Message::Commit(entry, done) => {
                if self.take_signed(entry) {
                    waiting.commits.push(done);
                }
            }
            Message::Reopen => {
                // What came before belongs to the files as they were.
                self.push_counts();
                self.write();
                self.signed.close();
                self.refused.close();
            }
            Message::Flush(done) => waiting.flushes.push(done),
        }
    }

    /// Makes a line of it, if there is room for it.
    fn take_signed(&mut self, mut entry: Box<Entry>) -> bool {
        if self.signed.backlog.is_full() {
            self.lost.fetch_add(1, Ordering::Relaxed);
            self.lost_in_all.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        entry.bound();
        self.line.clear();
        entry.write_line(&mut self.line);
        self.signed.backlog.push(&self.line);
        true
    }

    /// Makes a line of it, or counts it.
    fn take_refused(&mut self, mut entry: Box<Entry>) {
        self.refusals.waiting.fetch_sub(1, Ordering::Relaxed);
        let mut flood = self.refusals.flood();
        if self.refused.backlog.lines() >= MOST_REFUSED_LINES {
            return flood.count(&entry);
        }
        entry.bound();
        self.line.clear();
        entry.write_line(&mut self.line);
        if flood.admits(&entry, self.line.len(), self.clock.moment()) {
            self.refused.backlog.push(&self.line);
        } else {
            flood.count(&entry);
        }
    }

    /// Makes lines of the counts. While there is no room for them, counting goes on.
    fn push_counts(&mut self) {
        if self.refused.backlog.lines() >= MOST_REFUSED_LINES {
            return;
        }
        let counts = self.refusals.flood().take();
        for counted in counts {
            self.refused.backlog.push(&Record::of_repeated(&counted).line());
        }
    }

    /// Writes what there is, or notes that it cannot be. Whether the records of signers are all written.
    fn write(&mut self) -> bool {
        let lost = self.lost.load(Ordering::Relaxed);
        if lost > 0 && !self.signed.backlog.is_full() {
            self.lost.fetch_sub(lost, Ordering::Relaxed);
            self.signed
                .backlog
                .push(&Record::of_loss(self.clock.now(), lost).line());
        }
        // One that fails must not keep the other from being written.
        let (signed, refused) = (self.signed.write(), self.refused.write());
        let is_written = signed.is_ok();
        self.tell(signed.and(refused).err());
        is_written
    }

    fn tell(&mut self, problem: Option<String>) {
        let failed = mem::replace(&mut self.failing, problem.is_some());
        match &problem {
            Some(problem) if !failed => tracing::error!("{problem}"),
            None if failed => tracing::info!("the audit trail can be written again"),
            Some(_) | None => {}
        }
        let Some(shared) = self.shared.upgrade() else {
            return;
        };
        shared.failing.store(problem.is_some(), Ordering::Relaxed);
        *shared.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}
