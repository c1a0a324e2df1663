//! A form decodes to the same fields, file and end however it is cut, and no bytes panic. A policy's document never does, either.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postern::s3::{ErrorCode, Form, FormDecoder, FormEvent, PostPolicy};

/// The fields, the file, and whether its end came; or why not.
fn decode(pieces: &[&[u8]]) -> Result<Option<(Form, Vec<u8>, bool)>, ErrorCode> {
    let mut decoder = Some(FormDecoder::new("multipart/form-data; boundary=b").map_err(|error| error.code())?);
    let mut file = None;
    let mut content = Vec::new();
    for piece in pieces {
        let Some(fields) = decoder.take() else {
            if let Some((_, file)) = &mut file {
                let file: &mut Box<postern::s3::FileDecoder> = file;
                content.extend_from_slice(&file.decode(bytes::Bytes::copy_from_slice(piece)));
            }
            continue;
        };
        match fields.decode(piece).map_err(|error| error.code())? {
            FormEvent::Fields(fields) => decoder = Some(fields),
            FormEvent::File(form, mut begun) => {
                content.extend_from_slice(&begun.decode(bytes::Bytes::new()));
                file = Some((form, begun));
            }
        }
    }
    Ok(file.map(|(form, file)| (form, content, file.has_ended())))
}

fuzz_target!(|data: &[u8]| {
    let _ = PostPolicy::parse(data);
    let Some((cut, body)) = data.split_first() else { return };
    let (front, back) = body.split_at(usize::from(*cut).min(body.len()));
    let (whole, cut) = (decode(&[body]), decode(&[front, back]));
    match (whole, cut) {
        (Ok(Some(whole)), Ok(Some(cut))) => {
            assert!(whole.0 == cut.0 && whole.1 == cut.1 && whole.2 == cut.2);
        }
        (Ok(None), Ok(None)) | (Err(_), Err(_)) => {}
        (whole, cut) => panic!("{:?} {:?}", whole.err(), cut.err()),
    }
});
