//! HeadBucket.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>

use http::{HeaderValue, Response, StatusCode};

use crate::{store::Store, types::BucketName, verdict::Settings};

use super::{Body, Failure, empty, existing};

/// Tells that the bucket is there, and its region.
pub(super) async fn head<S: Store>(
    store: &S,
    settings: &Settings,
    bucket: &BucketName,
) -> Result<Response<Body>, Failure> {
    existing(store, bucket).await?;
    let mut response = empty(StatusCode::OK);
    if let Ok(region) = HeaderValue::from_str(settings.region()) {
        response.headers_mut().insert("x-amz-bucket-region", region);
    }
    Ok(response)
}
