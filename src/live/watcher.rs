//! Watches the policy on a thread of its own, so that no request waits for a file. In come notices and the clock's ticks;
//! what is whole goes to [`InForce`](super::in_force::InForce), which takes it or says why not.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use crate::policy::Reference;

use super::{
    in_force::InForce,
    notices::{Folders, Notice},
    reading::{Reading, files},
    settle::Settling,
    trail::Look,
};

/// Between two looks at the files' stamps.
const LOOK: Duration = Duration::from_millis(250);
/// A writer that holds a file open for longer is told of: until it ends, its change does not count.
const LONG: Duration = Duration::from_secs(5);
/// Every so many looks the contents are read whatever the stamps say: some network mounts keep times to the second only.
const THOROUGH: u32 = 40;

/// Keeps the policy up to date for as long as it is held; dropping it ends the watching.
#[must_use = "dropping it ends the watching"]
pub struct Watcher {
    notices: Sender<Notice>,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // Where nobody listens, it has ended already.
        _ = self.notices.send(Notice::Stop);
    }
}

/// How the thread begins: what has been read already, and where notices come from and in.
pub(super) struct Start {
    pub(super) in_force: Arc<InForce>,
    pub(super) considered: [u8; 32],
    pub(super) references: Vec<Reference>,
    pub(super) notices: Sender<Notice>,
    pub(super) inbox: Receiver<Notice>,
}

impl Start {
    pub(super) fn watch(self) -> io::Result<Watcher> {
        let watcher = Watcher {
            notices: self.notices.clone(),
        };
        // Before anything else: what is written from here on is noticed, also before the thread's first look.
        let mut folders = Folders::new(self.notices);
        folders.watch(Look::at(files(self.in_force.file(), &self.references)).folders());
        let watch = Watch {
            folders,
            in_force: self.in_force,
            settling: Settling::new(self.considered),
            seen: Look::default(),
            references: self.references,
            stale: true,
            noticed: false,
            forced: false,
            looks: 0,
            told_of_writer: false,
        };
        let run = move || watch.run(&self.inbox);
        thread::Builder::new().name("policy".to_owned()).spawn(run)?;
        Ok(watcher)
    }
}

struct Watch {
    in_force: Arc<InForce>,
    folders: Folders,
    settling: Settling,
    /// The files as they stood when they were last read.
    seen: Look,
    references: Vec<Reference>,
    /// They must be read again, whatever the stamps say.
    stale: bool,
    /// A close or a rename since the last reading.
    noticed: bool,
    forced: bool,
    looks: u32,
    /// The writer at work has been told of.
    told_of_writer: bool,
}

impl Watch {
    fn run(mut self, inbox: &Receiver<Notice>) {
        loop {
            self.look();
            self.tell_of_writer();
            let now = self.in_force.moment();
            let next = self.settling.due().map_or(now + LOOK, |due| due.min(now + LOOK));
            if !self.wait(inbox, next) {
                return;
            }
        }
    }

    /// Waits until it is time to look again, or something has happened to the files. `false` is the end.
    fn wait(&mut self, inbox: &Receiver<Notice>, until: Instant) -> bool {
        loop {
            let left = until.saturating_duration_since(self.in_force.moment());
            match inbox.recv_timeout(left) {
                Ok(Notice::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => return true,
                Ok(notice) => self.note(notice),
            }
            // What came together is heard together: a close may stand behind a write.
            while let Ok(notice) = inbox.try_recv() {
                if matches!(notice, Notice::Stop) {
                    return false;
                }
                self.note(notice);
            }
            if self.noticed || self.forced {
                return true;
            }
        }
    }

    fn note(&mut self, notice: Notice) {
        match notice {
            Notice::Written(path) if self.seen.names(&path) => {
                self.settling.written(&path, self.in_force.moment());
            }
            Notice::Whole(path) => {
                self.settling.ended(&path);
                self.noticed |= self.seen.names(&path);
            }
            Notice::Gone(path) => self.settling.ended(&path),
            Notice::Lost => {
                self.settling.lost();
                self.stale = true;
            }
            Notice::ReloadNow => self.forced = true,
            Notice::Written(_) | Notice::Stop => {}
        }
    }

    /// Says, once for each writer that takes long, why a change that is there does not count.
    fn tell_of_writer(&mut self) {
        let now = self.in_force.moment();
        match self.settling.held_open() {
            None => self.told_of_writer = false,
            Some((file, since)) if now - since > LONG && !self.told_of_writer => {
                self.told_of_writer = true;
                let file = file.display();
                tracing::warn!(
                    "{file} is being written and still open: the change counts once the writer closes it (SIGHUP forces it)"
                );
            }
            Some(_) => {}
        }
    }

    fn look(&mut self) {
        self.looks = self.looks.wrapping_add(1);
        let look = Look::at(files(self.in_force.file(), &self.references));
        self.folders.watch(look.folders());
        self.stale |= look != self.seen || self.looks.is_multiple_of(THOROUGH);
        self.seen = look;
        if !(self.stale || self.noticed || self.forced || self.settling.due().is_some()) {
            return;
        }
        let reading = Reading::of(
            self.in_force.file(),
            &self.references,
            self.in_force.user_folders(),
        );
        if !reading.stable {
            // It changes as it is read: read again, with what has been noticed still in mind.
            self.stale = true;
            return;
        }
        self.stale = false;
        self.seen = reading.look.clone();
        self.references.clone_from(&reading.references);
        self.folders.watch(self.seen.folders());
        let noticed = std::mem::take(&mut self.noticed) && reading.complete;
        if std::mem::take(&mut self.forced) {
            self.settling.consider(reading.digest);
            self.in_force.take(reading);
        } else if self
            .settling
            .ready(reading.digest, noticed, self.in_force.moment())
        {
            self.in_force.take(reading);
        }
    }
}
