//! CreateBucket. Its owner may make it again, as in us-east-1.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use crate::{
    s3,
    store::Store,
    types::{BucketName, RequestHead},
    verdict::Settings,
};

use super::{Body, Failure, HttpBody, Payload, empty};

const LONGEST_DOCUMENT: usize = 64 * 1024;

/// Makes the bucket, unless it is there.
pub(super) async fn create<S, B>(
    store: &S,
    settings: &Settings,
    bucket: &BucketName,
    head: &RequestHead,
    payload: Payload<'_, B>,
) -> Result<Response<Body>, Failure>
where
    S: Store,
    B: HttpBody<Data = Bytes> + Unpin,
{
    let body = payload.document(head, LONGEST_DOCUMENT).await?;
    s3::create_bucket(&body, settings.region()).map_err(Failure::Call)?;
    store.create_bucket(bucket).await.map_err(Failure::Store)?;
    let mut response = empty(StatusCode::OK);
    if let Ok(location) = HeaderValue::from_str(&format!("/{bucket}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}
