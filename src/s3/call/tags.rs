//! Tags, in the `x-amz-tagging` header and as any set must be.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>

use std::collections::HashSet;

use crate::{
    s3::{ErrorCode, S3Error},
    types::{Query, Tag, case},
};

use super::CallHeaders;

const MOST_TAGS: usize = 10;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

/// The header's tags: encoded as a query string.
pub(super) fn header(headers: CallHeaders<'_>) -> Result<Vec<Tag>, S3Error> {
    let Some(encoded) = headers.text("x-amz-tagging")? else {
        return Ok(Vec::new());
    };
    let refused = || {
        S3Error::invalid_argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name \
             duplicates.",
            "x-amz-tagging",
            &encoded,
        )
    };
    let query = Query::parse(&encoded).map_err(|_| refused())?;
    let tags = query.iter().map(|parameter| Tag {
        key: parameter.name.clone().into_owned(),
        value: parameter.value.clone().into_owned(),
    });
    let tags: Vec<_> = tags.collect();
    let mut keys = HashSet::new();
    if !tags.iter().all(|tag| keys.insert(tag.key.as_str())) {
        return Err(refused());
    }
    check(&tags)?;
    Ok(tags)
}

/// Errors: `InvalidTag`, `BadRequest` for more than ten.
pub(crate) fn check(tags: &[Tag]) -> Result<(), S3Error> {
    let invalid = |message: &'static str| S3Error::new(ErrorCode::InvalidTag).message(message);
    if tags.len() > MOST_TAGS {
        return Err(S3Error::new(ErrorCode::BadRequest).message("Object tags cannot be greater than 10"));
    }
    if repeats(tags) {
        return Err(invalid("Cannot provide multiple Tags with the same key"));
    }
    for tag in tags {
        let length = tag.key.chars().count();
        if !(1..=LONGEST_KEY).contains(&length) || !tag.key.chars().all(allowed) {
            return Err(invalid("The TagKey you have provided is invalid").with("TagKey", &tag.key));
        }
        if tag.value.chars().count() > LONGEST_VALUE || !tag.value.chars().all(allowed) {
            return Err(invalid("The TagValue you have provided is invalid").with("TagValue", &tag.value));
        }
        if tag.key.starts_with("aws:") {
            return Err(invalid("System tags cannot be added/updated by requester"));
        }
    }
    Ok(())
}

/// Stricter than AWS: keys that differ in case alone are one key, as they are to a condition of a
/// policy. Of two such tags a condition would see one, and the other would be there unseen.
fn repeats(tags: &[Tag]) -> bool {
    let mut seen = HashSet::new();
    !tags.iter().all(|tag| seen.insert(case::folded(&tag.key)))
}

/// Letters, digits and spaces of any script, and `+ - = . _ : / @`. AWS's own check lets `&` and a few others pass too; control
/// characters it never does.
fn allowed(character: char) -> bool {
    !character.is_control()
}
