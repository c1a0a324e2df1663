//! A statement's resources. In goes what `Resource` or `NotResource` lists; out come patterns over what follows
//! `arn:aws:s3:::`. Stricter than AWS: an ARN has all its six parts, and a variable that no request has is an error.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>

use super::{
    error::Problem,
    pattern::Pattern,
    statement::Version,
    template::{Reading, Template},
};

/// What one entry of the list names.
pub(super) enum Named {
    /// Buckets and objects of this gateway.
    Resources(Template),
    /// Something that this gateway never has: another service's, another partition's, an access point.
    Elsewhere,
}

/// Reads one entry: `*` or an ARN.
pub(super) fn named(text: &str, version: Version) -> Result<Named, Problem> {
    let malformed = |reason| Problem::MalformedResource {
        resource: text.to_owned(),
        reason,
    };
    if text == "*" {
        return Ok(Named::Resources(Template::Fixed(Pattern::of_text("*"))));
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
    if version == Version::V2012
        && [partition, service, region, account]
            .iter()
            .any(|part| part.contains("${"))
    {
        return Err(Problem::OpenVariable {
            text: text.to_owned(),
        });
    }
    if name.is_empty() {
        return Err(malformed("it names nothing behind its last colon"));
    }
    let here = |part: &str, ours| Pattern::of_text(part).matches_text(ours);
    if service != "s3" || !here(partition, "aws") || !here(region, "") || !here(account, "") {
        return Ok(Named::Elsewhere);
    }
    let reading = Reading {
        version,
        wildcards: true,
        folded: false,
    };
    Template::parse(name, reading).map(Named::Resources)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            answer::Answer,
            condition::{GivenContext, PlainKey},
        },
        *,
    };

    fn matches(text: &str, version: Version, name: &str) -> Option<bool> {
        match named(text, version).unwrap_or_else(|problem| panic!("{problem}")) {
            Named::Resources(template) => {
                let mut context = GivenContext::default();
                context.add(PlainKey::Username, "alice".to_owned());
                Some(template.matches_text(name, &context, false) == Answer::Yes)
            }
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
    fn variables_are_filled_in_the_newer_version_and_text_in_the_older() {
        for text in [
            "arn:aws:s3:::b/${",
            "arn:aws:s3:::b/${*",
            "arn:${x}:s3:::b",
            "arn:aws:s3::${aws:username}:b",
        ] {
            assert!(
                matches!(named(text, Version::V2012), Err(Problem::OpenVariable { .. })),
                "{text}"
            );
        }
        let text = "arn:aws:s3:::${aws:username}/*";
        assert_eq!(matches(text, Version::V2012, "alice/x"), Some(true));
        assert_eq!(matches(text, Version::V2012, "bob/x"), Some(false));
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
