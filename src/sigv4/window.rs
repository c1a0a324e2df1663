//! The time window and the scope of a presigned request. A [`Presigned`] and the [`Terms`] of the moment go in, an [`InForce`]
//! comes out: the one thing from which a signature can be verified, so that no expired link ever gets that far.
//!
//! Stricter than AWS: a link ends at its last second, not after it, and the operator may set a shorter life than a week. A
//! date in the future is refused beyond 15 minutes, so a link lives at most its life and those 15 minutes from the day on
//! which it could first be used.

use time::{Date, Duration, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

use super::{MAX_EXPIRES_SECONDS, Mechanism, claim::Claim, presigned::Presigned, reject::Reject};
use crate::types::{AccessKeyId, LinkId, Region, Signature, Span};

/// How far a signer's clock may be ahead, as AWS allows.
pub(super) const SKEW: Duration = Duration::minutes(15);

/// What a link must fit at this moment.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The time of the request, by the gateway's clock.
    pub now: OffsetDateTime,
    /// The regions that a credential scope may name, the gateway's own (which errors tell) first.
    pub regions: &'a [Region],
    /// The longest life that a link may have here; AWS's week counts where this is longer.
    pub max_expires: Span,
}

/// A signed request within its time and with the right scope, whose signature is still to be verified. Only
/// [`Presigned::in_force`] and [`HeaderSigned::in_force`](super::HeaderSigned::in_force) make it.
///
/// ```compile_fail
/// fn log(link: &postern::sigv4::InForce<'_>) { println!("{link:?}"); }
/// ```
#[derive(Clone)]
pub struct InForce<'h> {
    pub(super) claim: Claim<'h>,
    pub(super) region: Region,
    pub(super) expires_at: OffsetDateTime,
}

impl<'h> Presigned<'h> {
    /// Checks life, time window and scope, in this order.
    pub fn in_force(self, terms: &Terms<'_>) -> Result<InForce<'h>, Reject> {
        let life = u64::from(self.expires_seconds);
        if life > terms.max_expires.seconds().min(MAX_EXPIRES_SECONDS) {
            return Err(Reject::ExpiresOverCap {
                max: terms.max_expires,
            });
        }
        let now = terms.now;
        let claim = self.claim;
        let expires_at = claim
            .signed_at
            .saturating_add(Duration::seconds(i64::from(self.expires_seconds)));
        if life == 0 || now >= expires_at {
            return Err(Reject::Expired {
                expires_seconds: self.expires_seconds,
                expired_at: expires_at,
                server_time: now,
            });
        }
        if claim.signed_at > now.saturating_add(SKEW) {
            return Err(Reject::NotYetValid {
                signed_at: claim.signed_at,
                expires_at,
                server_time: now,
            });
        }
        let region = claim
            .scope
            .check(&claim.date, terms)
            .map_err(Mechanism::Presigned.rejecting())?;
        Ok(InForce {
            claim,
            region,
            expires_at,
        })
    }
}

impl InForce<'_> {
    /// The access key id that the credential names.
    pub fn access_key_id(&self) -> &AccessKeyId {
        &self.claim.access_key_id
    }

    /// The scope's date as `yyyyMMdd`, for [`signing_key`](super::signing_key).
    pub fn scope_date(&self) -> &str {
        self.claim.scope.date
    }

    /// The scope's region: one of those of the terms.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The link's name for logs and revocation; none where the signature's text is no signature.
    pub fn link_id(&self) -> Option<LinkId> {
        self.claim.signature.as_ref().map(Signature::link_id)
    }

    /// When the request was signed.
    pub fn signed_at(&self) -> OffsetDateTime {
        self.claim.signed_at
    }

    /// From when on it is expired.
    pub fn expires_at(&self) -> OffsetDateTime {
        self.expires_at
    }

    /// The refusal, where no signer has this access key id.
    pub fn unknown_key(&self) -> Reject {
        Reject::UnknownAccessKeyId {
            access_key_id: self.claim.access_key_id.clone(),
        }
    }
}

/// Takes `yyyyMMdd'T'HHmmss'Z'`, 16 ASCII characters and no other form.
pub(super) fn parse_date(text: &str) -> Option<OffsetDateTime> {
    let [date @ .., b'T', h, h1, m, m1, s, s1, b'Z'] = text.as_bytes() else {
        return None;
    };
    let time = Time::from_hms(two([*h, *h1])?, two([*m, *m1])?, two([*s, *s1])?).ok()?;
    Some(PrimitiveDateTime::new(day(date)?, time).assume_utc())
}

/// Takes `yyyyMMdd`.
pub(super) fn date_of(text: &str) -> Option<Date> {
    day(text.as_bytes())
}

fn day(digits: &[u8]) -> Option<Date> {
    let [y, y1, y2, y3, m, m1, d, d1] = <[u8; 8]>::try_from(digits).ok()?;
    let year = i32::from(two([y, y1])?) * 100 + i32::from(two([y2, y3])?);
    Date::from_calendar_date(year, Month::try_from(two([m, m1])?).ok()?, two([d, d1])?).ok()
}

/// The number of two digits.
fn two([ten, one]: [u8; 2]) -> Option<u8> {
    let digits = ten.is_ascii_digit() && one.is_ascii_digit();
    digits.then(|| (ten - b'0') * 10 + (one - b'0'))
}

/// Writes `yyyyMMdd'T'HHmmss'Z'`.
pub(super) fn format_date(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    let month = u8::from(at.month());
    let (year, day) = (at.year(), at.day());
    let (hour, minute, second) = at.to_hms();
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn only_the_long_format_is_a_date() {
        assert_eq!(
            parse_date("20130524T235960Z"),
            None,
            "a leap second has no time of its own"
        );
        assert_eq!(
            parse_date("20130524T010203Z"),
            Some(datetime!(2013-05-24 1:02:03 UTC))
        );
        for malformed in [
            "",
            "20130524",
            "20130524T010203",
            "20130524t010203z",
            "2013-05-24T01:02:03Z",
            "20130524T0102030Z",
            "20130524T01020Z",
            "20131324T010203Z",
            "20130230T010203Z",
            "20130524T250203Z",
            "2013052+T010203Z",
            "20130524T+10203Z",
            "é013052T010203Z",
            "20130524T0é203Z",
        ] {
            assert_eq!(parse_date(malformed), None, "{malformed}");
        }
    }

    #[test]
    fn a_written_date_reads_back() {
        let at = datetime!(2026-11-24 4:05:06 UTC);
        assert_eq!(format_date(at), "20261124T040506Z");
        assert_eq!(parse_date(&format_date(at)), Some(at));
        assert_eq!(
            format_date(datetime!(2026-11-24 1:00 +2)),
            "20261123T230000Z",
            "the wire's time is UTC"
        );
    }
}
