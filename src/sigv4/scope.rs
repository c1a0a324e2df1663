//! The credential and its scope: `AKID/yyyyMMdd/region/service/aws4_request`. `X-Amz-Credential`, or the `Credential` of an Authorization
//! header, goes in, the access key id
//! and the scope come out; the scope is then checked part by part, not only used.
//!
//! Stricter than AWS is known to be: an id that is empty, over 128 bytes or holds white space is a malformed credential.

use super::{
    SERVICE, TERMINATOR,
    reject::ScopeReject,
    window::{Terms, date_of},
};
use crate::types::{AccessKeyId, Region, cut_last};

/// The four parts behind the access key id, as they were sent.
#[derive(Clone, Copy)]
pub(super) struct Scope<'h> {
    pub(super) date: &'h str,
    region: &'h str,
    service: &'h str,
    terminator: &'h str,
}

impl<'h> Scope<'h> {
    /// Splits from the right, since an access key id may hold a `/`.
    pub(super) fn parse(credential: &'h str) -> Result<(AccessKeyId, Self), ScopeReject> {
        let parted = |text| cut_last(text, b'/').ok_or(ScopeReject::CredentialMalformed);
        let (front, terminator) = parted(credential)?;
        let (front, service) = parted(front)?;
        let (front, region) = parted(front)?;
        let (id, date) = parted(front)?;
        let id = AccessKeyId::parse(id).map_err(|_| ScopeReject::CredentialMalformed)?;
        let scope = Self {
            date,
            region,
            service,
            terminator,
        };
        Ok((id, scope))
    }

    /// Checks date, region, service and terminator, in this order. `signed` is `X-Amz-Date`. The region that fits comes out.
    pub(super) fn check(&self, signed: &str, terms: &Terms<'_>) -> Result<Region, ScopeReject> {
        let given = |part: &str| part.to_owned();
        // What was signed is a date: it was read already.
        let expected = signed.get(..8).unwrap_or_default();
        if self.date != expected {
            return Err(match date_of(self.date) {
                None => ScopeReject::DateMalformed {
                    given: given(self.date),
                },
                Some(_) => ScopeReject::DateDiffers {
                    given: given(self.date),
                    expected: given(expected),
                },
            });
        }
        let region = terms.regions.iter().find(|r| r.as_str() == self.region);
        let region = region.ok_or_else(|| ScopeReject::Region {
            given: given(self.region),
            expected: terms
                .regions
                .first()
                .map_or_else(String::new, |r| r.as_str().to_owned()),
        })?;
        if self.service != SERVICE {
            return Err(ScopeReject::Service {
                given: given(self.service),
            });
        }
        if self.terminator != TERMINATOR {
            return Err(ScopeReject::Terminator {
                given: given(self.terminator),
            });
        }
        Ok(region.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_has_an_id_and_four_parts_and_the_id_may_hold_slashes() {
        for (credential, id) in [
            ("AKID/20130524/us-east-1/s3/aws4_request", "AKID"),
            ("a/b/20130524/us-east-1/s3/aws4_request", "a/b"),
            ("/a/20130524/us-east-1/s3/aws4_request", "/a"),
        ] {
            let (found, scope) = Scope::parse(credential).unwrap_or_else(|_| panic!("{credential}"));
            assert_eq!((found.as_str(), scope.date), (id, "20130524"));
        }
        for malformed in [
            "",
            "AKID",
            "20130524/us-east-1/s3/aws4_request",
            "/20130524/us-east-1/s3/aws4_request",
            "a b/20130524/us-east-1/s3/aws4_request",
        ] {
            let reject = Scope::parse(malformed).err().unwrap();
            assert_eq!(reject, ScopeReject::CredentialMalformed, "{malformed}");
        }
    }
}
