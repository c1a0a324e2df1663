//! Any key comes back from its path, and any path is no key's or exactly one's.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use postern::{
    store::disk::mapping::{OBJECT_OF_FOLDER, from_path, to_path},
    types::ObjectKey,
};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(key) = ObjectKey::parse(text) {
        let path = to_path(&key);
        assert_eq!(from_path(Path::new(&path)), Some(key));
        for name in path.split('/') {
            assert!(!name.is_empty() && name != "." && name != ".." && name.len() <= 255 && !name.contains('\0'));
        }
    }
    if let Some(key) = from_path(Path::new(text)) {
        let own = to_path(&key);
        assert!(text == own || text == format!("{own}/{OBJECT_OF_FOLDER}"));
    }
});
