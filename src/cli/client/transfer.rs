//! Bytes up and down, a piece at a time. A file of known length goes into a PutObject, the body of a GetObject into a writer; less or
//! more than was announced is an error.

use std::{io, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{Method, Response, Version, header};
use http_body::Body;
use http_body_util::{BodyExt, channel::Channel};
use hyper::body::Incoming;
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::{Notify, watch},
};

use super::{Call, ClientError, S3Client, STORING, Sent, error::chain, progress::Progress};

/// How much of a file is read at a time.
const PIECE: usize = 64 * 1024;
/// How many pieces wait for the network.
const AHEAD: usize = 8;
/// From this length on a server is asked first: one that refuses may hang up on a body, and with it goes its answer.
const ASKED_FIRST: u64 = 64 * 1024;
/// How long a server may take to say that it wants the body. Some never do.
const ASKING: Duration = Duration::from_secs(1);

/// Uploads `length` bytes of a file. What the server has answered 2xx, it holds.
pub(in crate::cli) async fn upload(
    client: &S3Client,
    call: Call<'_>,
    file: File,
    length: u64,
    progress: Progress,
) -> Result<(), ClientError> {
    let length_header = ("content-length".to_owned(), length.to_string());
    let headers: Vec<_> = call.headers.iter().cloned().chain([length_header]).collect();
    let call = Call {
        headers: &headers,
        ..call
    };
    let (sender, body) = Channel::new(AHEAD);
    let asked = (length >= ASKED_FIRST).then(Arc::<Notify>::default);
    let (wanted, body) = match asked {
        Some(wanted) => (Some(wanted.clone()), Sent::Expected(body, wanted)),
        None => (None, Sent::Stream(body)),
    };
    let (taken, progressing) = watch::channel(0);
    let feeding = tokio::spawn(async move {
        if let Some(wanted) = wanted {
            // Told or not, it is sent now.
            _ = tokio::time::timeout(ASKING, wanted.notified()).await;
        }
        feed(sender, file, length, (progress, taken)).await;
    });
    let answered = tokio::select! {
        answered = client.send_body(Method::PUT, call, body) => answered,
        silent = stalled(client, progressing, length) => Err(silent),
    };
    // Refused or not, the file is of no more use.
    feeding.abort();
    let response = answered?;
    client.text(response.into_body()).await.map(drop)
}

/// Ends when the server takes nothing of the body, or has it all and gives no answer.
async fn stalled(client: &S3Client, mut taken: watch::Receiver<u64>, length: u64) -> ClientError {
    loop {
        let silence = match *taken.borrow_and_update() >= length {
            true => client.silence().saturating_mul(STORING),
            // Before the first byte the server is asked whether it wants the body.
            false => client.silence().saturating_add(ASKING),
        };
        match tokio::time::timeout(silence, taken.changed()).await {
            Ok(Ok(())) => {}
            // Nothing more is sent: the answer has its own time from here on.
            Ok(Err(_)) => {
                let storing = client.silence().saturating_mul(STORING);
                tokio::time::sleep(storing).await;
                return client.silent(storing);
            }
            Err(_) => return client.silent(silence),
        }
    }
}

async fn feed(
    mut sender: http_body_util::channel::Sender<Bytes, io::Error>,
    file: File,
    length: u64,
    (mut progress, taken): (Progress, watch::Sender<u64>),
) {
    let mut file = file.take(length);
    let mut left = length;
    while left > 0 {
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = match file.read_buf(&mut piece).await {
            Ok(0) => Err(io::Error::other("the file became shorter while it was sent")),
            other => other,
        };
        match read {
            Ok(read) => {
                left = left.saturating_sub(read as u64);
                progress.add(read);
                if sender.send_data(piece.freeze()).await.is_err() {
                    return;
                }
                taken.send_replace(length.saturating_sub(left));
            }
            Err(error) => return sender.abort(error),
        }
    }
}

/// The length that an answer announces.
pub(in crate::cli) fn length(response: &Response<Incoming>) -> Option<u64> {
    response.body().size_hint().exact()
}

/// Hands an answer's body to a writer, which is flushed.
pub(in crate::cli) async fn download(
    client: &S3Client,
    response: Response<Incoming>,
    to: &mut (impl AsyncWrite + Unpin),
    mut progress: Progress,
) -> Result<Written, ClientError> {
    let broken = |reason: String| ClientError::BrokenOff(client.authority(), reason);
    let announced = length(&response);
    let framed = announced.is_some()
        || response.version() == Version::HTTP_2
        || response.headers().contains_key(header::TRANSFER_ENCODING);
    if !framed {
        return Err(broken(
            "the answer has no length, so whether it is whole cannot be told".to_owned(),
        ));
    }
    let (mut body, mut written) = (response.into_body(), 0_u64);
    loop {
        let frame = tokio::time::timeout(client.silence(), body.frame()).await;
        let frame = frame.map_err(|_| client.silent(client.silence()))?;
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(|error| broken(chain(&error)))?.into_data() else {
            continue;
        };
        if let Err(error) = to.write_all(&data).await {
            return Ok(Written::Not(error));
        }
        progress.add(data.len());
        written = written.saturating_add(data.len() as u64);
    }
    if announced.is_some_and(|announced| announced != written) {
        return Err(broken(format!(
            "{written} bytes came instead of {}",
            announced.unwrap_or_default()
        )));
    }
    match to.flush().await {
        Ok(()) => Ok(Written::Whole),
        Err(error) => Ok(Written::Not(error)),
    }
}

/// What became of a body that arrived.
#[must_use]
pub(in crate::cli) enum Written {
    /// All of it has been written.
    Whole,
    /// The writer failed.
    Not(io::Error),
}
