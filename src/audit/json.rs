//! One JSON object, written straight into a line. What goes in are fields, in their order; what comes out is what `serde_json` would write of them,
//! at a quarter of its cost: a name of ours needs no escaping, and few texts do.

use std::{fmt::Display, io::Write, net::IpAddr};

use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::types::Client;

/// An object in the making. Fields that there are not are left out. What is inlined always is so that a name is a few stores, not a copy.
pub(super) struct Object<'l> {
    line: &'l mut Vec<u8>,
}

impl<'l> Object<'l> {
    /// Begins an object at the end of a line.
    pub(super) fn begin(line: &'l mut Vec<u8>) -> Self {
        line.push(b'{');
        Self { line }
    }

    /// Ends the object, which has a field.
    pub(super) fn end(self) {
        // The comma behind the last field.
        self.line.pop();
        self.line.push(b'}');
    }

    /// A word of ours, which has nothing to escape.
    #[inline(always)]
    pub(super) fn word(&mut self, name: &'static str, word: Option<&'static str>) {
        let Some(word) = word else { return };
        debug_assert!(!needs_escaping(word.as_bytes()), "{word}");
        self.quoted(name, |line| line.extend_from_slice(word.as_bytes()));
    }

    /// Anybody's text.
    #[inline(always)]
    pub(super) fn text(&mut self, name: &'static str, text: Option<&str>) {
        match text {
            Some(text) if needs_escaping(text.as_bytes()) => self.value(name, Some(text)),
            Some(text) => self.quoted(name, |line| line.extend_from_slice(text.as_bytes())),
            None => {}
        }
    }

    /// The text of what can be shown.
    pub(super) fn shown(&mut self, name: &'static str, shown: Option<impl Display>) {
        let Some(shown) = shown else { return };
        let field = self.line.len();
        self.name(name);
        self.line.push(b'"');
        let start = self.line.len();
        _ = write!(self.line, "{shown}");
        if self.line.get(start..).is_some_and(needs_escaping) {
            let text = self.line.split_off(start);
            self.line.truncate(field);
            self.value(name, Some(String::from_utf8_lossy(&text)));
        } else {
            self.line.extend_from_slice(b"\",");
        }
    }

    /// Who asks, as is shown; by IPv4, which is common, without the machinery for showing.
    pub(super) fn client(&mut self, name: &'static str, client: &Client) {
        let IpAddr::V4(address) = client.address else {
            return self.shown(name, Some(client));
        };
        self.quoted(name, |line| {
            for (octet, end) in address.octets().into_iter().zip(*b"...:") {
                push_json(line, octet);
                line.push(end);
            }
            match client.port {
                Some(port) => push_json(line, port),
                None => _ = line.pop(),
            }
        });
    }

    /// A moment of the years 0 to 9999.
    #[inline(always)]
    pub(super) fn time(&mut self, name: &'static str, at: Option<OffsetDateTime>) {
        let Some(at) = at else { return };
        self.quoted(name, |line| _ = at.format_into(line, &Rfc3339));
    }

    /// A number, a yes or no, or a text that needs escaping.
    pub(super) fn value(&mut self, name: &'static str, value: Option<impl Serialize>) {
        let Some(value) = value else { return };
        self.name(name);
        push_json(self.line, value);
        self.line.push(b',');
    }

    #[inline(always)]
    fn quoted(&mut self, name: &'static str, push: impl FnOnce(&mut Vec<u8>)) {
        self.name(name);
        self.line.push(b'"');
        push(self.line);
        self.line.extend_from_slice(b"\",");
    }

    #[inline(always)]
    fn name(&mut self, name: &'static str) {
        self.line.push(b'"');
        self.line.extend_from_slice(name.as_bytes());
        self.line.extend_from_slice(b"\":");
    }
}

fn push_json(line: &mut Vec<u8>, value: impl Serialize) {
    // A number or a text always is JSON, and memory takes it.
    _ = serde_json::to_writer(line, &value);
}

/// Is there a byte in it that JSON does not carry as it is? Eight are looked at at once, the last eight of them maybe twice.
fn needs_escaping(text: &[u8]) -> bool {
    let escaped = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\';
    // No way out among the eight: so they are one step for the processor.
    let among = |eight: &[u8; 8]| eight.iter().fold(false, |found, byte| found | escaped(byte));
    match text.last_chunk() {
        Some(last) => text.as_chunks().0.iter().any(among) || among(last),
        None => text.iter().any(escaped),
    }
}
