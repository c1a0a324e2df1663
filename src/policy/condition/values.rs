//! The values that a condition compares with, read once: texts, numbers, dates, addresses. A request's value that is not of that kind fits none.

use std::net::IpAddr;

use ipnet::IpNet;
use time::{OffsetDateTime, format_description::well_known::Iso8601};

use crate::types::address_range;

use super::{
    super::{
        answer::Answer,
        case,
        error::{PolicyError, Problem},
        pattern::Token,
        statement::Version,
        template::{Part, Reading, Template, parts},
        tree::{Source, Text},
    },
    Context,
    key::Kind,
    operator::{Comparison, Operator},
};

/// What is listed for one key.
pub(super) enum Values {
    Texts(Box<[Template]>),
    Numbers(Box<[f64]>),
    Dates(Box<[OffsetDateTime]>),
    Booleans(Box<[bool]>),
    Addresses(Box<[IpNet]>),
    Arns(Box<[ArnTemplate]>),
    /// `true`: the key is absent.
    Null(Box<[bool]>),
}

/// The six parts of an ARN between its colons, each matched by itself.
pub(super) type ArnTemplate = Box<[Template]>;
const ARN_PARTS: usize = 6;

impl Values {
    pub(super) fn parse(
        source: &Source<'_>,
        (operator, kind): (Operator, Kind),
        values: &[Text],
        version: Version,
    ) -> Result<Self, PolicyError> {
        let reading = |wildcards, folded| Reading {
            version,
            wildcards,
            folded,
        };
        let texts = |reading| {
            let template = |text: &str| Template::parse(text, reading);
            each(source, values, template).map(Self::Texts)
        };
        match operator.comparison {
            Comparison::StringEquals => texts(reading(false, false)),
            Comparison::StringEqualsIgnoreCase => texts(reading(false, true)),
            Comparison::StringLike => texts(reading(true, false)),
            Comparison::Arn => each(source, values, |text| arn(text, reading(true, false))).map(Self::Arns),
            Comparison::Numeric(_) => {
                let seconds = kind == Kind::Date;
                let number = |text: &str| match number(text) {
                    Some(_) if seconds && looks_like_a_date(text) => Err(wrong(
                        "seconds since 1970, such as 1795435200, and not a year or a day",
                    )),
                    found => found.ok_or(wrong("a number, such as 10")),
                };
                each(source, values, number).map(Self::Numbers)
            }
            Comparison::Date(_) => {
                let date = |text: &str| {
                    date(text).ok_or(wrong(
                        "a date with an offset, such as 2026-11-23T12:00:00Z, or seconds since 1970 that do not \
                         read as a year or a day",
                    ))
                };
                each(source, values, date).map(Self::Dates)
            }
            Comparison::IpAddress => {
                let address =
                    |text: &str| address(text).ok_or(wrong("an address or a range, such as 203.0.113.0/24"));
                each(source, values, address).map(Self::Addresses)
            }
            Comparison::Bool => each(source, values, boolean).map(Self::Booleans),
            Comparison::Null => each(source, values, boolean).map(Self::Null),
        }
    }

    /// Does what the request has fit any of them?
    pub(super) fn fit(&self, comparison: Comparison, found: &str, context: &dyn Context) -> Answer {
        match self {
            Self::Texts(templates) => {
                let folded = comparison == Comparison::StringEqualsIgnoreCase;
                let in_one_case = folded.then(|| case::folded(found));
                let found = in_one_case.as_deref().unwrap_or(found);
                Answer::any(
                    templates
                        .iter()
                        .map(|template| template.matches_text(found, context, folded)),
                )
            }
            Self::Arns(arns) => {
                let parts: Vec<&str> = found.splitn(ARN_PARTS, ':').collect();
                if parts.len() != ARN_PARTS {
                    return Answer::No;
                }
                Answer::any(arns.iter().map(|arn| {
                    let pairs = arn.iter().zip(&parts);
                    Answer::all(pairs.map(|(template, part)| template.matches_text(part, context, false)))
                }))
            }
            Self::Numbers(numbers) => {
                let Comparison::Numeric(order) = comparison else {
                    return Answer::No;
                };
                // A date is a number too: seconds since 1970.
                let seconds = || date(found).map(|date| date.unix_timestamp() as f64);
                let found = number(found).or_else(seconds);
                let fits = |number: &f64| {
                    found
                        .and_then(|found| found.partial_cmp(number))
                        .is_some_and(|o| order.holds(o))
                };
                numbers.iter().any(fits).into()
            }
            Self::Dates(dates) => {
                let Comparison::Date(order) = comparison else {
                    return Answer::No;
                };
                let found = date(found);
                dates
                    .iter()
                    .any(|date| found.is_some_and(|found| order.holds(found.cmp(date))))
                    .into()
            }
            Self::Booleans(booleans) => boolean(found).is_ok_and(|found| booleans.contains(&found)).into(),
            Self::Addresses(ranges) => {
                let found = found.parse::<IpAddr>().map(|address| address.to_canonical());
                found
                    .is_ok_and(|found| ranges.iter().any(|range| range.contains(&found)))
                    .into()
            }
            Self::Null(_) => Answer::No,
        }
    }
}

fn wrong(expected: &'static str) -> Problem {
    Problem::ConditionValue { expected }
}

fn each<T>(
    source: &Source<'_>,
    values: &[Text],
    read: impl Fn(&str) -> Result<T, Problem>,
) -> Result<Box<[T]>, PolicyError> {
    let value = |value: &Text| read(&value.text).map_err(|problem| source.error(value.at, problem));
    values.iter().map(value).collect()
}

fn number(text: &str) -> Option<f64> {
    let shaped = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    text.parse()
        .ok()
        .filter(|number: &f64| shaped && number.is_finite())
}

/// ISO 8601, or seconds since 1970. A number that reads as a year (`2026`) or as a day without its
/// dashes (`20261124`) is neither: whoever writes it means a date, and as seconds it would be one
/// of 1970.
fn date(text: &str) -> Option<OffsetDateTime> {
    if looks_like_a_date(text) {
        return None;
    }
    match text.parse::<i64>() {
        Ok(seconds) => OffsetDateTime::from_unix_timestamp(seconds).ok(),
        Err(_) => day(text).or_else(|| OffsetDateTime::parse(text, &Iso8601::PARSING).ok()),
    }
}

/// Four digits, or eight that are a day. Also as a number is written: `+2026`, `2026.0`.
fn looks_like_a_date(text: &str) -> bool {
    let whole = number(text).filter(|number| number.fract() == 0.0);
    let as_number = whole.map(|number| format!("{:.0}", number.abs()));
    reads_as_a_date(text) || as_number.is_some_and(|digits| reads_as_a_date(&digits))
}

fn reads_as_a_date(text: &str) -> bool {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_day = || time::Date::parse(text, time::macros::format_description!("[year][month][day]")).is_ok();
    digits && (text.len() == 4 || text.len() == 8 && is_day())
}

/// `2026-11-23`: its midnight in UTC, as AWS reads it.
fn day(text: &str) -> Option<OffsetDateTime> {
    let date = time::Date::parse(text, time::macros::format_description!("[year]-[month]-[day]"));
    date.ok().map(|date| date.midnight().assume_utc())
}

fn boolean(text: &str) -> Result<bool, Problem> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Ok(true),
        _ if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(wrong("true or false")),
    }
}

/// An address, or a range in canonical form. Both are read strictly: a leading zero is an error,
/// since `010` is ten to one reader and eight to another.
fn address(text: &str) -> Option<IpNet> {
    address_range(text).or_else(|| {
        text.parse::<IpAddr>()
            .ok()
            .map(|found| found.to_canonical().into())
    })
}

/// Splits at colons outside of variables, which hold colons of their own.
fn arn(text: &str, reading: Reading) -> Result<ArnTemplate, Problem> {
    let mut arn: Vec<Vec<Part>> = vec![Vec::new()];
    for part in parts(text, reading)? {
        let Part::Tokens(tokens) = part else {
            arn.last_mut()
                .into_iter()
                .for_each(|last| last.push(part.clone()));
            continue;
        };
        let mut rest = tokens.as_slice();
        while let Some(colon) = rest.iter().position(|token| *token == Token::Literal(b':'))
            && arn.len() < ARN_PARTS
        {
            let (front, behind) = rest.split_at_checked(colon).unwrap_or((rest, &[]));
            arn.last_mut()
                .into_iter()
                .for_each(|last| last.push(Part::Tokens(front.to_vec())));
            arn.push(Vec::new());
            rest = behind.get(1..).unwrap_or_default();
        }
        arn.last_mut()
            .into_iter()
            .for_each(|last| last.push(Part::Tokens(rest.to_vec())));
    }
    if arn.len() != ARN_PARTS {
        return Err(wrong("an ARN of six parts, such as arn:aws:iam::*:user/alice"));
    }
    Ok(arn.into_iter().map(Template::of).collect())
}
