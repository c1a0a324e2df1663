//! The cost of each stage of a request, by the clock.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)] // a benchmark may stop at the first surprise

mod work;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

fn stages(criterion: &mut Criterion) {
    for mut stage in work::stages().into_iter().chain([work::served()]) {
        criterion.bench_function(stage.name, |bencher| bencher.iter(&mut stage.work));
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = stages
}
criterion_main!(benches);
