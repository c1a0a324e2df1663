//! The S3 dialect: what a request asks for, and how S3 answers. Heads and attributes go in, calls, answers and errors come out;
//! nothing here knows of signatures, policies, files or sockets.

mod call;
mod error;
mod error_code;
mod operation;
mod overrides;
mod preconditions;
mod range;
mod read_object;
mod routing;
mod target;
mod xml;

pub use call::{Call, ReadObject};
pub use error::S3Error;
pub use error_code::ErrorCode;
pub use operation::{Operation, Scope};
pub use overrides::ResponseOverrides;
pub use preconditions::Preconditions;
pub use range::{ByteRange, RangeOutcome};
pub use read_object::{Answer, read_object};
pub use target::Target;
