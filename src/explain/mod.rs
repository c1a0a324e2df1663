//! Why does a request not pass, and what would make it? In go a [`Question`] (a URL as somebody has it, and how it was used), one snapshot of the
//! policy, the settings and the time; out comes an [`Explanation`]. Pure: it walks the same code that the gateway runs, so both say the same.
//!
//! ```text
//! question → (repair) → verdict::decide → steps, causes, remarks → conclusion
//!                              ↓ a mismatch
//!                           search: which other text was signed?
//! ```
//!
//! Explaining never grants: nothing here makes a permit that anybody acts on, no secret comes out, and no signature, least of all a right one for a
//! request that was not signed.

mod budget;
mod canonical;
mod cause;
mod explanation;
mod question;
mod refused;
mod remark;
mod repair;
mod search;
mod steps;
#[cfg(test)]
mod tests;
mod variation;
mod words;

pub use budget::HashBudget;
pub use canonical::Difference;

pub use explanation::{Explanation, Opens, Presence, Step, StepState, Told};
pub use question::Question;

use std::sync::Arc;

use http::Method;
use time::OffsetDateTime;

use crate::{
    policy::Snapshot,
    s3::{ErrorCode, Preflight, S3Error},
    sigv4::{Reject, ScopeReject},
    types::{Client, Region, RequestHead},
    verdict::{self, Circumstances, Permit, Permitted, Refusal, Verdict},
};

use cause::Cause;
use explanation::explanation;
use question::Request;
use variation::Arrived;

/// What everything is explained by.
#[derive(Clone, Copy)]
pub struct Explainer<'a> {
    /// The policy in force.
    pub snapshot: &'a Arc<Snapshot>,
    /// What signatures must fit.
    pub settings: &'a verdict::Settings,
    /// Hosts, with their ports, that the gateway listens on: clients may have signed for one of them.
    pub hosts: &'a [String],
    /// The time of the request.
    pub now: OffsetDateTime,
    /// What the explanation may cost.
    pub budget: &'a HashBudget,
}

impl Explainer<'_> {
    /// Explains a request.
    pub fn explain(&self, question: &Question) -> Explanation {
        match question.request(&question.url) {
            Ok(request) => self.explain_request(question, &request),
            Err(problem) => self.unreadable(question, problem),
        }
    }

    /// Explains a request that arrived.
    pub fn explain_head(&self, head: Arc<RequestHead>, client: Client) -> Explanation {
        let question = Question::of_head(&head, client);
        let request = Request {
            text: question.url.clone(),
            head,
            client,
            body_sha256: None,
        };
        self.explain_request(&question, &request)
    }

    /// Whether a presigned URL's signature holds for some method, its time and its region aside. Nobody says which other
    /// headers were sent, so a link that signs more than the host counts as not genuine.
    pub fn is_genuine(&self, url: &str) -> bool {
        ["GET", "PUT", "HEAD", "POST", "DELETE"]
            .into_iter()
            .any(|method| {
                let question = Question {
                    url: url.to_owned(),
                    method: Some(method.to_owned()),
                    ..Question::default()
                };
                let request = question.request(url);
                request.is_ok_and(|request| matches!(self.leniently(&request), Lenient::Holds(_)))
            })
    }

    fn explain_request(&self, question: &Question, request: &Request) -> Explanation {
        if request.head.method() == Method::OPTIONS {
            return preflight(request);
        }
        let verdict = self.decide(request, self.now);
        match &verdict.outcome {
            Ok(permit) => self.passes(request, &verdict, permit),
            Err(refusal) => self.refused(question, request, &verdict, refusal),
        }
    }

    fn circumstances<'r>(&'r self, request: &'r Request, now: OffsetDateTime) -> Circumstances<'r> {
        Circumstances {
            head: &request.head,
            client: request.client,
            snapshot: self.snapshot,
            settings: self.settings,
            now,
        }
    }

    fn decide(&self, request: &Request, now: OffsetDateTime) -> Verdict {
        verdict::decide(&self.circumstances(request, now))
    }

    fn passes(&self, request: &Request, verdict: &Verdict, permit: &Permit) -> Explanation {
        let opens = opens(permit);
        let left = permit.verified().expires_at() - self.now;
        let conclusion = format!(
            "It passes: {} as {}, for {} more.",
            permit.operation().name(),
            permit.signer(),
            words::span(left.whole_seconds())
        );
        Explanation {
            passes: true,
            status: None,
            code: None,
            message: None,
            conclusion,
            causes: Vec::new(),
            differences: Vec::new(),
            remarks: remark::remarks(self, request, permit),
            steps: steps::steps(self, request, verdict),
            tries: 0,
            opens,
        }
    }

    fn refused(
        &self,
        question: &Question,
        request: &Request,
        verdict: &Verdict,
        refusal: &Refusal,
    ) -> Explanation {
        let mut found = search::Found {
            causes: refused::causes(self, request, refusal),
            ..search::Found::default()
        };
        if is_about_signature(refusal) {
            match self.repaired(question) {
                Some(repaired) => found = repaired,
                None => {
                    self.look_behind(request, refusal, &mut found);
                    // Where trying the request as it arrived found nothing, trying it mended may.
                    if found.differences.is_empty()
                        && let Some(repaired) = self.repaired_in_part(question)
                        && (is_no_link(refusal) || !repaired.differences.is_empty())
                    {
                        found = repaired;
                    }
                }
            }
        }
        explanation(&refusal.s3_error(), &found, steps::steps(self, request, verdict))
    }

    /// No client could send it: what would it be, mended?
    fn unreadable(&self, question: &Question, problem: String) -> Explanation {
        let repaired = self
            .repaired(question)
            .or_else(|| self.repaired_in_part(question));
        let found = repaired.unwrap_or_else(|| search::Found {
            causes: vec![Cause::MalformedUrl { problem }],
            ..search::Found::default()
        });
        explanation(&S3Error::new(ErrorCode::InvalidURI), &found, Vec::new())
    }

    /// A text of the URL whose signature holds: what damaged it, and what else is wrong.
    fn repaired(&self, question: &Question) -> Option<search::Found> {
        repair::repaired(question.url.trim())
            .into_iter()
            .find_map(|(causes, text)| {
                let request = question.request(&text).ok()?;
                match self.leniently(&request) {
                    Lenient::Holds(also) => Some(search::Found {
                        causes: causes.into_iter().chain(also).collect(),
                        ..search::Found::default()
                    }),
                    Lenient::Mismatch(..) | Lenient::Refused => None,
                }
            })
    }

    /// A text of the URL that is a link at least, with what its mismatch comes from.
    fn repaired_in_part(&self, question: &Question) -> Option<search::Found> {
        repair::repaired(question.url.trim())
            .into_iter()
            .find_map(|(causes, text)| {
                let request = question.request(&text).ok()?;
                match self.leniently(&request) {
                    Lenient::Mismatch(mismatch, also) => {
                        let behind = search::search(self, &request, &mismatch);
                        Some(search::Found {
                            causes: causes.into_iter().chain(behind.causes).chain(also).collect(),
                            ..behind
                        })
                    }
                    Lenient::Holds(_) | Lenient::Refused => None,
                }
            })
    }

    /// What else is wrong, behind a time or a region that is; and what a mismatch comes from.
    fn look_behind(&self, request: &Request, refusal: &Refusal, found: &mut search::Found) {
        if let Refusal::Signature(Reject::Mismatch(mismatch)) = refusal {
            *found = search::search(self, request, mismatch);
        } else if let Lenient::Mismatch(mismatch, _) = self.leniently(request) {
            let behind = search::search(self, request, &mismatch);
            found.differences = behind.differences;
            found.tries = behind.tries;
            found.causes.extend(behind.causes);
        }
    }

    /// Would the signature hold, were it not for its time and its region?
    fn leniently(&self, request: &Request) -> Lenient {
        let mut settings = self.settings.clone();
        let mut now = self.now;
        let mut also = Vec::new();
        // Each of them is put aside once.
        for _ in 0..3 {
            let explainer = Explainer {
                settings: &settings,
                ..*self
            };
            let circumstances = explainer.circumstances(request, now);
            let Ok(query) = request.head.query() else {
                return Lenient::Refused;
            };
            if !self.budget.try_one(request.bytes()) {
                return Lenient::Refused;
            }
            let reject = match verdict::authenticate(&circumstances, &query) {
                Ok(_) => return Lenient::Holds(also),
                Err(Refusal::Signature(reject)) => reject,
                Err(_) => return Lenient::Refused,
            };
            also.extend(match &reject {
                Reject::Mismatch(_) => Vec::new(),
                _ => refused::causes(&explainer, request, &Refusal::Signature(reject.clone())),
            });
            match reject {
                Reject::Mismatch(mismatch) => return Lenient::Mismatch(mismatch, also),
                Reject::Expired {
                    expires_seconds,
                    expired_at,
                    ..
                } if expires_seconds > 0 => now = expired_at - time::Duration::SECOND,
                Reject::NotYetValid { signed_at, .. } | Reject::TooSkewed { signed_at, .. } => {
                    now = signed_at
                }
                Reject::Scope {
                    reject: ScopeReject::Region { given, .. },
                    ..
                } => match Region::parse(&given) {
                    Ok(region) => settings.regions.push(region),
                    Err(_) => return Lenient::Refused,
                },
                _ => return Lenient::Refused,
            }
        }
        Lenient::Refused
    }
}

/// What a request comes to when its time and its region are put aside.
enum Lenient {
    /// Its signature holds; what was put aside.
    Holds(Vec<Cause>),
    /// It does not.
    Mismatch(Box<crate::sigv4::Mismatch>, Vec<Cause>),
    /// Something else is wrong.
    Refused,
}

/// Is the refusal one that a damaged URL may cause?
fn is_about_signature(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Query(_) | Refusal::Signature(_) | Refusal::Anonymous => true,
        Refusal::Call(_) | Refusal::Revoked(_) | Refusal::Rekeyed(_) | Refusal::Denied { .. } => false,
    }
}

/// A browser that asks first is answered by the bucket's CORS rules, which only who has the store knows; its signature counts for nothing.
fn preflight(request: &Request) -> Explanation {
    match Preflight::parse(request.head.headers()) {
        Err(error) => {
            let found = search::Found {
                causes: vec![Cause::Call {
                    code: error.code().name(),
                    message: error.text().to_owned(),
                }],
                ..search::Found::default()
            };
            explanation(&error, &found, Vec::new())
        }
        Ok(_) => Explanation {
            passes: true,
            conclusion: "It is a browser's preflight: the bucket's CORS rules answer it, whatever is signed (docs/BROWSERS.md)."
                .to_owned(),
            status: None,
            code: None,
            message: None,
            ..explanation(&S3Error::new(ErrorCode::AccessForbidden), &search::Found::default(), Vec::new())
        },
    }
}

/// Has the text not even the parts of a link?
fn is_no_link(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::Query(_) | Refusal::Anonymous | Refusal::Signature(Reject::MissingParameter)
    )
}

fn opens(permit: &Permit) -> Opens {
    match permit.permitted() {
        Permitted::GetObject(bucket, key, _)
        | Permitted::HeadObject(bucket, key, _)
        | Permitted::GetObjectAttributes(bucket, key, _)
        | Permitted::GetObjectTagging(bucket, key)
        | Permitted::PutObjectTagging(bucket, key)
        | Permitted::DeleteObjectTagging(bucket, key)
        | Permitted::UnsetOfObject(bucket, key, _) => Opens::Object {
            hidden: !permit.may_list(bucket),
            bucket: bucket.clone(),
            key: key.clone(),
        },
        Permitted::CreateBucket(_) | Permitted::ListBuckets(_) => Opens::Nothing,
        _ => permit.bucket().cloned().map_or(Opens::Nothing, Opens::Bucket),
    }
}
