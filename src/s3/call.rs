//! What a request asks for, with every argument that changes the answer. What cannot be honoured is refused here, never ignored.

use http::{HeaderMap, Method, header};

use crate::types::Query;

use super::{ErrorCode, Operation, Preconditions, ResponseOverrides, S3Error, Target, routing};

/// One call of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// GetObject.
    GetObject(ReadObject),
    /// HeadObject: the same, without the bytes.
    HeadObject(ReadObject),
    /// An operation that is known and not built: it is verified and authorised like any other, and then `NotImplemented`.
    Other(Operation),
}

/// The arguments of GetObject and HeadObject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadObject {
    /// The `Range` header as sent.
    pub range: Option<String>,
    /// The `If-Range` header as sent.
    pub if_range: Option<String>,
    /// The `partNumber` parameter.
    pub part_number: Option<u32>,
    /// The conditions.
    pub preconditions: Preconditions,
    /// The `response-*` parameters.
    pub overrides: ResponseOverrides,
}

impl Call {
    /// Reads method, target, query and headers. `account_id` is the account that owns every bucket.
    ///
    /// Errors: `MethodNotAllowed`, `InvalidArgument`, `InvalidRequest`, `AccessDenied` for another expected owner.
    pub fn parse(
        method: &Method,
        target: &Target,
        query: &Query<'_>,
        headers: &HeaderMap,
        account_id: &str,
    ) -> Result<Self, S3Error> {
        let operation = routing::operation(method, target, query, headers)?;
        expected_owner(headers, account_id)?;
        Ok(match operation {
            Operation::GetObject => Self::GetObject(ReadObject::parse(query, headers)?),
            Operation::HeadObject => Self::HeadObject(ReadObject::parse(query, headers)?),
            other => Self::Other(other),
        })
    }

    /// AWS's name for what is asked.
    pub fn operation(&self) -> Operation {
        match self {
            Self::GetObject(_) => Operation::GetObject,
            Self::HeadObject(_) => Operation::HeadObject,
            Self::Other(operation) => *operation,
        }
    }
}

impl ReadObject {
    fn parse(query: &Query<'_>, headers: &HeaderMap) -> Result<Self, S3Error> {
        unsupported(query, headers)?;
        let text = |name| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let read = Self {
            range: text(header::RANGE),
            if_range: text(header::IF_RANGE),
            part_number: part_number(query)?,
            preconditions: Preconditions::parse(headers),
            overrides: ResponseOverrides::parse(query)?,
        };
        if read.range.is_some() && read.part_number.is_some() {
            return Err(S3Error::new(ErrorCode::InvalidRequest)
                .message("Cannot specify both Range header and partNumber query parameter"));
        }
        Ok(read)
    }
}

/// A client that names the bucket's owner wants to be refused when it is another's: AWS's `AccessDenied`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html>
fn expected_owner(headers: &HeaderMap, account_id: &str) -> Result<(), S3Error> {
    match headers.get("x-amz-expected-bucket-owner") {
        Some(owner) if owner.as_bytes() != account_id.as_bytes() => {
            Err(S3Error::new(ErrorCode::AccessDenied))
        }
        Some(_) | None => Ok(()),
    }
}

/// Features that are off here, and what AWS says where they are off.
fn unsupported(query: &Query<'_>, headers: &HeaderMap) -> Result<(), S3Error> {
    if let Some(version) = query.first("versionId").filter(|version| *version != "null") {
        return Err(S3Error::invalid_argument(
            "Invalid version id specified",
            "versionId",
            version,
        ));
    }
    let sent = |prefix: &str| headers.keys().find(|name| name.as_str().starts_with(prefix));
    if sent("x-amz-server-side-encryption-customer-").is_some() {
        return Err(S3Error::new(ErrorCode::InvalidRequest)
            .message("The encryption parameters are not applicable to this object."));
    }
    if let Some(name) = sent("x-amz-server-side-encryption") {
        let value = headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        return Err(S3Error::invalid_argument(
            "x-amz-server-side-encryption header is not supported for this operation.",
            name.as_str(),
            value,
        ));
    }
    Ok(())
}

fn part_number(query: &Query<'_>) -> Result<Option<u32>, S3Error> {
    let Some(text) = query.first("partNumber") else {
        return Ok(None);
    };
    match text.parse() {
        Ok(number @ 1..=10_000) => Ok(Some(number)),
        Ok(_) | Err(_) => Err(S3Error::invalid_argument(
            "Part number must be an integer between 1 and 10000, inclusive",
            "partNumber",
            text,
        )),
    }
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
        assert_eq!(
            read("x-id=GetObject", &[("x-amz-checksum-mode", "ENABLED")]),
            plain
        );
        assert_eq!(
            read("", &[("x-amz-expected-bucket-owner", "000000000000")]),
            plain
        );
    }
}
