//! Any first bytes of a connection are a PROXY header, none, or too few; however they are cut and whatever follows, they are read alike.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postern::types::ProxyHeader;

fuzz_target!(|data: &[u8]| {
    let whole = ProxyHeader::parse(data);
    // The longest text that may still become a header has 106 bytes, and the longest binary one that is not decided 51.
    assert!(whole != Ok(None) || data.len() < 107);
    for cut in 0..data.len().min(300) {
        match (ProxyHeader::parse(&data[..cut]), whole) {
            (Ok(None), _) => {}
            // What was decided stays.
            (Ok(Some(early)), Ok(Some(whole))) => assert_eq!(early, whole),
            (Err(early), Err(whole)) => assert_eq!(early, whole),
            (early, whole) => panic!("{early:?} became {whole:?}"),
        }
    }
    if let Ok(Some(header)) = whole {
        assert!((15..=4096).contains(&header.length));
    }
});
