//! S3's error codes, each with its HTTP status and the message that AWS sends with it.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>

use http::StatusCode;

/// Defines the table once: the variant is the code.
macro_rules! error_codes {
    ($($code:ident = $status:ident, $message:literal;)*) => {
        /// An error code, by AWS's own name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $(#[doc = $message] $code,)*
        }

        impl ErrorCode {
            /// Every code that postern answers with.
            pub const ALL: &[Self] = &[$(Self::$code),*];

            /// The code as the `Code` element carries it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$code => stringify!($code),)* }
            }

            /// The HTTP status that goes with it.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$code => StatusCode::$status,)* }
            }

            /// What AWS says where nothing more precise is known.
            pub fn message(self) -> &'static str {
                match self { $(Self::$code => $message,)* }
            }
        }
    };
}

error_codes! {
    AccessDenied = FORBIDDEN, "Access Denied";
    AuthorizationQueryParametersError = BAD_REQUEST, "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.";
    BucketNotEmpty = CONFLICT, "The bucket you tried to delete is not empty";
    InsufficientStorage = INSUFFICIENT_STORAGE, "There is not enough space left where objects are kept.";
    InternalError = INTERNAL_SERVER_ERROR, "We encountered an internal error. Please try again.";
    InvalidAccessKeyId = FORBIDDEN, "The AWS Access Key Id you provided does not exist in our records.";
    InvalidArgument = BAD_REQUEST, "Invalid Argument";
    InvalidBucketName = BAD_REQUEST, "The specified bucket is not valid.";
    InvalidPartNumber = RANGE_NOT_SATISFIABLE, "The requested partnumber is not satisfiable";
    InvalidRange = RANGE_NOT_SATISFIABLE, "The requested range is not satisfiable";
    InvalidRequest = BAD_REQUEST, "Invalid Request";
    InvalidToken = BAD_REQUEST, "The provided token is malformed or otherwise invalid.";
    InvalidURI = BAD_REQUEST, "Couldn't parse the specified URI.";
    KeyTooLongError = BAD_REQUEST, "Your key is too long";
    MethodNotAllowed = METHOD_NOT_ALLOWED, "The specified method is not allowed against this resource.";
    NoSuchBucket = NOT_FOUND, "The specified bucket does not exist";
    NoSuchKey = NOT_FOUND, "The specified key does not exist.";
    NotImplemented = NOT_IMPLEMENTED, "A header you provided implies functionality that is not implemented.";
    PreconditionFailed = PRECONDITION_FAILED, "At least one of the pre-conditions you specified did not hold";
    ServiceUnavailable = SERVICE_UNAVAILABLE, "Please reduce your request rate.";
    SignatureDoesNotMatch = FORBIDDEN, "The request signature we calculated does not match the signature you provided. Check your key and signing method.";
    XAmzContentSHA256Mismatch = BAD_REQUEST, "The provided 'x-amz-content-sha256' header does not match what was computed.";
}
