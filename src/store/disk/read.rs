//! A file's bytes as an HTTP body. An open file and a range go in, chunks of up to 256 KiB come out, in constant memory.
//! Cached pages are read on the async thread (`preadv2` with `RWF_NOWAIT`); a page that must come from the disk is
//! waited for on the blocking pool, so that a slow disk holds up one transfer and not a runtime thread. A file that
//! ends before its range is an error: the connection breaks, it is never padded and never ends as if all had been sent.

use std::{
    fs::File,
    io,
    ops::Range,
    os::unix::fs::FileExt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::task::JoinHandle;

/// The most bytes of one chunk: large enough that system calls do not show, small enough to stay in the processor's cache.
const CHUNK_BYTES: u64 = 256 * 1024;

/// A range of a file, as a stream of chunks and as an HTTP body of known length. It must be polled inside a tokio runtime.
#[derive(Debug)]
pub struct FileBody {
    file: Arc<File>,
    offset: u64,
    remaining: u64,
    /// Does the file system know reads that do not wait?
    nowait: bool,
    /// The read that waits for the disk.
    waiting: Option<JoinHandle<(BytesMut, io::Result<()>)>>,
    /// The last chunks sent: once the socket has dropped its half, their memory takes the next.
    sent: [Option<Bytes>; 2],
    failed: bool,
}

enum Cached {
    Bytes(usize),
    OnDisk,
    Unsupported,
}

impl FileBody {
    /// The bytes of `range`, which should lie within the file: what is missing when it is read is an error then.
    pub fn new(file: Arc<File>, range: Range<u64>) -> Self {
        Self {
            file,
            offset: range.start,
            remaining: range.end.saturating_sub(range.start),
            nowait: cfg!(target_os = "linux"),
            waiting: None,
            sent: [None, None],
            failed: false,
        }
    }

    /// The next chunk, `None` behind the last one. Cancelling it loses nothing. Nothing follows an error.
    pub async fn next(&mut self) -> Option<io::Result<Bytes>> {
        std::future::poll_fn(|context| self.poll_chunk(context)).await
    }

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.failed || self.remaining == 0 {
            return Poll::Ready(None);
        }
        let chunk = ready!(self.poll_read(context));
        self.failed = chunk.is_err();
        Poll::Ready(Some(chunk))
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        if self.waiting.is_none() {
            let mut buffer = self.buffer();
            match self.read_cached(&mut buffer)? {
                Cached::Bytes(0) => return Poll::Ready(Err(cut_short())),
                Cached::Bytes(count) => {
                    buffer.truncate(count);
                    return Poll::Ready(Ok(self.pass_on(buffer)));
                }
                Cached::OnDisk => {}
                Cached::Unsupported => self.nowait = false,
            }
            let (file, offset) = (Arc::clone(&self.file), self.offset);
            self.waiting = Some(tokio::task::spawn_blocking(move || {
                let read = fill(&file, &mut buffer, offset);
                (buffer, read)
            }));
        }
        let Some(task) = &mut self.waiting else {
            return Poll::Ready(Err(io::Error::other("no read is under way")));
        };
        let ended = ready!(Pin::new(task).poll(context));
        self.waiting = None;
        let (buffer, read) = ended.map_err(io::Error::other)?;
        read?;
        Poll::Ready(Ok(self.pass_on(buffer)))
    }

    /// A buffer of exactly the next chunk's length, in memory of an earlier chunk where that is free again.
    fn buffer(&mut self) -> BytesMut {
        let length = usize::try_from(self.remaining.min(CHUNK_BYTES)).unwrap_or(usize::MAX);
        for slot in &mut self.sent {
            match slot.take().map(Bytes::try_into_mut) {
                Some(Ok(mut free)) if free.capacity() >= length => {
                    free.resize(length, 0);
                    return free;
                }
                Some(Err(in_use)) => *slot = Some(in_use),
                Some(Ok(_)) | None => {}
            }
        }
        BytesMut::zeroed(length)
    }

    fn pass_on(&mut self, buffer: BytesMut) -> Bytes {
        let chunk = buffer.freeze();
        let length = chunk.len() as u64;
        self.offset = self.offset.saturating_add(length);
        self.remaining = self.remaining.saturating_sub(length);
        // The older chunk moves on: where it is still in use, its memory goes back to the allocator by itself.
        let [newer, older] = &mut self.sent;
        if newer.is_some() {
            *older = newer.take();
        }
        *newer = Some(chunk.clone());
        chunk
    }

    #[cfg(target_os = "linux")]
    fn read_cached(&self, buffer: &mut [u8]) -> io::Result<Cached> {
        use rustix::io::{Errno, ReadWriteFlags, preadv2};
        if !self.nowait {
            return Ok(Cached::Unsupported);
        }
        loop {
            let mut buffers = [io::IoSliceMut::new(buffer)];
            return match preadv2(&self.file, &mut buffers, self.offset, ReadWriteFlags::NOWAIT) {
                Ok(count) => Ok(Cached::Bytes(count)),
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => Ok(Cached::OnDisk),
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(Cached::Unsupported),
                Err(error) => Err(error.into()),
            };
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn read_cached(&self, _buffer: &mut [u8]) -> io::Result<Cached> {
        Ok(Cached::Unsupported)
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let chunk = ready!(self.get_mut().poll_chunk(context));
        Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}

/// Reads until the buffer is full. Interrupted reads are taken up again, short ones continued.
fn fill(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    match file.read_exact_at(buffer, offset) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(cut_short()),
        read => read,
    }
}

fn cut_short() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the file ended before the range that was promised",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: usize = CHUNK_BYTES as usize;

    fn file_of(content: &[u8]) -> Arc<File> {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(content, 0).unwrap();
        Arc::new(file)
    }

    fn pattern(length: usize) -> Vec<u8> {
        (0..length).map(|i| (i % 251) as u8).collect()
    }

    async fn collect(mut body: FileBody) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(chunk) = body.next().await {
            let chunk = chunk?;
            assert!(!chunk.is_empty() && chunk.len() <= CHUNK);
            all.extend_from_slice(&chunk);
        }
        assert!(body.is_end_stream());
        Ok(all)
    }

    #[tokio::test]
    async fn ranges_at_every_boundary_come_back_exactly_by_both_ways_of_reading() {
        let content = pattern(3 * CHUNK + 17);
        let file = file_of(&content);
        let ends = [
            0,
            1,
            CHUNK - 1,
            CHUNK,
            CHUNK + 1,
            2 * CHUNK,
            content.len() - 1,
            content.len(),
        ];
        for nowait in [true, false] {
            for start in ends {
                for end in ends.into_iter().filter(|end| *end >= start) {
                    let mut body = FileBody::new(Arc::clone(&file), start as u64..end as u64);
                    body.nowait &= nowait;
                    assert_eq!(body.size_hint().exact(), Some((end - start) as u64));
                    assert!(
                        collect(body).await.unwrap() == content[start..end],
                        "{start}..{end}"
                    );
                }
            }
        }
    }

    #[tokio::test]
    async fn chunks_that_are_kept_are_never_written_over() {
        let content = pattern(8 * CHUNK);
        let mut body = FileBody::new(file_of(&content), 0..content.len() as u64);
        let mut kept = Vec::new();
        while let Some(chunk) = body.next().await {
            kept.push(chunk.unwrap());
        }
        assert!(kept.concat() == content);
    }

    #[tokio::test]
    async fn memory_of_a_chunk_that_was_sent_takes_the_next() {
        let mut body = FileBody::new(file_of(&pattern(4 * CHUNK)), 0..4 * CHUNK_BYTES);
        let mut places = std::collections::BTreeSet::new();
        while let Some(chunk) = body.next().await {
            places.insert(chunk.unwrap().as_ptr());
        }
        assert!(places.len() <= 2, "{places:?}");
    }

    #[tokio::test]
    async fn a_file_that_shrinks_while_it_is_read_is_an_error_and_nothing_follows() {
        for nowait in [true, false] {
            let file = file_of(&pattern(3 * CHUNK));
            let mut body = FileBody::new(Arc::clone(&file), 0..3 * CHUNK_BYTES);
            body.nowait &= nowait;
            body.next().await.unwrap().unwrap();
            file.set_len(CHUNK_BYTES + 5).unwrap();
            let error = loop {
                if let Err(error) = body.next().await.unwrap() {
                    break error;
                }
            };
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
            assert!(body.next().await.is_none());
            assert!(!body.is_end_stream(), "a broken body must not look whole");
        }
    }

    #[tokio::test]
    async fn a_huge_sparse_file_streams_from_a_few_buffers() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(10 << 30).unwrap();
        let start = (10 << 30) - (64 << 20) - 3;
        let mut body = FileBody::new(Arc::new(file), start..10 << 30);
        let (mut length, mut places) = (0, std::collections::BTreeSet::new());
        while let Some(chunk) = body.next().await {
            let chunk = chunk.unwrap();
            assert!(chunk.iter().all(|b| *b == 0));
            length += chunk.len();
            places.insert(chunk.as_ptr());
        }
        assert_eq!(length, (64 << 20) + 3);
        assert!(places.len() <= 4, "{}", places.len());
    }
}
