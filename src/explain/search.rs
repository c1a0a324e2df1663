//! What did the client sign, where the signature does not match? One variation after another is tried, then two at a time, within a bound. What holds
//! is certain: a signature has 256 bits. Nothing here lets a request pass. Each text that is made and hashed is paid from
//! the explanation's budget; once that is spent, the search ends.

use crate::sigv4::{Mismatch, Trial, TrialHash};

use super::{
    Arrived, Cause, Explainer,
    canonical::{Canonical, Difference},
    question::Request,
    variation::{self, Variation},
};

/// A kind of variation may make so large a share of the texts that the budget pays for.
const SHARE_OF_A_KIND: u64 = 8;

/// The most texts that are tried for one signature.
pub(super) const MOST_TRIES: usize = 20_000;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// One cause, or two that come together. Empty: nothing that was tried holds.
    pub(super) causes: Vec<Cause>,
    /// What was signed against what arrived.
    pub(super) differences: Vec<Difference>,
    /// How many texts were tried.
    pub(super) tries: usize,
}

/// Looks for what was signed.
pub(super) fn search(explainer: &Explainer<'_>, request: &Request, mismatch: &Mismatch) -> Found {
    let facts = Found {
        causes: facts(mismatch),
        ..Found::default()
    };
    let text = mismatch.canonical_request.as_ref().map(|text| text.expose());
    let canonical = text.as_deref().and_then(Canonical::parse);
    let (Some(trial), Some(canonical)) = (Trial::of(mismatch), canonical) else {
        return facts;
    };
    let Some(key) = explainer.snapshot.key(mismatch.access_key_id.as_str()) else {
        return facts;
    };
    let scope = trial.scope().clone();
    let right_key = explainer
        .snapshot
        .signing_key(&key, &scope.date, &scope.region, |secret| {
            crate::sigv4::signing_key(secret, &scope.date, &scope.region)
        });
    let url_host = request.url_host().filter(|host| host != canonical.host());
    let base = canonical.bytes();
    let (size, budget) = (base.len(), explainer.budget);
    let arrived = Arrived {
        most_of_a_kind: budget.tries_within(size, SHARE_OF_A_KIND),
        explainer,
        head: &request.head,
        canonical: &canonical,
        url_host: url_host.as_deref(),
        body_sha256: request.body_sha256.as_deref(),
    };
    if !budget.try_one(size) {
        return facts;
    }
    let mut variations = variation::variations(&arrived);
    // Making them costs about as much as hashing them.
    if !budget.try_many(size, variations.len()) {
        variations.clear();
    }
    let mut tries = Tries {
        arrived: &canonical,
        found: Found::default(),
    };
    let holds = |hash: &TrialHash| trial.holds(hash, &scope, &right_key);
    let base = TrialHash::of(&base);
    tries.found.tries += 1;
    if trial.is_lowered() && holds(&base) {
        return tries.end(vec![Cause::SignatureCase], &[]);
    }
    // One variation.
    let mut hashes = Vec::with_capacity(variations.len());
    for variation in &variations {
        if !budget.try_one(size) {
            break;
        }
        let hash = TrialHash::of(&made(&canonical, &[variation]).bytes());
        tries.found.tries += 1;
        if holds(&hash) {
            return tries.end(vec![variation.cause.clone()], &[variation]);
        }
        hashes.push(hash);
    }
    // Another key, by itself and with one variation.
    let keys = variation::keys(explainer, &key, &scope, arrived.most_of_a_kind);
    for other in keys.iter().take_while(|_| budget.try_one(0)) {
        tries.found.tries += 1;
        if trial.holds(&base, &other.scope, &other.key) {
            return tries.end(vec![other.cause.clone()], &[]);
        }
    }
    'pairs: for (first, one) in variations.iter().enumerate() {
        for two in variations
            .iter()
            .skip(first + 1)
            .filter(|two| one.change.is_apart_from(&two.change))
        {
            if tries.found.tries >= MOST_TRIES || !budget.try_one(size) {
                break 'pairs;
            }
            tries.found.tries += 1;
            if holds(&TrialHash::of(&made(&canonical, &[one, two]).bytes())) {
                return tries.end(vec![one.cause.clone(), two.cause.clone()], &[one, two]);
            }
        }
    }
    'keys: for other in &keys {
        for (variation, hash) in variations.iter().zip(&hashes) {
            if tries.found.tries >= MOST_TRIES || !budget.try_one(0) {
                break 'keys;
            }
            tries.found.tries += 1;
            if trial.holds(hash, &other.scope, &other.key) {
                let causes = vec![other.cause.clone(), variation.cause.clone()];
                return tries.end(causes, &[variation]);
            }
        }
    }
    let mut causes = facts.causes;
    let missing = missing_headers(request, &canonical);
    if !missing.is_empty() {
        causes.push(Cause::HeaderMissing { names: missing });
    }
    Found {
        causes,
        ..tries.found
    }
}

/// What the signature's text says by itself.
fn facts(mismatch: &Mismatch) -> Vec<Cause> {
    let provided = mismatch.signature_provided.expose();
    let is_hexadecimal = provided.bytes().all(|digit| digit.is_ascii_hexdigit());
    match provided.len() {
        64 if is_hexadecimal => Vec::new(),
        digits if digits < 64 && is_hexadecimal => vec![Cause::SignatureCut { digits }],
        _ => vec![Cause::SignatureMalformed],
    }
}

/// Signed headers that the request does not have.
fn missing_headers(request: &Request, canonical: &Canonical) -> Vec<String> {
    let is_missing = |name: &&String| {
        *name != "host" && !name.is_empty() && !request.head.headers().contains_key(name.as_str())
    };
    let names = canonical
        .headers
        .iter()
        .filter(|(_, value)| value.is_empty())
        .map(|(name, _)| name);
    names.filter(is_missing).cloned().collect()
}

fn made(canonical: &Canonical, variations: &[&Variation]) -> Canonical {
    let mut changed = canonical.clone();
    for variation in variations {
        variation.change.make(&mut changed);
    }
    changed
}

struct Tries<'a> {
    arrived: &'a Canonical,
    found: Found,
}

impl Tries<'_> {
    fn end(self, causes: Vec<Cause>, variations: &[&Variation]) -> Found {
        let signed = made(self.arrived, variations);
        Found {
            causes,
            differences: Canonical::differences(self.arrived, &signed),
            ..self.found
        }
    }
}
