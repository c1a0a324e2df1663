//! Failures that an answer with status 200 reports in its document: of single keys of DeleteObjects, and of a completion that fails after its answer
//! has begun. They count, and are recorded and logged, like failures that are answered with their own status.

use crate::types::{BucketName, ObjectKey};

use super::{Failure, RequestId};

/// The object that a failure is about, and the request that it belongs to.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) request_id: RequestId,
    pub(super) operation: &'static str,
    pub(super) bucket: BucketName,
    pub(super) key: ObjectKey,
}

impl Subject {
    /// Logs a failure of this object: a fault of ours as an error, anything else as a refusal.
    pub(super) fn log(&self, failure: &Failure) {
        let Self {
            request_id,
            operation,
            bucket,
            key,
        } = self;
        // Text fields are written with escapes: a key may hold line ends.
        let (reason, bucket, key) = (failure.name(), bucket.as_str(), key.as_str());
        if failure.is_fault() {
            tracing::error!(%request_id, operation, bucket, key, reason, "failed: {failure}");
        } else {
            tracing::info!(%request_id, operation, bucket, key, reason, "refused: {failure}");
        }
    }
}

/// The gravest of several failures; of equals the first.
#[derive(Debug, Default)]
pub(super) struct Gravest(Option<Failure>);

impl Gravest {
    pub(super) fn add(&mut self, failure: Failure) {
        match &self.0 {
            Some(gravest) if gravity(gravest) >= gravity(&failure) => {}
            Some(_) | None => self.0 = Some(failure),
        }
    }

    pub(super) fn into_failure(self) -> Option<Failure> {
        self.0
    }
}

/// A fault of ours comes before a change of the policy, that before a denial, and a denial before anything else.
fn gravity(failure: &Failure) -> u8 {
    match failure {
        fault if fault.is_fault() => 3,
        Failure::Withdrawn(..) => 2,
        Failure::Refused(_) => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    #[test]
    fn gravest_failure_stands_for_all() {
        let full = |path: &str| Failure::Store(StoreError::Full { path: path.into() });
        let mut gravest = Gravest::default();
        gravest.add(Failure::HiddenKey);
        gravest.add(full("first"));
        gravest.add(full("second"));
        gravest.add(Failure::NoSuchKey("k".to_owned()));
        let failure = gravest.into_failure().unwrap();
        assert_eq!(failure.to_string(), full("first").to_string());
        assert!(Gravest::default().into_failure().is_none());
    }
}
