//! The nouns, valid by construction. Untrusted text goes in through a `parse`, a value comes out that needs no second
//! look. Nothing here reads a file, a clock or a socket, and nothing here knows S3's operations, signatures' rules
//! or policies' grammar: every other layer does.

mod access_key;
mod action;
mod bucket;
mod cache_use;
mod checksum;
mod client;
mod cut;
mod forwarded;
mod head;
pub(crate) mod hex;
mod key;
mod multipart;
mod network;
mod object;
mod peer;
mod percent;
mod pieces;
mod proxy_header;
mod query;
mod region;
mod resource;
mod room;
mod secret;
mod signature;
mod span;
mod trusted_proxies;

pub use access_key::{AccessKeyId, AccessKeyIdError};
pub use action::{Action, ActionLevel};
pub(crate) use bucket::MAX_BUCKET_BYTES;
pub use bucket::{BucketName, BucketNameError};
pub use cache_use::{CacheCounts, CacheUse};
pub use checksum::{Checksum, ChecksumAlgorithm, ChecksumType};
pub use client::Client;
pub(crate) use cut::{cut, cut_last};
pub use forwarded::{ForwardedHeader, Forwarding};
pub use head::{HeadError, RequestHead, Scheme};
pub(crate) use key::MAX_KEY_BYTES;
pub use key::{ObjectKey, ObjectKeyError};
pub use multipart::{MAX_PARTS, PartNumber, Parts, UploadId};
pub use network::Network;
pub use object::{ETag, ObjectAttributes, Properties, Tag, WriteCondition};
pub use peer::{Announced, Peer, TlsVersion};
pub(crate) use percent::decode_path;
pub use pieces::{InPieces, PIECES, own_piece};
pub(crate) use proxy_header::LONGEST_TEXT;
pub use proxy_header::{ProxyHeader, ProxyHeaderError};
pub use query::{Parameter, Query, QueryError};
pub use region::{Region, RegionError};
pub use resource::Resource;
pub use room::Room;
pub use secret::{SecretKey, SecretKeyError};
pub use signature::{LinkId, Signature, SigningKey};
pub use span::{Span, SpanError};
pub use trusted_proxies::{TrustedProxies, TrustedProxyError};
