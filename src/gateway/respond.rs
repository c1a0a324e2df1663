//! The last step: every answer gets its ids and its line in the log, and a failure becomes S3's document.

use http::{HeaderName, HeaderValue, Method, Response, header};
use tracing::field::display;

use crate::audit::Entry;

use super::{Body, Failure, RequestId, recording::Recording, request_id::HostId, stranger_log::Shortened};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
const HOST_ID: HeaderName = HeaderName::from_static("x-amz-id-2");

/// A client may make up a method of any length.
const MOST_OF_A_METHOD: usize = 32;
const MOST_OF_A_REASON: usize = 1024;

/// Makes the answer, notes it for the record, and logs it. Only fixed names, ids and the reason are logged: reasons hold no part of a query or a
/// header. Strangers have a bound.
pub(super) fn respond(
    answer: Result<Response<Body>, Failure>,
    hint: Option<String>,
    method: &Method,
    (request_id, host_id): (RequestId, &HostId),
    recording: &mut Recording,
) -> Response<Body> {
    let mut response = match &answer {
        Ok(_) => Response::new(Body::Empty),
        Err(failure) => error(failure, hint, method, (request_id, host_id)),
    };
    let failure = answer.map(|answered| response = answered).err();
    let failure = failure.as_ref().or(response.body().failure());
    recording.answers(response.status().as_u16(), failure);
    if recording.admits_line() {
        log(recording.entry(), failure);
    }
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, request_id.header());
    headers.insert(HOST_ID, host_id.header());
    headers.insert(header::SERVER, HeaderValue::from_static("postern"));
    response
}

fn log(entry: Option<&Entry>, failure: Option<&Failure>) {
    let Some(entry) = entry else { return };
    let Entry {
        request_id,
        method,
        operation,
        ..
    } = entry;
    let (client, status) = (entry.client, entry.status);
    let method = Shortened(method, MOST_OF_A_METHOD);
    let access_key_id = entry.access_key_id.as_ref().map(display);
    let link_id = entry.link_id.map(display);
    let Some(failure) = failure else {
        tracing::info!(%request_id, %client, %method, operation, access_key_id, link_id, status, "served");
        return;
    };
    let reason = failure.name();
    let said = Shortened(failure, MOST_OF_A_REASON);
    if failure.is_fault() {
        tracing::error!(%request_id, %client, %method, operation, access_key_id, link_id, status, reason, "failed: {failure}");
    } else {
        tracing::info!(%request_id, %client, %method, operation, access_key_id, link_id, status, reason, "refused: {said}");
    }
}

/// Says that no other request can follow on this connection.
pub(super) fn close(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
}

fn error(
    failure: &Failure,
    hint: Option<String>,
    method: &Method,
    (request_id, host_id): (RequestId, &HostId),
) -> Response<Body> {
    let error = failure.s3_error();
    let error = match hint {
        Some(hint) => error.with("Hint", hint),
        None => error,
    };
    // An answer to HEAD has no body, so its code is told by the status alone, as on AWS.
    let body = if method == Method::HEAD {
        Body::Empty
    } else {
        Body::Text(error.to_xml(&request_id.to_string(), host_id.as_str()).into())
    };
    let mut response = Response::new(body);
    *response.status_mut() = error.code().status();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}
