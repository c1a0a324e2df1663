//! GetObjectAttributes.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html>

use std::time::SystemTime;

use http::{HeaderValue, Response, header};

use crate::{
    s3::{WantedAttributes, object_attributes},
    store::Object,
    verdict::Released,
};

use super::{Body, Failure, document};

/// Tells what was asked for.
pub(super) fn answer(object: Released<Object>, wanted: &WantedAttributes) -> Result<Response<Body>, Failure> {
    let object = object.into_inner();
    let attributes = object.attributes;
    let mut response = document(object_attributes(wanted, &attributes));
    let modified = httpdate::fmt_http_date(SystemTime::from(attributes.last_modified));
    if let Ok(modified) = HeaderValue::from_str(&modified) {
        response.headers_mut().insert(header::LAST_MODIFIED, modified);
    }
    Ok(response)
}
