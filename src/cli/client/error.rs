//! Why a client command did not succeed. An answer goes in, S3's code and message come out, with a hint where there is something to
//! be done. Nothing here holds a URL.

use std::{error::Error, fmt};

use http::{StatusCode, response};

use crate::{
    sigv4::SignError,
    types::{ObjectKeyError, Region, printable},
};

use super::tree::Element;

/// Why a request has no good answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum ClientError {
    /// The server says no.
    #[error("{0}")]
    Refused(Refusal),
    /// Nothing could be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A listing names what cannot be a key.
    #[error("the server lists what is no key: {0}")]
    Key(#[from] ObjectKeyError),
    /// The endpoint makes no URL with this bucket.
    #[error("{0}: the endpoint makes no valid address with this bucket and key")]
    Address(String),
    /// There is no connection.
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, String),
    /// The connection ended before the answer did.
    #[error("{0}: the transfer broke off: {1}")]
    BrokenOff(String, String),
    /// The server takes and sends nothing.
    #[error("{0}: the server was silent for {1} seconds; --timeout allows more")]
    Silent(String, u64),
    /// The answer is not S3's.
    #[error("{0}: this is no answer of S3: {1}; is it an S3 endpoint?")]
    NotS3(String, &'static str),
}

/// What the server said, and what may help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Refusal {
    /// The status.
    pub(in crate::cli) status: StatusCode,
    code: String,
    message: String,
    hint: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.code, self.message, self.status.as_u16())?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl Refusal {
    /// Reads S3's error document, or makes do with the status.
    pub(super) fn read(parts: &response::Parts, text: &str, signed_for: &Region) -> Self {
        let error = Element::parse(text).filter(|root| root.name == "Error");
        let found = |name| error.as_ref().and_then(|error| error.text_of(name));
        let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let status = parts.status;
        let code = found("Code").unwrap_or_else(|| status.canonical_reason().unwrap_or("refused"));
        let message = found("Message").unwrap_or("the server does not say why");
        let region = found("Region").or_else(|| header("x-amz-bucket-region"));
        let hint = match region.filter(|region| *region != signed_for.as_str()) {
            Some(region) => Some(format!("the server's region is {}: --region", visible(region))),
            None if error.is_none() && !text.is_empty() => {
                Some("the answer is not S3's: is there an S3 server at --endpoint?".to_owned())
            }
            None => hint(code, message).map(str::to_owned),
        };
        Self {
            status,
            code: visible(code),
            message: visible(message),
            hint,
        }
    }
}

/// What may help against an error of this code.
fn hint(code: &str, message: &str) -> Option<&'static str> {
    let hints = [
        (
            "InvalidAccessKeyId",
            "the server does not know this access key id: whose keys were meant? AWS_ACCESS_KEY_ID, or --signer",
        ),
        (
            "SignatureDoesNotMatch",
            "the secret is another than the server's, or a proxy changes the host: see server.public_urls",
        ),
        (
            "NoSuchBucket",
            "`postern mb s3://BUCKET` makes one, `postern ls` shows which there are",
        ),
        (
            "NoSuchKey",
            "`postern ls --recursive s3://BUCKET` shows which keys there are",
        ),
        (
            "BucketNotEmpty",
            "`postern rm --recursive s3://BUCKET` removes its objects too",
        ),
        (
            "RequestTimeTooSkewed",
            "compare this machine's clock with the server's",
        ),
        ("EntityTooLarge", "one request carries at most 5 GiB"),
    ];
    if message == "Request has expired" || message == "Request is not yet valid" {
        return Some("compare this machine's clock with the server's");
    }
    if code == "AccessDenied" {
        return Some(
            "the keys are good and may not do this; on the server, `postern check` says what each signer may do",
        );
    }
    hints
        .into_iter()
        .find(|(known, _)| *known == code)
        .map(|(_, hint)| hint)
}

/// What a server sent, as it may stand on a terminal.
fn visible(text: &str) -> String {
    printable(&text.chars().take(500).collect::<String>()).into_owned()
}

/// An error with what it comes from, as one line.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut said = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        // hyper's own words for what its source says better.
        if !said.contains(&text) && text != "client error (Connect)" && text != "client error (SendRequest)" {
            said.push(text);
        }
        next = error.source();
    }
    said.join(": ")
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    fn refusal(status: u16, headers: &[(&str, &str)], text: &str) -> String {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let (parts, ()) = response.body(()).unwrap().into_parts();
        Refusal::read(&parts, text, &Region::us_east_1()).to_string()
    }

    #[test]
    fn s3s_code_and_message_are_told_with_a_hint_where_there_is_one() {
        let error = |code: &str, message: &str| {
            format!("<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>")
        };
        for (status, headers, text, said) in [
            (
                404,
                &[][..],
                error("NoSuchBucket", "The bucket &lt;b&gt;"),
                "NoSuchBucket: The bucket <b> (404)\nhint: `postern mb",
            ),
            (
                403,
                &[],
                error("AccessDenied", "Request has expired"),
                "hint: compare this machine's clock",
            ),
            (
                403,
                &[],
                error("AccessDenied", "Access Denied"),
                "AccessDenied: Access Denied (403)\nhint: the keys are good",
            ),
            (418, &[], error("Odd", "x"), "Odd: x (418)"),
            (
                301,
                &[("x-amz-bucket-region", "eu-west-1")],
                error("PermanentRedirect", "x"),
                "hint: the server's region is eu-west-1: --region",
            ),
            (
                400,
                &[],
                "<Error><Code>A</Code><Message>m</Message><Region>eu-west-1</Region></Error>".into(),
                "region is eu-west-1",
            ),
            (
                502,
                &[],
                "<html>Bad \u{1b}[31mGateway</html>".into(),
                "Bad Gateway: the server does not say why (502)\nhint: the answer is not S3's",
            ),
            (
                503,
                &[],
                String::new(),
                "Service Unavailable: the server does not say why (503)",
            ),
            (
                400,
                &[],
                error("\u{1b}[31mX", "m\u{202e}"),
                "\\u{1b}[31mX: m\\u{202e}",
            ),
        ] {
            let found = refusal(status, headers, &text);
            assert!(found.contains(said), "{found:?} should say {said:?}");
        }
        assert!(!refusal(418, &[], &error("Odd", "x")).contains("hint"));
    }
}
