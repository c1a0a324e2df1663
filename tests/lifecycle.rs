//! Start, restart and end of the program, with this test in the place of the service manager: it holds the socket, passes it on, and is told how it goes.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    logs::Program,
    support::{TestGateway, Wishes},
};

/// Longer than anything here takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);
const RESTARTS: usize = 3;
const CLIENTS: usize = 4;

/// What systemd is to a service: the socket that it keeps, and the one that it is told things by.
struct Manager {
    program: Program,
    socket: TcpListener,
    told: UnixDatagram,
}

/// A service that has not been seen to end. It is killed where a test fails.
struct Service(Child);

impl Manager {
    fn new() -> Self {
        let program = Program::new();
        let told = UnixDatagram::bind(program.folder.path().join("notify")).unwrap();
        told.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            program,
            socket: TcpListener::bind("127.0.0.1:0").unwrap(),
            told,
        }
    }

    fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// A command as systemd runs it: the socket is descriptor 3 (and on, once for each name), and `LISTEN_PID` the process's own.
    fn activated(&self, names: &str, pid: &str) -> Command {
        let count = names.split(':').count();
        let postern = self.program.command(&[]);
        let mut command = Command::new("sh");
        let passed = (0..count).fold(String::new(), |all, index| format!("{all} {}<&0", index + 3));
        command
            .arg("-c")
            .arg(format!(
                "exec {passed}; export LISTEN_PID={pid}; exec \"$0\" serve </dev/null"
            ))
            .arg(postern.get_program())
            .current_dir(self.program.folder.path())
            .env("LISTEN_FDS", count.to_string())
            .env("LISTEN_FDNAMES", names)
            .env("NOTIFY_SOCKET", self.program.folder.path().join("notify"))
            .env("POSTERN_SERVER__LISTEN", "127.0.0.1:0")
            .env("POSTERN_ADMIN__LISTEN", "127.0.0.1:0")
            .stdin(Stdio::from(OwnedFd::from(self.socket.try_clone().unwrap())))
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// Starts the service on the socket, and waits until it says that it is ready.
    fn start(&self) -> Service {
        let service = Service(self.activated("http", "$$").spawn().unwrap());
        self.hears("READY=1");
        service
    }

    /// Waits until the service says this; gives all that it said with it.
    fn hears(&self, wanted: &str) -> String {
        loop {
            let mut message = [0; 4096];
            let length = self.told.recv(&mut message).unwrap();
            let message = String::from_utf8_lossy(&message[..length]).into_owned();
            if message.contains(wanted) {
                return message;
            }
        }
    }

    /// A link to an object, which any process at this socket serves.
    fn link(&self, key: &str) -> String {
        let endpoint = format!("http://{}", self.address());
        let url = format!("s3://pres-url-test/{key}");
        let output = self
            .program
            .command(&["presign", "GET", &url, "--endpoint", &endpoint])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Service {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Waits until it has ended; gives its exit code and its log.
    fn ended(mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (self.0.wait().unwrap().code(), log)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// Sends a GET of a link on a connection of its own.
fn ask(address: SocketAddr, link: &str) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let (authority, path) = link
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .unwrap();
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n"
    )?;
    Ok(stream)
}

fn read(mut stream: TcpStream) -> std::io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

/// The body of an answer that is 200 and whole.
fn body(answer: &[u8]) -> Option<&[u8]> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = answer.split_at(end + 4);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let length: usize = head
        .split_once("content-length: ")?
        .1
        .split_once("\r\n")?
        .0
        .parse()
        .ok()?;
    (head.starts_with("http/1.1 200") && body.len() == length).then_some(body)
}

/// A file that is longer than what sockets hold, and no piece of which is like another.
fn film(program: &Program) -> Vec<u8> {
    let film: Vec<u8> = (0u32..6 << 20).flat_map(u32::to_le_bytes).collect();
    fs::write(program.folder.path().join("data/pres-url-test/film"), &film).unwrap();
    film
}

#[test]
fn restarts_under_load_refuse_nobody_and_downloads_in_flight_end_whole() {
    let manager = Manager::new();
    let mut service = manager.start();
    let film = film(&manager.program);
    let (small, large) = (manager.link("test.txt"), manager.link("film"));
    let address = manager.address();
    let expected = fs::read(manager.program.folder.path().join("data/pres-url-test/test.txt")).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let served = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (over, served) = (over.clone(), served.clone());
            let (small, expected) = (small.clone(), expected.clone());
            thread::spawn(move || {
                let mut failures = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    match ask(address, &small).and_then(read) {
                        Ok(answer) if body(&answer) == Some(&expected) => {
                            served.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(answer) => failures.push(String::from_utf8_lossy(&answer).into_owned()),
                        Err(error) => failures.push(error.to_string()),
                    }
                }
                failures
            })
        })
        .collect();
    for _ in 0..RESTARTS {
        let before = served.load(Ordering::Relaxed);
        let mut download = ask(address, &large).unwrap();
        let mut begun = vec![0; 1000];
        download.read_exact(&mut begun).unwrap();
        service.signal(Signal::TERM);
        manager.hears("STOPPING=1");
        begun.extend(read(download).unwrap());
        assert!(body(&begun) == Some(&film), "a download in flight ends whole");
        let (code, log) = service.ended();
        assert_eq!(code, Some(0), "{log}");
        service = manager.start();
        let start = Instant::now();
        while served.load(Ordering::Relaxed) < before + 10 * CLIENTS {
            assert!(start.elapsed() < PATIENCE, "the new process serves");
            thread::sleep(Duration::from_millis(5));
        }
    }
    over.store(true, Ordering::Relaxed);
    let failures: Vec<String> = clients
        .into_iter()
        .flat_map(|client| client.join().unwrap())
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {}: {:?}",
        failures.len(),
        served.load(Ordering::Relaxed),
        failures.first()
    );
}

#[test]
fn whoever_started_it_is_told_that_it_serves_reads_the_policy_anew_is_alive_and_ends() {
    let manager = Manager::new();
    let mut command = manager.activated("http", "$$");
    command.env("WATCHDOG_USEC", "200000");
    let service = Service(command.spawn().unwrap());
    let ready = manager.hears("READY=1");
    assert!(
        ready.contains(&format!("STATUS=serving http://{}", manager.address())),
        "{ready}"
    );
    manager.hears("WATCHDOG=1");
    manager.hears("WATCHDOG=1");
    service.signal(Signal::HUP);
    assert!(manager.hears("RELOADING=1").contains("MONOTONIC_USEC="));
    let again = manager.hears("READY=1");
    assert!(again.contains("STATUS=policy generation"), "{again}");
    service.signal(Signal::TERM);
    manager.hears("STOPPING=1");
    assert_eq!(service.ended().0, Some(0));
}

#[test]
fn a_socket_for_another_process_is_not_taken_and_one_that_nobody_serves_is_an_error() {
    let manager = Manager::new();
    let service = Service(manager.activated("http", "1").spawn().unwrap());
    let ready = manager.hears("READY=1");
    assert!(!ready.contains(&manager.address().to_string()), "{ready}");
    service.signal(Signal::TERM);
    assert_eq!(service.ended().0, Some(0));
    for (names, said) in [
        ("http:web", "\"web\" that was passed"),
        ("http:http", "two sockets have this name"),
        ("http:https", "nothing in the configuration serves it"),
    ] {
        let (code, log) = Service(manager.activated(names, "$$").spawn().unwrap()).ended();
        assert!(code == Some(2) && log.contains(said), "{names}: {log}");
    }
}

#[test]
fn a_new_process_waits_for_the_old_one_and_only_so_long() {
    let manager = Manager::new();
    let old = manager.start();
    let film = film(&manager.program);
    let mut download = ask(manager.address(), &manager.link("film")).unwrap();
    let mut begun = vec![0; 1000];
    download.read_exact(&mut begun).unwrap();
    old.signal(Signal::TERM);
    manager.hears("STOPPING=1");
    let new = Service(manager.activated("http", "$$").spawn().unwrap());
    manager.hears("waiting for the process before this one");
    let waiting = ask(manager.address(), &manager.link("test.txt")).unwrap();
    begun.extend(read(download).unwrap());
    assert!(body(&begun) == Some(&film));
    assert_eq!(old.ended().0, Some(0));
    manager.hears("READY=1");
    assert!(
        body(&read(waiting).unwrap()).is_some(),
        "who came meanwhile is served"
    );

    let mut second = manager.activated("http", "$$");
    second.env("POSTERN_SERVER__SHUTDOWN_GRACE", "0");
    let second = Service(second.spawn().unwrap());
    manager.hears("waiting for the process before this one");
    let (code, log) = second.ended();
    assert!(
        code == Some(2) && log.contains("waiting for up to 5 s") && log.contains("serves this root"),
        "{log}"
    );
    let second = Service(manager.activated("http", "$$").spawn().unwrap());
    manager.hears("waiting for the process before this one");
    second.signal(Signal::TERM);
    assert_eq!(second.ended().0, None, "SIGTERM ends it while it waits");
    drop(new);
}

/// The runtime has one thread, so nothing is accepted between the connecting and the stop.
#[tokio::test]
async fn who_is_in_the_sockets_queue_when_it_closes_is_answered() {
    let mut gateway = TestGateway::with(Wishes::default()).await;
    gateway.put("a.txt", "content");
    let link = gateway.link(&http::Method::GET, "a.txt");
    let waiting: Vec<_> = (0..20).map(|_| ask(gateway.address, &link).unwrap()).collect();
    // Connected, and silent for a moment yet.
    let silent = TcpStream::connect(gateway.address).unwrap();
    gateway.stop();
    let late = tokio::task::spawn_blocking(move || {
        let answers: Vec<_> = waiting.into_iter().map(|stream| read(stream).unwrap()).collect();
        let mut silent = silent;
        let (authority, path) = link.trim_start_matches("http://").split_once('/').unwrap();
        write!(silent, "GET /{path} HTTP/1.1\r\nhost: {authority}\r\n\r\n").unwrap();
        (answers, read(silent).unwrap())
    });
    let (answers, late) = late.await.unwrap();
    for answer in answers {
        assert_eq!(
            body(&answer),
            Some(&b"content"[..]),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    assert_eq!(body(&late), Some(&b"content"[..]));
    gateway.running.await.unwrap();
    assert!(TcpStream::connect(gateway.address).is_err(), "it is closed");
}
