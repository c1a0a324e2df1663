//! A statement's resources. In goes what `Resource` or `NotResource` lists; out come patterns over what follows
//! `arn:aws:s3:::`. Stricter than AWS: an ARN has all its six parts, and a variable that is not known yet is an error.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>

use super::{
    error::Problem,
    pattern::{Pattern, Token},
    statement::Version,
};

/// What one entry of the list names.
pub(super) enum Named {
    /// Buckets and objects of this gateway.
    Resources(Pattern),
    /// Something that this gateway never has: another service's, another partition's, an access point.
    Elsewhere,
}

/// Reads one entry: `*` or an ARN.
pub(super) fn named(text: &str, version: Version) -> Result<Named, Problem> {
    let malformed = |reason| Problem::MalformedResource {
        resource: text.to_owned(),
        reason,
    };
    if version == Version::V2012 {
        refuse_variables(text)?;
    }
    if text == "*" {
        return Ok(Named::Resources(Pattern::of_text("*")));
    }
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next();
    if next() != Some("arn") {
        return Err(malformed("it does not begin with `arn:`"));
    }
    let (Some(partition), Some(service), Some(region), Some(account), Some(name)) =
        (next(), next(), next(), next(), next())
    else {
        return Err(malformed("an ARN has six parts between colons"));
    };
    if service.contains(['*', '?']) || service.is_empty() {
        return Err(malformed(
            "its service must be named in full, as in `arn:aws:s3:::bucket`",
        ));
    }
    if name.is_empty() {
        return Err(malformed("it names nothing behind its last colon"));
    }
    let here = |part: &str, ours| Pattern::of_text(part).matches_text(ours);
    if service != "s3" || !here(partition, "aws") || !here(region, "") || !here(account, "") {
        return Ok(Named::Elsewhere);
    }
    Ok(Named::Resources(Pattern::new(&tokens(name, version))))
}

/// Under Version 2012-10-17 `${…}` is a variable, save the three that stand for a character.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>
fn refuse_variables(text: &str) -> Result<(), Problem> {
    let known = |rest: &str| ["*}", "?}", "$}"].iter().any(|escape| rest.starts_with(escape));
    match text.split("${").skip(1).all(known) {
        true => Ok(()),
        false => Err(Problem::Variable {
            resource: text.to_owned(),
        }),
    }
}

fn tokens(name: &str, version: Version) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    loop {
        rest = match (rest, version) {
            ([b'$', b'{', escaped @ (b'*' | b'?' | b'$'), b'}', behind @ ..], Version::V2012) => {
                tokens.push(Token::Literal(*escaped));
                behind
            }
            ([byte, behind @ ..], _) => {
                tokens.push(Token::of(*byte));
                behind
            }
            ([], _) => return tokens,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(text: &str, version: Version, name: &str) -> Option<bool> {
        match named(text, version).unwrap_or_else(|problem| panic!("{problem}")) {
            Named::Resources(pattern) => Some(pattern.matches_text(name)),
            Named::Elsewhere => None,
        }
    }

    #[test]
    fn arns_of_buckets_and_objects_match_by_what_follows_the_prefix() {
        for (text, name, expected) in [
            ("*", "anything", Some(true)),
            ("arn:aws:s3:::films", "films", Some(true)),
            ("arn:aws:s3:::films", "filmsx", Some(false)),
            ("arn:aws:s3:::films/a:b", "films/a:b", Some(true)),
            ("arn:*:s3:*:*:films", "films", Some(true)),
            ("arn:aws-cn:s3:::films", "films", None),
            (
                "arn:aws:s3:us-east-1:123456789012:accesspoint/a",
                "accesspoint/a",
                None,
            ),
            ("arn:aws:sqs:us-east-1:123456789012:queue", "queue", None),
            ("arn:aws:s3:::films/${*}", "films/*", Some(true)),
            ("arn:aws:s3:::films/${*}", "films/a", Some(false)),
            ("arn:aws:s3:::films/${?}${$}", "films/?$", Some(true)),
        ] {
            assert_eq!(matches(text, Version::V2012, name), expected, "{text}");
        }
    }

    #[test]
    fn variables_are_errors_in_the_newer_version_and_text_in_the_older() {
        for text in [
            "arn:aws:s3:::${aws:username}/*",
            "arn:aws:s3:::b/${",
            "arn:aws:s3:::b/${*",
            "arn:${x}:s3:::b",
        ] {
            assert!(
                matches!(named(text, Version::V2012), Err(Problem::Variable { .. })),
                "{text}"
            );
        }
        let text = "arn:aws:s3:::b/${aws:username}";
        assert_eq!(matches(text, Version::V2008, "b/${aws:username}"), Some(true));
        assert_eq!(
            matches("arn:aws:s3:::b/${*}", Version::V2008, "b/${xyz}"),
            Some(true)
        );
    }

    #[test]
    fn what_is_neither_a_star_nor_a_whole_arn_is_an_error() {
        for text in [
            "",
            "films",
            "films/*",
            "s3://films",
            "arn:aws:s3",
            "arn:aws:s3:::",
            "arn:aws:*:::b",
            "**",
            "ARN:aws:s3:::b",
        ] {
            assert!(
                matches!(
                    named(text, Version::V2012),
                    Err(Problem::MalformedResource { .. })
                ),
                "{text}"
            );
        }
    }
}
