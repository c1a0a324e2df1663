//! aws-chunked bodies. The body's bytes go in, cut anywhere; the content comes out, with chunk signatures, lengths and trailers held
//! against what was declared.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>
//!
//! A chunk's data may come out before its signature has been seen, which stands in front of it but covers the whole of it; no
//! data of the next chunk does. So nothing may be made visible before [`ChunkedDecoder::finish`].
//!
//! Stricter than AWS is known to be: chunk extensions other than the signature are refused, and so is whatever follows the end.

mod chain;
mod reject;
#[cfg(test)]
mod tests;

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use super::payload::Streaming;
use crate::types::{FoldedHeaders, Signature};

pub(super) use chain::Chain;
pub use reject::ChunkedReject;

/// The longest line: a chunk's head, or a trailer.
const MAX_LINE_BYTES: usize = 1024;
/// The most trailers of a body; one, and its signature, is what clients send.
const MAX_TRAILERS: usize = 8;
/// The least bytes of a signed chunk that is not the last.
const MIN_CHUNK_BYTES: u64 = 8192;
/// The most digits of a chunk's size.
const MAX_SIZE_DIGITS: usize = 16;
const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";

/// What [`ChunkedDecoder::decode`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded {
    /// Content, never empty.
    Data(Bytes),
    /// Everything was taken, and the body goes on.
    NeedMore,
    /// The body has ended.
    End,
}

/// Where in the body the next byte stands.
enum State {
    /// In the line in front of a chunk.
    Head,
    /// In a chunk's data.
    Data { left: u64 },
    /// In the line break behind a chunk's data.
    DataEnd,
    /// In the lines behind the last chunk.
    Trailers,
    /// Behind everything.
    End,
}

/// A decoder for one body. It holds a signing key, so it cannot be printed.
pub struct ChunkedDecoder {
    state: State,
    chain: Option<Chain>,
    /// Lower-case names that `x-amz-trailer` announced; `None` where the kind of body has no trailers.
    announced: Option<Vec<String>>,
    decoded_length: u64,
    /// Bytes of content still to come.
    left: u64,
    line: Vec<u8>,
    chunk: Chunk,
    trailers: HeaderMap,
    trailer_signature: Option<Signature>,
    /// Has the empty line behind the trailers come, with their signature still to come?
    trailers_ended: bool,
}

/// The chunk that is being read.
#[derive(Default)]
struct Chunk {
    /// From 1.
    number: u64,
    size: u64,
    hash: Sha256,
    signature: Option<Signature>,
}

impl ChunkedDecoder {
    /// A decoder for a body of this kind. `chain` is there where chunks are signed; `headers` name the decoded length and the trailers.
    pub(super) fn new(
        kind: Streaming,
        chain: Option<Chain>,
        headers: &HeaderMap,
    ) -> Result<Self, ChunkedReject> {
        let (signed, trailing) = match kind {
            Streaming::UnsignedTrailer => (false, true),
            Streaming::Hmac => (true, false),
            Streaming::HmacTrailer => (true, true),
            Streaming::Ecdsa | Streaming::EcdsaTrailer => return Err(ChunkedReject::Unsupported),
        };
        if signed != chain.is_some() {
            return Err(ChunkedReject::Unsupported);
        }
        let decoded_length = decoded_length(headers)?;
        Ok(Self {
            state: State::Head,
            chain,
            announced: trailing.then(|| announced(headers)),
            decoded_length,
            left: decoded_length,
            line: Vec::new(),
            chunk: Chunk::default(),
            trailers: HeaderMap::new(),
            trailer_signature: None,
            trailers_ended: false,
        })
    }

    /// How many bytes of content there are to be.
    pub fn decoded_length(&self) -> u64 {
        self.decoded_length
    }

    /// Takes what it can from `input`. After an error the body must not be read on.
    pub fn decode(&mut self, input: &mut Bytes) -> Result<Decoded, ChunkedReject> {
        loop {
            match self.state {
                State::End if input.is_empty() => return Ok(Decoded::End),
                State::End => return Err(ChunkedReject::Malformed),
                State::Data { left: 0 } => {
                    self.verify_chunk()?;
                    self.state = State::DataEnd;
                }
                State::Data { left } => {
                    if input.is_empty() {
                        return Ok(Decoded::NeedMore);
                    }
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    let data = input.split_to(take);
                    self.state = State::Data {
                        left: left.saturating_sub(data.len() as u64),
                    };
                    if self.chain.is_some() {
                        self.chunk.hash.update(&data);
                    }
                    // The last byte of a chunk is not handed out before the chunk's signature holds.
                    if let State::Data { left: 0 } = self.state {
                        self.verify_chunk()?;
                        self.state = State::DataEnd;
                    }
                    return Ok(Decoded::Data(data));
                }
                State::Head | State::DataEnd | State::Trailers => {
                    let Some(line) = self.take_line(input)? else {
                        return Ok(Decoded::NeedMore);
                    };
                    self.read_line(&line)?;
                }
            }
        }
    }

    /// The end of the body. The verified trailers come out; an end before the end is an error.
    pub fn finish(mut self) -> Result<HeaderMap, ChunkedReject> {
        match self.state {
            State::End => {}
            // Some clients leave out the empty line at the end.
            State::Trailers if self.line.is_empty() => self.end()?,
            State::Head | State::Data { .. } | State::DataEnd | State::Trailers => {
                return Err(ChunkedReject::Incomplete);
            }
        }
        Ok(self.trailers)
    }

    /// A line without its break, once it is whole.
    fn take_line(&mut self, input: &mut Bytes) -> Result<Option<String>, ChunkedReject> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let part = input.split_to(end.unwrap_or(input.len()));
        if self.line.len().saturating_add(part.len()) > MAX_LINE_BYTES {
            return Err(ChunkedReject::Malformed);
        }
        self.line.extend_from_slice(&part);
        if end.is_none() {
            return Ok(None);
        }
        input.advance(1);
        let mut line = std::mem::take(&mut self.line);
        // A trailer's own line may end in a bare line feed, as AWS's published example does.
        if line.last() == Some(&b'\r') {
            line.pop();
        } else if !matches!(self.state, State::Trailers) {
            return Err(ChunkedReject::Malformed);
        }
        String::from_utf8(line)
            .map(Some)
            .map_err(|_| ChunkedReject::Malformed)
    }

    fn read_line(&mut self, line: &str) -> Result<(), ChunkedReject> {
        match self.state {
            State::Head => self.begin_chunk(line),
            State::DataEnd if line.is_empty() => {
                self.state = State::Head;
                Ok(())
            }
            // The line feed of AWS's published example, with a line break behind it: the signature is still to come.
            State::Trailers if line.is_empty() && self.awaits_signature() => {
                self.trailers_ended = true;
                Ok(())
            }
            State::Trailers if line.is_empty() => self.end(),
            State::Trailers => self.add_trailer(line),
            State::DataEnd | State::Data { .. } | State::End => Err(ChunkedReject::Malformed),
        }
    }

    /// Is there a trailer, and its signature still to come? An empty line may stand between the two, once.
    fn awaits_signature(&self) -> bool {
        let signed = self.chain.is_some() && self.trailer_signature.is_none();
        signed && !self.trailers.is_empty() && !self.trailers_ended
    }

    fn begin_chunk(&mut self, line: &str) -> Result<(), ChunkedReject> {
        let (digits, signature) = match (line.split_once(';'), &self.chain) {
            (Some((digits, extension)), Some(_)) => {
                let text = extension
                    .strip_prefix("chunk-signature=")
                    .ok_or(ChunkedReject::Malformed)?;
                (
                    digits,
                    Some(Signature::parse(text).ok_or(ChunkedReject::Signature)?),
                )
            }
            (None, None) => (line, None),
            (Some(_), None) | (None, Some(_)) => return Err(ChunkedReject::Malformed),
        };
        let shaped =
            (1..=MAX_SIZE_DIGITS).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let size = u64::from_str_radix(digits, 16)
            .ok()
            .filter(|_| shaped)
            .ok_or(ChunkedReject::Malformed)?;
        if size > 0 && self.chain.is_some() && self.chunk.number > 0 && self.chunk.size < MIN_CHUNK_BYTES {
            return Err(ChunkedReject::SmallChunk {
                chunk: self.chunk.number,
                size: self.chunk.size,
            });
        }
        self.left = self.left.checked_sub(size).ok_or(ChunkedReject::TooLong)?;
        self.chunk = Chunk {
            number: self.chunk.number.saturating_add(1),
            size,
            hash: Sha256::new(),
            signature,
        };
        if size > 0 {
            self.state = State::Data { left: size };
            return Ok(());
        }
        if self.left > 0 {
            return Err(ChunkedReject::Incomplete);
        }
        self.verify_chunk()?;
        self.state = State::Trailers;
        Ok(())
    }

    fn verify_chunk(&mut self) -> Result<(), ChunkedReject> {
        let Some(chain) = &mut self.chain else {
            return Ok(());
        };
        let hash = std::mem::take(&mut self.chunk.hash).finalize();
        let signature = self.chunk.signature.take().ok_or(ChunkedReject::Signature)?;
        chain.verify_chunk(hash.into(), signature)
    }

    fn add_trailer(&mut self, line: &str) -> Result<(), ChunkedReject> {
        let announced = self.announced.as_ref().ok_or(ChunkedReject::Malformed)?;
        let (name, value) = line.split_once(':').ok_or(ChunkedReject::Trailer)?;
        // HTTP's own white space (RFC 9110 section 5.6.3): a form feed or a wide space is part of a value.
        let trimmed = |text: &'_ str| text.trim_matches([' ', '\t']).to_owned();
        let (name, value) = (trimmed(name).to_ascii_lowercase(), trimmed(value));
        if name == TRAILER_SIGNATURE && self.chain.is_some() {
            let signature = Signature::parse(&value).ok_or(ChunkedReject::Signature)?;
            return match self.trailer_signature.replace(signature) {
                None => Ok(()),
                Some(_) => Err(ChunkedReject::Trailer),
            };
        }
        let known = announced.contains(&name) && self.trailer_signature.is_none() && !self.trailers_ended;
        let parsed = (HeaderName::try_from(name), HeaderValue::from_str(&value));
        let (Ok(name), Ok(value), true) = (parsed.0, parsed.1, known) else {
            return Err(ChunkedReject::Trailer);
        };
        if self.trailers.len() >= MAX_TRAILERS || self.trailers.insert(name, value).is_some() {
            return Err(ChunkedReject::Trailer);
        }
        Ok(())
    }

    /// Every announced trailer is there, and they are signed where chunks are.
    fn end(&mut self) -> Result<(), ChunkedReject> {
        if let Some(announced) = &self.announced {
            if announced.iter().any(|name| !self.trailers.contains_key(name)) {
                return Err(ChunkedReject::Trailer);
            }
            if let Some(chain) = &self.chain {
                let signature = self.trailer_signature.as_ref().ok_or(ChunkedReject::Trailer)?;
                chain.verify_trailers(announced, &self.trailers, signature)?;
            }
        }
        self.state = State::End;
        Ok(())
    }
}

fn decoded_length(headers: &HeaderMap) -> Result<u64, ChunkedReject> {
    let value = FoldedHeaders::new(headers)
        .value("x-amz-decoded-content-length")
        .ok_or(ChunkedReject::LengthMissing)?;
    let text = String::from_utf8_lossy(&value);
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| ChunkedReject::LengthMalformed {
            given: text.clone().into_owned(),
        })
}

fn announced(headers: &HeaderMap) -> Vec<String> {
    let listed = FoldedHeaders::new(headers)
        .value("x-amz-trailer")
        .unwrap_or_default();
    let listed = String::from_utf8_lossy(&listed);
    let names = listed.split(',').map(|name| name.trim().to_ascii_lowercase());
    names.filter(|name| !name.is_empty()).collect()
}
