//! The last step: every answer gets its ids and its line in the log, and a failure becomes S3's document.

use http::{HeaderValue, Method, Response, header};
use tracing::field::display;

use crate::types::Peer;

use super::{Asked, Body, Failure, RequestId};

/// Makes the answer, and logs it. Only fixed names, ids and the reason are logged: reasons hold no part of a query or a header.
pub(super) fn respond(
    answer: Result<Response<Body>, Failure>,
    method: &Method,
    request_id: RequestId,
    host_id: &str,
    peer: Peer,
    asked: Option<&Asked>,
) -> Response<Body> {
    let peer = peer.address;
    let operation = asked.map(|asked| asked.operation.name());
    let access_key_id = asked.map(|asked| display(&asked.access_key_id));
    let link_id = asked.map(|asked| display(&asked.link_id));
    let mut response = match answer {
        Ok(response) => {
            tracing::info!(%request_id, %peer, %method, operation, access_key_id, link_id, status = response.status().as_u16(), "served");
            response
        }
        Err(failure) => {
            let response = error(&failure, method, request_id, host_id);
            let (status, reason) = (response.status().as_u16(), failure.name());
            if failure.is_fault() {
                tracing::error!(%request_id, %peer, %method, operation, access_key_id, link_id, status, reason, "failed: {failure}");
            } else {
                tracing::info!(%request_id, %peer, %method, operation, access_key_id, link_id, status, reason, "refused: {failure}");
            }
            response
        }
    };
    let headers = response.headers_mut();
    for (name, text) in [
        ("x-amz-request-id", request_id.to_string()),
        ("x-amz-id-2", host_id.to_owned()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
    headers.insert(header::SERVER, HeaderValue::from_static("postern"));
    response
}

/// Says that no other request can follow on this connection.
pub(super) fn close(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
}

fn error(failure: &Failure, method: &Method, request_id: RequestId, host_id: &str) -> Response<Body> {
    let error = failure.s3_error();
    // An answer to HEAD has no body, so its code is told by the status alone, as on AWS.
    let body = if method == Method::HEAD {
        Body::Empty
    } else {
        Body::Text(error.to_xml(&request_id.to_string(), host_id).into())
    };
    let mut response = Response::new(body);
    *response.status_mut() = error.code().status();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}
