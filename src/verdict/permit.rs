//! Leave to do one thing. What was authorised travels in a [`Permit`], so that nothing else can be opened; what a request names only in
//! its body is asked for key by key, under the snapshot that decided the request.

use std::sync::Arc;

use crate::{
    policy::{Decision, Denial, StatementReference},
    s3::{
        CompleteMultipartUpload, CopyObject, CreateMultipartUpload, ListBuckets, ListMultipartUploads,
        ListObjects, ListParts, Operation, PostObject, ReadObject, Target, UploadPart, UploadPartCopy,
        WantedAttributes, WriteObject,
    },
    sigv4::Verified,
    types::{Action, BucketName, ObjectKey, Tag, UploadId, WriteCondition},
};

use super::{
    Refusal,
    context::ObjectTags,
    grounds::{Grounds, Later},
    need::Need,
};

/// Leave to do one thing to what it names. Only [`authorize`](super::authorize) makes one.
pub struct Permit {
    pub(super) permitted: Permitted,
    pub(super) bucket: Option<BucketName>,
    pub(super) grounds: Arc<Grounds>,
}

/// What a permit allows: an operation, what it names, and its arguments.
pub enum Permitted {
    /// GetObject.
    GetObject(BucketName, ObjectKey, ReadObject),
    /// HeadObject.
    HeadObject(BucketName, ObjectKey, ReadObject),
    /// GetObjectAttributes.
    GetObjectAttributes(BucketName, ObjectKey, WantedAttributes),
    /// PutObject.
    PutObject(BucketName, ObjectKey, Box<WriteObject>),
    /// PostObject.
    PostObject(BucketName, ObjectKey, Box<PostObject>),
    /// CopyObject to this bucket and key; the source, in its arguments, is authorised too.
    CopyObject(BucketName, ObjectKey, Box<CopyObject>),
    /// DeleteObject.
    DeleteObject(BucketName, ObjectKey, WriteCondition),
    /// DeleteObjects in this bucket: each key by [`Permit::delete`].
    DeleteObjects(BucketName),
    /// GetObjectTagging.
    GetObjectTagging(BucketName, ObjectKey),
    /// PutObjectTagging.
    PutObjectTagging(BucketName, ObjectKey),
    /// DeleteObjectTagging.
    DeleteObjectTagging(BucketName, ObjectKey),
    /// CreateMultipartUpload.
    CreateMultipartUpload(BucketName, ObjectKey, Box<CreateMultipartUpload>),
    /// UploadPart.
    UploadPart(BucketName, ObjectKey, Box<UploadPart>),
    /// UploadPartCopy to this bucket and key; the source, in its arguments, is authorised too.
    UploadPartCopy(BucketName, ObjectKey, Box<UploadPartCopy>),
    /// CompleteMultipartUpload.
    CompleteMultipartUpload(BucketName, ObjectKey, Box<CompleteMultipartUpload>),
    /// AbortMultipartUpload.
    AbortMultipartUpload(BucketName, ObjectKey, UploadId),
    /// ListParts.
    ListParts(BucketName, ObjectKey, ListParts),
    /// ListMultipartUploads.
    ListMultipartUploads(BucketName, ListMultipartUploads),
    /// ListObjects.
    ListObjects(BucketName, ListObjects),
    /// ListObjectsV2.
    ListObjectsV2(BucketName, ListObjects),
    /// ListBuckets.
    ListBuckets(ListBuckets),
    /// CreateBucket.
    CreateBucket(BucketName),
    /// HeadBucket.
    HeadBucket(BucketName),
    /// DeleteBucket.
    DeleteBucket(BucketName),
    /// GetBucketLocation.
    GetBucketLocation(BucketName),
    /// GetBucketCors.
    GetBucketCors(BucketName),
    /// PutBucketCors.
    PutBucketCors(BucketName),
    /// DeleteBucketCors.
    DeleteBucketCors(BucketName),
    /// A setting that nobody can have set, of a bucket.
    UnsetOfBucket(BucketName, Operation),
    /// A setting that nobody can have set, of an object.
    UnsetOfObject(BucketName, ObjectKey, Operation),
}

/// What became known on the way of a request, for the conditions that hang on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Learned<'l> {
    /// The tags of the object that was opened; none where there is no object.
    pub object_tags: &'l [Tag],
    /// The tags that take effect, if the head does not hold them: those of the body, those that a
    /// copy takes from its source, or those that a multipart upload began with.
    pub request_tags: Option<&'l [Tag]>,
}

/// What may be used, now that every condition on the object itself is decided. Only [`Permit::release`] makes one.
#[derive(Debug)]
pub struct Released<T>(T);

impl<T> Released<T> {
    /// What it is.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// What it is.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Whether a condition on an object's content may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// It may.
    Allowed,
    /// The object's own tags decide.
    DependsOnTags,
}

/// Leave to delete one more object, under the permit of the request that names it in its body.
pub struct PermittedKey {
    bucket: BucketName,
    key: ObjectKey,
    grounds: Arc<Grounds>,
}

impl Permit {
    /// AWS's name for what it allows.
    pub fn operation(&self) -> Operation {
        self.grounds.operation
    }

    /// The name of the signer to whom it is given.
    pub fn signer(&self) -> &str {
        &self.grounds.request.signer
    }

    /// What it allows.
    pub fn permitted(&self) -> &Permitted {
        &self.permitted
    }

    /// The bucket that it is about; none for all of them.
    pub fn bucket(&self) -> Option<&BucketName> {
        self.bucket.as_ref()
    }

    /// What the signature proved.
    pub fn verified(&self) -> &Verified {
        &self.grounds.request.verified
    }

    /// The statement that allows it; none where each key is asked for by itself.
    pub fn statement(&self) -> Option<&StatementReference> {
        self.grounds.statement.as_ref()
    }

    /// What it rests on, to be kept for as long as what it permits lasts.
    pub fn grounds(&self) -> &Arc<Grounds> {
        &self.grounds
    }

    /// Does the permission hang on what is not known before the object is opened, or the body read?
    pub fn is_pending(&self) -> bool {
        self.grounds.pending
    }

    /// Releases what was opened of this bucket and key, once the conditions on it hold too. What is sent must be what `learned` tells of.
    pub fn release<T>(
        &self,
        (bucket, key): (&BucketName, &ObjectKey),
        learned: Learned<'_>,
        opened: T,
    ) -> Result<Released<T>, Refusal> {
        let of_it = |need: &&Need| matches!(&need.target, Target::Object(b, k) if (b, k) == (bucket, key));
        let grounds = &self.grounds;
        if let Some(tags) = learned.request_tags {
            self.takes_effect_with(tags);
        }
        let of_this = || grounds.needs.iter().filter(of_it);
        of_this().for_each(|need| need.learn(learned.object_tags));
        for need in of_this().filter(|_| grounds.pending) {
            let tags = match need.opened {
                true => ObjectTags::Known(learned.object_tags),
                false => ObjectTags::Absent,
            };
            match self.grounds.decide(need, tags, learned.request_tags) {
                Decision::Allow(_) => {}
                Decision::Deny(denial) => return Err(need.denied(&self.grounds.request, denial)),
                Decision::Undecided => return Err(need.denied(&self.grounds.request, Denial::Implicit)),
            }
        }
        Ok(Released(opened))
    }

    /// The refusal of a request whose permission hangs on the tags of an object, if those cannot be
    /// known. None: it hangs on nothing of the kind.
    pub fn without_tags(&self) -> Option<Refusal> {
        let grounds = &self.grounds;
        let opened = grounds.needs.iter().filter(|need| grounds.pending && need.opened);
        opened
            .map(|need| (need, grounds.decide(need, ObjectTags::Unknown, None)))
            .find(|(_, decision)| !decision.is_allowed())
            .map(|(need, _)| need.denied(&grounds.request, Denial::Implicit))
    }

    /// Keeps the tags that take effect, for what is asked under a later policy.
    pub fn takes_effect_with(&self, tags: &[Tag]) {
        _ = self.grounds.later.request_tags.set(tags.to_vec());
    }

    /// May the signer list the bucket, and so know that a key does not exist?
    pub fn may_list(&self, bucket: &BucketName) -> bool {
        let list = Need::new(Action::ListBucket, Target::Bucket(bucket.clone()), false);
        self.grounds.decide(&list, ObjectTags::Absent, None).is_allowed()
    }

    /// Whether the signer may read the tags of an object, which has these.
    pub fn may_read_tags(&self, (bucket, key): (&BucketName, &ObjectKey), tags: &[Tag]) -> bool {
        let read = object_need(Action::GetObjectTagging, (bucket, key), true);
        self.grounds
            .decide(&read, ObjectTags::Known(tags), None)
            .is_allowed()
    }

    /// Asks for the deletion of one key that the body names, under the same snapshot and for the same
    /// signer. If the deletion `compares` with the object, reading it is decided again with it.
    pub fn delete(
        &self,
        bucket: &BucketName,
        key: ObjectKey,
        compares: bool,
    ) -> Result<PermittedKey, Refusal> {
        let delete = object_need(Action::DeleteObject, (bucket, &key), false);
        let read = compares.then(|| object_need(Action::GetObject, (bucket, &key), true));
        match self.grounds.decide(&delete, ObjectTags::Absent, None) {
            Decision::Allow(by) => Ok(PermittedKey {
                bucket: bucket.clone(),
                key,
                grounds: Arc::new(Grounds {
                    operation: self.grounds.operation,
                    needs: std::iter::once(delete).chain(read).collect(),
                    pending: compares,
                    request: self.grounds.request.clone(),
                    snapshot: self.grounds.snapshot.clone(),
                    statement: Some(by),
                    later: Later::default(),
                }),
            }),
            Decision::Deny(denial) => Err(delete.denied(&self.grounds.request, denial)),
            Decision::Undecided => Err(delete.denied(&self.grounds.request, Denial::Implicit)),
        }
    }

    /// Whether the signer may read an object that the body names with a condition on its content.
    /// `tags` are the object's own, if it was opened.
    pub fn may_compare(
        &self,
        object: (&BucketName, &ObjectKey),
        tags: Option<&[Tag]>,
    ) -> Result<Comparison, Refusal> {
        let read = object_need(Action::GetObject, object, true);
        let known = tags.map_or(ObjectTags::Unknown, ObjectTags::Known);
        match self.grounds.decide(&read, known, None) {
            Decision::Allow(_) => Ok(Comparison::Allowed),
            Decision::Undecided if tags.is_none() => Ok(Comparison::DependsOnTags),
            Decision::Undecided => Err(read.denied(&self.grounds.request, Denial::Implicit)),
            Decision::Deny(denial) => Err(read.denied(&self.grounds.request, denial)),
        }
    }

    /// Whether these tags may be read from the one object and set on the other. A copy asks once it
    /// has seen that there are tags; both questions are asked again of every later policy.
    pub fn may_copy_tags(
        &self,
        from: (&BucketName, &ObjectKey),
        to: (&BucketName, &ObjectKey),
        tags: &[Tag],
    ) -> Result<(), Refusal> {
        let read = object_need(Action::GetObjectTagging, from, true);
        read.learn(tags);
        let set = object_need(Action::PutObjectTagging, to, false);
        self.may_also(vec![read, set], tags)
    }

    /// Whether an object may be given these tags. A completion asks once it has seen those of its
    /// upload.
    pub fn may_set_tags(&self, object: (&BucketName, &ObjectKey), tags: &[Tag]) -> Result<(), Refusal> {
        self.may_also(vec![object_need(Action::PutObjectTagging, object, false)], tags)
    }

    fn may_also(&self, needs: Vec<Need>, tags: &[Tag]) -> Result<(), Refusal> {
        let needs = self.grounds.later.needs.get_or_init(|| needs);
        for need in needs {
            match self.grounds.decide(need, need.object_tags(), Some(tags)) {
                Decision::Allow(_) => {}
                Decision::Deny(denial) => return Err(need.denied(&self.grounds.request, denial)),
                Decision::Undecided => return Err(need.denied(&self.grounds.request, Denial::Implicit)),
            }
        }
        Ok(())
    }
}

fn object_need(action: Action, (bucket, key): (&BucketName, &ObjectKey), opened: bool) -> Need {
    Need::new(action, Target::Object(bucket.clone(), key.clone()), opened)
}

impl PermittedKey {
    /// The object's bucket.
    pub fn bucket(&self) -> &BucketName {
        &self.bucket
    }

    /// The object's key.
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// What the permission rests on, to be asked again before the deletion takes effect.
    pub fn grounds(&self) -> &Arc<Grounds> {
        &self.grounds
    }
}
