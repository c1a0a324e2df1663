//! An answer's body on its way out by a stream.

use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use h2::{Reason, SendStream};
use http_body::Body;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{
    gateway::{AnswerBody, Pace, Tail},
    metrics::{Limit, Metrics},
};

use super::buffers::{ALWAYS, Chunk, MOST_PER_STREAM, Room, StreamBuffers};
use crate::server::{limits::Limits, patience::Course};

/// With less than this in the window, nothing more is read while the library holds some.
const LEAST: usize = 16 * 1024;

/// Sends one body.
pub(super) struct Sender {
    pub(super) stream: SendStream<Chunk>,
    pub(super) tail: Tail,
    pub(super) body: AnswerBody,
    pub(super) buffers: Arc<StreamBuffers>,
    pub(super) activity: Course,
    pub(super) metrics: Metrics,
    pub(super) limits: Limits,
    /// Whether the library knows that no byte follows.
    pub(super) has_ended: bool,
}

/// Why a stream ends before its body does.
#[derive(Debug)]
enum Broken {
    /// The client reset it, or the connection is gone.
    Gone,
    /// The policy no longer allows it.
    Cut,
    /// The client took nothing, or too little, for too long.
    Stalled(Limit),
    /// It may not wait for its reader.
    Refused,
    /// Its text is larger than what may be held for its source.
    NoRoom,
    /// The body's bytes could not be read.
    Unreadable(io::Error),
}

impl Sender {
    /// Sends the whole body, or resets the stream. Nothing is read from the body before the
    /// client's window and the buffers have room for it, so a stream that stalls holds nothing.
    pub(super) async fn send(mut self) {
        let mut waiting = Waiting::new(&self.limits);
        let sent = self.send_all(&mut waiting).await;
        self.note_written();
        let reason = match sent {
            Ok(()) => return self.tail.completed(&self.body),
            Err(Broken::Gone) => return,
            Err(Broken::Cut) => Reason::CANCEL,
            Err(Broken::Stalled(limit)) => {
                self.metrics.limited(limit);
                Reason::CANCEL
            }
            Err(Broken::NoRoom) => {
                self.metrics.limited(Limit::SendBuffers);
                Reason::ENHANCE_YOUR_CALM
            }
            Err(Broken::Refused) => Reason::REFUSED_STREAM,
            Err(Broken::Unreadable(error)) => {
                self.tail.broke(&error);
                Reason::INTERNAL_ERROR
            }
        };
        // What the library still holds of the stream is dropped with it.
        self.stream.send_reset(reason);
        self.note_written();
    }

    fn note_written(&mut self) {
        self.tail.taken(self.buffers.take_written());
    }

    async fn send_all(&mut self, waiting: &mut Waiting) -> Result<(), Broken> {
        if self.body.held() > MOST_PER_STREAM {
            // A text that is in memory as a whole counts as a whole.
            let room = self.buffers.reserve_all(self.body.held());
            self.send_next(room.ok_or(Broken::NoRoom)?, waiting).await?;
        } else if self.body.size_hint().exact().is_none() {
            // Its frames are few and small, and none may be ready for long: no window is held.
            while !self.body.is_end_stream() {
                match self.buffers.reserve(ALWAYS) {
                    Some(room) => self.send_next(room, waiting).await?,
                    None => self.written(waiting).await?,
                }
            }
        } else {
            self.send_pieces(waiting).await?;
        }
        self.end(waiting).await
    }

    /// Sends a body of known length, as much at a time as the window and the buffers let in.
    async fn send_pieces(&mut self, waiting: &mut Waiting) -> Result<(), Broken> {
        while !self.body.is_end_stream() {
            let left = self.body.size_hint().exact().unwrap_or(0);
            let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(MOST_PER_STREAM);
            let window = self.window(wanted, waiting).await?;
            let is_crumb = window < wanted.min(LEAST);
            let room = match is_crumb && !self.buffers.is_written() {
                true => None,
                false => self.buffers.reserve(window),
            };
            // A client that opens its window by crumbs gets one at a time.
            let Some(room) = room else {
                self.written(waiting).await?;
                continue;
            };
            self.body.limit(room.bytes());
            self.send_next(room, waiting).await?;
        }
        Ok(())
    }

    /// Sends the body's next frame.
    async fn send_next(&mut self, room: Room, waiting: &mut Waiting) -> Result<(), Broken> {
        let Some(bytes) = self.next_bytes(waiting).await? else {
            // A body that stops before its end is never taken for a whole one.
            return match self.body.is_end_stream() {
                true => Ok(()),
                false => Err(Broken::Unreadable(io::ErrorKind::UnexpectedEof.into())),
            };
        };
        let mut chunk = room.fill(bytes);
        while chunk.has_remaining() {
            let window = self.window(chunk.remaining(), waiting).await?;
            let part = chunk.split_to(window);
            let bytes = part.remaining();
            self.has_ended = !chunk.has_remaining() && self.body.is_end_stream();
            let taken = self.stream.send_data(part, self.has_ended);
            taken.map_err(|_| Broken::Gone)?;
            waiting.moved(bytes);
        }
        Ok(())
    }

    /// Ends the stream, and waits until the socket has taken all of it.
    async fn end(&mut self, waiting: &mut Waiting) -> Result<(), Broken> {
        if !self.has_ended {
            let end = Chunk::empty(&self.buffers);
            self.stream.send_data(end, true).map_err(|_| Broken::Gone)?;
        }
        match self.tail.may_wait() {
            true => self.written(waiting).await,
            false => Ok(()),
        }
    }

    /// Waits until the socket has taken all that the library holds of the stream.
    async fn written(&mut self, waiting: &mut Waiting) -> Result<(), Broken> {
        // The connection's task writes first. Most often that is all.
        tokio::task::yield_now().await;
        if !self.buffers.is_written() {
            if !self.tail.may_wait() {
                return Err(Broken::Refused);
            }
            self.tail.stalls();
            let Self {
                stream,
                tail,
                buffers,
                activity,
                ..
            } = self;
            poll_fn(|context| {
                if buffers.poll_written(context).is_ready() {
                    return Poll::Ready(Ok(()));
                }
                poll_broken(stream, tail, activity, waiting, context).map(Err)
            })
            .await?;
        }
        match self.buffers.has_lost() {
            true => Err(Broken::Gone),
            false => Ok(()),
        }
    }

    /// How many bytes of those that are wanted the client's window and the library's buffer have
    /// room for, at least one.
    async fn window(&mut self, wanted: usize, waiting: &mut Waiting) -> Result<usize, Broken> {
        let wanted = wanted.min(MOST_PER_STREAM);
        self.stream.reserve_capacity(wanted);
        let open = self.stream.capacity().min(wanted);
        if open > 0 {
            return match self.tail.is_cut() {
                true => Err(Broken::Cut),
                false => Ok(open),
            };
        }
        if !self.tail.may_wait() {
            return Err(Broken::Refused);
        }
        self.tail.stalls();
        let Self {
            stream,
            tail,
            activity,
            ..
        } = self;
        poll_fn(|context| {
            match stream.poll_capacity(context) {
                Poll::Ready(Some(Ok(open))) if open > 0 => {
                    return Poll::Ready(Ok(open.min(wanted)));
                }
                Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(Err(Broken::Gone)),
            }
            poll_broken(stream, tail, activity, waiting, context).map(Err)
        })
        .await
    }

    /// The body's next bytes. Waiting for a disk is not the client's fault, and no stall.
    async fn next_bytes(&mut self, waiting: &mut Waiting) -> Result<Option<Bytes>, Broken> {
        waiting.rest();
        let Self {
            stream, tail, body, ..
        } = self;
        poll_fn(|context| {
            if let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(context) {
                let bytes = frame.map(|frame| frame.map(|frame| frame.into_data().unwrap_or_default()));
                return Poll::Ready(bytes.transpose().map_err(Broken::Unreadable));
            }
            // The window of the connection is for those who have something to send.
            stream.reserve_capacity(0);
            poll_ended(stream, tail, context).map(Err)
        })
        .await
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // Also when the connection was broken off in the middle.
        self.note_written();
    }
}

/// Ready when the stream is gone, or the policy ends it.
fn poll_ended(stream: &mut SendStream<Chunk>, tail: &mut Tail, context: &mut Context<'_>) -> Poll<Broken> {
    if stream.poll_reset(context).is_ready() {
        return Poll::Ready(Broken::Gone);
    }
    tail.poll_cut(context).map(|()| Broken::Cut)
}

/// The same, or when the client takes too little.
fn poll_broken(
    stream: &mut SendStream<Chunk>,
    tail: &mut Tail,
    activity: &Course,
    waiting: &mut Waiting,
    context: &mut Context<'_>,
) -> Poll<Broken> {
    if let Poll::Ready(broken) = poll_ended(stream, tail, context) {
        return Poll::Ready(broken);
    }
    waiting.poll_stalled(activity, context).map(Broken::Stalled)
}

/// How long a stream waits for its reader.
struct Waiting {
    longest: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    is_timed: bool,
    pace: Pace,
}

impl Waiting {
    fn new(limits: &Limits) -> Self {
        Self {
            longest: limits.stall_timeout.duration(),
            timer: None,
            is_timed: false,
            pace: Pace::new(limits.lowest_rate),
        }
    }

    /// The client has taken bytes, or opened its window for them.
    fn moved(&mut self, bytes: usize) {
        self.is_timed = false;
        self.pace.moved(bytes);
    }

    /// It is not waited for the client.
    fn rest(&mut self) {
        self.is_timed = false;
        self.pace.moved(0);
    }

    /// Ready once the client has taken nothing, or too little, for too long. While the socket
    /// itself takes nothing, the connection keeps its own time, and this keeps none.
    fn poll_stalled(&mut self, activity: &Course, context: &mut Context<'_>) -> Poll<Limit> {
        loop {
            let now = Instant::now();
            let end = now + self.longest;
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
            if !std::mem::replace(&mut self.is_timed, true) {
                timer.as_mut().reset(end);
            }
            let limit = match timer.as_mut().poll(context) {
                Poll::Ready(()) => Limit::StallTimeout,
                Poll::Pending => {
                    ready!(self.pace.poll_too_slow(context));
                    Limit::LowestRateReading
                }
            };
            if !activity.is_blocked() {
                return Poll::Ready(limit);
            }
            self.is_timed = false;
            self.pace.begin_anew();
        }
    }
}
