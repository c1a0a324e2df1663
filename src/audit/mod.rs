//! The audit trail: one JSON line per request, whatever its end. In goes an [`Entry`] when a request is over; a thread of its own writes it, so that
//! no request waits for a disk. Out of the files come [`Record`]s again, and what they say of links.
//!
//! `Entry → queue → sink (file, rotated and reopened, or standard output) → Record → usage`
//!
//! Requests without a verified signature have files of their own, bounded lines, and under a flood only counts: whatever strangers send, it takes
//! nothing of the history of signers.
//!
//! A line names who asked for what, by which link, what came of it and which rule decided. It holds no signature, no query string and no secret:
//! a link is named by the SHA-256 of its signature.

mod entry;
mod file;
mod flood;
mod json;
mod line;
mod record;
mod settings;
mod sink;
mod trail;
mod usage;

pub use entry::{Decided, Entry, Outcome, RequestName};
pub use flood::{Budget, Flood, Repeated, Source, WINDOW};
pub use record::Record;
pub use settings::{OnFailure, Settings, SyncRecords, To};
pub use sink::{Audit, AuditError, Health, NotRecorded};
pub use trail::{Trail, TrailError};
pub use usage::{LinkUse, link_uses};
