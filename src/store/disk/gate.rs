//! The way to one disk. What waits for a disk waits on a thread of the runtime's pool, and of those there are so many and no more: a disk that does not
//! answer must not take them all from the others. So each folder lets through a bounded number at a time, and while its disk is known to stall
//! ([`super::watch`]) nobody new is let in: they are told at once, instead of queueing for a disk that may never answer.

use std::{
    io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::store::StoreError;

/// How much work may wait for one disk at a time. A thread of tokio's pool waits for each, and the pool of each thread of connections has 512; no disk is
/// faster for more.
const WORK: usize = 128;
/// How many bodies may read from it at a time, besides.
const READS: usize = 128;
/// How long work waits for its turn before it is told to come again later.
const PATIENCE: Duration = Duration::from_secs(10);

/// What waiting for a disk is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Finding something out: nobody has to wait for the end of it.
    Look,
    /// A change: once it has begun, its end is waited for, since it may yet come about.
    Change,
}

/// The way to the disk of one folder. It outlives the folder's going and coming back.
#[derive(Debug)]
pub(super) struct Gate {
    path: PathBuf,
    work: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    stalls: watch::Sender<bool>,
    /// Has a write failed in a way that says more of the disk than of what was written?
    write_failed: AtomicBool,
}

impl Gate {
    pub(super) fn new(path: &Path) -> Arc<Self> {
        Arc::new(Self {
            path: path.to_owned(),
            work: Arc::new(Semaphore::new(WORK)),
            reads: Arc::new(Semaphore::new(READS)),
            stalls: watch::Sender::new(false),
            write_failed: AtomicBool::new(false),
        })
    }

    /// From here on it does not answer, or does again.
    pub(super) fn set_stalls(&self, stalls: bool) {
        self.stalls.send_replace(stalls);
    }

    /// A write has failed, and the next look should write too.
    pub(super) fn write_failed(&self) {
        self.write_failed.store(true, Ordering::Relaxed);
    }

    /// Has one failed since the last that succeeded?
    pub(super) fn is_in_doubt(&self) -> bool {
        self.write_failed.load(Ordering::Relaxed)
    }

    /// One has succeeded.
    pub(super) fn is_well(&self) {
        self.write_failed.store(false, Ordering::Relaxed);
    }

    /// Waits for a turn. [`StoreError::Stalled`]: there is none soon.
    pub(super) async fn turn(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        if *self.stalls.borrow() {
            return Err(self.stalled());
        }
        if let Ok(turn) = self.work.clone().try_acquire_owned() {
            return Ok(turn);
        }
        let turn = tokio::time::timeout(PATIENCE, self.work.clone().acquire_owned());
        tokio::select! {
            biased;
            () = self.begins_to_stall() => Err(self.stalled()),
            turn = turn => turn.ok().and_then(Result::ok).ok_or_else(|| self.stalled()),
        }
    }

    /// Does on the blocking pool what may wait for the disk.
    pub(super) async fn pass<T: Send + 'static>(
        &self,
        purpose: Purpose,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = self.turn().await?;
        let mut done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        let done = match purpose {
            Purpose::Change => done.await,
            Purpose::Look => tokio::select! {
                biased;
                done = &mut done => done,
                () = self.begins_to_stall() => return Err(self.stalled()),
            },
        };
        done.unwrap_or_else(|error| Err(StoreError::unreadable(self.path.clone(), io::Error::other(error))))
    }

    /// Reads for a body that is on its way. It is begun already, so it waits for the disk as long as its client does.
    pub(super) fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Waiting<T> {
        let turn = self.reads.clone().acquire_owned();
        Waiting(Box::pin(async move {
            let turn = turn.await.map_err(io::Error::other)?;
            let done = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                read()
            });
            done.await.map_err(io::Error::other)?
        }))
    }

    async fn begins_to_stall(&self) {
        // The sender is ours, so it is there as long as this is.
        _ = self.stalls.subscribe().wait_for(|stalls| *stalls).await;
    }

    fn stalled(&self) -> StoreError {
        StoreError::Stalled {
            path: self.path.clone(),
        }
    }
}

/// A read that waits for the disk. Dropped before its turn has come, it is not done.
pub struct Waiting<T>(Pin<Box<dyn Future<Output = io::Result<T>> + Send>>);

impl<T> Future for Waiting<T> {
    type Output = io::Result<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.get_mut().0.as_mut().poll(context)
    }
}

impl<T> std::fmt::Debug for Waiting<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Waiting")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn stalled<T>(result: &Result<T, StoreError>) -> bool {
        matches!(result, Err(StoreError::Stalled { .. }))
    }

    #[tokio::test]
    async fn a_disk_that_stalls_takes_no_more_than_its_share_of_threads_and_nobody_waits_for_ever() {
        let gate = Gate::new(Path::new("/srv"));
        let (release, held) = mpsc::channel::<()>();
        let held = Arc::new(std::sync::Mutex::new(held));
        let looks: Vec<_> = (0..WORK + 50)
            .map(|_| {
                let (gate, held) = (gate.clone(), held.clone());
                tokio::spawn(async move {
                    gate.pass(Purpose::Look, move || {
                        _ = held.lock().unwrap().recv();
                        Ok(())
                    })
                    .await
                })
            })
            .collect();
        while gate.work.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        // Other disks, and what needs none, are as before.
        let other = Gate::new(Path::new("/other"));
        other.pass(Purpose::Change, || Ok(())).await.unwrap();
        gate.set_stalls(true);
        for look in looks {
            assert!(stalled(&look.await.unwrap()));
        }
        assert!(stalled(&gate.pass(Purpose::Change, || Ok(())).await));
        drop(release);
        gate.set_stalls(false);
        gate.pass(Purpose::Look, || Ok(())).await.unwrap();
    }

    #[tokio::test]
    async fn a_change_that_has_begun_is_waited_for() {
        let gate = Gate::new(Path::new("/srv"));
        let (release, held) = mpsc::channel::<()>();
        let change = {
            let gate = gate.clone();
            tokio::spawn(async move {
                gate.pass(Purpose::Change, move || {
                    _ = held.recv();
                    Ok(7)
                })
                .await
            })
        };
        while gate.work.available_permits() == WORK {
            tokio::task::yield_now().await;
        }
        gate.set_stalls(true);
        tokio::task::yield_now().await;
        assert!(!change.is_finished());
        release.send(()).unwrap();
        assert_eq!(change.await.unwrap().unwrap(), 7);
    }
}
