//! A statement's actions. In goes what `Action` or `NotAction` lists; out comes a set of bits over all of S3's actions, so that a
//! decision asks one bit. Case does not matter, as in IAM.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html>

use crate::types::Action;

use super::{error::Problem, pattern::Pattern, words::nearest_action};

const WORDS: usize = Action::ALL.len().div_ceil(64);

/// A set of actions.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ActionSet([u64; WORDS]);

/// What one entry of the list names.
pub(super) enum Named {
    /// Actions of S3.
    Actions(ActionSet),
    /// Another service's.
    OtherService,
}

impl ActionSet {
    /// Every action.
    pub(super) fn all() -> Self {
        Action::ALL.iter().copied().fold(Self::default(), Self::with)
    }

    fn with(mut self, action: Action) -> Self {
        let index = action as usize;
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
        self
    }

    /// Whether the action is among them.
    pub(super) fn contains(&self, action: Action) -> bool {
        let index = action as usize;
        self.0
            .get(index / 64)
            .is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// Whether the other set has all of them.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(own, other)| own & !other == 0)
    }

    /// Both sets together.
    pub(super) fn union(mut self, other: Self) -> Self {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word |= other;
        }
        self
    }

    /// All actions but these.
    pub(super) fn complement(&self) -> Self {
        let others = Action::ALL
            .iter()
            .copied()
            .filter(|action| !self.contains(*action));
        others.fold(Self::default(), Self::with)
    }
}

/// Reads one entry: `*`, `s3:GetObject`, `s3:Get*`, `ec2:StartInstances`.
pub(super) fn named(text: &str) -> Result<Named, Problem> {
    if text == "*" {
        return Ok(Named::Actions(ActionSet::all()));
    }
    let malformed = || Problem::MalformedAction {
        action: text.to_owned(),
        nearest: nearest_action(text),
    };
    let (service, name) = text.split_once(':').ok_or_else(malformed)?;
    let service_shaped =
        !service.is_empty() && service.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let name_shaped = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'*' || b == b'?');
    if !service_shaped || !name_shaped {
        return Err(malformed());
    }
    if !service.eq_ignore_ascii_case("s3") {
        return Ok(Named::OtherService);
    }
    let set = matching(text);
    if set == ActionSet::default() {
        return Err(Problem::UnknownAction {
            action: text.to_owned(),
            nearest: nearest_action(text),
        });
    }
    Ok(Named::Actions(set))
}

fn matching(text: &str) -> ActionSet {
    if let Some(action) = Action::parse(text) {
        return ActionSet::default().with(action);
    }
    let pattern = Pattern::of_text(&text.to_ascii_lowercase());
    let fits = |action: &Action| pattern.matches_text(&action.name().to_ascii_lowercase());
    Action::ALL
        .iter()
        .copied()
        .filter(fits)
        .fold(ActionSet::default(), ActionSet::with)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> ActionSet {
        match named(text) {
            Ok(Named::Actions(set)) => set,
            Ok(Named::OtherService) => panic!("{text} is another service's"),
            Err(problem) => panic!("{problem}"),
        }
    }

    fn names(set: ActionSet) -> Vec<&'static str> {
        Action::ALL
            .iter()
            .filter(|action| set.contains(**action))
            .map(|action| action.name())
            .collect()
    }

    #[test]
    fn names_and_patterns_stand_for_their_actions_in_any_case() {
        assert_eq!(names(set("S3:getobject")), ["s3:GetObject"]);
        assert_eq!(names(set("s3:PutObject?cl")), ["s3:PutObjectAcl"]);
        assert_eq!(names(set("s3:DELETEBUCKETP*")), ["s3:DeleteBucketPolicy"]);
        assert!(set("s3:*") == ActionSet::all() && set("*") == ActionSet::all());
        assert_eq!(names(ActionSet::all()).len(), Action::ALL.len());
    }

    #[test]
    fn a_complement_holds_every_other_action() {
        let get = set("s3:Get*");
        for action in Action::ALL {
            assert_ne!(get.contains(*action), get.complement().contains(*action));
        }
    }

    #[test]
    fn what_names_no_action_is_an_error_and_other_services_are_known_as_such() {
        for bad in [
            "",
            "GetObject",
            "s3:",
            ":GetObject",
            "s3:Nope",
            "s3:Gte*",
            "s*:GetObject",
            "s3:Get Object",
            "*:*",
        ] {
            assert!(named(bad).is_err(), "{bad}");
        }
        for other in ["ec2:*", "s3express:CreateSession", "kms:Decrypt"] {
            assert!(matches!(named(other), Ok(Named::OtherService)), "{other}");
        }
    }
}
