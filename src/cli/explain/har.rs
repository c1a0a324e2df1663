//! What a browser recorded (HAR 1.2, <http://www.softwareishard.com/blog/har-12-spec/>): each request in it that is one to an S3 server.

use crate::{cli::Problem, explain::Question};

#[derive(serde::Deserialize)]
struct Recording {
    log: Log,
}

#[derive(serde::Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

#[derive(serde::Deserialize)]
struct Entry {
    request: Request,
    response: Option<Response>,
}

#[derive(serde::Deserialize)]
struct Request {
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<Header>,
}

#[derive(serde::Deserialize)]
struct Response {
    #[serde(default)]
    status: u16,
    #[serde(default)]
    headers: Vec<Header>,
}

#[derive(serde::Deserialize)]
struct Header {
    name: String,
    value: String,
}

/// Each with a title: method, path and the status that the browser saw.
pub(super) fn questions(text: &str) -> Result<Vec<(String, Question)>, Problem> {
    let recording: Recording =
        serde_json::from_str(text).map_err(|error| format!("this is no HAR recording: {error}"))?;
    let is_s3 = |entry: &Entry| {
        let url = entry.request.url.to_ascii_lowercase();
        let header = |headers: &[Header], name: &str| {
            headers
                .iter()
                .any(|header| header.name.eq_ignore_ascii_case(name))
        };
        url.contains("x-amz-")
            || url.contains("awsaccesskeyid=")
            || header(&entry.request.headers, "x-amz-date")
            || entry
                .response
                .as_ref()
                .is_some_and(|response| header(&response.headers, "x-amz-request-id"))
    };
    let entries = recording.log.entries.into_iter().filter(is_s3);
    Ok(entries
        .map(|Entry { request, response }| {
            let path = request.url.split('?').next().unwrap_or_default();
            let status = response.map_or(0, |response| response.status);
            let title = match status {
                0 => format!("{} {path}: the browser got no answer", request.method),
                status => format!("{} {path}: {status}", request.method),
            };
            // HTTP/2's own fields are no headers, and what a body was sent with is not signed.
            let host = request
                .headers
                .iter()
                .find(|header| header.name.eq_ignore_ascii_case("host") || header.name == ":authority");
            let host = host.map(|header| header.value.clone());
            let headers = request
                .headers
                .iter()
                .filter(|header| !header.name.starts_with(':') && !header.name.eq_ignore_ascii_case("host"));
            let question = Question {
                headers: headers
                    .map(|header| (header.name.clone(), header.value.clone()))
                    .collect(),
                url: request.url,
                method: Some(request.method),
                host,
                ..Question::default()
            };
            (title, question)
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDED: &str = r#"{"log":{"version":"1.2","entries":[
        {"request":{"method":"GET","url":"https://example.com/page","headers":[]},"response":{"status":200,"headers":[]}},
        {"request":{"method":"PUT","url":"http://h:9000/b/k?X-Amz-Signature=x","headers":[{"name":"Host","value":"h:9000"},{"name":"Content-Type","value":"text/plain"}]},
         "response":{"status":403,"headers":[]}},
        {"request":{"method":"GET","url":"http://h:9000/b/k","headers":[]},"response":{"status":0,"headers":[{"name":"X-Amz-Request-Id","value":"1"}]}}
    ]}}"#;

    #[test]
    fn requests_to_s3_are_found_and_others_are_not() {
        let found = questions(RECORDED).unwrap();
        let titles: Vec<_> = found.iter().map(|(title, _)| title.as_str()).collect();
        assert_eq!(
            titles,
            [
                "PUT http://h:9000/b/k: 403",
                "GET http://h:9000/b/k: the browser got no answer"
            ]
        );
        let (_, question) = &found[0];
        assert_eq!(question.host.as_deref(), Some("h:9000"));
        assert_eq!(
            question.headers,
            [("Content-Type".to_owned(), "text/plain".to_owned())]
        );
        assert!(questions("{}").is_err());
    }
}
