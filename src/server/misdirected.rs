//! Plain HTTP on a port that speaks HTTPS: whoever mistook the port is told so, in words that the client shows. Without this it would show
//! an alert of TLS, as the noise that it is to HTTP.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const ANSWER: &str = "HTTP/1.1 400 Bad Request\r\n\
                      content-type: text/plain\r\n\
                      content-length: 52\r\n\
                      connection: close\r\n\
                      \r\n\
                      This port speaks HTTPS: begin the URL with https://\n";
/// What was sent is read up to here, so that the answer is not lost to a reset.
const MOST_DRAINED: u64 = 64 * 1024;

/// Does the first byte begin a method of HTTP? A handshake begins with 22.
/// <https://www.rfc-editor.org/rfc/rfc8446#section-5.1>
pub(super) async fn is_plain(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    let length = stream.peek(&mut first).await?;
    Ok(length == 1 && first.iter().all(u8::is_ascii_uppercase))
}

/// Says so, and ends the connection.
pub(super) async fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(ANSWER.as_bytes()).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(MOST_DRAINED), &mut tokio::io::sink()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_as_long_as_it_says() {
        let (head, body) = ANSWER.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("content-length: {}\r\n", body.len())),
            "{}",
            body.len()
        );
    }
}
