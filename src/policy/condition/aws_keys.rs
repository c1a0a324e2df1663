//! Condition keys that AWS has and no request of this gateway can have, for an error that says so.
//! Each list is in lower case.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>,
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html#amazons3-policy-keys>

/// Global keys and keys of S3.
const NAMES: &[&str] = &[
    "aws:assumedroot",
    "aws:chatbotsourcearn",
    "aws:calledvia",
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:ec2instancesourceprivateipv4",
    "aws:ec2instancesourcevpc",
    "aws:federatedprovider",
    "aws:ismcpserviceaction",
    "aws:multifactorauthage",
    "aws:multifactorauthpresent",
    "aws:principalaccount",
    "aws:principalisawsservice",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalservicename",
    "aws:principalservicenameslist",
    "aws:principaltype",
    "aws:requestedregion",
    "aws:resourceaccount",
    "aws:resourceorgid",
    "aws:resourceorgpaths",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceidentity",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpcarn",
    "aws:sourcevpce",
    "aws:tagkeys",
    "aws:tokenissuetime",
    "aws:viaawsservice",
    "aws:vpceaccount",
    "aws:vpceorgid",
    "aws:vpceorgpaths",
    "aws:vpcsourceip",
    "s3:accessgrantsinstancearn",
    "s3:accesspointnetworkorigin",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
    "s3:destinationregion",
    "s3:existingjoboperation",
    "s3:existingjobpriority",
    "s3:if-match",
    "s3:if-none-match",
    "s3:inventoryaccessibleoptionalfields",
    "s3:isreplicationpauserequest",
    "s3:jobsuspendedcause",
    "s3:locationconstraint",
    "s3:metadatatablenamespace",
    "s3:objectcreationoperation",
    "s3:object-lock-legal-hold",
    "s3:object-lock-mode",
    "s3:object-lock-remaining-retention-days",
    "s3:object-lock-retain-until-date",
    "s3:requestjoboperation",
    "s3:requestjobpriority",
    "s3:resourceaccount",
    "s3:versionid",
    "s3:x-amz-grant-full-control",
    "s3:x-amz-grant-read",
    "s3:x-amz-grant-read-acp",
    "s3:x-amz-grant-write",
    "s3:x-amz-grant-write-acp",
    "s3:x-amz-metadata-directive",
    "s3:x-amz-object-ownership",
    "s3:x-amz-server-side-encryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:x-amz-server-side-encryption-customer-algorithm",
    "s3:x-amz-storage-class",
    "s3:x-amz-website-redirect-location",
];

/// Beginnings of keys that a tag's name, or another service's own key, completes.
const PREFIXES: &[&str] = &[
    "accounts.google.com:",
    "aws:principaltag/",
    "aws:requesttag/",
    "aws:resourcetag/",
    "cognito-identity.amazonaws.com:",
    "ec2:",
    "graph.facebook.com:",
    "iam:",
    "kms:",
    "lambda:",
    "s3:accesspointtag/",
    "s3:buckettag/",
    "s3:jobtag/",
    "saml:",
    "sns:",
    "sts:",
    "www.amazon.com:",
];

/// Whether AWS has this condition key. Those that this gateway has too are not listed.
pub(in crate::policy) fn is_only_on_aws(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    NAMES.contains(&key.as_str()) || PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::{super::ConditionKey, *};

    #[test]
    fn keys_of_aws_are_in_lower_case_and_not_ours() {
        for listed in NAMES.iter().chain(PREFIXES) {
            assert_eq!(*listed, listed.to_ascii_lowercase());
            assert!(ConditionKey::parse(listed).is_err(), "{listed} is known here");
        }
        for (key, known) in [
            ("aws:SourceVpce", true),
            ("AWS:PRINCIPALORGID", true),
            ("aws:PrincipalTag/team", true),
            ("kms:ViaService", true),
            ("aws:SourceIp", false),
            ("aws:SourceIP4", false),
            ("s3:prefixes", false),
        ] {
            assert_eq!(is_only_on_aws(key), known, "{key}");
        }
    }
}
