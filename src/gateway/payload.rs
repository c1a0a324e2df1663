//! A request's body, held against what its signature says of it. There are three ways to take one, and each ends only once what was
//! declared holds: [`nothing`](Payload::nothing), a short [document](Payload::checked_document), and
//! [`store`](Payload::store), which streams an object in constant memory.
//!
//! The body is not asked for before one of them is called: a client that waits for `100 Continue` sends nothing that is not
//! wanted.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body;
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use tokio::task::JoinHandle;

use crate::{
    s3::{DeclaredChecksum, ErrorCode, Integrity, S3Error},
    sigv4::{ChunkedDecoder, Decoded, Payload as Declared, Verified},
    store::{Content, Upload},
    types::{ChecksumAlgorithm, RequestHead},
    verdict,
};

use super::{
    Failure,
    digests::{Digested, Digests},
};

/// The most bytes of a body that no operation wants.
const MOST_UNWANTED: u64 = 1024 * 1024;
/// How much is hashed and written at a time: few enough hops to other threads, and little memory.
const BATCH_BYTES: usize = 1024 * 1024;
/// How much of a copy is shared at a time: a multiple of any block.
const SHARED_AT_ONCE: u64 = 16 * 1024 * 1024;
/// What is hashed where it stands: less than a hop to another thread would take.
const HASHED_IN_PLACE: usize = 16 * 1024;

/// A body that nobody has read yet.
pub(super) struct Payload<'r, B> {
    body: &'r mut B,
    declared: Declared,
    chunked: Option<ChunkedDecoder>,
    /// What came and is not decoded yet.
    input: Bytes,
    bounds: ContentBounds,
    /// Bytes of content that came so far.
    came: u64,
}

/// How many bytes of content a body may have. They are counted as they arrive, whatever the head claims.
struct ContentBounds {
    /// `limits.upload_bytes`
    upload_bytes: u64,
    /// The length that the head declares.
    declared: Option<u64>,
    /// The end of a form's `content-length-range`.
    allowed: Option<u64>,
}

impl ContentBounds {
    fn new(upload_bytes: u64) -> Self {
        Self {
            upload_bytes,
            declared: None,
            allowed: None,
        }
    }

    /// Refuses more bytes than there may be.
    fn hold(&self, came: u64) -> Result<(), Failure> {
        if self.declared.is_some_and(|declared| came > declared) {
            return Err(Failure::OverlongBody);
        }
        match self.allowed {
            Some(allowed) if came > allowed => Err(Failure::Call(too_large(came, allowed))),
            _ if came > self.upload_bytes => Err(Failure::TooLong(too_large(came, self.upload_bytes))),
            _ => Ok(()),
        }
    }
}

/// AWS's answer to more bytes than a body may have.
pub(super) fn too_large(proposed: u64, most: u64) -> S3Error {
    S3Error::new(ErrorCode::EntityTooLarge)
        .with("ProposedSize", proposed.to_string())
        .with("MaxSizeAllowed", most.to_string())
}

/// Content that is stored but not visible, and that is what was signed.
pub(super) struct Received {
    /// What it was.
    pub(super) digested: Digested,
    /// The verified trailers.
    pub(super) trailers: HeaderMap,
}

impl<'r, B> Payload<'r, B>
where
    B: Body<Data = Bytes> + Unpin,
{
    /// Reads what the head says of the body, whose content may have `upload_bytes`.
    pub(super) fn new(
        head: &RequestHead,
        verified: &Verified,
        body: &'r mut B,
        upload_bytes: u64,
    ) -> Result<Self, Failure> {
        Ok(Self {
            body,
            declared: verified.payload(),
            chunked: verified.chunked(head).map_err(chunked)?,
            input: Bytes::new(),
            bounds: ContentBounds::new(upload_bytes),
            came: 0,
        })
    }

    /// Content of the store itself, or of a form: its signature declares nothing of it.
    pub(super) fn undeclared(body: &'r mut B, upload_bytes: u64) -> Self {
        Self {
            body,
            declared: Declared::Unsigned,
            chunked: None,
            input: Bytes::new(),
            bounds: ContentBounds::new(upload_bytes),
            came: 0,
        }
    }

    /// Is there nothing to read, and nothing to hold that against?
    pub(super) fn is_nothing(&self) -> bool {
        self.body.is_end_stream() && self.chunked.is_none() && !matches!(self.declared, Declared::Sha256(_))
    }

    /// Takes a body that should be none, within a bound.
    pub(super) async fn nothing(self) -> Result<(), Failure> {
        let mut left = MOST_UNWANTED;
        let take = |data: &Bytes| match left.checked_sub(data.len() as u64) {
            Some(rest) => {
                left = rest;
                Ok(())
            }
            None => Err(Failure::UnwantedBody),
        };
        self.take(take).await.map(drop)
    }

    /// Takes a document, and holds it against whatever its head declares of it.
    pub(super) async fn document(self, head: &RequestHead, most: usize) -> Result<Bytes, Failure> {
        let integrity = Integrity::parse(head.headers()).map_err(Failure::Call)?;
        self.checked_document(most, &integrity).await
    }

    /// Takes a body of at most `most` bytes, one of S3's XML documents, and holds it against what else was declared of it.
    pub(super) async fn checked_document(self, most: usize, integrity: &Integrity) -> Result<Bytes, Failure> {
        let algorithm = integrity.checksum.as_ref().map(DeclaredChecksum::algorithm);
        let mut digests = Digests::new(false, algorithm);
        let mut document = BytesMut::new();
        let take = |data: &Bytes| {
            if document.len().saturating_add(data.len()) > most {
                return Err(Failure::DocumentTooLong { most });
            }
            digests.update(data);
            document.extend_from_slice(data);
            Ok(())
        };
        let trailers = self.take(take).await?;
        let digested = digests.finish();
        integrity
            .check(digested.md5, digested.checksum, &trailers)
            .map_err(Failure::Call)?;
        Ok(document.freeze())
    }

    /// Takes the whole body piece by piece, then holds it against its declared hash.
    async fn take(
        mut self,
        mut take: impl FnMut(&Bytes) -> Result<(), Failure>,
    ) -> Result<HeaderMap, Failure> {
        let mut hash = matches!(self.declared, Declared::Sha256(_)).then(Sha256::new);
        while let Some(data) = self.next().await? {
            if let Some(hash) = &mut hash {
                hash.update(&data);
            }
            take(&data)?;
        }
        self.hash_holds(hash.map(|hash| hash.finalize().into()))?;
        self.trailers()
    }

    /// Streams the content into an upload and hashes it on the way. What comes back says that length, chunk signatures and hash
    /// hold as declared; the upload is not visible yet.
    pub(super) async fn store<U: Upload>(
        mut self,
        upload: &mut U,
        checksum: Option<ChecksumAlgorithm>,
    ) -> Result<Received, Failure> {
        let signed = matches!(self.declared, Declared::Sha256(_));
        let mut hashing = Hashing::Here(Box::new(Digests::new(signed, checksum)));
        loop {
            let batch = self.batch().await?;
            if batch.is_empty() {
                break;
            }
            hashing = hashing.take(batch.clone()).await?;
            for data in batch {
                upload.write(data).await.map_err(Failure::Store)?;
            }
        }
        let digests = hashing.here().await?;
        let digested = digests.finish();
        self.hash_holds(digested.sha256)?;
        let trailers = self.trailers()?;
        Ok(Received { digested, trailers })
    }

    /// Hashes content that the store has already, and gives it to an upload: shared where the file system can, else copied by the kernel. `self` is
    /// the body of `range` of `content`.
    pub(super) async fn share<U: Upload>(
        mut self,
        upload: &mut U,
        (content, range): (&Content, Range<u64>),
        checksum: Option<ChecksumAlgorithm>,
    ) -> Result<Digested, Failure> {
        let mut hashing = Hashing::Here(Box::new(Digests::new(false, checksum)));
        let mut given = range.start;
        loop {
            let batch = self.batch().await?;
            let is_end = batch.is_empty();
            hashing = hashing.take(batch).await?;
            let came = range.start.saturating_add(self.came);
            // Whole pieces, which keep the borders of blocks, and while they are in the page cache.
            let next = match is_end {
                true => came,
                false => given.saturating_add(came.saturating_sub(given) / SHARED_AT_ONCE * SHARED_AT_ONCE),
            };
            if next > given {
                let shared = upload.write_from(content, given..next).await;
                shared.map_err(Failure::Store)?;
                given = next;
            }
            if is_end {
                return Ok(hashing.here().await?.finish());
            }
        }
    }

    /// Streams the content into an upload, and checks its length and whatever else was declared of it.
    /// The first byte more than declared ends it. Returns what was computed, with the checksum that was
    /// declared or, without one, the one that is wanted.
    pub(super) async fn store_declared<U: Upload>(
        mut self,
        upload: &mut U,
        (integrity, length): (&Integrity, u64),
        wanted: Option<ChecksumAlgorithm>,
    ) -> Result<Digested, Failure> {
        self.bounds.declared = Some(length);
        let declared = integrity.checksum.as_ref().map(DeclaredChecksum::algorithm);
        let Received { digested, trailers } = self.store(upload, declared.or(wanted)).await?;
        if digested.length != length {
            return Err(Failure::CutBody);
        }
        integrity
            .check(digested.md5, digested.checksum.clone(), &trailers)
            .map_err(Failure::Call)?;
        Ok(digested)
    }

    /// Streams content of unknown length into an upload, and gives up once there is more of it than allowed.
    pub(super) async fn store_within<U: Upload>(
        mut self,
        upload: &mut U,
        integrity: &Integrity,
        most: u64,
    ) -> Result<Digested, Failure> {
        self.bounds.allowed = Some(most);
        let declared = integrity.checksum.as_ref().map(DeclaredChecksum::algorithm);
        let Received { digested, trailers } = self.store(upload, declared).await?;
        integrity
            .check(digested.md5, digested.checksum.clone(), &trailers)
            .map_err(Failure::Call)?;
        Ok(digested)
    }

    /// The next pieces, about [`BATCH_BYTES`] of them, none at the end.
    async fn batch(&mut self) -> Result<Vec<Bytes>, Failure> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while bytes < BATCH_BYTES {
            let Some(data) = self.next().await? else { break };
            bytes = bytes.saturating_add(data.len());
            batch.push(data);
        }
        Ok(batch)
    }

    /// The next piece of the content, never empty and within the bounds, or the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let piece = self.piece().await?;
        let length = piece.as_ref().map_or(0, Bytes::len) as u64;
        self.came = self.came.saturating_add(length);
        self.bounds.hold(self.came)?;
        Ok(piece)
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            if let Some(decoder) = &mut self.chunked {
                match decoder.decode(&mut self.input).map_err(chunked)? {
                    Decoded::Data(data) if data.is_empty() => continue,
                    Decoded::Data(data) => return Ok(Some(data)),
                    Decoded::NeedMore | Decoded::End => {}
                }
            }
            let Some(frame) = self.body.frame().await else {
                return Ok(None);
            };
            // HTTP's own trailers are none of S3's.
            let Ok(data) = frame.map_err(|_| Failure::CutBody)?.into_data() else {
                continue;
            };
            match self.chunked {
                Some(_) => self.input = data,
                None if data.is_empty() => {}
                None => return Ok(Some(data)),
            }
        }
    }

    fn hash_holds(&self, computed: Option<[u8; 32]>) -> Result<(), Failure> {
        match (self.declared, computed) {
            (Declared::Sha256(declared), Some(computed)) if declared != computed => {
                Err(Failure::PayloadHash {
                    declared: hex::encode(declared),
                    computed: hex::encode(computed),
                })
            }
            (Declared::Sha256(_), Some(_)) | (Declared::Unsigned | Declared::Streaming(_), _) => Ok(()),
            (Declared::Sha256(_), None) => Err(Failure::Interrupted),
        }
    }

    /// The trailers of a chunked body that ended as it should.
    fn trailers(self) -> Result<HeaderMap, Failure> {
        match self.chunked {
            Some(decoder) => decoder.finish().map_err(chunked),
            None => Ok(HeaderMap::new()),
        }
    }
}

/// Hashing beside reading and writing: one batch at a time, on another thread where it is long.
enum Hashing {
    Here(Box<Digests>),
    There(JoinHandle<Box<Digests>>),
}

impl Hashing {
    async fn here(self) -> Result<Box<Digests>, Failure> {
        match self {
            Self::Here(digests) => Ok(digests),
            Self::There(task) => task.await.map_err(|_| Failure::Interrupted),
        }
    }

    async fn take(self, batch: Vec<Bytes>) -> Result<Self, Failure> {
        let mut digests = self.here().await?;
        let bytes: usize = batch.iter().map(Bytes::len).sum();
        let hash = move || {
            batch.iter().for_each(|data| digests.update(data));
            digests
        };
        Ok(if bytes <= HASHED_IN_PLACE {
            Self::Here(hash())
        } else {
            Self::There(tokio::task::spawn_blocking(hash))
        })
    }
}

fn chunked(reject: crate::sigv4::ChunkedReject) -> Failure {
    Failure::Call(verdict::chunked_error(&reject))
}
