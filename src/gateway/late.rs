//! An answer that takes longer than a client waits: joining the parts of a large upload. The work goes on by itself; once it has taken a while the
//! answer begins with 200, and white space keeps the connection alive until the document comes. The document reports a later failure, as on AWS.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body::Frame;
use tokio::{sync::oneshot, time::Interval};

use super::{Body, Failure, reported::Subject, request_id::AnswerIds};

/// How long an answer may take before it begins without its document.
const PATIENCE: Duration = Duration::from_secs(5);
/// How a document begins. White space may stand behind it, and not before.
const DECLARATION: &[u8] = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// A document, or why there is none.
type Outcome = Result<Vec<u8>, Failure>;

/// Work that goes on by itself. A failure that no answer reports any more, since the client has gone, is still logged.
struct Work {
    outcome: oneshot::Receiver<Outcome>,
    subject: Subject,
}

/// A document on its way.
pub(super) struct Late {
    work: Option<Work>,
    alive: Interval,
    begun: bool,
    ids: AnswerIds,
    /// The failure that the document reported.
    failure: Option<Failure>,
}

/// Does the work, whether or not a client waits for it, and answers with its document. `subject` is what the log says of a failure that comes after
/// the answer has begun.
pub(super) async fn answer(
    work: impl Future<Output = Outcome> + Send + 'static,
    subject: Subject,
    ids: AnswerIds,
) -> Result<Response<Body>, Failure> {
    let mut work = Work::begin(work, subject);
    if let Ok(done) = tokio::time::timeout(PATIENCE, &mut work).await {
        return done.map(super::ops::document);
    }
    let mut response = Response::new(Body::Late(Box::new(Late::new(work, PATIENCE, ids))));
    let xml = HeaderValue::from_static("application/xml");
    response.headers_mut().insert(header::CONTENT_TYPE, xml);
    Ok(response)
}

impl Work {
    fn begin(work: impl Future<Output = Outcome> + Send + 'static, subject: Subject) -> Self {
        let (sender, outcome) = oneshot::channel();
        let unheard = subject.clone();
        tokio::spawn(async move {
            if let Err(Err(failure)) = sender.send(work.await) {
                unheard.log(&failure);
            }
        });
        Self { outcome, subject }
    }
}

impl Future for Work {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let done = ready!(Pin::new(&mut self.outcome).poll(context));
        Poll::Ready(done.unwrap_or(Err(Failure::Interrupted)))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.outcome.close();
        // It came when nothing looked any more.
        if let Ok(Err(failure)) = self.outcome.try_recv() {
            self.subject.log(&failure);
        }
    }
}

impl Late {
    fn new(work: Work, every: Duration, ids: AnswerIds) -> Self {
        Self {
            work: Some(work),
            alive: tokio::time::interval(every),
            begun: false,
            ids,
            failure: None,
        }
    }

    /// The failure that the document reported.
    pub(super) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    pub(super) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let frame = |data| Poll::Ready(Some(Ok(Frame::data(data))));
        let Some(work) = &mut self.work else {
            return Poll::Ready(None);
        };
        if !self.begun {
            self.begun = true;
            return frame(Bytes::from_static(DECLARATION));
        }
        if let Poll::Ready(done) = Pin::new(&mut *work).poll(context) {
            let document = done.unwrap_or_else(|failure| {
                work.subject.log(&failure);
                let document = self.ids.document(&failure.s3_error());
                self.failure = Some(failure);
                document
            });
            self.work = None;
            let document = Bytes::from(document);
            let rest = if document.starts_with(DECLARATION) {
                DECLARATION.len()
            } else {
                0
            };
            return frame(document.slice(rest..));
        }
        ready!(self.alive.poll_tick(context));
        frame(Bytes::from_static(b" "))
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.work.is_none()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::{
        gateway::request_id::RequestIds,
        s3::{ErrorCode, S3Error},
        types::{BucketName, ObjectKey},
    };

    fn subject(ids: &RequestIds) -> Subject {
        Subject {
            request_id: ids.next(),
            operation: "CompleteMultipartUpload",
            bucket: BucketName::parse("films").unwrap(),
            key: ObjectKey::parse("k").unwrap(),
        }
    }

    /// What a client reads of work that takes a few ticks.
    async fn read(outcome: Result<Vec<u8>, Failure>) -> String {
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        let work = async move {
            _ = wait.await;
            outcome
        };
        let ids = RequestIds::new();
        let work = Work::begin(work, subject(&ids));
        let ids = AnswerIds::new(ids.next(), ids.host_id());
        let mut body = Body::Late(Box::new(Late::new(work, Duration::from_millis(1), ids)));
        let mut text = String::new();
        let mut go = Some(go);
        while let Some(frame) = body.frame().await {
            text += std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap();
            if text.ends_with("  ")
                && let Some(go) = go.take()
            {
                go.send(()).unwrap();
            }
        }
        text
    }

    #[tokio::test]
    async fn white_space_keeps_a_connection_alive_until_the_document_comes() {
        let document = [DECLARATION, b"<Done/>"].concat();
        let text = read(Ok(document)).await;
        let (front, back) = text.split_once("<Done/>").unwrap();
        assert_eq!(
            (front.trim_end().as_bytes(), back),
            (DECLARATION.trim_ascii_end(), "")
        );
        assert!(front.ends_with("  "));
    }

    #[tokio::test]
    async fn what_fails_late_is_told_in_the_document() {
        let text = read(Err(Failure::Call(S3Error::new(ErrorCode::PreconditionFailed)))).await;
        assert!(
            text.contains("<Error><Code>PreconditionFailed</Code>") && text.contains("<RequestId>"),
            "{text}"
        );
        assert_eq!(text.matches("<?xml").count(), 1);
    }

    #[tokio::test]
    async fn what_is_done_in_time_is_an_answer_as_any_other() {
        let ids = RequestIds::new();
        let answer_ids = || AnswerIds::new(ids.next(), ids.host_id());
        let done = async { Ok(b"<Done/>".to_vec()) };
        let response = answer(done, subject(&ids), answer_ids()).await.unwrap();
        assert_eq!(response.headers()["content-length"], "7");
        let failed = answer(async { Err(Failure::HiddenKey) }, subject(&ids), answer_ids()).await;
        assert!(matches!(failed, Err(Failure::HiddenKey)));
    }
}
