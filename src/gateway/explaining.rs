//! Explaining what was refused: on demand, for the operator, and in development mode by a hint in the answer itself. It runs apart from deciding, on
//! the blocking pool, and hints are limited in number, so that refusals cost no more than they must.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use crate::{
    explain::{Explainer, Explanation, Opens, Presence, Question},
    store::{Store, StoreError},
    types::{Client, RequestHead},
};

use super::{Failure, Gateway, Mode, RequestId, refusals::Refused};

/// So many hints a second, and as many at once.
const HINTS: f64 = 20.0;

/// Counts hints: a bucket of tokens that fills with time.
pub(super) struct Hints(Mutex<(f64, Instant)>);

impl Hints {
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new((HINTS, now)))
    }

    /// Is there one more?
    fn take(&self, now: Instant) -> bool {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (tokens, since) = *bucket;
        let filled = (tokens + now.saturating_duration_since(since).as_secs_f64() * HINTS).min(HINTS);
        let taken = filled >= 1.0;
        *bucket = (if taken { filled - 1.0 } else { filled }, now);
        taken
    }
}

impl<S: Store> Gateway<S> {
    /// Keeps what was refused for whoever asks; in development mode, what to tell the client comes out.
    pub(super) async fn note(
        &self,
        head: &Arc<RequestHead>,
        client: Client,
        id: RequestId,
        failure: &Failure,
    ) -> Option<String> {
        let parts = &*self.0;
        let refused = Refused::new(id, head, client, parts.clock.now(), failure);
        parts.refusals.keep(refused.clone());
        let is_wanted = parts.settings.mode == Mode::Development && head.method() != http::Method::HEAD;
        if !is_wanted || !parts.hints.take(parts.clock.moment()) {
            return None;
        }
        let explanation = self.explain_refused(refused).await?;
        Some(explanation.conclusion)
    }

    /// Explains a request, as of now.
    pub async fn explain(&self, question: Question) -> Option<Explanation> {
        let explanation = self
            .off_thread(move |explainer| explainer.explain(&question), None)
            .await?;
        Some(self.with_presence(explanation).await)
    }

    /// Explains a request that was refused lately, by its id. None: it is not, or no longer, known.
    pub async fn explain_request(&self, id: &str) -> Option<Explanation> {
        let refused = self.0.refusals.find(id)?;
        self.explain_refused(refused).await
    }

    async fn explain_refused(&self, refused: Refused) -> Option<Explanation> {
        let Refused { head, client, at, .. } = refused.clone();
        let explanation = self
            .off_thread(move |explainer| explainer.explain_head(head, client), Some(at))
            .await?;
        let explanation = self.with_presence(explanation).await;
        Some(explanation.ended_in((refused.status, refused.code), refused.reason, &refused.message))
    }

    /// The search may take some milliseconds: no runtime thread waits for it.
    async fn off_thread(
        &self,
        explain: impl FnOnce(&Explainer<'_>) -> Explanation + Send + 'static,
        at: Option<time::OffsetDateTime>,
    ) -> Option<Explanation> {
        let gateway = self.clone();
        let task = tokio::task::spawn_blocking(move || {
            let parts = &*gateway.0;
            let snapshot = parts.live.snapshot();
            explain(&Explainer {
                snapshot: &snapshot,
                settings: &parts.settings.verdict,
                hosts: &parts.settings.hosts,
                now: at.unwrap_or_else(|| parts.clock.now()),
            })
        });
        task.await.ok()
    }

    async fn with_presence(&self, explanation: Explanation) -> Explanation {
        let store = &*self.0.store;
        let found = match explanation.opens() {
            Opens::Nothing => return explanation,
            Opens::Bucket(bucket) => match store.bucket_exists(bucket).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(StoreError::NoSuchBucket(bucket.clone())),
                Err(error) => Err(error),
            },
            Opens::Object { bucket, key, .. } => store.open(bucket, key).await.map(drop),
        };
        match found {
            Ok(()) => explanation.knowing(Presence::There),
            Err(StoreError::NoSuchBucket(_)) => explanation.knowing(Presence::NoSuchBucket),
            Err(StoreError::NoSuchKey) => explanation.knowing(Presence::NoSuchKey),
            // What else the store says is no matter of the request.
            Err(_) => explanation,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn hints_are_limited_and_come_back_with_time() {
        let start = Instant::now();
        let hints = Hints::new(start);
        let many = (0..100).filter(|_| hints.take(start)).count();
        assert_eq!(many, 20);
        let later = start + Duration::from_millis(100);
        assert_eq!((0..100).filter(|_| hints.take(later)).count(), 2);
    }
}
