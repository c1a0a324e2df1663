//! A connection with bounds on time: for a head, for being idle, and for reading an answer. What passes through is left as it is; where the other end lets a bound
//! pass, the connection ends with an error.
//!
//! HTTP's own library knows the first of them only, and counts idle time in: a proxy keeps connections longer than a stranger may take for a head.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use crate::{
    gateway::{Connection, Pace},
    metrics::{Limit, Metrics},
};

use super::{Settings, half_head::HalfHead};

/// What is being asked by a connection. A copy is another handle on the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Course(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// How many requests there have been.
    begun: AtomicUsize,
    /// How many are not over.
    open: AtomicUsize,
    /// Whether the socket takes nothing more at the moment.
    blocked: AtomicBool,
}

impl Course {
    /// A request has come.
    pub(super) fn begin(&self) -> Request {
        let counts = &*self.0;
        counts.begun.fetch_add(1, Ordering::Relaxed);
        counts.open.fetch_add(1, Ordering::Relaxed);
        Request(self.clone())
    }

    fn begun(&self) -> usize {
        self.0.begun.load(Ordering::Relaxed)
    }

    fn is_idle(&self) -> bool {
        self.0.open.load(Ordering::Relaxed) == 0
    }

    /// Whether the socket takes nothing more at the moment.
    pub(super) fn is_blocked(&self) -> bool {
        self.0.blocked.load(Ordering::Relaxed)
    }
}

/// A request that is not over until this is gone.
#[derive(Debug)]
pub(super) struct Request(Course);

impl Request {
    /// Goes along with the answer's body.
    pub(super) fn answered<B>(self, body: B) -> Answered<B> {
        Answered { body, _request: self }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.0.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer's body, with the request that it ends.
#[derive(Debug)]
pub(super) struct Answered<B> {
    body: B,
    _request: Request,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Answered<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Which version of HTTP is spoken: what its silence means differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    /// Whatever comes while nothing is asked begins a head.
    Http1,
    /// Something comes at any time, and one stream may stall beside others.
    Http2,
}

/// What is waited for while nothing is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    /// The rest of a head, or the first one.
    Head,
    /// That anything is asked.
    Request,
}

/// A connection that is not waited for without end.
pub(super) struct Patient<I> {
    io: I,
    speaks: Speaks,
    course: Course,
    connection: Connection,
    metrics: Metrics,
    head_timeout: Duration,
    idle_timeout: Duration,
    /// How many requests had come when it was looked last.
    seen: usize,
    awaited: Awaited,
    /// Does the timer run for what is awaited?
    is_timed: bool,
    /// From when the first head is waited for, until that begins to be timed.
    first_since: Option<Instant>,
    /// Has some of the head come that is awaited?
    has_part: bool,
    half_head: HalfHead,
    timer: Option<Pin<Box<Sleep>>>,
    reader: Pace,
}

impl<I> Patient<I> {
    pub(super) fn new(
        io: I,
        speaks: Speaks,
        course: Course,
        connection: Connection,
        half_head: HalfHead,
        since: Instant,
        (settings, metrics): (&Settings, &Metrics),
    ) -> Self {
        Self {
            io,
            speaks,
            course,
            connection,
            metrics: metrics.clone(),
            head_timeout: settings.head_timeout.duration(),
            idle_timeout: settings.limits.idle_timeout.duration(),
            seen: 0,
            awaited: match speaks {
                Speaks::Http1 => Awaited::Head,
                Speaks::Http2 => Awaited::Request,
            },
            is_timed: false,
            first_since: Some(since),
            has_part: false,
            half_head,
            timer: None,
            reader: Pace::new(settings.limits.lowest_rate),
        }
    }

    /// Has a request come since it was looked last? Then whatever was awaited is there.
    fn look(&mut self) {
        let begun = self.course.begun();
        if begun != self.seen {
            (self.seen, self.awaited, self.is_timed) = (begun, Awaited::Request, false);
            (self.has_part, self.first_since) = (false, None);
            self.half_head.is_whole();
        }
    }

    fn bytes_came(&mut self) {
        self.look();
        if self.speaks == Speaks::Http1 && self.awaited == Awaited::Request && self.course.is_idle() {
            (self.awaited, self.is_timed) = (Awaited::Head, false);
        }
        self.has_part = self.speaks == Speaks::Http1 && self.awaited == Awaited::Head;
    }

    /// Nothing comes: ready when it has been waited for too long.
    fn poll_impatient(&mut self, context: &mut Context<'_>) -> Poll<Limit> {
        self.look();
        if !self.course.is_idle() {
            self.is_timed = false;
            // An HTTP/2 stream keeps its own time: see `http2::send`.
            return Poll::Pending;
        }
        if self.has_part && !self.half_head.is_waited_for() {
            return Poll::Ready(Limit::UnverifiedRequests);
        }
        let (limit, longest) = match self.awaited {
            Awaited::Head => (Limit::HeadTimeout, self.head_timeout),
            Awaited::Request => (Limit::IdleTimeout, self.idle_timeout),
        };
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(Instant::now())));
        if !self.is_timed {
            self.is_timed = true;
            let since = self.first_since.take().unwrap_or_else(Instant::now);
            timer.as_mut().reset(since + longest);
        }
        ready!(timer.as_mut().poll(context));
        Poll::Ready(limit)
    }

    /// Nothing more is taken: ready when that has been so for too long. Then what the kernel holds for the reader goes as well.
    fn poll_too_slow(&mut self, context: &mut Context<'_>) -> Poll<Limit> {
        ready!(self.reader.poll_too_slow(context));
        self.connection.break_off();
        Poll::Ready(Limit::LowestRateReading)
    }

    fn blocked(&self, is_blocked: bool) {
        self.course.0.blocked.store(is_blocked, Ordering::Relaxed);
        if is_blocked {
            self.connection.stalls();
        }
    }

    fn over(&self, limit: Limit) -> io::Error {
        self.metrics.limited(limit);
        io::Error::new(io::ErrorKind::TimedOut, limit.name())
    }

    /// What became of a write.
    fn written(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) => {
                self.reader.moved(bytes);
                self.blocked(false);
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                self.blocked(true);
                let limit = ready!(self.poll_too_slow(context));
                Poll::Ready(Err(self.over(limit)))
            }
        }
    }

    /// What became of a flush: what is left is waited for like anything else.
    fn flushed(&mut self, context: &mut Context<'_>, flushed: Poll<io::Result<()>>) -> Poll<io::Result<()>> {
        match flushed {
            Poll::Ready(Ok(())) => {
                self.reader.moved(0);
                self.blocked(false);
                // The library flushes once it holds nothing more.
                self.connection.flushed();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                self.blocked(true);
                let limit = ready!(self.poll_too_slow(context));
                Poll::Ready(Err(self.over(limit)))
            }
        }
    }
}

impl<I> Drop for Patient<I> {
    fn drop(&mut self) {
        self.connection.closed();
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Patient<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let patient = self.get_mut();
        let before = buffer.filled().len();
        match Pin::new(&mut patient.io).poll_read(context, buffer) {
            Poll::Ready(read) => {
                if buffer.filled().len() > before {
                    patient.bytes_came();
                }
                Poll::Ready(read)
            }
            Poll::Pending => {
                let limit = ready!(patient.poll_impatient(context));
                Poll::Ready(Err(patient.over(limit)))
            }
        }
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Patient<I> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let patient = self.get_mut();
        let written = Pin::new(&mut patient.io).poll_write(context, data);
        patient.written(context, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let patient = self.get_mut();
        let written = Pin::new(&mut patient.io).poll_write_vectored(context, data);
        patient.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let patient = self.get_mut();
        let flushed = Pin::new(&mut patient.io).poll_flush(context);
        patient.flushed(context, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let patient = self.get_mut();
        let shut = Pin::new(&mut patient.io).poll_shutdown(context);
        patient.flushed(context, shut)
    }
}
