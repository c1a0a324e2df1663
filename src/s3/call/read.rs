//! The arguments of GetObject and HeadObject.

use http::{HeaderMap, HeaderName, header};

use crate::{
    s3::{ErrorCode, Preconditions, ResponseOverrides, S3Error},
    types::{PartNumber, Query},
};

use super::{multipart, text, unsupported};

static X_AMZ_CHECKSUM_MODE: HeaderName = HeaderName::from_static("x-amz-checksum-mode");

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
    pub(super) fn parse(query: &Query<'_>, headers: &HeaderMap) -> Result<Self, S3Error> {
        unsupported::on_read(query, headers)?;
        let owned = |name| text(headers, name).map(str::to_owned);
        let read = Self {
            range: owned(header::RANGE),
            if_range: owned(header::IF_RANGE),
            part_number: part_number(query)?,
            preconditions: Preconditions::parse(headers),
            overrides: ResponseOverrides::parse(query)?,
            with_checksum: text(headers, &X_AMZ_CHECKSUM_MODE)
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
