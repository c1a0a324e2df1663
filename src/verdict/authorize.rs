//! May the signer do this, by the policy in force? In goes an [`Authenticated`]; out comes a [`Permit`], which nothing else
//! can make, or the denial with its reason.

use crate::{
    policy::{Decision, StatementReference},
    s3::{Call, ErrorCode, Operation, ReadObject, S3Error, Scope, Target},
    sigv4::{Payload, Verified},
    types::{Action, BucketName, ObjectKey, Query, Resource},
};

use super::{Authenticated, Circumstances, Refusal};

/// Leave to do one thing to one object. What was authorised travels in it, so that nothing else can be opened.
pub struct Permit {
    permitted: Permitted,
    verified: Verified,
    signer: String,
    statement: StatementReference,
    may_list: bool,
    generation: u64,
}

/// What a permit allows.
pub enum Permitted {
    /// GetObject on this bucket and key.
    GetObject(BucketName, ObjectKey, ReadObject),
    /// HeadObject on this bucket and key.
    HeadObject(BucketName, ObjectKey, ReadObject),
}

impl Permit {
    /// What it allows.
    pub fn permitted(&self) -> &Permitted {
        &self.permitted
    }

    /// What the signature proved.
    pub fn verified(&self) -> &Verified {
        &self.verified
    }

    /// The name of the signer.
    pub fn signer(&self) -> &str {
        &self.signer
    }

    /// The statement that allows it.
    pub fn statement(&self) -> &StatementReference {
        &self.statement
    }

    /// May the signer list the bucket, and so know that a key does not exist?
    pub fn may_list(&self) -> bool {
        self.may_list
    }

    /// The snapshot under which it was given.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

/// Reads the call from what was signed, and asks the policy for the action that it needs. An operation that is not built
/// says so only to those who might use it.
pub fn authorize(
    authenticated: Authenticated<'_>,
    circumstances: &Circumstances<'_>,
    query: &Query<'_>,
) -> Result<Permit, Refusal> {
    let Authenticated {
        signer,
        verified,
        target,
    } = authenticated;
    let Circumstances {
        head,
        snapshot,
        settings,
        ..
    } = *circumstances;
    let call = Call::parse(
        head.method(),
        &target,
        query,
        head.headers(),
        &settings.account_id,
    )
    .map_err(Refusal::Call)?;
    let operation = call.operation();
    let evaluate = |action, resource| snapshot.evaluate(signer, action, resource);
    let decision = operation
        .action()
        .map(|action| (action, evaluate(action, resource(operation, &target))));
    let statement = match decision {
        None => None,
        Some((_, Decision::Allow(statement))) => Some(statement),
        Some((action, Decision::Deny(denial))) => {
            return Err(Refusal::Denied {
                signer: signer.name().to_owned(),
                action,
                target,
                denial,
            });
        }
    };
    let may_list = target
        .bucket()
        .is_some_and(|bucket| evaluate(Action::ListBucket, Resource::Bucket(bucket)).is_allowed());
    let permitted = match (call, target) {
        (Call::GetObject(read), Target::Object(bucket, key)) => Permitted::GetObject(bucket, key, read),
        (Call::HeadObject(read), Target::Object(bucket, key)) => Permitted::HeadObject(bucket, key, read),
        (Call::GetObject(_) | Call::HeadObject(_) | Call::Other(_), _) => {
            return Err(not_implemented(operation));
        }
    };
    if let Payload::Streaming(_) = verified.payload() {
        return Err(Refusal::StreamingPayload);
    }
    let statement = statement.ok_or_else(|| not_implemented(operation))?;
    let (signer, generation) = (signer.name().to_owned(), snapshot.generation());
    Ok(Permit {
        permitted,
        verified,
        signer,
        statement,
        may_list,
        generation,
    })
}

fn resource(operation: Operation, target: &Target) -> Resource<'_> {
    match (operation.scope(), target) {
        (Scope::Service, _) | (_, Target::Service) => Resource::Service,
        (Scope::Bucket | Scope::Object, Target::Bucket(bucket)) => Resource::Bucket(bucket),
        (Scope::Bucket | Scope::Object, Target::Object(bucket, key)) => Resource::Object(bucket, key),
    }
}

fn not_implemented(operation: Operation) -> Refusal {
    let message = format!("{} is not implemented.", operation.name());
    Refusal::Call(S3Error::new(ErrorCode::NotImplemented).message(message))
}
