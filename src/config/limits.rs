//! `[limits]`: how much strangers may ask, of the sockets and of the gateway.

use crate::{gateway, server, types::Span};

/// `[limits]`
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LimitsSection {
    pub(super) connections: usize,
    pub(super) connections_per_address: usize,
    pub(super) requests: usize,
    pub(super) unverified_requests: usize,
    pub(super) unverified_requests_per_source: usize,
    pub(super) idle_timeout: Span,
    /// Bytes a second.
    pub(super) lowest_rate: u64,
    pub(super) lowest_rate_over: Span,
    pub(super) upload_bytes: u64,
    pub(super) body_timeout: Span,
    pub(super) failed_authentications: u32,
    pub(super) http2_streams: u32,
    pub(super) http2_resets: usize,
    pub(super) http2_send_buffers: usize,
    pub(super) stall_timeout: Span,
}

impl Default for LimitsSection {
    fn default() -> Self {
        let (sockets, requests) = (server::Limits::default(), gateway::Limits::default());
        Self {
            connections: sockets.connections,
            connections_per_address: sockets.connections_per_address,
            requests: requests.requests,
            unverified_requests: requests.unverified_requests,
            unverified_requests_per_source: requests.unverified_requests_per_source,
            idle_timeout: sockets.idle_timeout,
            lowest_rate: sockets.lowest_rate.bytes_per_second,
            lowest_rate_over: sockets.lowest_rate.over,
            upload_bytes: requests.upload_bytes,
            body_timeout: requests.body_timeout,
            failed_authentications: requests.failed_authentications,
            http2_streams: sockets.http2_streams,
            http2_resets: sockets.http2_resets,
            http2_send_buffers: sockets.http2_send_buffers,
            stall_timeout: sockets.stall_timeout,
        }
    }
}

impl LimitsSection {
    fn lowest_rate(&self) -> gateway::LowestRate {
        gateway::LowestRate {
            bytes_per_second: self.lowest_rate,
            over: self.lowest_rate_over,
        }
    }

    /// What of it is the sockets'.
    pub(super) fn of_server(&self) -> server::Limits {
        server::Limits {
            connections: self.connections,
            connections_per_address: self.connections_per_address,
            unverified_requests: self.unverified_requests,
            unverified_requests_per_source: self.unverified_requests_per_source,
            idle_timeout: self.idle_timeout,
            lowest_rate: self.lowest_rate(),
            http2_streams: self.http2_streams,
            http2_resets: self.http2_resets,
            http2_send_buffers: self.http2_send_buffers,
            stall_timeout: self.stall_timeout,
        }
    }

    /// What of it is the gateway's.
    pub(super) fn of_gateway(&self) -> gateway::Limits {
        gateway::Limits {
            requests: self.requests,
            unverified_requests: self.unverified_requests,
            unverified_requests_per_source: self.unverified_requests_per_source,
            upload_bytes: self.upload_bytes,
            body_timeout: self.body_timeout,
            lowest_rate: self.lowest_rate(),
            failed_authentications: self.failed_authentications,
        }
    }
}
