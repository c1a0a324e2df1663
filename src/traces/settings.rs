//! What an operator may set of traces: `[traces]`.

use http::Uri;

/// Where spans go, and which requests have one.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The collector's OTLP endpoint over HTTP: spans go to `/v1/traces` below it. Empty: there are no traces.
    pub endpoint: String,
    /// The share of requests that have a span where the client does not say: from 0 to 1.
    pub sample: f64,
    /// Does a client's `traceparent` say which trace a request belongs to, and whether it has a span?
    pub honour_parents: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            sample: 1.0,
            honour_parents: true,
        }
    }
}

impl Settings {
    /// Are there traces at all?
    pub fn is_on(&self) -> bool {
        !self.endpoint.is_empty()
    }

    /// Where spans go; none where the endpoint is no URL of a collector: one with a scheme and a host, and without a query and credentials.
    pub fn target(&self) -> Option<Uri> {
        let uri: Uri = self.endpoint.parse().ok()?;
        let named = matches!(uri.scheme_str(), Some("http" | "https"))
            && !uri.host()?.is_empty()
            && !uri.authority()?.as_str().contains('@');
        if !named || uri.query().is_some() || self.endpoint.contains('#') {
            return None;
        }
        let below = self.endpoint.trim_end_matches('/');
        format!("{below}/v1/traces").parse().ok()
    }

    /// The port that spans go to; none where there are no traces.
    pub fn port(&self) -> Option<u16> {
        let target = self.target()?;
        let usual = match target.scheme_str() {
            Some("https") => 443,
            _ => 80,
        };
        Some(target.port_u16().unwrap_or(usual))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(endpoint: &str) -> Option<String> {
        let settings = Settings {
            endpoint: endpoint.to_owned(),
            ..Settings::default()
        };
        settings.target().map(|uri| uri.to_string())
    }

    #[test]
    fn the_port_is_the_endpoints_or_its_schemes() {
        for (endpoint, port) in [
            ("", None),
            ("http://127.0.0.1:4318", Some(4318)),
            ("http://collector", Some(80)),
            ("https://collector/x", Some(443)),
        ] {
            let settings = Settings {
                endpoint: endpoint.to_owned(),
                ..Settings::default()
            };
            assert_eq!(settings.port(), port, "{endpoint}");
        }
    }

    #[test]
    fn spans_go_below_the_endpoint() {
        for (endpoint, goes) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
            ("https://c.example/otlp", "https://c.example/otlp/v1/traces"),
        ] {
            assert_eq!(target(endpoint).as_deref(), Some(goes), "{endpoint}");
        }
        for bad in [
            "",
            "127.0.0.1:4318",
            "grpc://c.example:4317",
            "http://",
            "http://user:word@c.example",
            "http://c.example/?a=b",
            "http://c.example/#a",
        ] {
            assert_eq!(target(bad), None, "{bad}");
        }
    }
}
