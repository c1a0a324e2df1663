//! Why an aws-chunked body is refused.

/// One variant for each of S3's answers. `Display` is for the operator's log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkedReject {
    /// 501 NotImplemented: signed with an algorithm that no signer here has a key for.
    #[error("the body's chunks are signed with AWS4-ECDSA-P256-SHA256")]
    Unsupported,
    /// 411 MissingContentLength.
    #[error("the x-amz-decoded-content-length header is missing")]
    LengthMissing,
    /// 400 InvalidArgument.
    #[error("x-amz-decoded-content-length is no number")]
    LengthMalformed {
        /// What the header holds.
        given: String,
    },
    /// 400 InvalidRequest: no aws-chunked body.
    #[error("the chunked body is malformed")]
    Malformed,
    /// 400 InvalidRequest: more content than declared.
    #[error("the chunked body is longer than x-amz-decoded-content-length")]
    TooLong,
    /// 403 InvalidChunkSizeError: a chunk of under 8,192 bytes that is not the last.
    #[error("chunk {chunk} has {size} bytes and is not the last")]
    SmallChunk {
        /// `Chunk`, from 1.
        chunk: u64,
        /// `BadChunkSize`
        size: u64,
    },
    /// 403 SignatureDoesNotMatch: a chunk, or the trailers.
    #[error("the signature of a chunk or of the trailers does not match")]
    Signature,
    /// 400 MalformedTrailerError: missing, repeated or not announced.
    #[error("the trailers are not those that x-amz-trailer announces")]
    Trailer,
    /// 400 IncompleteBody.
    #[error("the chunked body ends before its content does")]
    Incomplete,
}
