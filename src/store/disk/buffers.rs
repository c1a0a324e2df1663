//! Memory for chunks of files, kept for the next chunk: fresh memory would be cleared, and fetched from the kernel page by page. Each thread keeps its
//! own, whose lines are in the cache of its processor.

use std::cell::RefCell;

use bytes::Bytes;

/// How long a buffer is: large enough that system calls do not show, small enough to stay in the processor's cache.
pub(super) const BUFFER_BYTES: usize = 256 * 1024;
/// Where a buffer begins in memory. Copying to an address a little behind the beginning of a page, where allocators put what is large, takes some
/// processors two to three times as long.
const ALIGNED: usize = 4096;
/// The most that a thread keeps.
const MOST_KEPT: usize = 8;

thread_local! {
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of [`BUFFER_BYTES`], which goes back when it is dropped.
#[derive(Debug)]
pub(super) struct Buffer(Vec<u8>);

/// The first bytes of one.
struct Filled(Buffer, usize);

impl Buffer {
    /// One that was used before, with whatever is left in it, or a fresh one.
    pub(super) fn take() -> Self {
        let kept = KEPT.try_with(|kept| kept.borrow_mut().pop()).ok().flatten();
        Self(kept.unwrap_or_else(|| vec![0; BUFFER_BYTES + ALIGNED]))
    }

    /// The first bytes, to be written to.
    pub(super) fn first(&mut self, length: usize) -> &mut [u8] {
        let start = start(&self.0);
        self.0.get_mut(start..start + length).unwrap_or_default()
    }

    /// The first bytes, which must have been written since it was taken.
    pub(super) fn filled(self, length: usize) -> Bytes {
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
        // A thread that ends keeps nothing.
        _ = KEPT.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.len() < MOST_KEPT {
                kept.push(buffer);
            }
        });
    }
}
