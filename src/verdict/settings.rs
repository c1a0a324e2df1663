//! What an operator may set of verifying.

use crate::types::{Region, Span};

/// What a request's signature must fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The regions that a credential scope may name, the gateway's own first.
    pub regions: Vec<Region>,
    /// Domains below which the bucket is a label of the host: `s3.localhost` for `bucket.s3.localhost`.
    pub virtual_host_domains: Vec<String>,
    /// The longest life that a link may have; at most AWS's seven days.
    pub max_expires: Span,
    /// The account that owns every bucket: what `x-amz-expected-bucket-owner` must name.
    pub account_id: String,
}
