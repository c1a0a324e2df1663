//! CreateBucket. Its owner may make it again, as in us-east-1.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use crate::{s3, store::Store, types::BucketName, verdict::Permit};

use super::{Body, Failure, HttpBody, Payload, Work, empty};

const LONGEST_DOCUMENT: usize = 64 * 1024;

/// Makes the bucket, unless it is there.
pub(super) async fn create<S, B>(
    work: &Work<'_, S>,
    permit: &Permit,
    bucket: &BucketName,
    payload: Payload<'_, B>,
) -> Result<Response<Body>, Failure>
where
    S: Store,
    B: HttpBody<Data = Bytes> + Unpin,
{
    let body = payload.document(work.head, LONGEST_DOCUMENT).await?;
    s3::create_bucket(&body, work.settings.region()).map_err(Failure::Call)?;
    let made = work.store.create_bucket(bucket, work.last_look(permit)).await;
    made.map_err(Failure::Store)?;
    let mut response = empty(StatusCode::OK);
    if let Ok(location) = HeaderValue::from_str(&format!("/{bucket}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}
