//! The connection that a request came by, as far as a gateway may act on it.

use std::{
    future::poll_fn,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

use atomic_waker::AtomicWaker;

use super::{
    Tail,
    file_window::{self, FileQueue, FileSource},
};

/// A handle on one connection. A copy is another handle on the same.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    end: Arc<End>,
    unsent: Unsent,
    files: Option<FileQueue>,
}

/// The answers of which a library holds the last bytes.
#[derive(Clone, Default)]
struct Unsent(Arc<Mutex<Tails>>);

#[derive(Default)]
struct Tails {
    waiting: Vec<Tail>,
    /// Nothing is written any more.
    is_closed: bool,
}

impl Unsent {
    fn locked(&self) -> MutexGuard<'_, Tails> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Unsent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Unsent")
    }
}

/// One bit and who waits for it. (To look at a `CancellationToken`, which knows many who wait and tokens below it, took several hundred instructions a
/// request.)
#[derive(Debug, Default)]
struct End {
    is_near: AtomicBool,
    waits: AtomicWaker,
}

impl Connection {
    /// A connection that holds.
    pub fn new() -> Self {
        Self::default()
    }

    /// One whose socket sends files by itself: whoever writes to it must send the pieces of the source in place of the slices that stand for them.
    pub fn sending_files() -> (Self, FileSource) {
        let (files, source) = file_window::queue();
        let connection = Self {
            files: Some(files),
            ..Self::default()
        };
        (connection, source)
    }

    /// Where to register files that the socket sends by itself, if it does.
    pub(super) fn files(&self) -> Option<&FileQueue> {
        self.files.as_ref()
    }

    /// Keeps an answer's tail until the library that holds its last bytes has written them.
    pub(super) fn wait_until_sent(&self, tail: Tail) {
        let mut tails = self.unsent.locked();
        if !tails.is_closed {
            tails.waiting.push(tail);
        }
    }

    /// All answers so far are written.
    pub fn flushed(&self) {
        // Dropped outside of the lock: a record is written then.
        let sent = match &mut self.unsent.locked().waiting {
            tails if tails.is_empty() => return,
            tails => std::mem::take(tails),
        };
        sent.into_iter().for_each(Tail::sent);
    }

    /// The other end takes nothing more at once: what waits to be written can be cut from now on.
    pub fn stalls(&self) {
        let mut tails = self.unsent.locked();
        tails.waiting.iter_mut().for_each(Tail::stalls);
    }

    /// The connection is over: what was not written never is.
    pub fn closed(&self) {
        let mut tails = self.unsent.locked();
        tails.is_closed = true;
        let never_sent = std::mem::take(&mut tails.waiting);
        drop(tails);
        drop(never_sent);
    }

    /// Asks whoever serves the connection to break it off at once: without an end to what is being sent, and without what waits to be sent.
    pub fn break_off(&self) {
        self.end.is_near.store(true, Ordering::Release);
        self.end.waits.wake();
    }

    /// Has it been asked?
    pub fn is_broken_off(&self) -> bool {
        self.end.is_near.load(Ordering::Acquire)
    }

    /// Ends when it has been asked. One task may wait for it: that which serves the connection.
    pub async fn broken_off(&self) {
        poll_fn(|context| {
            // Registered first: what is asked in between wakes.
            self.end.waits.register(context.waker());
            match self.is_broken_off() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn whoever_waits_for_the_end_hears_of_it_also_when_it_has_been() {
        let connection = Connection::new();
        assert!(!connection.is_broken_off());
        let mut waiting = Box::pin(connection.broken_off());
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        connection.clone().break_off();
        waiting.await;
        assert!(connection.is_broken_off());
        connection.broken_off().await;
    }

    #[test]
    fn it_is_woken_across_threads_whenever_it_is_asked() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for _ in 0..200 {
            let connection = Connection::new();
            std::thread::scope(|scope| {
                scope.spawn(|| connection.break_off());
                runtime.block_on(connection.broken_off());
            });
        }
    }
}
