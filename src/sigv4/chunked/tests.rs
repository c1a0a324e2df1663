//! AWS's published bodies, hostile ones by table, and round trips cut anywhere.

use http::HeaderMap;
use proptest::prelude::*;
use time::macros::datetime;

use super::*;
use crate::{
    sigv4::{HeaderSigned, Payload, Terms, signing_key},
    types::{Region, RequestHead, Scheme, SecretKey, Span},
};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn chain(kind: Streaming, seed: &str) -> Option<Chain> {
    let secret = SecretKey::parse(SECRET.to_owned()).unwrap();
    let key = signing_key(&secret, "20130524", "us-east-1");
    let seed = Signature::parse(seed).unwrap();
    Chain::of(
        Payload::Streaming(kind),
        &key,
        "20130524T000000Z",
        "20130524",
        "us-east-1",
        &seed,
    )
}

fn headers(length: u64, trailer: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-decoded-content-length", length.into());
    if let Some(names) = trailer {
        headers.insert("x-amz-trailer", names.parse().unwrap());
    }
    headers
}

fn decoder(kind: Streaming, length: u64, trailer: Option<&str>) -> ChunkedDecoder {
    let seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
    ChunkedDecoder::new(kind, chain(kind, seed), &headers(length, trailer))
        .ok()
        .unwrap()
}

/// Decodes a body that comes in pieces of these lengths, over and over.
fn decode(
    mut decoder: ChunkedDecoder,
    body: &[u8],
    cuts: &[usize],
) -> Result<(Vec<u8>, HeaderMap), ChunkedReject> {
    let (mut content, mut rest, mut cuts) = (Vec::new(), body, cuts.iter().cycle());
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at((*cuts.next().unwrap()).clamp(1, rest.len()));
        rest = behind;
        let mut input = Bytes::copy_from_slice(piece);
        loop {
            match decoder.decode(&mut input)? {
                Decoded::Data(data) => {
                    assert!(!data.is_empty());
                    content.extend_from_slice(&data);
                }
                Decoded::NeedMore | Decoded::End if input.is_empty() => break,
                Decoded::NeedMore | Decoded::End => {}
            }
        }
    }
    decoder.finish().map(|trailers| (content, trailers))
}

fn hex_sha256(data: &[u8]) -> String {
    hex::encode(Sha256::digest(data))
}

/// What a client sends: chunks of these lengths, and a trailer.
fn encode(kind: Streaming, content: &[u8], chunk: usize, trailer: Option<(&str, &str)>) -> Vec<u8> {
    let seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
    let mut chain = chain(kind, seed);
    let mut body = Vec::new();
    let last: &[u8] = b"";
    for data in content.chunks(chunk).chain([last]) {
        body.extend_from_slice(format!("{:x}", data.len()).as_bytes());
        if let Some(chain) = &mut chain {
            let hashes = format!("{}\n{}", hex_sha256(b""), hex_sha256(data));
            let signature = chain.sign("AWS4-HMAC-SHA256-PAYLOAD", &hashes);
            body.extend_from_slice(format!(";chunk-signature={signature}").as_bytes());
        }
        body.extend_from_slice(b"\r\n");
        if !data.is_empty() {
            body.extend_from_slice(data);
            body.extend_from_slice(b"\r\n");
        }
    }
    if let Some((name, value)) = trailer {
        body.extend_from_slice(format!("{name}:{value}\r\n").as_bytes());
        if let Some(chain) = &mut chain {
            let hash = hex_sha256(format!("{name}:{value}\n").as_bytes());
            let signature = chain.sign("AWS4-HMAC-SHA256-TRAILER", &hash);
            body.extend_from_slice(format!("x-amz-trailer-signature:{signature}\r\n").as_bytes());
        }
    }
    body.extend_from_slice(b"\r\n");
    body
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>
#[test]
fn awss_published_example_holds_from_the_head_to_the_last_chunk() {
    let sent = [
        ("host", "s3.amazonaws.com"),
        ("x-amz-date", "20130524T000000Z"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        ),
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"),
        ("content-length", "66824"),
    ];
    let headers = sent
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect();
    let uri = "/examplebucket/chunkObject.txt".parse().unwrap();
    let head = RequestHead::new(http::Method::PUT, Scheme::Https, uri, headers).unwrap();
    let query = head.query().unwrap();
    let regions = [Region::parse("us-east-1").unwrap()];
    let terms = Terms {
        now: datetime!(2013-05-24 0:05 UTC),
        regions: &regions,
        max_expires: Span::from_seconds(604_800),
    };
    let in_force = HeaderSigned::parse(&head, &query)
        .unwrap_or_else(|e| panic!("{e}"))
        .in_force(&terms)
        .unwrap_or_else(|e| panic!("{e}"));
    let secret = SecretKey::parse(SECRET.to_owned()).unwrap();
    let key = signing_key(&secret, in_force.scope_date(), in_force.region().as_str());
    let path = head.canonical_path().unwrap();
    let target = crate::sigv4::Target {
        authority: head.authority(),
        path: &path,
    };
    let verified = in_force
        .verify(&head, target, &key)
        .unwrap_or_else(|e| panic!("{e}"));
    let decoder = verified.chunked(&head).ok().flatten().unwrap();
    assert_eq!(decoder.decoded_length(), 66_560);

    let mut body = Vec::new();
    for (size, signature) in [
        (
            65_536,
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        ),
        (
            1024,
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        ),
        (
            0,
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
        ),
    ] {
        body.extend_from_slice(format!("{size:x};chunk-signature={signature}\r\n").as_bytes());
        body.extend_from_slice("a".repeat(size).as_bytes());
        body.extend_from_slice(b"\r\n");
    }
    assert_eq!(body.len(), 66_824);
    let (content, _) = decode(decoder, &body, &[1000]).unwrap();
    assert_eq!(content, "a".repeat(66_560).as_bytes());
}

/// Found by fuzzing: a form feed in place of a carriage return was taken for nothing.
#[test]
fn only_spaces_and_tabs_around_a_trailers_value_count_for_nothing() {
    for (around, is_taken) in [(" \t", true), ("\u{c}", false), ("\u{b}", false)] {
        let body = format!("0\r\nx-amz-checksum-crc32:{around}AAAAAA=={around}\r\n\r\n");
        let decoder = decoder(Streaming::UnsignedTrailer, 0, Some("x-amz-checksum-crc32"));
        let value = decode(decoder, body.as_bytes(), &[1000]).map(|(_, trailers)| trailers.len());
        assert_eq!(value.is_ok_and(|count| count == 1), is_taken, "{around:?}");
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>
#[test]
fn awss_published_trailer_holds() {
    let seed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
    let kind = Streaming::HmacTrailer;
    let headers = headers(66_560, Some("x-amz-checksum-crc32c"));
    let decoder = ChunkedDecoder::new(kind, chain(kind, seed), &headers)
        .ok()
        .unwrap();
    let mut body = Vec::new();
    for (size, signature) in [
        (
            65_536,
            "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        ),
        (
            1024,
            "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        ),
        (
            0,
            "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
        ),
    ] {
        body.extend_from_slice(format!("{size:x};chunk-signature={signature}\r\n").as_bytes());
        body.extend_from_slice("a".repeat(size).as_bytes());
        if size > 0 {
            body.extend_from_slice(b"\r\n");
        }
    }
    body.extend_from_slice(b"x-amz-checksum-crc32c:sOO8/Q==\r\n");
    body.extend_from_slice(
        b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n",
    );
    let (content, trailers) = decode(decoder, &body, &[777]).unwrap();
    assert_eq!(content.len(), 66_560);
    assert_eq!(trailers["x-amz-checksum-crc32c"], "sOO8/Q==");
}

#[test]
fn a_body_that_is_not_what_was_declared_is_refused() {
    let long_line = "x".repeat(5000);
    let unsigned = |length, body: &str| {
        decode(
            decoder(Streaming::UnsignedTrailer, length, Some("x-amz-checksum-crc32")),
            body.as_bytes(),
            &[3],
        )
    };
    for (length, body, reject) in [
        (3, "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", None),
        (3, "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n", None),
        (
            3,
            "003\r\nabc\r\n0\r\nX-Amz-Checksum-Crc32: AAAAAA== \r\n\r\n",
            None,
        ),
        (3, "3\r\nabc\r\n0\r\n\r\n", Some(ChunkedReject::Trailer)),
        (
            3,
            "3\r\nabc\r\n0\r\nother:x\r\n\r\n",
            Some(ChunkedReject::Trailer),
        ),
        (
            3,
            "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:A\r\nx-amz-checksum-crc32:B\r\n\r\n",
            Some(ChunkedReject::Trailer),
        ),
        (
            3,
            "3\r\nabc\r\n0\r\nx-amz-checksum-crc32\r\n\r\n",
            Some(ChunkedReject::Trailer),
        ),
        (
            3,
            "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:A\r\n\r\nmore",
            Some(ChunkedReject::Malformed),
        ),
        (3, "", Some(ChunkedReject::Incomplete)),
        (3, "3\r\nab", Some(ChunkedReject::Incomplete)),
        (3, "3\r\nabc", Some(ChunkedReject::Incomplete)),
        (3, "3\r\nabc\r\n", Some(ChunkedReject::Incomplete)),
        (3, "0\r\n\r\n", Some(ChunkedReject::Incomplete)),
        (2, "3\r\nabc\r\n0\r\n\r\n", Some(ChunkedReject::TooLong)),
        (3, "ffffffffffffffff\r\n", Some(ChunkedReject::TooLong)),
        (3, "10000000000000000\r\n", Some(ChunkedReject::Malformed)),
        (3, "+3\r\nabc\r\n", Some(ChunkedReject::Malformed)),
        (3, "\r\nabc\r\n", Some(ChunkedReject::Malformed)),
        (3, "3 \r\nabc\r\n", Some(ChunkedReject::Malformed)),
        (3, "3\nabc\r\n", Some(ChunkedReject::Malformed)),
        (3, "3;ext=1\r\nabc\r\n", Some(ChunkedReject::Malformed)),
        (3, "3\r\nabcd\r\n", Some(ChunkedReject::Malformed)),
        (3, &long_line, Some(ChunkedReject::Malformed)),
    ] {
        assert_eq!(unsigned(length, body).err(), reject, "{body:.60}");
    }
}

#[test]
fn a_signed_body_needs_every_signature_and_no_small_chunk_before_the_last() {
    let content = vec![b'a'; 20_000];
    let kind = Streaming::Hmac;
    let good = encode(kind, &content, 8192, None);
    assert_eq!(
        decode(decoder(kind, 20_000, None), &good, &[4096]).unwrap().0,
        content
    );
    let small = encode(kind, &content, 8191, None);
    assert_eq!(
        decode(decoder(kind, 20_000, None), &small, &[4096]).unwrap_err(),
        ChunkedReject::SmallChunk { chunk: 1, size: 8191 }
    );
    let bare = encode(Streaming::UnsignedTrailer, &content, 8192, None);
    assert_eq!(
        decode(decoder(kind, 20_000, None), &bare, &[99]).unwrap_err(),
        ChunkedReject::Malformed
    );
    let text = String::from_utf8(good.clone()).unwrap();
    let upper = text.replacen(&text[5 + 17..5 + 81], &text[5 + 17..5 + 81].to_uppercase(), 1);
    assert_eq!(
        decode(decoder(kind, 20_000, None), upper.as_bytes(), &[99]).unwrap_err(),
        ChunkedReject::Signature
    );
    // Chunks in another order, though each is signed.
    let trailer = encode(
        Streaming::HmacTrailer,
        &content,
        8192,
        Some(("x-amz-checksum-sha1", "v")),
    );
    let unsigned_trailer = String::from_utf8(trailer).unwrap();
    let cut = unsigned_trailer.find("x-amz-trailer-signature").unwrap();
    let body = format!("{}\r\n", &unsigned_trailer[..cut]);
    assert_eq!(
        decode(
            decoder(Streaming::HmacTrailer, 20_000, Some("x-amz-checksum-sha1")),
            body.as_bytes(),
            &[99]
        )
        .unwrap_err(),
        ChunkedReject::Trailer
    );
}

/// Published by AWS in this shape, and sent so by minio-go: a line feed behind the trailer, then an empty line, then the signature.
#[test]
fn an_empty_line_may_stand_before_the_trailers_signature_and_nothing_else_behind_it() {
    let (kind, name) = (Streaming::HmacTrailer, "x-amz-checksum-sha1");
    let body = encode(kind, b"abc", 8192, Some((name, "v")));
    let body = String::from_utf8(body).unwrap();
    let decode = |body: &str| decode(decoder(kind, 3, Some(name)), body.as_bytes(), &[7]);
    let apart = body.replace("v\r\nx-amz-trailer", "v\n\r\nx-amz-trailer");
    assert_eq!(decode(&apart).unwrap(), decode(&body).unwrap());
    for odd in [
        body.replace("v\r\nx-amz-trailer", "v\n\r\n\r\nx-amz-trailer"),
        body.replace(
            "v\r\nx-amz-trailer",
            "v\n\r\nx-amz-checksum-sha1:v\r\nx-amz-trailer",
        ),
        body.replace("x-amz-checksum-sha1:v\r\nx-amz-trailer", "\r\nx-amz-trailer"),
    ] {
        assert!(decode(&odd).is_err(), "{odd}");
    }
}

#[test]
fn the_decoded_length_is_a_number_and_must_be_there() {
    let new = |headers: &HeaderMap| ChunkedDecoder::new(Streaming::UnsignedTrailer, None, headers).err();
    assert_eq!(new(&HeaderMap::new()), Some(ChunkedReject::LengthMissing));
    for given in ["", "-1", "+1", "1.0", "99999999999999999999999"] {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-decoded-content-length", given.parse().unwrap());
        assert!(
            matches!(new(&headers), Some(ChunkedReject::LengthMalformed { .. })),
            "{given}"
        );
    }
    let ecdsa = ChunkedDecoder::new(Streaming::Ecdsa, None, &headers(1, None));
    assert_eq!(ecdsa.err(), Some(ChunkedReject::Unsupported));
}

fn kind() -> impl Strategy<Value = Streaming> {
    prop::sample::select(vec![
        Streaming::UnsignedTrailer,
        Streaming::Hmac,
        Streaming::HmacTrailer,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn content_comes_back_however_the_body_is_cut(
        kind in kind(),
        content in prop::collection::vec(any::<u8>(), 0..30_000),
        chunk in 8192usize..20_000,
        cuts in prop::collection::vec(1usize..9000, 1..5),
    ) {
        let trailer = (kind != Streaming::Hmac).then_some(("x-amz-checksum-crc32", "AAAAAA=="));
        let body = encode(kind, &content, chunk, trailer);
        let decoder = decoder(kind, content.len() as u64, trailer.map(|(name, _)| name));
        let (decoded, trailers) = decode(decoder, &body, &cuts).unwrap();
        prop_assert_eq!(decoded, content);
        prop_assert_eq!(trailers.len(), usize::from(trailer.is_some()));
    }

    #[test]
    fn a_signed_body_with_any_byte_changed_is_never_taken(
        at in any::<prop::sample::Index>(),
        change in 1u8..=255,
        trailing in any::<bool>(),
    ) {
        let kind = if trailing { Streaming::HmacTrailer } else { Streaming::Hmac };
        let trailer = trailing.then_some(("x-amz-checksum-crc32", "AAAAAA=="));
        let mut body = encode(kind, &[b'a'; 9000], 8192, trailer);
        let at = at.index(body.len());
        body[at] ^= change;
        let decoder = decoder(kind, 9000, trailer.map(|(name, _)| name));
        if let Ok((content, trailers)) = decode(decoder, &body, &[512]) {
            // Letter case of a size or of a trailer's name, or white space around a value, is the same body.
            prop_assert_eq!(content, vec![b'a'; 9000]);
            prop_assert!(trailers.values().all(|value| value == "AAAAAA=="));
        }
    }
}
