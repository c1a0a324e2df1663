//! A policy file, and a JSON document that it may refer to: understood or refused with a place, and a denial of everything behind it denies everything.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postern::{
    policy::{GivenContext, PolicyFile, Reference, References, Snapshot},
    types::{Action, BucketName, ObjectKey, Resource},
};

fn load(text: &str, document: &str) -> Option<Snapshot> {
    let file = PolicyFile::parse(text, "policy.toml").map_err(|error| error.to_string()).ok()?;
    let mut references = References::new();
    for reference in file.references() {
        let content = match &reference {
            Reference::Document(_) => document.to_owned(),
            Reference::SecretFile(_) | Reference::SecretEnvironment(_) => "secret\n".to_owned(),
        };
        references.insert(reference, content);
    }
    let compiled = file.compile(&references).map_err(|error| error.to_string()).ok()?;
    Some(Snapshot::new(compiled, 1, String::new()))
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (text, document) = text.split_once('\0').unwrap_or((text, "{\"Statement\": []}"));
    let Some(snapshot) = load(text, document) else { return };
    let (bucket, key) = (BucketName::parse("bucket").unwrap(), ObjectKey::parse("folder/key").unwrap());
    let context = GivenContext::default();
    let asked = [
        (Action::GetObject, Resource::Object(&bucket, &key)),
        (Action::ListBucket, Resource::Bucket(&bucket)),
        (Action::ListAllMyBuckets, Resource::Service),
    ];
    for signer in snapshot.signers() {
        for (action, resource) in asked {
            let _ = snapshot.evaluate(signer, action, resource, &context);
            let _ = snapshot.failing_conditions(signer, action, resource, &context).count();
        }
    }
    let _ = snapshot.revocations();
    // `Deny` beats whatever is before it.
    let denied = format!("{text}\n[[statement]]\nEffect = 'Deny'\nAction = 's3:*'\nResource = '*'\n");
    let Some(denied) = load(&denied, document) else { return };
    for signer in denied.signers() {
        for (action, resource) in asked {
            assert!(!denied.evaluate(signer, action, resource, &context).is_allowed());
        }
    }
});
