//! Files on their way to a plain socket without passing through the program: `sendfile(2)` by way of an HTTP library that knows bytes alone.
//!
//! A body hands out slices of one window of zeros, which nobody ever reads or writes, and registers for each slice the piece of a file that it stands
//! for. The socket, which gets the slices back in the order in which they were handed out, knows them by their address and sends the pieces. A body
//! can only do this with a [`FileQueue`], and there is one only where a socket has taken the [`FileSource`] that belongs to it: over TLS or HTTP/2, where
//! the zeros themselves would be sent, there is none.

use std::{
    collections::VecDeque,
    io,
    ops::Range,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, ready},
};

use crate::store::{Cached, ObjectFile, Waiting};
use bytes::Bytes;

/// The most bytes of one piece.
const PIECE: usize = 1024 * 1024;
/// What the slices are of: zeros in the program's file. It takes no memory, since no page of it is ever touched.
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
    pub file: ObjectFile,
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
    file: ObjectFile,
    range: Range<u64>,
    /// The next piece is being fetched from the disk.
    fetching: Option<Waiting<()>>,
}

impl WindowBody {
    pub(super) fn new(queue: FileQueue, file: ObjectFile, range: Range<u64>) -> Self {
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
    /// and not a thread of connections. Before the last one a look is taken whether the file was written to in place: then the connection breaks.
    pub(super) fn poll_slice(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let length = usize::try_from(self.remaining()).unwrap_or(usize::MAX).min(PIECE);
        if length == 0 {
            return Poll::Ready(None);
        }
        let piece = self.range.start..self.range.start.saturating_add(length as u64);
        if self.fetching.is_none() && self.file.is_cached(&piece) == Cached::No {
            self.fetching = Some(self.file.fetch(piece.clone()));
        }
        if let Some(fetching) = &mut self.fetching {
            let fetched = ready!(Pin::new(fetching).poll(context));
            self.fetching = None;
            if let Err(error) = fetched {
                return Poll::Ready(Some(Err(error)));
            }
        }
        if piece.end == self.range.end
            && let Err(error) = self.file.unchanged()
        {
            return Poll::Ready(Some(Err(error)));
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

    fn file(bytes: usize) -> ObjectFile {
        let file = tempfile::tempfile().unwrap();
        file.set_len(bytes as u64).unwrap();
        ObjectFile::alone(file).unwrap()
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
    async fn of_a_file_that_is_written_to_in_place_the_last_piece_is_not_handed_out() {
        let (queue, _source) = queue();
        let opened = file(2 * PIECE);
        let mut body = WindowBody::new(queue, opened.clone(), 0..2 * PIECE as u64);
        std::future::poll_fn(|context| body.poll_slice(context))
            .await
            .unwrap()
            .unwrap();
        // The file system's clock ticks.
        std::thread::sleep(std::time::Duration::from_millis(50));
        std::os::unix::fs::FileExt::write_all_at(opened.file(), b"other", 0).unwrap();
        let last = std::future::poll_fn(|context| body.poll_slice(context)).await;
        assert!(last.unwrap().is_err());
        assert!(body.remaining() > 0, "a broken body must not look whole");
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
