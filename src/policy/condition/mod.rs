//! A statement's conditions. In goes its `Condition` table; out comes what says of a request's [`Context`] whether all of them hold.
//!
//! All operators and all keys must hold; of several values of one key, any. A negated operator holds where none of them fits, and where the request
//! does not have the key. Stricter than AWS, at load: a key that is not known, an operator that could never fit a key, a value of
//! the wrong kind and an empty list are errors.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html>

mod aws_keys;
mod context;
mod doubts;
mod key;
mod operator;
mod values;

pub(super) use aws_keys::is_only_on_aws;
pub use context::{Context, Fact, GivenContext};
pub use key::{ConditionKey, PlainKey};

use super::{
    answer::Answer,
    error::{PolicyError, Problem},
    statement::Version,
    tree::{Node, Source, Table, Text},
    warning::Warned,
};

use operator::{Operator, Set};
use values::Values;

/// All conditions of a statement.
#[derive(Default)]
pub(super) struct Conditions(Box<[Condition]>);

struct Condition {
    operator: Operator,
    key: ConditionKey,
    values: Values,
    /// As written: `StringLike s3:prefix home/*`.
    written: String,
}

impl Conditions {
    /// Reads the `Condition` of a statement.
    pub(super) fn parse(
        source: &Source<'_>,
        node: Node,
        version: Version,
        warn: &mut dyn FnMut(Warned),
    ) -> Result<Self, PolicyError> {
        const SHAPE: &str = "a table of operators, each a table of keys and values";
        let at = node.at;
        let operators = node.table(source, "Condition", SHAPE)?;
        let mut conditions = Vec::new();
        for field in operators.into_fields() {
            let operator = Operator::parse(&field.key).map_err(|nearest| {
                let operator = field.key.clone();
                source.error(field.at, Problem::UnknownOperator { operator, nearest })
            })?;
            let keys: Table = field.node.table(source, "Condition", SHAPE)?;
            for of_key in keys.into_fields() {
                let key = condition_key(source, &of_key.key, of_key.at, operator, &field.key)?;
                let values_at = of_key.node.at;
                let mut values = of_key.node.scalars(source)?;
                if values.is_empty() {
                    let (operator, key) = (field.key.clone(), key.to_string());
                    return Err(source.error(values_at, Problem::NoConditionValue { operator, key }));
                }
                doubts::of_values(&field.key, operator, &values, version, warn);
                let mut written = format!("{} {key}", field.key);
                for value in &values {
                    written.push(' ');
                    written.push_str(&value.text);
                }
                if key == ConditionKey::Plain(PlainKey::CopySource) {
                    values.iter_mut().for_each(without_slash);
                }
                conditions.push(Condition {
                    operator,
                    values: Values::parse(source, (operator, key.kind()), &values, version)?,
                    key,
                    written,
                });
            }
        }
        if conditions.is_empty() {
            let (field, remedy) = ("Condition", "name an operator, a key and a value, or take it out");
            return Err(source.error(at, Problem::EmptyValue { field, remedy }));
        }
        Ok(Self(conditions.into()))
    }

    /// Do all hold?
    pub(super) fn hold(&self, context: &dyn Context) -> Answer {
        Answer::all(self.0.iter().map(|condition| condition.holds(context)))
    }

    /// Each as written: `StringLike s3:prefix home/*`.
    pub(super) fn written(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|condition| condition.written.as_str())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A copy's source is `bucket/key`; a policy may write it with the slash that clients may send before it.
fn without_slash(value: &mut Text) {
    if let Some(source) = value.text.strip_prefix('/') {
        value.text = source.to_owned();
    }
}

fn condition_key(
    source: &Source<'_>,
    text: &str,
    at: usize,
    operator: Operator,
    written: &str,
) -> Result<ConditionKey, PolicyError> {
    let key = ConditionKey::parse(text).map_err(|nearest| {
        let key = text.to_owned();
        let problem = match is_only_on_aws(text) {
            true => Problem::ConditionKeyOfAws { key },
            false => Problem::UnknownConditionKey { key, nearest },
        };
        source.error(at, problem)
    })?;
    let misfit = |reason| Problem::OperatorMisfit {
        operator: written.to_owned(),
        key: key.to_string(),
        reason,
    };
    if !operator.fits(key.kind()) {
        return Err(source.error(
            at,
            misfit("the key holds nothing that the operator could compare"),
        ));
    }
    if key.is_multivalued()
        && operator.set == Set::Single
        && operator.comparison != operator::Comparison::Null
    {
        return Err(source.error(
            at,
            misfit("a key of several values needs ForAnyValue: or ForAllValues:"),
        ));
    }
    Ok(key)
}

impl Condition {
    fn holds(&self, context: &dyn Context) -> Answer {
        let fact = context.fact(&self.key);
        let Some(found) = fact.values() else {
            return Answer::Unknown;
        };
        if let Values::Null(absent) = &self.values {
            return absent.contains(&found.is_empty()).into();
        }
        if found.is_empty() {
            return self.operator.holds_of_nothing().into();
        }
        let holds = |value: &std::borrow::Cow<'_, str>| {
            let fits = self.values.fit(self.operator.comparison, value, context);
            if self.operator.negated { fits.not() } else { fits }
        };
        match self.operator.set {
            Set::AnyValue => Answer::any(found.iter().map(holds)),
            // A key of one value has one here.
            Set::Single | Set::AllValues => Answer::all(found.iter().map(holds)),
        }
    }
}

#[cfg(test)]
mod tests;
