//! Why a policy cannot be taken: where, what, and what to write instead. No error quotes a line of the file or a value
//! that could be a secret; what it quotes are names, actions and resources.

use std::{fmt, sync::Arc};

use crate::types::{AccessKeyIdError, SecretKeyError};

/// A place in a policy file or a policy document. Lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file, as the caller or the policy file named it.
    pub file: Arc<str>,
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Why a policy cannot be taken, and where it says so: `policy.toml:12:1: unknown field …`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{location}: {problem}")]
pub struct PolicyError {
    /// Where.
    pub location: Box<Location>,
    /// What.
    pub problem: Box<Problem>,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No `signer` at all: an empty file, or the first bytes of one being written.
    #[error(
        "no signer in it; a policy file holds one [[signer]] or more, each with a name, an access_key_id and a \
         secret_access_key (or secret_access_key_file, or secret_access_key_env); to bind nobody, write `signer = []`"
    )]
    NoSigner,
    /// The file is over [`MAX_POLICY_BYTES`](super::MAX_POLICY_BYTES).
    #[error("over {} MiB; split it into policy documents", super::MAX_POLICY_BYTES >> 20)]
    TooLarge,
    /// The text is not of its format.
    #[error("not valid {format}: {reason}")]
    Syntax {
        /// `TOML` or `JSON`.
        format: &'static str,
        /// The parser's words; they describe what it expected and quote nothing.
        reason: String,
    },
    /// A byte order mark, which some editors write before the text.
    #[error("the file begins with a byte order mark; save it as UTF-8 without one")]
    ByteOrderMark,
    /// A field that nothing here knows.
    #[error("unknown field {} in {place}; {}", quoted(field), hint(*nearest, known))]
    UnknownField {
        /// The field.
        field: String,
        /// The kind of table it stands in.
        place: &'static str,
        /// The known field that was probably meant.
        nearest: Option<&'static str>,
        /// All known fields of that kind of table.
        known: &'static [&'static str],
    },
    /// A field of IAM's grammar that has no meaning here, or none yet.
    #[error("`{field}` cannot be used: {reason}")]
    Unsupported {
        /// The field.
        field: &'static str,
        /// Why, and what to do.
        reason: &'static str,
    },
    /// A field that stands twice in one JSON object.
    #[error("{} stands twice here; keep one", quoted(field))]
    RepeatedField {
        /// The field.
        field: String,
    },
    /// A value of another kind than the field takes. The value is not quoted: it may be a secret.
    #[error("`{field}` must be {expected}, not {found}")]
    WrongType {
        /// The field.
        field: &'static str,
        /// What it takes.
        expected: &'static str,
        /// The kind of value found.
        found: &'static str,
    },
    /// A text that is no time, or a time without an offset, which is another instant in each place.
    #[error("`{field}` must be a time with an offset, such as 2026-11-23T12:00:00Z")]
    NoInstant {
        /// The field.
        field: &'static str,
    },
    /// A text that names no link.
    #[error(
        "`sha256` must be the SHA-256 of the 32 bytes of a link's signature: 64 hexadecimal digits, as the log names links"
    )]
    LinkId,
    /// A link that is revoked twice.
    #[error("this link is revoked already, at {first}; keep one")]
    RepeatedLink {
        /// Where it stands first.
        first: Box<Location>,
    },
    /// A list or a text without anything in it.
    #[error("`{field}` is empty; {remedy}")]
    EmptyValue {
        /// The field.
        field: &'static str,
        /// What to write.
        remedy: &'static str,
    },
    /// A field that must be there and is not.
    #[error("{place} has no {field}")]
    Missing {
        /// The field, or the fields one of which is needed.
        field: &'static str,
        /// The kind of table it is missing from.
        place: &'static str,
    },
    /// Two fields that exclude each other.
    #[error("`{first}` and `{second}` exclude each other; keep one")]
    Both {
        /// One.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// A name that is taken.
    #[error("there is a {kind} {} already, at {first}", quoted(name))]
    RepeatedName {
        /// `signer` or `policy`.
        kind: &'static str,
        /// The name.
        name: String,
        /// Where it stands first.
        first: Box<Location>,
    },
    /// A name with a control character in it, or over 128 bytes.
    #[error("`{field}` is no name: a name has 1 to 128 bytes and no control character")]
    Name {
        /// The field.
        field: &'static str,
    },
    /// An access key id that is taken. It is not quoted: people swap the id and the secret.
    #[error("this access_key_id stands already at {first}; an id belongs to one signer, once")]
    RepeatedAccessKeyId {
        /// Where it stands first.
        first: Box<Location>,
    },
    /// The text is no access key id.
    #[error("`access_key_id` cannot be used: {0}")]
    AccessKeyId(#[source] AccessKeyIdError),
    /// The text is no secret.
    #[error("the secret cannot be used: {0}")]
    SecretAccessKey(#[source] SecretKeyError),
    /// What stands for a variable's name is no name. It is not quoted: it may be the secret itself.
    #[error(
        "`secret_access_key_env` must name an environment variable (letters, digits and _), which then holds the secret"
    )]
    VariableName,
    /// A secret or a document that the caller could not read.
    #[error("{what} cannot be read: {reason}")]
    Unreadable {
        /// What it is: for a file its path.
        what: String,
        /// Why not.
        reason: String,
    },
    /// A shared policy that is not in the file.
    #[error("no [[policy]] has the name {}; {}", quoted(name), hint_name(nearest.as_deref()))]
    UnknownPolicy {
        /// The name.
        name: String,
        /// The name that was probably meant.
        nearest: Option<String>,
    },
    /// Not one of the two effects.
    #[error("`Effect` is {}; {}", quoted(effect), hint(*nearest, &["Allow", "Deny"]))]
    UnknownEffect {
        /// What was written.
        effect: String,
        /// The effect that was probably meant.
        nearest: Option<&'static str>,
    },
    /// An `s3:` action, or a pattern of them, that names no action of AWS's.
    #[error("{} is no action of S3; {}", quoted(action), hint_action(nearest.as_deref()))]
    UnknownAction {
        /// What was written.
        action: String,
        /// The action that was probably meant.
        nearest: Option<String>,
    },
    /// Not of the form `service:Action`.
    #[error("{} is not of the form service:Action; {}", quoted(action), hint_action(nearest.as_deref()))]
    MalformedAction {
        /// What was written.
        action: String,
        /// The action that was probably meant.
        nearest: Option<String>,
    },
    /// Neither `*` nor an ARN of six parts.
    #[error(
        "{} is no resource: {reason}; write `*`, `arn:aws:s3:::bucket` or `arn:aws:s3:::bucket/key`",
        quoted(resource)
    )]
    MalformedResource {
        /// What was written.
        resource: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A variable that no request has.
    #[error("{} is no variable; {}", quoted(variable), hint_key(*nearest))]
    UnknownVariable {
        /// What stands between `${` and `}`.
        variable: String,
        /// The key that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A variable that only AWS has.
    #[error(
        "AWS has the variable {}, this gateway does not; write what it stands for, or remove the statement",
        quoted(variable)
    )]
    VariableOfAws {
        /// What stands between `${` and `}`.
        variable: String,
    },
    /// A default of a variable without its quotes.
    #[error(
        "the default of the variable {} must stand in single quotes: `${{{variable}, 'none'}}`",
        quoted(variable)
    )]
    VariableDefault {
        /// The variable.
        variable: String,
    },
    /// `${` without `}`, or in a place that takes no variable.
    #[error(
        "{} holds a variable that is not whole, or stands before the name of the resource; write `${{$}}` for a dollar sign before a brace",
        quoted(text)
    )]
    OpenVariable {
        /// What was written.
        text: String,
    },
    /// A condition operator that IAM does not have.
    #[error("{} is no condition operator; {}", quoted(operator), hint_operator(*nearest))]
    UnknownOperator {
        /// What was written.
        operator: String,
        /// The operator that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A condition key that no request here has. Ignoring it would turn a narrow grant into a wide one.
    #[error("{} is no condition key of this gateway; {}", quoted(key), hint_key(*nearest))]
    UnknownConditionKey {
        /// What was written.
        key: String,
        /// The key that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A condition key that only AWS has.
    #[error(
        "AWS has the condition key {}, this gateway does not; remove the condition, or the statement if it is \
         wrong without the condition",
        quoted(key)
    )]
    ConditionKeyOfAws {
        /// What was written.
        key: String,
    },
    /// A key with an empty list of values.
    #[error(
        "{} on {} lists no value; list one or more, since nothing fits an empty list",
        quoted(operator),
        quoted(key)
    )]
    NoConditionValue {
        /// The operator.
        operator: String,
        /// The key.
        key: String,
    },
    /// An operator on a key that it cannot compare.
    #[error("{} cannot be used on {}: {reason}", quoted(operator), quoted(key))]
    OperatorMisfit {
        /// The operator.
        operator: String,
        /// The key.
        key: String,
        /// Why not.
        reason: &'static str,
    },
    /// A value that the operator cannot compare with.
    #[error("the condition's value must be {expected}")]
    ConditionValue {
        /// What it takes.
        expected: &'static str,
    },
    /// Not one of IAM's two versions.
    #[error("`Version` is {}; known are `2012-10-17` and `2008-10-17`", quoted(version))]
    UnknownVersion {
        /// What was written.
        version: String,
    },
    /// A JSON document nested deeper than any statement is.
    #[error("nested too deep for a policy document")]
    TooDeep,
}

/// Text as an error shows it: in backticks, without control characters, not too long.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    let shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    let more = if text.chars().nth(LONGEST).is_some() {
        "…"
    } else {
        ""
    };
    format!("`{shown}{more}`")
}

fn hint(nearest: Option<&str>, known: &[&str]) -> String {
    match nearest {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("known are `{}`", known.join("`, `")),
    }
}

fn hint_name(nearest: Option<&str>) -> String {
    match nearest {
        Some(name) => format!("did you mean {}?", quoted(name)),
        None => "add one, or take the name out of `policies`".to_owned(),
    }
}

fn hint_action(nearest: Option<&str>) -> String {
    match nearest {
        Some(action) => format!("did you mean `{action}`?"),
        None => "AWS's service authorization reference for Amazon S3 lists them".to_owned(),
    }
}

fn hint_operator(nearest: Option<&str>) -> String {
    match nearest {
        Some(word) => format!(
            "did you mean `{word}`? (ForAnyValue:, ForAllValues: and IfExists may be added, but not to Null)"
        ),
        None => "docs/CONFIGURATION.md lists them".to_owned(),
    }
}

fn hint_key(nearest: Option<&str>) -> String {
    match nearest {
        Some(word) => format!("did you mean `{word}`?"),
        None => "docs/CONFIGURATION.md lists them".to_owned(),
    }
}
