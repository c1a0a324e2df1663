//! The arguments of GetObject and HeadObject.

use http::header;

use crate::{
    s3::{ErrorCode, Preconditions, ResponseOverrides, S3Error},
    types::{PartNumber, Query},
};

use super::{CallHeaders, multipart, unsupported};

/// The arguments of GetObject and HeadObject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadObject {
    /// The `Range` header as sent.
    pub range: Option<String>,
    /// The `If-Range` header as sent.
    pub if_range: Option<String>,
    /// The `partNumber` parameter.
    pub part_number: Option<PartNumber>,
    /// The conditions.
    pub preconditions: Preconditions,
    /// The `response-*` parameters.
    pub overrides: ResponseOverrides,
    /// `x-amz-checksum-mode: ENABLED`
    pub with_checksum: bool,
}

impl ReadObject {
    pub(super) fn parse(query: &Query<'_>, headers: CallHeaders<'_>) -> Result<Self, S3Error> {
        unsupported::on_read(query, headers)?;
        // A value that is not text fits no range and no object: it must not count as absent.
        let lossy = |name: header::HeaderName| {
            let value = headers.value(name.as_str());
            value.map(|value| String::from_utf8_lossy(&value).into_owned())
        };
        let read = Self {
            range: lossy(header::RANGE),
            if_range: lossy(header::IF_RANGE),
            part_number: part_number(query)?,
            preconditions: Preconditions::parse(headers)?,
            overrides: ResponseOverrides::parse(query)?,
            with_checksum: headers
                .text("x-amz-checksum-mode")?
                .is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED")),
        };
        if read.range.is_some() && read.part_number.is_some() {
            return Err(S3Error::new(ErrorCode::InvalidRequest)
                .message("Cannot specify both Range header and partNumber query parameter"));
        }
        Ok(read)
    }
}

fn part_number(query: &Query<'_>) -> Result<Option<PartNumber>, S3Error> {
    let Some(text) = query.first("partNumber") else {
        return Ok(None);
    };
    PartNumber::parse(text)
        .map(Some)
        .ok_or_else(|| multipart::invalid_part_number(text))
}
