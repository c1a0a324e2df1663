//! What an answer's body is made of.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::store::FileBody;

use super::{Connection, Failure, file_window::WindowBody, late::Late};

/// What a connection most often takes at once.
const AT_ONCE: u64 = 64 * 1024;

/// Up to here copying a file through memory that stays in the processor's cache costs no more than having the kernel send its pages, with fewer
/// calls (docs/PERFORMANCE.md).
const COPIED: u64 = 32 * 1024;

/// The body of an answer: nothing, a short text, or an object streamed from the store in constant memory.
pub(super) enum Body {
    /// No byte.
    Empty,
    /// A text made beforehand, such as an error.
    Text(Bytes),
    /// A document with status 200 that reports a failure, and the failure: the gravest, if there are several.
    Report(Bytes, Box<Failure>),
    /// An object, or a range of one. An error while it is read breaks the connection, so that a client never takes a cut
    /// object for a whole one.
    Object(FileBody),
    /// The same, sent by the socket itself.
    Window(WindowBody),
    /// A document that is still being worked for.
    Late(Box<Late>),
}

impl Body {
    /// The failure that it reports with status 200, as far as it is known yet.
    pub(super) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Report(_, failure) => Some(failure),
            Self::Late(late) => late.failure(),
            Self::Empty | Self::Text(_) | Self::Object(_) | Self::Window(_) => None,
        }
    }

    /// The body in the way that this connection sends it best: what is more than a few pages of a file goes to a plain socket without a copy.
    pub(super) fn by(self, connection: &Connection) -> Self {
        match (self, connection.files()) {
            (Self::Object(object), Some(files)) if object.remaining() > COPIED => {
                let (file, range) = object.into_parts();
                Self::Window(WindowBody::new(files.clone(), file, range))
            }
            (other, _) => other,
        }
    }

    /// The same text, with the failure that it reports.
    pub(super) fn reporting(self, failure: Option<Failure>) -> Self {
        match (self, failure) {
            (Self::Text(text), Some(failure)) => Self::Report(text, Box::new(failure)),
            (body, _) => body,
        }
    }

    /// The length of a body that goes out at once, as a whole; none of one that takes its time.
    pub(super) fn length_of_short(&self) -> Option<u64> {
        match self {
            Self::Late(_) => None,
            short if short.is_short() => http_body::Body::size_hint(short).exact(),
            _ => None,
        }
    }

    /// Bounds the next frame of an object.
    pub(super) fn limit(&mut self, bytes: usize) {
        if let Self::Object(object) = self {
            object.limit(bytes);
        }
    }

    /// How many bytes of it are in memory.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Text(text) | Self::Report(text, _) => text.len(),
            Self::Empty | Self::Object(_) | Self::Window(_) | Self::Late(_) => 0,
        }
    }

    /// Whether a transport most often takes it at once. Until it does not, it is not watched.
    pub(super) fn is_short(&self) -> bool {
        match self {
            Self::Empty | Self::Text(_) | Self::Report(..) | Self::Late(_) => true,
            Self::Object(object) => object.remaining() <= AT_ONCE,
            Self::Window(window) => window.remaining() <= AT_ONCE,
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let body = self.get_mut();
        match body {
            Self::Empty => Poll::Ready(None),
            Self::Text(text) | Self::Report(text, _) => {
                let text = std::mem::take(text);
                *body = Self::Empty;
                Poll::Ready(Some(Ok(Frame::data(text))))
            }
            Self::Object(object) => Pin::new(object).poll_frame(context),
            Self::Window(window) => {
                let slice = ready!(window.poll_slice(context));
                Poll::Ready(slice.map(|slice| slice.map(Frame::data)))
            }
            Self::Late(late) => late.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Text(_) | Self::Report(..) => false,
            Self::Object(object) => object.is_end_stream(),
            Self::Window(window) => window.remaining() == 0,
            Self::Late(late) => late.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Text(text) | Self::Report(text, _) => SizeHint::with_exact(text.len() as u64),
            Self::Object(object) => object.size_hint(),
            Self::Window(window) => SizeHint::with_exact(window.remaining()),
            Self::Late(_) => SizeHint::default(),
        }
    }
}
