//! Settings of a bucket or an object that nobody can set here: AWS's own answer for each while it is unset. Tools such as
//! Terraform ask for all of them, and take an answer other than AWS's for a failure.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList>

use super::{ErrorCode, Operation, S3Error, documents};

/// Is it one of these settings?
pub(super) fn is_setting(operation: Operation) -> bool {
    setting(operation).is_some()
}

/// AWS's answer: a document, or the error that says that it is not set. `None`: it is no such setting.
pub fn unset(operation: Operation, account_id: &str) -> Option<Result<Vec<u8>, S3Error>> {
    Some(match setting(operation)? {
        Setting::Missing(code) => Err(S3Error::new(code)),
        Setting::Empty(root) => Ok(documents::empty(root)),
        Setting::Value(root, element, value) => Ok(documents::setting(root, element, value)),
        Setting::Acl => Ok(documents::acl(account_id)),
        Setting::Ownership => Ok(documents::ownership()),
    })
}

enum Setting {
    /// An error of this code.
    Missing(ErrorCode),
    /// A document of this root without content.
    Empty(&'static str),
    /// A document of this root with one element.
    Value(&'static str, &'static str, &'static str),
    /// The owner may do everything.
    Acl,
    /// The owner owns every object.
    Ownership,
}

fn setting(operation: Operation) -> Option<Setting> {
    use Setting::{Acl, Empty, Missing, Ownership, Value};
    Some(match operation {
        Operation::GetBucketAccelerateConfiguration => Empty("AccelerateConfiguration"),
        Operation::GetBucketAcl | Operation::GetObjectAcl => Acl,
        Operation::GetBucketAnalyticsConfiguration
        | Operation::GetBucketIntelligentTieringConfiguration
        | Operation::GetBucketInventoryConfiguration
        | Operation::GetBucketMetricsConfiguration => Missing(ErrorCode::NoSuchConfiguration),
        Operation::GetBucketEncryption => Missing(ErrorCode::ServerSideEncryptionConfigurationNotFoundError),
        Operation::GetBucketLifecycleConfiguration => Missing(ErrorCode::NoSuchLifecycleConfiguration),
        Operation::GetBucketLogging => Empty("BucketLoggingStatus"),
        Operation::GetBucketNotificationConfiguration => Empty("NotificationConfiguration"),
        Operation::GetBucketOwnershipControls => Ownership,
        Operation::GetBucketPolicy | Operation::GetBucketPolicyStatus => {
            Missing(ErrorCode::NoSuchBucketPolicy)
        }
        Operation::GetBucketReplication => Missing(ErrorCode::ReplicationConfigurationNotFoundError),
        Operation::GetBucketRequestPayment => Value("RequestPaymentConfiguration", "Payer", "BucketOwner"),
        Operation::GetBucketTagging => Missing(ErrorCode::NoSuchTagSet),
        Operation::GetBucketVersioning => Empty("VersioningConfiguration"),
        Operation::GetBucketWebsite => Missing(ErrorCode::NoSuchWebsiteConfiguration),
        Operation::GetObjectLegalHold | Operation::GetObjectRetention => {
            Missing(ErrorCode::NoSuchObjectLockConfiguration)
        }
        Operation::GetObjectLockConfiguration => Missing(ErrorCode::ObjectLockConfigurationNotFoundError),
        Operation::GetPublicAccessBlock => Missing(ErrorCode::NoSuchPublicAccessBlockConfiguration),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_terraform_asks_for_is_answered_as_on_aws() {
        for (operation, code) in [
            (
                Operation::GetBucketLifecycleConfiguration,
                ErrorCode::NoSuchLifecycleConfiguration,
            ),
            (Operation::GetBucketPolicy, ErrorCode::NoSuchBucketPolicy),
            (Operation::GetBucketTagging, ErrorCode::NoSuchTagSet),
            (Operation::GetBucketWebsite, ErrorCode::NoSuchWebsiteConfiguration),
        ] {
            let error = unset(operation, "000000000000").unwrap().unwrap_err();
            assert_eq!((error.code(), error.code().status().as_u16()), (code, 404));
        }
        let versioning = unset(Operation::GetBucketVersioning, "000000000000")
            .unwrap()
            .unwrap();
        assert_eq!(
            String::from_utf8(versioning).unwrap(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>"
        );
    }

    #[test]
    fn what_stores_something_is_no_setting() {
        for operation in [
            Operation::PutBucketCors,
            Operation::GetObject,
            Operation::ListParts,
        ] {
            assert!(!is_setting(operation));
        }
    }
}
