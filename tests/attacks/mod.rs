//! What somebody does who means harm: each attack is refused, nothing is written, nothing of it reaches another request, and the connection is
//! closed or stands where a good request is answered as ever.

mod admin;
mod documents;
mod encodings;
mod flooding;
mod injection;
mod smuggling;
mod strangers;

use std::time::Duration;

use http::Method;

use crate::{
    objects::everything,
    support::{BUCKET, TestGateway, Wishes, client},
};

/// A gateway whose signer may do everything, with the objects `good` and `inner`.
struct Target {
    gateway: TestGateway,
    /// As `Host` names it.
    host: String,
}

/// What the connection was good for afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// It was closed: the good request behind the attack got no answer.
    Closed,
    /// The good request behind the attack was answered, and nothing else.
    InSync,
}

impl Target {
    async fn start() -> Self {
        let gateway = TestGateway::with(Wishes {
            policy: Some(everything()),
            ..Wishes::default()
        })
        .await;
        gateway.put("good", "THE GOOD ONE");
        gateway.put("inner", "THE INNER ONE");
        let host = gateway.address.to_string();
        Self { gateway, host }
    }

    /// The signed path and query for a key.
    fn path(&self, method: &Method, key: &str) -> String {
        let link = self.gateway.link(method, key);
        link.strip_prefix(&self.gateway.endpoint()).unwrap().to_owned()
    }

    /// A request that gets an object.
    fn get(&self, key: &str, more: &str) -> String {
        let (path, host) = (self.path(&Method::GET, key), &self.host);
        format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{more}\r\n")
    }

    /// Sends the attack and a good request in one go, as a proxy does that shares a connection. Gives all that came back, and what became of the
    /// connection; there may be an answer to the attack and one to the good request, and no other.
    async fn attack(&self, name: &str, attack: &[u8]) -> (String, Then) {
        let good = self.get("good", "connection: close\r\n");
        let bytes = [attack, good.as_bytes()].concat();
        let answered = client::raw(self.gateway.address, &bytes);
        let answer = tokio::time::timeout(Duration::from_secs(30), answered).await;
        let answer = answer.unwrap_or_else(|_| panic!("{name}: neither answered nor closed"));
        assert!(
            !answer.contains("THE INNER ONE"),
            "{name} got the inner object: {answer}"
        );
        let answers = answer.matches("HTTP/1.1 ").count();
        let then = match answer.contains("THE GOOD ONE") {
            true => Then::InSync,
            false => Then::Closed,
        };
        let most = if then == Then::InSync { 2 } else { 1 };
        assert!(answers <= most, "{name}: {answers} answers: {answer}");
        let records = self.gateway.records();
        let mut got = records.iter().filter(|record| record.status == Some(200));
        assert!(
            got.all(|record| record.key.as_deref() != Some("inner")),
            "{name}: somebody got the inner object"
        );
        (answer, then)
    }

    /// Nothing has arrived under this key, and nothing is on its way.
    fn assert_nothing_written(&self, key: &str, case: &str) {
        let bucket = self.gateway.folder.path().join("data").join(BUCKET);
        assert!(!bucket.join(key).exists(), "{case}: {key} is there");
        let own = bucket.join("~!tmp");
        assert_eq!(std::fs::read_dir(own).map_or(0, Iterator::count), 0, "{case}");
    }
}

/// The status of the first answer, as 403.
fn status(answer: &str) -> u16 {
    let line = answer.strip_prefix("HTTP/1.1 ").unwrap_or("0");
    line.get(..3).unwrap_or("0").parse().unwrap_or(0)
}

/// The S3 code of the first answer; empty for a bare one.
fn code(answer: &str) -> &str {
    let (_, rest) = answer.split_once("<Code>").unwrap_or_default();
    rest.split('<').next().unwrap_or_default()
}
