//! Condition operators. In goes an operator as a policy writes it, `ForAnyValue:StringNotLikeIfExists`; out comes what it compares, how,
//! and what it says where a key is absent or has several values.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>

use std::cmp::Ordering;

use super::{super::words::nearest, key::Kind};

/// One operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operator {
    pub(super) comparison: Comparison,
    /// `…Not…`: it holds where nothing listed fits.
    pub(super) negated: bool,
    /// `…IfExists`: it holds if the key is absent, but not with `ForAnyValue:`.
    pub(super) if_exists: bool,
    pub(super) set: Set,
}

/// `ForAnyValue:` and `ForAllValues:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    Single,
    AnyValue,
    AllValues,
}

/// What is compared, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    Numeric(Order),
    Date(Order),
    Bool,
    IpAddress,
    /// `ArnEquals` and `ArnLike` are the same.
    Arn,
    Null,
}

/// What the request's value is to the policy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Equals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

impl Order {
    pub(super) fn holds(self, found: Ordering) -> bool {
        match self {
            Self::Equals => found.is_eq(),
            Self::LessThan => found.is_lt(),
            Self::LessThanEquals => found.is_le(),
            Self::GreaterThan => found.is_gt(),
            Self::GreaterThanEquals => found.is_ge(),
        }
    }
}

const BASES: &[(&str, Comparison, bool)] = &[
    ("StringEquals", Comparison::StringEquals, false),
    ("StringNotEquals", Comparison::StringEquals, true),
    (
        "StringEqualsIgnoreCase",
        Comparison::StringEqualsIgnoreCase,
        false,
    ),
    (
        "StringNotEqualsIgnoreCase",
        Comparison::StringEqualsIgnoreCase,
        true,
    ),
    ("StringLike", Comparison::StringLike, false),
    ("StringNotLike", Comparison::StringLike, true),
    ("NumericEquals", Comparison::Numeric(Order::Equals), false),
    ("NumericNotEquals", Comparison::Numeric(Order::Equals), true),
    ("NumericLessThan", Comparison::Numeric(Order::LessThan), false),
    (
        "NumericLessThanEquals",
        Comparison::Numeric(Order::LessThanEquals),
        false,
    ),
    (
        "NumericGreaterThan",
        Comparison::Numeric(Order::GreaterThan),
        false,
    ),
    (
        "NumericGreaterThanEquals",
        Comparison::Numeric(Order::GreaterThanEquals),
        false,
    ),
    ("DateEquals", Comparison::Date(Order::Equals), false),
    ("DateNotEquals", Comparison::Date(Order::Equals), true),
    ("DateLessThan", Comparison::Date(Order::LessThan), false),
    (
        "DateLessThanEquals",
        Comparison::Date(Order::LessThanEquals),
        false,
    ),
    ("DateGreaterThan", Comparison::Date(Order::GreaterThan), false),
    (
        "DateGreaterThanEquals",
        Comparison::Date(Order::GreaterThanEquals),
        false,
    ),
    ("Bool", Comparison::Bool, false),
    ("IpAddress", Comparison::IpAddress, false),
    ("NotIpAddress", Comparison::IpAddress, true),
    ("ArnEquals", Comparison::Arn, false),
    ("ArnNotEquals", Comparison::Arn, true),
    ("ArnLike", Comparison::Arn, false),
    ("ArnNotLike", Comparison::Arn, true),
    ("Null", Comparison::Null, false),
];

impl Operator {
    /// Reads an operator; `Err` has the nearest known one.
    pub(super) fn parse(text: &str) -> Result<Self, Option<&'static str>> {
        let (set, rest) = match text.split_once(':') {
            Some(("ForAnyValue", rest)) => (Set::AnyValue, rest),
            Some(("ForAllValues", rest)) => (Set::AllValues, rest),
            Some(_) => (Set::Single, text),
            None => (Set::Single, text),
        };
        let (base, if_exists) = match rest.strip_suffix("IfExists") {
            Some(base) => (base, true),
            None => (rest, false),
        };
        let known = BASES.iter().find(|(name, ..)| *name == base);
        let Some((_, comparison, negated)) = known.copied() else {
            return Err(nearest(base, BASES.iter().map(|(name, ..)| *name)));
        };
        if comparison == Comparison::Null && (if_exists || set != Set::Single) {
            return Err(Some("Null"));
        }
        Ok(Self {
            comparison,
            negated,
            if_exists,
            set,
        })
    }

    /// Can values of this kind be compared so? Others would never fit, or always.
    pub(super) fn fits(self, kind: Kind) -> bool {
        match self.comparison {
            Comparison::Null
            | Comparison::StringEquals
            | Comparison::StringEqualsIgnoreCase
            | Comparison::StringLike => true,
            Comparison::Numeric(_) => matches!(kind, Kind::Tag | Kind::Number | Kind::Date),
            Comparison::Date(_) => matches!(kind, Kind::Tag | Kind::Date),
            Comparison::Bool => matches!(kind, Kind::Tag | Kind::Boolean),
            Comparison::IpAddress => matches!(kind, Kind::Tag | Kind::Address),
            Comparison::Arn => matches!(kind, Kind::Tag | Kind::Arn),
        }
    }

    /// Whether it holds for a key that the request does not have.
    ///
    /// `ForAnyValue:` needs a value that fits, also with `IfExists`: without one it is false on
    /// AWS, too.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>
    pub(super) fn holds_of_nothing(self) -> bool {
        match self.set {
            Set::AllValues => true,
            Set::AnyValue => false,
            Set::Single => self.if_exists || self.negated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_of_iam_is_known_with_its_qualifiers() {
        for (name, comparison, negated) in BASES {
            let plain = Operator::parse(name).unwrap();
            assert_eq!(
                (plain.comparison, plain.negated, plain.if_exists, plain.set),
                (*comparison, *negated, false, Set::Single)
            );
            if *comparison != Comparison::Null {
                let full = Operator::parse(&format!("ForAllValues:{name}IfExists")).unwrap();
                assert_eq!(
                    (full.comparison, full.if_exists, full.set),
                    (*comparison, true, Set::AllValues)
                );
            }
        }
    }

    /// Every operator with every qualifier: what an absent key makes of it.
    #[test]
    fn absent_key_never_satisfies_for_any_value() {
        for (name, comparison, negated) in BASES {
            if *comparison == Comparison::Null {
                continue;
            }
            for (set, if_exists, expected) in [
                ("", "", *negated),
                ("", "IfExists", true),
                ("ForAllValues:", "", true),
                ("ForAllValues:", "IfExists", true),
                ("ForAnyValue:", "", false),
                ("ForAnyValue:", "IfExists", false),
            ] {
                let text = format!("{set}{name}{if_exists}");
                let found = Operator::parse(&text).unwrap().holds_of_nothing();
                assert_eq!(found, expected, "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_operator_has_a_nearest_one() {
        for (text, nearest) in [
            ("StringEqual", Some("StringEquals")),
            ("stringlike", Some("StringLike")),
            ("ForAnyValues:StringLike", Some("StringLike")),
            ("NullIfExists", Some("Null")),
            ("ForAnyValue:Null", Some("Null")),
            ("BinaryEquals", None),
            ("IfExists", None),
        ] {
            let found = Operator::parse(text).unwrap_err();
            assert!(
                found == nearest || text == "ForAnyValues:StringLike",
                "{text}: {found:?}"
            );
        }
    }
}
