//! What a statement's `Action` names: all of AWS's `s3:` actions, so that a policy written for AWS is understood
//! whole, and a word that is none of them is a mistake rather than a rule that never applies. We are stricter than AWS in
//! nothing here.
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>

use std::fmt;

/// What an action is done to, and so which resource a statement must name to apply to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionLevel {
    /// An object: `arn:aws:s3:::bucket/key`.
    Object,
    /// A bucket: `arn:aws:s3:::bucket`.
    Bucket,
    /// The account, or one of its access points, grants, jobs and lenses.
    Account,
}

macro_rules! actions {
    ($($name:ident: $level:ident,)*) => {
        /// An action of S3, by AWS's own name.
        /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action {
            $(#[doc = concat!("`s3:", stringify!($name), "`")] $name,)*
        }

        impl Action {
            /// Every action, in the order of their names.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name as a policy writes it: `s3:GetObject`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => concat!("s3:", stringify!($name)),)*
                }
            }

            /// What the action is done to, by AWS's table of resource types.
            pub const fn level(self) -> ActionLevel {
                match self {
                    $(Self::$name => ActionLevel::$level,)*
                }
            }
        }
    };
}

actions! {
    AbortMultipartUpload: Object,
    AssociateAccessGrantsIdentityCenter: Account,
    BypassGovernanceRetention: Object,
    CreateAccessGrant: Account,
    CreateAccessGrantsInstance: Account,
    CreateAccessGrantsLocation: Account,
    CreateAccessPoint: Account,
    CreateAccessPointForObjectLambda: Account,
    CreateBucket: Bucket,
    CreateBucketMetadataTableConfiguration: Bucket,
    CreateJob: Account,
    CreateMultiRegionAccessPoint: Account,
    CreateStorageLensGroup: Account,
    DeleteAccessGrant: Account,
    DeleteAccessGrantsInstance: Account,
    DeleteAccessGrantsInstanceResourcePolicy: Account,
    DeleteAccessGrantsLocation: Account,
    DeleteAccessPoint: Account,
    DeleteAccessPointForObjectLambda: Account,
    DeleteAccessPointPolicy: Account,
    DeleteAccessPointPolicyForObjectLambda: Account,
    DeleteBucket: Bucket,
    DeleteBucketMetadataTableConfiguration: Bucket,
    DeleteBucketPolicy: Bucket,
    DeleteBucketWebsite: Bucket,
    DeleteJobTagging: Account,
    DeleteMultiRegionAccessPoint: Account,
    DeleteObject: Object,
    DeleteObjectTagging: Object,
    DeleteObjectVersion: Object,
    DeleteObjectVersionTagging: Object,
    DeleteStorageLensConfiguration: Account,
    DeleteStorageLensConfigurationTagging: Account,
    DeleteStorageLensGroup: Account,
    DescribeJob: Account,
    DescribeMultiRegionAccessPointOperation: Account,
    DissociateAccessGrantsIdentityCenter: Account,
    GetAccelerateConfiguration: Bucket,
    GetAccessGrant: Account,
    GetAccessGrantsInstance: Account,
    GetAccessGrantsInstanceForPrefix: Account,
    GetAccessGrantsInstanceResourcePolicy: Account,
    GetAccessGrantsLocation: Account,
    GetAccessPoint: Account,
    GetAccessPointConfigurationForObjectLambda: Account,
    GetAccessPointForObjectLambda: Account,
    GetAccessPointPolicy: Account,
    GetAccessPointPolicyForObjectLambda: Account,
    GetAccessPointPolicyStatus: Account,
    GetAccessPointPolicyStatusForObjectLambda: Account,
    GetAccountPublicAccessBlock: Account,
    GetAnalyticsConfiguration: Bucket,
    GetBucketAbac: Bucket,
    GetBucketAcl: Bucket,
    GetBucketCORS: Bucket,
    GetBucketLocation: Bucket,
    GetBucketLogging: Bucket,
    GetBucketMetadataTableConfiguration: Bucket,
    GetBucketNotification: Bucket,
    GetBucketObjectLockConfiguration: Bucket,
    GetBucketOwnershipControls: Bucket,
    GetBucketPolicy: Bucket,
    GetBucketPolicyStatus: Bucket,
    GetBucketPublicAccessBlock: Bucket,
    GetBucketRequestPayment: Bucket,
    GetBucketTagging: Bucket,
    GetBucketVersioning: Bucket,
    GetBucketWebsite: Bucket,
    GetDataAccess: Account,
    GetEncryptionConfiguration: Bucket,
    GetIntelligentTieringConfiguration: Bucket,
    GetInventoryConfiguration: Bucket,
    GetJobTagging: Account,
    GetLifecycleConfiguration: Bucket,
    GetMetricsConfiguration: Bucket,
    GetMultiRegionAccessPoint: Account,
    GetMultiRegionAccessPointPolicy: Account,
    GetMultiRegionAccessPointPolicyStatus: Account,
    GetMultiRegionAccessPointRoutes: Account,
    GetObject: Object,
    GetObjectAcl: Object,
    GetObjectAttributes: Object,
    GetObjectLegalHold: Object,
    GetObjectRetention: Object,
    GetObjectTagging: Object,
    GetObjectTorrent: Object,
    GetObjectVersion: Object,
    GetObjectVersionAcl: Object,
    GetObjectVersionAttributes: Object,
    GetObjectVersionForReplication: Object,
    GetObjectVersionTagging: Object,
    GetObjectVersionTorrent: Object,
    GetReplicationConfiguration: Bucket,
    GetStorageLensConfiguration: Account,
    GetStorageLensConfigurationTagging: Account,
    GetStorageLensDashboard: Account,
    GetStorageLensGroup: Account,
    InitiateReplication: Object,
    ListAccessGrants: Account,
    ListAccessGrantsInstances: Account,
    ListAccessGrantsLocations: Account,
    ListAccessPoints: Account,
    ListAccessPointsForObjectLambda: Account,
    ListAllMyBuckets: Account,
    ListBucket: Bucket,
    ListBucketMultipartUploads: Bucket,
    ListBucketVersions: Bucket,
    ListCallerAccessGrants: Account,
    ListJobs: Account,
    ListMultiRegionAccessPoints: Account,
    ListMultipartUploadParts: Object,
    ListStorageLensConfigurations: Account,
    ListStorageLensGroups: Account,
    ListTagsForResource: Bucket,
    ObjectOwnerOverrideToBucketOwner: Object,
    PauseReplication: Bucket,
    PutAccelerateConfiguration: Bucket,
    PutAccessGrantsInstanceResourcePolicy: Account,
    PutAccessPointConfigurationForObjectLambda: Account,
    PutAccessPointPolicy: Account,
    PutAccessPointPolicyForObjectLambda: Account,
    PutAccessPointPublicAccessBlock: Account,
    PutAccountPublicAccessBlock: Account,
    PutAnalyticsConfiguration: Bucket,
    PutBucketAbac: Bucket,
    PutBucketAcl: Bucket,
    PutBucketCORS: Bucket,
    PutBucketLogging: Bucket,
    PutBucketNotification: Bucket,
    PutBucketObjectLockConfiguration: Bucket,
    PutBucketOwnershipControls: Bucket,
    PutBucketPolicy: Bucket,
    PutBucketPublicAccessBlock: Bucket,
    PutBucketRequestPayment: Bucket,
    PutBucketTagging: Bucket,
    PutBucketVersioning: Bucket,
    PutBucketWebsite: Bucket,
    PutEncryptionConfiguration: Bucket,
    PutIntelligentTieringConfiguration: Bucket,
    PutInventoryConfiguration: Bucket,
    PutJobTagging: Account,
    PutLifecycleConfiguration: Bucket,
    PutMetricsConfiguration: Bucket,
    PutMultiRegionAccessPointPolicy: Account,
    PutObject: Object,
    PutObjectAcl: Object,
    PutObjectLegalHold: Object,
    PutObjectRetention: Object,
    PutObjectTagging: Object,
    PutObjectVersionAcl: Object,
    PutObjectVersionTagging: Object,
    PutReplicationConfiguration: Bucket,
    PutStorageLensConfiguration: Account,
    PutStorageLensConfigurationTagging: Account,
    ReplicateDelete: Object,
    ReplicateObject: Object,
    ReplicateTags: Object,
    RestoreObject: Object,
    SubmitMultiRegionAccessPointRoutes: Account,
    TagResource: Bucket,
    UntagResource: Bucket,
    UpdateAccessGrantsLocation: Account,
    UpdateBucketMetadataInventoryTableConfiguration: Bucket,
    UpdateBucketMetadataJournalTableConfiguration: Bucket,
    UpdateJobPriority: Account,
    UpdateJobStatus: Account,
    UpdateObjectEncryption: Object,
    UpdateStorageLensGroup: Account,
}

impl Action {
    /// Takes a name as a policy or a command line writes it, service included. Case does not matter, as in IAM.
    ///
    /// ```
    /// use postern::types::Action;
    /// assert_eq!(Action::parse("s3:getobject"), Some(Action::GetObject));
    /// assert_eq!(Action::parse("s3:ReadObject"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|action| action.name().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_known_by_its_name_in_any_case() {
        assert_eq!(Action::ALL.len(), 168);
        for action in Action::ALL {
            assert_eq!(Action::parse(action.name()), Some(*action));
            assert_eq!(Action::parse(&action.name().to_uppercase()), Some(*action));
        }
        for other in [
            "",
            "s3",
            "s3:",
            "GetObject",
            "s3:GetObject ",
            "s3:ListObjects",
            "s3:Get*",
            "ec2:GetObject",
        ] {
            assert_eq!(Action::parse(other), None, "{other}");
        }
    }

    #[test]
    fn names_are_in_order_and_all_different() {
        assert!(Action::ALL.is_sorted_by(|a, b| a.name() < b.name()));
    }

    #[test]
    fn levels_are_those_of_awss_table() {
        for (action, level) in [
            (Action::GetObject, ActionLevel::Object),
            (Action::ListMultipartUploadParts, ActionLevel::Object),
            (Action::ListBucket, ActionLevel::Bucket),
            (Action::ListBucketMultipartUploads, ActionLevel::Bucket),
            (Action::PutLifecycleConfiguration, ActionLevel::Bucket),
            (Action::ListAllMyBuckets, ActionLevel::Account),
        ] {
            assert_eq!(action.level(), level, "{action}");
        }
    }
}
