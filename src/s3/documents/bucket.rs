//! Buckets as documents.

use time::OffsetDateTime;

use crate::{
    s3::{
        ErrorCode, ListBuckets, S3Error,
        xml::{Document, Element},
    },
    types::BucketName,
};

use super::instant;

/// The answer to ListBuckets; `more` is the token that leads to the next page.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>
pub fn buckets<'b>(
    call: &ListBuckets,
    account_id: &str,
    region: &str,
    found: impl Iterator<Item = (&'b BucketName, OffsetDateTime)>,
    more: Option<&str>,
) -> Vec<u8> {
    let mut document = Document::new("ListAllMyBucketsResult");
    document.element("Owner", |owner| owner.text("ID", account_id));
    document.element("Buckets", |buckets| {
        for (name, created) in found {
            buckets.element("Bucket", |bucket| {
                bucket.text("Name", name.as_str());
                bucket.text("CreationDate", &instant(created));
                bucket.text("BucketRegion", region);
            });
        }
    });
    document.optional("ContinuationToken", more);
    document.optional("Prefix", call.prefix.as_deref());
    document.finish()
}

/// The answer to GetBucketLocation: `us-east-1` is the empty one.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html>
pub fn location(region: &str) -> Vec<u8> {
    let document = Document::new("LocationConstraint");
    match region {
        "us-east-1" => document.finish(),
        other => document.finish_with(other),
    }
}

/// The body of CreateBucket, which may be none: the region that it names must be the gateway's own.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>
///
/// Errors: `MalformedXML`, `IllegalLocationConstraintException`, `InvalidLocationConstraint`, `NotImplemented`.
pub fn create_bucket(document: &[u8], region: &str) -> Result<(), S3Error> {
    if document.is_empty() {
        return Ok(());
    }
    let root = Element::parse(document, "CreateBucketConfiguration")?;
    root.only(&["LocationConstraint", "Tags", "Location", "Bucket"])?;
    if root
        .children
        .iter()
        .any(|child| child.name != "LocationConstraint")
    {
        return Err(S3Error::new(ErrorCode::NotImplemented)
            .message("Tags, Location and Bucket of a CreateBucketConfiguration are not implemented."));
    }
    match root.child("LocationConstraint")?.unwrap_or_default() {
        "" => Ok(()),
        named if named == region => Ok(()),
        named if region == "us-east-1" => Err(S3Error::new(ErrorCode::InvalidLocationConstraint)
            .with("LocationConstraint", named)),
        named => Err(S3Error::new(ErrorCode::IllegalLocationConstraintException).message(format!(
            "The {named} location constraint is incompatible for the region specific endpoint this request was sent to."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_made_in_the_gateways_region_alone() {
        let body = |region: &str| {
            format!(
                "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
            )
        };
        for (document, region, expected) in [
            (String::new(), "eu-west-1", None),
            (body("eu-west-1"), "eu-west-1", None),
            (body(""), "us-east-1", None),
            (
                body("mars"),
                "us-east-1",
                Some(ErrorCode::InvalidLocationConstraint),
            ),
            (
                body("us-west-2"),
                "eu-west-1",
                Some(ErrorCode::IllegalLocationConstraintException),
            ),
            ("<x/>".to_owned(), "us-east-1", Some(ErrorCode::MalformedXML)),
        ] {
            let outcome = create_bucket(document.as_bytes(), region)
                .err()
                .map(|error| error.code());
            assert_eq!(outcome, expected, "{document}");
        }
    }

    #[test]
    fn the_first_region_has_no_name() {
        let text = |region| String::from_utf8(location(region)).unwrap();
        assert!(
            text("us-east-1")
                .ends_with("<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>")
        );
        assert!(text("eu-west-1").ends_with(">eu-west-1</LocationConstraint>"));
    }
}
