//! Warnings about conditions that are valid and probably do not do what they seem to.

use crate::types::Action;

use super::{
    super::{
        statement::Version,
        tree::Text,
        warning::{Holds, Warned},
    },
    Condition, ConditionKey, Conditions, PlainKey,
    operator::{Comparison, Operator, Set},
    values::Values,
};

/// Warns of an operator as written and of the values beside it.
pub(super) fn of_values(
    written: &str,
    operator: Operator,
    values: &[Text],
    version: Version,
    warn: &mut dyn FnMut(Warned),
) {
    if operator.set == Set::AnyValue && operator.if_exists {
        warn(Warned::IfExistsWithoutEffect {
            operator: written.to_owned(),
        });
    }
    let exact = matches!(
        operator.comparison,
        Comparison::StringEquals | Comparison::StringEqualsIgnoreCase
    );
    for Text { text, .. } in values {
        if version == Version::V2008 && text.contains("${") {
            warn(Warned::VariableOfOldVersion { text: text.clone() });
        }
        if exact && text.replace("${*}", "").contains('*') {
            warn(Warned::LiteralWildcard {
                operator: written.to_owned(),
                value: text.clone(),
            });
        }
    }
}

impl Conditions {
    /// The `ForAllValues:` conditions that hold for a request without their key, though the key has
    /// one value. A `Null` condition beside one may demand the key; then it is not among them.
    pub(in crate::policy) fn open_without_their_key(&self) -> impl Iterator<Item = Warned> {
        let demanded = |key: &ConditionKey| {
            let demands = |of_key: &Condition| match &of_key.values {
                Values::Null(absent) => of_key.key == *key && !absent.contains(&true),
                _ => false,
            };
            self.0.iter().any(demands)
        };
        let open = self.0.iter().filter(move |condition| {
            let every = condition.operator.set == Set::AllValues;
            every && !condition.key.is_multivalued() && !demanded(&condition.key)
        });
        open.map(|condition| Warned::HoldsWithoutKey {
            key: condition.key.to_string(),
        })
    }

    /// The conditions on a key that no request for any of these actions has.
    pub(in crate::policy) fn without_their_key(
        &self,
        action: &str,
        contains: impl Fn(Action) -> bool,
    ) -> impl Iterator<Item = Warned> {
        let misplaced = self.0.iter().filter(move |condition| {
            let has = condition.key.only_of().iter().any(|action| contains(*action));
            let compares = !matches!(condition.values, Values::Null(_)) && !condition.operator.if_exists;
            !condition.key.only_of().is_empty() && compares && !has
        });
        misplaced.map(move |condition| Warned::KeyOfOtherAction {
            key: condition.key.to_string(),
            action: action.to_owned(),
            holds: match condition.operator.holds_of_nothing() {
                true => Holds::Always,
                false => Holds::Never,
            },
        })
    }
}

impl ConditionKey {
    /// The actions whose requests alone have the key; none for a key of any request.
    fn only_of(&self) -> &'static [Action] {
        match self {
            Self::Plain(PlainKey::Prefix | PlainKey::Delimiter | PlainKey::MaxKeys) => {
                &[Action::ListBucket, Action::ListBucketVersions]
            }
            Self::Plain(PlainKey::CopySource) => &[Action::PutObject],
            Self::Plain(_) | Self::ExistingObjectTag(_) | Self::RequestObjectTag(_) => &[],
        }
    }
}
