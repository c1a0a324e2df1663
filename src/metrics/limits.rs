//! What limits stopped.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use super::Metrics;

/// A limit, by the key of `[limits]` or of `[server]` that sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Connections at once.
    Connections,
    /// Connections of one address.
    ConnectionsPerAddress,
    /// Permitted requests at once.
    Requests,
    /// A source's share of the permitted requests.
    RequestsPerSource,
    /// A signer's share of the permitted requests.
    RequestsPerSigner,
    /// A link's share of the permitted requests.
    RequestsPerLink,
    /// Requests at once of one source that are not authenticated.
    UnverifiedRequests,
    /// How long a body may bring nothing.
    BodyTimeout,
    /// What HTTP/2 connections hold of their answers.
    SendBuffers,
    /// How long a stream of HTTP/2 may make no progress.
    StallTimeout,
    /// How long a head, or a TLS handshake, may take.
    HeadTimeout,
    /// How long a connection may be idle.
    IdleTimeout,
    /// How slowly an answer may be read.
    LowestRateReading,
    /// How slowly a body may come.
    LowestRateSending,
    /// How long a body may be.
    UploadBytes,
    /// How often an address may fail to authenticate.
    FailedAuthentications,
}

impl Limit {
    const ALL: [Self; 16] = [
        Self::Connections,
        Self::ConnectionsPerAddress,
        Self::Requests,
        Self::RequestsPerSource,
        Self::RequestsPerSigner,
        Self::RequestsPerLink,
        Self::UnverifiedRequests,
        Self::BodyTimeout,
        Self::StallTimeout,
        Self::SendBuffers,
        Self::HeadTimeout,
        Self::IdleTimeout,
        Self::LowestRateReading,
        Self::LowestRateSending,
        Self::UploadBytes,
        Self::FailedAuthentications,
    ];

    /// The key that sets it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::ConnectionsPerAddress => "connections_per_address",
            Self::Requests => "requests",
            Self::RequestsPerSource => "requests_per_source",
            Self::RequestsPerSigner => "requests_per_signer",
            Self::RequestsPerLink => "requests_per_link",
            Self::UnverifiedRequests => "unverified_requests",
            Self::BodyTimeout => "body_timeout",
            Self::StallTimeout => "stall_timeout",
            Self::SendBuffers => "http2_send_buffers",
            Self::HeadTimeout => "head_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::LowestRateReading => "lowest_rate_reading",
            Self::LowestRateSending => "lowest_rate_sending",
            Self::UploadBytes => "upload_bytes",
            Self::FailedAuthentications => "failed_authentications",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Which {
    limit: &'static str,
}

#[derive(Default)]
pub(super) struct Limits(Family<Which, Counter>);

impl Limits {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let limits = Self::default();
        registry.register(
            "limited",
            "Connections and requests that a limit stopped",
            limits.0.clone(),
        );
        for limit in Limit::ALL {
            // A counter that has not counted yet is 0, not absent: alerts need the first step.
            drop(limits.0.get_or_create(&Which { limit: limit.name() }));
        }
        limits
    }
}

impl Metrics {
    /// A limit stopped something.
    pub fn limited(&self, limit: Limit) {
        let limits = &self.0.limits.0;
        limits.get_or_create(&Which { limit: limit.name() }).inc();
    }
}
