//! An answer's body on its way out: counted for the record, and ended when the policy ends its transfer.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::{Body, limits::Place, recording::Recording, transfers::Transfer};

/// The body of an answer, and the record of its request, which is written when this is dropped.
pub struct Delivery {
    body: Body,
    recording: Recording,
    transfer: Option<Transfer>,
    /// It counts as in flight until its last byte.
    _place: Option<Place>,
}

impl Delivery {
    pub(super) fn new(
        body: Body,
        recording: Recording,
        transfer: Option<Transfer>,
        place: Option<Place>,
    ) -> Self {
        Self {
            body,
            recording,
            transfer,
            _place: place,
        }
    }
}

impl http_body::Body for Delivery {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let delivery = self.get_mut();
        if delivery.transfer.as_ref().is_some_and(Transfer::is_cut) {
            let error = io::Error::other("the policy no longer allows this transfer");
            return Poll::Ready(Some(Err(error)));
        }
        let frame = Pin::new(&mut delivery.body).poll_frame(context);
        match &frame {
            Poll::Ready(Some(Ok(frame))) => delivery.recording.sent(frame.data_ref().map_or(0, Bytes::len)),
            Poll::Ready(Some(Err(_))) => delivery.recording.broke("Unreadable"),
            Poll::Ready(None) | Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some((code, reason)) = self.body.late_failure() {
            self.recording.failed(code, reason);
        }
        if http_body::Body::is_end_stream(&self.body) {
            return self.recording.completed();
        }
        if let Some((refusal, generation)) = self.transfer.as_ref().and_then(Transfer::why) {
            self.recording.cut(refusal, *generation);
        }
    }
}
