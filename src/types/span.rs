//! Spans of time as people write them.

use std::{fmt, time::Duration};

/// A span of whole seconds, written as a number and a unit: `90s`, `15m`, `12h`, `7d`; or seconds alone: `900`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(u64);

/// The text is no span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a span of time is a whole number and one of s, m, h and d, such as 15m")]
pub struct SpanError;

impl Span {
    /// Takes whole seconds.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Takes what a person wrote.
    pub fn parse(text: &str) -> Result<Self, SpanError> {
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(split).ok_or(SpanError)?;
        let factor = match unit {
            "s" | "" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(SpanError),
        };
        let number: u64 = number.parse().map_err(|_| SpanError)?;
        number.checked_mul(factor).map(Self).ok_or(SpanError)
    }

    /// The span in whole seconds.
    pub const fn seconds(self) -> u64 {
        self.0
    }

    /// The span as the standard library's.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
        match units
            .into_iter()
            .find(|(factor, _)| self.0 > 0 && self.0.is_multiple_of(*factor))
        {
            Some((factor, unit)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}s", self.0),
        }
    }
}

impl std::str::FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Span {
    type Error = SpanError;

    fn try_from(text: String) -> Result<Self, SpanError> {
        Self::parse(&text)
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_back_as_written() {
        for (text, seconds) in [
            ("0s", 0),
            ("90s", 90),
            ("15m", 900),
            ("12h", 43_200),
            ("7d", 604_800),
        ] {
            let span = Span::parse(text).unwrap();
            assert_eq!((span.seconds(), span.to_string().as_str()), (seconds, text));
        }
        assert_eq!(Span::parse("900").unwrap().to_string(), "15m");
        for bad in [
            "",
            "m",
            "-1s",
            "1.5h",
            "1w",
            "1 h",
            "99999999999999999999s",
            "18446744073709551615d",
            "1é",
        ] {
            assert_eq!(Span::parse(bad), Err(SpanError), "{bad}");
        }
    }
}
