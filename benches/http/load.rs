//! A load generator for `benches/http/run`: keep-alive connections with a thread each, bounded by a count of requests and by a time, that
//! spend as little as they can on what they receive. One line of JSON tells what came of it.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::indexing_slicing)] // a tool with its own output, and the ranges are its own

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{error::Error, fs, path::PathBuf, process::ExitCode, sync::Arc, thread};

use clap::Parser;
use rustix::net::{RecvFlags, recv};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring};

type Failure = Box<dyn Error + Send + Sync>;

/// One piece of a body, received or sent.
const PIECE_BYTES: usize = 1024 * 1024;
/// Room for the head of an answer, and for the small bodies that come along with it.
const HEAD_BYTES: usize = 8 * 1024;
/// A body up to here leaves in one call together with its head.
const TOGETHER_BYTES: usize = 64 * 1024;
/// So many broken connections are opened anew.
const MOST_ERRORS: u64 = 100;
/// How long a server may keep silent.
const SILENCE: Duration = Duration::from_secs(30);

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    address: SocketAddr,
    /// What the Host header says
    #[arg(long)]
    host: String,
    /// Request targets, one a line, taken in turn
    #[arg(long)]
    target_file: PathBuf,
    #[arg(long, default_value_t = 4)]
    connections: usize,
    #[arg(long)]
    requests: u64,
    #[arg(long)]
    seconds: f64,
    /// Speak TLS and trust this certificate, in PEM
    #[arg(long)]
    ca: Option<PathBuf>,
    #[arg(long, default_value = "GET")]
    method: String,
    /// Of each request
    #[arg(long, default_value_t = 0)]
    body_bytes: usize,
}

/// What all connections share.
struct Plan {
    arguments: Arguments,
    requests: Vec<Vec<u8>>,
    body: Vec<u8>,
    tls: Option<Arc<ClientConfig>>,
    taken: AtomicU64,
    errors: AtomicU64,
    until: Instant,
}

impl Plan {
    fn new(arguments: Arguments) -> Result<Self, Failure> {
        let body = vec![b'x'; arguments.body_bytes.min(PIECE_BYTES)];
        let length = match (arguments.method.as_str(), arguments.body_bytes) {
            ("GET", 0) => String::new(),
            (_, length) => format!("content-length: {length}\r\n"),
        };
        let mut requests = Vec::new();
        for target in fs::read_to_string(&arguments.target_file)?.lines() {
            let Arguments { method, host, .. } = &arguments;
            let head = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\n{length}\r\n");
            let along = (body.len() <= TOGETHER_BYTES).then_some(body.as_slice());
            requests.push([head.as_bytes(), along.unwrap_or_default()].concat());
        }
        Ok(Self {
            requests,
            body,
            tls: arguments.ca.as_ref().map(trusting).transpose()?,
            until: Instant::now() + Duration::from_secs_f64(arguments.seconds),
            taken: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            arguments,
        })
    }

    /// The next request, until they are enough or there is none.
    fn take(&self) -> Option<&[u8]> {
        let at = self.taken.fetch_add(1, Ordering::Relaxed);
        let more = at < self.arguments.requests && Instant::now() < self.until;
        let at = usize::try_from(at).ok()?.checked_rem(self.requests.len())?;
        more.then(|| self.requests[at].as_slice())
    }
}

fn trusting(certificate: &PathBuf) -> Result<Arc<ClientConfig>, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

enum Link {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Link {
    fn open(plan: &Plan) -> Result<Self, Failure> {
        let stream = TcpStream::connect_timeout(&plan.arguments.address, SILENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(SILENCE))?;
        let Some(tls) = &plan.tls else {
            return Ok(Self::Plain(stream));
        };
        let host = plan.arguments.host.as_str();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name).to_owned();
        let client = ClientConnection::new(Arc::clone(tls), ServerName::try_from(name)?)?;
        Ok(Self::Tls(Box::new(StreamOwned::new(client, stream))))
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = match self {
            Self::Plain(stream) => stream.read(into)?,
            Self::Tls(stream) => stream.read(into)?,
        };
        (read > 0)
            .then_some(read)
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes),
            Self::Tls(stream) => stream.write_all(bytes),
        }
    }

    /// Receives this many bytes and drops them; of a plain connection the kernel does, without copying them.
    fn discard(&mut self, mut left: u64, buffer: &mut [u8]) -> io::Result<()> {
        while left > 0 {
            let most = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            let received = match self {
                Self::Plain(stream) => match recv(&*stream, &mut buffer[..most], RecvFlags::TRUNC)? {
                    (_, 0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    (_, received) => received,
                },
                Self::Tls(_) => self.read(&mut buffer[..most])?,
            };
            left = left.saturating_sub(received as u64);
        }
        Ok(())
    }
}

/// One request and its answer; tells how many bytes of body went by. An answer that is none to measure is an error of the kind `Other`.
fn exchange(plan: &Plan, link: &mut Link, request: &[u8], buffer: &mut [u8]) -> io::Result<u64> {
    link.write(request)?;
    let size = plan.arguments.body_bytes;
    let mut unsent = if size > TOGETHER_BYTES { size } else { 0 };
    while unsent > 0 {
        let piece = &plan.body[..unsent.min(plan.body.len())];
        link.write(piece)?;
        unsent -= piece.len();
    }
    let mut filled = 0;
    let end = loop {
        filled += link.read(&mut buffer[filled..HEAD_BYTES])?;
        if let Some(at) = memchr::memmem::find(&buffer[..filled], b"\r\n\r\n") {
            break at + 4;
        }
        if filled == HEAD_BYTES {
            return Err(io::Error::other("the head of an answer is too long"));
        }
    };
    let head = str::from_utf8(&buffer[..end]).map_err(io::Error::other)?;
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = match (head.get(9..12), length.map(|(_, value)| value.parse::<u64>())) {
        (Some("200" | "201"), Some(Ok(length))) => length,
        (Some("204"), None) => 0,
        _ => return Err(io::Error::other(String::from_utf8_lossy(&buffer[..filled]))),
    };
    link.discard(length.saturating_sub((filled - end) as u64), buffer)?;
    Ok(length + size as u64)
}

/// All that one connection does: the bytes of body, and how long each exchange took, in microseconds.
fn connection(plan: &Plan) -> Result<(u64, Vec<u128>), Failure> {
    let mut buffer = vec![0; PIECE_BYTES];
    let (mut link, mut bytes, mut latencies) = (Link::open(plan)?, 0, Vec::new());
    while let Some(request) = plan.take() {
        let started = Instant::now();
        match exchange(plan, &mut link, request, &mut buffer) {
            Ok(exchanged) => {
                bytes += exchanged;
                latencies.push(started.elapsed().as_micros());
            }
            Err(error) if error.kind() == io::ErrorKind::Other => return Err(error.into()),
            Err(_) if plan.errors.fetch_add(1, Ordering::Relaxed) < MOST_ERRORS => {
                link = Link::open(plan)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok((bytes, latencies))
}

fn load() -> Result<serde_json::Value, Failure> {
    let plan = &Plan::new(Arguments::parse())?;
    let started = Instant::now();
    let (mut bytes, mut latencies) = (0, Vec::new());
    thread::scope(|scope| {
        let all = 0..plan.arguments.connections;
        let threads = Vec::from_iter(all.map(|_| scope.spawn(|| connection(plan))));
        for thread in threads {
            let (more, times) = thread.join().map_err(|_| "a thread panicked")??;
            bytes += more;
            latencies.extend(times);
        }
        Ok::<_, Failure>(())
    })?;
    let seconds = started.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let percentile = |hundredths: usize| latencies.get(latencies.len() * hundredths / 100);
    Ok(serde_json::json!({
        "requests": latencies.len(), "bytes": bytes, "seconds": seconds, "errors": plan.errors.load(Ordering::Relaxed),
        "p50_microseconds": percentile(50), "p99_microseconds": percentile(99),
    }))
}

fn main() -> ExitCode {
    let figures = load();
    match &figures {
        Ok(figures) => println!("{figures}"),
        Err(error) => eprintln!("{error}"),
    }
    ExitCode::from(u8::from(figures.is_err()))
}
