//! The way of a request, step by step, with the evidence of each: what the gateway saw, computed and decided.

use time::OffsetDateTime;

use crate::{
    s3::Target,
    sigv4::{HeaderSigned, InForce, Mechanism, Presigned, Terms, ToSign},
    verdict::{Refusal, Verdict, asked_for},
};

use super::{
    Explainer, Step, StepState,
    canonical::Canonical,
    question::Request,
    words::{instant, redacted, span},
};

/// Everything up to the policy's decision; what comes after it depends on the store.
pub(super) fn steps(explainer: &Explainer<'_>, request: &Request, verdict: &Verdict) -> Vec<Step> {
    let reached = reached(verdict);
    let mut steps = vec![arrived(explainer, request)];
    if let Some(claim) = claim(request) {
        steps.push(claim);
    }
    steps.push(window(explainer, request, reached));
    steps.push(key(explainer, request, verdict, reached));
    steps.push(signature(explainer, request, verdict, reached));
    steps.push(policy(verdict, reached));
    steps
}

/// How far a request came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reached {
    Shape,
    Window,
    Key,
    Signature,
    Policy,
}

fn reached(verdict: &Verdict) -> Reached {
    use crate::sigv4::Reject as R;
    match &verdict.outcome {
        Ok(_) => Reached::Policy,
        Err(refusal) => match refusal {
            Refusal::Query(_) | Refusal::Anonymous => Reached::Shape,
            Refusal::Signature(reject) => match reject {
                R::Expired { .. }
                | R::NotYetValid { .. }
                | R::TooSkewed { .. }
                | R::FormExpired { .. }
                | R::ExpiresOverCap { .. }
                | R::Scope { .. } => Reached::Window,
                R::UnknownAccessKeyId { .. } => Reached::Key,
                R::HeadersNotSigned { .. }
                | R::Mismatch(_)
                | R::UnexpectedToken { .. }
                | R::PayloadHashMalformed { .. }
                | R::PayloadHashMissing
                | R::MalformedUri => Reached::Signature,
                R::SeveralMechanisms { .. }
                | R::SignatureVersion2
                | R::UnsupportedAuthorization { .. }
                | R::MissingParameter
                | R::Algorithm
                | R::DateMalformed
                | R::ExpiresNotANumber
                | R::ExpiresNegative
                | R::ExpiresOverAWeek
                | R::AuthorizationMalformed
                | R::SignedHeadersMalformed { .. }
                | R::DateMissing => Reached::Shape,
            },
            Refusal::Call(_) | Refusal::Revoked(_) | Refusal::Rekeyed(_) | Refusal::Denied { .. } => {
                Reached::Policy
            }
        },
    }
}

fn step(name: &str, state: StepState, evidence: Vec<(&str, String)>) -> Step {
    Step {
        name: name.to_owned(),
        state,
        evidence: evidence
            .into_iter()
            .map(|(name, value)| (name.to_owned(), redacted(&value)))
            .collect(),
    }
}

/// Did the request get by this step?
fn state(step: Reached, reached: Reached) -> StepState {
    match step.cmp(&reached) {
        std::cmp::Ordering::Less => StepState::Passed,
        std::cmp::Ordering::Equal => StepState::Refused,
        std::cmp::Ordering::Greater => StepState::NotReached,
    }
}

fn arrived(explainer: &Explainer<'_>, request: &Request) -> Step {
    let head = &request.head;
    let target = match asked_for(head, explainer.settings) {
        Some(Target::Service) => "all buckets".to_owned(),
        Some(Target::Bucket(bucket)) => format!("bucket {bucket}"),
        Some(Target::Object(bucket, key)) => format!("bucket {bucket}, key {:?}", key.as_str()),
        None => "no bucket that could be one".to_owned(),
    };
    let evidence = vec![
        ("method", head.method().to_string()),
        ("host", head.authority().to_owned()),
        ("path", head.path().to_owned()),
        ("names", target),
    ];
    step("request", StepState::Passed, evidence)
}

/// What the request says of its signature.
fn claim(request: &Request) -> Option<Step> {
    let query = request.head.query().ok()?;
    let mechanism = Mechanism::of(&request.head, &query);
    let by = match mechanism {
        Ok(Mechanism::Presigned) => "query parameters",
        Ok(Mechanism::Header) => "the Authorization header",
        Ok(Mechanism::Form) => "a form",
        Ok(Mechanism::Anonymous) => "nothing",
        Err(_) => "more than one thing, or something that is not Signature Version 4",
    };
    let mut evidence = vec![("signed by", by.to_owned())];
    let name = |wanted| query.first(wanted).map(str::to_owned);
    for (label, parameter) in [
        ("credential", "X-Amz-Credential"),
        ("signed headers", "X-Amz-SignedHeaders"),
    ] {
        evidence.extend(name(parameter).map(|value| (label, value)));
    }
    let state = match mechanism {
        Ok(Mechanism::Presigned | Mechanism::Header | Mechanism::Form) => StepState::Passed,
        Ok(Mechanism::Anonymous) | Err(_) => StepState::Refused,
    };
    Some(step("claim", state, evidence))
}

fn window(explainer: &Explainer<'_>, request: &Request, reached: Reached) -> Step {
    let mut evidence = vec![("now", instant(explainer.now))];
    if let Some((signed_at, expires_at)) = times(request) {
        evidence.push(("signed at", instant(signed_at)));
        if let Some(expires_at) = expires_at {
            let left = (expires_at - explainer.now).whole_seconds();
            evidence.push(("expires at", instant(expires_at)));
            evidence.push(match left > 0 {
                true => ("left", span(left)),
                false => ("expired for", span(-left)),
            });
        }
    }
    step("time and scope", state(Reached::Window, reached), evidence)
}

/// When it was signed and, for a link, until when it lives.
fn times(request: &Request) -> Option<(OffsetDateTime, Option<OffsetDateTime>)> {
    let query = request.head.query().ok()?;
    if let Ok(presigned) = Presigned::parse(&query) {
        let life = query.first("X-Amz-Expires")?.parse().ok()?;
        let expires_at = presigned
            .signed_at()
            .saturating_add(time::Duration::seconds(life));
        return Some((presigned.signed_at(), Some(expires_at)));
    }
    let signed = HeaderSigned::parse(&request.head, &query).ok()?;
    Some((signed.signed_at(), None))
}

fn key(explainer: &Explainer<'_>, request: &Request, verdict: &Verdict, reached: Reached) -> Step {
    let mut evidence = Vec::new();
    if let Some(id) = access_key_id(request) {
        evidence.push(("access key id", id.clone()));
        let owner = explainer
            .snapshot
            .key(&id)
            .map(|key| key.signer().name().to_owned());
        evidence.push(("signer", owner.unwrap_or_else(|| "none".to_owned())));
    }
    if let Some(identity) = &verdict.identity {
        evidence.push(("link id", identity.link_id.to_string()));
    }
    step("key", state(Reached::Key, reached), evidence)
}

fn access_key_id(request: &Request) -> Option<String> {
    let query = request.head.query().ok()?;
    if let Ok(presigned) = Presigned::parse(&query) {
        return Some(presigned.access_key_id().as_str().to_owned());
    }
    let signed = HeaderSigned::parse(&request.head, &query).ok()?;
    Some(signed.access_key_id().as_str().to_owned())
}

fn signature(explainer: &Explainer<'_>, request: &Request, verdict: &Verdict, reached: Reached) -> Step {
    let mut evidence = Vec::new();
    if let Some(origin) = verdict
        .identity
        .as_ref()
        .and_then(|identity| identity.origin.as_ref())
    {
        evidence.push(("public url", origin.to_string()));
    }
    if let Some(texts) = to_sign(explainer, request, verdict) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        // One that cannot be taken apart is not shown: what is a credential in it is not known.
        let canonical = Canonical::parse(&text(&texts.canonical_request));
        evidence.extend(canonical.map(|canonical| ("canonical request", canonical.shown())));
        evidence.push(("string to sign", text(&texts.string_to_sign)));
    }
    step("signature", state(Reached::Signature, reached), evidence)
}

/// The texts behind the signature, also where the link's time is over.
fn to_sign(explainer: &Explainer<'_>, request: &Request, verdict: &Verdict) -> Option<ToSign> {
    let head = &request.head;
    let query = head.query().ok()?;
    let terms = Terms {
        now: times(request).map_or(explainer.now, |(signed_at, _)| signed_at),
        regions: &explainer.settings.regions,
        max_expires: explainer.settings.max_expires,
    };
    let in_force: InForce<'_> = match Mechanism::of(head, &query).ok()? {
        Mechanism::Presigned => Presigned::parse(&query).ok()?.in_force(&terms).ok()?,
        Mechanism::Header => HeaderSigned::parse(head, &query).ok()?.in_force(&terms).ok()?,
        Mechanism::Form | Mechanism::Anonymous => return None,
    };
    let path = head.canonical_path().ok()?;
    let arrived = crate::sigv4::Target {
        authority: head.authority(),
        path: &path,
    };
    let target = verdict
        .outcome
        .as_ref()
        .map_or(arrived, |permit| permit.verified().target());
    in_force.to_sign(head, target).ok()
}

fn policy(verdict: &Verdict, reached: Reached) -> Step {
    let mut evidence = Vec::new();
    match &verdict.outcome {
        Ok(permit) => {
            evidence.push(("operation", permit.operation().name().to_owned()));
            let by = permit
                .statement()
                .map_or_else(|| "asked for key by key".to_owned(), ToString::to_string);
            evidence.push(("allowed by", by));
        }
        Err(refusal) if reached == Reached::Policy => evidence.push(("refused", refusal.to_string())),
        Err(_) => {}
    }
    let state = match (&verdict.outcome, reached) {
        (Ok(_), _) => StepState::Passed,
        (Err(_), Reached::Policy) => StepState::Refused,
        (Err(_), _) => StepState::NotReached,
    };
    step("policy", state, evidence)
}
