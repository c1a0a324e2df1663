//! `postern mb`, `ls`, `put`, `get` and `rm` as their user runs them, against a gateway and against servers that misbehave.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Command, Stdio},
    thread,
};

use postern::clock::Clock;
use tempfile::TempDir;

use crate::{
    objects::everything,
    support::{ALICE, BUCKET, TestGateway, Wishes, policy},
};

/// What a command did.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

/// A user with a folder, keys and an endpoint.
struct User {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl User {
    fn of(endpoint: &str) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            variables: vec![
                ("AWS_ACCESS_KEY_ID", ALICE.0.to_owned()),
                ("AWS_SECRET_ACCESS_KEY", ALICE.1.to_owned()),
                ("AWS_ENDPOINT_URL", endpoint.to_owned()),
            ],
        }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        self.run_with(arguments, b"")
    }

    fn run_with(&self, arguments: &[&str], input: &[u8]) -> Said {
        let mut child = self.command(arguments).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        let feeding = thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        // A command that reads no standard input closes it.
        _ = feeding.join().unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Said {
            code: output.status.code().unwrap(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// What a command that succeeds prints.
    fn does(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_eq!(said.code, 0, "{arguments:?}: {said:?}");
        said.out
    }
}

async fn open_gateway() -> (TestGateway, User) {
    gateway_under(everything()).await
}

async fn gateway_under(policy: String) -> (TestGateway, User) {
    let gateway = TestGateway::with(Wishes {
        policy: Some(policy),
        clock: Some(Clock::system()),
        ..Wishes::default()
    })
    .await;
    let user = User::of(&gateway.endpoint());
    (gateway, user)
}

/// The lines of `ls` without date and time.
fn names(listing: &str) -> Vec<&str> {
    listing
        .lines()
        .map(|line| line.get(19..).unwrap_or(line).trim_start())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_is_made_filled_listed_read_emptied_and_removed() {
    let (_gateway, user) = open_gateway().await;
    fs::write(user.path("a.txt"), "hello").unwrap();

    assert_eq!(user.does(&["mb", "s3://films"]), "made s3://films\n");
    assert_eq!(names(&user.does(&["ls"])), ["films", BUCKET]);
    user.does(&["put", "a.txt", "s3://films"]);
    user.does(&["put", "a.txt", "s3://films/new/"]);
    user.does(&[
        "put",
        "a.txt",
        "s3://films/new/b.json",
        "--content-type",
        "text/x-own",
    ]);
    assert_eq!(
        user.run_with(&["put", "-", "s3://films/stdin"], b"from a pipe")
            .code,
        0
    );

    assert_eq!(
        names(&user.does(&["ls", "s3://films"])),
        ["5 a.txt", "PRE new/", "11 stdin"]
    );
    assert_eq!(names(&user.does(&["ls", "s3://films/ne"])), ["PRE new/"]);
    assert_eq!(
        names(&user.does(&["ls", "s3://films/new/"])),
        ["5 a.txt", "5 b.json"]
    );
    let all = user.does(&["ls", "-r", "s3://films/", "--json"]);
    let keys: Vec<_> = all
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["key"].clone())
        .collect();
    assert_eq!(keys, ["a.txt", "new/a.txt", "new/b.json", "stdin"]);
    let nothing = user.run(&["ls", "s3://films/none"]);
    assert_eq!(
        (nothing.code, nothing.out.as_str()),
        (1, ""),
        "nothing has this name"
    );

    assert_eq!(user.does(&["get", "s3://films/stdin", "-"]), "from a pipe");
    user.does(&["get", "s3://films/new/b.json"]);
    assert_eq!(fs::read_to_string(user.path("b.json")).unwrap(), "hello");

    user.does(&["rm", "s3://films/stdin"]);
    assert_eq!(user.run(&["rm", "s3://films"]).code, 1, "not empty");
    user.does(&["rm", "-r", "s3://films/n"]);
    assert_eq!(
        names(&user.does(&["ls", "-r", "s3://films"])),
        ["5 a.txt", "5 new/a.txt", "5 new/b.json"]
    );
    user.does(&["rm", "-r", "s3://films/new"]);
    assert_eq!(names(&user.does(&["ls", "-r", "s3://films"])), ["5 a.txt"]);
    assert_eq!(
        user.does(&["rm", "-r", "s3://films"]),
        "removed s3://films/a.txt\nremoved s3://films\n"
    );
    assert_eq!(names(&user.does(&["ls"])), [BUCKET]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_any_bytes_go_there_and_back() {
    let (_gateway, user) = open_gateway().await;
    let keys = [
        "a/../b",
        "./c",
        "d//e",
        "/f",
        "g h+i%20j",
        "k?l#m&n=o",
        "é🔑",
        "~=p",
        "q\nr\u{1b}[2J",
        "s\\t\"'<&>",
        "u;v:w@x",
    ];
    for key in keys {
        let url = format!("s3://{BUCKET}/{key}");
        let put = user.run_with(&["put", "-", &url], key.as_bytes());
        assert_eq!(put.code, 0, "{key:?}: {put:?}");
        assert!(!put.out.contains('\u{1b}'), "{put:?}");
        assert_eq!(user.does(&["get", &url, "-"]), key);
    }
    let listed = user.does(&["ls", "-r", &format!("s3://{BUCKET}"), "--json"]);
    let mut listed: Vec<String> = listed
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["key"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let mut expected = keys.map(str::to_owned);
    expected.sort();
    listed.sort();
    assert_eq!(listed, expected);
    for key in keys {
        user.does(&["rm", &format!("s3://{BUCKET}/{key}")]);
    }
    assert_eq!(user.does(&["ls", "-r", &format!("s3://{BUCKET}")]), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listings_and_removals_go_on_behind_the_first_page() {
    let (gateway, user) = open_gateway().await;
    for at in 0..1_005 {
        gateway.put(&format!("many/{at}"), "x");
    }
    gateway.put("many-more", "x");
    let listed = user.does(&["ls", "-r", &format!("s3://{BUCKET}/many/")]);
    assert_eq!(listed.lines().count(), 1_005);
    let removed = user.does(&["rm", "-r", &format!("s3://{BUCKET}/many")]);
    assert_eq!(removed.lines().count(), 1_005);
    assert_eq!(
        names(&user.does(&["ls", "-r", &format!("s3://{BUCKET}")])),
        ["1 many-more"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_files_go_there_and_back_and_only_whole_ones_replace_a_file() {
    let (_gateway, user) = open_gateway().await;
    let content: Vec<u8> = (0..20_000_000_u32).map(|at| (at >> 3) as u8).collect();
    fs::write(user.path("big"), &content).unwrap();
    let url = format!("s3://{BUCKET}/big.bin");
    user.does(&["put", "big", &url]);
    // What is replaced keeps its mode, and a symlink leads where it led.
    fs::write(user.path("kept"), "old").unwrap();
    fs::set_permissions(user.path("kept"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("kept", user.path("link")).unwrap();
    user.does(&["get", &url, "link"]);
    assert!(fs::read(user.path("kept")).unwrap() == content);
    assert_eq!(
        fs::metadata(user.path("kept")).unwrap().permissions().mode() & 0o777,
        0o640
    );
    assert!(user.path("link").symlink_metadata().unwrap().is_symlink());
    user.does(&["get", &url, "/dev/null"]);
    assert!(!Path::new("/dev/null").symlink_metadata().unwrap().is_file());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_exit_code_1_with_s3s_code_a_hint_and_nothing_secret() {
    let (gateway, user) = open_gateway().await;
    gateway.put("a", "x");
    let (bucket, none) = (format!("s3://{BUCKET}"), format!("s3://{BUCKET}/none"));
    let stranger = User::of(&gateway.endpoint()).with("AWS_ACCESS_KEY_ID", "AKIASTRANGER00000000");
    let guesser = User::of(&gateway.endpoint()).with("AWS_SECRET_ACCESS_KEY", "guessed-secret");
    for (who, arguments, said) in [
        (&user, &["get", &none][..], "NoSuchKey"),
        (&user, &["ls", "s3://nothing-here"], "NoSuchBucket"),
        (&user, &["put", "-", "s3://nothing-here/a"], "NoSuchBucket"),
        (&user, &["rm", &bucket], "BucketNotEmpty"),
        (&user, &["ls", "--region", "eu-west-1"], "--region"),
        (&stranger, &["ls", &bucket], "InvalidAccessKeyId"),
        (&guesser, &["ls", &bucket], "SignatureDoesNotMatch"),
    ] {
        let told = who.run(arguments);
        assert_eq!((told.code, told.out.as_str()), (1, ""), "{arguments:?}: {told:?}");
        assert!(
            told.err.contains(said) && told.err.contains("hint: "),
            "{arguments:?}: {told:?}"
        );
        for secret in ["Signature=", ALICE.1, "guessed-secret"] {
            assert!(!told.err.contains(secret), "{told:?}");
        }
    }
    assert!(
        fs::read_dir(user.folder.path()).unwrap().next().is_none(),
        "nothing is left"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_is_refused_while_it_is_sent_tells_the_refusal() {
    let (_gateway, user) = gateway_under(policy(&[])).await;
    fs::write(user.path("big"), vec![7; 30_000_000]).unwrap();
    let told = user.run(&["put", "big", &format!("s3://{BUCKET}/big")]);
    assert_eq!(told.code, 1, "{told:?}");
    assert!(told.err.contains("AccessDenied"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_trusts_the_certificates_of_the_system_and_no_other() {
    let gateway = TestGateway::with(Wishes {
        policy: Some(everything()),
        clock: Some(Clock::system()),
        tls: true,
        ..Wishes::default()
    })
    .await;
    let certificate = gateway.folder.path().join("cert.pem");
    let endpoint = format!("https://localhost:{}", gateway.address.port());
    let user = User::of(&endpoint).with("SSL_CERT_FILE", certificate.to_str().unwrap());
    assert_eq!(names(&user.does(&["ls"])), [BUCKET]);
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = gateway.folder.path().join("other.pem");
    fs::write(&other, made.cert.pem()).unwrap();
    let told = User::of(&endpoint)
        .with("SSL_CERT_FILE", other.to_str().unwrap())
        .run(&["ls"]);
    assert_eq!(told.code, 2, "{told:?}");
    assert!(told.err.contains("certificate"), "{told:?}");
}

/// A server that reads a request's head, sends these bytes and hangs up.
fn answering(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            _ = stream.write_all(bytes);
        }
    });
    endpoint
}

#[test]
fn a_download_that_is_not_whole_leaves_the_old_file_and_no_litter() {
    for (answer, said) in [
        (
            &b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nonly this"[..],
            "broke off",
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nonly\r\n",
            "broke off",
        ),
        (
            b"HTTP/1.1 200 OK\r\n\r\nwho knows whether this is all",
            "no length",
        ),
        (b"", "broke off"),
    ] {
        let user = User::of(&answering(answer));
        fs::write(user.path("a"), "old").unwrap();
        let told = user.run(&["get", "s3://films/a"]);
        assert_eq!(told.code, 2, "{told:?}");
        assert!(told.err.contains(said), "{told:?}");
        assert_eq!(fs::read_to_string(user.path("a")).unwrap(), "old");
        assert_eq!(fs::read_dir(user.folder.path()).unwrap().count(), 1, "{told:?}");
    }
}

#[test]
fn what_could_not_run_is_exit_code_2_and_says_why() {
    let html = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n<html></html>");
    let nobody = User {
        folder: tempfile::tempdir().unwrap(),
        variables: Vec::new(),
    };
    let (talking, silent) = (User::of(&html), User::of("http://127.0.0.1:1"));
    for (who, arguments, said) in [
        (&talking, &["ls"][..], "is it an S3 endpoint?"),
        (&talking, &["ls", "s3://films"], "is it an S3 endpoint?"),
        (&silent, &["ls"], "127.0.0.1:1 cannot be reached: "),
        (&silent, &["put", "none", "s3://films"], "none: cannot be read"),
        (&silent, &["put", ".", "s3://films/a"], ".: cannot be read"),
        (&silent, &["put", "-", "s3://films/"], "which key is meant?"),
        (&silent, &["get", "s3://films/a/.."], "give a FILE"),
        (&silent, &["get", "s3://films"], "which object? s3://films/KEY"),
        (&silent, &["mb", "s3://films/a"], "a bucket alone is meant"),
        (&silent, &["mb", "films"], "s3://BUCKET"),
        (&silent, &["mb", "s3://No"], "3 to 63 characters"),
        (
            &silent,
            &["ls", "--endpoint", "nowhere"],
            "an endpoint is http://",
        ),
        (
            &silent,
            &["ls", "--signer", "alice"],
            "policy file cannot be read",
        ),
        (&nobody, &["ls"], "AWS_ACCESS_KEY_ID"),
    ] {
        let told = who.run(arguments);
        assert_eq!((told.code, told.out.as_str()), (2, ""), "{arguments:?}: {told:?}");
        assert!(told.err.contains(said), "{arguments:?}: {told:?}");
    }
}

#[test]
fn a_progress_bar_is_for_terminals_only() {
    let user = User::of(&answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
    let told = user.run(&["get", "s3://films/a", "-"]);
    assert_eq!((told.out.as_str(), told.err.as_str()), ("ok", ""));
}

/// A server that takes connections, sends these bytes after a head, and is silent from then on.
fn silent_after(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if !bytes.is_empty() {
                _ = stream.read(&mut [0; 64 << 10]);
                _ = stream.write_all(bytes);
            }
            open.push(stream);
        }
    });
    endpoint
}

#[test]
fn silent_server_is_given_up() {
    let half_an_answer = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n<ListBucketResult>";
    let (silent, pausing) = (silent_after(b""), silent_after(half_an_answer));
    for (endpoint, arguments) in [
        (&silent, &["ls"][..]),
        (&silent, &["ls", "s3://films"]),
        (&silent, &["get", "s3://films/a", "-"]),
        (&silent, &["put", "small", "s3://films/a"]),
        (&silent, &["put", "large", "s3://films/a"]),
        (&silent, &["rm", "s3://films/a"]),
        (&silent, &["rm", "--recursive", "s3://films"]),
        (&silent, &["mb", "s3://films"]),
        (&pausing, &["ls"]),
        (&pausing, &["get", "s3://films/a", "file"]),
    ] {
        let user = User::of(endpoint);
        fs::write(user.path("small"), "small").unwrap();
        fs::write(user.path("large"), vec![7; 30_000_000]).unwrap();
        let begun = std::time::Instant::now();
        let told = user.run(&[arguments, &["--timeout", "1s"]].concat());
        assert_eq!(told.code, 2, "{arguments:?}: {told:?}");
        assert!(
            told.err.contains("the server was silent for "),
            "{arguments:?}: {told:?}"
        );
        assert!(
            begun.elapsed().as_secs() < 30,
            "{arguments:?}: {:?}",
            begun.elapsed()
        );
        assert!(!user.path("file").exists());
    }
}

/// A server whose answer to the nth request is what is made of n.
fn listing(page: impl Fn(usize) -> String + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            _ = stream.read(&mut [0; 64 << 10]);
            let page = format!("<ListBucketResult>{}</ListBucketResult>", page(number));
            let head = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                page.len()
            );
            _ = stream.write_all((head + &page).as_bytes());
        }
    });
    endpoint
}

#[test]
fn listing_without_end_is_given_up() {
    let entry = |key: &str| format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>");
    let more = |token: &str| {
        format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>")
    };
    let same = listing(move |number| entry("a") + &more(&number.to_string()));
    let empty = listing(move |number| more(&number.to_string()));
    let circle = listing(move |number| entry(&number.to_string()) + &more(&(number % 3).to_string()));
    for (endpoint, arguments) in [
        (&same, &["ls", "s3://films"][..]),
        (&empty, &["ls", "s3://films"]),
        (&circle, &["ls", "--recursive", "s3://films"]),
    ] {
        let told = User::of(endpoint).run(arguments);
        assert_eq!(told.code, 2, "{arguments:?}: {told:?}");
        assert!(
            told.err.contains("a listing that never ends"),
            "{arguments:?}: {told:?}"
        );
    }
    // Some empty pages are no loop: many deleted objects look like this.
    let sparse = listing(move |number| match number {
        0..50 => more(&number.to_string()),
        _ => entry("last"),
    });
    assert_eq!(names(&User::of(&sparse).does(&["ls", "s3://films"])), ["1 last"]);
}
