//! A bucket's rules as a document.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html>

use crate::{
    s3::{
        ErrorCode, S3Error,
        xml::{Document, Element, malformed},
    },
    types::Span,
};

use super::CorsRule;

/// The most rules of a bucket.
const MOST_RULES: usize = 100;

/// The answer to GetBucketCors, and what is kept.
pub fn cors_configuration(rules: &[CorsRule]) -> Vec<u8> {
    let mut document = Document::new("CORSConfiguration");
    for rule in rules {
        document.element("CORSRule", |element| {
            element.optional("ID", rule.id.as_deref());
            for (name, texts) in [
                ("AllowedHeader", &rule.allowed_headers),
                ("AllowedMethod", &rule.allowed_methods),
                ("AllowedOrigin", &rule.allowed_origins),
                ("ExposeHeader", &rule.expose_headers),
            ] {
                for text in texts {
                    element.text(name, text);
                }
            }
            if let Some(age) = rule.max_age {
                element.text("MaxAgeSeconds", &age.seconds().to_string());
            }
        });
    }
    document.finish()
}

/// The body of PutBucketCors. Errors: `MalformedXML`, `InvalidRequest`.
pub fn parse_cors_configuration(document: &[u8]) -> Result<Vec<CorsRule>, S3Error> {
    let root = Element::parse(document, "CORSConfiguration")?;
    root.only(&["CORSRule"])?;
    if root.children.is_empty() || root.children.len() > MOST_RULES {
        return Err(malformed());
    }
    root.children.iter().map(rule).collect()
}

fn rule(element: &Element) -> Result<CorsRule, S3Error> {
    element.only(&[
        "ID",
        "AllowedHeader",
        "AllowedMethod",
        "AllowedOrigin",
        "ExposeHeader",
        "MaxAgeSeconds",
    ])?;
    if element.children.iter().any(|child| !child.children.is_empty()) {
        return Err(malformed());
    }
    let texts = |name: &str| -> Vec<String> {
        let named = element.children.iter().filter(|child| child.name == name);
        named.map(|child| child.text.trim().to_owned()).collect()
    };
    let age = element
        .child("MaxAgeSeconds")?
        .map(|text| text.trim().parse().map_err(|_| malformed()));
    let rule = CorsRule {
        id: element.child("ID")?.map(str::to_owned),
        allowed_origins: texts("AllowedOrigin"),
        allowed_methods: texts("AllowedMethod"),
        allowed_headers: texts("AllowedHeader"),
        expose_headers: texts("ExposeHeader"),
        max_age: age.transpose()?.map(Span::from_seconds),
    };
    if rule.allowed_origins.is_empty() || rule.allowed_methods.is_empty() {
        return Err(malformed());
    }
    match rule.problem(false) {
        None => Ok(rule),
        Some(problem) => Err(S3Error::new(ErrorCode::InvalidRequest).message(problem)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_come_back_from_their_document() {
        let text = "<CORSConfiguration><CORSRule><ID>one</ID><AllowedHeader>*</AllowedHeader><AllowedMethod>PUT</AllowedMethod>\
            <AllowedMethod>GET</AllowedMethod><AllowedOrigin>https://a</AllowedOrigin><ExposeHeader>ETag</ExposeHeader>\
            <MaxAgeSeconds>3000</MaxAgeSeconds></CORSRule></CORSConfiguration>";
        let rules = parse_cors_configuration(text.as_bytes()).unwrap();
        assert_eq!(rules[0].allowed_methods, ["PUT", "GET"]);
        assert_eq!(rules[0].max_age, Some(Span::from_seconds(3000)));
        assert_eq!(
            parse_cors_configuration(&cors_configuration(&rules)).unwrap(),
            rules
        );
    }

    #[test]
    fn what_is_no_set_of_rules_is_refused() {
        let rule =
            |inner: &str| format!("<CORSConfiguration><CORSRule>{inner}</CORSRule></CORSConfiguration>");
        let good = "<AllowedMethod>PUT</AllowedMethod><AllowedOrigin>*</AllowedOrigin>";
        for (text, code) in [
            ("<CORSConfiguration/>".to_owned(), ErrorCode::MalformedXML),
            (rule(""), ErrorCode::MalformedXML),
            (
                rule("<AllowedMethod>PUT</AllowedMethod>"),
                ErrorCode::MalformedXML,
            ),
            (rule(&format!("{good}<Other/>")), ErrorCode::MalformedXML),
            (
                rule(&format!("{good}<MaxAgeSeconds>x</MaxAgeSeconds>")),
                ErrorCode::MalformedXML,
            ),
            (rule(&good.replace("PUT", "PATCH")), ErrorCode::InvalidRequest),
            (rule(&good.replace('*', "*.*")), ErrorCode::InvalidRequest),
            (
                rule(&format!("{good}<ExposeHeader>x-*</ExposeHeader>")),
                ErrorCode::InvalidRequest,
            ),
            (
                format!(
                    "<CORSConfiguration>{}</CORSConfiguration>",
                    format!("<CORSRule>{good}</CORSRule>").repeat(101)
                ),
                ErrorCode::MalformedXML,
            ),
        ] {
            assert_eq!(
                parse_cors_configuration(text.as_bytes()).unwrap_err().code(),
                code,
                "{text:.120}"
            );
        }
    }
}
