//! The record of one request in the making. It is written when it is dropped, so that no request ends without one: not one whose client went,
//! nor one whose connection was broken off.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, Method, header};

use crate::{
    audit::{Decided, Entry, Outcome, RequestName},
    clock::Clock,
    metrics::Ended,
    policy::Denial,
    s3::{ErrorCode, Operation, Target},
    sigv4::Mechanism,
    traces::{Context, Span},
    types::{BucketName, Client, ObjectKey, RequestHead, Scheme},
    verdict::{self, Permit, Permitted, Refusal, Verdict},
};

use super::{Failure, RequestId, Telemetry};

/// The record of one request in the making.
pub(super) struct Recording {
    telemetry: Arc<Telemetry>,
    clock: Clock,
    began: Instant,
    entry: Option<Box<Entry>>,
    /// What was permitted.
    operation: Option<Operation>,
    /// S3's error code.
    code: Option<ErrorCode>,
    /// After how long the answer began, if it has.
    answered_after: Option<Duration>,
    /// Its place in a trace, where it has a span.
    context: Option<Context>,
    scheme: Scheme,
    /// Did it go wrong by our fault?
    is_fault: bool,
    /// What the audit trail has of it on stable storage already.
    committed: Option<Committed>,
}

/// A record that was written before the answer was sent.
enum Committed {
    /// Of an answer that was whole then, with this outcome.
    Whole(Outcome),
    /// That the answer begins: its end is recorded by itself.
    Beginning,
}

impl Recording {
    pub(super) fn begin(
        telemetry: &Arc<Telemetry>,
        clock: &Clock,
        request_id: RequestId,
        client: Client,
        (method, headers): (&Method, &HeaderMap),
    ) -> Self {
        let name = RequestName::new(request_id.digits());
        let entry = Entry::begun(clock.now(), name, client, method.clone());
        telemetry.metrics.begun();
        Self {
            telemetry: telemetry.clone(),
            clock: clock.clone(),
            began: clock.moment(),
            entry: Some(Box::new(entry)),
            operation: None,
            code: None,
            answered_after: None,
            context: telemetry.traces.as_ref().and_then(|traces| traces.place(headers)),
            scheme: client.scheme,
            is_fault: false,
            committed: None,
        }
    }

    /// What is known so far.
    pub(super) fn entry(&self) -> Option<&Entry> {
        self.entry.as_deref()
    }

    /// Whether the log may have a line about it. Requests without a verified signature have a bound.
    pub(super) fn admits_line(&self) -> bool {
        let stranger = self.entry().filter(|entry| !entry.is_authenticated());
        stranger.is_none_or(|entry| {
            let log = &self.telemetry.stranger_log;
            log.admits(entry, self.clock.moment())
        })
    }

    fn note(&mut self, note: impl FnOnce(&mut Entry)) {
        if let Some(entry) = &mut self.entry {
            note(entry);
        }
    }

    /// What the head says.
    pub(super) fn head(&mut self, head: &RequestHead) {
        self.note(|entry| {
            entry.user_agent = text(head.headers(), header::USER_AGENT);
            entry.range = text(head.headers(), header::RANGE);
        });
    }

    /// Bucket and key as they are asked for, verified or not: the signer's name says which. For a request of which no verdict has named them yet.
    pub(super) fn asks(&mut self, head: &RequestHead, settings: &verdict::Settings) {
        let target = verdict::asked_for(head, settings);
        self.note(|entry| {
            if let Some(target) = target {
                name(entry, &target);
            }
        });
    }

    /// What was decided. The outcome comes out.
    pub(super) fn decided(&mut self, verdict: Verdict, generation: u64) -> Result<Permit, Refusal> {
        let Verdict { identity, outcome } = verdict;
        self.operation = outcome.as_ref().ok().map(Permit::operation);
        self.note(|entry| {
            entry.generation = generation;
            if let Some(identity) = identity {
                if let Some(target) = &identity.target {
                    name(entry, target);
                }
                entry.signer = Some(identity.signer);
                entry.access_key_id = Some(identity.access_key_id);
                entry.link_id = Some(identity.link_id);
                entry.mechanism = mechanism(identity.mechanism);
                entry.signed_at = Some(identity.signed_at);
                entry.expires_at = Some(identity.expires_at);
                entry.origin = identity.origin;
            }
            match &outcome {
                Ok(permit) => permitted(entry, permit),
                Err(refusal) => refused(entry, refusal),
            }
        });
        outcome
    }

    /// How many bytes of the request's body came.
    pub(super) fn received(&mut self, bytes: u64) {
        self.note(|entry| entry.bytes_received = bytes);
    }

    /// The answer begins. A failure has a status of its own, or is reported in a document with 200.
    pub(super) fn answers(&mut self, status: u16, failure: Option<&Failure>) {
        self.answered_after = Some(self.clock.moment().saturating_duration_since(self.began));
        self.note(|entry| {
            entry.status = Some(status);
            entry.outcome = Outcome::Served;
        });
        if let Some(failure) = failure {
            self.failed(failure);
        }
    }

    /// The request failed, before its answer began or after.
    pub(super) fn failed(&mut self, failure: &Failure) {
        let code = failure.s3_error().code();
        self.is_fault = failure.is_fault();
        self.code = Some(code);
        self.note(|entry| {
            entry.outcome = match failure {
                Failure::Refused(refusal) => {
                    refused(entry, refusal);
                    Outcome::Denied
                }
                Failure::Withdrawn(refusal, generation) => {
                    refused(entry, refusal);
                    entry.generation = *generation;
                    Outcome::Cut
                }
                Failure::CutBody | Failure::SilentBody | Failure::SlowBody => Outcome::Gone,
                _ => Outcome::Failed,
            };
            entry.code = Some(code.name());
            entry.reason = Some(failure.name());
        });
    }

    /// Puts a record on stable storage before anything of the answer is sent, if the trail is set to. `length` is that of a body that goes out
    /// at once: then the record is the one of the whole answer. Strangers' records are not waited for.
    pub(super) async fn commit(&mut self, length: Option<u64>) -> Result<(), Failure> {
        let audit = &self.telemetry.audit;
        let Some(entry) = self.entry.as_ref().filter(|entry| entry.is_authenticated()) else {
            return Ok(());
        };
        let mut entry = entry.clone();
        entry.duration = self.clock.moment().saturating_duration_since(self.began);
        let committed = match length {
            Some(length) => {
                (entry.bytes_sent, entry.completed) = (length, true);
                Committed::Whole(entry.outcome)
            }
            None => {
                entry.outcome = Outcome::Running;
                Committed::Beginning
            }
        };
        audit.commit(entry).await.map_err(|_| Failure::Unrecorded)?;
        self.committed = Some(committed);
        Ok(())
    }

    /// Whether its end is still to be recorded.
    fn is_to_be_recorded(&self, outcome: Outcome) -> bool {
        match &self.committed {
            None | Some(Committed::Beginning) => true,
            // Whether the client took it was not known then, and is left open. What went wrong after that is told.
            Some(Committed::Whole(before)) => outcome != *before && outcome != Outcome::Gone,
        }
    }

    /// So many bytes more were handed to the connection.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.note(|entry| entry.bytes_sent = entry.bytes_sent.saturating_add(bytes as u64));
    }

    /// All of the answer was handed to the connection.
    pub(super) fn completed(&mut self) {
        self.note(|entry| entry.completed = true);
    }

    /// The answer broke off: its bytes could not be read.
    pub(super) fn broke(&mut self, reason: &'static str, error: &io::Error) {
        self.is_fault = true;
        if let Some(entry) = self.entry() {
            let (request_id, operation) = (&entry.request_id, entry.operation);
            let bucket = entry.bucket.as_ref().map(BucketName::as_str);
            let key = entry.key.as_ref().map(ObjectKey::as_str);
            tracing::error!(%request_id, operation, bucket, key, reason, "the answer broke off: {error}");
        }
        self.note(|entry| {
            entry.outcome = Outcome::Failed;
            entry.reason = Some(reason);
        });
    }

    /// The policy ended the transfer.
    pub(super) fn cut(&mut self, refusal: &Refusal, generation: u64) {
        self.note(|entry| {
            entry.outcome = Outcome::Cut;
            entry.reason = Some(refusal.name());
            entry.generation = generation;
            refused(entry, refusal);
        });
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let Some(mut entry) = self.entry.take() else {
            return;
        };
        entry.duration = self.clock.moment().saturating_duration_since(self.began);
        if self.answered_after.is_none() || (entry.outcome == Outcome::Served && !entry.completed) {
            entry.outcome = Outcome::Gone;
        }
        if entry.outcome == Outcome::Gone {
            // Whoever left an upload half sent hears no answer either.
            entry.completed = false;
        }
        self.telemetry.metrics.ended(&Ended {
            operation: self.operation,
            outcome: entry.outcome.name(),
            status: entry.status,
            code: self.code,
            reason: entry.reason,
            bytes_sent: entry.bytes_sent,
            bytes_received: entry.bytes_received,
            duration: entry.duration,
            answered_after: self.answered_after,
        });
        if let (Some(context), Some(traces)) = (self.context, &self.telemetry.traces) {
            traces.leave(self.span(context, &entry));
        }
        if self.is_to_be_recorded(entry.outcome) {
            self.telemetry.audit.record(entry);
        }
    }
}

impl Recording {
    /// Of what is asked for, a span has only what was permitted: a stranger's bucket is a text of a stranger.
    fn span(&self, context: Context, entry: &Entry) -> Span {
        let permitted = self.operation.is_some();
        Span {
            context,
            began: entry.time,
            duration: entry.duration,
            method: entry.method.clone(),
            scheme: self.scheme,
            status: entry.status,
            request_id: entry.request_id.to_string(),
            operation: entry.operation,
            bucket: entry.bucket.clone().filter(|_| permitted),
            signer: entry.signer.clone(),
            code: entry.code,
            outcome: entry.outcome.name(),
            reason: entry.reason,
            is_error: self.is_fault || entry.outcome == Outcome::Cut || entry.status >= Some(500),
            bytes_received: entry.bytes_received,
            bytes_sent: entry.bytes_sent,
        }
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    let bytes = headers.get(name)?.as_bytes();
    let bytes = bytes.get(..Entry::MOST_OF_A_HEADER).unwrap_or(bytes);
    Some(String::from_utf8_lossy(bytes).into_owned())
}

fn name(entry: &mut Entry, target: &Target) {
    let (bucket, key) = match target {
        Target::Service => (None, None),
        Target::Bucket(bucket) => (Some(bucket.clone()), None),
        Target::Object(bucket, key) => (Some(bucket.clone()), Some(key.clone())),
    };
    (entry.bucket, entry.key) = (bucket, key);
}

fn permitted(entry: &mut Entry, permit: &Permit) {
    let operation = permit.operation();
    entry.operation = Some(operation.name());
    entry.action = operation.action().map(|action| action.name());
    entry.decided_by = permit.statement().cloned().map(Decided::Statement);
    entry.source = match permit.permitted() {
        Permitted::CopyObject(_, _, copy) => Some(copy.source.clone()),
        Permitted::UploadPartCopy(_, _, copy) => Some(copy.source.clone()),
        _ => None,
    };
}

fn refused(entry: &mut Entry, refusal: &Refusal) {
    match refusal {
        Refusal::Denied { action, denial, .. } => {
            entry.action = Some(action.name());
            entry.decided_by = match denial {
                Denial::Explicit(statement) => Some(Decided::Statement(statement.clone())),
                Denial::Implicit => None,
            };
        }
        Refusal::Revoked(rule) => entry.decided_by = Some(Decided::Revocation(rule.clone())),
        Refusal::Query(_)
        | Refusal::Signature(_)
        | Refusal::Anonymous
        | Refusal::Call(_)
        | Refusal::Rekeyed(_) => {}
    }
}

fn mechanism(mechanism: Mechanism) -> Option<&'static str> {
    match mechanism {
        Mechanism::Presigned => Some("query"),
        Mechanism::Header => Some("header"),
        Mechanism::Form => Some("form"),
        Mechanism::Anonymous => None,
    }
}
