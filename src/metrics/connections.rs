//! Connections, by the listener that took them.

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::Metrics;

/// What a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listener {
    /// Plain HTTP, for everybody.
    Http,
    /// HTTP over TLS, for everybody.
    Https,
    /// The operator's own.
    Admin,
}

impl Listener {
    const ALL: [Self; 3] = [Self::Http, Self::Https, Self::Admin];

    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Admin => "admin",
        }
    }
}

impl EncodeLabelValue for Listener {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        EncodeLabelValue::encode(&self.name(), encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    listener: Listener,
}

#[derive(Default)]
pub(super) struct Connections {
    open: Family<Of, Gauge>,
    accepted: Family<Of, Counter>,
}

impl Connections {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let connections = Self::default();
        registry.register(
            "connections_open",
            "Connections that are open now, by listener",
            connections.open.clone(),
        );
        registry.register(
            "connections_accepted",
            "Connections that were accepted, by listener",
            connections.accepted.clone(),
        );
        for listener in Listener::ALL {
            drop(connections.open.get_or_create(&Of { listener }));
            drop(connections.accepted.get_or_create(&Of { listener }));
        }
        connections
    }
}

/// A connection for as long as it is open.
#[derive(Debug)]
#[must_use = "it counts as closed when this is dropped"]
pub struct OpenConnection(Gauge);

impl Metrics {
    /// A connection begins; it has ended when what comes out is dropped.
    pub fn connection(&self, listener: Listener) -> OpenConnection {
        let connections = &self.0.connections;
        connections.accepted.get_or_create(&Of { listener }).inc();
        let open = connections.open.get_or_create_owned(&Of { listener });
        open.inc();
        OpenConnection(open)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}
