//! A canonical request, taken apart into the parts that can be changed one by one.

use super::words::{redacted, shown_query, shown_value};

/// The parts of a canonical request, each as it stands there. `host` is one of the headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Canonical {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) signed_headers: String,
    pub(super) payload: String,
}

/// One line of two canonical requests that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Difference {
    /// `method`, `path`, `query`, the name of a header, `signed headers` or `payload`.
    pub line: String,
    /// What the client signed.
    pub signed: String,
    /// What arrived.
    pub arrived: String,
}

impl Canonical {
    /// Takes what verifying made.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split('\n');
        let (method, path, query) = (lines.next()?, lines.next()?, lines.next()?);
        let mut headers = Vec::new();
        for line in lines.by_ref().take_while(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':')?;
            headers.push((name.to_owned(), value.to_owned()));
        }
        let (signed_headers, payload) = (lines.next()?, lines.next()?);
        Some(Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            signed_headers: signed_headers.to_owned(),
            payload: payload.to_owned(),
        })
    }

    /// The text for people: no credential that was signed along is in it.
    pub(super) fn shown(&self) -> String {
        let headers = self.headers.iter();
        let shown = Self {
            query: shown_query(&self.query),
            headers: headers
                .map(|(name, value)| (name.clone(), shown_value(name, value).to_owned()))
                .collect(),
            ..self.clone()
        };
        redacted(&String::from_utf8_lossy(&shown.bytes()))
    }

    /// The bytes that are hashed.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        for part in [&self.method, &self.path, &self.query] {
            out.extend_from_slice(part.as_bytes());
            out.push(b'\n');
        }
        for (name, value) in &self.headers {
            for part in [name, ":", value, "\n"] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        for part in ["\n", &self.signed_headers, "\n", &self.payload] {
            out.extend_from_slice(part.as_bytes());
        }
        out
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }

    /// `host`, as it is signed.
    pub(super) fn host(&self) -> &str {
        self.header("host").unwrap_or_default()
    }

    /// The parameters of the query, encoded, in their order.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    /// Where what was signed is another than what arrived.
    pub(super) fn differences(arrived: &Self, signed: &Self) -> Vec<Difference> {
        let mut lines = vec![
            ("method", arrived.method.as_str(), signed.method.as_str()),
            ("path", &arrived.path, &signed.path),
            ("query", &arrived.query, &signed.query),
            ("signed headers", &arrived.signed_headers, &signed.signed_headers),
            ("payload", &arrived.payload, &signed.payload),
        ];
        for (name, value) in &arrived.headers {
            lines.push((name, value, signed.header(name).unwrap_or_default()));
        }
        for (name, value) in &signed.headers {
            if arrived.header(name).is_none() {
                lines.push((name, "", value));
            }
        }
        let differing = lines.into_iter().filter(|(_, arrived, signed)| arrived != signed);
        differing
            .map(|(line, arrived, signed)| Difference {
                line: line.to_owned(),
                signed: shown(line, signed),
                arrived: shown(line, arrived),
            })
            .collect()
    }
}

/// One line for people.
fn shown(line: &str, value: &str) -> String {
    match line {
        "query" => redacted(&shown_query(value)),
        line => redacted(shown_value(line, value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "GET\n/b/k\na=1&b=\nhost:h:1\nx-a:\n\nhost;x-a\nUNSIGNED-PAYLOAD";

    #[test]
    fn what_is_taken_apart_is_put_together_again() {
        let canonical = Canonical::parse(TEXT).unwrap();
        assert_eq!(canonical.bytes(), TEXT.as_bytes());
        assert_eq!((canonical.host(), canonical.header("x-a")), ("h:1", Some("")));
        assert_eq!(
            canonical.parameters().collect::<Vec<_>>(),
            [("a", "1"), ("b", "")]
        );
        assert!(Canonical::parse("GET\n/").is_none());
    }

    #[test]
    fn no_credential_is_shown() {
        let text = "GET\n/b/k\nX-Amz-Security-Token=hush&a=1\ncookie:id=hush\nhost:h:1\n\
            x-amz-security-token:hush\n\ncookie;host;x-amz-security-token\nUNSIGNED-PAYLOAD";
        let arrived = Canonical::parse(text).unwrap();
        let shown = arrived.shown();
        for line in [
            "X-Amz-Security-Token=(not shown)&a=1\n",
            "x-amz-security-token:(not shown)\n",
        ] {
            assert!(shown.contains(line), "{shown}");
        }
        assert!(
            !shown.contains("hush") && shown.contains("a=1\ncookie:(not shown)\nhost:h:1\n"),
            "{shown}"
        );
        let mut signed = arrived.clone();
        signed.query = signed.query.replace("hush", "hush2");
        signed.headers[0].1 = "id=hush2".to_owned();
        let found = Canonical::differences(&arrived, &signed);
        assert_eq!(found.len(), 2);
        assert!(!format!("{found:?}").contains("hush"), "{found:?}");
    }

    #[test]
    fn differences_are_lines() {
        let arrived = Canonical::parse(TEXT).unwrap();
        let mut signed = arrived.clone();
        signed.method = "PUT".to_owned();
        signed.headers[0].1 = "h".to_owned();
        let found = Canonical::differences(&arrived, &signed);
        let names: Vec<_> = found.iter().map(|difference| difference.line.as_str()).collect();
        assert_eq!(names, ["method", "host"]);
    }
}
