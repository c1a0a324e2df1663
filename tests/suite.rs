//! The one integration binary: each module is a subject.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)] // tests stop at the first surprise

mod audit;
mod client;
mod conditions;
mod cors;
mod cutting;
mod dev_cert;
mod errors;
mod explain;
mod forms;
mod header_errors;
mod layers;
mod logs;
mod multipart;
mod names;
mod objects;
mod operator;
mod reading;
mod reliability;
mod reload;
mod revocation;
mod story;
mod support;
mod tls;
mod transport;
mod zero_configuration;
