//! Postern, a gateway that verifies presigned S3 requests against the policy as it stands now.
//!
//! `cfg(fuzzing)` leaves out what no fuzz target reaches (layers 2 to 6, the store excepted), which is most of what there is to compile.
#![cfg_attr(fuzzing, allow(dead_code, unused_imports))]

#[cfg(not(fuzzing))]
pub mod audit;
#[cfg(not(fuzzing))]
pub mod cli;
pub mod clock;
#[cfg(not(fuzzing))]
pub mod config;
#[cfg(not(fuzzing))]
pub mod confine;
#[cfg(not(fuzzing))]
pub mod explain;
#[cfg(not(fuzzing))]
pub mod gateway;
#[cfg(not(fuzzing))]
pub mod live;
#[cfg(not(fuzzing))]
pub mod metrics;
pub mod obstacle;
#[cfg(not(fuzzing))]
pub mod operator_file;
pub mod policy;
pub mod s3;
#[cfg(not(fuzzing))]
pub mod separation;
#[cfg(not(fuzzing))]
pub mod server;
pub mod sigv4;
pub mod store;
pub mod traces;
pub mod types;
pub mod verdict;
