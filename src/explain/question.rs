//! What is asked: a URL as somebody has it, and how it was used. A [`Question`] goes in, the request that a client would have sent comes out, or why
//! no client could.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::types::{Client, RequestHead, Scheme, TlsVersion};

/// What clients encode of a pasted URL by themselves: white space and what is not ASCII.
const SENT_ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`');

/// A request to be explained. Only the URL is needed.
#[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The URL, as it was pasted: damaged, if it is.
    pub url: String,
    /// The method; GET where nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Headers that were sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The Host that the gateway was reached by, where it is not the URL's: behind a proxy or a container's port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The SHA-256 of the body, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_sha256: Option<String>,
    /// The client's address, for conditions on it; this machine's own where nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
}

/// A request as it would arrive.
#[derive(Clone)]
pub(super) struct Request {
    /// The URL's text, which may be another than what arrives.
    pub(super) text: String,
    pub(super) head: Arc<RequestHead>,
    pub(super) client: Client,
    pub(super) body_sha256: Option<String>,
}

impl Question {
    /// What asks about a request that was seen: its head, and who sent it. No other text of the URL is known than what arrived.
    pub(super) fn of_head(head: &RequestHead, client: Client) -> Self {
        let scheme = match head.scheme() {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        let headers = head.headers().iter().filter(|(name, _)| *name != header::HOST);
        let headers = headers.map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        });
        Self {
            url: format!("{scheme}://{}{}", head.authority(), head.path_and_query()),
            method: Some(head.method().to_string()),
            headers: headers.collect(),
            host: Some(head.authority().to_owned()),
            body_sha256: None,
            client: Some(client.address),
        }
    }

    /// The request, under another text of the URL.
    pub(super) fn request(&self, text: &str) -> Result<Request, String> {
        let text = text.trim();
        let text = text.split('#').next().unwrap_or(text);
        let sent = utf8_percent_encode(text, SENT_ENCODED).to_string();
        let sent = match sent.split_once("://") {
            Some(_) => sent,
            None => format!("http://{sent}"),
        };
        let uri: Uri = sent
            .parse()
            .map_err(|error: http::uri::InvalidUri| error.to_string())?;
        let scheme = match uri.scheme_str() {
            Some("https") => Scheme::Https,
            Some("http") | None => Scheme::Http,
            Some(other) => return Err(format!("its scheme is {other:?}, neither http nor https")),
        };
        let authority = uri.authority().ok_or("it names no host")?.as_str().to_owned();
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let wrong = |what: &str| format!("the header {name:?} {what}");
            let name = HeaderName::from_bytes(name.trim().as_bytes())
                .map_err(|_| wrong("has a name that no header can have"))?;
            if name == header::HOST {
                continue;
            }
            let value = HeaderValue::from_bytes(value.trim().as_bytes())
                .map_err(|_| wrong("has a value that no header can have"))?;
            headers.append(name, value);
        }
        let of_headers = self
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("host"));
        let given = self.host.as_deref().or(of_headers.map(|(_, value)| value.trim()));
        let reached = given.map_or_else(|| as_sent(&authority, scheme), str::to_owned);
        let host = HeaderValue::from_str(&reached).map_err(|_| format!("{reached:?} is no host"))?;
        headers.insert(header::HOST, host);
        let method = self.method.as_deref().unwrap_or("GET");
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| format!("{method:?} is no method"))?;
        let signs_length = sent.contains("content-length");
        if matches!(method, Method::PUT | Method::POST)
            && !signs_length
            && !headers.contains_key(header::TRANSFER_ENCODING)
        {
            // Every client says how long its body is; nobody need say so here.
            headers
                .entry(header::CONTENT_LENGTH)
                .or_insert(HeaderValue::from_static("0"));
        }
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let target: Uri = target
            .parse()
            .map_err(|error: http::uri::InvalidUri| error.to_string())?;
        let head = RequestHead::new(method, scheme, target, headers).map_err(|error| error.to_string())?;
        Ok(Request {
            text: text.to_owned(),
            head: Arc::new(head),
            client: Client {
                address: self.client.unwrap_or(Ipv4Addr::LOCALHOST.into()).to_canonical(),
                port: None,
                scheme,
                tls: (scheme == Scheme::Https).then_some(TlsVersion::V1_3),
                proxy: None,
            },
            body_sha256: self.body_sha256.clone(),
        })
    }
}

impl Request {
    /// The bytes of its head, which its canonical request is made of.
    pub(super) fn bytes(&self) -> usize {
        let headers = self.head.headers().iter();
        let headers = headers.map(|(name, value)| name.as_str().len() + value.len());
        self.head.path_and_query().len() + headers.sum::<usize>()
    }

    /// The host of the URL's own text.
    pub(super) fn url_host(&self) -> Option<String> {
        let (_, rest) = self.text.split_once("://")?;
        let host = rest.split(['/', '?', '#']).next()?;
        (!host.is_empty()).then(|| host.to_owned())
    }
}

/// Clients leave a scheme's own port out of `Host`.
fn as_sent(authority: &str, scheme: Scheme) -> String {
    let own = match scheme {
        Scheme::Http => ":80",
        Scheme::Https => ":443",
    };
    authority.strip_suffix(own).unwrap_or(authority).to_owned()
}
