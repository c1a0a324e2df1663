//! Postern, a gateway that verifies presigned S3 requests against the policy as it stands now.

pub mod audit;
pub mod cli;
pub mod clock;
pub mod config;
pub mod confine;
pub mod explain;
pub mod gateway;
pub mod live;
pub mod metrics;
pub mod obstacle;
pub mod policy;
pub mod s3;
pub mod server;
pub mod sigv4;
pub mod store;
pub mod traces;
pub mod types;
pub mod verdict;
