//! The pipeline: a request goes in, an answer comes out, whatever happens.
//!
//! ```text
//! intake → authenticate → parse the S3 call → authorize → admit → execute → respond
//! ```
//!
//! Each step takes what only the step before it can make: executing takes an `Admitted`. Beside it run the record of the request, which is
//! written when everything else of it is gone, and the watch over transfers in flight.

mod admission;
mod assembly;
mod body;
mod connection;
mod cors;
mod delivery;
mod digests;
mod explaining;
mod failure;
mod file_window;
mod form;
mod incoming;
mod intake;
mod late;
mod limits;
mod ops;
mod pace;
mod payload;
mod recording;
mod refusals;
mod reported;
mod request_id;
mod respond;
mod settings;
mod stranger_log;
mod telemetry;
mod transfers;

pub use admission::{StrangerSlot, Strangers};
pub use connection::Connection;
pub use delivery::{AnswerBody, Delivery, Tail};
pub use file_window::{FileQueue, FileSource, Piece};
pub use limits::Limits;
pub use pace::{LowestRate, Pace};
pub use request_id::RequestId;
pub use settings::{Mode, Settings};
pub use stranger_log::StrangerLog;
pub use telemetry::Telemetry;

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, Version};
use tokio_util::sync::CancellationToken;

use crate::{
    audit::Record,
    clock::Clock,
    live::Live,
    store::{Store, StoreError},
    types::{BucketName, Client, Network, Peer, RequestHead},
    verdict::{self, Circumstances, Grounds, Verdict},
};

use admission::{Admission, Admitted, HeldSlot};
use body::Body;
use explaining::Hints;
use failure::Failure;
use incoming::Incoming;
use recording::Recording;
use refusals::Refusals;
use request_id::RequestIds;
use transfers::{End, Transfer, Transfers, Watch};

/// Answers requests from a store, under the policy in force. A copy is another handle on the same.
pub struct Gateway<S>(Arc<Parts<S>>);

struct Parts<S> {
    store: Arc<S>,
    live: Live,
    clock: Clock,
    settings: Settings,
    telemetry: Arc<Telemetry>,
    transfers: Arc<Transfers>,
    refusals: Arc<Refusals>,
    hints: Arc<Hints>,
    admission: Arc<Admission>,
    request_ids: RequestIds,
}

/// One request on its way: what goes along with it from its head to the last byte of its answer.
struct Course {
    request_id: RequestId,
    client: Client,
    connection: Connection,
    /// Do other requests share the connection at the same time?
    multiplexed: bool,
    recording: Recording,
    watch: Watch,
    /// The bucket that it may do something to.
    bucket: Option<BucketName>,
    /// The slot that it holds. A request without one is answered, and waits for nothing.
    slot: Option<HeldSlot>,
}

impl<S> Clone for Gateway<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Store> Gateway<S> {
    /// Joins what a gateway needs. Must be called within a runtime.
    pub fn new(
        store: S,
        live: Live,
        clock: Clock,
        telemetry: impl Into<Telemetry>,
        settings: impl Into<Settings>,
    ) -> Self {
        Self(Arc::new(Parts {
            store: Arc::new(store),
            transfers: Transfers::new(live.clone()),
            refusals: Arc::default(),
            hints: Arc::new(Hints::new(clock.moment())),
            admission: Arc::default(),
            live,
            clock,
            settings: settings.into(),
            telemetry: Arc::new(telemetry.into()),
            request_ids: RequestIds::new(),
        }))
    }

    /// Another handle on the same, for the requests of one thread: what each of them counts, or takes a copy of, is in memory of its own. Threads that
    /// share it would pass it from one processor to the other, several times a request.
    pub fn for_thread(&self) -> Self {
        let Parts {
            store,
            live,
            clock,
            settings,
            telemetry,
            transfers,
            refusals,
            hints,
            admission,
            request_ids,
        } = &*self.0;
        Self(Arc::new(Parts {
            store: store.clone(),
            live: live.clone(),
            clock: clock.clone(),
            settings: Settings {
                verdict: settings.verdict.copied(),
                ..settings.clone()
            },
            telemetry: Arc::new(Telemetry::clone(telemetry)),
            transfers: transfers.clone(),
            refusals: refusals.clone(),
            hints: hints.clone(),
            admission: admission.clone(),
            request_ids: request_ids.another(),
        }))
    }

    /// The transfers in flight: uploads, and downloads that are more than a connection takes at once.
    pub fn transfers(&self) -> Vec<Record> {
        self.0.transfers.running()
    }

    /// Answers one request. Every request is answered, refused or not, and has one line in the log and one in the audit trail; no line holds a
    /// query string or a secret.
    pub async fn handle<B>(
        &self,
        request: Request<B>,
        peer: Peer,
        connection: Connection,
    ) -> Response<Delivery>
    where
        B: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
    {
        let gateway = &*self.0;
        let request_id = gateway.request_ids.next();
        let (parts, body) = request.into_parts();
        let method = parts.method.clone();
        let client = gateway.settings.forwarding.client(peer, &parts.headers);
        let mut course = Course {
            request_id,
            client,
            connection,
            multiplexed: parts.version == Version::HTTP_2,
            recording: Recording::begin(
                &gateway.telemetry,
                &gateway.clock,
                request_id,
                client,
                (&method, &parts.headers),
            ),
            watch: Watch::None,
            bucket: None,
            slot: None,
        };
        let head = match intake::head(parts, client.scheme) {
            Ok(head) => Arc::new(head),
            Err(error) => {
                let mut response = self.respond(Err(Failure::Head(error)), None, &method, &mut course);
                respond::close(&mut response);
                return course.deliver(response);
            }
        };
        course.recording.head(&head);
        let limits = &gateway.settings.limits;
        let mut body = Incoming::new(body, limits);
        let turned_away = gateway.telemetry.audit.refuses().then_some(Failure::Unrecorded);
        let answer = match turned_away {
            Some(failure) => {
                course.recording.asks(&head, &gateway.settings.verdict);
                Err(failure)
            }
            None => self.answer(&head, &mut body, &mut course).await,
        };
        let answer = answer.map_err(|failure| body.reason_for(failure));
        let answer = answer.map_err(|failure| self.limited(failure, client));
        if answer.is_err() {
            // The refusal itself is delivered.
            course.watch = Watch::None;
        }
        if !matches!(course.slot, Some(HeldSlot::Admitted(_))) {
            course.wait_as_stranger(gateway);
            // A client that floods a connection with requests that are refused has one turn for
            // each: the others of this thread are not kept waiting.
            tokio::task::yield_now().await;
        }
        let hint = match &answer {
            // A refusal over a limit costs no more than it must.
            Err(failure) if failure.is_limit() || course.slot.is_none() => None,
            Err(failure) => Box::pin(self.note(&head, client, request_id, failure)).await,
            Ok(_) => None,
        };
        course.recording.received(body.received());
        let is_limited = answer.as_ref().is_err_and(Failure::is_limit);
        let reusable = match course.slot {
            Some(_) if !is_limited => intake::settle(&head, &mut body).await,
            // The rest of the body is not read: the connection closes, or the stream is reset.
            _ => http_body::Body::is_end_stream(&body),
        };
        let mut response = self.respond(answer, hint, &method, &mut course);
        if course.slot.is_some() {
            let bucket = course.bucket.as_ref();
            cors::tell(&*gateway.store, &gateway.settings, &head, bucket, &mut response).await;
        }
        if !reusable || is_limited {
            respond::close(&mut response);
            if !course.multiplexed
                && let Ok(slot) = gateway
                    .admission
                    .stranger(course.source(), &gateway.settings.limits)
            {
                intake::linger(&head, body, slot);
            }
        }
        if gateway.telemetry.audit.commits() {
            return Box::pin(self.deliver_committed(course, response, method)).await;
        }
        course.deliver(response)
    }

    /// Gives the answer out once its record is on stable storage. Boxed, since few gateways do that.
    async fn deliver_committed(
        &self,
        mut course: Course,
        mut response: Response<Body>,
        method: http::Method,
    ) -> Response<Delivery> {
        let committed = course.recording.commit(response.body().length_of_short()).await;
        if let Err(failure) = committed {
            // What was done stays done; without a record nobody learns of it.
            course.watch = Watch::None;
            response = self.respond(Err(failure), None, &method, &mut course);
            respond::close(&mut response);
        }
        course.deliver(response)
    }

    fn respond(
        &self,
        answer: Result<Response<Body>, Failure>,
        hint: Option<String>,
        method: &http::Method,
        course: &mut Course,
    ) -> Response<Body> {
        let ids = (course.request_id, self.0.request_ids.host_id());
        respond::respond(answer, hint, method, ids, &mut course.recording)
    }

    /// The way of a request, from head to answer. Who asks for what is noted as soon as it is known.
    async fn answer<B>(
        &self,
        head: &Arc<RequestHead>,
        body: &mut Incoming<B>,
        course: &mut Course,
    ) -> Result<Response<Body>, Failure>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        let gateway = &*self.0;
        let settings = &gateway.settings.verdict;
        if cors::is_preflight(head) {
            course.recording.asks(head, settings);
            course.begin_as_stranger(gateway)?;
            return Box::pin(cors::preflight(&*gateway.store, &gateway.settings, head)).await;
        }
        if verdict::is_form(head, settings) {
            course.recording.asks(head, settings);
            course.begin_as_stranger(gateway)?;
            return Box::pin(self.answer_form(head, body, course)).await;
        }
        let admitted = self.decide(head, course, verdict::decide)?;
        let permit = admitted.permit();
        limits::upload(head, gateway.settings.limits.upload_bytes)?;
        if !http_body::Body::is_end_stream(body) {
            body.ends_with(course.begin(&gateway.transfers, permit.grounds(), End::Wake));
        }
        let work = &ops::Work {
            store: &gateway.store,
            settings,
            head,
            transfers: &gateway.transfers,
            upload_bytes: gateway.settings.limits.upload_bytes,
            ids: (course.request_id, gateway.request_ids.host_id()),
        };
        let grounds = permit.grounds().clone();
        let response = ops::execute(&admitted, work, body).await;
        let response = response
            .map_err(|failure| undecidable(failure, admitted.permit()))
            .map_err(|failure| self.taken_back(failure, &grounds, course))?;
        let end = match course.multiplexed {
            true => End::Wake,
            false => End::BreakOff(course.connection.clone()),
        };
        course.watch = Watch::Waiting(gateway.transfers.clone(), grounds, end);
        if !response.body().is_short() {
            course.watch.begin(course.recording.entry());
        }
        Ok(response.map(|body| body.by(&course.connection)))
    }

    /// The way of a browser's form, whose signature is in its body: its fields are read first, within a bound.
    async fn answer_form<B>(
        &self,
        head: &Arc<RequestHead>,
        body: &mut Incoming<B>,
        course: &mut Course,
    ) -> Result<Response<Body>, Failure>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        let gateway = &*self.0;
        limits::form(head)?;
        let (form, mut file) = form::read(head, body).await?;
        let admitted = self.decide(head, course, |circumstances| {
            verdict::decide_form(circumstances, &form)
        })?;
        let permit = admitted.permit();
        limits::upload(head, gateway.settings.limits.upload_bytes)?;
        file.body()
            .ends_with(course.begin(&gateway.transfers, permit.grounds(), End::Wake));
        let grounds = permit.grounds().clone();
        let work = &ops::Work {
            store: &gateway.store,
            settings: &gateway.settings.verdict,
            head,
            transfers: &gateway.transfers,
            upload_bytes: gateway.settings.limits.upload_bytes,
            ids: (course.request_id, gateway.request_ids.host_id()),
        };
        let response = ops::execute_form(&admitted, work, file).await;
        let response = response.map_err(|failure| self.taken_back(failure, &grounds, course))?;
        course.watch = Watch::None;
        Ok(response)
    }

    /// Decides under one snapshot and at one moment, and admits what is permitted: no request sees
    /// half of one policy and half of another, and none holds a slot before the verdict.
    fn decide(
        &self,
        head: &Arc<RequestHead>,
        course: &mut Course,
        decide: impl FnOnce(&Circumstances<'_>) -> Verdict,
    ) -> Result<Admitted, Failure> {
        let (verdict, generation) = self.0.live.under(|snapshot| {
            let verdict = decide(&Circumstances {
                head,
                client: course.client,
                snapshot,
                settings: &self.0.settings.verdict,
                now: self.0.clock.now(),
            });
            (verdict, snapshot.generation())
        });
        if verdict
            .identity
            .as_ref()
            .is_none_or(|known| known.target.is_none())
        {
            course.recording.asks(head, &self.0.settings.verdict);
        }
        let permit = course.recording.decided(verdict, generation)?;
        course.bucket = permit.bucket().cloned();
        let limits = &self.0.settings.limits;
        let (admitted, slot) = self.0.admission.admit(permit, course.source(), limits)?;
        course.slot = Some(HeldSlot::Admitted(slot));
        Ok(admitted)
    }

    /// What the client is told where a limit is over. It is counted here, whatever limit it is.
    fn limited(&self, failure: Failure, client: Client) -> Failure {
        let Parts {
            settings,
            telemetry,
            clock,
            admission,
            ..
        } = &*self.0;
        let source = Network::of(client.address);
        let most = settings.limits.failed_authentications;
        let failure = match failure {
            Failure::Refused(refusal)
                if refusal.is_forged() && admission.failures.record(source, most, clock.moment()) =>
            {
                Failure::TooManyFailures
            }
            other => other,
        };
        if let Some(limit) = failure.limit() {
            telemetry.metrics.limited(limit);
        }
        failure
    }

    /// What ended an upload, where it was the policy: the body broke off, or the last look said no.
    fn taken_back(&self, failure: Failure, grounds: &Grounds, course: &Course) -> Failure {
        let is_cut = course.watch.transfer().is_some_and(Transfer::is_cut);
        if !is_cut && !matches!(failure, Failure::Store(StoreError::Withdrawn)) {
            return failure;
        }
        match self.0.transfers.why(grounds) {
            Some((refusal, generation)) => Failure::Withdrawn(refusal, generation),
            // Given back since: the upload is gone all the same.
            None => failure,
        }
    }
}

/// Denies a request whose permission depends on tags that cannot be read. Any other failure stays as it
/// is.
fn undecidable(failure: Failure, permit: &verdict::Permit) -> Failure {
    let Failure::Store(error @ StoreError::Undescribed { .. }) = &failure else {
        return failure;
    };
    match permit.without_tags() {
        Some(refusal) => {
            tracing::error!(%error, "denied, since the policy asks for tags that cannot be read");
            Failure::Refused(refusal)
        }
        None => failure,
    }
}

impl Course {
    /// Its bytes begin to flow. The token is cancelled if the policy ends the transfer.
    fn begin(&mut self, transfers: &Arc<Transfers>, grounds: &Arc<Grounds>, end: End) -> CancellationToken {
        let transfer = transfers.begin(grounds.clone(), end, self.recording.entry());
        let wake = transfer.wake();
        self.watch = Watch::Begun(transfer);
        wake
    }

    fn source(&self) -> Network {
        Network::of(self.client.address)
    }

    /// Takes a slot among its source's strangers, or refuses it.
    fn begin_as_stranger<S>(&mut self, gateway: &Parts<S>) -> Result<(), Failure> {
        let limits = &gateway.settings.limits;
        let slot = gateway.admission.stranger(self.source(), limits)?;
        self.slot = Some(HeldSlot::Stranger(slot));
        Ok(())
    }

    /// Takes a slot among its source's strangers if it holds none. Without one its answer is not
    /// waited for.
    fn wait_as_stranger<S>(&mut self, gateway: &Parts<S>) {
        if self.slot.is_none() {
            _ = self.begin_as_stranger(gateway);
        }
    }

    /// The answer, with what lasts until its body is sent.
    fn deliver(self, response: Response<Body>) -> Response<Delivery> {
        let connection = self.connection;
        let tail = Tail::new(self.recording, self.watch, self.slot);
        response.map(|body| Delivery::new(body, tail, connection))
    }
}
