//! An S3 error: what a refused request is answered with.

use std::{borrow::Cow, fmt};

use super::{ErrorCode, xml};

/// A code, a message and the elements that AWS adds for this failure, in AWS's order.
///
/// `Debug` shows the code alone: the elements may carry a signature or a token that the client sent, and those go back to
/// the client but never into a log.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Error {
    code: ErrorCode,
    message: Cow<'static, str>,
    elements: Vec<(&'static str, String)>,
}

impl S3Error {
    /// An error with its code's own message.
    pub fn new(code: ErrorCode) -> Self {
        Self {
            code,
            message: Cow::Borrowed(code.message()),
            elements: Vec::new(),
        }
    }

    /// The same error with a more precise message.
    pub fn message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = message.into();
        self
    }

    /// The same error with one more element.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.elements.push((name, value.into()));
        self
    }

    /// An `InvalidArgument`, with the name and value that AWS repeats.
    pub fn invalid_argument(message: &'static str, name: &str, value: &str) -> Self {
        Self::new(ErrorCode::InvalidArgument)
            .message(message)
            .with("ArgumentName", name)
            .with("ArgumentValue", value)
    }

    /// An argument whose name is reserved: see [`is_reserved`].
    pub fn reserved_argument(name: &str, value: &str) -> Self {
        Self::invalid_argument("Names that begin with x-postern- are reserved.", name, value)
    }

    /// There is no such upload in parts, or none for whoever asks.
    pub fn no_such_upload(id: &str) -> Self {
        Self::new(ErrorCode::NoSuchUpload).with("UploadId", id)
    }

    /// A method that what is named does not know.
    pub fn method_not_allowed(method: &str, resource: &'static str) -> Self {
        Self::new(ErrorCode::MethodNotAllowed)
            .with("Method", method)
            .with("ResourceType", resource)
    }

    /// A key of so many bytes.
    pub fn key_too_long(size: usize) -> Self {
        Self::new(ErrorCode::KeyTooLongError)
            .with("Size", size.to_string())
            .with("MaxSizeAllowed", "1024")
    }

    /// The code.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The message.
    pub fn text(&self) -> &str {
        &self.message
    }

    /// The further elements, in order.
    pub fn elements(&self) -> &[(&'static str, String)] {
        &self.elements
    }

    /// The document that S3 sends: `<Error>` ending in `RequestId` and `HostId`.
    pub fn to_xml(&self, request_id: &str, host_id: &str) -> Vec<u8> {
        xml::error(self, request_id, host_id)
    }
}

impl fmt::Debug for S3Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Error({})", self.code.name())
    }
}

/// Whether a name begins with `x-postern-`, in any case. Such names are reserved for limits inside
/// links.
pub fn is_reserved(name: &str) -> bool {
    const RESERVED: &str = "x-postern-";
    let front = name.get(..RESERVED.len());
    front.is_some_and(|front| front.eq_ignore_ascii_case(RESERVED))
}
