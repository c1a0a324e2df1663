//! What a browser is told of who may talk to a bucket: the answer to a preflight, which nobody signs, and headers on every other answer,
//! errors too, so that a page can read why it was refused.

use http::{Method, Response, header::ORIGIN};

use crate::{
    s3::{CorsRule, Preflight, expose, parse_cors_configuration},
    store::{BucketDocument, Store, StoreError},
    types::{BucketName, RequestHead},
    verdict,
};

use super::{Body, Failure, Settings};

/// Is it a browser that asks first? No other operation is asked for by OPTIONS.
pub(super) fn is_preflight(head: &RequestHead) -> bool {
    head.method() == Method::OPTIONS
}

/// Answers a browser that asks first. Where a bucket is not there, it hears what it hears of one without rules.
pub(super) async fn preflight<S: Store>(
    store: &S,
    settings: &Settings,
    head: &RequestHead,
) -> Result<Response<Body>, Failure> {
    let asked = Preflight::parse(head.headers()).map_err(Failure::Call)?;
    let mut has_rules = false;
    for bucket in verdict::buckets_named(head, &settings.verdict) {
        let rules = rules(store, settings, &bucket).await?;
        has_rules |= !rules.is_empty();
        if let Some(headers) = asked.answer(&rules) {
            let mut response = Response::new(Body::Empty);
            *response.headers_mut() = headers;
            return Ok(response);
        }
    }
    Err(Failure::Call(asked.refused(has_rules)))
}

/// Adds what lets a page read the answer, where its origin may. `bucket` is the one that was verified; before that, those that the request may
/// mean.
pub(super) async fn tell<S: Store>(
    store: &S,
    settings: &Settings,
    head: &RequestHead,
    bucket: Option<&BucketName>,
    response: &mut Response<Body>,
) {
    let Some(origin) = head.headers().get(ORIGIN).and_then(|origin| origin.to_str().ok()) else {
        return;
    };
    if is_preflight(head) {
        return;
    }
    let buckets = match bucket {
        Some(bucket) => vec![bucket.clone()],
        None => verdict::buckets_named(head, &settings.verdict),
    };
    for bucket in buckets {
        // Boxed, since it is rare: see `ops::execute`.
        match Box::pin(rules(store, settings, &bucket)).await {
            Ok(rules) => expose(&rules, origin, head.method(), response.headers_mut()),
            Err(failure) => tracing::warn!(%bucket, "cannot read the bucket's CORS rules: {failure}"),
        }
    }
}

/// The bucket's own rules, or else those of the configuration.
async fn rules<S: Store>(
    store: &S,
    settings: &Settings,
    bucket: &BucketName,
) -> Result<Vec<CorsRule>, Failure> {
    match store.bucket_document(bucket, BucketDocument::Cors).await {
        Ok(Some(kept)) => parse_cors_configuration(&kept).map_err(Failure::Call),
        Ok(None) | Err(StoreError::NoSuchBucket(_)) => Ok(settings.cors.clone()),
        Err(error) => Err(Failure::Store(error)),
    }
}
