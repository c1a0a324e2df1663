//! The answers for what is not set.

use crate::s3::xml::Document;

const SCHEMA: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// A root without content.
pub(in crate::s3) fn empty(root: &'static str) -> Vec<u8> {
    Document::new(root).finish()
}

/// A root with one element.
pub(in crate::s3) fn setting(root: &'static str, element: &str, value: &str) -> Vec<u8> {
    let mut document = Document::new(root);
    document.text(element, value);
    document.finish()
}

/// The bucket's owner owns every object, which is AWS's default.
pub(in crate::s3) fn ownership() -> Vec<u8> {
    let mut document = Document::new("OwnershipControls");
    document.element("Rule", |rule| rule.text("ObjectOwnership", "BucketOwnerEnforced"));
    document.finish()
}

/// The owner, and nobody else, may do everything.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html>
pub(in crate::s3) fn acl(account_id: &str) -> Vec<u8> {
    let mut document = Document::new("AccessControlPolicy");
    document.element("Owner", |owner| owner.text("ID", account_id));
    document.element("AccessControlList", |list| {
        list.element("Grant", |grant| {
            let attributes = [("xmlns:xsi", SCHEMA), ("xsi:type", "CanonicalUser")];
            grant.typed("Grantee", &attributes, |grantee| grantee.text("ID", account_id));
            grant.text("Permission", "FULL_CONTROL");
        });
    });
    document.finish()
}
