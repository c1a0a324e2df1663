//! ListBuckets.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>

use http::Response;

use crate::{
    s3::{ListBuckets, buckets, token},
    store::{Bucket, Store},
    verdict::Settings,
};

use super::{Body, Failure, document};

/// Lists one page of all buckets: who may list them may see every name, as on AWS.
pub(super) async fn list<S: Store>(
    store: &S,
    settings: &Settings,
    call: &ListBuckets,
) -> Result<Response<Body>, Failure> {
    let region = settings.region();
    let all = store.buckets().await.map_err(Failure::Store)?;
    let wanted = |bucket: &&Bucket| {
        let name = bucket.name.as_str();
        call.prefix
            .as_deref()
            .is_none_or(|prefix| name.starts_with(prefix))
            && call.after.as_deref().is_none_or(|after| name > after)
            && call.region.as_deref().is_none_or(|asked| asked == region)
    };
    let mut rest = all.iter().filter(wanted);
    let page: Vec<_> = rest.by_ref().take(call.max_buckets).collect();
    let more = match (rest.next(), page.last()) {
        (Some(_), Some(last)) => Some(token(last.name.as_str())),
        (Some(_), None) | (None, _) => None,
    };
    let found = page.iter().map(|bucket| (&bucket.name, bucket.created));
    Ok(document(buckets(
        call,
        &settings.account_id,
        region,
        found,
        more.as_deref(),
    )))
}
