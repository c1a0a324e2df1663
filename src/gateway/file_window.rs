//! Files on their way to a plain socket without passing through the program: `sendfile(2)` by way of an HTTP library that knows bytes alone.
//!
//! A body hands out slices of one window of zeros, which nobody ever reads or writes, and registers for each slice the piece of a file that it stands
//! for. The socket, which gets the slices back in the order in which they were handed out, knows them by their address and sends the pieces. A body
//! can only do this with a [`FileQueue`], and there is one only where a socket has taken the [`FileSource`] that belongs to it: over TLS or HTTP/2, where
//! the zeros themselves would be sent, there is none.

use std::{
    collections::VecDeque,
    fs::File,
    io,
    ops::Range,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::store::{self, Cached};

/// The most bytes of one piece.
const PIECE: usize = 256 * 1024;
/// What the slices are of. It lies among the zeros of the program and takes no memory, since no page of it is ever touched.
static WINDOW: [u8; PIECE] = [0; PIECE];

/// Where bodies register what they hand out.
#[derive(Clone, Debug)]
pub struct FileQueue(Weak<Mutex<VecDeque<Piece>>>);

/// Where a socket finds what it is to send for the slices that it gets.
#[derive(Debug)]
pub struct FileSource(Arc<Mutex<VecDeque<Piece>>>);

/// A piece of a file.
#[derive(Clone, Debug)]
pub struct Piece {
    /// The file.
    pub file: Arc<File>,
    /// Where the piece begins.
    pub offset: u64,
    /// How much of it is left.
    pub length: usize,
}

/// Both ends. Whoever takes the source promises to send its pieces in place of the window's slices.
pub(super) fn queue() -> (FileQueue, FileSource) {
    let pieces = Arc::new(Mutex::new(VecDeque::new()));
    (FileQueue(Arc::downgrade(&pieces)), FileSource(pieces))
}

fn locked(pieces: &Mutex<VecDeque<Piece>>) -> MutexGuard<'_, VecDeque<Piece>> {
    pieces.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FileQueue {
    /// Registers a piece of at most [`PIECE`] bytes; the slice that stands for it comes out. None: nobody would send it.
    fn push(&self, piece: Piece) -> Option<Bytes> {
        let slice = Bytes::from_static(WINDOW.get(..piece.length)?);
        let pieces = self.0.upgrade()?;
        locked(&pieces).push_back(piece);
        Some(slice)
    }
}

impl FileSource {
    /// Does this slice stand for a piece? By its address: nothing else lies there.
    pub fn stands_for_a_piece(slice: &[u8]) -> bool {
        WINDOW.as_ptr_range().contains(&slice.as_ptr())
    }

    /// The piece that is to be sent next.
    pub fn front(&self) -> Option<Piece> {
        locked(&self.0).front().cloned()
    }

    /// So many bytes of it are sent.
    pub fn sent(&self, bytes: usize) {
        let mut pieces = locked(&self.0);
        if let Some(front) = pieces.front_mut() {
            front.offset = front.offset.saturating_add(bytes as u64);
            front.length = front.length.saturating_sub(bytes);
            if front.length == 0 {
                pieces.pop_front();
            }
        }
    }
}

/// A range of a file as a body of slices.
#[derive(Debug)]
pub(super) struct WindowBody {
    queue: FileQueue,
    file: Arc<File>,
    range: Range<u64>,
    /// The next piece is being fetched from the disk.
    fetching: Option<JoinHandle<io::Result<()>>>,
}

impl WindowBody {
    pub(super) fn new(queue: FileQueue, file: Arc<File>, range: Range<u64>) -> Self {
        Self {
            queue,
            file,
            range,
            fetching: None,
        }
    }

    /// How many bytes are still to be handed out.
    pub(super) fn remaining(&self) -> u64 {
        self.range.end.saturating_sub(self.range.start)
    }

    /// The next slice. A piece that the page cache does not hold is fetched on the blocking pool first, so that a slow disk holds up one transfer
    /// and not a thread of connections.
    pub(super) fn poll_slice(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let length = usize::try_from(self.remaining()).unwrap_or(usize::MAX).min(PIECE);
        if length == 0 {
            return Poll::Ready(None);
        }
        let piece = self.range.start..self.range.start.saturating_add(length as u64);
        if self.fetching.is_none() && store::is_cached(&self.file, &piece) == Cached::No {
            let (file, piece) = (self.file.clone(), piece.clone());
            self.fetching = Some(tokio::task::spawn_blocking(move || store::fetch(&file, &piece)));
        }
        if let Some(fetching) = &mut self.fetching {
            let fetched = ready!(Pin::new(fetching).poll(context));
            self.fetching = None;
            if let Err(error) = fetched.map_err(io::Error::other).and_then(|fetched| fetched) {
                return Poll::Ready(Some(Err(error)));
            }
        }
        let slice = self.queue.push(Piece {
            file: self.file.clone(),
            offset: piece.start,
            length,
        });
        self.range.start = piece.end;
        Poll::Ready(Some(slice.ok_or_else(|| io::ErrorKind::NotConnected.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: usize) -> Arc<File> {
        let file = tempfile::tempfile().unwrap();
        file.set_len(bytes as u64).unwrap();
        Arc::new(file)
    }

    #[tokio::test]
    async fn slices_and_pieces_are_of_the_same_bytes_in_the_same_order() {
        let (queue, source) = queue();
        let length = PIECE + 17;
        let mut body = WindowBody::new(queue, file(length + 5), 5..(length + 5) as u64);
        let mut slices = Vec::new();
        while let Some(slice) = std::future::poll_fn(|context| body.poll_slice(context)).await {
            slices.push(slice.unwrap());
        }
        assert_eq!(slices.iter().map(Bytes::len).collect::<Vec<_>>(), [PIECE, 17]);
        assert!(slices.iter().all(|slice| FileSource::stands_for_a_piece(slice)));
        assert!(
            FileSource::stands_for_a_piece(&slices[0][PIECE - 1..]),
            "also what is left of one"
        );
        assert!(!FileSource::stands_for_a_piece(b"text") && !FileSource::stands_for_a_piece(&[0; 64]));
        let mut at = 5;
        while let Some(piece) = source.front() {
            assert_eq!(piece.offset, at);
            let sent = piece.length.min(100_000);
            at += sent as u64;
            source.sent(sent);
        }
        assert_eq!(at, (length + 5) as u64);
    }

    #[tokio::test]
    async fn without_a_socket_that_sends_pieces_there_are_no_slices() {
        let (queue, source) = queue();
        drop(source);
        let mut body = WindowBody::new(queue, file(10), 0..10);
        let slice = std::future::poll_fn(|context| body.poll_slice(context)).await;
        assert!(slice.unwrap().is_err());
    }
}
