//! Memory for chunks of files, kept for the next chunk: fresh memory would be cleared, and fetched from the kernel page by page. Each thread keeps its
//! own, whose lines are in the cache of its processor.

use std::cell::RefCell;

use bytes::Bytes;

/// How long a buffer is: large enough that system calls do not show, small enough to stay in the processor's cache.
pub(super) const BUFFER_BYTES: usize = 256 * 1024;
/// Where a buffer begins in memory. Copying to an address a little behind the beginning of a page, where allocators put what is large, takes some
/// processors two to three times as long.
const ALIGNED: usize = 4096;
/// Fewer bytes than this are copied.
const FEW: usize = 16 * 1024;
/// The most that a thread keeps, of each length.
const MOST_KEPT: usize = 8;

/// How long a small buffer is: one chunk of a long body.
pub(super) const SMALL_BYTES: usize = 64 * 1024;

thread_local! {
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static KEPT_SMALL: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of [`BUFFER_BYTES`] or [`SMALL_BYTES`], which goes back when it is dropped.
#[derive(Debug)]
pub(super) struct Buffer(Vec<u8>);

/// The first bytes of one.
struct Filled(Buffer, usize);

impl Buffer {
    /// One with room for so many bytes, at most [`BUFFER_BYTES`]: one that was used before, with
    /// whatever is left in it, or a fresh one.
    pub(super) fn take(bytes: usize) -> Self {
        let (pool, length) = match bytes <= SMALL_BYTES {
            true => (&KEPT_SMALL, SMALL_BYTES),
            false => (&KEPT, BUFFER_BYTES),
        };
        let kept = pool.try_with(|kept| kept.borrow_mut().pop()).ok().flatten();
        Self(kept.unwrap_or_else(|| vec![0; length + ALIGNED]))
    }

    /// The first bytes, to be written to.
    pub(super) fn first(&mut self, length: usize) -> &mut [u8] {
        let start = start(&self.0);
        self.0.get_mut(start..start + length).unwrap_or_default()
    }

    /// The first bytes, which must have been written since it was taken.
    /// A few bytes are copied: they may be kept for long, and must not keep a whole buffer.
    pub(super) fn filled(self, length: usize) -> Bytes {
        if length < FEW {
            let start = start(&self.0);
            return Bytes::copy_from_slice(self.0.get(start..start + length).unwrap_or_default());
        }
        Bytes::from_owner(Filled(self, length))
    }
}

/// Where the first page of it begins.
fn start(bytes: &[u8]) -> usize {
    bytes.as_ptr().align_offset(ALIGNED).min(ALIGNED)
}

impl AsRef<[u8]> for Filled {
    fn as_ref(&self) -> &[u8] {
        let Self(Buffer(bytes), length) = self;
        let start = start(bytes);
        bytes.get(start..start + length).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.0);
        let pool = match buffer.len() <= SMALL_BYTES + ALIGNED {
            true => &KEPT_SMALL,
            false => &KEPT,
        };
        // A thread that ends keeps nothing.
        _ = pool.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.len() < MOST_KEPT {
                kept.push(buffer);
            }
        });
    }
}
