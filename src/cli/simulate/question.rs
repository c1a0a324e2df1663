//! One question to a policy, as people write it, and its answer.

use time::OffsetDateTime;

use crate::{
    policy::{ConditionKey, Decision, Denial, RevocationReference, Snapshot, Statement},
    types::{Action, BucketName, ObjectKey, Resource},
    verdict::DescribedRequest,
};

use super::Problem;

/// One question.
#[derive(Debug)]
pub(in crate::cli) struct Question {
    signer: String,
    action: Action,
    target: Target,
    context: Vec<(ConditionKey, String)>,
}

#[derive(Debug)]
enum Target {
    Service,
    Bucket(BucketName),
    Object(BucketName, ObjectKey),
}

/// What a policy says.
#[derive(Debug)]
pub(in crate::cli) struct Answer {
    pub(in crate::cli) decision: Decision,
    /// Statements that would speak of it, and whose conditions do not hold: each with them.
    pub(in crate::cli) failing: Vec<String>,
}

impl Answer {
    /// The statement that decides, where one does.
    pub(in crate::cli) fn statement(&self) -> Option<String> {
        match &self.decision {
            Decision::Allow(statement) | Decision::Deny(Denial::Explicit(statement)) => {
                Some(statement.to_string())
            }
            Decision::Deny(Denial::Implicit) | Decision::Undecided => None,
        }
    }
}

impl Question {
    /// Reads a question; a context is `KEY=VALUE`. Only `s3:RequestObjectTagKeys` may be given more than once.
    pub(in crate::cli) fn new(
        signer: &str,
        action: &str,
        resource: &str,
        context: &[impl AsRef<str>],
    ) -> Result<Self, Problem> {
        let mut given = Vec::with_capacity(context.len());
        for pair in context {
            let pair = pair.as_ref();
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| format!("{pair:?} is no KEY=VALUE, such as aws:SourceIp=203.0.113.7"))?;
            let key = ConditionKey::parse(key).map_err(|nearest| match nearest {
                Some(nearest) => format!("{key:?} is no condition key; did you mean {nearest:?}?"),
                None => format!("{key:?} is no condition key; docs/CONFIGURATION.md lists them"),
            })?;
            given.push((key, value.to_owned()));
        }
        Ok(Self {
            signer: signer.to_owned(),
            action: Action::parse(action)
                .ok_or_else(|| format!("{action:?} is no action of S3, such as s3:GetObject"))?,
            target: Target::parse(resource)?,
            context: given,
        })
    }

    /// Asks it. `now` is the time of the request, where the context does not say another.
    pub(in crate::cli) fn ask(
        &self,
        snapshot: &Snapshot,
        account_id: &str,
        now: OffsetDateTime,
    ) -> Result<Answer, Problem> {
        let signer = snapshot
            .signer(&self.signer)
            .ok_or_else(|| format!("there is no signer {:?} in the policy file", self.signer))?;
        let given = self.context.iter().map(|(key, value)| (key, value.as_str()));
        let context = DescribedRequest::new(signer, account_id, now, given)?;
        let resource = match &self.target {
            Target::Service => Resource::Service,
            Target::Bucket(bucket) => Resource::Bucket(bucket),
            Target::Object(bucket, key) => Resource::Object(bucket, key),
        };
        let failing = snapshot.failing_conditions(signer, self.action, resource, &context);
        let failing = failing.map(Statement::with_conditions);
        Ok(Answer {
            failing: failing.collect(),
            decision: snapshot.evaluate(signer, self.action, resource, &context),
        })
    }

    /// The rules that revoke the signer as a whole: whatever the statements say, nothing of it works.
    pub(in crate::cli) fn revoked<'s>(
        &self,
        revocations: &'s [RevocationReference],
    ) -> Option<&'s RevocationReference> {
        revocations
            .iter()
            .find(|rule| rule.signer() == Some(self.signer.as_str()))
    }
}

impl Target {
    fn parse(text: &str) -> Result<Self, Problem> {
        let wanted = || {
            format!(
                "{text:?} is no resource: write arn:aws:s3:::BUCKET/KEY, s3://BUCKET/KEY, a bucket alone, or *"
            )
        };
        if text == "*" {
            return Ok(Self::Service);
        }
        let name = text
            .strip_prefix("arn:aws:s3:::")
            .or_else(|| text.strip_prefix("s3://"))
            .unwrap_or(text);
        let (bucket, key) = match name.split_once('/') {
            Some((bucket, key)) => (bucket, Some(key)),
            None => (name, None),
        };
        let bucket = BucketName::parse(bucket).map_err(|_| wanted())?;
        Ok(match key {
            None => Self::Bucket(bucket),
            Some(key) => Self::Object(bucket, ObjectKey::parse(key).map_err(|_| wanted())?),
        })
    }
}
