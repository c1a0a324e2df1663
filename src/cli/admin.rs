//! Asking the running gateway's admin listener.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use super::Problem;

/// How long the gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long it may take to explain a request: the search has its own limit, and a busy machine takes its time.
const EXPLAINING: Duration = Duration::from_secs(30);

/// The most bytes of an answer: every running transfer, or an explanation of the longest head.
const MOST_TEXT: usize = 64 << 20;

/// Asks for a path of the listener that `listen` (admin.listen) names. An error is for people, and names the address.
pub(super) fn get(listen: &str, path: &str) -> Result<(StatusCode, String), Problem> {
    run(listen, Request::get(path).body(Full::default())?)
}

/// The same with a JSON document.
pub(super) fn post(listen: &str, path: &str, document: String) -> Result<(StatusCode, String), Problem> {
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
    run(listen, request.body(Full::from(document))?)
}

fn run(listen: &str, request: Request<Full<Bytes>>) -> Result<(StatusCode, String), Problem> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answer = runtime.block_on(ask_within_patience(listen, request));
    // A look-up of a name may still be going on; the process does not wait for it.
    runtime.shutdown_background();
    answer
}

async fn ask_within_patience(
    listen: &str,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, String), Problem> {
    let patience = match request.uri().path().starts_with("/explain") {
        true => EXPLAINING,
        false => PATIENCE,
    };
    let seconds = patience.as_secs();
    let late = |what: String| format!("no answer from {what} (admin.listen) within {seconds} seconds");
    let begun = Instant::now();
    let address = timeout(patience, reachable(listen))
        .await
        .map_err(|_| late(listen.to_owned()))??;
    let left = patience.saturating_sub(begun.elapsed());
    match timeout(left, ask(address, request)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(format!("no answer from {address} (admin.listen): {error}").into()),
        Err(_) => Err(late(address.to_string()).into()),
    }
}

/// The address to ask: a listener on every address is asked on this machine's own.
async fn reachable(listen: &str) -> Result<SocketAddr, Problem> {
    let mut address: SocketAddr = match listen.parse() {
        Ok(address) => address,
        Err(_) => tokio::net::lookup_host(listen)
            .await?
            .next()
            .ok_or("admin.listen names no address")?,
    };
    if address.port() == 0 {
        return Err("admin.listen has port 0, so where to ask is not known: set a port".into());
    }
    if address.ip().is_unspecified() {
        let loopback = if address.is_ipv4() {
            [127, 0, 0, 1].into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        };
        address.set_ip(loopback);
    }
    Ok(address)
}

async fn ask(
    address: SocketAddr,
    mut request: Request<Full<Bytes>>,
) -> Result<(StatusCode, String), Problem> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let host = HeaderValue::try_from(address.to_string())?;
    request.headers_mut().insert(header::HOST, host);
    let response = sender.send_request(request).await?;
    let status = response.status();
    let text = Limited::new(response.into_body(), MOST_TEXT)
        .collect()
        .await?
        .to_bytes();
    Ok((status, String::from_utf8_lossy(&text).into_owned()))
}
