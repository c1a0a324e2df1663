//! What a request asks for, with every argument that changes the answer. What cannot be honoured is refused here, never ignored.

mod copy;
mod list;
mod properties;
mod read;
pub(super) mod tags;
mod unsupported;
mod write;

use std::collections::BTreeSet;

use http::{HeaderMap, Method};

use crate::types::{Action, BucketName, ObjectKey, Query, WriteCondition};

use super::{ErrorCode, Operation, S3Error, Target, routing};

pub use copy::CopyObject;
pub use list::{ListBuckets, ListObjects, Start, token};
pub use read::ReadObject;
pub use write::{DeclaredChecksum, Integrity, WriteObject};

/// One call of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// GetObject.
    GetObject(ReadObject),
    /// HeadObject: the same, without the bytes.
    HeadObject(ReadObject),
    /// GetObjectAttributes, with the names of what is asked for.
    GetObjectAttributes(BTreeSet<ObjectAttribute>),
    /// PutObject.
    PutObject(Box<WriteObject>),
    /// CopyObject.
    CopyObject(Box<CopyObject>),
    /// DeleteObject.
    DeleteObject(WriteCondition),
    /// DeleteObjects: the keys are in the body.
    DeleteObjects,
    /// GetObjectTagging.
    GetObjectTagging,
    /// PutObjectTagging: the tags are in the body.
    PutObjectTagging,
    /// DeleteObjectTagging.
    DeleteObjectTagging,
    /// ListObjects.
    ListObjects(ListObjects),
    /// ListObjectsV2.
    ListObjectsV2(ListObjects),
    /// ListBuckets.
    ListBuckets(ListBuckets),
    /// CreateBucket: its region is in the body.
    CreateBucket,
    /// HeadBucket.
    HeadBucket,
    /// DeleteBucket.
    DeleteBucket,
    /// GetBucketLocation.
    GetBucketLocation,
    /// A setting that nobody can have set: it is verified and authorised like any other, and AWS's answer for it unset is given.
    Unset(Operation),
    /// An operation that is known and not built: it is verified and authorised like any other, and then `NotImplemented`.
    Other(Operation),
}

/// What GetObjectAttributes can be asked for, by AWS's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectAttribute {
    /// `ETag`
    ETag,
    /// `Checksum`
    Checksum,
    /// `ObjectParts`
    ObjectParts,
    /// `StorageClass`
    StorageClass,
    /// `ObjectSize`
    ObjectSize,
}

/// A permission that a call needs besides that of its operation on what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need<'c> {
    /// To do what.
    pub action: Action,
    /// In which bucket.
    pub bucket: &'c BucketName,
    /// With which object.
    pub key: &'c ObjectKey,
}

impl Call {
    /// Reads method, target, query and headers. `account_id` is the account that owns every bucket.
    ///
    /// Errors: `MethodNotAllowed`, `AccessDenied` for another expected owner, and whatever an operation's arguments can be refused
    /// for: `InvalidArgument`, `InvalidRequest`, `NotImplemented`, `MissingContentLength`, ….
    pub fn parse(
        method: &Method,
        target: &Target,
        query: &Query<'_>,
        headers: &HeaderMap,
        account_id: &str,
    ) -> Result<Self, S3Error> {
        let operation = routing::operation(method, target, query, headers)?;
        expected_owner(headers, account_id)?;
        Ok(match (operation, target) {
            (Operation::GetObject, _) => Self::GetObject(ReadObject::parse(query, headers)?),
            (Operation::HeadObject, _) => Self::HeadObject(ReadObject::parse(query, headers)?),
            (Operation::GetObjectAttributes, _) => {
                unsupported::on_read(query, headers)?;
                Self::GetObjectAttributes(wanted(headers)?)
            }
            (Operation::PutObject, _) => Self::PutObject(Box::new(WriteObject::parse(query, headers)?)),
            (Operation::CopyObject, Target::Object(bucket, key)) => {
                Self::CopyObject(Box::new(CopyObject::parse((bucket, key), query, headers)?))
            }
            (Operation::DeleteObject, _) => {
                unsupported::version(query)?;
                Self::DeleteObject(write::condition(headers)?)
            }
            (Operation::DeleteObjects, _) => Self::DeleteObjects,
            (Operation::GetObjectTagging, _) => {
                unsupported::version(query)?;
                Self::GetObjectTagging
            }
            (Operation::PutObjectTagging, _) => {
                unsupported::version(query)?;
                Self::PutObjectTagging
            }
            (Operation::DeleteObjectTagging, _) => {
                unsupported::version(query)?;
                Self::DeleteObjectTagging
            }
            (Operation::ListObjects, _) => Self::ListObjects(ListObjects::parse_v1(query)?),
            (Operation::ListObjectsV2, _) => Self::ListObjectsV2(ListObjects::parse_v2(query)?),
            (Operation::ListBuckets, _) => Self::ListBuckets(ListBuckets::parse(query)?),
            (Operation::CreateBucket, _) => {
                unsupported::acl(headers)?;
                object_lock(headers)?;
                Self::CreateBucket
            }
            (Operation::HeadBucket, _) => Self::HeadBucket,
            (Operation::DeleteBucket, _) => Self::DeleteBucket,
            (Operation::GetBucketLocation, _) => Self::GetBucketLocation,
            (other, _) if super::unset::is_setting(other) => Self::Unset(other),
            (other, _) => Self::Other(other),
        })
    }

    /// AWS's name for what is asked.
    pub fn operation(&self) -> Operation {
        match self {
            Self::GetObject(_) => Operation::GetObject,
            Self::HeadObject(_) => Operation::HeadObject,
            Self::GetObjectAttributes(_) => Operation::GetObjectAttributes,
            Self::PutObject(_) => Operation::PutObject,
            Self::CopyObject(_) => Operation::CopyObject,
            Self::DeleteObject(_) => Operation::DeleteObject,
            Self::DeleteObjects => Operation::DeleteObjects,
            Self::GetObjectTagging => Operation::GetObjectTagging,
            Self::PutObjectTagging => Operation::PutObjectTagging,
            Self::DeleteObjectTagging => Operation::DeleteObjectTagging,
            Self::ListObjects(_) => Operation::ListObjects,
            Self::ListObjectsV2(_) => Operation::ListObjectsV2,
            Self::ListBuckets(_) => Operation::ListBuckets,
            Self::CreateBucket => Operation::CreateBucket,
            Self::HeadBucket => Operation::HeadBucket,
            Self::DeleteBucket => Operation::DeleteBucket,
            Self::GetBucketLocation => Operation::GetBucketLocation,
            Self::Unset(operation) | Self::Other(operation) => *operation,
        }
    }

    /// What the call needs besides its operation's own action on what it names: a copy reads its source, tags are set.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html#API_CopyObject_RequestSyntax>
    pub fn further_needs<'c>(&'c self, target: &'c Target) -> Vec<Need<'c>> {
        let Target::Object(bucket, key) = target else {
            return Vec::new();
        };
        let own = |action| Need { action, bucket, key };
        match self {
            Self::GetObjectAttributes(_) => vec![own(Action::GetObject)],
            Self::PutObject(write) if !write.properties.tags.is_empty() => {
                vec![own(Action::PutObjectTagging)]
            }
            Self::CopyObject(copy) => {
                let (bucket, key) = (&copy.source.0, &copy.source.1);
                let source = Need {
                    action: Action::GetObject,
                    bucket,
                    key,
                };
                let tags = copy.tags.as_ref().is_some_and(|tags| !tags.is_empty());
                let tags = tags.then(|| own(Action::PutObjectTagging));
                std::iter::once(source).chain(tags).collect()
            }
            Self::GetObject(_)
            | Self::HeadObject(_)
            | Self::PutObject(_)
            | Self::DeleteObject(_)
            | Self::DeleteObjects
            | Self::GetObjectTagging
            | Self::PutObjectTagging
            | Self::DeleteObjectTagging
            | Self::ListObjects(_)
            | Self::ListObjectsV2(_)
            | Self::ListBuckets(_)
            | Self::CreateBucket
            | Self::HeadBucket
            | Self::DeleteBucket
            | Self::GetBucketLocation
            | Self::Unset(_)
            | Self::Other(_) => Vec::new(),
        }
    }
}

/// A header's value, where it is text.
fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A client that names the bucket's owner wants to be refused when it is another's: AWS's `AccessDenied`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html>
fn expected_owner(headers: &HeaderMap, account_id: &str) -> Result<(), S3Error> {
    for name in [
        "x-amz-expected-bucket-owner",
        "x-amz-source-expected-bucket-owner",
    ] {
        if headers
            .get(name)
            .is_some_and(|owner| owner.as_bytes() != account_id.as_bytes())
        {
            return Err(S3Error::new(ErrorCode::AccessDenied));
        }
    }
    Ok(())
}

fn object_lock(headers: &HeaderMap) -> Result<(), S3Error> {
    const NAME: &str = "x-amz-bucket-object-lock-enabled";
    match text(headers, NAME) {
        Some(enabled) if enabled.eq_ignore_ascii_case("true") => Err(unsupported::not_implemented(NAME)),
        Some(_) | None => Ok(()),
    }
}

fn wanted(headers: &HeaderMap) -> Result<BTreeSet<ObjectAttribute>, S3Error> {
    const NAME: &str = "x-amz-object-attributes";
    let lines = headers.get_all(NAME).iter().filter_map(|line| line.to_str().ok());
    let names = lines
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let wanted = names
        .map(|name| {
            Ok(match name {
                "ETag" => ObjectAttribute::ETag,
                "Checksum" => ObjectAttribute::Checksum,
                "ObjectParts" => ObjectAttribute::ObjectParts,
                "StorageClass" => ObjectAttribute::StorageClass,
                "ObjectSize" => ObjectAttribute::ObjectSize,
                other => {
                    return Err(S3Error::invalid_argument(
                        "Invalid attribute name specified.",
                        NAME,
                        other,
                    ));
                }
            })
        })
        .collect::<Result<BTreeSet<_>, _>>()?;
    if wanted.is_empty() {
        return Err(S3Error::new(ErrorCode::InvalidRequest)
            .message("The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty"));
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{BucketName, ObjectKey};

    fn read(raw: &str, sent: &[(&'static str, &str)]) -> Result<Call, ErrorCode> {
        let target = Target::Object(BucketName::parse("abc").unwrap(), ObjectKey::parse("k").unwrap());
        let headers = sent
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        let query = Query::parse(raw).unwrap();
        Call::parse(&Method::GET, &target, &query, &headers, "000000000000").map_err(|error| error.code())
    }

    #[test]
    fn what_is_not_supported_is_never_ignored() {
        for (raw, headers, code) in [
            ("versionId=abc", &[][..], ErrorCode::InvalidArgument),
            ("versionId=", &[], ErrorCode::InvalidArgument),
            ("partNumber=0", &[], ErrorCode::InvalidArgument),
            ("partNumber=x", &[], ErrorCode::InvalidArgument),
            (
                "partNumber=1",
                &[("range", "bytes=0-1")],
                ErrorCode::InvalidRequest,
            ),
            (
                "",
                &[("x-amz-server-side-encryption-customer-key", "k")],
                ErrorCode::InvalidRequest,
            ),
            (
                "",
                &[("x-amz-server-side-encryption", "aws:kms")],
                ErrorCode::InvalidArgument,
            ),
            (
                "",
                &[("x-amz-expected-bucket-owner", "111122223333")],
                ErrorCode::AccessDenied,
            ),
        ] {
            assert_eq!(read(raw, headers), Err(code), "{raw} {headers:?}");
        }
    }

    #[test]
    fn what_changes_nothing_is_taken() {
        let plain = Ok(Call::GetObject(ReadObject::default()));
        assert_eq!(read("versionId=null", &[]), plain);
        assert_eq!(read("x-id=GetObject", &[]), plain);
        assert_eq!(
            read("", &[("x-amz-expected-bucket-owner", "000000000000")]),
            plain
        );
    }

    fn ask(
        method: Method,
        key: Option<&str>,
        raw: &str,
        sent: &[(&'static str, &str)],
    ) -> Result<Call, ErrorCode> {
        let bucket = BucketName::parse("abc").unwrap();
        let target = match key {
            Some(key) => Target::Object(bucket, ObjectKey::parse(key).unwrap()),
            None => Target::Bucket(bucket),
        };
        let headers = sent
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        let query = Query::parse(raw).unwrap();
        Call::parse(&method, &target, &query, &headers, "000000000000").map_err(|error| error.code())
    }

    #[test]
    fn what_a_write_asks_for_and_cannot_have_is_never_ignored() {
        let long = "v".repeat(2048);
        let eleven = (0..11).map(|n| format!("{n}=")).collect::<Vec<_>>().join("&");
        for (sent, code) in [
            (
                &[("x-amz-server-side-encryption", "AES256")][..],
                ErrorCode::NotImplemented,
            ),
            (
                &[("x-amz-server-side-encryption-customer-key", "k")],
                ErrorCode::NotImplemented,
            ),
            (
                &[("x-amz-object-lock-mode", "GOVERNANCE")],
                ErrorCode::NotImplemented,
            ),
            (&[("x-amz-write-offset-bytes", "1")], ErrorCode::NotImplemented),
            (
                &[("x-amz-acl", "public-read")],
                ErrorCode::AccessControlListNotSupported,
            ),
            (
                &[("x-amz-grant-read", "id=1")],
                ErrorCode::AccessControlListNotSupported,
            ),
            (
                &[("x-amz-expected-bucket-owner", "111122223333")],
                ErrorCode::AccessDenied,
            ),
            (&[("if-none-match", "\"tag\"")], ErrorCode::NotImplemented),
            (
                &[("if-none-match", "*"), ("if-match", "*")],
                ErrorCode::NotImplemented,
            ),
            (&[("content-md5", "short")], ErrorCode::InvalidDigest),
            (&[("x-amz-checksum-crc32", "short")], ErrorCode::InvalidRequest),
            (
                &[
                    ("x-amz-checksum-crc32", "AAAAAA=="),
                    ("x-amz-checksum-crc32c", "AAAAAA=="),
                ],
                ErrorCode::InvalidRequest,
            ),
            (
                &[
                    ("x-amz-checksum-crc32", "AAAAAA=="),
                    ("x-amz-sdk-checksum-algorithm", "SHA1"),
                ],
                ErrorCode::InvalidRequest,
            ),
            (
                &[("x-amz-sdk-checksum-algorithm", "MD4")],
                ErrorCode::InvalidRequest,
            ),
            (
                &[("x-amz-trailer", "x-amz-checksum-md4")],
                ErrorCode::InvalidRequest,
            ),
            (&[("x-amz-storage-class", "COLD")], ErrorCode::InvalidStorageClass),
            (&[("x-amz-meta-a", &long)], ErrorCode::MetadataTooLarge),
            (&[("x-amz-tagging", "a=1&a=2")], ErrorCode::InvalidArgument),
            (&[("x-amz-tagging", "%zz")], ErrorCode::InvalidArgument),
            (&[("x-amz-tagging", &eleven)], ErrorCode::BadRequest),
            (&[("content-length", "-1")], ErrorCode::InvalidArgument),
            (&[("content-length", "5368709121")], ErrorCode::EntityTooLarge),
        ] {
            let length = [("content-length", "1")];
            let declared = sent.iter().any(|(name, _)| *name == "content-length");
            let sent: Vec<_> = sent
                .iter()
                .chain(length.iter().filter(|_| !declared))
                .copied()
                .collect();
            assert_eq!(ask(Method::PUT, Some("k"), "", &sent), Err(code), "{sent:?}");
        }
        assert_eq!(
            ask(Method::PUT, Some("k"), "", &[]),
            Err(ErrorCode::MissingContentLength)
        );
        assert_eq!(
            ask(Method::DELETE, Some("k"), "versionId=v", &[]),
            Err(ErrorCode::InvalidArgument)
        );
        assert_eq!(
            ask(
                Method::PUT,
                None,
                "",
                &[("x-amz-bucket-object-lock-enabled", "true")]
            ),
            Err(ErrorCode::NotImplemented)
        );
    }

    #[test]
    fn a_copy_names_its_source_in_one_way_only() {
        for (source, outcome) in [
            ("/other/a%20b%2Bc", Ok("a b+c")),
            ("other/a+b", Ok("a b")),
            ("other/a//b?versionId=null", Ok("a//b")),
            ("other/a?versionId=v", Err(ErrorCode::InvalidArgument)),
            ("other", Err(ErrorCode::InvalidArgument)),
            ("other/", Err(ErrorCode::InvalidArgument)),
            ("Other/a", Err(ErrorCode::InvalidArgument)),
            (
                "arn:aws:s3:us-west-2:1:accesspoint/a/object/b",
                Err(ErrorCode::NotImplemented),
            ),
            ("abc/k", Err(ErrorCode::InvalidRequest)),
        ] {
            let call = ask(Method::PUT, Some("k"), "", &[("x-amz-copy-source", source)]);
            let key = call.map(|call| match call {
                Call::CopyObject(copy) => copy.source.1.as_str().to_owned(),
                other => panic!("{other:?}"),
            });
            assert_eq!(key, outcome.map(str::to_owned), "{source}");
        }
        let moved = [("x-amz-copy-source", "abc/k"), ("x-amz-storage-class", "GLACIER")];
        assert!(ask(Method::PUT, Some("k"), "", &moved).is_ok());
        let odd = [
            ("x-amz-copy-source", "abc/j"),
            ("x-amz-metadata-directive", "MOVE"),
        ];
        assert_eq!(
            ask(Method::PUT, Some("k"), "", &odd),
            Err(ErrorCode::InvalidArgument)
        );
    }

    #[test]
    fn a_listing_begins_where_it_is_told_and_refuses_what_it_does_not_know() {
        let list = |raw: &str| match ask(Method::GET, None, raw, &[]) {
            Ok(Call::ListObjects(list) | Call::ListObjectsV2(list)) => Ok(list),
            Ok(other) => panic!("{other:?}"),
            Err(code) => Err(code),
        };
        for (raw, position, max_keys) in [
            ("", None, 1000),
            ("marker=m&max-keys=5", Some("m"), 5),
            ("list-type=2&start-after=s&max-keys=5000", Some("s"), 1000),
            ("list-type=2&marker=m&max-keys=0", None, 0),
        ] {
            let list = list(raw).unwrap();
            assert_eq!(
                (list.start.position(), list.max_keys),
                (position, max_keys),
                "{raw}"
            );
        }
        let token = list(&format!(
            "list-type=2&start-after=s&continuation-token={}",
            token("t/é")
        ))
        .unwrap();
        assert_eq!(token.start.position(), Some("t/é"));
        for raw in [
            "max-keys=-1",
            "max-keys=x",
            "max-keys=99999999999",
            "encoding-type=base64",
            "list-type=3",
            "list-type=2&continuation-token=abc",
            "list-type=2&continuation-token=",
        ] {
            assert_eq!(list(raw), Err(ErrorCode::InvalidArgument), "{raw}");
        }
    }
}
