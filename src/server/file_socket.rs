//! A plain socket that sends files by itself, with `sendfile(2)`: slices that stand for a piece of a file are known by their address, and the piece is
//! sent in their place. What comes before them, such as a head, waits in the kernel for them (`MSG_MORE`), so both go in one packet.
//! <https://man7.org/linux/man-pages/man2/sendfile.2.html>

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

use crate::gateway::FileSource;

use super::abortable::Abortable;

/// The most bytes of one call.
const AT_ONCE: usize = 1024 * 1024;

/// A socket, and where it finds what to send.
pub(super) struct FileSocket {
    socket: Abortable,
    files: FileSource,
}

impl FileSocket {
    pub(super) fn new(socket: Abortable, files: FileSource) -> Self {
        Self { socket, files }
    }

    /// Does it as soon as the socket takes something.
    fn poll_writable(
        &self,
        context: &mut Context<'_>,
        mut write: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let stream = self.socket.stream();
        loop {
            ready!(stream.poll_write_ready(context))?;
            match stream.try_io(Interest::WRITABLE, &mut write) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    /// Sends of the piece that is next, and no more than this slice of it stands for.
    fn poll_piece(&self, context: &mut Context<'_>, slice: &[u8]) -> Poll<io::Result<usize>> {
        let Some(piece) = self.files.front() else {
            return Poll::Ready(Err(io::Error::other(
                "a piece of a file was announced, and is not there",
            )));
        };
        let length = piece.length.min(slice.len()).min(AT_ONCE);
        let sent = ready!(self.poll_writable(context, || {
            let mut offset = piece.offset;
            let stream = self.socket.stream();
            Ok(rustix::fs::sendfile(
                stream,
                piece.file.file(),
                Some(&mut offset),
                length,
            )?)
        }))?;
        if sent == 0 {
            // It was cut while it was sent: what was promised is not there, so the connection ends.
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.files.sent(sent);
        Poll::Ready(Ok(sent))
    }

    fn poll_slices(&self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let first = slices.iter().position(|slice| !slice.is_empty()).unwrap_or(0);
        let slices = slices.get(first..).unwrap_or_default();
        let plain = slices
            .iter()
            .take_while(|slice| !FileSource::stands_for_a_piece(slice))
            .count();
        match (slices.first(), slices.get(..plain)) {
            (Some(slice), _) if plain == 0 => self.poll_piece(context, slice),
            (_, Some(before)) => {
                let flags = match plain < slices.len() {
                    true => SendFlags::NOSIGNAL | SendFlags::MORE,
                    false => SendFlags::NOSIGNAL,
                };
                self.poll_writable(context, || {
                    let stream = self.socket.stream();
                    Ok(sendmsg(
                        stream,
                        before,
                        &mut SendAncillaryBuffer::default(),
                        flags,
                    )?)
                })
            }
            (_, None) => Poll::Ready(Ok(0)),
        }
    }
}

impl AsyncRead for FileSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_read(context, buffer)
    }
}

impl AsyncWrite for FileSocket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_slices(context, &[IoSlice::new(data)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_slices(context, data)
    }

    /// The library must pass slices on and not copy them: what it copied would be zeros.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(context)
    }
}
