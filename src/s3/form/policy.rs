//! The policy of a form: what its signer lets whoever fills it in send. Every condition is evaluated, and every field must be covered by one.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>

use std::ops::RangeInclusive;

use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    s3::{ErrorCode, S3Error},
    types::BucketName,
};

use super::Form;

/// Fields that no condition need cover, besides those that begin with `x-ignore-`.
const FREE: [&str; 3] = ["x-amz-signature", "policy", "file"];

/// A policy, well formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostPolicy {
    expiration: OffsetDateTime,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    /// The field has this value.
    Equal(String, String),
    /// The field begins so; nothing is the beginning of every value.
    StartsWith(String, String),
    /// The file has at least and at most so many bytes.
    ContentLength(RangeInclusive<u64>),
}

impl PostPolicy {
    /// Reads the document, decoded from base64. Errors: `InvalidPolicyDocument`.
    pub fn parse(document: &[u8]) -> Result<Self, S3Error> {
        let text = std::str::from_utf8(document).map_err(|_| invalid("Invalid JSON."))?;
        let document: Value =
            serde_json::from_str(&without_dollar_escapes(text)).map_err(|_| invalid("Invalid JSON."))?;
        let Value::Object(mut members) = document else {
            return Err(invalid("Invalid JSON."));
        };
        let expiration = match members.remove("expiration") {
            Some(Value::String(text)) => OffsetDateTime::parse(&text, &Rfc3339)
                .ok()
                .filter(|_| text.ends_with('Z'))
                .ok_or_else(|| invalid("Invalid 'expiration' value."))?,
            Some(_) => return Err(invalid("Invalid 'expiration' value.")),
            None => return Err(invalid("Policy missing expiration.")),
        };
        let conditions = match members.remove("conditions") {
            Some(Value::Array(conditions)) => conditions,
            Some(_) => return Err(invalid("Invalid 'conditions' value: must be a List.")),
            None => return Err(invalid("Policy missing conditions.")),
        };
        if let Some(name) = members.keys().next() {
            return Err(invalid(&format!("Unexpected: '{name}'.")));
        }
        let mut parsed = Vec::with_capacity(conditions.len());
        for condition in conditions {
            match condition {
                Value::Object(members) => parsed.extend(simple(members)?),
                Value::Array(items) => parsed.push(listed(&items)?),
                _ => {
                    return Err(invalid(
                        "Invalid Condition: must be a List or a simple condition.",
                    ));
                }
            }
        }
        Ok(Self {
            expiration,
            conditions: parsed,
        })
    }

    /// Until when forms of it are taken.
    pub fn expiration(&self) -> OffsetDateTime {
        self.expiration
    }

    /// Holds a form that was sent to this bucket against every condition. How many bytes its file may have comes out; what that is of, the
    /// store learns while it streams.
    ///
    /// Errors: `AccessDenied`, naming the condition that fails, or the fields that none covers.
    pub fn check(&self, form: &Form, bucket: &BucketName) -> Result<RangeInclusive<u64>, S3Error> {
        let mut size = 0..=u64::MAX;
        for condition in &self.conditions {
            let holds = match condition {
                Condition::Equal(name, wanted) => value(form, bucket, name) == *wanted,
                Condition::StartsWith(name, front) => starts_with(name, value(form, bucket, name), front),
                Condition::ContentLength(range) => {
                    // Several ranges all hold.
                    size = *size.start().max(range.start())..=*size.end().min(range.end());
                    true
                }
            };
            if !holds {
                return Err(denied(format!("Policy Condition failed: {}", condition.shown())));
            }
        }
        let covered = |name: &str| {
            self.conditions
                .iter()
                .any(|condition| condition.field() == Some(name))
        };
        let free = |name: &str| FREE.contains(&name) || name.starts_with("x-ignore-");
        let names = form.fields.iter().map(|(name, _)| name.as_str());
        // The bucket, though no field of the form, is one to the policy.
        let extra: Vec<_> = names
            .chain(["bucket"])
            .filter(|name| !free(name) && !covered(name))
            .collect();
        match extra.is_empty() {
            true => Ok(size),
            false => Err(denied(format!("Extra input fields: {}", extra.join(", ")))),
        }
    }
}

impl Condition {
    /// The field that it covers.
    fn field(&self) -> Option<&str> {
        match self {
            Self::Equal(name, _) | Self::StartsWith(name, _) => Some(name),
            Self::ContentLength(_) => None,
        }
    }

    /// As AWS repeats it.
    fn shown(&self) -> String {
        match self {
            Self::Equal(name, value) => format!("[\"eq\", \"${name}\", \"{value}\"]"),
            Self::StartsWith(name, value) => format!("[\"starts-with\", \"${name}\", \"{value}\"]"),
            Self::ContentLength(range) => {
                format!("[\"content-length-range\", {}, {}]", range.start(), range.end())
            }
        }
    }
}

/// A field's value. The bucket is where the form was sent, whatever a field of that name says; an absent field is empty.
fn value<'f>(form: &'f Form, bucket: &'f BucketName, name: &str) -> &'f str {
    match name {
        "bucket" => bucket.as_str(),
        _ => form.field(name).unwrap_or_default(),
    }
}

/// Of a `Content-Type` that is a list, each must begin so.
fn starts_with(name: &str, value: &str, front: &str) -> bool {
    match name {
        "content-type" => value.split(',').all(|one| one.trim_start().starts_with(front)),
        _ => value.starts_with(front),
    }
}

/// `{"field": "value", …}`
fn simple(members: serde_json::Map<String, Value>) -> Result<Vec<Condition>, S3Error> {
    members
        .into_iter()
        .map(|(name, value)| match value {
            Value::String(value) => Ok(Condition::Equal(name.to_ascii_lowercase(), value)),
            _ => Err(invalid("Invalid Simple-Condition: value must be a string.")),
        })
        .collect()
}

/// `["eq", "$field", "value"]` and its like.
fn listed(items: &[Value]) -> Result<Condition, S3Error> {
    let [operator, first, second] = items else {
        return Err(invalid("Invalid Condition: wrong number of arguments."));
    };
    let operator = operator.as_str().unwrap_or_default().to_ascii_lowercase();
    if operator == "content-length-range" {
        let bound = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
        return match (bound(first), bound(second)) {
            (Some(least), Some(most)) if least <= most => Ok(Condition::ContentLength(least..=most)),
            _ => Err(invalid(
                "Invalid content-length-range: arguments must be integers, the smaller first.",
            )),
        };
    }
    let field = first.as_str().and_then(|text| text.strip_prefix('$'));
    let (Some(field), Some(value)) = (field, second.as_str()) else {
        return Err(invalid(
            "Invalid Condition: arguments must be \"$field\" and a string.",
        ));
    };
    let (field, value) = (field.to_ascii_lowercase(), value.to_owned());
    match operator.as_str() {
        "eq" => Ok(Condition::Equal(field, value)),
        "starts-with" => Ok(Condition::StartsWith(field, value)),
        _ => Err(invalid("Invalid Condition: unknown operation.")),
    }
}

/// AWS lets a dollar sign be escaped, which JSON does not know.
fn without_dollar_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\\' {
            match characters.next() {
                Some('$') => plain.push('$'),
                Some(other) => plain.extend(['\\', other]),
                None => plain.push('\\'),
            }
        } else {
            plain.push(character);
        }
    }
    plain
}

fn invalid(what: &str) -> S3Error {
    S3Error::new(ErrorCode::InvalidPolicyDocument).message(format!("Invalid Policy: {what}"))
}

/// The refusal of a form that its policy does not cover.
fn denied(what: String) -> S3Error {
    S3Error::new(ErrorCode::AccessDenied).message(format!("Invalid according to Policy: {what}"))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn form(fields: &[(&str, &str)]) -> Form {
        let fields = fields
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        Form::new(fields.collect(), "file.txt").unwrap()
    }

    fn policy(conditions: &str) -> String {
        format!(
            "{{\"expiration\": \"2026-11-24T12:00:00.000Z\", \"conditions\": [{{\"bucket\": \"abc\"}}, {conditions}]}}"
        )
    }

    /// The range of sizes, or what the client is told.
    fn check(conditions: &str, fields: &[(&str, &str)]) -> Result<RangeInclusive<u64>, String> {
        let policy = PostPolicy::parse(policy(conditions).as_bytes()).unwrap();
        assert_eq!(policy.expiration(), datetime!(2026-11-24 12:00 UTC));
        let bucket = BucketName::parse("abc").unwrap();
        let told = |error: S3Error| {
            assert_eq!(error.code(), ErrorCode::AccessDenied);
            error
                .text()
                .strip_prefix("Invalid according to Policy: ")
                .unwrap()
                .to_owned()
        };
        policy.check(&form(fields), &bucket).map_err(told)
    }

    #[test]
    fn every_condition_is_evaluated_and_every_field_covered() {
        let failed = |condition: &str| Err(format!("Policy Condition failed: {condition}"));
        let extra = |names: &str| Err(format!("Extra input fields: {names}"));
        let all = Ok(0..=u64::MAX);
        for (conditions, fields, expected) in [
            (r#"{"key": "a"}"#, &[("key", "a")][..], all.clone()),
            (r#"{"kEy": "a"}"#, &[("KEY", "a")], all.clone()),
            (
                r#"{"key": "a"}"#,
                &[("key", "b")],
                failed(r#"["eq", "$key", "a"]"#),
            ),
            (
                r#"{"key": "a"}"#,
                &[("key", "A")],
                failed(r#"["eq", "$key", "a"]"#),
            ),
            (
                r#"["eq", "$key", "a"]"#,
                &[("key", "ab")],
                failed(r#"["eq", "$key", "a"]"#),
            ),
            (r#"["starts-with", "$key", "a/"]"#, &[("key", "a/b")], all.clone()),
            (
                r#"["starts-with", "$key", "a/"]"#,
                &[("key", "a/${filename}")],
                all.clone(),
            ),
            (
                r#"["starts-with", "$key", "${"]"#,
                &[("key", "${filename}")],
                failed(r#"["starts-with", "$key", "${"]"#),
            ),
            (
                r#"["starts-with", "$key", "a/"]"#,
                &[("key", "b")],
                failed(r#"["starts-with", "$key", "a/"]"#),
            ),
            (
                r#"["starts-with", "$key", ""]"#,
                &[("key", "anything")],
                all.clone(),
            ),
            (
                r#"["starts-with", "$key", "\$a"]"#,
                &[("key", "$abc")],
                all.clone(),
            ),
            (
                r#"["starts-with", "$key", "\\$a"]"#,
                &[("key", "\\$abc")],
                all.clone(),
            ),
            // A condition on a field that did not come does not hold.
            (
                r#"{"key": "a"}, ["starts-with", "$x-amz-meta-m", "v"]"#,
                &[("key", "a")],
                failed(r#"["starts-with", "$x-amz-meta-m", "v"]"#),
            ),
            (
                r#"["starts-with", "$content-type", "image/"]"#,
                &[("Content-Type", "image/png, image/gif")],
                all.clone(),
            ),
            (
                r#"["starts-with", "$content-type", "image/"]"#,
                &[("Content-Type", "image/png,text/html")],
                failed(r#"["starts-with", "$content-type", "image/"]"#),
            ),
            (
                r#"{"key": "a"}"#,
                &[("key", "a"), ("x-amz-meta-m", "v")],
                extra("x-amz-meta-m"),
            ),
            (
                r#"{"key": "a"}"#,
                &[("key", "a"), ("acl", "private"), ("b", "")],
                extra("acl, b"),
            ),
            (
                r#"{"key": "a"}"#,
                &[
                    ("key", "a"),
                    ("x-ignore-m", "v"),
                    ("policy", "p"),
                    ("x-amz-signature", "s"),
                ],
                all.clone(),
            ),
            // A field named bucket is covered, and is not what the condition looks at.
            (
                r#"{"key": "a"}"#,
                &[("key", "a"), ("bucket", "other")],
                all.clone(),
            ),
            (r#"["content-length-range", 1, 10]"#, &[], Ok(1..=10)),
            (
                r#"["content-length-range", "1", "10"], ["content-length-range", 5, 20]"#,
                &[],
                Ok(5..=10),
            ),
        ] {
            assert_eq!(check(conditions, fields), expected, "{conditions} {fields:?}");
        }
        let without_bucket = r#"{"expiration": "2026-11-24T12:00:00Z", "conditions": []}"#;
        let bucket = BucketName::parse("abc").unwrap();
        let error = PostPolicy::parse(without_bucket.as_bytes())
            .unwrap()
            .check(&form(&[]), &bucket);
        assert!(error.unwrap_err().text().ends_with("Extra input fields: bucket"));
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        for document in [
            "",
            "[]",
            "{",
            r#"{"conditions": []}"#,
            r#"{"expiration": "2026-11-24T12:00:00Z"}"#,
            r#"{"Expiration": "2026-11-24T12:00:00Z", "conditions": []}"#,
            r#"{"expiration": "2026-11-24T12:00:00Z", "CONDITIONS": []}"#,
            r#"{"expiration": "2026-11-24 12:00:00+00:00", "conditions": []}"#,
            r#"{"expiration": "2026-11-24T12:00:00+01:00", "conditions": []}"#,
            r#"{"expiration": 1, "conditions": []}"#,
            r#"{"expiration": "2026-11-24T12:00:00Z", "conditions": {}}"#,
            r#"{"expiration": "2026-11-24T12:00:00Z", "conditions": [], "more": 1}"#,
            &policy(r#""key""#),
            &policy(r#"{"key": 1}"#),
            &policy(r#"["eq", "$key"]"#),
            &policy(r#"["eq", "key", "a"]"#),
            &policy(r#"["equals", "$key", "a"]"#),
            &policy(r#"["content-length-range", 0]"#),
            &policy(r#"["content-length-range", -1, 10]"#),
            &policy(r#"["content-length-range", 10, 1]"#),
        ] {
            let error = PostPolicy::parse(document.as_bytes()).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidPolicyDocument, "{document}");
        }
    }
}
