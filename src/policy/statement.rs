//! One statement. In goes its table; out comes what decides, and its fields as written for people to read. Stricter than
//! AWS: every field must be known, and one that has no meaning here (`Principal`) is an error.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

use std::fmt;

use crate::types::{Action, ActionLevel};

use super::{
    actions::{self, ActionSet},
    answer::Answer,
    condition::{Conditions, Context},
    error::{PolicyError, Problem},
    evaluate::{Owner, StatementReference},
    pattern::ResourceText,
    resource,
    template::Template,
    tree::{Source, Table, Text},
    warning::{PolicyWarning, Warned},
    words::nearest,
};

/// The version of the policy language that a statement is read by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// 2008-10-17: no variables.
    V2008,
    /// 2012-10-17: `${…}` is a variable. Statements in a policy file count as this one.
    V2012,
}

/// What a statement does to what it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It allows, unless another statement denies.
    Allow,
    /// It denies, whatever allows.
    Deny,
}

/// One statement, ready to decide.
pub struct Statement {
    effect: Effect,
    actions: ActionSet,
    resources: Resources,
    conditions: Conditions,
    reference: StatementReference,
    written: Box<Written>,
}

enum Resources {
    AnyOf(Box<[Template]>),
    NoneOf(Box<[Template]>),
}

struct Written {
    actions: Clause,
    resources: Clause,
}

/// A statement's list of actions or resources, as written: `Action s3:GetObject, s3:PutObject`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    element: &'static str,
    entries: Box<[String]>,
}

const FIELDS: &[&str] = &[
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

/// Fields of IAM's grammar that are refused by name.
const UNSUPPORTED: &[(&str, &str)] = &[("Principal", NO_PRINCIPAL), ("NotPrincipal", NO_PRINCIPAL)];

const NO_PRINCIPAL: &str = "a signer's policy names no principal: it is the signer. Of a bucket policy, write a Deny \
    for everybody under [[statement]] in the policy file, and each Allow under the signer that it is for";

/// Reads the statements of one owner, numbered from 1.
pub(super) fn parse_all(
    source: &Source<'_>,
    tables: Vec<Table>,
    version: Version,
    owner: &Owner,
    warnings: &mut Vec<PolicyWarning>,
) -> Result<Vec<Statement>, PolicyError> {
    let numbered = tables.into_iter().zip(1..);
    numbered
        .map(|(table, number)| parse(source, table, version, (owner, number), warnings))
        .collect()
}

fn parse(
    source: &Source<'_>,
    mut table: Table,
    version: Version,
    (owner, number): (&Owner, usize),
    warnings: &mut Vec<PolicyWarning>,
) -> Result<Statement, PolicyError> {
    for (field, reason) in UNSUPPORTED {
        if let Some(at) = table.at(field) {
            return Err(source.error(at, Problem::Unsupported { field, reason }));
        }
    }
    table.knows(source, "a statement", FIELDS)?;
    let sid = table.take_text(source, "Sid")?.map(|sid| sid.text);
    let location = source.location(table.at);
    let reference = StatementReference::new(location.clone(), owner.clone(), number, sid);
    let effect = effect(source, &mut table)?;
    let (actions_element, actions) =
        either(source, &mut table, "Action", "NotAction", "Action (or NotAction)")?;
    let (resources_element, resources) = either(
        source,
        &mut table,
        "Resource",
        "NotResource",
        "Resource (or NotResource)",
    )?;
    let mut warn = |warned| {
        warnings.push(PolicyWarning {
            location: location.clone(),
            statement: Some(reference.clone()),
            warned,
        });
    };
    let conditions = match table.take("Condition") {
        Some(node) => Conditions::parse(source, node, version, &mut warn)?,
        None => Conditions::default(),
    };
    let set = action_set(source, actions_element, &actions, &mut warn)?;
    let patterns = patterns(source, &resources, version, &mut warn)?;
    if (actions_element, resources_element) == ("Action", "Resource") && !patterns.is_empty() {
        warn_of_levels(&actions, &patterns, &mut warn);
    }
    if effect == Effect::Allow {
        conditions.open_without_their_key().for_each(&mut warn);
    }
    if actions_element == "Action" {
        for entry in &actions {
            let Ok(actions::Named::Actions(named)) = actions::named(&entry.text) else {
                continue;
            };
            let contains = |action| named.contains(action);
            conditions
                .without_their_key(&entry.text, contains)
                .for_each(&mut warn);
        }
    }
    let clause = |element, texts: Vec<Text>| Clause {
        element,
        entries: texts.into_iter().map(|t| t.text).collect(),
    };
    Ok(Statement {
        effect,
        actions: set,
        resources: match resources_element {
            "Resource" => Resources::AnyOf(patterns),
            _ => Resources::NoneOf(patterns),
        },
        conditions,
        reference,
        written: Box::new(Written {
            actions: clause(actions_element, actions),
            resources: clause(resources_element, resources),
        }),
    })
}

fn effect(source: &Source<'_>, table: &mut Table) -> Result<Effect, PolicyError> {
    let found = table
        .require(source, "Effect", "this statement")?
        .text(source, "Effect")?;
    match found.text.as_str() {
        "Allow" => Ok(Effect::Allow),
        "Deny" => Ok(Effect::Deny),
        other => {
            let nearest = nearest(other, ["Allow", "Deny"]);
            Err(source.error(
                found.at,
                Problem::UnknownEffect {
                    effect: other.to_owned(),
                    nearest,
                },
            ))
        }
    }
}

/// Takes the one of two elements that is there.
fn either(
    source: &Source<'_>,
    table: &mut Table,
    plain: &'static str,
    negated: &'static str,
    both: &'static str,
) -> Result<(&'static str, Vec<Text>), PolicyError> {
    let negated_at = table.at(negated);
    let (element, node) = match (table.take(plain), table.take(negated)) {
        (Some(node), None) => (plain, node),
        (None, Some(node)) => (negated, node),
        (Some(_), Some(_)) => {
            let at = negated_at.unwrap_or(table.at);
            return Err(source.error(
                at,
                Problem::Both {
                    first: plain,
                    second: negated,
                },
            ));
        }
        (None, None) => {
            return Err(source.error(
                table.at,
                Problem::Missing {
                    field: both,
                    place: "this statement",
                },
            ));
        }
    };
    let at = node.at;
    let texts = node.texts(source, element, true)?;
    if texts.is_empty() {
        let remedy = "name one or more, or take the statement out";
        return Err(source.error(
            at,
            Problem::EmptyValue {
                field: element,
                remedy,
            },
        ));
    }
    Ok((element, texts))
}

fn action_set(
    source: &Source<'_>,
    element: &'static str,
    entries: &[Text],
    warn: &mut impl FnMut(Warned),
) -> Result<ActionSet, PolicyError> {
    let mut set = ActionSet::default();
    let mut others = Vec::new();
    for entry in entries {
        match actions::named(&entry.text).map_err(|problem| source.error(entry.at, problem))? {
            actions::Named::Actions(named) => set = set.union(named),
            actions::Named::OtherService => others.push(entry.text.clone()),
        }
    }
    if element == "NotAction" {
        // Leaving out another service's actions leaves all of S3's in, here as on AWS.
        return Ok(set.complement());
    }
    if others.len() == entries.len() {
        warn(Warned::OtherServices);
    } else {
        others
            .into_iter()
            .for_each(|action| warn(Warned::OtherService { action }));
    }
    Ok(set)
}

fn patterns(
    source: &Source<'_>,
    entries: &[Text],
    version: Version,
    warn: &mut impl FnMut(Warned),
) -> Result<Box<[Template]>, PolicyError> {
    let mut patterns = Vec::with_capacity(entries.len());
    for entry in entries {
        if version == Version::V2008 && entry.text.contains("${") {
            let text = entry.text.clone();
            warn(Warned::VariableOfOldVersion { text });
        }
        match resource::named(&entry.text, version).map_err(|problem| source.error(entry.at, problem))? {
            resource::Named::Resources(template) => patterns.push(template),
            resource::Named::Elsewhere => warn(Warned::OtherResource {
                resource: entry.text.clone(),
            }),
        }
    }
    Ok(patterns.into())
}

/// The commonest slip: `s3:ListBucket` on `bucket/*`, `s3:GetObject` on `bucket`.
fn warn_of_levels(actions: &[Text], patterns: &[Template], warn: &mut impl FnMut(Warned)) {
    for entry in actions {
        let Some(action) = Action::parse(&entry.text) else {
            continue;
        };
        let (possible, needed): (bool, _) = match action.level() {
            ActionLevel::Object => (
                patterns.iter().any(Template::may_name_objects),
                "objects (arn:aws:s3:::bucket/*)",
            ),
            ActionLevel::Bucket => (
                patterns.iter().any(Template::may_name_buckets),
                "buckets (arn:aws:s3:::bucket)",
            ),
            ActionLevel::Account => continue,
        };
        if !possible {
            warn(Warned::LevelMismatch {
                action: entry.text.clone(),
                needed,
            });
        }
    }
}

impl Statement {
    /// Whether the statement speaks of this action on this resource, and its conditions hold of the request.
    pub(super) fn matches(&self, action: Action, text: &ResourceText, context: &dyn Context) -> Answer {
        match self.speaks_of(action, text, context) {
            Answer::No => Answer::No,
            answer if self.conditions.is_empty() => answer,
            answer => Answer::all([self.conditions.hold(context), answer].into_iter()),
        }
    }

    fn speaks_of(&self, action: Action, text: &ResourceText, context: &dyn Context) -> Answer {
        if !self.actions.contains(action) {
            return Answer::No;
        }
        let any = |templates: &[Template]| {
            Answer::any(templates.iter().map(|template| template.matches(text, context)))
        };
        match &self.resources {
            Resources::AnyOf(templates) => any(templates),
            Resources::NoneOf(templates) => any(templates).not(),
        }
    }

    /// Whether it speaks of this action on this resource, and yet does not match, because of its conditions.
    pub(super) fn fails_by_condition(
        &self,
        action: Action,
        text: &ResourceText,
        context: &dyn Context,
    ) -> bool {
        !self.conditions.is_empty()
            && self.speaks_of(action, text, context) == Answer::Yes
            && self.conditions.hold(context) == Answer::No
    }

    /// Whether it denies or allows, without a condition, all that the other speaks of. Where that cannot be told at a glance, it does not.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let (Resources::AnyOf(own), Resources::AnyOf(others)) = (&self.resources, &other.resources) else {
            return false;
        };
        let covered = |template: &Template| own.iter().any(|own| own.covers(template));
        self.conditions.is_empty() && other.actions.is_within(&self.actions) && others.iter().all(covered)
    }

    /// The buckets that it names in full.
    pub(super) fn named_buckets(&self) -> Vec<String> {
        match &self.resources {
            Resources::AnyOf(templates) => templates.iter().filter_map(Template::bucket).collect(),
            Resources::NoneOf(_) => Vec::new(),
        }
    }

    /// Whether it allows or denies.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Which statement it is, as a decision names it.
    pub fn reference(&self) -> &StatementReference {
        &self.reference
    }

    /// `Action` or `NotAction`, as written.
    pub fn actions(&self) -> &Clause {
        &self.written.actions
    }

    /// `Resource` or `NotResource`, as written.
    pub fn resources(&self) -> &Clause {
        &self.written.resources
    }

    /// Each condition, as written: `IpAddress aws:SourceIp 203.0.113.0/24`.
    pub fn conditions(&self) -> impl Iterator<Item = &str> {
        self.conditions.written()
    }

    /// Effect, place and conditions: `Allow policy.toml line 12: … (IpAddress aws:SourceIp 203.0.113.0/24)`.
    pub fn with_conditions(&self) -> String {
        let conditions: Vec<_> = self.conditions().collect();
        format!(
            "{} {} ({})",
            self.effect(),
            self.reference(),
            conditions.join(" and ")
        )
    }

    /// Whether it speaks of every action, or of all but some.
    pub(super) fn has_broad_actions(&self) -> bool {
        self.written.actions.element == "NotAction" || self.actions == ActionSet::all()
    }

    /// Whether it speaks of every bucket's resources, or of all but some.
    pub(super) fn has_broad_resources(&self) -> bool {
        match &self.resources {
            Resources::AnyOf(patterns) => patterns.iter().any(Template::is_broad),
            Resources::NoneOf(_) => true,
        }
    }
}

impl Clause {
    /// The element's name: `Action`, `NotAction`, `Resource` or `NotResource`.
    pub fn element(&self) -> &'static str {
        self.element
    }

    /// What it lists, as written.
    pub fn entries(&self) -> &[String] {
        &self.entries
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.element, self.entries.join(", "))
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "Allow",
            Self::Deny => "Deny",
        })
    }
}
