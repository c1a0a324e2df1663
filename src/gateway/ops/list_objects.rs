//! ListObjects and ListObjectsV2.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>

use http::Response;

use crate::{
    s3::{ListEntry, ListObjects, ListPage, objects_v1, objects_v2},
    store::{ListQuery, Listed, Store},
    types::BucketName,
    verdict::Settings,
};

use super::{Body, Failure, document};

/// Which of the two.
pub(super) enum Version {
    /// ListObjects.
    One,
    /// ListObjectsV2.
    Two,
}

/// Lists one page.
pub(super) async fn list<S: Store>(
    store: &S,
    settings: &Settings,
    bucket: &BucketName,
    call: &ListObjects,
    version: Version,
) -> Result<Response<Body>, Failure> {
    let query = ListQuery {
        prefix: call.prefix.clone(),
        delimiter: call.delimiter.clone(),
        after: call.start.position().map(str::to_owned),
        limit: call.max_keys,
    };
    let page = store.list(bucket, query).await.map_err(Failure::Store)?;
    let entries: Vec<_> = page
        .entries
        .iter()
        .map(|entry| match entry {
            Listed::Object(key, attributes) => ListEntry::Object(key, attributes),
            Listed::CommonPrefix(prefix) => ListEntry::CommonPrefix(prefix),
        })
        .collect();
    let page = ListPage {
        bucket,
        call,
        account_id: &settings.account_id,
        entries: &entries,
        more: page.more,
    };
    Ok(document(match version {
        Version::One => objects_v1(&page),
        Version::Two => objects_v2(&page),
    }))
}
