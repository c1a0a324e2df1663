//! What is told of a request: plain data, which a gateway sends as JSON and a command reads again.

use crate::{
    s3::{ErrorCode, S3Error},
    types::{BucketName, ObjectKey},
};

use super::{Cause, canonical::Difference, search, words};

/// What would become of a request, and why.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Explanation {
    /// Would it pass?
    pub passes: bool,
    /// HTTP's status of a refusal.
    pub status: Option<u16>,
    /// S3's code of a refusal.
    pub code: Option<String>,
    /// S3's message of a refusal.
    pub message: Option<String>,
    /// What would happen and what to change, in one sentence or two.
    pub conclusion: String,
    /// What went wrong, the first thing to mend first.
    pub causes: Vec<Told>,
    /// What was signed against what arrived, where that is known.
    pub differences: Vec<Difference>,
    /// What to know of a link that passes.
    pub remarks: Vec<Told>,
    /// The way of the request.
    pub steps: Vec<Step>,
    /// How many other texts were held against the signature.
    pub tries: usize,
    /// What would be opened, if it is there.
    #[serde(skip)]
    pub(super) opens: Opens,
}

/// A cause or a remark in words.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Told {
    /// A short name that never changes.
    pub name: String,
    /// What it is.
    pub what: String,
    /// What to change.
    pub fix: String,
}

/// One step of a request's way.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// How it ended.
    pub state: StepState,
    /// What was seen, computed or decided.
    pub evidence: Vec<(String, String)>,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// The request got by.
    Passed,
    /// It ended here.
    Refused,
    /// It ended before.
    NotReached,
}

/// What a request that passes opens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Opens {
    /// Nothing.
    #[default]
    Nothing,
    /// A bucket.
    Bucket(BucketName),
    /// An object. `hidden`: its signer would not be told that it is not there.
    Object {
        /// The bucket.
        bucket: BucketName,
        /// The key.
        key: ObjectKey,
        /// May its absence not be told?
        hidden: bool,
    },
}

/// What there is of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is there.
    There,
    /// There is no such bucket.
    NoSuchBucket,
    /// There is no such key.
    NoSuchKey,
}

impl From<&Cause> for Told {
    fn from(cause: &Cause) -> Self {
        Self {
            name: cause.name().to_owned(),
            what: words::redacted(&cause.what()),
            fix: words::redacted(&cause.fix()),
        }
    }
}

/// The refusal with this error, for what was found.
pub(super) fn explanation(error: &S3Error, found: &search::Found, steps: Vec<Step>) -> Explanation {
    let mut explanation = Explanation {
        passes: false,
        status: Some(error.code().status().as_u16()),
        code: Some(error.code().name().to_owned()),
        message: Some(error.text().to_owned()),
        conclusion: String::new(),
        causes: found.causes.iter().map(Told::from).collect(),
        differences: found.differences.clone(),
        remarks: Vec::new(),
        steps,
        tries: found.tries,
        opens: Opens::Nothing,
    };
    explanation.conclude();
    explanation
}

impl Explanation {
    /// What the request would open, to be looked for by whoever has the store.
    pub fn opens(&self) -> &Opens {
        &self.opens
    }

    /// Takes what there is of it into account.
    pub fn knowing(mut self, presence: Presence) -> Self {
        let bucket = match &self.opens {
            Opens::Nothing => return self,
            Opens::Bucket(bucket) | Opens::Object { bucket, .. } => bucket.as_str().to_owned(),
        };
        let (cause, code) = match (presence, &self.opens) {
            (Presence::There, _) => {
                self.object_step(StepState::Passed, "it is there".to_owned());
                return self;
            }
            (Presence::NoSuchBucket, _) => (Cause::NoSuchBucket { bucket }, ErrorCode::NoSuchBucket),
            (Presence::NoSuchKey, Opens::Object { key, hidden, .. }) => {
                let (key, hidden) = (key.as_str().to_owned(), *hidden);
                let code = if hidden {
                    ErrorCode::AccessDenied
                } else {
                    ErrorCode::NoSuchKey
                };
                (Cause::NoSuchKey { bucket, key, hidden }, code)
            }
            (Presence::NoSuchKey, _) => return self,
        };
        self.object_step(StepState::Refused, cause.what());
        self.refuse(&S3Error::new(code), &cause);
        self
    }

    /// Takes into account what a request that was seen ended in, where that is not what signature and policy say.
    pub fn ended_in(mut self, error: (u16, &str), reason: &str, message: &str) -> Self {
        if self.passes {
            let cause = Cause::Later {
                reason: reason.to_owned(),
                message: message.to_owned(),
            };
            self.passes = false;
            self.status = Some(error.0);
            self.code = Some(error.1.to_owned());
            self.message = Some(message.to_owned());
            self.causes = vec![Told::from(&cause)];
            self.conclude();
        }
        self
    }

    fn object_step(&mut self, state: StepState, what: String) {
        let what = vec![("object".to_owned(), what)];
        self.steps.push(Step {
            name: "object".to_owned(),
            state,
            evidence: what,
        });
    }

    fn refuse(&mut self, error: &S3Error, cause: &Cause) {
        self.passes = false;
        self.status = Some(error.code().status().as_u16());
        self.code = Some(error.code().name().to_owned());
        self.message = Some(error.text().to_owned());
        self.causes = vec![Told::from(cause)];
        self.conclude();
    }

    /// What would happen, why, and what to change.
    fn conclude(&mut self) {
        let (status, code) = (
            self.status.unwrap_or_default(),
            self.code.as_deref().unwrap_or_default(),
        );
        self.conclusion = match self.causes.first() {
            Some(first) => format!(
                "It is refused with {status} {code}, since {}. To mend it: {}.",
                first.what, first.fix
            ),
            None => format!(
                "It is refused with {status} {code}: the signature fits neither the request nor any of {} others that were tried. Compare the canonical request below with the one that the client computed; if they are the same, the secret is another.",
                self.tries
            ),
        };
    }
}
