//! Sockets that somebody else opened for this process: systemd, by socket activation, or whoever speaks its protocol (`LISTEN_FDS`, `LISTEN_PID`,
//! `LISTEN_FDNAMES`). In goes the environment, out come listeners by their names.
//!
//! Such a socket outlives the process. While nobody serves it the kernel keeps who connects in its queue, so a restart refuses nobody. It may also
//! have a port below 1024, which this process needs no privilege for.
//!
//! Source: <https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html>

use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;
use rustix::net::sockopt;

use super::ServerError;

/// The names that a socket may have, each with the setting whose address it stands for.
const NAMES: [&str; 3] = ["http", "https", "admin"];

/// The one socket that was passed without a name of these: the public listener's, HTTP or HTTPS.
const PUBLIC: &str = "public";

/// The sockets that were passed and not yet taken.
#[derive(Debug, Default)]
pub struct Inherited {
    sockets: Vec<(String, TcpListener)>,
}

impl Inherited {
    /// No sockets: every address is bound.
    pub fn none() -> Self {
        Self::default()
    }

    /// Takes what the environment says was passed. Call it while this process has one thread only: the variables are removed.
    pub fn from_environment() -> Result<Self, ServerError> {
        // Read before they go.
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut passed = ListenFd::from_env();
        let mut sockets = Vec::new();
        for index in 0..passed.len() {
            let name = names.split(':').nth(index).unwrap_or_default();
            let name = match passed.len() {
                // Without FileDescriptorName= systemd gives the unit's name, and other programs none.
                1 if !NAMES.contains(&name) => PUBLIC,
                _ => name,
            };
            let wrong = |problem: String| ServerError::Passed {
                name: name.to_owned(),
                problem,
            };
            let socket = passed
                .take_tcp_listener(index)
                .map_err(|error| wrong(error.to_string()))?
                .ok_or_else(|| wrong("it is no socket".to_owned()))?;
            sockets.push((name.to_owned(), socket));
        }
        Self::of(sockets)
    }

    /// Checks what was passed.
    fn of(sockets: Vec<(String, TcpListener)>) -> Result<Self, ServerError> {
        for (index, (name, socket)) in sockets.iter().enumerate() {
            let wrong = |problem: &str| ServerError::Passed {
                name: name.clone(),
                problem: problem.to_owned(),
            };
            if !NAMES.contains(&name.as_str()) && name != PUBLIC {
                return Err(wrong(
                    "that is no name of a listener; write FileDescriptorName=http (or https, or admin) into the socket unit",
                ));
            }
            if sockets.iter().take(index).any(|(other, _)| other == name) {
                return Err(wrong(
                    "two sockets have this name; one listener has one socket, and ListenStream=[::]:443 with BindIPv6Only=both takes IPv4 too",
                ));
            }
            if !sockopt::socket_acceptconn(socket).unwrap_or_default() {
                return Err(wrong(
                    "it does not listen; the socket unit needs ListenStream= and Accept=no",
                ));
            }
        }
        Ok(Self { sockets })
    }

    /// Takes the socket of this name, if it was passed: ready for a runtime, with its address.
    pub(super) fn take(&mut self, name: &str) -> Result<Option<(TcpListener, SocketAddr)>, ServerError> {
        let fits = |known: &str| known == name || (known == PUBLIC && name != "admin");
        let Some(at) = self.sockets.iter().position(|(known, _)| fits(known)) else {
            return Ok(None);
        };
        let (name, socket) = self.sockets.swap_remove(at);
        let ready = socket.set_nonblocking(true).and_then(|()| socket.local_addr());
        let address = ready.map_err(|error| ServerError::Passed {
            name,
            problem: error.to_string(),
        })?;
        Ok(Some((socket, address)))
    }

    /// Nothing may be left: who connects to a socket that nobody serves waits for ever.
    pub fn all_taken(&self) -> Result<(), ServerError> {
        match self.sockets.first() {
            None => Ok(()),
            Some((name, _)) => Err(ServerError::Passed {
                name: name.clone(),
                problem:
                    "nothing in the configuration serves it; set up that listener, or take the socket away"
                        .to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").unwrap()
    }

    #[test]
    fn each_listener_takes_the_socket_of_its_name_once() {
        let (http, admin) = (socket(), socket());
        let addresses = [http.local_addr().unwrap(), admin.local_addr().unwrap()];
        let mut inherited =
            Inherited::of(vec![("http".to_owned(), http), ("admin".to_owned(), admin)]).unwrap();
        assert_eq!(inherited.take("admin").unwrap().unwrap().1, addresses[1]);
        assert!(inherited.take("https").unwrap().is_none());
        let left = inherited.all_taken().unwrap_err().to_string();
        assert!(left.contains("\"http\"") && left.contains("serves it"), "{left}");
        assert_eq!(inherited.take("http").unwrap().unwrap().1, addresses[0]);
        assert!(inherited.take("http").unwrap().is_none());
        inherited.all_taken().unwrap();
    }

    #[test]
    fn a_socket_without_a_name_is_the_public_one_and_never_the_operators() {
        let mut inherited = Inherited::of(vec![(PUBLIC.to_owned(), socket())]).unwrap();
        assert!(inherited.take("admin").unwrap().is_none());
        assert!(inherited.take("https").unwrap().is_some());
    }

    #[test]
    fn what_cannot_be_served_is_named_with_the_line_to_write() {
        let client = {
            let listening = socket();
            std::net::TcpStream::connect(listening.local_addr().unwrap()).unwrap()
        };
        let no_listener = TcpListener::from(std::os::fd::OwnedFd::from(client));
        for (sockets, said) in [
            (
                vec![("web", socket()), ("http", socket())],
                "FileDescriptorName=http",
            ),
            (vec![("http", socket()), ("http", socket())], "BindIPv6Only=both"),
            (vec![("http", no_listener)], "Accept=no"),
        ] {
            let sockets = sockets
                .into_iter()
                .map(|(name, socket)| (name.to_owned(), socket))
                .collect();
            let error = Inherited::of(sockets).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
