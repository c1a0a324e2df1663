//! One stream: a request, and its answer.

use std::{future::poll_fn, sync::Arc, time::SystemTime};

use h2::{Reason, RecvStream, server::SendResponse};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use http_body::Body;

use crate::{
    gateway::{AnswerBody, Delivery},
    metrics::Metrics,
};

use super::{
    buffers::{Chunk, ConnectionBuffers, StreamBuffers},
    receive::RequestBody,
    send::Sender,
};
use crate::server::{Handler, connection::Client, limits::Limits};

/// Headers of HTTP/1.1 that HTTP/2 does not have.
/// <https://www.rfc-editor.org/rfc/rfc9113#section-8.2.2>
const OF_HTTP_1: [HeaderName; 4] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// One stream, and what it is served by.
pub(super) struct Stream {
    pub(super) respond: SendResponse<Chunk>,
    pub(super) client: Client,
    pub(super) buffers: Arc<ConnectionBuffers>,
    pub(super) metrics: Metrics,
    pub(super) limits: Limits,
}

impl Stream {
    /// Answers the request. When the client resets the stream, the work on it ends.
    pub(super) async fn serve<H: Handler>(mut self, request: Request<RecvStream>, handler: H) {
        let _asked = self.client.course.begin();
        let (head, body) = request.into_parts();
        let body = RequestBody::new(body, &head.headers);
        let request = Request::from_parts(head, body);
        let connection = self.client.connection.clone();
        let respond = &mut self.respond;
        let response = tokio::select! {
            biased;
            _ = poll_fn(|context| respond.poll_reset(context)) => return,
            response = handler.handle(request, self.client.peer, connection) => response,
        };
        self.answer(response).await;
    }

    async fn answer(mut self, response: Response<Delivery>) {
        let (mut head, delivery) = response.into_parts();
        let (body, tail) = delivery.into_parts();
        let Some(mut tail) = tail else { return };
        settle_headers(&mut head.headers, &body);
        let has_ended = body.is_end_stream();
        let head = Response::from_parts(head, ());
        let stream = match self.respond.send_response(head, has_ended) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(%error, "an answer was not taken");
                return self.respond.send_reset(Reason::INTERNAL_ERROR);
            }
        };
        if has_ended {
            return tail.completed(&body);
        }
        let sender = Sender {
            stream,
            tail,
            body,
            buffers: StreamBuffers::new(self.buffers),
            activity: self.client.course,
            metrics: self.metrics,
            limits: self.limits,
            has_ended: false,
        };
        sender.send().await;
    }
}

/// The headers that HTTP/2 needs, and none that it must not have.
fn settle_headers(headers: &mut HeaderMap, body: &AnswerBody) {
    for name in &OF_HTTP_1 {
        headers.remove(name);
    }
    if !headers.contains_key(header::DATE) {
        let now = httpdate::fmt_http_date(SystemTime::from(crate::clock::Clock::system().now()));
        if let Ok(now) = HeaderValue::try_from(now) {
            headers.insert(header::DATE, now);
        }
    }
    if !body.is_end_stream()
        && !headers.contains_key(header::CONTENT_LENGTH)
        && let Some(length) = body.size_hint().exact()
    {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
}
