//! A browser's form as it comes in: its fields, within a bound of bytes and time, and then its file as a body of its own.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http_body::{Body, Frame};
use http_body_util::BodyExt;

use crate::{
    s3::{FileDecoder, Form, FormDecoder, FormEvent},
    types::RequestHead,
};

use super::Failure;

/// How long the fields may take to come.
const LONGEST_FIELDS: Duration = Duration::from_secs(60);

/// The file of a form, as a body. Where the form ends before its file does, this ends in an error.
pub(super) struct FormFile<'r, B> {
    body: &'r mut B,
    decoder: Box<FileDecoder>,
    /// Has what came with the fields been given?
    begun: bool,
}

impl<B> FormFile<'_, B> {
    /// What it comes in.
    pub(super) fn body(&mut self) -> &mut B {
        self.body
    }
}

/// Reads the fields up to the file.
pub(super) async fn read<'r, B>(
    head: &RequestHead,
    body: &'r mut B,
) -> Result<(Form, FormFile<'r, B>), Failure>
where
    B: Body<Data = Bytes> + Unpin,
{
    let content_type = head
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let decoder = FormDecoder::new(content_type.unwrap_or_default()).map_err(Failure::Call)?;
    let fields = tokio::time::timeout(LONGEST_FIELDS, fields(decoder, body));
    let (form, decoder) = fields.await.map_err(|_| Failure::SilentBody)??;
    let file = FormFile {
        body,
        decoder,
        begun: false,
    };
    Ok((form, file))
}

async fn fields<B>(mut decoder: FormDecoder, body: &mut B) -> Result<(Form, Box<FileDecoder>), Failure>
where
    B: Body<Data = Bytes> + Unpin,
{
    loop {
        let frame = body.frame().await.ok_or(Failure::CutBody)?;
        let Ok(data) = frame.map_err(|_| Failure::CutBody)?.into_data() else {
            continue;
        };
        match decoder.decode(&data).map_err(Failure::Call)? {
            FormEvent::Fields(fields) => decoder = fields,
            FormEvent::File(form, file) => return Ok((form, file)),
        }
    }
}

/// The form ended within its file.
#[derive(Debug, thiserror::Error)]
#[error("the form ended before its file did")]
pub(super) struct Cut;

impl<B> Body for FormFile<'_, B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let file = self.get_mut();
        loop {
            let data = if file.begun {
                match ready!(Pin::new(&mut *file.body).poll_frame(context)) {
                    None if file.decoder.has_ended() => return Poll::Ready(None),
                    None | Some(Err(_)) => return Poll::Ready(Some(Err(Cut))),
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(data) => data,
                        // HTTP's own trailers are none of S3's.
                        Err(_) => continue,
                    },
                }
            } else {
                file.begun = true;
                Bytes::new()
            };
            let content = file.decoder.decode(data);
            if !content.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(content))));
            }
        }
    }
}
