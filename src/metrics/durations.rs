//! A histogram of durations, which are counted without a lock: an addition to a bucket and one to the sum, each in a piece of the thread's own.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::{MetricType, TypedMetric},
};

use crate::types::{PIECES, own_piece};

/// Up to where each bucket goes, in microseconds: from a small object out of the page cache to an upload of many minutes.
pub(super) const BOUNDS: [u64; 17] = [
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
];

/// A histogram of durations. A copy counts into the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Durations(Arc<[Counts; PIECES]>);

#[derive(Debug, Default)]
#[repr(align(64))]
struct Counts {
    buckets: [AtomicU64; BOUNDS.len()],
    /// What took longer than the last bucket goes.
    longer: AtomicU64,
    /// In nanoseconds: small requests would be lost in microseconds. It begins anew after 584 years, which Prometheus takes for a restart.
    sum: AtomicU64,
}

impl Durations {
    /// Something has taken so long.
    pub(super) fn observe(&self, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|bound| bound * 1_000 < nanoseconds);
        let Some(own) = self.0.get(own_piece()) else {
            return;
        };
        let count = own.buckets.get(bucket).unwrap_or(&own.longer);
        count.fetch_add(1, Ordering::Relaxed);
        own.sum.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

impl TypedMetric for Durations {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Durations {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let sum_of = |number: &dyn Fn(&Counts) -> Option<&AtomicU64>| {
            let pieces = self.0.iter().filter_map(number);
            let counts = pieces.map(|count| count.load(Ordering::Relaxed));
            counts.fold(0, u64::wrapping_add)
        };
        let seconds = |parts: u64, of_a_second: f64| parts as f64 / of_a_second;
        let mut buckets: Vec<_> = BOUNDS
            .iter()
            .enumerate()
            .map(|(at, bound)| (seconds(*bound, 1e6), sum_of(&|counts| counts.buckets.get(at))))
            .collect();
        // The encoder writes this one as +Inf.
        buckets.push((f64::MAX, sum_of(&|counts| Some(&counts.longer))));
        // Of what was read just now, so that they agree while others count on.
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = seconds(sum_of(&|counts| Some(&counts.sum)), 1e9);
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::{encoding::text::encode, registry::Registry};

    use super::*;

    #[test]
    fn each_duration_falls_into_the_first_bucket_that_reaches_it() {
        let durations = Durations::default();
        for nanoseconds in [0, 500_000, 500_001, 2_000_000, 400_000_000_000] {
            durations.observe(Duration::from_nanos(nanoseconds));
        }
        let mut registry = Registry::default();
        registry.register("d", "D", durations);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "d_sum 400.003000001",
            "d_count 5",
            "d_bucket{le=\"0.0005\"} 2",
            "d_bucket{le=\"0.001\"} 3",
            "d_bucket{le=\"0.0025\"} 4",
            "d_bucket{le=\"300.0\"} 4",
            "d_bucket{le=\"+Inf\"} 5",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in\n{text}"
            );
        }
    }
}
