//! The decision. In go statements, an action, a resource and the request's context; out comes `Allow` or `Deny` with the statement that decided. An
//! explicit denial beats every permission, and without a permission the answer is an implicit denial: the evaluation logic of IAM
//! within one account.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use std::{fmt, sync::Arc};

use crate::types::{Action, Resource};

use super::{
    answer::Answer,
    condition::Context,
    error::Location,
    pattern::ResourceText,
    statement::{Effect, Statement},
};

/// The answer of a policy, with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// This statement allows, and none denies.
    Allow(StatementReference),
    /// Denied.
    Deny(Denial),
    /// It hangs on what is not known yet: the tags of an object that was not opened, or those in a body that was not read. It is no
    /// permission.
    Undecided,
}

/// Why the answer is no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// This statement denies.
    Explicit(StatementReference),
    /// No statement allows.
    Implicit,
}

/// Which statement decided, as people find it: `policy.toml line 12: signer alice, statement 2 (Sid "read")`. A copy costs one count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementReference(Arc<Stated>);

#[derive(Debug, PartialEq, Eq)]
struct Stated {
    origin: Origin,
    /// As it is shown: made once, since every request's record shows it.
    text: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Origin {
    Statement {
        location: Location,
        owner: Owner,
        number: usize,
        sid: Option<String>,
    },
    OnInvalid,
}

/// Whose statement it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Signer(Arc<str>),
    Policy(Arc<str>),
    /// A policy document, which the location's file names.
    Document,
    Everyone,
}

/// Decides by these statements. The first statement of its effect, in the order of the file, is named as the reason.
pub(super) fn evaluate<'p>(
    statements: impl Iterator<Item = &'p Statement>,
    action: Action,
    resource: Resource<'_>,
    context: &dyn Context,
) -> Decision {
    let text = ResourceText::of(resource);
    let mut allowed = None;
    let (mut may_deny, mut may_allow) = (false, false);
    for statement in statements {
        if statement.effect() == Effect::Allow && allowed.is_some() {
            continue;
        }
        match (statement.matches(action, &text, context), statement.effect()) {
            (Answer::No, _) => {}
            (Answer::Yes, Effect::Deny) => {
                return Decision::Deny(Denial::Explicit(statement.reference().clone()));
            }
            (Answer::Yes, Effect::Allow) => allowed = Some(statement),
            (Answer::Unknown, Effect::Deny) => may_deny = true,
            (Answer::Unknown, Effect::Allow) => may_allow = true,
        }
    }
    match allowed {
        Some(_) if may_deny => Decision::Undecided,
        Some(statement) => Decision::Allow(statement.reference().clone()),
        None if may_allow => Decision::Undecided,
        None => Decision::Deny(Denial::Implicit),
    }
}

impl Decision {
    /// Whether the answer is yes.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow(_))
    }
}

impl StatementReference {
    pub(super) fn new(location: Location, owner: Owner, number: usize, sid: Option<String>) -> Self {
        Self::of(Origin::Statement {
            location,
            owner,
            number,
            sid,
        })
    }

    /// No statement, but the setting that denies everything while the policy file is invalid.
    pub(super) fn on_invalid() -> Self {
        Self::of(Origin::OnInvalid)
    }

    fn of(origin: Origin) -> Self {
        let owner = origin.owner();
        let text = match &origin {
            Origin::Statement { location, .. } => {
                format!("{} line {}: {owner}", location.file, location.line)
            }
            Origin::OnInvalid => {
                format!("{owner}: the policy file is invalid, and every request is denied until it is mended")
            }
        };
        Self(Arc::new(Stated { origin, text }))
    }

    /// Where the statement stands; none for `on_invalid`.
    pub fn location(&self) -> Option<&Location> {
        match &self.0.origin {
            Origin::Statement { location, .. } => Some(location),
            Origin::OnInvalid => None,
        }
    }

    /// The statement's own name, where it has one.
    pub fn sid(&self) -> Option<&str> {
        match &self.0.origin {
            Origin::Statement { sid, .. } => sid.as_deref(),
            Origin::OnInvalid => None,
        }
    }

    /// Whose statement and which, without the place: `signer alice, statement 2 (Sid "read")`.
    pub fn owner(&self) -> String {
        self.0.origin.owner()
    }
}

impl Origin {
    fn owner(&self) -> String {
        let Origin::Statement {
            owner, number, sid, ..
        } = self
        else {
            return "on_invalid = \"deny\"".to_owned();
        };
        let sid = sid
            .as_ref()
            .map(|sid| format!(" (Sid {sid:?})"))
            .unwrap_or_default();
        match owner {
            Owner::Signer(name) => format!("signer {name}, statement {number}{sid}"),
            Owner::Policy(name) => format!("policy {name}, statement {number}{sid}"),
            Owner::Document => format!("statement {number}{sid}"),
            Owner::Everyone => format!("every signer, statement {number}{sid}"),
        }
    }
}

impl fmt::Display for StatementReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Explicit(reference) => write!(f, "denied by {reference}"),
            Self::Implicit => f.write_str("no statement allows it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{
            ConditionKey, Fact, GivenContext,
            testing::{decide_in, snapshot},
        },
        *,
    };

    /// A statement as a plain reader of IAM's rules sees it.
    #[derive(Clone, Debug)]
    struct Plain {
        deny: bool,
        not_action: bool,
        not_resource: bool,
        actions: Vec<&'static str>,
        resources: Vec<&'static str>,
        conditions: Vec<(&'static str, &'static str, Vec<&'static str>)>,
    }

    const OPERATORS: &[&str] = &[
        "StringEquals",
        "StringNotEquals",
        "StringLike",
        "StringNotLikeIfExists",
        "Null",
    ];
    const KEYS: &[&str] = &["s3:prefix", "aws:Referer", "s3:ExistingObjectTag/t"];
    const VALUES: &[&str] = &["a", "ab", "a*", "true", "false"];

    const ACTIONS: &[&str] = &[
        "*",
        "s3:*",
        "s3:Get*",
        "s3:GetObject",
        "S3:putobject",
        "s3:List*",
        "s3:?etObject",
        "ec2:*",
    ];
    const RESOURCES: &[&str] = &[
        "*",
        "arn:aws:s3:::*",
        "arn:aws:s3:::films",
        "arn:aws:s3:::films/*",
        "arn:aws:s3:::*/a",
        "arn:aws:s3:::f*s/?",
        "arn:aws:sns:::x",
    ];
    const ASKED: &[(&str, &str)] = &[
        ("s3:GetObject", "arn:aws:s3:::films/a"),
        ("s3:PutObject", "arn:aws:s3:::films/ab"),
        ("s3:ListBucket", "arn:aws:s3:::films"),
        ("s3:GetObjectAcl", "arn:aws:s3:::other/a"),
        ("s3:ListAllMyBuckets", "*"),
    ];

    fn glob(pattern: &str, text: &str) -> bool {
        let (first, rest) = match pattern.chars().next() {
            None => return text.is_empty(),
            Some(first) => (first, &pattern[first.len_utf8()..]),
        };
        let mut behind = text.chars();
        match (first, behind.next()) {
            ('*', None) => glob(rest, text),
            ('*', Some(_)) => glob(rest, text) || glob(pattern, behind.as_str()),
            ('?', Some(_)) => glob(rest, behind.as_str()),
            (wanted, Some(found)) => wanted == found && glob(rest, behind.as_str()),
            (_, None) => false,
        }
    }

    impl Plain {
        fn speaks_of(&self, action: &str, resource: &str) -> bool {
            let resource = if resource == "*" {
                "arn:aws:s3:::*"
            } else {
                resource
            };
            let action = action.to_lowercase();
            let actions = self
                .actions
                .iter()
                .any(|pattern| glob(&pattern.to_lowercase(), &action));
            let resources = self.resources.iter().any(|pattern| glob(pattern, resource));
            actions != self.not_action && resources != self.not_resource
        }

        /// Every condition, by the words of IAM's guide; `said` has at most one value of each key.
        fn holds(&self, said: &[(&str, &str)]) -> bool {
            self.conditions.iter().all(|(operator, key, values)| {
                let found = said.iter().find(|(name, _)| name == key).map(|(_, value)| *value);
                let is = |fits: fn(&str, &str) -> bool| {
                    found.map(|found| values.iter().any(|value| fits(value, found)))
                };
                match *operator {
                    "StringEquals" => is(|value, found| value == found).unwrap_or(false),
                    "StringNotEquals" => !is(|value, found| value == found).unwrap_or(false),
                    "StringLike" => is(glob).unwrap_or(false),
                    "StringNotLikeIfExists" => !is(glob).unwrap_or(false),
                    _ => values.contains(&if found.is_none() { "true" } else { "false" }),
                }
            })
        }

        fn condition(&self) -> String {
            let each = self.conditions.iter();
            let each: Vec<_> = each
                .map(|(operator, key, values)| format!("{operator} = {{ {key:?} = {values:?} }}"))
                .collect();
            match each.is_empty() {
                true => "#\n".to_owned(),
                false => format!("Condition = {{ {} }}\n", each.join(", ")),
            }
        }

        fn written(&self) -> String {
            format!(
                "[[signer.statement]]\nEffect = {:?}\n{}Action = {:?}\n{}Resource = {:?}\n{}",
                if self.deny { "Deny" } else { "Allow" },
                if self.not_action { "Not" } else { "" },
                self.actions,
                if self.not_resource { "Not" } else { "" },
                self.resources,
                self.condition()
            )
        }
    }

    fn plain() -> impl Strategy<Value = Plain> {
        let some =
            |from: &'static [&'static str]| proptest::collection::vec(proptest::sample::select(from), 1..3);
        let odd = || proptest::bool::weighted(0.2);
        (
            proptest::bool::weighted(0.3),
            odd(),
            odd(),
            some(ACTIONS),
            some(RESOURCES),
            conditions(),
        )
            .prop_map(
                |(deny, not_action, not_resource, actions, resources, conditions)| Plain {
                    deny,
                    not_action,
                    not_resource,
                    actions,
                    resources,
                    conditions,
                },
            )
    }

    /// Each operator stands once in a table.
    fn conditions() -> impl Strategy<Value = Vec<(&'static str, &'static str, Vec<&'static str>)>> {
        let one = |operator: &'static str| {
            let values = match operator {
                "Null" => &VALUES[3..],
                _ => VALUES,
            };
            let values = proptest::collection::vec(proptest::sample::select(values), 1..3);
            (Just(operator), proptest::sample::select(KEYS), values)
        };
        proptest::sample::subsequence(OPERATORS, 0..3)
            .prop_flat_map(move |operators| operators.into_iter().map(one).collect::<Vec<_>>())
    }

    /// What a request says: some of the keys, one value each.
    fn said() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
        proptest::sample::subsequence(KEYS, 0..=KEYS.len()).prop_flat_map(|keys| {
            let one = |key| (Just(key), proptest::sample::select(VALUES));
            keys.into_iter().map(one).collect::<Vec<_>>()
        })
    }

    /// A request whose object is not open yet.
    struct Unopened(GivenContext);

    impl Context for Unopened {
        fn fact(&self, key: &ConditionKey) -> Fact<'_> {
            match key {
                ConditionKey::ExistingObjectTag(_) => Fact::Unknown,
                other => self.0.fact(other),
            }
        }
    }

    proptest! {
        #[test]
        fn decisions_are_what_a_plain_reader_of_the_rules_says(
            statements in proptest::collection::vec(plain(), 0..6),
            said in said(),
        ) {
            let head = String::from("[[signer]]\nname = \"a\"\naccess_key_id = \"A\"\nsecret_access_key = \"x\"\n");
            let text = head + &statements.iter().map(Plain::written).collect::<String>();
            let snapshot = snapshot(&text);
            let mut context = GivenContext::default();
            for (key, value) in &said {
                context.add(ConditionKey::parse(key).unwrap(), (*value).to_owned());
            }
            for (action, resource) in ASKED {
                let speaking = |deny| {
                    let speaks = |s: &Plain| s.deny == deny && s.speaks_of(action, resource) && s.holds(&said);
                    statements.iter().position(speaks)
                };
                let expected = match (speaking(true), speaking(false)) {
                    (Some(index), _) => (false, Some(index)),
                    (None, Some(index)) => (true, Some(index)),
                    (None, None) => (false, None),
                };
                // Statement n begins five lines behind the head, and each has five lines.
                let index = |reference: StatementReference| (reference.location().unwrap().line - 5) / 5;
                let known = decide_in(&snapshot, "a", action, resource, &context);
                let found = match known.clone() {
                    Decision::Allow(reference) => (true, Some(index(reference))),
                    Decision::Deny(Denial::Explicit(reference)) => (false, Some(index(reference))),
                    Decision::Deny(Denial::Implicit) => (false, None),
                    Decision::Undecided => panic!("everything is known"),
                };
                prop_assert_eq!(found, expected, "{} on {} under\n{}", action, resource, text);
                // What is decided before the object is open is what will be decided then.
                let unopened = decide_in(&snapshot, "a", action, resource, &Unopened(context.clone()));
                if unopened != Decision::Undecided {
                    prop_assert_eq!(unopened.is_allowed(), known.is_allowed(), "{} on {} under\n{}", action, resource, text);
                }
            }
        }
    }
}
