//! S3's documents: what is answered becomes XML, and XML that was sent becomes arguments.

mod attributes;
mod bucket;
mod delete;
mod list;
mod multipart;
mod names;
mod post;
mod settings;
mod tagging;

pub use attributes::{copied, object_attributes};
pub use bucket::{buckets, create_bucket, location};
pub use delete::{DeleteEntry, DeleteRequest, Deletion, deletions};
pub use list::{ListEntry, ListPage, objects_v1, objects_v2};
pub use multipart::{
    ListedPart, ListedUpload, NamedPart, PartsPage, UploadEntry, UploadsPage, complete_multipart,
    multipart_completed, multipart_created, multipart_uploads, part_copied, parts,
};
pub use post::{encoded_key, post_response, redirect_address};
pub(super) use settings::{acl, empty, ownership, setting};
pub use tagging::{tag_set, tags};

use time::{OffsetDateTime, UtcOffset, macros::format_description};

/// `2026-11-24T12:00:00.000Z`
fn instant(at: OffsetDateTime) -> String {
    at.to_offset(UtcOffset::UTC)
        .format(format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
        ))
        .unwrap_or_default()
}
