//! An aws-chunked body: however it is cut, it decodes to the same content or the same refusal, never to more than was declared; and what another program
//! signs by the published rules is decoded to what it signed.
#![no_main]

use std::sync::LazyLock;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use postern::{
    sigv4::{AddressingStyle, ChunkedDecoder, ChunkedReject, Decoded, Endpoint, HeaderSigned, SignRequest, Target, Terms, sign_header, signing_key},
    types::{AccessKeyId, BucketName, ObjectKey, Region, RequestHead, Scheme, SecretKey, Span},
};
use sha2::{Digest, Sha256};
use time::{OffsetDateTime, macros::datetime};

const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);
const SECRET: &str = "secret";
const KINDS: [&str; 3] = [
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
];
/// A declared length that makes a body of one kind; those of the first chunks of a seed are these too.
const LENGTHS: [u64; 4] = [0, 5, 300, 9000];

/// The signed head of an upload.
fn head(kind: &str, length: u64) -> RequestHead {
    let mut own = vec![("x-amz-decoded-content-length".to_owned(), length.to_string())];
    if kind.ends_with("TRAILER") {
        own.push(("x-amz-trailer".to_owned(), "x-amz-checksum-crc32".to_owned()));
    }
    let request = SignRequest {
        method: &Method::PUT,
        endpoint: &Endpoint::parse("http://localhost:9000").unwrap(),
        style: AddressingStyle::Path,
        bucket: Some(&BucketName::parse("bucket").unwrap()),
        key: Some(&ObjectKey::parse("key").unwrap()),
        headers: &own,
        query: &[],
        session_token: None,
    };
    let (id, secret) = (AccessKeyId::parse("AKIA").unwrap(), SecretKey::parse(SECRET.to_owned()).ok().unwrap());
    let mut headers = sign_header(&request, &id, &secret, &Region::us_east_1(), NOW, kind).unwrap().headers;
    headers.insert("host", HeaderValue::from_static("localhost:9000"));
    RequestHead::new(Method::PUT, Scheme::Http, "/bucket/key".parse().unwrap(), headers).unwrap()
}

static HEADS: LazyLock<Vec<RequestHead>> =
    LazyLock::new(|| KINDS.iter().flat_map(|kind| LENGTHS.map(|length| head(kind, length))).collect());

fn decoder(head: &RequestHead) -> ChunkedDecoder {
    let query = head.query().unwrap();
    let terms = Terms { now: NOW, regions: &[Region::us_east_1()], max_expires: Span::from_seconds(604_800) };
    let in_force = HeaderSigned::parse(head, &query).ok().unwrap().in_force(&terms).ok().unwrap();
    let secret = SecretKey::parse(SECRET.to_owned()).ok().unwrap();
    let key = signing_key(&secret, in_force.scope_date(), in_force.region().as_str());
    let path = head.canonical_path().ok().unwrap();
    let target = Target { authority: head.authority(), path: &path };
    let verified = in_force.verify(head, target, &key).ok().unwrap();
    verified.chunked(head).ok().flatten().unwrap()
}

type Outcome = Result<(Vec<u8>, HeaderMap), ChunkedReject>;

fn decode(mut decoder: ChunkedDecoder, pieces: &[&[u8]]) -> Outcome {
    let (most, mut content) = (decoder.decoded_length(), Vec::new());
    for piece in pieces {
        let mut input = Bytes::copy_from_slice(piece);
        loop {
            match decoder.decode(&mut input)? {
                Decoded::Data(data) => {
                    assert!(!data.is_empty());
                    content.extend_from_slice(&data);
                    assert!(content.len() as u64 <= most, "more than was declared");
                }
                Decoded::NeedMore | Decoded::End if input.is_empty() => break,
                Decoded::NeedMore | Decoded::End => {}
            }
        }
    }
    decoder.finish().map(|trailers| (content, trailers))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Signs as <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html> says, by itself.
fn encode(head: &RequestHead, kind: &str, content: &[u8], chunk: usize) -> Vec<u8> {
    let key = ["20261124", "us-east-1", "s3", "aws4_request"]
        .iter()
        .fold(format!("AWS4{SECRET}").into_bytes(), |key, part| mac(&key, part));
    let authorization = head.headers().get("authorization").unwrap().to_str().unwrap();
    let mut previous = authorization.rsplit_once('=').unwrap().1.to_owned();
    let signs = kind != KINDS[0];
    let mut sign = |kind: &str, hashes: &str| {
        let text = format!("AWS4-HMAC-SHA256-{kind}\n20261124T120000Z\n20261124/us-east-1/s3/aws4_request\n{previous}\n{hashes}");
        previous = hex::encode(mac(&key, &text));
        previous.clone()
    };
    let hash = |data: &[u8]| hex::encode(Sha256::digest(data));
    let mut body = Vec::new();
    for data in content.chunks(chunk).chain([&b""[..]]) {
        body.extend_from_slice(format!("{:x}", data.len()).as_bytes());
        if signs {
            let signature = sign("PAYLOAD", &format!("{}\n{}", hash(b""), hash(data)));
            body.extend_from_slice(format!(";chunk-signature={signature}").as_bytes());
        }
        body.extend_from_slice(b"\r\n");
        if !data.is_empty() {
            body.extend_from_slice(data);
            body.extend_from_slice(b"\r\n");
        }
    }
    if kind.ends_with("TRAILER") {
        body.extend_from_slice(b"x-amz-checksum-crc32:AAAAAA==\r\n");
        if signs {
            let signature = sign("TRAILER", &hash(b"x-amz-checksum-crc32:AAAAAA==\n"));
            body.extend_from_slice(format!("x-amz-trailer-signature:{signature}\r\n").as_bytes());
        }
    }
    body.extend_from_slice(b"\r\n");
    body
}

fuzz_target!(|data: &[u8]| {
    let [which, cut, body @ ..] = data else { return };
    let which = usize::from(*which) % HEADS.len();
    let (head, kind) = (&HEADS[which], KINDS[which / LENGTHS.len()]);
    let (front, back) = body.split_at(usize::from(*cut).min(body.len()));
    let bytewise: Vec<&[u8]> = body.chunks(1).collect();
    let whole = decode(decoder(head), &[body]);
    for outcome in [decode(decoder(head), &[front, back]), decode(decoder(head), &bytewise)] {
        match (&whole, &outcome) {
            (Ok(one), Ok(other)) => assert!(one == other),
            // Which of two faults comes first may hang on the cut; that there is one may not.
            (Err(_), Err(_)) => {}
            (one, other) => panic!("{:?} {:?}", one.as_ref().err(), other.as_ref().err()),
        }
    }
    if let Ok((content, _)) = &whole {
        assert_eq!(content.len() as u64, LENGTHS[which % LENGTHS.len()]);
    }

    // The same bytes as the content of a body that is signed by the rules: chunks of 8 KiB, as the least are.
    let length = LENGTHS[which % LENGTHS.len()] as usize;
    let content: Vec<u8> = body.iter().copied().chain(std::iter::repeat(*cut)).take(length).collect();
    let mut sent = encode(head, kind, &content, 8192);
    let at = usize::from(*cut) % sent.len();
    let (front, back) = sent.split_at(at);
    let (decoded, _) = decode(decoder(head), &[front, back]).unwrap_or_else(|reject| panic!("{reject}"));
    assert!(decoded == content);
    if kind != KINDS[0] {
        // One bit of it turned, and it is no longer what was signed.
        sent[at] ^= 1;
        assert!(decode(decoder(head), &[&sent]).is_err(), "{at} of {}", String::from_utf8_lossy(&sent));
    }
});
