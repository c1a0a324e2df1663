//! One question that a request's call asks of the policy: may its signer do this to that?

use std::sync::OnceLock;

use crate::{
    policy::{Decision, Denial, Effect, Signer, Snapshot, Statement},
    s3::Target,
    types::{Action, Resource, Tag},
};

use super::{
    Refusal,
    context::{ObjectTags, RequestContext, Seen},
};

/// One question.
pub(super) struct Need {
    pub(super) action: Action,
    pub(super) target: Target,
    /// Will the object be opened, and its own tags be known then?
    pub(super) opened: bool,
    /// The object's tags, once it was opened.
    object_tags: OnceLock<Vec<Tag>>,
}

impl Need {
    pub(super) fn new(action: Action, target: Target, opened: bool) -> Self {
        Self {
            action,
            target,
            opened,
            object_tags: OnceLock::new(),
        }
    }

    /// Keeps the tags of the object that was opened. The first that is opened counts.
    pub(super) fn learn(&self, tags: &[Tag]) {
        if self.opened {
            _ = self.object_tags.set(tags.to_vec());
        }
    }

    /// What is known by now of the object's own tags.
    pub(super) fn object_tags(&self) -> ObjectTags<'_> {
        match (self.opened, self.object_tags.get()) {
            (false, _) => ObjectTags::Absent,
            (true, None) => ObjectTags::Unknown,
            (true, Some(tags)) => ObjectTags::Known(tags),
        }
    }

    /// Asks it of one snapshot, with what is known by now.
    pub(super) fn decide(
        &self,
        request: &RequestContext,
        signer: &Signer,
        snapshot: &Snapshot,
        object_tags: ObjectTags<'_>,
        later_tags: Option<&[Tag]>,
    ) -> Decision {
        let seen = Seen {
            request,
            object_tags,
            later_tags,
        };
        snapshot.evaluate(signer, self.action, self.resource(), &seen)
    }

    fn resource(&self) -> Resource<'_> {
        match &self.target {
            Target::Service => Resource::Service,
            Target::Bucket(bucket) => Resource::Bucket(bucket),
            Target::Object(bucket, key) => Resource::Object(bucket, key),
        }
    }

    /// The statements that would allow it, were it not for their conditions.
    pub(super) fn failing_conditions(
        &self,
        request: &RequestContext,
        signer: &Signer,
        snapshot: &Snapshot,
    ) -> Vec<String> {
        let seen = Seen {
            request,
            object_tags: ObjectTags::Absent,
            later_tags: None,
        };
        let failing = snapshot.failing_conditions(signer, self.action, self.resource(), &seen);
        failing
            .filter(|statement| statement.effect() == Effect::Allow)
            .map(Statement::with_conditions)
            .collect()
    }

    /// The refusal of it.
    pub(super) fn denied(&self, request: &RequestContext, denial: Denial) -> Refusal {
        Refusal::Denied {
            signer: request.signer.to_string(),
            action: self.action,
            target: self.target.clone(),
            denial,
        }
    }
}
