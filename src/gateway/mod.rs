//! The pipeline: a request goes in, an answer comes out, whatever happens.
//!
//! ```text
//! intake → authenticate → parse the S3 call → authorize → execute → respond
//! ```
//!
//! Each step takes what only the step before it can make: executing takes a [`Permit`].

mod assembly;
mod body;
mod cors;
mod digests;
mod failure;
mod form;
mod intake;
mod late;
mod ops;
mod payload;
mod request_id;
mod respond;
mod settings;

pub use body::Body;
pub use request_id::RequestId;
pub use settings::Settings;

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response};

use crate::{
    clock::Clock,
    live::Live,
    s3::Operation,
    store::Store,
    types::{AccessKeyId, BucketName, LinkId, Peer, RequestHead},
    verdict::{self, Circumstances, Permit},
};

use failure::Failure;
use request_id::RequestIds;

/// Who asks for what, once that is verified and permitted.
struct Asked {
    operation: Operation,
    access_key_id: AccessKeyId,
    /// By which one link is revoked.
    link_id: LinkId,
    bucket: Option<BucketName>,
}

impl Asked {
    fn of(permit: &Permit) -> Self {
        Self {
            operation: permit.operation(),
            access_key_id: permit.verified().access_key_id().clone(),
            link_id: permit.verified().link_id(),
            bucket: permit.bucket().cloned(),
        }
    }
}

/// Answers requests from a store, under the policy in force. A copy is another handle on the same.
pub struct Gateway<S>(Arc<Parts<S>>);

struct Parts<S> {
    store: Arc<S>,
    live: Live,
    clock: Clock,
    settings: Settings,
    request_ids: RequestIds,
}

impl<S> Clone for Gateway<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Store> Gateway<S> {
    /// Joins what a gateway needs.
    pub fn new(store: S, live: Live, clock: Clock, settings: impl Into<Settings>) -> Self {
        Self(Arc::new(Parts {
            store: Arc::new(store),
            live,
            clock,
            settings: settings.into(),
            request_ids: RequestIds::new(),
        }))
    }

    /// Answers one request. Every request is answered, refused or not, and each answer has one line in the log; no line holds a
    /// query string, a header or a secret.
    pub async fn handle<B>(&self, request: Request<B>, peer: Peer) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        let request_id = self.0.request_ids.next();
        let (parts, mut body) = request.into_parts();
        let method = parts.method.clone();
        let head = match intake::head(parts, peer.scheme()).map(Arc::new) {
            Ok(head) => head,
            Err(error) => {
                let mut response = self.respond(Err(Failure::Head(error)), &method, request_id, peer, None);
                respond::close(&mut response);
                return response;
            }
        };
        let mut asked = None;
        let answer = self.answer(&head, peer, &mut body, &mut asked, request_id).await;
        let reusable = intake::settle(&head, &mut body).await;
        let mut response = self.respond(answer, &method, request_id, peer, asked.as_ref());
        let bucket = asked.as_ref().and_then(|asked| asked.bucket.as_ref());
        cors::tell(&*self.0.store, &self.0.settings, &head, bucket, &mut response).await;
        if !reusable {
            respond::close(&mut response);
        }
        response
    }

    fn respond(
        &self,
        answer: Result<Response<Body>, Failure>,
        method: &Method,
        request_id: RequestId,
        peer: Peer,
        asked: Option<&Asked>,
    ) -> Response<Body> {
        let host_id = self.0.request_ids.host_id();
        respond::respond(answer, method, request_id, host_id, peer, asked)
    }

    /// The way of a request, from head to answer. Who asks for what is noted for the log as soon as it is known.
    async fn answer<B>(
        &self,
        head: &Arc<RequestHead>,
        peer: Peer,
        body: &mut B,
        asked: &mut Option<Asked>,
        request_id: RequestId,
    ) -> Result<Response<Body>, Failure>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        let settings = &self.0.settings.verdict;
        if cors::is_preflight(head) {
            return cors::preflight(&*self.0.store, &self.0.settings, head).await;
        }
        if verdict::is_form(head, settings) {
            return self.answer_form(head, peer, body, asked).await;
        }
        let permit = {
            // One snapshot and one moment: no request sees half of one policy and half of another.
            let snapshot = self.0.live.snapshot();
            verdict::decide(&Circumstances {
                head,
                peer,
                snapshot: &snapshot,
                settings,
                now: self.0.clock.now(),
            })?
        };
        *asked = Some(Asked::of(&permit));
        let work = ops::Work {
            store: &self.0.store,
            settings,
            head,
            body,
            ids: (request_id, self.0.request_ids.host_id()),
        };
        ops::execute(permit, work).await
    }

    /// The way of a browser's form, whose signature is in its body: its fields are read first, within a bound.
    async fn answer_form<B>(
        &self,
        head: &Arc<RequestHead>,
        peer: Peer,
        body: &mut B,
        asked: &mut Option<Asked>,
    ) -> Result<Response<Body>, Failure>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        let (form, file) = form::read(head, body).await?;
        let permit = {
            let snapshot = self.0.live.snapshot();
            let circumstances = Circumstances {
                head,
                peer,
                snapshot: &snapshot,
                settings: &self.0.settings.verdict,
                now: self.0.clock.now(),
            };
            verdict::decide_form(&circumstances, &form)?
        };
        *asked = Some(Asked::of(&permit));
        ops::execute_form(permit, &*self.0.store, head, file).await
    }
}
