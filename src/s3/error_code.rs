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
    AccessControlListNotSupported = BAD_REQUEST, "The bucket does not allow ACLs";
    AccessForbidden = FORBIDDEN, "CORSResponse: This CORS request is not allowed.";
    AccessDenied = FORBIDDEN, "Access Denied";
    AuthorizationHeaderMalformed = BAD_REQUEST, "The authorization header that you provided is not valid.";
    AuthorizationQueryParametersError = BAD_REQUEST, "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.";
    BadDigest = BAD_REQUEST, "The Content-MD5 you specified did not match what we received.";
    BadRequest = BAD_REQUEST, "Bad Request";
    BucketNotEmpty = CONFLICT, "The bucket you tried to delete is not empty";
    EntityTooLarge = BAD_REQUEST, "Your proposed upload exceeds the maximum allowed size";
    EntityTooSmall = BAD_REQUEST, "Your proposed upload is smaller than the minimum allowed size";
    IllegalLocationConstraintException = BAD_REQUEST, "The specified location-constraint is not valid.";
    IncompleteBody = BAD_REQUEST, "You did not provide the number of bytes specified by the Content-Length HTTP header.";
    IncorrectNumberOfFilesInPostRequest = BAD_REQUEST, "POST requires exactly one file upload per request.";
    InsufficientStorage = INSUFFICIENT_STORAGE, "There is not enough space left where objects are kept.";
    InternalError = INTERNAL_SERVER_ERROR, "We encountered an internal error. Please try again.";
    InvalidAccessKeyId = FORBIDDEN, "The AWS Access Key Id you provided does not exist in our records.";
    InvalidArgument = BAD_REQUEST, "Invalid Argument";
    InvalidBucketName = BAD_REQUEST, "The specified bucket is not valid.";
    InvalidChunkSizeError = FORBIDDEN, "Only the last chunk is allowed to have a size less than 8192 bytes";
    InvalidDigest = BAD_REQUEST, "The Content-MD5 you specified is not valid.";
    InvalidLocationConstraint = BAD_REQUEST, "The specified location-constraint is not valid";
    InvalidPart = BAD_REQUEST, "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.";
    InvalidPartNumber = RANGE_NOT_SATISFIABLE, "The requested partnumber is not satisfiable";
    InvalidPartOrder = BAD_REQUEST, "The list of parts was not in ascending order. Parts must be ordered by part number.";
    InvalidPolicyDocument = BAD_REQUEST, "The content of the form does not meet the conditions specified in the policy document.";
    InvalidRange = RANGE_NOT_SATISFIABLE, "The requested range is not satisfiable";
    InvalidRequest = BAD_REQUEST, "Invalid Request";
    InvalidStorageClass = BAD_REQUEST, "The storage class you specified is not valid";
    InvalidTag = BAD_REQUEST, "The tag provided was not a valid tag.";
    InvalidToken = BAD_REQUEST, "The provided token is malformed or otherwise invalid.";
    InvalidURI = BAD_REQUEST, "Couldn't parse the specified URI.";
    KeyTooLongError = BAD_REQUEST, "Your key is too long";
    MalformedPOSTRequest = BAD_REQUEST, "The body of your POST request is not well-formed multipart/form-data.";
    MalformedTrailerError = BAD_REQUEST, "The request contained trailing data that was not well-formed or did not conform to our published schema.";
    MalformedXML = BAD_REQUEST, "The XML you provided was not well-formed or did not validate against our published schema";
    MaxMessageLengthExceeded = BAD_REQUEST, "Your request was too big.";
    MaxPostPreDataLengthExceeded = BAD_REQUEST, "Your POST request fields preceding the upload file were too large.";
    MetadataTooLarge = BAD_REQUEST, "Your metadata headers exceed the maximum allowed metadata size";
    MethodNotAllowed = METHOD_NOT_ALLOWED, "The specified method is not allowed against this resource.";
    MissingContentLength = LENGTH_REQUIRED, "You must provide the Content-Length HTTP header.";
    NoSuchBucket = NOT_FOUND, "The specified bucket does not exist";
    NoSuchBucketPolicy = NOT_FOUND, "The bucket policy does not exist";
    NoSuchCORSConfiguration = NOT_FOUND, "The CORS configuration does not exist";
    NoSuchConfiguration = NOT_FOUND, "The specified configuration does not exist.";
    NoSuchKey = NOT_FOUND, "The specified key does not exist.";
    NoSuchLifecycleConfiguration = NOT_FOUND, "The lifecycle configuration does not exist";
    NoSuchObjectLockConfiguration = NOT_FOUND, "The specified object does not have a ObjectLock configuration";
    NoSuchPublicAccessBlockConfiguration = NOT_FOUND, "The public access block configuration was not found";
    NoSuchTagSet = NOT_FOUND, "The TagSet does not exist";
    NoSuchUpload = NOT_FOUND, "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
    NoSuchVersion = NOT_FOUND, "The specified version does not exist.";
    NoSuchWebsiteConfiguration = NOT_FOUND, "The specified bucket does not have a website configuration";
    NotImplemented = NOT_IMPLEMENTED, "A header you provided implies functionality that is not implemented.";
    ObjectLockConfigurationNotFoundError = NOT_FOUND, "Object Lock configuration does not exist for this bucket";
    PreconditionFailed = PRECONDITION_FAILED, "At least one of the pre-conditions you specified did not hold";
    ReplicationConfigurationNotFoundError = NOT_FOUND, "The replication configuration was not found";
    RequestTimeTooSkewed = FORBIDDEN, "The difference between the request time and the current time is too large.";
    RequestTimeout = BAD_REQUEST, "Your socket connection to the server was not read from or written to within the timeout period. Idle connections will be closed.";
    ServerSideEncryptionConfigurationNotFoundError = NOT_FOUND, "The server side encryption configuration was not found";
    ServiceUnavailable = SERVICE_UNAVAILABLE, "Please reduce your request rate.";
    SignatureDoesNotMatch = FORBIDDEN, "The request signature we calculated does not match the signature you provided. Check your key and signing method.";
    SlowDown = SERVICE_UNAVAILABLE, "Please reduce your request rate.";
    XAmzContentSHA256Mismatch = BAD_REQUEST, "The provided 'x-amz-content-sha256' header does not match what was computed.";
}
