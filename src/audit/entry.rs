//! What is known of one request once it is over, as its parts came: nothing is formatted before another thread writes it.

use std::{fmt, sync::Arc, time::Duration};

use time::OffsetDateTime;

use crate::{
    policy::{RevocationReference, StatementReference},
    types::{AccessKeyId, BucketName, Client, LinkId, ObjectKey},
};

/// One request, once it is over.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it came.
    pub time: OffsetDateTime,
    /// Its name in its answer and in the log.
    pub request_id: RequestName,
    /// Who sent it, as far as is believed, and by whose connection.
    pub client: Client,
    /// HTTP's method.
    pub method: http::Method,
    /// The `User-Agent` header, cut to a length that fits a line.
    pub user_agent: Option<String>,
    /// The `Range` header, the same.
    pub range: Option<String>,
    /// Whose request it is, where its signature holds.
    pub signer: Option<Arc<str>>,
    /// The key that signed it, where the signature holds.
    pub access_key_id: Option<AccessKeyId>,
    /// The name of the link, where the signature holds.
    pub link_id: Option<LinkId>,
    /// `query`, `header` or `form`.
    pub mechanism: Option<&'static str>,
    /// When it was signed.
    pub signed_at: Option<OffsetDateTime>,
    /// When the link ends.
    pub expires_at: Option<OffsetDateTime>,
    /// The public URL that it was signed for, where it is one of those that are configured.
    pub origin: Option<Arc<str>>,
    /// AWS's name of what was asked for.
    pub operation: Option<&'static str>,
    /// The action that it needs.
    pub action: Option<&'static str>,
    /// The bucket, as asked for.
    pub bucket: Option<BucketName>,
    /// The key, as asked for.
    pub key: Option<ObjectKey>,
    /// What was copied.
    pub source: Option<(BucketName, ObjectKey)>,
    /// What decided: the statement that allows or denies, or the rule that revokes.
    pub decided_by: Option<Decided>,
    /// The snapshot under which it was decided.
    pub generation: u64,
    /// What became of it.
    pub outcome: Outcome,
    /// HTTP's status; none where nobody was there to hear it.
    pub status: Option<u16>,
    /// S3's error code.
    pub code: Option<&'static str>,
    /// The precise reason of a refusal.
    pub reason: Option<&'static str>,
    /// How many bytes of the answer's body were handed to the connection.
    pub bytes_sent: u64,
    /// How many bytes of the request's body came.
    pub bytes_received: u64,
    /// Was all of the answer handed to the connection?
    pub completed: bool,
    /// How long it took, to the last byte.
    pub duration: Duration,
}

/// A request's name, which is no text of its own: 16 characters of ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestName([u8; 16]);

impl RequestName {
    /// Takes the characters.
    pub fn new(characters: [u8; 16]) -> Self {
        Self(characters)
    }

    /// The name as text; what is no ASCII has none.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for RequestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What decided a request.
#[derive(Clone, Debug)]
pub enum Decided {
    /// A statement.
    Statement(StatementReference),
    /// A rule that revokes.
    Revocation(RevocationReference),
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It got what it asked for.
    Served,
    /// The verdict said no.
    Denied,
    /// It was allowed, and failed: no such key, a wrong checksum, a full disk.
    Failed,
    /// The client went before the end.
    Gone,
    /// A change of the policy ended it.
    Cut,
    /// It has not ended: no line of the trail says so, only the running gateway.
    Running,
    /// No request: so many records before this one were lost.
    Lost,
}

impl Outcome {
    /// Its name in the trail.
    pub fn name(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::Gone => "gone",
            Self::Cut => "cut",
            Self::Running => "running",
            Self::Lost => "lost",
        }
    }
}

impl Entry {
    /// A request that has come, and of which no more is known. As long as nothing else is noted, its client has gone.
    pub fn begun(
        time: OffsetDateTime,
        request_id: RequestName,
        client: Client,
        method: http::Method,
    ) -> Self {
        Self {
            time,
            request_id,
            client,
            method,
            user_agent: None,
            range: None,
            signer: None,
            access_key_id: None,
            link_id: None,
            mechanism: None,
            signed_at: None,
            expires_at: None,
            origin: None,
            operation: None,
            action: None,
            bucket: None,
            key: None,
            source: None,
            decided_by: None,
            generation: 0,
            outcome: Outcome::Gone,
            status: None,
            code: None,
            reason: None,
            bytes_sent: 0,
            bytes_received: 0,
            completed: false,
            duration: Duration::ZERO,
        }
    }

    /// The most bytes that are kept of a header.
    pub const MOST_OF_A_HEADER: usize = 512;
}
