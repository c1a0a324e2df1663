//! The arguments of GetObjectAttributes.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html>

use std::collections::BTreeSet;

use crate::s3::{ErrorCode, S3Error};

use super::CallHeaders;

/// The most parts of one answer.
const MOST_PARTS: usize = 1000;

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

/// The arguments of GetObjectAttributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedAttributes {
    /// What is asked for.
    pub names: BTreeSet<ObjectAttribute>,
    /// Only parts behind this number.
    pub parts_after: usize,
    /// The most parts of the answer.
    pub max_parts: usize,
}

impl WantedAttributes {
    pub(super) fn parse(headers: CallHeaders<'_>) -> Result<Self, S3Error> {
        Ok(Self {
            names: names(headers)?,
            parts_after: number(headers, "x-amz-part-number-marker", 0)?,
            max_parts: number(headers, "x-amz-max-parts", MOST_PARTS)?.min(MOST_PARTS),
        })
    }

    /// Is this asked for?
    pub fn wants(&self, attribute: ObjectAttribute) -> bool {
        self.names.contains(&attribute)
    }
}

fn number(headers: CallHeaders<'_>, name: &'static str, default: usize) -> Result<usize, S3Error> {
    let Some(given) = headers.text(name)? else {
        return Ok(default);
    };
    let number = given
        .parse::<u32>()
        .ok()
        .and_then(|number| usize::try_from(number).ok());
    number.ok_or_else(|| {
        S3Error::invalid_argument(
            "Argument must be an integer between 0 and 2147483647",
            name,
            &given,
        )
    })
}

fn names(headers: CallHeaders<'_>) -> Result<BTreeSet<ObjectAttribute>, S3Error> {
    const NAME: &str = "x-amz-object-attributes";
    let listed = headers.text(NAME)?.unwrap_or_default();
    let names = listed.split(',').map(str::trim).filter(|name| !name.is_empty());
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
