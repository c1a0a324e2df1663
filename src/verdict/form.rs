//! May this form pass? It is signed by its policy, which says what may be sent; bucket and key are where it was sent and what it names, once
//! every condition of the policy holds of them.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::Method;

use crate::{
    s3::{Call, Form, PostObject, PostPolicy, S3Error, Target, is_post_object},
    sigv4::{self, FormFields, FormSigned, Mechanism, Reject, Verified},
    types::{BucketName, RequestHead},
};

use super::{
    Authenticated, Circumstances, Identity, Permit, Refusal, Settings, Verdict, authenticate::terms,
    authorize::grant, context::Said, grounds::not_revoked, origin::Origin, reserved::refuse_reserved,
};

/// Is it a form, as far as its head says: a POST to a bucket that nothing signs and no parameter marks? Then its fields are to be read first.
pub fn is_form(head: &RequestHead, settings: &Settings) -> bool {
    if head.method() != Method::POST {
        return false;
    }
    let Ok(query) = head.query() else { return false };
    let asks = |origin: Origin<'_>| {
        let target = origin.target(settings);
        target.is_ok_and(|target| is_post_object(head.method(), &target, &query))
    };
    matches!(Mechanism::of(head, &query), Ok(Mechanism::Anonymous))
        && Origin::readings(head, settings).is_ok_and(|readings| readings.into_iter().any(asks))
}

/// Authenticates a form by its policy's signature, holds it against the policy, then authorises it.
pub fn decide_form(circumstances: &Circumstances<'_>, form: &Form) -> Verdict {
    let mut identity = None;
    let outcome = permit(circumstances, form, &mut identity);
    Verdict { identity, outcome }
}

fn permit(
    circumstances: &Circumstances<'_>,
    form: &Form,
    identity: &mut Option<Identity>,
) -> Result<Permit, Refusal> {
    let Circumstances {
        head, snapshot, now, ..
    } = *circumstances;
    refuse_reserved(head, &head.query()?).map_err(Refusal::Call)?;
    let claim = FormSigned::parse(fields(form)?)?.in_force(&terms(circumstances))?;
    let key = snapshot
        .key(claim.access_key_id().as_str())
        .ok_or_else(|| claim.unknown_key())?;
    let (date, region) = (claim.scope_date(), claim.region().as_str());
    let signing_key = snapshot.signing_key(&key, date, region, |secret| {
        sigv4::signing_key(secret, date, region)
    });
    // The signature says nothing of the bucket: it holds, or not, for every place that the form can have been sent to.
    let arrived = Origin::of(circumstances.head, circumstances.settings).map_err(Reject::from)?;
    let verified = claim.verify(arrived.signed(), &signing_key)?;
    let known = identity.insert(Identity::new(key.signer(), &verified, None));
    not_revoked(&key, &verified, snapshot, now)?;
    let document = STANDARD.decode(form.required("policy").map_err(Refusal::Call)?);
    let policy = PostPolicy::parse(&document.unwrap_or_default()).map_err(Refusal::Call)?;
    if now >= policy.expiration() {
        return Err(Refusal::Signature(Reject::FormExpired {
            at: policy.expiration(),
        }));
    }
    let (place, verified, size) = covered(circumstances, form, &policy, verified, |origin| {
        claim.verify(origin.signed(), &signing_key)
    })?;
    let (object_key, post) = PostObject::parse(form, size).map_err(Refusal::Call)?;
    let authenticated = Authenticated {
        key,
        verified,
        target: Target::Object(place.bucket, object_key),
        origin: place.origin,
    };
    known.target = Some(authenticated.target.clone());
    known.origin.clone_from(&authenticated.origin);
    let call = Call::PostObject(Box::new(post));
    let said = Said::of_form(&call, form);
    grant(authenticated, call, said, circumstances)
}

/// Where a form was sent.
struct Place {
    bucket: BucketName,
    origin: Option<Arc<str>>,
}

/// The bucket for which the policy holds, of those that the form can have been sent to. Where it holds for none, the answer is the one for the
/// request as it arrived.
fn covered(
    circumstances: &Circumstances<'_>,
    form: &Form,
    policy: &PostPolicy,
    as_it_arrived: Verified,
    verify: impl Fn(&Origin<'_>) -> Result<Verified, Reject>,
) -> Result<(Place, Verified, std::ops::RangeInclusive<u64>), Refusal> {
    let Circumstances { head, settings, .. } = *circumstances;
    let check = |origin: &Origin<'_>| -> Result<_, S3Error> {
        let bucket = match origin.target(settings)? {
            Target::Bucket(bucket) => bucket,
            Target::Service | Target::Object(..) => {
                return Err(S3Error::method_not_allowed("POST", "OBJECT"));
            }
        };
        let size = policy.check(form, &bucket)?;
        let origin = origin.public_text();
        Ok((Place { bucket, origin }, size))
    };
    for origin in Origin::readings(head, settings).map_err(Reject::from)? {
        if let Ok((place, size)) = check(&origin) {
            return Ok((place, verify(&origin)?, size));
        }
    }
    let arrived = Origin::of(head, settings).map_err(Reject::from)?;
    let (place, size) = check(&arrived).map_err(Refusal::Call)?;
    Ok((place, as_it_arrived, size))
}

/// The fields of the signature. A form with none of them is signed by nobody.
fn fields(form: &Form) -> Result<FormFields<'_>, Refusal> {
    let version_2 = form.field("awsaccesskeyid").is_some() || form.field("signature").is_some();
    let version_4 = form.field("x-amz-signature").is_some() || form.field("x-amz-credential").is_some();
    match (version_4, version_2) {
        (true, true) => {
            return Err(Refusal::Signature(Reject::SeveralMechanisms {
                authorization: None,
            }));
        }
        (false, true) => return Err(Refusal::Signature(Reject::SignatureVersion2)),
        (false, false) if form.field("policy").is_none() => return Err(Refusal::Anonymous),
        (_, false) => {}
    }
    let required = |name| form.required(name).map_err(Refusal::Call);
    // The key is looked for first, as on AWS.
    required("key")?;
    Ok(FormFields {
        policy: required("policy")?,
        algorithm: required("x-amz-algorithm")?,
        credential: required("x-amz-credential")?,
        date: required("x-amz-date")?,
        signature: required("x-amz-signature")?,
        session_token: form.field("x-amz-security-token"),
    })
}
