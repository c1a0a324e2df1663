//! `postern health`: asks the running gateway's admin listener. 0 when it is ready, 1 when it is not or does not answer.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Cli, Outcome, Problem};

/// How long the gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn run(cli: &Cli) -> Result<Outcome, Problem> {
    let config = cli.config()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let address = reachable(&config.admin.listen)?;
    let asked = runtime.block_on(async { tokio::time::timeout(PATIENCE, ask(address)).await });
    match asked {
        Ok(Ok((StatusCode::OK, text))) => {
            print!("{text}");
            Ok(Outcome::Yes)
        }
        Ok(Ok((status, text))) => {
            eprint!("not ready ({status}): {text}");
            Ok(Outcome::No)
        }
        Ok(Err(error)) => {
            eprintln!("no answer from {address} (admin.listen): {error}");
            Ok(Outcome::No)
        }
        Err(_) => {
            eprintln!(
                "no answer from {address} (admin.listen) within {} seconds",
                PATIENCE.as_secs()
            );
            Ok(Outcome::No)
        }
    }
}

/// The address to ask: a listener on every address is asked on this machine's own.
fn reachable(listen: &str) -> Result<SocketAddr, Problem> {
    let mut address: SocketAddr = match listen.parse() {
        Ok(address) => address,
        Err(_) => std::net::ToSocketAddrs::to_socket_addrs(listen)?
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

async fn ask(address: SocketAddr) -> Result<(StatusCode, String), Problem> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get("/readyz")
        .header(header::HOST, address.to_string())
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let text = response.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8_lossy(&text).into_owned()))
}
