//! The documents that clients send: read or refused, within their bounds, and what is read and written again is read as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postern::{
    s3::{DeleteRequest, complete_multipart, create_bucket, tag_set, tags},
    types::MAX_PARTS,
};

fuzz_target!(|data: &[u8]| {
    if let Ok(request) = DeleteRequest::parse(data) {
        assert!((1..=1000).contains(&request.entries.len()));
        for entry in &request.entries {
            assert!(!entry.key.is_empty() && entry.key.len() <= data.len());
            let _ = entry.object_key();
        }
    }
    if let Ok(parts) = complete_multipart(data) {
        assert!((1..=MAX_PARTS as usize).contains(&parts.len()));
        assert!(parts.is_sorted_by(|one, next| one.number < next.number));
    }
    if let Ok(read) = tags(data) {
        assert!(read.len() <= 10);
        let written = tag_set(&read);
        assert_eq!(tags(&written).ok().as_ref(), Some(&read), "{}", String::from_utf8_lossy(&written));
    }
    let _ = create_bucket(data, "us-east-1");
});
