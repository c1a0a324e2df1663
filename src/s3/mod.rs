//! The S3 dialect: what a request asks for, and how S3 answers. Heads and attributes go in, calls, answers and errors come out;
//! nothing here knows of signatures, policies, files or sockets.

mod call;
mod checksum;
mod cors;
mod documents;
mod error;
mod error_code;
mod form;
mod operation;
mod overrides;
mod preconditions;
mod range;
mod read_object;
mod routing;
mod target;
mod unset;
mod written;
mod xml;

pub use call::{
    Call, CompleteMultipartUpload, CopyObject, CreateMultipartUpload, DeclaredChecksum, Integrity,
    ListBuckets, ListMultipartUploads, ListObjects, ListParts, Need, ObjectAttribute, ReadObject, Start,
    UploadPart, UploadPartCopy, WantedAttributes, WriteObject, canned_acl, token,
};
pub use cors::{CorsRule, Preflight, cors_configuration, expose, parse_cors_configuration};
pub use documents::{
    DeleteEntry, DeleteRequest, Deletion, ListEntry, ListPage, ListedPart, ListedUpload, NamedPart,
    PartsPage, UploadEntry, UploadsPage, buckets, complete_multipart, copied, create_bucket, deletions,
    encoded_key, location, multipart_completed, multipart_created, multipart_uploads, object_attributes,
    objects_v1, objects_v2, part_copied, parts, post_response, redirect_address, tag_set, tags,
};
pub use error::{S3Error, is_reserved};
pub use error_code::ErrorCode;
pub use form::{FileDecoder, Form, FormDecoder, FormEvent, PostObject, PostPolicy, Success};
pub use operation::{Operation, Scope};
pub use overrides::ResponseOverrides;
pub use preconditions::Preconditions;
pub use range::{ByteRange, RangeOutcome};
pub use read_object::{Answer, put_tagging_count, read_object};
pub use routing::is_post_object;
pub use target::Target;
pub use unset::unset;
pub use written::{create_multipart_headers, put_object_headers, upload_part_headers};
