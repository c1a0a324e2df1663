//! Settings that nobody can set: AWS's answer for each while it is unset.

use http::Response;

use crate::{
    s3::{Operation, unset},
    store::Store,
    types::BucketName,
    verdict::Settings,
};

use super::{Body, Failure, document, existing};

/// Of a bucket.
pub(super) async fn of_bucket<S: Store>(
    store: &S,
    settings: &Settings,
    bucket: &BucketName,
    setting: Operation,
) -> Result<Response<Body>, Failure> {
    existing(store, bucket).await?;
    answer(settings, setting)
}

/// Of what is known to be there.
pub(super) fn answer(settings: &Settings, setting: Operation) -> Result<Response<Body>, Failure> {
    match unset(setting, &settings.account_id) {
        Some(answer) => answer.map(document).map_err(Failure::Call),
        None => Err(Failure::Interrupted),
    }
}
