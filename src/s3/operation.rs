//! S3's REST operations by AWS's own names: how each is asked for, and which action it needs.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>

use crate::types::Action;

/// What an operation works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of a signer's buckets.
    Service,
    /// One bucket.
    Bucket,
    /// One object.
    Object,
}

/// How an operation is asked for.
pub(super) struct Route {
    pub(super) operation: Operation,
    pub(super) scope: Scope,
    /// The HTTP method.
    pub(super) method: &'static str,
    /// The query parameter that marks it, empty where none does.
    pub(super) marker: &'static str,
}

/// Defines operations: name, scope, method, the query parameter that marks it (or `""`), and the action that it needs on its scope.
/// `None` stands where the request's head does not name every resource: the operation authorises them itself.
macro_rules! operations {
    ($($name:ident: $scope:ident $method:literal $marker:literal $action:expr;)*) => {
        /// An operation of S3's REST interface.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Operation {
            $(#[doc = concat!("`", $method, "`, marked by `", $marker, "`.")] $name,)*
        }

        impl Operation {
            /// Every operation.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// How each is asked for, in the order in which a request is held against them.
            pub(super) const ROUTES: &[Route] = &[$(Route {
                operation: Self::$name,
                scope: Scope::$scope,
                method: $method,
                marker: $marker,
            }),*];

            /// AWS's name for it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What it works on.
            pub fn scope(self) -> Scope {
                match self { $(Self::$name => Scope::$scope,)* }
            }

            /// Is its object opened before the answer, so that its own tags are known by then?
            /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html#amazons3-actions-as-permissions>
            pub fn opens_object(self) -> bool {
                matches!(
                    self,
                    Self::GetObject
                        | Self::HeadObject
                        | Self::GetObjectAttributes
                        | Self::GetObjectTagging
                        | Self::PutObjectTagging
                        | Self::DeleteObjectTagging
                        | Self::GetObjectAcl
                        | Self::GetObjectLegalHold
                        | Self::GetObjectRetention
                )
            }

            /// The action that it needs on what it works on.
            pub fn action(self) -> Option<Action> {
                match self { $(Self::$name => $action,)* }
            }
        }
    };
}

use Action as A;

// The marked ones of a method come before the unmarked one.
operations! {
    ListBuckets: Service "GET" "" Some(A::ListAllMyBuckets);

    GetBucketAbac: Bucket "GET" "abac" Some(A::GetBucketAbac);
    GetBucketAccelerateConfiguration: Bucket "GET" "accelerate" Some(A::GetAccelerateConfiguration);
    GetBucketAcl: Bucket "GET" "acl" Some(A::GetBucketAcl);
    GetBucketAnalyticsConfiguration: Bucket "GET" "analytics" Some(A::GetAnalyticsConfiguration);
    GetBucketCors: Bucket "GET" "cors" Some(A::GetBucketCORS);
    GetBucketEncryption: Bucket "GET" "encryption" Some(A::GetEncryptionConfiguration);
    GetBucketIntelligentTieringConfiguration: Bucket "GET" "intelligent-tiering" Some(A::GetIntelligentTieringConfiguration);
    GetBucketInventoryConfiguration: Bucket "GET" "inventory" Some(A::GetInventoryConfiguration);
    GetBucketLifecycleConfiguration: Bucket "GET" "lifecycle" Some(A::GetLifecycleConfiguration);
    GetBucketLocation: Bucket "GET" "location" Some(A::GetBucketLocation);
    GetBucketLogging: Bucket "GET" "logging" Some(A::GetBucketLogging);
    GetBucketMetricsConfiguration: Bucket "GET" "metrics" Some(A::GetMetricsConfiguration);
    GetBucketNotificationConfiguration: Bucket "GET" "notification" Some(A::GetBucketNotification);
    GetObjectLockConfiguration: Bucket "GET" "object-lock" Some(A::GetBucketObjectLockConfiguration);
    GetBucketOwnershipControls: Bucket "GET" "ownershipControls" Some(A::GetBucketOwnershipControls);
    GetBucketPolicy: Bucket "GET" "policy" Some(A::GetBucketPolicy);
    GetBucketPolicyStatus: Bucket "GET" "policyStatus" Some(A::GetBucketPolicyStatus);
    GetPublicAccessBlock: Bucket "GET" "publicAccessBlock" Some(A::GetBucketPublicAccessBlock);
    GetBucketReplication: Bucket "GET" "replication" Some(A::GetReplicationConfiguration);
    GetBucketRequestPayment: Bucket "GET" "requestPayment" Some(A::GetBucketRequestPayment);
    GetBucketTagging: Bucket "GET" "tagging" Some(A::GetBucketTagging);
    ListMultipartUploads: Bucket "GET" "uploads" Some(A::ListBucketMultipartUploads);
    GetBucketVersioning: Bucket "GET" "versioning" Some(A::GetBucketVersioning);
    ListObjectVersions: Bucket "GET" "versions" Some(A::ListBucketVersions);
    GetBucketWebsite: Bucket "GET" "website" Some(A::GetBucketWebsite);
    CreateSession: Bucket "GET" "session" None;
    ListObjectsV2: Bucket "GET" "list-type" Some(A::ListBucket);
    ListObjects: Bucket "GET" "" Some(A::ListBucket);
    HeadBucket: Bucket "HEAD" "" Some(A::ListBucket);

    PutBucketAbac: Bucket "PUT" "abac" Some(A::PutBucketAbac);
    PutBucketAccelerateConfiguration: Bucket "PUT" "accelerate" Some(A::PutAccelerateConfiguration);
    PutBucketAcl: Bucket "PUT" "acl" Some(A::PutBucketAcl);
    PutBucketAnalyticsConfiguration: Bucket "PUT" "analytics" Some(A::PutAnalyticsConfiguration);
    PutBucketCors: Bucket "PUT" "cors" Some(A::PutBucketCORS);
    PutBucketEncryption: Bucket "PUT" "encryption" Some(A::PutEncryptionConfiguration);
    PutBucketIntelligentTieringConfiguration: Bucket "PUT" "intelligent-tiering" Some(A::PutIntelligentTieringConfiguration);
    PutBucketInventoryConfiguration: Bucket "PUT" "inventory" Some(A::PutInventoryConfiguration);
    PutBucketLifecycleConfiguration: Bucket "PUT" "lifecycle" Some(A::PutLifecycleConfiguration);
    PutBucketLogging: Bucket "PUT" "logging" Some(A::PutBucketLogging);
    PutBucketMetricsConfiguration: Bucket "PUT" "metrics" Some(A::PutMetricsConfiguration);
    PutBucketNotificationConfiguration: Bucket "PUT" "notification" Some(A::PutBucketNotification);
    PutObjectLockConfiguration: Bucket "PUT" "object-lock" Some(A::PutBucketObjectLockConfiguration);
    PutBucketOwnershipControls: Bucket "PUT" "ownershipControls" Some(A::PutBucketOwnershipControls);
    PutBucketPolicy: Bucket "PUT" "policy" Some(A::PutBucketPolicy);
    PutPublicAccessBlock: Bucket "PUT" "publicAccessBlock" Some(A::PutBucketPublicAccessBlock);
    PutBucketReplication: Bucket "PUT" "replication" Some(A::PutReplicationConfiguration);
    PutBucketRequestPayment: Bucket "PUT" "requestPayment" Some(A::PutBucketRequestPayment);
    PutBucketTagging: Bucket "PUT" "tagging" Some(A::PutBucketTagging);
    PutBucketVersioning: Bucket "PUT" "versioning" Some(A::PutBucketVersioning);
    PutBucketWebsite: Bucket "PUT" "website" Some(A::PutBucketWebsite);
    CreateBucket: Bucket "PUT" "" Some(A::CreateBucket);

    DeleteBucketAnalyticsConfiguration: Bucket "DELETE" "analytics" Some(A::PutAnalyticsConfiguration);
    DeleteBucketCors: Bucket "DELETE" "cors" Some(A::PutBucketCORS);
    DeleteBucketEncryption: Bucket "DELETE" "encryption" Some(A::PutEncryptionConfiguration);
    DeleteBucketIntelligentTieringConfiguration: Bucket "DELETE" "intelligent-tiering" Some(A::PutIntelligentTieringConfiguration);
    DeleteBucketInventoryConfiguration: Bucket "DELETE" "inventory" Some(A::PutInventoryConfiguration);
    DeleteBucketLifecycle: Bucket "DELETE" "lifecycle" Some(A::PutLifecycleConfiguration);
    DeleteBucketMetricsConfiguration: Bucket "DELETE" "metrics" Some(A::PutMetricsConfiguration);
    DeleteBucketOwnershipControls: Bucket "DELETE" "ownershipControls" Some(A::PutBucketOwnershipControls);
    DeleteBucketPolicy: Bucket "DELETE" "policy" Some(A::DeleteBucketPolicy);
    DeletePublicAccessBlock: Bucket "DELETE" "publicAccessBlock" Some(A::PutBucketPublicAccessBlock);
    DeleteBucketReplication: Bucket "DELETE" "replication" Some(A::PutReplicationConfiguration);
    DeleteBucketTagging: Bucket "DELETE" "tagging" Some(A::PutBucketTagging);
    DeleteBucketWebsite: Bucket "DELETE" "website" Some(A::DeleteBucketWebsite);
    DeleteBucket: Bucket "DELETE" "" Some(A::DeleteBucket);

    DeleteObjects: Bucket "POST" "delete" None;
    PostObject: Bucket "POST" "" Some(A::PutObject);

    GetObjectAcl: Object "GET" "acl" Some(A::GetObjectAcl);
    GetObjectAttributes: Object "GET" "attributes" Some(A::GetObjectAttributes);
    GetObjectLegalHold: Object "GET" "legal-hold" Some(A::GetObjectLegalHold);
    GetObjectRetention: Object "GET" "retention" Some(A::GetObjectRetention);
    GetObjectTagging: Object "GET" "tagging" Some(A::GetObjectTagging);
    GetObjectTorrent: Object "GET" "torrent" Some(A::GetObjectTorrent);
    ListParts: Object "GET" "uploadId" Some(A::ListMultipartUploadParts);
    GetObject: Object "GET" "" Some(A::GetObject);
    HeadObject: Object "HEAD" "" Some(A::GetObject);

    PutObjectAcl: Object "PUT" "acl" Some(A::PutObjectAcl);
    PutObjectLegalHold: Object "PUT" "legal-hold" Some(A::PutObjectLegalHold);
    PutObjectRetention: Object "PUT" "retention" Some(A::PutObjectRetention);
    PutObjectTagging: Object "PUT" "tagging" Some(A::PutObjectTagging);
    RenameObject: Object "PUT" "renameObject" Some(A::PutObject);
    UpdateObjectEncryption: Object "PUT" "encryption" Some(A::UpdateObjectEncryption);
    UploadPart: Object "PUT" "uploadId" Some(A::PutObject);
    UploadPartCopy: Object "PUT" "uploadId" Some(A::PutObject);
    CopyObject: Object "PUT" "" Some(A::PutObject);
    PutObject: Object "PUT" "" Some(A::PutObject);

    DeleteObjectTagging: Object "DELETE" "tagging" Some(A::DeleteObjectTagging);
    AbortMultipartUpload: Object "DELETE" "uploadId" Some(A::AbortMultipartUpload);
    DeleteObject: Object "DELETE" "" Some(A::DeleteObject);

    RestoreObject: Object "POST" "restore" Some(A::RestoreObject);
    SelectObjectContent: Object "POST" "select" Some(A::GetObject);
    CreateMultipartUpload: Object "POST" "uploads" Some(A::PutObject);
    CompleteMultipartUpload: Object "POST" "uploadId" Some(A::PutObject);
}
