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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
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
    /// Its answer has begun and not ended. The running gateway says so, and with `sync = "each"` the trail.
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

    /// Whether the signature of the request holds.
    pub fn is_authenticated(&self) -> bool {
        self.signer.is_some()
    }

    /// Cuts what no signature covers to what a record may hold of it, 2 KiB as JSON in all. What was
    /// cut ends in `…`. A key is cut only if no signature covers it.
    pub(super) fn bound(&mut self) {
        cut(&mut self.user_agent, MOST_OF_A_USER_AGENT);
        cut(&mut self.range, MOST_OF_A_RANGE);
        if self.is_authenticated() {
            return;
        }
        if self.method.as_str().len() > MOST_OF_A_METHOD {
            let method = self.method.as_str().as_bytes().get(..MOST_OF_A_METHOD);
            let method = method.and_then(|method| http::Method::from_bytes(method).ok());
            self.method = method.unwrap_or_default();
        }
        if let Some(key) = &self.key
            && let Some(short) = shortened(key.as_str(), MOST_OF_A_KEY)
        {
            self.key = ObjectKey::parse(&short).ok();
        }
    }
}

/// With a bucket's name (63 bytes) and a method, what is not verified stays below 2 KiB.
const MOST_OF_A_KEY: usize = 1024;
const MOST_OF_A_USER_AGENT: usize = 512;
const MOST_OF_A_RANGE: usize = 256;
const MOST_OF_A_METHOD: usize = 32;
/// The most bytes that JSON makes of one: `\u001b`.
const LONGEST_ESCAPE: usize = 6;

fn cut(text: &mut Option<String>, most: usize) {
    if let Some(short) = text.as_deref().and_then(|text| shortened(text, most)) {
        *text = Some(short);
    }
}

/// A beginning of the text, if JSON would make more than `most` bytes of it.
fn shortened(text: &str, most: usize) -> Option<String> {
    const MARK: char = '…';
    if text.len().saturating_mul(LONGEST_ESCAPE) <= most {
        return None;
    }
    let escaped = |letter: char| match letter {
        '"' | '\\' => 2,
        letter if letter < ' ' => LONGEST_ESCAPE,
        letter => letter.len_utf8(),
    };
    let (mut length, mut room_for_mark) = (0_usize, 0);
    for (at, letter) in text.char_indices() {
        if length + MARK.len_utf8() <= most {
            room_for_mark = at;
        }
        length = length.saturating_add(escaped(letter));
        if length > most {
            let mut short = text.get(..room_for_mark).unwrap_or_default().to_owned();
            short.push(MARK);
            return Some(short);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_long_text_is_cut_and_marked_and_a_short_one_stays() {
        for (text, most, expected) in [
            ("abcdefghij", 10, None),
            ("abcdefghijk", 10, Some("abcdefg…")),
            ("\u{1b}\u{1b}", 11, Some("\u{1b}…")),
            ("éééééé", 11, Some("éééé…")),
            ("", 0, None),
        ] {
            assert_eq!(shortened(text, most).as_deref(), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_cut_text_fits_as_json(text in "\\PC{0,40}|[\\x00-\\x7f]{0,60}", most in 3..60_usize) {
            let kept = shortened(&text, most).unwrap_or(text);
            prop_assert!(serde_json::to_string(&kept).unwrap().len() - 2 <= most);
        }
    }
}
