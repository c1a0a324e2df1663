//! The chain of signatures over a body: each covers the one before it, the first the request's own.

use hmac::Mac;
use http::HeaderMap;
use sha2::{Digest, Sha256};

use super::ChunkedReject;
use crate::{
    sigv4::{
        SERVICE, TERMINATOR,
        canonical::signed,
        payload::{Payload, Streaming},
    },
    types::{Signature, SigningKey},
};

/// The chain as far as it holds.
#[derive(Clone)]
pub(in crate::sigv4) struct Chain {
    key: SigningKey,
    /// Date and scope, as both strings to sign carry them.
    dated_scope: String,
    previous: Signature,
}

impl Chain {
    /// The chain that begins with a request's signature; none where the payload's chunks are not signed by us.
    pub(in crate::sigv4) fn of(
        payload: Payload,
        key: &SigningKey,
        date: &str,
        scope_date: &str,
        region: &str,
        seed: &Signature,
    ) -> Option<Self> {
        match payload {
            Payload::Streaming(Streaming::Hmac | Streaming::HmacTrailer) => Some(Self {
                key: key.clone(),
                dated_scope: format!("{date}\n{scope_date}/{region}/{SERVICE}/{TERMINATOR}"),
                previous: seed.clone(),
            }),
            Payload::Streaming(Streaming::UnsignedTrailer | Streaming::Ecdsa | Streaming::EcdsaTrailer)
            | Payload::Unsigned
            | Payload::Sha256(_) => None,
        }
    }

    /// Holds a chunk's signature against the chain, in constant time, and goes on from it.
    pub(super) fn verify_chunk(&mut self, hash: [u8; 32], signature: Signature) -> Result<(), ChunkedReject> {
        let empty = Sha256::digest(b"");
        let hashes = format!("{}\n{}", hex::encode(empty), hex::encode(hash));
        self.holds("AWS4-HMAC-SHA256-PAYLOAD", &hashes, &signature)?;
        self.previous = signature;
        Ok(())
    }

    /// Holds the trailers' signature against the chain.
    pub(super) fn verify_trailers(
        &self,
        names: &[String],
        trailers: &HeaderMap,
        signature: &Signature,
    ) -> Result<(), ChunkedReject> {
        let mut names: Vec<_> = names.iter().collect();
        names.sort_unstable();
        names.dedup();
        let mut hash = Sha256::new();
        for name in names {
            hash.update(name.as_bytes());
            hash.update(b":");
            hash.update(
                trailers
                    .get(name)
                    .map(|value| value.as_bytes())
                    .unwrap_or_default(),
            );
            hash.update(b"\n");
        }
        self.holds(
            "AWS4-HMAC-SHA256-TRAILER",
            &hex::encode(hash.finalize()),
            signature,
        )
    }

    fn holds(&self, algorithm: &str, hashes: &str, signature: &Signature) -> Result<(), ChunkedReject> {
        let string_to_sign = self.string_to_sign(algorithm, hashes);
        signed(&self.key, string_to_sign.as_bytes())
            .verify_slice(signature.expose())
            .map_err(|_| ChunkedReject::Signature)
    }

    fn string_to_sign(&self, algorithm: &str, hashes: &str) -> String {
        let (dated_scope, previous) = (&self.dated_scope, self.previous.expose_hex());
        format!("{algorithm}\n{dated_scope}\n{previous}\n{hashes}")
    }

    /// What a client does: signs a chunk, or the trailers, and goes on.
    #[cfg(test)]
    pub(super) fn sign(&mut self, algorithm: &str, hashes: &str) -> String {
        let mac = signed(&self.key, self.string_to_sign(algorithm, hashes).as_bytes());
        self.previous = Signature::new(mac.finalize().into_bytes().into());
        self.previous.expose_hex()
    }
}
