//! What an operator may set of how much strangers may ask of the sockets: `[limits]`, as far as connections go.

use crate::{gateway::LowestRate, types::Span};

/// Bounds on connections. What is over one is closed without an answer: nobody can be told in HTTP before a head has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// The most connections at once; more are closed as they come.
    pub connections: usize,
    /// The most connections of one address, an IPv6 one counted by its first 64 bits; 0: as many as there may be.
    pub connections_per_address: usize,
    /// The most heads of which only a part has come; more are closed.
    pub unverified_requests: usize,
    /// How many of those one source may have.
    pub unverified_requests_per_source: usize,
    /// How long a connection may be kept on which nothing is asked.
    pub idle_timeout: Span,
    /// The slowest that somebody may read answers.
    pub lowest_rate: LowestRate,
    /// The most requests that one HTTP/2 connection may have in flight.
    pub http2_streams: u32,
    /// How many streams an HTTP/2 client may reset before anything was answered; with more its connection ends (CVE-2023-44487).
    pub http2_resets: usize,
    /// The most bytes of answers that all HTTP/2 connections together hold for readers.
    pub http2_send_buffers: usize,
    /// How long an HTTP/2 stream may take no byte of its answer before it is reset.
    pub stall_timeout: Span,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 12_000,
            connections_per_address: 1_000,
            unverified_requests: 1_000,
            unverified_requests_per_source: 64,
            idle_timeout: Span::from_seconds(120),
            lowest_rate: LowestRate::default(),
            http2_streams: 128,
            http2_resets: 20,
            http2_send_buffers: 256 * 1024 * 1024,
            stall_timeout: Span::from_seconds(60),
        }
    }
}
