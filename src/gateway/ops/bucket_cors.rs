//! GetBucketCors, PutBucketCors and DeleteBucketCors.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html>

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::{
    s3::{ErrorCode, S3Error, cors_configuration, parse_cors_configuration},
    store::{BucketDocument, LastLook, Store},
    types::{BucketName, RequestHead},
};

use super::{Body, Failure, HttpBody, Payload, document, empty};

/// AWS's longest.
const LONGEST_DOCUMENT: usize = 64 * 1024;

/// GetBucketCors: the bucket's own rules. Those of the configuration are not the bucket's.
pub(super) async fn get<S: Store>(store: &S, bucket: &BucketName) -> Result<Response<Body>, Failure> {
    let kept = store.bucket_document(bucket, BucketDocument::Cors).await;
    match kept.map_err(Failure::Store)? {
        Some(kept) => {
            let rules = parse_cors_configuration(&kept).map_err(Failure::Call)?;
            Ok(document(cors_configuration(&rules)))
        }
        None => Err(Failure::Call(S3Error::new(ErrorCode::NoSuchCORSConfiguration))),
    }
}

/// PutBucketCors.
pub(super) async fn put<S, B>(
    store: &S,
    bucket: &BucketName,
    head: &RequestHead,
    payload: Payload<'_, B>,
    last_look: LastLook,
) -> Result<Response<Body>, Failure>
where
    S: Store,
    B: HttpBody<Data = Bytes> + Unpin,
{
    let body = payload.document(head, LONGEST_DOCUMENT).await?;
    let rules = parse_cors_configuration(&body).map_err(Failure::Call)?;
    keep(store, bucket, Some(cors_configuration(&rules)), last_look).await?;
    Ok(empty(StatusCode::OK))
}

/// DeleteBucketCors.
pub(super) async fn delete<S: Store>(
    store: &S,
    bucket: &BucketName,
    last_look: LastLook,
) -> Result<Response<Body>, Failure> {
    keep(store, bucket, None, last_look).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

async fn keep<S: Store>(
    store: &S,
    bucket: &BucketName,
    content: Option<Vec<u8>>,
    last_look: LastLook,
) -> Result<(), Failure> {
    let kept = store
        .keep_bucket_document(bucket, BucketDocument::Cors, content, last_look)
        .await;
    kept.map_err(Failure::Store)
}
