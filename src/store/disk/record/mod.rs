//! The record of an object: its ETag and what its writer said of it, kept with its file.
//!
//! The record is an extended attribute of the file, so that data and metadata appear in one rename and
//! travel together in a backup. A record that is too long for an attribute *spills* into a file of the
//! bucket's own folder `~!metadata`, under a random name that the attribute holds. On a file system
//! without attributes every record spills, under a name made from the object's key, size and time.
//!
//! Formats. The attribute is JSON: a [`Record`] of version 1, or `{"spilled":2,"record":NAME}`. Stores
//! of format 1 had `{"spilled":1}` and a name made from the file's inode, which no copy keeps; they
//! are converted at start (`housekeeping/upgrade.rs`) and read until then. Anything else is an error:
//! a file whose record cannot be understood must not look as if it had none.

mod content;
mod name;
mod read;
mod write;

pub(super) use content::{Record, SpilledKey};
pub(super) use name::{NameKind, RecordName};
pub(super) use read::{Attribute, Bucket, Found, RecordError, read_attribute};
pub(super) use write::{SpilledRecord, mark_as_spilled};

use rustix::io::Errno;

/// The attribute's name.
pub(super) const ATTRIBUTE: &str = "user.postern";
/// The longest attribute: ext4 holds about 4 KiB for all of a file's.
const MAX_ATTRIBUTE_BYTES: usize = 3 * 1024;
/// The longest spilled record that is read: more than 10,000 parts, each of its own size and with the
/// longest checksum, and the limits on metadata and tags allow.
pub(super) const MAX_SPILLED_BYTES: u64 = 2 * 1024 * 1024;
/// The bucket's own folder of spilled records.
pub(super) const SPILLED: &str = "~!metadata";
/// The error of the system for an attribute that a file does not have.
#[cfg(not(target_vendor = "apple"))]
pub(super) const NO_ATTRIBUTE: Errno = Errno::NODATA;
#[cfg(target_vendor = "apple")]
pub(super) const NO_ATTRIBUTE: Errno = Errno::NOATTR;
