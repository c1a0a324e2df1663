//! A form signed by its policy. The fields that say so go in, a [`FormSigned`] comes out whose parts are parsed; then, as with a link, what is
//! in force, and a [`Verified`] request. What is signed is the policy's text, which says what the form may send.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html>
//!
//! Stricter than AWS is known to be: a form lives for as long as a link may, counted from its date, whatever expiration its policy names.

use time::{Duration, OffsetDateTime};

use super::{
    ALGORITHM, MAX_EXPIRES_SECONDS, Mechanism, Target, Terms, Verified,
    canonical::signed,
    reject::{ErrorText, Mismatch, Reject},
    scope::Scope,
    window::{SKEW, parse_date},
};
use crate::types::{AccessKeyId, Region, Signature, SigningKey};

use hmac::Mac;

/// The fields of a form that are its signature's.
///
/// ```compile_fail
/// fn log(fields: &postern::sigv4::FormFields<'_>) { println!("{fields:?}"); }
/// ```
#[derive(Clone, Copy)]
pub struct FormFields<'f> {
    /// `policy`, as sent: base64.
    pub policy: &'f str,
    /// `x-amz-algorithm`
    pub algorithm: &'f str,
    /// `x-amz-credential`
    pub credential: &'f str,
    /// `x-amz-date`
    pub date: &'f str,
    /// `x-amz-signature`
    pub signature: &'f str,
    /// `x-amz-security-token`
    pub session_token: Option<&'f str>,
}

/// A signed form, well shaped.
#[derive(Clone)]
pub struct FormSigned<'f> {
    fields: FormFields<'f>,
    access_key_id: AccessKeyId,
    scope: Scope<'f>,
    signed_at: OffsetDateTime,
}

/// A signed form within its time and with the right scope, whose signature is still to be verified.
#[derive(Clone)]
pub struct FormInForce<'f> {
    form: FormSigned<'f>,
    region: Region,
    expires_at: OffsetDateTime,
}

impl<'f> FormSigned<'f> {
    /// Checks the shape: the algorithm, the credential, the date.
    pub fn parse(fields: FormFields<'f>) -> Result<Self, Reject> {
        if fields.algorithm != ALGORITHM {
            return Err(Reject::Algorithm);
        }
        let (access_key_id, scope) = Scope::parse(fields.credential).map_err(Mechanism::Form.rejecting())?;
        let signed_at = parse_date(fields.date).ok_or(Reject::DateMalformed)?;
        Ok(Self {
            fields,
            access_key_id,
            scope,
            signed_at,
        })
    }

    /// Checks time and scope. The policy's own expiration counts only once its signature holds.
    pub fn in_force(self, terms: &Terms<'_>) -> Result<FormInForce<'f>, Reject> {
        let life = terms.max_expires.seconds().min(MAX_EXPIRES_SECONDS);
        let expires_at = self
            .signed_at
            .saturating_add(Duration::seconds(i64::try_from(life).unwrap_or(0)));
        if self.signed_at > terms.now.saturating_add(SKEW) {
            return Err(Reject::NotYetValid {
                signed_at: self.signed_at,
                expires_at,
                server_time: terms.now,
            });
        }
        if terms.now >= expires_at {
            return Err(Reject::FormExpired { at: expires_at });
        }
        let region = self
            .scope
            .check(self.fields.date, terms)
            .map_err(Mechanism::Form.rejecting())?;
        Ok(FormInForce {
            form: self,
            region,
            expires_at,
        })
    }
}

impl FormInForce<'_> {
    /// The access key id that the credential names.
    pub fn access_key_id(&self) -> &AccessKeyId {
        &self.form.access_key_id
    }

    /// The scope's date as `yyyyMMdd`.
    pub fn scope_date(&self) -> &str {
        self.form.scope.date
    }

    /// The scope's region.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The refusal, where no signer has this access key id.
    pub fn unknown_key(&self) -> Reject {
        Reject::UnknownAccessKeyId {
            access_key_id: self.form.access_key_id.clone(),
        }
    }

    /// Verifies the signature in constant time, then that there is no session token. `target` is where the form was sent: the policy, and not the
    /// signature, says whether it may be.
    pub fn verify(&self, target: Target<'_>, key: &SigningKey) -> Result<Verified, Reject> {
        let fields = &self.form.fields;
        let holds = |given: &Signature| {
            signed(key, fields.policy.as_bytes())
                .verify_slice(given.expose())
                .is_ok()
        };
        let Some(signature) = Signature::parse(fields.signature).filter(holds) else {
            return Err(Reject::Mismatch(Box::new(Mismatch {
                access_key_id: self.form.access_key_id.clone(),
                string_to_sign: ErrorText::new(fields.policy),
                signature_provided: ErrorText::new(fields.signature),
                canonical_request: None,
            })));
        };
        if let Some(token) = fields.session_token {
            return Err(Reject::UnexpectedToken {
                token: ErrorText::new(token),
            });
        }
        Ok(Verified::of_form(
            self.form.access_key_id.clone(),
            target,
            self.region.clone(),
            (self.form.signed_at, self.expires_at),
            signature,
        ))
    }
}
