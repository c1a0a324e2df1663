//! What an operator may set of verifying.

use std::sync::Arc;

use crate::types::{Region, Span};

use super::PublicUrl;

/// What a request's signature must fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The regions that a credential scope may name, the gateway's own first.
    pub regions: Vec<Region>,
    /// Domains below which the bucket is a label of the host: `s3.localhost` for `bucket.s3.localhost`.
    pub virtual_host_domains: Vec<String>,
    /// Other origins that clients sign for, where a proxy or a container changes the host.
    pub public_urls: Vec<PublicUrl>,
    /// The longest life that a link may have; at most AWS's seven days.
    pub max_expires: Span,
    /// The account that owns every bucket: what `x-amz-expected-bucket-owner` must name.
    pub account_id: Arc<str>,
}

impl Settings {
    /// The gateway's own region: the first of those that a scope may name.
    pub fn region(&self) -> &str {
        self.regions.first().map_or("us-east-1", Region::as_str)
    }

    /// The same in other memory: a clone shares the names that are copied by a count.
    pub fn copied(&self) -> Self {
        Self {
            regions: self.regions.iter().map(Region::copied).collect(),
            account_id: (*self.account_id).into(),
            ..self.clone()
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            regions: vec![Region::us_east_1()],
            virtual_host_domains: vec!["s3.localhost".to_owned()],
            public_urls: Vec::new(),
            max_expires: Span::from_seconds(604_800),
            account_id: "000000000000".into(),
        }
    }
}
