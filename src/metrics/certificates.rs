//! What is told of the certificates that clients are shown.

use std::collections::BTreeMap;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

use super::now::{escaped, gauge};

/// The certificates, where HTTPS is spoken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificates {
    /// The first name of each in force, and until when it is valid, in seconds since 1970.
    pub in_force: Vec<(String, i64)>,
    /// How many changed files were not taken since the start.
    pub reload_failures: u64,
    /// Can files not be taken, or is one in force not valid?
    pub problem: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Name {
    name: String,
}

impl Certificates {
    /// Where two certificates have the same first name, the one that ends first is told of.
    pub(super) fn register(&self, registry: &mut Registry) {
        let mut until = BTreeMap::new();
        for (name, not_after) in &self.in_force {
            let earliest = until.entry(name).or_insert(*not_after);
            *earliest = (*earliest).min(*not_after);
        }
        let not_after = Family::<Name, Gauge>::default();
        for (name, at) in until {
            not_after.get_or_create(&Name { name: escaped(name) }).set(at);
        }
        registry.register(
            "tls_certificate_not_after_timestamp_seconds",
            "Until when the certificate of this first name is valid, in seconds since 1970",
            not_after,
        );
        gauge(
            registry,
            "tls_certificate_reload_failures",
            "Changed certificate files that were not taken since the start",
            self.reload_failures,
        );
        gauge(
            registry,
            "tls_certificate_problem",
            "1 while certificate files cannot be taken, or one in force is not valid",
            self.problem.into(),
        );
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn of_two_certificates_of_one_name_the_one_that_ends_first_is_told_of() {
        let certificates = Certificates {
            in_force: [("a.example", 7), ("a.example", 5), ("b.example", 9)]
                .map(|(name, until)| (name.to_owned(), until))
                .to_vec(),
            reload_failures: 3,
            problem: true,
        };
        let (mut registry, mut text) = (Registry::with_prefix("postern"), String::new());
        certificates.register(&mut registry);
        encode(&mut text, &registry).unwrap();
        for line in [
            "postern_tls_certificate_not_after_timestamp_seconds{name=\"a.example\"} 5",
            "postern_tls_certificate_not_after_timestamp_seconds{name=\"b.example\"} 9",
            "postern_tls_certificate_reload_failures 3",
            "postern_tls_certificate_problem 1",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in\n{text}"
            );
        }
    }
}
