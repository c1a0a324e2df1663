//! The bytes of answers that wait to be written: counted from the moment they are read until the
//! socket has taken them, for each stream, each connection and the whole process.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use atomic_waker::AtomicWaker;
use bytes::{Buf, Bytes};

/// The most bytes that one stream holds.
pub(super) const MOST_PER_STREAM: usize = 64 * 1024;
/// The most bytes that one connection holds. It is enough for every stream of the default limit.
const MOST_PER_CONNECTION: usize = 128 * MOST_PER_STREAM;

/// What all connections hold. A copy is another handle on the same count.
#[derive(Clone)]
pub(in crate::server) struct SendBuffers {
    held: Arc<AtomicUsize>,
    most: usize,
}

/// What one connection holds.
pub(super) struct ConnectionBuffers {
    all: SendBuffers,
    held: AtomicUsize,
}

/// What one stream holds.
pub(super) struct StreamBuffers {
    connection: Arc<ConnectionBuffers>,
    /// Bytes that are read and not written.
    unwritten: AtomicUsize,
    /// Bytes that the socket has taken.
    written: AtomicUsize,
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
}

impl ConnectionBuffers {
    pub(super) fn new(all: SendBuffers) -> Self {
        Self {
            all,
            held: AtomicUsize::new(0),
        }
    }

    /// Counts so many bytes more if there is room. A connection holds no more than is free for the
    /// others: each further one gets at most a half of what is left.
    fn take(&self, bytes: usize) -> bool {
        let held = self
            .held
            .fetch_add(bytes, Ordering::Relaxed)
            .saturating_add(bytes);
        let all = self
            .all
            .held
            .fetch_add(bytes, Ordering::Relaxed)
            .saturating_add(bytes);
        let free = self.all.most.saturating_sub(all);
        if held <= MOST_PER_CONNECTION.min(free) && all <= self.all.most {
            return true;
        }
        self.give_back(bytes);
        false
    }

    fn give_back(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
        self.all.held.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl StreamBuffers {
    pub(super) fn new(connection: Arc<ConnectionBuffers>) -> Arc<Self> {
        Arc::new(Self {
            connection,
            unwritten: AtomicUsize::new(0),
            written: AtomicUsize::new(0),
            waits: AtomicWaker::new(),
        })
    }

    /// Reserves room for so many bytes that are about to be read.
    pub(super) fn reserve(self: &Arc<Self>, bytes: usize) -> Option<Room> {
        self.connection.take(bytes).then(|| Room {
            buffers: self.clone(),
            bytes,
        })
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
    /// Fills the room, or less of it. Bytes beyond it, of which there should be none, are counted
    /// too.
    pub(super) fn fill(mut self, bytes: Bytes) -> Chunk {
        let connection = &self.buffers.connection;
        match bytes.len().checked_sub(self.bytes) {
            Some(beyond) => {
                connection.held.fetch_add(beyond, Ordering::Relaxed);
                connection.all.held.fetch_add(beyond, Ordering::Relaxed);
            }
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
            self.buffers.leaves(self.bytes.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffers(all: &SendBuffers) -> Arc<StreamBuffers> {
        StreamBuffers::new(Arc::new(ConnectionBuffers::new(all.clone())))
    }

    #[test]
    fn bytes_are_counted_until_they_are_written_or_dropped() {
        let all = SendBuffers::new(1000);
        let stream = buffers(&all);
        let held = || all.held.load(Ordering::Relaxed);
        let room = stream.reserve(100).unwrap();
        assert_eq!(held(), 100);
        let mut chunk = room.fill(Bytes::from_static(&[7; 60]));
        assert_eq!((held(), stream.is_written()), (60, false));
        chunk.advance(10);
        let first = chunk.split_to(20);
        assert_eq!((held(), stream.take_written()), (50, 10));
        drop(first);
        assert_eq!(held(), 30);
        chunk.advance(30);
        assert_eq!(
            (held(), stream.is_written(), stream.take_written()),
            (0, true, 30)
        );
        drop(stream.reserve(100));
        assert_eq!(held(), 0);
    }

    #[test]
    fn connections_that_fill_up_leave_room_for_one_more() {
        let all = SendBuffers::new(64 * MOST_PER_STREAM);
        let mut kept = Vec::new();
        for _ in 0..6 {
            let stream = buffers(&all);
            while let Some(room) = stream.reserve(MOST_PER_STREAM / 64) {
                kept.push(room);
            }
        }
        assert!(all.held.load(Ordering::Relaxed) < all.most);
        assert!(buffers(&all).reserve(MOST_PER_STREAM / 64).is_some());
    }

    #[test]
    fn a_connection_has_a_bound_of_its_own() {
        let all = SendBuffers::new(usize::MAX);
        let stream = buffers(&all);
        let rooms: Vec<_> = std::iter::from_fn(|| stream.reserve(MOST_PER_STREAM)).collect();
        assert_eq!(rooms.len(), 128);
    }
}
