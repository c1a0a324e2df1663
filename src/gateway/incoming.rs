//! A request's body on its way in: counted, and ended when the policy ends its transfer, also where nothing comes any more.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::types::Span;

use super::{Failure, Limits, limits, pace::Pace, payload::too_large};

/// A body on its way in.
pub(super) struct Incoming<B> {
    body: B,
    received: u64,
    cut: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    is_cut: bool,
    pace: Pace,
    is_slow: bool,
    /// The most bytes that may come, framing included.
    most: u64,
    is_too_long: bool,
    /// How long nothing may come while the body is awaited.
    longest_silence: Span,
    silence: Option<Pin<Box<Sleep>>>,
    /// Whether the timer runs.
    is_timed: bool,
    is_silent: bool,
}

/// The body broke off.
#[derive(Debug, thiserror::Error)]
#[error("the body broke off")]
pub(super) struct BrokenOff;

impl<B> Incoming<B> {
    pub(super) fn new(body: B, limits: &Limits) -> Self {
        Self {
            body,
            received: 0,
            cut: None,
            is_cut: false,
            pace: Pace::new(limits.lowest_rate),
            is_slow: false,
            most: limits::body_bytes(limits.upload_bytes),
            is_too_long: false,
            longest_silence: limits.body_timeout,
            silence: None,
            is_timed: false,
            is_silent: false,
        }
    }

    /// Ready once nothing has come for too long.
    fn poll_silence(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let end = Instant::now() + self.longest_silence.duration();
        let timer = self.silence.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if !std::mem::replace(&mut self.is_timed, true) {
            timer.as_mut().reset(end);
        }
        timer.as_mut().poll(context)
    }

    /// Whether more came than may.
    pub(super) fn is_too_long(&self) -> bool {
        self.is_too_long
    }

    /// The failure of a request whose body broke off, by the reason for which it did.
    pub(super) fn reason_for(&self, failure: Failure) -> Failure {
        match failure {
            Failure::CutBody if self.is_too_long => Failure::TooLong(too_large(self.received, self.most)),
            Failure::CutBody if self.is_silent => Failure::SilentBody,
            Failure::CutBody if self.is_slow => Failure::SlowBody,
            other => other,
        }
    }

    /// Ends when this token is cancelled.
    pub(super) fn ends_with(&mut self, token: CancellationToken) {
        self.cut = Some(Box::pin(token.cancelled_owned()));
    }

    /// From now on it goes on whatever becomes of its transfer. `true`: the policy had ended it.
    pub(super) fn no_longer_ends(&mut self) -> bool {
        self.cut = None;
        std::mem::take(&mut self.is_cut)
    }

    /// How many bytes have come.
    pub(super) fn received(&self) -> u64 {
        self.received
    }
}

impl<B> Body for Incoming<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let incoming = self.get_mut();
        if let Some(cut) = &mut incoming.cut
            && cut.as_mut().poll(context).is_ready()
        {
            incoming.is_cut = true;
            return Poll::Ready(Some(Err(BrokenOff)));
        }
        let frame = Pin::new(&mut incoming.body).poll_frame(context);
        if frame.is_pending() {
            incoming.is_slow = incoming.pace.poll_too_slow(context).is_ready();
            incoming.is_silent = incoming.poll_silence(context).is_ready();
            if incoming.is_slow || incoming.is_silent {
                return Poll::Ready(Some(Err(BrokenOff)));
            }
            return Poll::Pending;
        }
        incoming.is_timed = false;
        frame.map(|frame| {
            frame.map(|frame| {
                let frame = frame.map_err(|_| BrokenOff)?;
                let length = frame.data_ref().map_or(0, Bytes::len) as u64;
                incoming.received = incoming.received.saturating_add(length);
                incoming.pace.moved(frame.data_ref().map_or(0, Bytes::len));
                // Once: what is read afterwards is only drained.
                if incoming.received > incoming.most && !incoming.is_too_long {
                    incoming.is_too_long = true;
                    return Err(BrokenOff);
                }
                Ok(frame)
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
