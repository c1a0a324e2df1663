//! The PROXY protocol, versions 1 and 2: a proxy that passes connections on says at the beginning of each whose it is. In goes a fresh socket, out
//! comes a [`Peer`]; nothing but the header is taken from the socket, so TLS or HTTP begin where they would.
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>
//!
//! It is required or not read at all, never guessed: where it could be left out, whoever passes through a proxy that does not send it would write
//! his own.

use std::{io, net::SocketAddr};

use tokio::{io::AsyncReadExt, net::TcpStream};

use crate::types::{Announced, LONGEST_TEXT, Peer, ProxyHeader, ProxyHeaderError};

use super::{ProxyProtocol, Settings};

/// Why a connection is not served.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Header(#[from] ProxyHeaderError),
    #[error("the PROXY header did not come in time")]
    Silent,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Who is at the other end of a fresh connection. None: it is not served.
pub(super) async fn begin(stream: &mut TcpStream, address: SocketAddr, settings: &Settings) -> Option<Peer> {
    let peer = Peer::plain(address);
    match settings.proxy_protocol {
        ProxyProtocol::Off => return Some(peer),
        ProxyProtocol::Require if !settings.trusted_proxies.contains(address.ip()) => {
            tracing::debug!(peer = %address, "refused: no trusted proxy, and server.proxy_protocol is \"require\"");
            return None;
        }
        ProxyProtocol::Require => {}
    }
    let read = tokio::time::timeout(settings.head_timeout.duration(), read(stream));
    match read.await.unwrap_or(Err(Refused::Silent)) {
        Ok(announced) => Some(Peer { announced, ..peer }),
        // A proxy that looks whether somebody listens, and goes.
        Err(Refused::Io(error)) => {
            tracing::debug!(peer = %address, %error, "a proxy's connection ended before its header");
            None
        }
        Err(refused) => {
            tracing::warn!(peer = %address, "refused a connection of a trusted proxy: {refused}");
            None
        }
    }
}

/// Takes the header from the socket, and not a byte more: bytes are looked at before they are taken.
async fn read(stream: &mut TcpStream) -> Result<Announced, Refused> {
    let mut buffer = [0; LONGEST_TEXT];
    let mut taken = 0;
    let header = loop {
        let seen = stream.peek(buffer.get_mut(taken..).unwrap_or_default()).await?;
        if seen == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let came = taken.saturating_add(seen);
        let header = ProxyHeader::parse(buffer.get(..came).unwrap_or_default())?;
        // Without its end, all that came is the header's.
        let of_header = header.map_or(came, |header| header.length.min(came));
        let take = buffer.get_mut(taken..of_header).unwrap_or_default();
        stream.read_exact(take).await?;
        taken = of_header;
        if let Some(header) = header {
            break header;
        }
    };
    let mut left = header.length.saturating_sub(taken);
    while left > 0 {
        let length = left.min(buffer.len());
        stream
            .read_exact(buffer.get_mut(..length).unwrap_or_default())
            .await?;
        left = left.saturating_sub(length);
    }
    Ok(header.announced)
}

#[cfg(test)]
mod tests;
