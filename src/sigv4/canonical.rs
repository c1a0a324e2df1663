//! The canonical request and the string to sign, for verifying and for signing alike. A request's signed parts go in, the
//! bytes that AWS would sign come out.
//!
//! The whole is built in one buffer and hashed once: what a mismatch shows is then exactly what was hashed.

use std::{borrow::Cow, cmp::Ordering};

use http::{HeaderMap, Method};
use sha2::{Digest, Sha256};

use super::{ALGORITHM, SERVICE, TERMINATOR, encode::put_component, signing_key::mac};
use crate::types::{
    CanonicalPath, FoldedHeaders, Parameter, Query, SigningKey,
    hex::{self, Digits},
    is_unreserved, put_folded,
};

/// The parts of a request that a signature covers.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
pub(super) struct CanonicalRequest<'a> {
    pub(super) method: &'a Method,
    /// What `host` is signed as.
    pub(super) authority: &'a str,
    pub(super) path: &'a CanonicalPath<'a>,
    pub(super) query: &'a Query<'a>,
    pub(super) headers: &'a HeaderMap,
    /// `X-Amz-SignedHeaders`: the names, in any order and case, joined with `;`.
    pub(super) signed_headers: &'a str,
    /// The last line.
    pub(super) payload: &'a str,
}

impl CanonicalRequest<'_> {
    /// The canonical request's bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        out.extend_from_slice(self.method.as_str().as_bytes());
        out.push(b'\n');
        out.extend_from_slice(self.path.as_str().as_bytes());
        out.push(b'\n');
        put_query(&mut out, self.query);
        out.push(b'\n');
        let names = signed_names(self.signed_headers);
        for name in split(&names) {
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            self.put_value(&mut out, name);
            out.push(b'\n');
        }
        out.push(b'\n');
        out.extend_from_slice(names.as_bytes());
        out.push(b'\n');
        out.extend_from_slice(self.payload.as_bytes());
        out
    }

    /// A signed header's value: every line of it joined with a comma. Where the header is absent, the value of a query
    /// parameter of that name, and else nothing.
    fn put_value(&self, out: &mut Vec<u8>, name: &str) {
        if name == "host" {
            out.extend_from_slice(self.authority.as_bytes());
            return;
        }
        if !FoldedHeaders::new(self.headers).put(out, name) {
            let named = self.query.iter().find(|p| p.name.eq_ignore_ascii_case(name));
            put_folded(out, named.map_or("", |p| p.value.as_ref()).as_bytes());
        }
    }
}

/// The names of `X-Amz-SignedHeaders` in lower case, sorted, joined with `;` as they came. AWS sorts them itself: its PHP SDK lists them
/// unsorted in the URL and signs them sorted (<https://github.com/aws/aws-sdk-php/issues/3241>).
fn signed_names(list: &str) -> Cow<'_, str> {
    if split(list).is_sorted() && !list.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Borrowed(list);
    }
    let lower = list.to_ascii_lowercase();
    let mut names: Vec<_> = split(&lower).collect();
    names.sort_unstable();
    Cow::Owned(names.join(";"))
}

/// The names of such a list.
pub(super) fn split(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(list);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let end = memchr::memchr(b';', text.as_bytes()).unwrap_or(text.len());
        rest = text.get(end + 1..);
        text.get(..end)
    })
}

/// Every parameter but the signature itself, sorted by encoded name, then encoded value. Only the first `X-Amz-Signature` is
/// left out: it is the one that counts, and a further copy is an unsigned parameter as any other.
pub(super) fn put_query(out: &mut Vec<u8>, query: &Query<'_>) {
    let signature = query
        .iter()
        .position(|parameter| parameter.name == "X-Amz-Signature");
    let signed = query.iter().enumerate().filter(|(at, _)| Some(*at) != signature);
    let signed = signed.map(|(_, parameter)| parameter);
    // Most signers write them in this order.
    if signed.clone().is_sorted_by(|a, b| in_order(a, b).is_le()) {
        return put_parameters(out, signed);
    }
    let mut sorted: Vec<_> = signed.collect();
    sorted.sort_unstable_by(|a, b| in_order(a, b));
    put_parameters(out, sorted.into_iter());
}

fn put_parameters<'q>(out: &mut Vec<u8>, parameters: impl Iterator<Item = &'q Parameter<'q>>) {
    for (at, Parameter { name, value }) in parameters.enumerate() {
        if at > 0 {
            out.push(b'&');
        }
        put_component(out, name);
        out.push(b'=');
        put_component(out, value);
    }
}

fn in_order(a: &Parameter<'_>, b: &Parameter<'_>) -> Ordering {
    as_encoded(&a.name, &b.name).then_with(|| as_encoded(&a.value, &b.value))
}

/// Orders two texts as their encoded forms are ordered, without encoding them: the first byte that differs decides, and `%` stands before every byte
/// that stands for itself.
fn as_encoded(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let differing = a.iter().zip(b).find(|(a, b)| a != b);
    differing.map_or(a.len().cmp(&b.len()), |(a, b)| {
        (is_unreserved(*a), a).cmp(&(is_unreserved(*b), b))
    })
}

/// What the signing key signs.
pub(super) struct StringToSign<'a> {
    /// `X-Amz-Date`
    pub(super) date: &'a str,
    pub(super) scope_date: &'a str,
    pub(super) region: &'a str,
    /// The canonical request's bytes.
    pub(super) canonical_request: &'a [u8],
}

impl StringToSign<'_> {
    /// The string's bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(160);
        let scope = (self.scope_date, self.region);
        put_string_to_sign(&mut out, self.date, scope, &hash(self.canonical_request));
        out
    }
}

/// The hash of a canonical request, in hexadecimal.
pub(super) fn hash(canonical_request: &[u8]) -> Digits {
    hex::digits(&Sha256::digest(canonical_request).into())
}

/// Appends a string to sign.
pub(super) fn put_string_to_sign(
    out: &mut Vec<u8>,
    date: &str,
    (scope_date, region): (&str, &str),
    hash: &Digits,
) {
    for part in [
        ALGORITHM, "\n", date, "\n", scope_date, "/", region, "/", SERVICE, "/", TERMINATOR, "\n",
    ] {
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(hash.as_bytes());
}

/// The MAC over a string to sign, ready to give a signature or to compare with one.
pub(super) fn signed(key: &SigningKey, string_to_sign: &[u8]) -> hmac::Hmac<Sha256> {
    use hmac::Mac;
    let mut mac = mac(key.expose());
    mac.update(string_to_sign);
    mac
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical_query(raw: &str) -> String {
        let mut out = Vec::new();
        put_query(&mut out, &Query::parse(raw).unwrap());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_query_is_sorted_by_encoded_name_then_value() {
        for (raw, canonical) in [
            ("", ""),
            ("acl", "acl="),
            ("b=2&a=1&b=1", "a=1&b=1&b=2"),
            ("a-b=1&a=2", "a=2&a-b=1"),
            ("a=%7e&a=%2f&a=z+z", "a=%2F&a=z%20z&a=~"),
            ("%C3%A9=1&z=1", "%C3%A9=1&z=1"),
            ("B=1&a=1", "B=1&a=1"),
            ("X-Amz-Signature=s&a=1", "a=1"),
            ("X-Amz-Signature=s&X-Amz-Signature=t", "X-Amz-Signature=t"),
            ("x-amz-signature=s", "x-amz-signature=s"),
            ("X-Amz-Date=1&X-Amz-Date=2", "X-Amz-Date=1&X-Amz-Date=2"),
        ] {
            assert_eq!(canonical_query(raw), canonical, "{raw}");
        }
    }

    /// The same as it is defined: everything encoded, by a library, and then sorted.
    fn plain_query(query: &Query<'_>) -> String {
        use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
        const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
            .remove(b'-')
            .remove(b'.')
            .remove(b'_')
            .remove(b'~');
        let encoded = |text| utf8_percent_encode(text, RESERVED).to_string();
        let mut pairs: Vec<_> = query
            .iter()
            .map(|p| (encoded(&p.name), encoded(&p.value)))
            .collect();
        if let Some(at) = query.iter().position(|p| p.name == "X-Amz-Signature") {
            pairs.remove(at);
        }
        pairs.sort();
        let joined: Vec<_> = pairs
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        joined.join("&")
    }

    proptest! {
        #[test]
        fn any_query_is_canonical_as_it_is_defined(
            raw in "(([a-cZ~_.-]|%[0-7][0-9A-F]|é|X-Amz-Signature){0,4}(=([a-cZ~ /+-]|%[0-7][0-9A-F]|é){0,4})?&?){0,8}"
        ) {
            let query = Query::parse(&raw).unwrap();
            prop_assert_eq!(canonical_query(&raw), plain_query(&query));
        }

        #[test]
        fn any_list_of_names_is_lowered_and_sorted(list in "[a-cA-C;-]{0,12}") {
            let mut names: Vec<_> = list.split(';').map(str::to_ascii_lowercase).collect();
            names.sort();
            prop_assert_eq!(signed_names(&list), names.join(";"));
            prop_assert!(split(&list).eq(list.split(';')));
        }
    }

    fn canonical_headers(signed_headers: &str, query: &str, sent: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, value.parse().unwrap());
        }
        let query = Query::parse(query).unwrap();
        let bytes = CanonicalRequest {
            method: &Method::GET,
            authority: "h:1",
            path: &CanonicalPath::parse("/").unwrap(),
            query: &query,
            headers: &headers,
            signed_headers,
            payload: "P",
        }
        .bytes();
        let text = String::from_utf8(bytes).unwrap();
        text.split_once("\n/\n")
            .unwrap()
            .1
            .split_once('\n')
            .unwrap()
            .1
            .to_owned()
    }

    #[test]
    fn headers_are_sorted_joined_folded_and_trimmed() {
        for (signed, query, sent, expected) in [
            ("host", "", vec![("host", "other")], "host:h:1\n\nhost\nP"),
            (
                "x-b;Host;x-a",
                "",
                vec![("x-a", "1"), ("x-b", "2")],
                "host:h:1\nx-a:1\nx-b:2\n\nhost;x-a;x-b\nP",
            ),
            (
                "x-a",
                "",
                vec![("x-a", "  b   c "), ("x-a", "d")],
                "x-a:b c,d\n\nx-a\nP",
            ),
            ("x-a", "", vec![], "x-a:\n\nx-a\nP"),
            (
                "x-amz-acl",
                "X-Amz-Acl=private",
                vec![],
                "x-amz-acl:private\n\nx-amz-acl\nP",
            ),
            (
                "x-amz-acl",
                "x-amz-acl=private",
                vec![("x-amz-acl", "")],
                "x-amz-acl:\n\nx-amz-acl\nP",
            ),
            ("", "", vec![], ":\n\n\nP"),
        ] {
            assert_eq!(canonical_headers(signed, query, &sent), expected, "{signed}");
        }
    }

    /// AWS's published examples for the Authorization header, which share the canonical request, its hash and the key:
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
    #[test]
    fn aws_examples_of_header_signatures_come_out() {
        use hmac::Mac;

        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let text = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
        let date = ("x-amz-date", "20130524T000000Z");
        for (method, path, query, sent, payload, expected) in [
            (
                Method::GET,
                "/test.txt",
                "",
                vec![("range", "bytes=0-9")],
                empty,
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (
                Method::PUT,
                "/test$file.text",
                "",
                vec![
                    ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ],
                text,
                "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            ),
            (
                Method::GET,
                "/",
                "lifecycle",
                vec![],
                empty,
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
            (
                Method::GET,
                "/",
                "max-keys=2&prefix=J",
                vec![],
                empty,
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in sent.into_iter().chain([date, ("x-amz-content-sha256", payload)]) {
                headers.insert(name, value.parse().unwrap());
            }
            let names: Vec<_> = headers.keys().map(|name| name.as_str()).chain(["host"]).collect();
            let query = Query::parse(query).unwrap();
            let canonical_request = CanonicalRequest {
                method: &method,
                authority: "examplebucket.s3.amazonaws.com",
                path: &CanonicalPath::parse(path).unwrap(),
                query: &query,
                headers: &headers,
                signed_headers: &names.join(";"),
                payload,
            };
            let string_to_sign = StringToSign {
                date: date.1,
                scope_date: "20130524",
                region: "us-east-1",
                canonical_request: &canonical_request.bytes(),
            };
            let secret =
                crate::types::SecretKey::parse("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned());
            let key = super::super::signing_key(&secret.unwrap(), "20130524", "us-east-1");
            let signature = signed(&key, &string_to_sign.bytes()).finalize().into_bytes();
            assert_eq!(::hex::encode(signature), expected, "{method} {path}");
        }
    }
}
