//! `multipart/form-data` as it arrives, in pieces cut anywhere. Only what comes before the file is kept, within a bound; the file's content
//! passes through, at most a delimiter's length of it held back.
//! <https://www.rfc-editor.org/rfc/rfc7578>, <https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1>

use bytes::{Bytes, BytesMut};
use memchr::memmem;

use crate::s3::{ErrorCode, S3Error};

use super::Form;

/// The most bytes before the file's content, as on AWS.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/HTTPPOSTForms.html>
const MAX_BYTES_BEFORE_FILE: usize = 20 * 1024;
/// The longest boundary.
const MAX_BOUNDARY_BYTES: usize = 70;
/// The name of the field that is the file.
const FILE: &str = "file";

/// How far a form has come.
pub enum FormEvent {
    /// Not all of the fields have come.
    Fields(FormDecoder),
    /// The file begins.
    File(Form, Box<FileDecoder>),
}

/// A form on its way, up to its file.
pub struct FormDecoder {
    delimiter: Vec<u8>,
    held: BytesMut,
    /// How much of what is held has been understood.
    at: usize,
    in_part: bool,
    fields: Vec<(String, String)>,
}

/// A part's headers, as far as they matter.
struct PartHead {
    name: String,
    file_name: String,
}

impl FormDecoder {
    /// Takes the `Content-Type` header. Errors: `PreconditionFailed` for another type, `MalformedPOSTRequest`.
    pub fn new(content_type: &str) -> Result<Self, S3Error> {
        let boundary = boundary(content_type)?;
        // The first delimiter may stand at the very beginning: as if a line had ended there.
        let mut held = BytesMut::with_capacity(4 * 1024);
        held.extend_from_slice(b"\r\n");
        Ok(Self {
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            held,
            at: 0,
            in_part: false,
            fields: Vec::new(),
        })
    }

    /// Takes the next bytes. Errors: `MaxPostPreDataLengthExceeded`, `MalformedPOSTRequest`, `IncorrectNumberOfFilesInPostRequest`,
    /// `InvalidArgument`.
    pub fn decode(mut self, data: &[u8]) -> Result<FormEvent, S3Error> {
        self.held.extend_from_slice(data);
        loop {
            if self.in_part {
                let Some((head, start)) = self.part_head()? else {
                    break;
                };
                if head.name == FILE {
                    return self.file(&head, start);
                }
                let Some(end) = self.find_from(start, &self.delimiter) else {
                    break;
                };
                let value = self.held.get(start..end).unwrap_or_default().to_vec();
                let value = String::from_utf8(value).map_err(|_| malformed())?;
                self.fields.push((head.name, value));
                self.at = end;
                self.in_part = false;
            } else {
                let Some(found) = self.find_from(self.at, &self.delimiter) else {
                    break;
                };
                let behind = found.saturating_add(self.delimiter.len());
                let Some(mark) = self.held.get(behind..behind.saturating_add(2)) else {
                    break;
                };
                if mark == b"--" {
                    return Err(S3Error::new(ErrorCode::IncorrectNumberOfFilesInPostRequest));
                }
                // Spaces may follow a delimiter.
                let Some(line_end) = self.find_from(behind, b"\r\n") else {
                    break;
                };
                let padding = self.held.get(behind..line_end).unwrap_or_default();
                if !padding.iter().all(|b| *b == b' ' || *b == b'\t') {
                    return Err(malformed());
                }
                self.at = line_end;
                self.in_part = true;
            }
        }
        if self.held.len() > MAX_BYTES_BEFORE_FILE {
            return Err(S3Error::new(ErrorCode::MaxPostPreDataLengthExceeded));
        }
        Ok(FormEvent::Fields(self))
    }

    fn find_from(&self, from: usize, what: &[u8]) -> Option<usize> {
        let found = memmem::find(self.held.get(from..)?, what)?;
        from.checked_add(found)
    }

    /// The headers of the part that begins with the line break at `at`, and where its content begins.
    fn part_head(&self) -> Result<Option<(PartHead, usize)>, S3Error> {
        let Some(end) = self.find_from(self.at, b"\r\n\r\n") else {
            return Ok(None);
        };
        let lines = self.held.get(self.at..end).unwrap_or_default();
        let lines = std::str::from_utf8(lines).map_err(|_| malformed())?;
        let disposition = lines.split("\r\n").find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim()
                .eq_ignore_ascii_case("content-disposition")
                .then_some(value.trim())
        });
        let disposition = disposition.ok_or_else(malformed)?;
        let (kind, parameters) = disposition.split_once(';').ok_or_else(malformed)?;
        if !kind.trim().eq_ignore_ascii_case("form-data") {
            return Err(malformed());
        }
        let parameters = self::parameters(parameters).ok_or_else(malformed)?;
        let parameter = |wanted: &str| {
            let found = parameters
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.clone())
        };
        let head = PartHead {
            name: parameter("name").ok_or_else(malformed)?,
            file_name: parameter("filename").unwrap_or_default(),
        };
        Ok(Some((head, end.saturating_add(4))))
    }

    fn file(mut self, head: &PartHead, start: usize) -> Result<FormEvent, S3Error> {
        if start > MAX_BYTES_BEFORE_FILE {
            return Err(S3Error::new(ErrorCode::MaxPostPreDataLengthExceeded));
        }
        // A browser of old sends the whole path.
        let name = head.file_name.rsplit(['/', '\\']).next().unwrap_or_default();
        let form = Form::new(self.fields, name)?;
        let begun = self.held.split_off(start);
        let decoder = FileDecoder {
            finder: memmem::Finder::new(&self.delimiter).into_owned(),
            held: begun.freeze(),
            ended: false,
        };
        Ok(FormEvent::File(form, Box::new(decoder)))
    }
}

/// The file of a form on its way.
pub struct FileDecoder {
    finder: memmem::Finder<'static>,
    /// What came and may be the beginning of the delimiter.
    held: Bytes,
    ended: bool,
}

impl FileDecoder {
    /// Takes the next bytes, which may be none, and gives those that are the file's for certain. What follows the file is passed over.
    pub fn decode(&mut self, data: Bytes) -> Bytes {
        if self.ended {
            return Bytes::new();
        }
        let held = std::mem::take(&mut self.held);
        let mut data = match (held.is_empty(), data.is_empty()) {
            (true, _) => data,
            (false, true) => held,
            (false, false) => [held, data].concat().into(),
        };
        if let Some(end) = self.finder.find(&data) {
            self.ended = true;
            data.truncate(end);
            return data;
        }
        let certain = data.len().saturating_sub(self.begun(&data));
        self.held = data.split_off(certain);
        data
    }

    /// How many of the last bytes may be the beginning of the delimiter.
    fn begun(&self, data: &[u8]) -> usize {
        let delimiter = self.finder.needle();
        let longest = delimiter.len().saturating_sub(1).min(data.len());
        let begins = |length: &usize| {
            delimiter
                .get(..*length)
                .is_some_and(|front| data.ends_with(front))
        };
        (1..=longest).rev().find(begins).unwrap_or(0)
    }

    /// Has the file's end come? A form that ends before it is cut.
    pub fn has_ended(&self) -> bool {
        self.ended
    }
}

/// What is no form.
fn malformed() -> S3Error {
    S3Error::new(ErrorCode::MalformedPOSTRequest)
}

/// What AWS says to a POST of another type.
pub(in crate::s3) fn not_a_form() -> S3Error {
    S3Error::new(ErrorCode::PreconditionFailed).with(
        "Condition",
        "Bucket POST must be of the enclosure-type multipart/form-data",
    )
}

/// The boundary in a `Content-Type`.
fn boundary(content_type: &str) -> Result<String, S3Error> {
    let (kind, rest) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return Err(not_a_form());
    }
    let found = parameters(rest).and_then(|parameters| {
        let mut boundaries = parameters
            .into_iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("boundary"));
        boundaries.next().map(|(_, value)| value)
    });
    found
        .filter(|boundary| (1..=MAX_BOUNDARY_BYTES).contains(&boundary.len()))
        .ok_or_else(malformed)
}

/// `name=value; name="value"`: in quotes a backslash escapes a quote or itself, and browsers write a quote and line ends as `%22`, `%0D` and
/// `%0A`.
/// <https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data>
fn parameters(text: &str) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, behind) = rest.split_once('=')?;
        let (value, left) = match behind.trim_start().strip_prefix('"') {
            Some(quoted) => {
                let (value, left) = unquoted(quoted)?;
                let value = value
                    .replace("%22", "\"")
                    .replace("%0D", "\r")
                    .replace("%0A", "\n");
                (value, left.trim_start())
            }
            None => {
                let (value, _) = behind.split_once(';').unwrap_or((behind, ""));
                (value.trim().to_owned(), behind.get(value.len()..)?)
            }
        };
        found.push((name.trim().to_owned(), value));
        rest = match left.strip_prefix(';') {
            Some(next) => next.trim(),
            None if left.trim().is_empty() => "",
            None => return None,
        };
    }
    Some(found)
}

/// The text up to the closing quote, and what is behind it. A backslash stays where it escapes nothing: it is part of a path.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, text.get(at.checked_add(1)?..)?)),
            '\\' => match characters.next_if(|(_, next)| *next == '"' || *next == '\\') {
                Some((_, escaped)) => value.push(escaped),
                None => value.push('\\'),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=frontier";

    fn part(disposition: &str, content: &[u8]) -> Vec<u8> {
        let mut part =
            format!("--frontier\r\nContent-Disposition: form-data; {disposition}\r\n\r\n").into_bytes();
        part.extend_from_slice(content);
        part.extend_from_slice(b"\r\n");
        part
    }

    fn form(content: &[u8]) -> Vec<u8> {
        let mut form = part("name=\"key\"", b"a/${filename}");
        form.extend(part("name=Policy", b"cG9saWN5"));
        form.extend(part(
            "name=\"file\"; filename=\"C:\\films\\b \\\"c\\\".txt\"",
            content,
        ));
        form.extend(part("name=\"late\"", b"ignored"));
        form.extend_from_slice(b"--frontier--\r\n");
        form
    }

    type Decoded = (Vec<(String, String)>, Vec<u8>, bool);

    /// Decodes what comes in these pieces: the fields, the file, and whether its end came.
    fn decode(pieces: &[&[u8]]) -> Result<Decoded, ErrorCode> {
        let mut decoder = Some(FormDecoder::new(TYPE).map_err(|error| error.code())?);
        let mut file: Option<(Form, Box<FileDecoder>)> = None;
        let mut content = Vec::new();
        for piece in pieces {
            let Some(fields) = decoder.take() else {
                let (_, file) = file.as_mut().unwrap();
                content.extend_from_slice(&file.decode(Bytes::copy_from_slice(piece)));
                continue;
            };
            match fields.decode(piece).map_err(|error| error.code())? {
                FormEvent::Fields(fields) => decoder = Some(fields),
                FormEvent::File(form, mut begun) => {
                    content.extend_from_slice(&begun.decode(Bytes::new()));
                    file = Some((form, begun));
                }
            }
        }
        let (form, file) = file.ok_or(ErrorCode::IncompleteBody)?;
        Ok((form.fields, content, file.has_ended()))
    }

    fn fields() -> Vec<(String, String)> {
        vec![
            ("key".to_owned(), "a/b \"c\".txt".to_owned()),
            ("policy".to_owned(), "cG9saWN5".to_owned()),
        ]
    }

    #[test]
    fn fields_and_file_come_out_of_a_whole_form() {
        for content in [
            &b""[..],
            b"content",
            b"\r\n--frontie\r\n--",
            b"--frontier--",
            b"\r\n\r\n",
        ] {
            let decoded = decode(&[&form(content)]).unwrap();
            assert_eq!(decoded, (fields(), content.to_vec(), true));
        }
    }

    #[test]
    fn what_is_no_form_is_refused() {
        let long = part("name=\"x\"", &vec![b'x'; 21_000]);
        let twice = [
            part("name=\"a\"", b"1"),
            part("name=\"A\"", b"2"),
            part("name=\"file\"", b""),
        ]
        .concat();
        for (body, code) in [
            (
                b"--frontier--".to_vec(),
                ErrorCode::IncorrectNumberOfFilesInPostRequest,
            ),
            (
                [part("name=\"a\"", b"1"), b"--frontier--".to_vec()].concat(),
                ErrorCode::IncorrectNumberOfFilesInPostRequest,
            ),
            (long, ErrorCode::MaxPostPreDataLengthExceeded),
            (vec![b'x'; 21_000], ErrorCode::MaxPostPreDataLengthExceeded),
            (twice, ErrorCode::InvalidArgument),
            (b"--frontierx\r\n\r\n".to_vec(), ErrorCode::MalformedPOSTRequest),
            (
                b"--frontier\r\nX: y\r\n\r\n".to_vec(),
                ErrorCode::MalformedPOSTRequest,
            ),
            (part("nom=\"a\"", b""), ErrorCode::MalformedPOSTRequest),
            (part("name=\"a", b""), ErrorCode::MalformedPOSTRequest),
            (part("name=\"a\"x", b""), ErrorCode::MalformedPOSTRequest),
            (
                [part("name=\"a\"", b"\xff"), b"--frontier".to_vec()].concat(),
                ErrorCode::MalformedPOSTRequest,
            ),
            (b"".to_vec(), ErrorCode::IncompleteBody),
        ] {
            assert_eq!(
                decode(&[&body]).unwrap_err(),
                code,
                "{:.80}",
                String::from_utf8_lossy(&body)
            );
        }
        for (content_type, code) in [
            ("application/json", ErrorCode::PreconditionFailed),
            ("multipart/form-data", ErrorCode::MalformedPOSTRequest),
            ("multipart/form-data; boundary=", ErrorCode::MalformedPOSTRequest),
            (
                "multipart/form-data; boundary=\"a",
                ErrorCode::MalformedPOSTRequest,
            ),
        ] {
            assert_eq!(
                FormDecoder::new(content_type).err().unwrap().code(),
                code,
                "{content_type}"
            );
        }
        assert!(FormDecoder::new("Multipart/Form-Data; charset=utf-8; boundary=\"a b\"").is_ok());
    }

    #[test]
    fn a_form_that_is_cut_never_looks_whole() {
        let whole = form(b"content");
        let end = memmem::find(&whole, b"content\r\n--frontier").unwrap() + b"content\r\n--frontier".len();
        for length in 0..end {
            if let Ok((_, content, ended)) = decode(&[&whole[..length]]) {
                assert!(!ended && b"content".starts_with(&content), "{length}");
            }
        }
    }

    proptest! {
        #[test]
        fn cuts_anywhere_change_nothing(content in "(\\r|\\n|-|f|frontier|\r\n--frontie|.){0,40}", cuts in proptest::collection::vec(0..600usize, 0..12)) {
            prop_assume!(!content.contains("\r\n--frontier"));
            let whole = form(content.as_bytes());
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut % whole.len()).collect();
            cuts.extend([0, whole.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &whole[pair[0]..pair[1]]).collect();
            prop_assert_eq!(decode(&pieces).unwrap(), (fields(), content.into_bytes(), true));
        }

        #[test]
        fn no_bytes_panic(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..6), lead in "(--frontier\r\n)?(Content-Disposition: form-data; name=[a\"\\\\;=]{0,6}\r\n\r\n)?") {
            let mut all: Vec<&[u8]> = vec![lead.as_bytes()];
            all.extend(pieces.iter().map(Vec::as_slice));
            let _ = decode(&all);
        }
    }
}
