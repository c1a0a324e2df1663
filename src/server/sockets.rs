//! The sockets that are listened at: those that somebody else opened for this process (systemd, by socket activation, or whoever speaks its protocol:
//! `LISTEN_FDS`, `LISTEN_PID`, `LISTEN_FDNAMES`), and those that it opens itself. In go the environment and the settings, out come listeners by their names.
//!
//! A socket that was passed outlives the process. While nobody serves it the kernel keeps who connects in its queue, so a restart refuses nobody. It may also
//! have a port below 1024, which this process needs no privilege for.
//!
//! There is no `SO_REUSEPORT` here, by which two processes could listen at one port while one takes over from the other: the kernel deals connections
//! out to both queues, and what is in the queue of the one that closes is reset. And any other process of this user could join in and answer.
//!
//! Source: <https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html>

use std::net::TcpListener;

use listenfd::ListenFd;
use rustix::net::sockopt;

use super::{AdminSettings, ServerError, Settings};

const HTTP: &str = "http";
pub(super) const HTTPS: &str = "https";
const ADMIN: &str = "admin";
/// The one socket that was passed without a name of these: the public listener's, HTTP or HTTPS.
const PUBLIC: &str = "public";

/// A socket that nobody has taken yet.
#[derive(Debug)]
pub(super) struct Socket {
    name: String,
    pub(super) listener: TcpListener,
    /// Was it passed, and does it outlive this process?
    pub(super) passed: bool,
}

/// Sockets that are there and not yet taken.
#[derive(Debug, Default)]
pub struct Sockets {
    sockets: Vec<Socket>,
}

/// The name of the socket for `server.listen`.
pub(super) fn public_name(settings: &Settings) -> &'static str {
    match &settings.tls {
        Some(tls) if tls.listen.is_none() => HTTPS,
        Some(_) | None => HTTP,
    }
}

impl Sockets {
    /// No sockets: every address will be bound when it is wanted.
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
                1 if ![HTTP, HTTPS, ADMIN].contains(&name) => PUBLIC,
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
        Self::passed(sockets)
    }

    /// Checks what was passed.
    fn passed(sockets: Vec<(String, TcpListener)>) -> Result<Self, ServerError> {
        for (index, (name, socket)) in sockets.iter().enumerate() {
            let wrong = |problem: &str| ServerError::Passed {
                name: name.clone(),
                problem: problem.to_owned(),
            };
            if ![HTTP, HTTPS, ADMIN, PUBLIC].contains(&name.as_str()) {
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
        let sockets = sockets.into_iter().map(|(name, listener)| Socket {
            name,
            listener,
            passed: true,
        });
        Ok(Self {
            sockets: sockets.collect(),
        })
    }

    /// Opens what was not passed: from here on whoever connects is kept in a queue, though nobody answers yet.
    pub fn open(&mut self, settings: &Settings, admin: &AdminSettings) -> Result<(), ServerError> {
        self.open_one(public_name(settings), &settings.listen, "server.listen")?;
        if let Some(listen) = settings.tls.as_ref().and_then(|tls| tls.listen.as_deref()) {
            self.open_one(HTTPS, listen, "server.tls.listen")?;
        }
        self.open_one(ADMIN, &admin.listen, "admin.listen")
    }

    fn open_one(&mut self, name: &str, address: &str, setting: &'static str) -> Result<(), ServerError> {
        let failed = |source| ServerError::Bind {
            address: address.to_owned(),
            setting,
            source,
        };
        if let Some(socket) = self.sockets.iter().find(|socket| socket.fits(name)) {
            let passed = socket.listener.local_addr().map_err(failed)?;
            tracing::info!(
                "the socket {name:?} was passed and listens on {passed}: {setting} does not count"
            );
            return Ok(());
        }
        let listener = TcpListener::bind(address).map_err(failed)?;
        self.sockets.push(Socket {
            name: name.to_owned(),
            listener,
            passed: false,
        });
        Ok(())
    }

    /// Takes the socket of this name, if there is one: ready for a runtime.
    pub(super) fn take(&mut self, name: &str) -> Result<Option<Socket>, ServerError> {
        let Some(at) = self.sockets.iter().position(|socket| socket.fits(name)) else {
            return Ok(None);
        };
        let socket = self.sockets.swap_remove(at);
        match socket.listener.set_nonblocking(true) {
            Ok(()) => Ok(Some(socket)),
            Err(error) => Err(ServerError::Passed {
                name: socket.name,
                problem: error.to_string(),
            }),
        }
    }

    /// Nothing may be left: who connects to a socket that nobody serves waits for ever.
    pub fn all_taken(&self) -> Result<(), ServerError> {
        match self.sockets.first() {
            None => Ok(()),
            Some(socket) => Err(ServerError::Passed {
                name: socket.name.clone(),
                problem:
                    "nothing in the configuration serves it; set up that listener, or take the socket away"
                        .to_owned(),
            }),
        }
    }
}

impl Socket {
    fn fits(&self, name: &str) -> bool {
        self.name == name || (self.name == PUBLIC && name != ADMIN)
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
        let admins = admin.local_addr().unwrap();
        let mut sockets =
            Sockets::passed(vec![("http".to_owned(), http), ("admin".to_owned(), admin)]).unwrap();
        let taken = sockets.take("admin").unwrap().unwrap();
        assert!(taken.passed && taken.listener.local_addr().unwrap() == admins);
        assert!(sockets.take("https").unwrap().is_none());
        let left = sockets.all_taken().unwrap_err().to_string();
        assert!(left.contains("\"http\"") && left.contains("serves it"), "{left}");
        assert!(sockets.take("http").unwrap().is_some());
        assert!(sockets.take("http").unwrap().is_none());
        sockets.all_taken().unwrap();
    }

    #[test]
    fn a_socket_without_a_name_is_the_public_one_and_never_the_operators() {
        let mut sockets = Sockets::passed(vec![(PUBLIC.to_owned(), socket())]).unwrap();
        assert!(sockets.take("admin").unwrap().is_none());
        assert!(sockets.take("https").unwrap().is_some());
    }

    #[test]
    fn what_was_not_passed_is_opened() {
        let passed = socket();
        let address = passed.local_addr().unwrap();
        let mut sockets = Sockets::passed(vec![(PUBLIC.to_owned(), passed)]).unwrap();
        let settings = Settings {
            // Taken, as the socket before it would be if it were bound again.
            listen: address.to_string(),
            ..Settings::default()
        };
        let admin = AdminSettings {
            listen: "127.0.0.1:0".to_owned(),
        };
        sockets.open(&settings, &admin).unwrap();
        assert_eq!(
            sockets
                .take("http")
                .unwrap()
                .unwrap()
                .listener
                .local_addr()
                .unwrap(),
            address
        );
        assert!(!sockets.take("admin").unwrap().unwrap().passed);
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
            let error = Sockets::passed(sockets).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
