//! Texts of a policy: wildcards and variables. In goes a text as written; out comes what is matched with a request, in which every variable is
//! what the request says, character by character: a `*` in a value is no wildcard.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>

use super::{
    answer::Answer,
    case,
    condition::{ConditionKey, Context, Fact, is_only_on_aws},
    error::Problem,
    pattern::{Pattern, ResourceText, Token},
    statement::Version,
};

/// A text, ready to be matched.
pub(super) enum Template {
    /// The same for every request.
    Fixed(Pattern),
    /// To be filled in for each.
    Variable(Box<[Part]>),
}

/// A piece of a text.
#[derive(Clone)]
pub(super) enum Part {
    Tokens(Vec<Token>),
    Variable {
        key: ConditionKey,
        default: Option<Box<str>>,
    },
}

/// How a text is read.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    pub(super) version: Version,
    /// Are `*` and `?` wildcards?
    pub(super) wildcards: bool,
    /// Whether case is ignored. Then the text that is matched must be folded too.
    pub(super) folded: bool,
}

/// Takes a text apart.
pub(super) fn parts(text: &str, reading: Reading) -> Result<Vec<Part>, Problem> {
    let folded = |text: &str| match reading.folded {
        true => case::folded(text),
        false => text.to_owned(),
    };
    let mut parts = Vec::new();
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        let start = match reading.version {
            Version::V2012 => rest.find("${"),
            Version::V2008 => None,
        };
        let (front, behind) = rest
            .split_at_checked(start.unwrap_or(rest.len()))
            .unwrap_or((rest, ""));
        tokens.extend(folded(front).bytes().map(|byte| match reading.wildcards {
            true => Token::of(byte),
            false => Token::Literal(byte),
        }));
        let Some(behind) = behind.strip_prefix("${") else {
            break;
        };
        let Some((inner, next)) = behind.split_once('}') else {
            return Err(Problem::OpenVariable {
                text: text.to_owned(),
            });
        };
        rest = next;
        match inner {
            "*" | "?" | "$" => tokens.extend(inner.bytes().map(Token::Literal)),
            _ => {
                parts.push(Part::Tokens(std::mem::take(&mut tokens)));
                parts.push(variable(inner, folded)?);
            }
        }
    }
    parts.push(Part::Tokens(tokens));
    parts.retain(|part| !matches!(part, Part::Tokens(tokens) if tokens.is_empty()));
    Ok(parts)
}

/// `aws:username`, or `aws:username, 'nobody'`.
fn variable(inner: &str, folded: impl Fn(&str) -> String) -> Result<Part, Problem> {
    let (name, default) = match inner.split_once(',') {
        Some((name, default)) => (name.trim(), Some(default.trim())),
        None => (inner.trim(), None),
    };
    let unknown = |nearest| Problem::UnknownVariable {
        variable: name.to_owned(),
        nearest,
    };
    let key = ConditionKey::parse(name).map_err(|nearest| match is_only_on_aws(name) {
        true => Problem::VariableOfAws {
            variable: name.to_owned(),
        },
        false => unknown(nearest),
    })?;
    if key.is_multivalued() {
        return Err(unknown(None));
    }
    let default = default
        .map(|text| {
            let quoted = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
            quoted
                .map(|text| folded(text).into())
                .ok_or_else(|| Problem::VariableDefault {
                    variable: name.to_owned(),
                })
        })
        .transpose()?;
    Ok(Part::Variable { key, default })
}

impl Template {
    /// Reads a text.
    pub(super) fn parse(text: &str, reading: Reading) -> Result<Self, Problem> {
        parts(text, reading).map(Self::of)
    }

    /// Joins the pieces of a text.
    pub(super) fn of(parts: Vec<Part>) -> Self {
        match parts.as_slice() {
            [] => Self::Fixed(Pattern::new(&[])),
            [Part::Tokens(tokens)] => Self::Fixed(Pattern::new(tokens)),
            _ => Self::Variable(parts.into()),
        }
    }

    /// Does the whole text fit?
    pub(super) fn matches_text(&self, text: &str, context: &dyn Context, folded: bool) -> Answer {
        match self {
            Self::Fixed(pattern) => pattern.matches_text(text).into(),
            Self::Variable(parts) => filled(parts, context, folded, |pattern| pattern.matches_text(text)),
        }
    }

    /// Does the whole resource fit?
    pub(super) fn matches(&self, text: &ResourceText, context: &dyn Context) -> Answer {
        match self {
            Self::Fixed(pattern) => pattern.matches(text).into(),
            Self::Variable(parts) => filled(parts, context, false, |pattern| pattern.matches(text)),
        }
    }

    /// Could every object fit, or every bucket?
    pub(super) fn is_broad(&self) -> bool {
        matches!(self, Self::Fixed(pattern) if pattern.is_broad())
    }

    /// Does all that fits the other fit this, as far as can be told at a glance?
    pub(super) fn covers(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Fixed(own), Self::Fixed(other)) if own.covers(other))
    }

    /// The bucket, where it is named in full.
    pub(super) fn bucket(&self) -> Option<String> {
        match self {
            Self::Fixed(pattern) => pattern.bucket(),
            Self::Variable(_) => None,
        }
    }

    /// Could an object fit?
    pub(super) fn may_name_objects(&self) -> bool {
        match self {
            Self::Fixed(pattern) => pattern.may_name_objects(),
            Self::Variable(_) => true,
        }
    }

    /// Could a bucket fit?
    pub(super) fn may_name_buckets(&self) -> bool {
        match self {
            Self::Fixed(pattern) => pattern.may_name_buckets(),
            Self::Variable(parts) => {
                let slash = |part: &Part| matches!(part, Part::Tokens(tokens) if tokens.contains(&Token::Literal(b'/')));
                !parts.iter().any(slash)
            }
        }
    }
}

/// Fills the variables in. If the request does not have one, nothing fits. An empty value counts as
/// missing, as on AWS: otherwise an empty `Referer` header would make `films/${aws:Referer}*` match
/// every film.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-no-value>
fn filled(parts: &[Part], context: &dyn Context, folded: bool, fits: impl Fn(Pattern) -> bool) -> Answer {
    let mut tokens = Vec::new();
    for part in parts {
        let (key, default) = match part {
            Part::Tokens(own) => {
                tokens.extend_from_slice(own);
                continue;
            }
            Part::Variable { key, default } => (key, default),
        };
        let fact = context.fact(key);
        let value = match (&fact, default) {
            (Fact::Unknown, _) => return Answer::Unknown,
            (Fact::One(value), _) if !value.is_empty() => match folded {
                true => case::folded(value),
                false => value.clone().into_owned(),
            },
            (_, Some(default)) => default.clone().into_string(),
            (_, None) => return Answer::No,
        };
        tokens.extend(value.bytes().map(Token::Literal));
    }
    fits(Pattern::new(&tokens)).into()
}

#[cfg(test)]
mod tests {
    use super::{
        super::condition::{GivenContext, PlainKey},
        *,
    };

    const LIKE: Reading = Reading {
        version: Version::V2012,
        wildcards: true,
        folded: false,
    };

    fn matches(template: &str, reading: Reading, text: &str) -> bool {
        let mut context = GivenContext::default();
        context.add(PlainKey::Username, "Al*ce".to_owned());
        let template = Template::parse(template, reading).unwrap();
        template.matches_text(text, &context, reading.folded) == Answer::Yes
    }

    #[test]
    fn variables_stand_for_what_the_request_says_and_their_stars_for_themselves() {
        for (template, text, expected) in [
            ("home/${aws:username}/*", "home/Al*ce/x/y", true),
            ("home/${aws:username}/*", "home/Alice/x", false),
            ("${AWS:UserName}", "Al*ce", true),
            ("${ aws:username , 'nobody' }", "Al*ce", true),
            ("${aws:Referer, 'nobody'}!", "nobody!", true),
            ("${aws:Referer, '*'}", "x", false),
            ("${aws:Referer}", "", false),
            ("x${*}y", "x*y", true),
            ("x${*}y", "xzy", false),
            ("${?}${$}", "?$", true),
            ("$a{b}", "$a{b}", true),
            ("", "", true),
        ] {
            assert_eq!(matches(template, LIKE, text), expected, "{template} {text}");
        }
    }

    #[test]
    fn variable_with_an_empty_value_counts_as_missing() {
        let mut context = GivenContext::default();
        context.add(PlainKey::Referer, String::new());
        for (template, text, expected) in [
            ("films/${aws:Referer}*", "films/a", false),
            ("${aws:Referer}", "", false),
            ("${aws:Referer, 'none'}", "none", true),
            ("${aws:Referer, ''}x", "x", true),
        ] {
            for folded in [false, true] {
                let template = Template::parse(template, Reading { folded, ..LIKE }).unwrap();
                let fits = template.matches_text(text, &context, folded) == Answer::Yes;
                assert_eq!(fits, expected, "{text}");
            }
        }
    }

    #[test]
    fn readings_differ_in_wildcards_case_and_version() {
        let exact = Reading {
            wildcards: false,
            ..LIKE
        };
        assert!(matches("a*", exact, "a*") && !matches("a*", exact, "ab"));
        let folded = Reading {
            folded: true,
            ..exact
        };
        assert!(matches("X${aws:username}É", folded, "xal*ceé"));
        let old = Reading {
            version: Version::V2008,
            ..LIKE
        };
        assert!(matches("${aws:username}", old, "${aws:username}"));
    }

    #[test]
    fn what_is_no_variable_is_an_error() {
        for text in [
            "${",
            "a${aws:username",
            "${}",
            "${x}",
            "${aws:Referer, nobody}",
            "${s3:RequestObjectTagKeys}",
        ] {
            assert!(Template::parse(text, LIKE).is_err(), "{text}");
        }
    }
}
