//! The S3 dialect: what a request asks for, and how S3 answers. Heads and attributes go in, calls, answers and errors come out;
//! nothing here knows of signatures, policies, files or sockets.

mod call;
mod documents;
mod error;
mod error_code;
mod operation;
mod overrides;
mod preconditions;
mod range;
mod read_object;
mod routing;
mod target;
mod unset;
mod xml;

pub use call::{
    Call, CopyObject, DeclaredChecksum, Integrity, ListBuckets, ListObjects, Need, ObjectAttribute,
    ReadObject, Start, WriteObject, token,
};
pub use documents::{
    DeleteEntry, DeleteRequest, Deletion, ListEntry, ListPage, buckets, copied, create_bucket, deletions,
    location, object_attributes, objects_v1, objects_v2, tag_set, tags,
};
pub use error::S3Error;
pub use error_code::ErrorCode;
pub use operation::{Operation, Scope};
pub use overrides::ResponseOverrides;
pub use preconditions::Preconditions;
pub use range::{ByteRange, RangeOutcome};
pub use read_object::{Answer, put_object_headers, read_object};
pub use target::Target;
pub use unset::unset;
