//! The bytes of answers that wait to be written: counted from the moment they are read until the
//! socket has taken them, for each stream, each connection and the whole process.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use atomic_waker::AtomicWaker;
use bytes::{Buf, Bytes};

use crate::types::Network;

/// The most bytes that one stream holds.
pub(super) const MOST_PER_STREAM: usize = 64 * 1024;
/// What a stream that holds nothing may always hold, so that none waits for what others hold.
pub(super) const ALWAYS: usize = 4 * 1024;
/// The most bytes that one connection holds besides. It is enough for every stream of the default
/// limit.
const MOST_PER_CONNECTION: usize = 128 * MOST_PER_STREAM;

/// What all connections hold. A copy is another handle on the same counts.
#[derive(Clone)]
pub(in crate::server) struct SendBuffers {
    held: Arc<Mutex<Held>>,
    most: usize,
}

#[derive(Default)]
struct Held {
    all: usize,
    by_source: HashMap<Network, usize>,
}

/// What one connection holds.
pub(super) struct ConnectionBuffers {
    all: SendBuffers,
    source: Network,
    held: AtomicUsize,
}

/// What one stream holds.
pub(super) struct StreamBuffers {
    connection: Arc<ConnectionBuffers>,
    /// Bytes that are read and not written.
    unwritten: AtomicUsize,
    /// Bytes that the socket has taken.
    written: AtomicUsize,
    /// Whether the library dropped bytes: the stream was reset, or its connection is gone.
    has_lost: AtomicBool,
    waits: AtomicWaker,
}

/// Bytes of an answer on their way through the library.
pub(super) struct Chunk {
    bytes: Bytes,
    buffers: Arc<StreamBuffers>,
}

impl SendBuffers {
    /// At most `most` bytes for all connections.
    pub(in crate::server) fn new(most: usize) -> Self {
        Self {
            held: Arc::default(),
            most,
        }
    }

    fn locked(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionBuffers {
    /// A connection of this source.
    pub(super) fn new(all: SendBuffers, source: Network) -> Self {
        Self {
            all,
            source,
            held: AtomicUsize::new(0),
        }
    }

    /// Counts so many bytes more if there is room. A source holds no more than is free for the
    /// others: each further one gets at most a half of what is left.
    fn take(&self, bytes: usize) -> bool {
        let mut held = self.all.locked();
        let of_source = held.by_source.get(&self.source).copied().unwrap_or(0);
        let wanted = of_source.saturating_add(bytes);
        let free = self.all.most.saturating_sub(held.all.saturating_add(bytes));
        let of_connection = self.held.load(Ordering::Relaxed).saturating_add(bytes);
        if wanted > free || of_connection > MOST_PER_CONNECTION {
            return false;
        }
        self.count(&mut held, bytes);
        true
    }

    /// Counts so many bytes more, whether or not there is room.
    fn add(&self, bytes: usize) {
        self.count(&mut self.all.locked(), bytes);
    }

    fn count(&self, held: &mut Held, bytes: usize) {
        held.all = held.all.saturating_add(bytes);
        let of_source = held.by_source.entry(self.source).or_default();
        *of_source = of_source.saturating_add(bytes);
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    fn give_back(&self, bytes: usize) {
        let mut held = self.all.locked();
        held.all = held.all.saturating_sub(bytes);
        if let Some(of_source) = held.by_source.get_mut(&self.source) {
            *of_source = of_source.saturating_sub(bytes);
            if *of_source == 0 {
                held.by_source.remove(&self.source);
            }
        }
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl StreamBuffers {
    pub(super) fn new(connection: Arc<ConnectionBuffers>) -> Arc<Self> {
        Arc::new(Self {
            connection,
            unwritten: AtomicUsize::new(0),
            written: AtomicUsize::new(0),
            has_lost: AtomicBool::new(false),
            waits: AtomicWaker::new(),
        })
    }

    /// Reserves room for so many bytes that are about to be read, or for fewer. There is always
    /// some while the library holds nothing of the stream.
    pub(super) fn reserve(self: &Arc<Self>, bytes: usize) -> Option<Room> {
        let few = bytes.min(ALWAYS);
        let bytes = match self.connection.take(bytes) {
            true => bytes,
            false if self.is_written() => {
                self.connection.add(few);
                few
            }
            false => return None,
        };
        Some(Room {
            buffers: self.clone(),
            bytes,
        })
    }

    /// Reserves room for a text that is in memory, all or nothing.
    pub(super) fn reserve_all(self: &Arc<Self>, bytes: usize) -> Option<Room> {
        self.connection.take(bytes).then(|| Room {
            buffers: self.clone(),
            bytes,
        })
    }

    /// Whether the library dropped bytes that it had not written.
    pub(super) fn has_lost(&self) -> bool {
        self.has_lost.load(Ordering::Acquire)
    }

    /// How many bytes the socket has taken since this was asked last.
    pub(super) fn take_written(&self) -> usize {
        self.written.swap(0, Ordering::Relaxed)
    }

    /// Whether the library holds nothing of the stream.
    pub(super) fn is_written(&self) -> bool {
        self.unwritten.load(Ordering::Acquire) == 0
    }

    /// Ready once the library holds nothing of the stream.
    pub(super) fn poll_written(&self, context: &mut Context<'_>) -> Poll<()> {
        self.waits.register(context.waker());
        match self.is_written() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    fn leaves(&self, bytes: usize) {
        self.connection.give_back(bytes);
        if self.unwritten.fetch_sub(bytes, Ordering::AcqRel) == bytes {
            self.waits.wake();
        }
    }
}

/// Room for bytes that are being read. What is not used of it is given back.
pub(super) struct Room {
    buffers: Arc<StreamBuffers>,
    bytes: usize,
}

impl Room {
    /// For how many bytes it is.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Fills the room, or less of it. Bytes beyond it, of which there should be none, are counted
    /// too.
    pub(super) fn fill(mut self, bytes: Bytes) -> Chunk {
        let connection = &self.buffers.connection;
        match bytes.len().checked_sub(self.bytes) {
            Some(beyond) => connection.add(beyond),
            None => connection.give_back(self.bytes.saturating_sub(bytes.len())),
        }
        self.bytes = 0;
        self.buffers.unwritten.fetch_add(bytes.len(), Ordering::AcqRel);
        Chunk {
            bytes,
            buffers: self.buffers.clone(),
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.buffers.connection.give_back(self.bytes);
    }
}

impl Chunk {
    /// The first `at` bytes, to be written before the others.
    pub(super) fn split_to(&mut self, at: usize) -> Self {
        Self {
            bytes: self.bytes.split_to(at.min(self.bytes.len())),
            buffers: self.buffers.clone(),
        }
    }

    /// A chunk without bytes, to end a stream.
    pub(super) fn empty(buffers: &Arc<StreamBuffers>) -> Self {
        Self {
            bytes: Bytes::new(),
            buffers: buffers.clone(),
        }
    }
}

impl Buf for Chunk {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.buffers.written.fetch_add(count, Ordering::Relaxed);
        self.buffers.leaves(count);
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // The stream was reset, or its connection is gone.
        if !self.bytes.is_empty() {
            self.buffers.has_lost.store(true, Ordering::Release);
            self.buffers.leaves(self.bytes.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffers(all: &SendBuffers, source: &str) -> Arc<StreamBuffers> {
        let source = Network::of(source.parse().unwrap());
        StreamBuffers::new(Arc::new(ConnectionBuffers::new(all.clone(), source)))
    }

    #[test]
    fn bytes_are_counted_until_they_are_written_or_dropped() {
        let all = SendBuffers::new(1000);
        let stream = buffers(&all, "192.0.2.1");
        let held = || all.locked().all;
        let room = stream.reserve(100).unwrap();
        assert_eq!(held(), 100);
        let mut chunk = room.fill(Bytes::from_static(&[7; 60]));
        assert_eq!((held(), stream.is_written()), (60, false));
        chunk.advance(10);
        let first = chunk.split_to(20);
        assert_eq!(
            (held(), stream.take_written(), stream.has_lost()),
            (50, 10, false)
        );
        drop(first);
        assert_eq!((held(), stream.has_lost()), (30, true));
        chunk.advance(30);
        assert_eq!(
            (held(), stream.is_written(), stream.take_written()),
            (0, true, 30)
        );
        drop(stream.reserve(100));
        assert_eq!(held(), 0);
        assert!(all.locked().by_source.is_empty());
    }

    #[test]
    fn sources_that_fill_up_leave_room_for_one_more() {
        let all = SendBuffers::new(256 * MOST_PER_STREAM);
        let mut kept = Vec::new();
        // Each source has as many connections as it likes.
        for host in 1..=3 {
            for _ in 0..4 {
                let stream = buffers(&all, &format!("192.0.2.{host}"));
                kept.extend(std::iter::from_fn(|| stream.reserve_all(MOST_PER_STREAM)));
            }
        }
        assert!(all.locked().all < all.most);
        let other = buffers(&all, "198.51.100.1");
        assert_eq!(other.reserve(MOST_PER_STREAM).unwrap().bytes(), MOST_PER_STREAM);
    }

    #[test]
    fn a_stream_that_holds_nothing_has_room_always() {
        let all = SendBuffers::new(10);
        let stream = buffers(&all, "192.0.2.1");
        let room = stream.reserve(MOST_PER_STREAM).unwrap();
        assert_eq!(room.bytes(), ALWAYS);
        let _chunk = room.fill(Bytes::from_static(&[7; 60]));
        assert!(stream.reserve(1).is_none(), "it holds some");
        assert!(buffers(&all, "192.0.2.1").reserve_all(100).is_none());
    }

    #[test]
    fn a_connection_has_a_bound_of_its_own() {
        let all = SendBuffers::new(usize::MAX);
        let stream = buffers(&all, "192.0.2.1");
        let rooms = std::iter::from_fn(|| stream.reserve_all(MOST_PER_STREAM));
        assert_eq!(rooms.collect::<Vec<_>>().len(), 128);
    }
}
