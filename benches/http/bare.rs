//! What `benches/http/run` compares with to say what HTTP's library costs by itself: hyper, set up as postern sets it up, with no verifying, no policy, no record and
//! no limits. It answers from memory or, with `--root`, with the file that the path names.
#![allow(clippy::print_stdout)] // a tool with its own output

use std::{
    convert::Infallible, error::Error, fs::File, io, net::TcpListener, os::unix::fs::FileExt, path::PathBuf,
    thread,
};

use bytes::Bytes;
use clap::Parser;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;

#[derive(Parser)]
struct Arguments {
    /// How many bytes of nothing are answered
    #[arg(long, default_value_t = 4096)]
    bytes: usize,
    /// Answer with the files below this folder in place of that
    #[arg(long)]
    root: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: &'static Arguments = Box::leak(Box::new(Arguments::parse()));
    let content = Bytes::from(vec![b'x'; arguments.bytes]);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    println!("listens on {}", listener.local_addr()?);
    let threads: Vec<_> = (0..thread::available_parallelism()?.get())
        .map(|_| {
            let (listener, content) = (listener.try_clone()?, content.clone());
            Ok(thread::spawn(move || serve(listener, arguments, &content)))
        })
        .collect::<io::Result<_>>()?;
    for thread in threads {
        thread.join().map_err(|_| "a thread ended")??;
    }
    Ok(())
}

fn serve(listener: TcpListener, arguments: &'static Arguments, content: &Bytes) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let content = content.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let content = content.clone();
                async move { Ok::<_, Infallible>(answer(&request, arguments, content)) }
            });
            let connection = http1::Builder::new()
                .half_close(true)
                .writev(true)
                .serve_connection(TokioIo::new(stream), service);
            tokio::task::spawn_local(connection);
        }
    })
}

/// As many headers as postern's answers have.
fn answer(request: &Request<Incoming>, arguments: &Arguments, content: Bytes) -> Response<Full<Bytes>> {
    let content = match &arguments.root {
        None => Ok(content),
        Some(root) => read(&root.join(request.uri().path().trim_start_matches('/'))),
    };
    let Ok(content) = content else {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    };
    let length = HeaderValue::from(content.len());
    let mut response = Response::new(Full::new(content));
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ETAG, "\"file-0123456789abcdef0123456789abcdef\""),
        (header::LAST_MODIFIED, "Thu, 26 Nov 2026 12:00:00 GMT"),
        (header::CONTENT_TYPE, "binary/octet-stream"),
        (header::ACCEPT_RANGES, "bytes"),
        (header::SERVER, "hyper"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_LENGTH, length);
    headers.insert("x-amz-request-id", HeaderValue::from_static("0123456789ABCDEF"));
    headers.insert("x-amz-id-2", HeaderValue::from_static("0123456789abcdef"));
    response
}

/// Opens, looks how long it is, reads and closes.
fn read(path: &std::path::Path) -> io::Result<Bytes> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut content = vec![0; usize::try_from(length).unwrap_or_default()];
    file.read_exact_at(&mut content, 0)?;
    Ok(content.into())
}
