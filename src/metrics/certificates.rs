//! What is told of the certificates that clients are shown.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Name {
    name: String,
}

pub(super) struct Numbers {
    not_after: Family<Name, Gauge>,
    failures: Gauge,
    problem: Gauge,
    /// The names that are told of.
    told: Mutex<Vec<String>>,
}

impl Numbers {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let numbers = Self {
            not_after: Family::default(),
            failures: Gauge::default(),
            problem: Gauge::default(),
            told: Mutex::default(),
        };
        registry.register(
            "tls_certificate_not_after_timestamp_seconds",
            "Until when the certificate of this first name is valid, in seconds since 1970",
            numbers.not_after.clone(),
        );
        registry.register(
            "tls_certificate_reload_failures",
            "Changed certificate files that were not taken since the start",
            numbers.failures.clone(),
        );
        registry.register(
            "tls_certificate_problem",
            "1 while certificate files cannot be taken, or one in force is not valid",
            numbers.problem.clone(),
        );
        numbers
    }

    /// Where two certificates have the same first name, the one that ends first is told of.
    pub(super) fn set(&self, in_force: impl Iterator<Item = (String, i64)>, failures: u64, problem: bool) {
        let mut until = BTreeMap::new();
        for (name, not_after) in in_force {
            let earliest = until.entry(name).or_insert(not_after);
            *earliest = not_after.min(*earliest);
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for name in told.drain(..).filter(|name| !until.contains_key(name)) {
            self.not_after.remove(&Name { name });
        }
        for (name, not_after) in until {
            let label = Name { name: name.clone() };
            self.not_after.get_or_create(&label).set(not_after);
            told.push(name);
        }
        self.failures.set(i64::try_from(failures).unwrap_or(i64::MAX));
        self.problem.set(problem.into());
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn a_certificate_that_went_is_no_longer_told_of() {
        let mut registry = Registry::with_prefix("postern");
        let numbers = Numbers::register(&mut registry);
        let text = || {
            let mut text = String::new();
            encode(&mut text, &registry).unwrap();
            text
        };
        let named = |pairs: &[(&str, i64)]| {
            let owned: Vec<_> = pairs
                .iter()
                .map(|(name, until)| ((*name).to_owned(), *until))
                .collect();
            owned.into_iter()
        };
        numbers.set(
            named(&[("a.example", 7), ("a.example", 5), ("b.example", 9)]),
            0,
            false,
        );
        let before = text();
        numbers.set(named(&[("b.example", 11)]), 3, true);
        let after = text();
        for (text, line, there) in [
            (
                &before,
                "postern_tls_certificate_not_after_timestamp_seconds{name=\"a.example\"} 5",
                true,
            ),
            (&before, "postern_tls_certificate_problem 0", true),
            (&after, "a.example", false),
            (
                &after,
                "postern_tls_certificate_not_after_timestamp_seconds{name=\"b.example\"} 11",
                true,
            ),
            (&after, "postern_tls_certificate_reload_failures 3", true),
            (&after, "postern_tls_certificate_problem 1", true),
        ] {
            assert_eq!(text.contains(line), there, "{line} in\n{text}");
        }
    }
}
