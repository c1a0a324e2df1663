//! An answer that takes longer than a client waits: joining the parts of a large upload. The work goes on by itself; once it has taken a while the
//! answer begins with 200, and white space keeps the connection alive until the document comes. What fails then is told in the document, as on
//! AWS.
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
use tokio::{task::JoinHandle, time::Interval};

use crate::s3::ErrorCode;

use super::{Body, Failure, request_id::AnswerIds};

/// How long an answer may take before it begins without its document.
const PATIENCE: Duration = Duration::from_secs(5);
/// How a document begins. White space may stand behind it, and not before.
const DECLARATION: &[u8] = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// A document on its way.
pub(super) struct Late {
    work: Option<JoinHandle<Result<Vec<u8>, Failure>>>,
    alive: Interval,
    begun: bool,
    ids: AnswerIds,
    /// Code and reason of a failure that was told in the document.
    failure: Option<(ErrorCode, &'static str)>,
}

/// Does the work, whether or not anybody waits for it, and answers with its document.
pub(super) async fn answer(
    work: impl Future<Output = Result<Vec<u8>, Failure>> + Send + 'static,
    ids: AnswerIds,
) -> Result<Response<Body>, Failure> {
    let mut work = tokio::spawn(work);
    if let Ok(done) = tokio::time::timeout(PATIENCE, &mut work).await {
        return done
            .unwrap_or(Err(Failure::Interrupted))
            .map(super::ops::document);
    }
    let mut response = Response::new(Body::Late(Late::new(work, PATIENCE, ids)));
    let xml = HeaderValue::from_static("application/xml");
    response.headers_mut().insert(header::CONTENT_TYPE, xml);
    Ok(response)
}

impl Late {
    fn new(work: JoinHandle<Result<Vec<u8>, Failure>>, every: Duration, ids: AnswerIds) -> Self {
        Self {
            work: Some(work),
            alive: tokio::time::interval(every),
            begun: false,
            ids,
            failure: None,
        }
    }

    /// Code and reason, where it failed after the answer had begun.
    pub(super) fn failure(&self) -> Option<(ErrorCode, &'static str)> {
        self.failure
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
        if let Poll::Ready(done) = Pin::new(work).poll(context) {
            self.work = None;
            let document = match done.unwrap_or(Err(Failure::Interrupted)) {
                Ok(document) => document,
                Err(failure) => {
                    let (request_id, reason) = (&self.ids.request_id, failure.name());
                    tracing::warn!(%request_id, reason, "failed after the answer had begun: {failure}");
                    let error = failure.s3_error();
                    self.failure = Some((error.code(), failure.name()));
                    self.ids.document(&error)
                }
            };
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
    use crate::{gateway::request_id::RequestIds, s3::S3Error};

    /// What a client reads of work that takes a few ticks.
    async fn read(outcome: Result<Vec<u8>, Failure>) -> String {
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        let work = tokio::spawn(async move {
            _ = wait.await;
            outcome
        });
        let ids = RequestIds::new();
        let ids = AnswerIds::new(ids.next(), ids.host_id());
        let mut body = Body::Late(Late::new(work, Duration::from_millis(1), ids));
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
        let ids = || AnswerIds::new(ids.next(), ids.host_id());
        let response = answer(async { Ok(b"<Done/>".to_vec()) }, ids()).await.unwrap();
        assert_eq!(response.headers()["content-length"], "7");
        let failed = answer(async { Err(Failure::HiddenKey) }, ids()).await;
        assert!(matches!(failed, Err(Failure::HiddenKey)));
    }
}
