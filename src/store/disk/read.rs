//! A file's bytes as an HTTP body. An open file and a range go in, chunks of up to 256 KiB (64 KiB of what is long, since a reader that stalls holds
//! one) come out, in constant memory.
//! Cached pages are read on the async thread (`preadv2` with `RWF_NOWAIT`); a page that must come from the disk is
//! waited for on the blocking pool, so that a slow disk holds up one transfer and not a runtime thread. A file that
//! ends before its range is an error: the connection breaks, it is never padded and never ends as if all had been sent. So is one that was written to
//! in place: before the last chunk is handed out a look is taken at its size and time. What is read in one go right after opening needs none.

use std::{
    fs::File,
    io,
    ops::Range,
    os::unix::fs::FileExt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use super::{
    buffers::{BUFFER_BYTES, Buffer},
    gate::Waiting,
    opened::ObjectFile,
};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// The most bytes of one chunk.
const CHUNK_BYTES: u64 = BUFFER_BYTES as u64;
/// Of a body that is longer than this, the chunks are smaller.
const LONG: u64 = 1024 * 1024;
/// The most bytes of one chunk of a long body.
const CHUNK_OF_LONG: u64 = 64 * 1024;

/// A range of a file, as a stream of chunks and as an HTTP body of known length. It must be polled inside a tokio runtime.
#[derive(Debug)]
pub struct FileBody {
    file: ObjectFile,
    offset: u64,
    remaining: u64,
    /// Does the file system know reads that do not wait?
    nowait: bool,
    /// The read that waits for the disk.
    waiting: Option<Waiting<Chunk>>,
    /// The most bytes of one chunk.
    chunk: u64,
    /// Has nothing been read yet?
    fresh: bool,
    failed: bool,
}

/// A chunk that is being read, and how long it will be.
#[derive(Debug)]
struct Chunk(Buffer, usize);

/// What a read that does not wait finds.
enum Found {
    Bytes(usize),
    OnDisk,
    Unsupported,
}

impl Chunk {
    fn bytes(&mut self) -> &mut [u8] {
        let Self(buffer, length) = self;
        buffer.first(*length)
    }
}

impl FileBody {
    /// The bytes of `range`, which should lie within the file: what is missing when it is read is an error then.
    pub fn new(file: ObjectFile, range: Range<u64>) -> Self {
        let length = range.end.saturating_sub(range.start);
        Self {
            file,
            offset: range.start,
            remaining: length,
            nowait: cfg!(target_os = "linux"),
            waiting: None,
            chunk: if length > LONG { CHUNK_OF_LONG } else { CHUNK_BYTES },
            fresh: true,
            failed: false,
        }
    }

    /// The next chunk, `None` behind the last one. Cancelling it loses nothing. Nothing follows an error.
    pub async fn next(&mut self) -> Option<io::Result<Bytes>> {
        std::future::poll_fn(|context| self.poll_chunk(context)).await
    }

    /// How many bytes are still to come.
    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Bounds the chunks from now on.
    pub fn limit(&mut self, bytes: usize) {
        self.chunk = CHUNK_BYTES.min(bytes.max(1) as u64);
    }

    /// The file, and what of it is still to come.
    pub fn into_parts(self) -> (ObjectFile, Range<u64>) {
        (self.file, self.offset..self.offset.saturating_add(self.remaining))
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
        let fresh = std::mem::replace(&mut self.fresh, false);
        if self.waiting.is_none() {
            let length = usize::try_from(self.remaining.min(self.chunk)).unwrap_or(usize::MAX);
            let mut chunk = Chunk(Buffer::take(length), length);
            match self.read_cached(chunk.bytes())? {
                Found::Bytes(0) => return Poll::Ready(Err(cut_short())),
                Found::Bytes(count) => {
                    if !fresh && count as u64 >= self.remaining {
                        self.file.unchanged()?;
                    }
                    return Poll::Ready(Ok(self.pass_on(chunk.0.filled(count))));
                }
                Found::OnDisk => {}
                Found::Unsupported => self.nowait = false,
            }
            let (offset, is_last) = (self.offset, length as u64 >= self.remaining);
            self.waiting = Some(self.file.read(move |file| {
                fill(file.file(), chunk.bytes(), offset)?;
                if is_last {
                    file.unchanged()?;
                }
                Ok(chunk)
            }));
        }
        let Some(read) = &mut self.waiting else {
            return Poll::Ready(Err(io::Error::other("no read is under way")));
        };
        let ended = ready!(Pin::new(read).poll(context));
        self.waiting = None;
        let Chunk(buffer, length) = ended?;
        Poll::Ready(Ok(self.pass_on(buffer.filled(length))))
    }

    fn pass_on(&mut self, chunk: Bytes) -> Bytes {
        let length = chunk.len() as u64;
        self.offset = self.offset.saturating_add(length);
        self.remaining = self.remaining.saturating_sub(length);
        chunk
    }

    fn read_cached(&self, buffer: &mut [u8]) -> io::Result<Found> {
        match self.nowait {
            true => read_nowait(self.file.file(), buffer, self.offset),
            false => Ok(Found::Unsupported),
        }
    }
}

#[cfg(target_os = "linux")]
fn read_nowait(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<Found> {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};
    loop {
        let mut buffers = [io::IoSliceMut::new(buffer)];
        return match preadv2(file, &mut buffers, offset, ReadWriteFlags::NOWAIT) {
            Ok(count) => Ok(Found::Bytes(count)),
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => Ok(Found::OnDisk),
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(Found::Unsupported),
            Err(error) => Err(error.into()),
        };
    }
}

#[cfg(not(target_os = "linux"))]
fn read_nowait(_file: &File, _buffer: &mut [u8], _offset: u64) -> io::Result<Found> {
    Ok(Found::Unsupported)
}

/// Does the page cache hold a piece of a file?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cached {
    /// As far as its ends tell, and a byte every 256 KiB: what lies between them is read ahead with them.
    Yes,
    /// No, or the file system does not say.
    No,
}

/// How far apart the bytes are by which a piece counts as cached.
const LOOK_EVERY: usize = 256 * 1024;

/// Looks without waiting.
pub(super) fn is_cached(file: &File, piece: &Range<u64>) -> Cached {
    let mut byte = |at: u64| matches!(read_nowait(file, &mut [0], at), Ok(Found::Bytes(1)));
    let mut looks = piece.clone().step_by(LOOK_EVERY);
    match looks.all(&mut byte) && byte(piece.end.saturating_sub(1)) {
        true => Cached::Yes,
        false => Cached::No,
    }
}

/// Fetches a piece of a file into the page cache, and waits for it. A file that ends before is an error.
pub(super) fn fetch(file: &File, piece: &Range<u64>) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut at = piece.start;
    while at < piece.end {
        let wanted = usize::try_from(piece.end - at)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        fill(file, buffer.get_mut(..wanted).unwrap_or_default(), at)?;
        at = at.saturating_add(wanted as u64);
    }
    Ok(())
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

    fn file_of(content: &[u8]) -> ObjectFile {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(content, 0).unwrap();
        ObjectFile::alone(file).unwrap()
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

    #[cfg(target_os = "linux")]
    #[test]
    fn a_piece_with_a_hole_in_the_cache_does_not_count_as_cached() {
        const MIB: usize = 1024 * 1024;
        let file = file_of(&pattern(MIB));
        let file = file.file();
        let (whole, middle) = (0..MIB as u64, (MIB / 2) as u64);
        assert_eq!(is_cached(file, &whole), Cached::Yes);
        file.sync_all().unwrap();
        let hole = std::num::NonZero::new(64 * 1024);
        rustix::fs::fadvise(file, middle, hole, rustix::fs::Advice::DontNeed).unwrap();
        // A file system in memory keeps it: there is nothing to see there.
        let kept = is_cached(file, &(middle..middle + 1));
        if kept == Cached::Yes {
            return;
        }
        assert_eq!(is_cached(file, &whole), kept);
        assert_eq!(is_cached(file, &(0..middle)), Cached::Yes);
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
                    let mut body = FileBody::new(file.clone(), start as u64..end as u64);
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
    async fn a_long_body_has_small_chunks() {
        let mut body = FileBody::new(file_of(&pattern(5 * CHUNK)), 0..5 * CHUNK_BYTES);
        while let Some(chunk) = body.next().await {
            assert!(chunk.unwrap().len() as u64 <= CHUNK_OF_LONG);
        }
    }

    #[tokio::test]
    async fn a_file_that_shrinks_while_it_is_read_is_an_error_and_nothing_follows() {
        for nowait in [true, false] {
            let file = file_of(&pattern(3 * CHUNK));
            let mut body = FileBody::new(file.clone(), 0..3 * CHUNK_BYTES);
            body.nowait &= nowait;
            body.next().await.unwrap().unwrap();
            file.file().set_len(CHUNK_BYTES + 5).unwrap();
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
    async fn a_file_that_is_written_to_in_place_never_ends_as_if_it_were_whole() {
        for nowait in [true, false] {
            for length in [2 * CHUNK, 6 * CHUNK] {
                let file = file_of(&pattern(length));
                let mut body = FileBody::new(file.clone(), 0..length as u64);
                body.nowait &= nowait;
                body.next().await.unwrap().unwrap();
                crate::store::disk::tests::wait_for_next_time(&std::env::temp_dir());
                file.file().write_all_at(b"other", 0).unwrap();
                let error = loop {
                    if let Err(error) = body.next().await.unwrap() {
                        break error;
                    }
                };
                assert!(error.to_string().contains("in place"), "{error}");
                assert!(body.next().await.is_none());
                assert!(!body.is_end_stream(), "a broken body must not look whole");
            }
        }
    }

    #[tokio::test]
    async fn a_huge_sparse_file_streams_from_a_few_buffers() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(10 << 30).unwrap();
        let start = (10 << 30) - (64 << 20) - 3;
        let mut body = FileBody::new(ObjectFile::alone(file).unwrap(), start..10 << 30);
        let (mut length, mut places) = (0, std::collections::BTreeSet::new());
        while let Some(chunk) = body.next().await {
            let chunk = chunk.unwrap();
            assert!(chunk.iter().all(|b| *b == 0));
            length += chunk.len();
            places.insert(chunk.as_ptr());
        }
        assert_eq!(length, (64 << 20) + 3);
        assert!(places.len() <= 20, "{}", places.len());
    }
}
