//! What the tests of this module share: a policy in force from its text alone, and a question asked in text.

use crate::types::{Action, BucketName, ObjectKey, Resource};

use super::{Context, Decision, GivenContext, PolicyFile, References, Snapshot};

/// Puts a policy that refers to nothing in force.
pub(super) fn snapshot(text: &str) -> Snapshot {
    let compiled = PolicyFile::parse(text, "policy.toml").and_then(|file| file.compile(&References::new()));
    let compiled = compiled.unwrap_or_else(|error| panic!("{error}"));
    Snapshot::new(compiled, 7, "digest".to_owned())
}

/// Asks for a decision; a resource is an ARN, or `*` for the service.
pub(super) fn decide(snapshot: &Snapshot, signer: &str, action: &str, resource: &str) -> Decision {
    decide_in(snapshot, signer, action, resource, &GivenContext::default())
}

/// The same for a request that says this of itself.
pub(super) fn decide_in(
    snapshot: &Snapshot,
    signer: &str,
    action: &str,
    resource: &str,
    context: &dyn Context,
) -> Decision {
    let (signer, action) = (snapshot.signer(signer).unwrap(), Action::parse(action).unwrap());
    let Some(name) = resource.strip_prefix("arn:aws:s3:::") else {
        return snapshot.evaluate(signer, action, Resource::Service, context);
    };
    let (bucket, key) = name
        .split_once('/')
        .map_or((name, None), |(bucket, key)| (bucket, Some(key)));
    let bucket = BucketName::parse(bucket).unwrap();
    match key.map(|key| ObjectKey::parse(key).unwrap()) {
        Some(key) => snapshot.evaluate(signer, action, Resource::Object(&bucket, &key), context),
        None => snapshot.evaluate(signer, action, Resource::Bucket(&bucket), context),
    }
}
