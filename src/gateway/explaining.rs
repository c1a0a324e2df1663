//! Explaining what was refused: on demand, for the operator, and in development mode by a hint in the answer itself. It runs apart from deciding, on
//! the blocking pool, and hints are limited in number and in the bytes that are hashed for them, so that refusals cost no
//! more than they must.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use crate::{
    explain::{Explainer, Explanation, HashBudget, Opens, Presence, Question},
    store::{Store, StoreError},
    types::{Client, RequestHead},
};

use super::{Failure, Gateway, Mode, RequestId, refusals::Refused};

/// So many hints a second, and as many at once.
const HINTS: f64 = 20.0;
/// The most bytes that one hint may hash. The search for a usual link takes about half of it.
const HINT_BYTES: u64 = 16 << 20;
/// The most bytes that all hints of a second may hash, and as many at once: a tenth of a processor or so.
const BYTES: f64 = (32_u64 << 20) as f64;
/// With fewer bytes than this a hint is not begun.
const FEWEST_BYTES: u64 = 64 << 10;

/// Limits hints, in number and in hashed bytes: buckets of tokens that fill with time.
pub(super) struct Hints(Mutex<Tokens>);

struct Tokens {
    hints: f64,
    bytes: f64,
    since: Instant,
}

impl Hints {
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(Tokens {
            hints: HINTS,
            bytes: BYTES,
            since: now,
        }))
    }

    /// The bytes that one more hint may hash, where there may be one more.
    fn take(&self, now: Instant) -> Option<u64> {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = now.saturating_duration_since(tokens.since).as_secs_f64();
        tokens.hints = (tokens.hints + seconds * HINTS).min(HINTS);
        tokens.bytes = (tokens.bytes + seconds * BYTES).min(BYTES);
        tokens.since = now;
        // Whole bytes of a small number.
        let granted = (tokens.bytes as u64).min(HINT_BYTES);
        if tokens.hints < 1.0 || granted < FEWEST_BYTES {
            return None;
        }
        tokens.hints -= 1.0;
        tokens.bytes -= granted as f64;
        Some(granted)
    }

    /// Takes bytes back that a hint did not need.
    fn give_back(&self, bytes: u64) {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.bytes = (tokens.bytes + bytes as f64).min(BYTES);
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
        if !is_wanted {
            return None;
        }
        let granted = parts.hints.take(parts.clock.moment())?;
        let (explanation, spent) = self
            .explain_refused(refused, HashBudget::of_bytes(granted))
            .await?;
        parts.hints.give_back(granted.saturating_sub(spent));
        Some(explanation.conclusion)
    }

    /// Explains a request, as of now.
    pub async fn explain(&self, question: Question) -> Option<Explanation> {
        let (explanation, _) = self
            .off_thread(
                move |explainer| explainer.explain(&question),
                None,
                HashBudget::default(),
            )
            .await?;
        Some(self.with_presence(explanation).await)
    }

    /// Explains a request that was refused lately, by its id. None: it is not, or no longer, known.
    pub async fn explain_request(&self, id: &str) -> Option<Explanation> {
        let refused = self.0.refusals.find(id)?;
        let (explanation, _) = self.explain_refused(refused, HashBudget::default()).await?;
        Some(explanation)
    }

    /// The explanation, and how many bytes were hashed for it.
    async fn explain_refused(&self, refused: Refused, budget: HashBudget) -> Option<(Explanation, u64)> {
        let Refused { head, client, at, .. } = refused.clone();
        let (explanation, spent) = self
            .off_thread(
                move |explainer| explainer.explain_head(head, client),
                Some(at),
                budget,
            )
            .await?;
        let explanation = self.with_presence(explanation).await;
        let end = (refused.status, refused.code);
        Some((explanation.ended_in(end, refused.reason, &refused.message), spent))
    }

    /// The search may take some milliseconds: no runtime thread waits for it.
    async fn off_thread(
        &self,
        explain: impl FnOnce(&Explainer<'_>) -> Explanation + Send + 'static,
        at: Option<time::OffsetDateTime>,
        budget: HashBudget,
    ) -> Option<(Explanation, u64)> {
        let gateway = self.clone();
        let task = tokio::task::spawn_blocking(move || {
            let parts = &*gateway.0;
            let snapshot = parts.live.snapshot();
            let explanation = explain(&Explainer {
                snapshot: &snapshot,
                settings: &parts.settings.verdict,
                hosts: &parts.settings.hosts,
                now: at.unwrap_or_else(|| parts.clock.now()),
                budget: &budget,
            });
            (explanation, budget.spent())
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
    fn hashed_bytes_of_hints_are_limited_each_second() {
        let start = Instant::now();
        let hints = Hints::new(start);
        let granted: Vec<_> = (0..20).filter_map(|_| hints.take(start)).collect();
        assert_eq!(
            granted,
            [HINT_BYTES, HINT_BYTES],
            "what is taken and not given back"
        );
        let later = start + Duration::from_millis(250);
        let granted: Vec<_> = (0..20).filter_map(|_| hints.take(later)).collect();
        assert_eq!(granted, [8 << 20]);
    }

    #[test]
    fn hints_are_limited_and_come_back_with_time() {
        let start = Instant::now();
        let hints = Hints::new(start);
        let cheap = |at| {
            let granted = hints.take(at);
            granted
                .inspect(|granted| hints.give_back(granted - 1000))
                .is_some()
        };
        let many = (0..100).filter(|_| cheap(start)).count();
        assert_eq!(many, 20);
        let later = start + Duration::from_millis(100);
        assert_eq!((0..100).filter(|_| cheap(later)).count(), 2);
    }
}
