//! Which pages of other origins may talk to a bucket, and what a browser is told. An origin, a method and header names go in, headers come out.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html>, <https://fetch.spec.whatwg.org/#http-cors-protocol>
//!
//! Stricter than AWS: `Access-Control-Allow-Credentials` is sent only to an origin that a rule names without a wildcard.

mod document;

pub use document::{cors_configuration, parse_cors_configuration};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::types::Span;

use super::{ErrorCode, S3Error};

/// The methods that a rule may name.
const METHODS: [&str; 5] = ["GET", "PUT", "HEAD", "POST", "DELETE"];

/// One rule. A `*` in an origin or a header's name stands for any text, once in each.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorsRule {
    /// What the rule is called.
    #[serde(skip)]
    pub id: Option<String>,
    /// The origins that it is for: `https://app.example.com`.
    pub allowed_origins: Vec<String>,
    /// What they may do.
    pub allowed_methods: Vec<String>,
    /// The headers that they may send.
    #[serde(default)]
    pub allowed_headers: Vec<String>,
    /// The headers of an answer that they may read.
    #[serde(default)]
    pub expose_headers: Vec<String>,
    /// How long a browser may remember the answer to a preflight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
}

/// What a browser wants to know before it lets a page send a request.
pub struct Preflight<'h> {
    origin: &'h str,
    method: &'h str,
    headers: Vec<&'h str>,
}

impl<'h> Preflight<'h> {
    /// Reads the headers of an OPTIONS request. Errors: `BadRequest`.
    pub fn parse(headers: &'h HeaderMap) -> Result<Self, S3Error> {
        let bad = |message: String| S3Error::new(ErrorCode::BadRequest).message(message);
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let origin = text("origin").filter(|origin| !origin.is_empty());
        let origin = origin
            .ok_or_else(|| bad("Insufficient information. Origin request header needed.".to_owned()))?;
        let method = text("access-control-request-method");
        let method = method.filter(|method| METHODS.contains(method)).ok_or_else(|| {
            bad(format!(
                "Invalid Access-Control-Request-Method: {}",
                method.unwrap_or("null")
            ))
        })?;
        let names = headers.get_all("access-control-request-headers").iter();
        let names = names
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','))
            .map(str::trim)
            .filter(|name| !name.is_empty());
        Ok(Self {
            origin,
            method,
            headers: names.collect(),
        })
    }

    /// The headers of the answer, by the first rule that allows it; none where no rule does.
    pub fn answer(&self, rules: &[CorsRule]) -> Option<HeaderMap> {
        let fits = |rule: &&CorsRule| {
            rule.allows(self.origin, self.method) && self.headers.iter().all(|name| rule.takes(name))
        };
        let rule = rules.iter().find(fits)?;
        let mut answer = rule.allow(self.origin);
        put(
            &mut answer,
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            &self.headers.join(", ").to_ascii_lowercase(),
        );
        put(
            &mut answer,
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            &rule.expose_headers.join(", "),
        );
        if let Some(age) = rule.max_age {
            answer.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(age.seconds()));
        }
        Some(answer)
    }

    /// The refusal. `has_rules`: are there any rules for the bucket?
    pub fn refused(&self, has_rules: bool) -> S3Error {
        S3Error::new(ErrorCode::AccessForbidden)
            .message(match has_rules {
                true => "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request \
                         method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the \
                         resource's CORS spec.",
                false => "CORSResponse: CORS is not enabled for this bucket.",
            })
            .with("Method", self.method)
            .with("ResourceType", "OBJECT")
    }
}

/// Adds what a browser must hear to let a page of this origin read an answer. Nothing is added where no rule is for it.
pub fn expose(rules: &[CorsRule], origin: &str, method: &Method, answer: &mut HeaderMap) {
    let Some(rule) = rules.iter().find(|rule| rule.allows(origin, method.as_str())) else {
        return;
    };
    let exposed: Vec<_> = rule
        .expose_headers
        .iter()
        .flat_map(|name| match name.contains('*') {
            // A browser knows no pattern but `*` alone, and that not with credentials.
            true => answer
                .keys()
                .map(|own| own.as_str().to_owned())
                .filter(|own| matches(&name.to_ascii_lowercase(), own))
                .collect(),
            false => vec![name.clone()],
        })
        .collect();
    answer.extend(rule.allow(origin));
    put(answer, header::ACCESS_CONTROL_EXPOSE_HEADERS, &exposed.join(", "));
}

impl CorsRule {
    /// What is wrong with it, in words for whoever wrote it. Patterns of headers to expose are ours alone: AWS knows none.
    pub fn problem(&self, patterns_exposed: bool) -> Option<String> {
        if self.allowed_origins.is_empty() || self.allowed_methods.is_empty() {
            return Some("a rule needs at least one allowed origin and one allowed method".to_owned());
        }
        if let Some(method) = self
            .allowed_methods
            .iter()
            .find(|m| !METHODS.contains(&m.as_str()))
        {
            return Some(format!(
                "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
            ));
        }
        let twice = |text: &&String| text.matches('*').count() > 1;
        if let Some(origin) = self.allowed_origins.iter().find(twice) {
            return Some(format!(
                "AllowedOrigin \"{origin}\" can not have more than one wildcard."
            ));
        }
        if let Some(name) = self.allowed_headers.iter().find(twice) {
            return Some(format!(
                "AllowedHeader \"{name}\" can not have more than one wildcard."
            ));
        }
        let is_name = |name: &&String| {
            let plain = if patterns_exposed {
                name.replace('*', "x")
            } else {
                (*name).clone()
            };
            HeaderName::try_from(plain.as_str()).is_ok() && !plain.contains('*') && !twice(name)
        };
        self.expose_headers.iter().find(|name| !is_name(name)).map(|name| {
            format!("ExposeHeader \"{name}\" contains wildcard. We currently do not support wildcard for ExposeHeader.")
        })
    }

    fn allows(&self, origin: &str, method: &str) -> bool {
        self.allowed_methods.iter().any(|own| own == method)
            && self.allowed_origins.iter().any(|own| matches(own, origin))
    }

    fn takes(&self, header: &str) -> bool {
        let header = header.to_ascii_lowercase();
        self.allowed_headers
            .iter()
            .any(|own| matches(&own.to_ascii_lowercase(), &header))
    }

    /// What every answer to an allowed origin begins with. Where all are allowed, none is named, and so none gets credentials.
    fn allow(&self, origin: &str) -> HeaderMap {
        let mut answer = HeaderMap::new();
        let everybody = self.allowed_origins.iter().any(|own| own == "*");
        put(
            &mut answer,
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            if everybody { "*" } else { origin },
        );
        if !everybody
            && self
                .allowed_origins
                .iter()
                .any(|own| own == origin && !own.contains('*'))
        {
            answer.insert(
                header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
        }
        put(
            &mut answer,
            header::ACCESS_CONTROL_ALLOW_METHODS,
            &self.allowed_methods.join(", "),
        );
        answer.insert(
            header::VARY,
            HeaderValue::from_static("Origin, Access-Control-Request-Headers, Access-Control-Request-Method"),
        );
        answer
    }
}

fn put(answer: &mut HeaderMap, name: HeaderName, text: &str) {
    if let (false, Ok(value)) = (text.is_empty(), HeaderValue::from_str(text)) {
        answer.insert(name, value);
    }
}

/// One `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((front, back)) => {
            text.len() >= front.len().saturating_add(back.len())
                && text.starts_with(front)
                && text.ends_with(back)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(origins: &[&str], methods: &[&str], headers: &[&str], exposed: &[&str]) -> CorsRule {
        let owned = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect();
        CorsRule {
            id: None,
            allowed_origins: owned(origins),
            allowed_methods: owned(methods),
            allowed_headers: owned(headers),
            expose_headers: owned(exposed),
            max_age: Some(Span::from_seconds(600)),
        }
    }

    fn sent(headers: &[(&'static str, &str)]) -> HeaderMap {
        headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    fn preflight(rules: &[CorsRule], origin: &str, method: &str, headers: &str) -> Option<HeaderMap> {
        let sent = sent(&[
            ("origin", origin),
            ("access-control-request-method", method),
            ("access-control-request-headers", headers),
        ]);
        Preflight::parse(&sent).unwrap().answer(rules)
    }

    #[test]
    fn the_first_rule_that_fits_answers() {
        let rules = [
            rule(
                &["https://app.example.com"],
                &["PUT"],
                &["content-type", "x-amz-*"],
                &["ETag"],
            ),
            rule(&["https://*.example.org"], &["PUT"], &["*"], &[]),
            rule(&["*"], &["GET", "HEAD"], &[], &[]),
        ];
        let own = preflight(
            &rules,
            "https://app.example.com",
            "PUT",
            "Content-Type, X-Amz-Meta-A",
        )
        .unwrap();
        for (name, expected) in [
            ("access-control-allow-origin", "https://app.example.com"),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-methods", "PUT"),
            ("access-control-allow-headers", "content-type, x-amz-meta-a"),
            ("access-control-expose-headers", "ETag"),
            ("access-control-max-age", "600"),
            (
                "vary",
                "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
            ),
        ] {
            assert_eq!(own[name], expected);
        }
        let pattern = preflight(&rules, "https://a.example.org", "PUT", "x-anything").unwrap();
        assert_eq!(pattern["access-control-allow-origin"], "https://a.example.org");
        assert!(!pattern.contains_key("access-control-allow-credentials"));
        let everybody = preflight(&rules, "https://evil.example", "GET", "").unwrap();
        assert_eq!(everybody["access-control-allow-origin"], "*");
        assert!(!everybody.contains_key("access-control-allow-credentials"));
        for (origin, method, headers) in [
            ("https://app.example.com", "DELETE", ""),
            ("https://app.example.com", "PUT", "authorization"),
            ("https://app.example.com.evil", "PUT", ""),
            ("http://app.example.com", "PUT", ""),
            ("https://example.org", "PUT", ""),
            ("null", "PUT", ""),
        ] {
            assert!(
                preflight(&rules, origin, method, headers).is_none(),
                "{origin} {method} {headers}"
            );
        }
    }

    #[test]
    fn a_preflight_says_what_it_is_for() {
        for (headers, message) in [
            (
                sent(&[]),
                "Insufficient information. Origin request header needed.",
            ),
            (
                sent(&[("origin", "https://a")]),
                "Invalid Access-Control-Request-Method: null",
            ),
            (
                sent(&[
                    ("origin", "https://a"),
                    ("access-control-request-method", "PATCH"),
                ]),
                "Invalid Access-Control-Request-Method: PATCH",
            ),
        ] {
            let error = Preflight::parse(&headers).err().unwrap();
            assert_eq!((error.code(), error.text()), (ErrorCode::BadRequest, message));
        }
    }

    #[test]
    fn patterns_of_exposed_headers_become_the_answers_own() {
        let rules = [rule(&["*"], &["GET"], &[], &["ETag", "x-amz-*"])];
        let mut answer = sent(&[
            ("x-amz-request-id", "1"),
            ("x-amz-meta-a", "2"),
            ("server", "postern"),
        ]);
        expose(&rules, "https://a", &Method::GET, &mut answer);
        assert_eq!(
            answer["access-control-expose-headers"],
            "ETag, x-amz-request-id, x-amz-meta-a"
        );
        let mut other = sent(&[]);
        expose(&rules, "https://a", &Method::PUT, &mut other);
        assert!(other.is_empty());
    }

    #[test]
    fn rules_that_mean_nothing_are_told() {
        assert_eq!(rule(&["*"], &["GET"], &["x-*"], &["ETag"]).problem(false), None);
        assert_eq!(rule(&["*"], &["GET"], &[], &["x-amz-*"]).problem(true), None);
        for rule in [
            rule(&[], &["GET"], &[], &[]),
            rule(&["*"], &[], &[], &[]),
            rule(&["*"], &["PATCH"], &[], &[]),
            rule(&["*"], &["get"], &[], &[]),
            rule(&["https://*.*"], &["GET"], &[], &[]),
            rule(&["*"], &["GET"], &["*a*"], &[]),
            rule(&["*"], &["GET"], &[], &["x-amz-*"]),
            rule(&["*"], &["GET"], &[], &["a b"]),
        ] {
            assert!(rule.problem(false).is_some(), "{rule:?}");
        }
    }
}
