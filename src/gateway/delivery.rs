//! An answer on its way out: its body, and what lasts until the transport has taken the last byte.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{
    Body, Connection,
    admission::HeldSlot,
    recording::Recording,
    transfers::{Transfer, Watch},
};

/// An answer's body with its [`Tail`].
///
/// HTTP/1.1 sends it as a body, and drops it once a library's buffer holds all of it. The tail then
/// waits at the connection until that buffer is written. HTTP/2 takes both parts by itself.
pub struct Delivery {
    body: Body,
    tail: Option<Tail>,
    connection: Connection,
}

/// An answer's body without its tail.
pub struct AnswerBody(Body);

/// What lasts until the transport has taken the last byte of an answer: the record of its request,
/// which is written when this is dropped, its slot, and the watch over its transfer.
pub struct Tail {
    recording: Option<Recording>,
    watch: Watch,
    slot: Option<HeldSlot>,
    cut: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Delivery {
    pub(super) fn new(body: Body, tail: Tail, connection: Connection) -> Self {
        Self {
            body,
            tail: Some(tail),
            connection,
        }
    }

    /// Takes the two parts apart, for a transport that tells the tail what it has taken.
    pub fn into_parts(mut self) -> (AnswerBody, Option<Tail>) {
        let body = std::mem::replace(&mut self.body, Body::Empty);
        (AnswerBody(body), self.tail.take())
    }
}

impl AnswerBody {
    /// Bounds the next frame of an object. A text that was made beforehand comes as it is.
    pub fn limit(&mut self, bytes: usize) {
        self.0.limit(bytes);
    }

    /// How many bytes it holds in memory before the first frame is asked for.
    pub fn held(&self) -> usize {
        self.0.held()
    }
}

impl Tail {
    pub(super) fn new(recording: Recording, watch: Watch, slot: Option<HeldSlot>) -> Self {
        Self {
            recording: Some(recording),
            watch,
            slot,
            cut: None,
        }
    }

    /// Whether the answer may wait until its reader takes it. One that holds no slot may not: it
    /// was refused over a limit.
    pub fn may_wait(&self) -> bool {
        self.slot.is_some()
    }

    /// The transport does not take the next bytes at once: from now on the transfer is decided
    /// again under each new policy.
    pub fn stalls(&mut self) {
        let entry = self.recording.as_ref().and_then(Recording::entry);
        self.watch.begin(entry);
    }

    /// Whether the policy has ended the transfer.
    pub fn is_cut(&self) -> bool {
        self.watch.transfer().is_some_and(Transfer::is_cut)
    }

    /// Ready when the policy ends the transfer. It must be watched already.
    pub fn poll_cut(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(transfer) = self.watch.transfer() else {
            return Poll::Pending;
        };
        let wake = || Box::pin(transfer.wake().cancelled_owned());
        self.cut.get_or_insert_with(wake).as_mut().poll(context)
    }

    /// The transport has taken so many bytes more.
    pub fn taken(&mut self, bytes: usize) {
        if let Some(recording) = &mut self.recording {
            recording.sent(bytes);
        }
    }

    /// The body's bytes could not be read.
    pub fn broke(&mut self, error: &io::Error) {
        if let Some(recording) = &mut self.recording {
            recording.broke("Unreadable", error);
        }
    }

    /// The transport has taken the whole answer.
    pub fn completed(&mut self, body: &AnswerBody) {
        self.ended(&body.0, true);
        // Nothing can be cut any more.
        self.watch = Watch::None;
    }

    /// What became of the body: whether a document said of a failure, and whether all was taken.
    fn ended(&mut self, body: &Body, is_complete: bool) {
        let Some(recording) = &mut self.recording else {
            return;
        };
        if let Some(failure) = body.failure() {
            recording.failed(failure);
        }
        if is_complete {
            recording.completed();
        }
    }

    /// All that a library held of it is written.
    pub(super) fn sent(mut self) {
        if let Some(recording) = &mut self.recording {
            recording.completed();
        }
        // Nothing can be cut any more.
        self.watch = Watch::None;
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let why = self.watch.transfer().and_then(Transfer::why);
        if let (Some(recording), Some((refusal, generation))) = (&mut self.recording, why) {
            recording.cut(refusal, *generation);
        }
    }
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Pin::new(&mut self.get_mut().0).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
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
        if delivery.tail.as_ref().is_some_and(Tail::is_cut) {
            let error = io::Error::other("the policy no longer allows this transfer");
            return Poll::Ready(Some(Err(error)));
        }
        let frame = Pin::new(&mut delivery.body).poll_frame(context);
        if let Some(tail) = &mut delivery.tail {
            match &frame {
                Poll::Ready(Some(Ok(frame))) => tail.taken(frame.data_ref().map_or(0, Bytes::len)),
                Poll::Ready(Some(Err(error))) => tail.broke(error),
                Poll::Ready(None) | Poll::Pending => {}
            }
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
        let Some(mut tail) = self.tail.take() else {
            return;
        };
        let is_whole = http_body::Body::is_end_stream(&self.body);
        // A long answer is watched, and its record waits until it is written. A short one is
        // recorded before its reader can ask for the record.
        let is_watched = tail.watch.transfer().is_some();
        tail.ended(&self.body, is_whole && !is_watched);
        if !is_whole {
            return;
        }
        if !is_watched {
            tail.recording = None;
        }
        self.connection.wait_until_sent(tail);
    }
}
