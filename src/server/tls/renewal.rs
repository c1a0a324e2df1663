//! Renews certificates on a thread of its own, so that no request waits for a file. It looks at the files' identity, size and times each second, through
//! symlinks, so it does not matter how they are replaced. What has changed is taken once it looks the same at two looks: whoever
//! renews writes two files, one after the other.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{
        Arc, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::clock::Clock;

use super::{
    super::{CertificateFiles, ServerError},
    certificates::{SOON, State, remark},
    pair::Pair,
    shown::Shown,
};

/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(1);

/// What the thread is told.
pub(super) enum Notice {
    /// Read the files, whatever they look like.
    ReloadNow,
    Stop,
}

/// What renews certificates, until it is started not yet.
pub(in crate::server) struct Renewal {
    sources: Vec<Source>,
    state: Arc<State>,
    clock: Clock,
    notices: Sender<Notice>,
    inbox: Receiver<Notice>,
}

/// Renews for as long as it is held.
#[must_use = "dropping it ends the renewal"]
pub(in crate::server) struct Renewer(Sender<Notice>);

impl Drop for Renewer {
    fn drop(&mut self) {
        // Where nobody listens, it has ended already.
        _ = self.0.send(Notice::Stop);
    }
}

/// Two files, and how they stood when they were looked at.
pub(super) struct Source {
    files: CertificateFiles,
    setting: String,
    /// At the last look.
    seen: Stamps,
    /// When they were last read.
    read: Stamps,
    problem: Option<String>,
    /// The days left when the log last warned of the certificate.
    warned: Option<i64>,
}

/// How a file looks from outside: device, inode, size, and the times of its content and its record.
type Stamp = Option<(u64, u64, u64, (i64, i64), (i64, i64))>;
type Stamps = [Stamp; 2];

impl Source {
    /// Reads the files for the first time.
    pub(super) fn read(files: CertificateFiles, setting: String) -> Result<(Self, Pair), ServerError> {
        let stamps = stamps(&files);
        let pair = Pair::read(&files, &setting)?;
        let source = Self {
            files,
            setting,
            seen: stamps,
            read: stamps,
            problem: None,
            warned: None,
        };
        Ok((source, pair))
    }

    /// The files as they stand, where they are to be considered now.
    fn look(&mut self, forced: bool) -> Option<Result<Pair, ServerError>> {
        let stamps = stamps(&self.files);
        let settled = std::mem::replace(&mut self.seen, stamps) == stamps;
        // With a problem they are read at each look: what is amiss may lie outside of the files, such as a lack of descriptors.
        let due = settled && (stamps != self.read || self.problem.is_some());
        if !(due || forced) {
            return None;
        }
        let read = Pair::read(&self.files, &self.setting);
        if !forced && self::stamps(&self.files) != stamps {
            // They changed as they were read.
            return None;
        }
        self.read = stamps;
        Some(read)
    }
}

fn stamps(files: &CertificateFiles) -> Stamps {
    [stamp(&files.certificate), stamp(&files.private_key)]
}

fn stamp(path: &Path) -> Stamp {
    let metadata = fs::metadata(path).ok()?;
    Some((
        metadata.dev(),
        metadata.ino(),
        metadata.size(),
        (metadata.mtime(), metadata.mtime_nsec()),
        (metadata.ctime(), metadata.ctime_nsec()),
    ))
}

impl Renewal {
    pub(super) fn new(
        sources: Vec<Source>,
        state: Arc<State>,
        clock: Clock,
        (notices, inbox): (Sender<Notice>, Receiver<Notice>),
    ) -> Self {
        Self {
            sources,
            state,
            clock,
            notices,
            inbox,
        }
    }

    /// Begins to look at the files.
    pub(in crate::server) fn start(mut self) -> io::Result<Renewer> {
        let renewer = Renewer(self.notices.clone());
        let run = move || {
            let mut forced = false;
            loop {
                self.look(forced);
                forced = match self.inbox.recv_timeout(LOOK) {
                    Ok(Notice::ReloadNow) => true,
                    Err(RecvTimeoutError::Timeout) => false,
                    Ok(Notice::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                };
            }
        };
        thread::Builder::new()
            .name("certificates".to_owned())
            .spawn(run)?;
        Ok(renewer)
    }

    /// Takes what is new and whole, and says what is not. Afterwards warns of what is about to expire.
    pub(super) fn look(&mut self, forced: bool) {
        let now = self.clock.now();
        let mut pairs = self.state.shown.load().pairs().to_vec();
        let (mut taken, mut failures) = (false, 0);
        for (source, pair) in self.sources.iter_mut().zip(&mut pairs) {
            let problem = match source.look(forced) {
                None => continue,
                Some(Ok(new)) if pair.is_valid_at(now) && !new.is_valid_at(now) => Some(format!(
                    "{} ({}.certificate): {}",
                    source.files.certificate.display(),
                    source.setting,
                    remark(&new, now).unwrap_or_default()
                )),
                Some(Ok(new)) => {
                    if !new.shows_the_same(pair) {
                        let until = rfc3339(new.not_after);
                        tracing::info!(name = new.name, until, "a renewed certificate is in force");
                        source.warned = None;
                    }
                    *pair = Arc::new(new);
                    taken = true;
                    None
                }
                Some(Err(error)) => Some(error.to_string()),
            };
            let problem = problem.map(|problem| {
                let until = rfc3339(pair.not_after);
                format!(
                    "{problem}; the certificate before it stays in force, until {until}, and mended files are taken without a restart"
                )
            });
            if problem.is_some() && (forced || source.problem != problem) {
                failures += 1;
                tracing::warn!(
                    "certificate not renewed: {}",
                    problem.as_deref().unwrap_or_default()
                );
            }
            if let (Some(_), None) = (&source.problem, &problem) {
                tracing::info!(name = pair.name, "the certificate's files are whole again");
            }
            source.problem = problem;
        }
        self.warn(&pairs, now);
        if taken {
            self.state.shown.store(Arc::new(Shown::new(pairs)));
        }
        let problems = self.sources.iter().filter_map(|source| source.problem.clone());
        let mut renewing = self.state.renewing.lock().unwrap_or_else(PoisonError::into_inner);
        renewing.problems = problems.collect();
        renewing.failures += failures;
    }

    /// Once a day for each that expires soon, or has expired.
    fn warn(&mut self, pairs: &[Arc<Pair>], now: OffsetDateTime) {
        for (source, pair) in self.sources.iter_mut().zip(pairs) {
            let days = pair.days_left(now);
            let unfit = days < SOON || now < pair.not_before;
            if unfit && source.warned != Some(days) {
                source.warned = Some(days);
                tracing::warn!("{}", remark(pair, now).unwrap_or_default());
            }
        }
    }
}

pub(super) fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}
