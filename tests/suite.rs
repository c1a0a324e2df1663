//! The one integration binary: each module is a subject.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)] // tests stop at the first surprise

mod attacks;
mod audit;
mod bodies;
mod client;
mod conditional_writes;
mod conditions;
mod confinement;
mod cors;
mod created_files;
mod cutting;
mod dependencies;
mod dev_cert;
mod errors;
mod explain;
mod forms;
mod header_errors;
mod layers;
mod lifecycle;
mod limits;
mod logs;
mod monitoring;
mod multipart;
mod names;
mod objects;
mod one_reading;
mod operator;
mod packaging;
mod proxies;
mod reading;
mod readings;
mod reliability;
mod reload;
mod reported_failures;
mod revocation;
mod separation;
mod starting;
mod story;
mod support;
mod taking_effect;
mod threats;
mod tls;
mod traces;
mod transport;
mod zero_configuration;
