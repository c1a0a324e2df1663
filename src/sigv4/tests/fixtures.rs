//! Every fixture verifies, over the canonical request and string to sign that it states.

use std::{fs, path::Path};

use super::{super::Reject, fixtures};
use crate::sigv4::{Payload, Presigned, Streaming};

fn stated(folder: &Path, file: &str) -> String {
    let text = fs::read_to_string(folder.join(file)).unwrap();
    text.strip_suffix('\n').unwrap().to_owned()
}

#[test]
fn every_fixture_verifies() {
    for (name, folder, request) in fixtures() {
        let verified = request
            .verify()
            .unwrap_or_else(|reject| panic!("{name}: {reject}"));
        assert_eq!(
            verified.seed_signature().expose_hex(),
            stated(&folder, "signature.txt"),
            "{name}"
        );
        let head = request.head();
        let query = head.query().unwrap();
        let named = Presigned::parse(&query).unwrap().link_id();
        assert_eq!(named, Some(verified.link_id()), "{name}");
        assert_eq!(verified.target().authority, request.host, "{name}");
        assert_eq!(
            Ok(verified.target().path.clone()),
            head.canonical_path(),
            "{name}"
        );
    }
}

#[test]
fn a_mismatch_tells_what_was_computed_and_what_was_given() {
    for (name, folder, request) in fixtures() {
        let provided = "0".repeat(64);
        let Err(Reject::Mismatch(mismatch)) = request.set("X-Amz-Signature", &provided).verify() else {
            panic!("{name}");
        };
        let canonical_request = stated(&folder, "canonical-request.txt");
        assert_eq!(
            mismatch.canonical_request.as_ref().unwrap().expose(),
            canonical_request,
            "{name}"
        );
        assert_eq!(
            mismatch.canonical_request.as_ref().unwrap().expose_bytes(),
            canonical_request.as_bytes(),
            "{name}"
        );
        assert_eq!(
            mismatch.string_to_sign.expose(),
            stated(&folder, "string-to-sign.txt"),
            "{name}"
        );
        assert_eq!(mismatch.signature_provided.expose(), provided, "{name}");
        let id = if name == "get-object-slash-in-access-key-id" {
            "team/alice"
        } else {
            "AKIAIOSFODNN7EXAMPLE"
        };
        assert_eq!(mismatch.access_key_id.as_str(), id, "{name}");
    }
}

#[test]
fn the_declared_payload_comes_out_of_a_verified_request() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let mut hash = [0; 32];
    hex::decode_to_slice(empty, &mut hash).unwrap();
    for (name, _, request) in fixtures() {
        let expected = match name.as_str() {
            "put-object-streaming" => Payload::Streaming(Streaming::Hmac),
            "delete-object-hash-in-query" => Payload::Sha256(hash),
            _ => Payload::Unsigned,
        };
        assert_eq!(request.verify().unwrap().payload(), expected, "{name}");
    }
}
