//! From a refusal to its causes, in one table without wildcards. What a mismatch hides is looked for elsewhere: see [`search`](super::search).

use http::header::AUTHORIZATION;

use crate::{
    policy::Denial,
    s3::{ErrorCode, Target},
    sigv4::{Reject, ScopeReject},
    types::RequestHead,
    verdict::{self, Refusal},
};

use super::{Cause, Explainer, question::Request, variation::SIX};

/// What the refusal itself says. Empty for a mismatch.
pub(super) fn causes(explainer: &Explainer<'_>, request: &Request, refusal: &Refusal) -> Vec<Cause> {
    let cause = match refusal {
        Refusal::Query(error) => Cause::MalformedUrl {
            problem: error.to_string(),
        },
        Refusal::Signature(reject) => match of_signature(explainer, request, reject) {
            Some(cause) => cause,
            None => return Vec::new(),
        },
        Refusal::Anonymous => Cause::NotSigned,
        Refusal::Call(error) if error.code() == ErrorCode::NotImplemented => Cause::NotImplemented {
            message: error.text().to_owned(),
        },
        Refusal::Call(error) => Cause::Call {
            code: error.code().name(),
            message: error.text().to_owned(),
        },
        Refusal::Revoked(rule) => Cause::Revoked {
            rule: rule.to_string(),
        },
        Refusal::Rekeyed(id) => Cause::SecretChanged {
            access_key_id: id.to_string(),
        },
        Refusal::Denied {
            action,
            denial: Denial::Explicit(statement),
            ..
        } => Cause::ExplicitDeny {
            action: action.name().to_owned(),
            statement: statement.to_string(),
        },
        Refusal::Denied {
            signer,
            action,
            target,
            denial: Denial::Implicit,
        } => {
            let failing = verdict::failing_conditions(&explainer.circumstances(request, explainer.now));
            match failing.is_empty() {
                false => Cause::ConditionFails { statements: failing },
                true => Cause::NoStatement {
                    signer: signer.clone(),
                    action: action.name().to_owned(),
                    arn: arn(target),
                },
            }
        }
    };
    vec![cause]
}

fn arn(target: &Target) -> String {
    match target {
        Target::Service => "*".to_owned(),
        Target::Bucket(bucket) => format!("arn:aws:s3:::{bucket}"),
        Target::Object(bucket, key) => format!("arn:aws:s3:::{bucket}/{}", key.as_str()),
    }
}

fn of_signature(explainer: &Explainer<'_>, request: &Request, reject: &Reject) -> Option<Cause> {
    let given = |name: &str| parameter(&request.head, name);
    Some(match reject {
        Reject::SeveralMechanisms { .. } => Cause::SeveralMechanisms {
            beside_link: request.head.headers().contains_key(AUTHORIZATION)
                && !given("X-Amz-Signature").is_empty(),
        },
        Reject::SignatureVersion2 => Cause::SignatureVersion2,
        Reject::UnsupportedAuthorization { authorization } => Cause::UnsupportedAuthorization {
            // The scheme alone: what follows it may be a password.
            scheme: authorization
                .expose()
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_owned(),
        },
        Reject::MissingParameter => missing(request),
        Reject::Algorithm => Cause::Algorithm {
            given: given("X-Amz-Algorithm"),
        },
        Reject::DateMalformed => Cause::DateMalformed {
            given: given("X-Amz-Date"),
        },
        Reject::ExpiresNotANumber | Reject::ExpiresNegative => Cause::ExpiresInvalid {
            given: given("X-Amz-Expires"),
        },
        Reject::ExpiresOverAWeek => Cause::ExpiresTooLong {
            given: given("X-Amz-Expires"),
            most: 604_800,
        },
        Reject::ExpiresOverCap { max } => Cause::ExpiresTooLong {
            given: given("X-Amz-Expires"),
            most: max.seconds(),
        },
        Reject::Expired {
            expires_seconds: 0, ..
        } => Cause::ExpiresZero,
        Reject::Expired {
            expires_seconds,
            expired_at,
            server_time,
        } => Cause::Expired {
            life: u64::from(*expires_seconds),
            expired_at: *expired_at,
            now: *server_time,
        },
        Reject::NotYetValid {
            signed_at,
            server_time,
            ..
        } => Cause::ClockAhead {
            seconds: (*signed_at - *server_time).whole_seconds(),
        },
        Reject::FormExpired { at } => Cause::FormExpired { at: *at },
        Reject::Scope { reject, .. } => of_scope(reject),
        Reject::AuthorizationMalformed => Cause::AuthorizationMalformed,
        Reject::SignedHeadersMalformed { .. } => Cause::SignedHeadersMalformed,
        Reject::DateMissing => Cause::DateMissing,
        Reject::TooSkewed {
            signed_at,
            server_time,
        } => Cause::ClockSkew {
            seconds: (*signed_at - *server_time).whole_seconds(),
        },
        Reject::PayloadHashMissing => Cause::PayloadHashMissing,
        Reject::UnknownAccessKeyId { access_key_id } => Cause::UnknownAccessKeyId {
            given: access_key_id.as_str().to_owned(),
            known: similar(explainer, access_key_id.as_str()),
        },
        Reject::HeadersNotSigned { names } => Cause::HeadersNotSigned { names: names.clone() },
        Reject::PayloadHashMalformed { .. } => Cause::PayloadHashMalformed,
        Reject::MalformedUri => Cause::MalformedUrl {
            problem: reject.to_string(),
        },
        Reject::Mismatch(_) => return None,
        Reject::UnexpectedToken { .. } => Cause::SessionToken,
    })
}

fn of_scope(reject: &ScopeReject) -> Cause {
    match reject {
        ScopeReject::CredentialMalformed => Cause::CredentialMalformed,
        ScopeReject::DateMalformed { given } => Cause::ScopeDate {
            given: given.clone(),
            expected: "yyyyMMdd".to_owned(),
        },
        ScopeReject::DateDiffers { given, expected } => Cause::ScopeDate {
            given: given.clone(),
            expected: expected.clone(),
        },
        ScopeReject::Region { given, expected } => Cause::RegionWrong {
            given: given.clone(),
            expected: expected.clone(),
        },
        ScopeReject::Service { given } => Cause::ServiceWrong { given: given.clone() },
        ScopeReject::Terminator { given } => Cause::TerminatorWrong { given: given.clone() },
    }
}

/// Which of the six are missing; a URL that has but one of them was cut by a shell.
fn missing(request: &Request) -> Cause {
    let Ok(query) = request.head.query() else {
        return Cause::ParametersMissing { names: Vec::new() };
    };
    let names: Vec<_> = SIX.into_iter().filter(|name| !query.has(name)).collect();
    match (query.iter().count(), names.len()) {
        (1, 5) => Cause::ShellCut,
        (_, _) => Cause::ParametersMissing { names },
    }
}

fn parameter(head: &RequestHead, name: &str) -> String {
    let query = head.query().ok();
    let value = query
        .as_ref()
        .and_then(|query| query.first(name))
        .unwrap_or_default();
    value.to_owned()
}

/// A known id that was probably meant: the same in another case, or with something around it.
fn similar(explainer: &Explainer<'_>, given: &str) -> Option<String> {
    let plain = |id: &str| {
        id.trim_matches(|c: char| !c.is_ascii_alphanumeric())
            .to_ascii_lowercase()
    };
    let wanted = plain(given);
    let signers = explainer.snapshot.signers();
    let mut ids = signers
        .flat_map(|signer| explainer.snapshot.keys_of(signer))
        .map(|key| key.access_key_id().as_str());
    ids.find(|id| plain(id) == wanted).map(str::to_owned)
}
