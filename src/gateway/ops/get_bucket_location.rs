//! GetBucketLocation.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html>

use http::Response;

use crate::{s3::location, store::Store, types::BucketName, verdict::Settings};

use super::{Body, Failure, document, existing};

/// Tells the region.
pub(super) async fn answer<S: Store>(
    store: &S,
    settings: &Settings,
    bucket: &BucketName,
) -> Result<Response<Body>, Failure> {
    existing(store, bucket).await?;
    Ok(document(location(settings.region())))
}
