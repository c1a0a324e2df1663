//! A request's body as it comes by a stream.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderMap, header::CONTENT_LENGTH};
use http_body::{Body, Frame, SizeHint};

/// The body of a request. Each frame that is read opens the client's window again.
pub(super) struct RequestBody {
    stream: RecvStream,
    /// How many bytes are still to come, if the head says so. The library refuses other lengths.
    remaining: Option<u64>,
}

impl RequestBody {
    pub(super) fn new(stream: RecvStream, headers: &HeaderMap) -> Self {
        let length = headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok());
        let remaining = length.and_then(|length| length.parse().ok());
        Self { stream, remaining }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let Self { stream, remaining } = self.get_mut();
        // Trailers of HTTP are none of S3's: what follows the data is not asked for.
        let data = ready!(stream.poll_data(context));
        Poll::Ready(data.map(|data| {
            let data = data?;
            stream.flow_control().release_capacity(data.len())?;
            if let Some(remaining) = remaining {
                *remaining = remaining.saturating_sub(data.len() as u64);
            }
            Ok(Frame::data(data))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.remaining {
            Some(remaining) => SizeHint::with_exact(remaining),
            None => SizeHint::default(),
        }
    }
}
