//! Numbers in pieces as Prometheus' library takes them. What a number was before, which the library's own numbers tell, nobody asks for.

use prometheus_client::metrics::{counter, gauge};

use crate::types::InPieces;

impl counter::Atomic<u64> for InPieces {
    fn inc(&self) -> u64 {
        counter::Atomic::inc_by(self, 1)
    }

    fn inc_by(&self, count: u64) -> u64 {
        self.add(count);
        0
    }

    fn get(&self) -> u64 {
        self.sum()
    }
}

impl gauge::Atomic<i64> for InPieces {
    fn inc(&self) -> i64 {
        gauge::Atomic::inc_by(self, 1)
    }

    fn inc_by(&self, count: i64) -> i64 {
        self.add(count.cast_unsigned());
        0
    }

    fn dec(&self) -> i64 {
        gauge::Atomic::dec_by(self, 1)
    }

    fn dec_by(&self, count: i64) -> i64 {
        gauge::Atomic::inc_by(self, count.wrapping_neg())
    }

    fn set(&self, value: i64) -> i64 {
        gauge::Atomic::inc_by(self, value.wrapping_sub(self.sum().cast_signed()))
    }

    fn get(&self) -> i64 {
        self.sum().cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::{counter::Counter, gauge::Gauge};

    use super::*;

    #[test]
    fn a_counter_and_a_gauge_count_as_the_librarys_own_do() {
        let counter = Counter::<u64, InPieces>::default();
        counter.inc();
        counter.inc_by(4);
        assert_eq!(counter.get(), 5);
        let gauge = Gauge::<i64, InPieces>::default();
        gauge.inc_by(5);
        std::thread::scope(|scope| {
            scope.spawn(|| gauge.dec_by(7));
            scope.spawn(|| gauge.dec());
        });
        assert_eq!(gauge.get(), -3);
        gauge.set(7);
        gauge.inc();
        assert_eq!(gauge.get(), 8);
    }
}
