//! A browser's form, signed as a server-side program signs it.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{ALICE, BUCKET, TestGateway, client};

pub(crate) const BOUNDARY: &str = "----WebKitFormBoundary7MA4YWxkTrZu0gW";

/// Fields and file of a form.
#[derive(Clone)]
pub(crate) struct TestForm {
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) file: Vec<u8>,
}

impl TestForm {
    /// A form whose policy has these conditions besides those on its own signature and its bucket, with these fields.
    pub(crate) fn signed(expiration: &str, conditions: &str, fields: &[(&str, &str)]) -> Self {
        let (date, stamp) = ("20261124", "20261124T120000Z");
        let credential = format!("{}/{date}/us-east-1/s3/aws4_request", ALICE.0);
        let policy = format!(
            "{{\"expiration\": \"{expiration}\", \"conditions\": [{{\"bucket\": \"{BUCKET}\"}}, \
             {{\"x-amz-algorithm\": \"AWS4-HMAC-SHA256\"}}, {{\"x-amz-credential\": \"{credential}\"}}, \
             {{\"x-amz-date\": \"{stamp}\"}}, {conditions}]}}"
        );
        let policy = STANDARD.encode(policy);
        let mut key = format!("AWS4{}", ALICE.1).into_bytes();
        for part in [date, "us-east-1", "s3", "aws4_request"] {
            key = mac(&key, part);
        }
        let signature = hex::encode(mac(&key, &policy));
        let own = [
            ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
            ("x-amz-credential", &credential),
            ("x-amz-date", stamp),
            ("policy", &policy),
            ("x-amz-signature", &signature),
        ];
        let fields = fields.iter().chain(&own);
        Self {
            fields: fields
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            file: b"content of the file".to_vec(),
        }
    }

    /// The same with one field more, or with another value of one.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(own, _)| own != name);
        self
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, value) in &self.fields {
            let part =
                format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(part.as_bytes());
        }
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a film.mp4\"\r\nContent-Type: video/mp4\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&self.file);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        body
    }

    pub(crate) async fn send(&self, gateway: &TestGateway) -> client::Answer {
        self.send_to(gateway, &format!("{}/{BUCKET}", gateway.endpoint()))
            .await
    }

    pub(crate) async fn send_to(&self, gateway: &TestGateway, url: &str) -> client::Answer {
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let headers = [("content-type", content_type.as_str())];
        client::send_body(
            gateway.address,
            http::Method::POST,
            url,
            &headers,
            self.body().into(),
        )
        .await
    }
}

fn mac(key: &[u8], message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
