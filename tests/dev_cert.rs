//! `postern dev-cert`, judged by those who trust its authority: what they take, what they refuse, and what it leaves alone.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Instant,
};

use postern::server::{Settings, TlsSettings};
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde_json::Value;

use crate::{
    logs::{Program, Serving},
    support::{TestGateway, Wishes, client},
    tls::handshake,
};

fn run(program: &Program, arguments: &[&str]) -> (Option<i32>, String) {
    let output = program.command(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code(), text)
}

/// Runs it in the folder `tls`; gives what it says.
fn dev_cert(program: &Program, more: &[&str]) -> Value {
    let (code, said) = run(program, &[&["dev-cert", "--json"], more].concat());
    assert_eq!(code, Some(0), "{said}");
    serde_json::from_str(&said).unwrap()
}

fn path(program: &Program, name: &str) -> PathBuf {
    program.folder.path().join("tls").join(name)
}

fn certificate(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).unwrap()
}

async fn gateway(certificate: PathBuf, key: PathBuf) -> TestGateway {
    TestGateway::with(Wishes {
        server: Some(Settings {
            tls: Some(TlsSettings::new(certificate, key)),
            ..Settings::default()
        }),
        ..Wishes::default()
    })
    .await
}

#[tokio::test]
async fn who_trusts_the_authority_trusts_the_certificate_for_its_names_and_no_other() {
    let program = Program::new();
    let said = dev_cert(&program, &["files.test", "*.files.test", "10.1.2.3"]);
    let names = [
        "localhost",
        "127.0.0.1",
        "::1",
        "s3.localhost",
        "*.s3.localhost",
        "files.test",
        "*.files.test",
        "10.1.2.3",
    ];
    assert_eq!(said["names"], Value::from(names.to_vec()));
    let gateway = gateway(path(&program, "cert.pem"), path(&program, "key.pem")).await;
    let trusted = [certificate(&path(&program, "ca.pem"))];
    for name in names {
        let name = name.replace('*', "bucket");
        let taken = handshake(gateway.address, &trusted, &name, true).await;
        assert!(taken.is_ok(), "{name}: {taken:?}");
    }
    for name in ["elsewhere.test", "a.b.files.test", "test", "10.1.2.4"] {
        let refused = handshake(gateway.address, &trusted, name, true).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("not valid for name"), "{name}: {refused}");
    }
    let stranger = Program::new();
    dev_cert(&stranger, &[]);
    let trusted = [certificate(&path(&stranger, "ca.pem"))];
    let refused = handshake(gateway.address, &trusted, "localhost", true).await;
    assert!(refused.unwrap_err().to_string().contains("UnknownIssuer"));
}

#[tokio::test]
async fn whoever_steals_the_authority_cannot_sign_for_the_world() {
    let program = Program::new();
    dev_cert(&program, &["files.test"]);
    let authority = fs::read_to_string(path(&program, "ca.pem")).unwrap();
    let trusted = [certificate(&path(&program, "ca.pem"))];
    for (name, taken) in [
        ("stolen.localhost", true),
        ("stolen.files.test", true),
        ("bank.example", false),
        ("myfiles.test", false),
        ("8.8.8.8", false),
        ("2001:db8::1", false),
    ] {
        let stolen = KeyPair::from_pem(&fs::read_to_string(path(&program, "ca-key.pem")).unwrap()).unwrap();
        let issuer = Issuer::from_ca_cert_pem(&authority, stolen).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let forged = params.signed_by(&key, &issuer).unwrap();
        let (forged_file, key_file) = (path(&program, "forged.pem"), path(&program, "forged-key.pem"));
        fs::write(&forged_file, forged.pem()).unwrap();
        fs::write(&key_file, key.serialize_pem()).unwrap();
        let gateway = gateway(forged_file, key_file).await;
        let shaken = handshake(gateway.address, &trusted, name, true).await;
        match shaken {
            Ok(_) => assert!(taken, "{name} is taken"),
            Err(error) => assert!(
                !taken && error.to_string().contains("NameConstraintViolation"),
                "{name}: {error}"
            ),
        }
    }
}

#[test]
fn a_second_run_renews_the_certificate_and_keeps_authority_key_and_names() {
    let program = Program::new();
    let first = dev_cert(&program, &["files.test", "--days", "1"]);
    let read = |name: &str| fs::read_to_string(path(&program, name)).unwrap();
    let files = ["ca.pem", "ca-key.pem", "key.pem", "cert.pem"];
    let before = files.map(read);
    for (file, mode) in files.into_iter().zip([0o644, 0o600, 0o600, 0o644]) {
        let found = path(&program, file).metadata().unwrap().permissions().mode();
        assert_eq!(found & 0o777 & !mode, 0, "{file} {found:o}");
    }
    let second = dev_cert(&program, &[]);
    let after = files.map(read);
    assert_eq!(before[..3], after[..3]);
    assert_ne!(before[3], after[3]);
    assert_eq!(first["names"], second["names"]);
    assert_eq!(
        (&first["authority"]["is_new"], &second["authority"]["is_new"]),
        (&true.into(), &false.into())
    );
    assert!(first["not_after"].as_str() < second["not_after"].as_str());
    // Names that the authority was not made for need a new one, which somebody must want.
    let (code, said) = run(&program, &["dev-cert", "other.test"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("cannot sign for other.test; make a new one with --new-ca"),
        "{said}"
    );
    assert_eq!(files.map(read), after);
    let third = dev_cert(&program, &["other.test", "--new-ca"]);
    assert_eq!(third["authority"]["is_new"], true);
    assert_ne!(read("ca.pem"), after[0]);
    assert_eq!(fs::read_dir(path(&program, "")).unwrap().count(), 4, "no litter");
}

#[test]
fn what_somebody_else_put_there_stays() {
    let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    for (file, text, says) in [
        (
            "ca.pem",
            certificate.as_str(),
            "its key, ca-key.pem, is not beside it",
        ),
        ("ca-key.pem", &key, "its certificate, ca.pem, is not beside it"),
        ("cert.pem", &certificate, "its key, key.pem, is not beside it"),
        ("key.pem", &key, "its certificate, cert.pem, is not beside it"),
        ("cert.pem", "notes\n", "it holds no certificate"),
        ("key.pem", "notes\n", "it holds no key that this command made"),
    ] {
        let program = Program::new();
        fs::create_dir(path(&program, "")).unwrap();
        fs::write(path(&program, file), text).unwrap();
        for more in [&["dev-cert"][..], &["dev-cert", "--new-ca"]] {
            let (code, said) = run(&program, more);
            assert_eq!(code, Some(2), "{said}");
            assert!(
                said.contains(says) && said.contains(file) && said.contains("--out"),
                "{said}"
            );
        }
        assert_eq!(fs::read_to_string(path(&program, file)).unwrap(), text);
        assert_eq!(fs::read_dir(path(&program, "")).unwrap().count(), 1);
    }
    // Whole pairs, of somebody else's making.
    for (files, says) in [
        (
            ["ca.pem", "ca-key.pem"],
            "it is no authority that this command made",
        ),
        (
            ["cert.pem", "key.pem"],
            "it was not signed by the authority in ca.pem",
        ),
    ] {
        let program = Program::new();
        dev_cert(&program, &[]);
        for (file, text) in files.into_iter().zip([&certificate, &key]) {
            fs::write(path(&program, file), text).unwrap();
        }
        let (code, said) = run(&program, &["dev-cert"]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(says), "{said}");
        assert_eq!(fs::read_to_string(path(&program, files[0])).unwrap(), certificate);
    }
    // A link is not followed.
    let program = Program::new();
    fs::create_dir(path(&program, "")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", path(&program, "cert.pem")).unwrap();
    let (code, said) = run(&program, &["dev-cert"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("it is no plain file"), "{said}");
}

#[test]
fn what_no_client_would_take_is_not_made() {
    let program = Program::new();
    for (arguments, says) in [
        (&["--days", "398"][..], "398 is not in 1..=397"),
        (&["--days", "0"], "0 is not in 1..=397"),
        (&["*.com"], "every name of a top-level domain"),
        (&["https://a.test"], "without a scheme or a port"),
    ] {
        let (code, said) = run(&program, &[&["dev-cert"], arguments].concat());
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(says), "{said}");
    }
    assert!(!path(&program, "").exists());
}

#[test]
fn check_warns_of_certificates_that_are_missing_unfit_or_soon_expired() {
    let program = Program::new();
    dev_cert(&program, &["--days", "1"]);
    let policy = "[[signer]]\nname = 'a'\naccess_key_id = 'AKIAALICE00000000000'\nsecret_access_key = 's'\n";
    fs::write(program.folder.path().join("policy.toml"), policy).unwrap();
    for (certificate, key, says) in [
        (
            "cert.pem",
            "key.pem",
            "the certificate for localhost expires in 0 days",
        ),
        ("cert.pem", "ca-key.pem", "does not fit the certificate"),
        (
            "no.pem",
            "key.pem",
            "no.pem (server.tls.certificate): cannot be read: No such file",
        ),
    ] {
        let mut command = program.command(&["check"]);
        command
            .env("POSTERN_SERVER__TLS__CERTIFICATE", path(&program, certificate))
            .env("POSTERN_SERVER__TLS__PRIVATE_KEY", path(&program, key));
        let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert!(said.contains(says), "{says:?} is not in {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_gateway_tells_where_it_listens_and_what_is_wrong_with_its_certificate() {
    let program = Program::new();
    dev_cert(&program, &[]);
    let mut command = program.command(&["serve"]);
    command
        .env("POSTERN_SERVER__TLS__LISTEN", "127.0.0.1:0")
        .env("POSTERN_SERVER__TLS__CERTIFICATE", path(&program, "cert.pem"))
        .env("POSTERN_SERVER__TLS__PRIVATE_KEY", path(&program, "key.pem"));
    let serving = Serving::start(command);
    let told = |prefix: &str| {
        let address = serving.said.iter().find_map(|line| line.strip_prefix(prefix));
        address.unwrap().parse().unwrap()
    };
    let secure = told("postern listens on https://");
    let admin = told("admin listens on http://");
    let answer = client::send(serving.address(), http::Method::GET, serving.link(), &[]).await;
    assert_eq!(answer.status, 200);
    let trusted = [certificate(&path(&program, "ca.pem"))];
    handshake(secure, &trusted, "bucket.s3.localhost", true)
        .await
        .unwrap();
    let ask = async |path: &str| {
        let url = format!("http://{admin}{path}");
        let answer = client::send(admin, http::Method::GET, &url, &[]).await;
        (answer.status, answer.text().to_owned())
    };
    let wait = async |path: &str, says: &str| {
        let start = Instant::now();
        loop {
            let (status, text) = ask(path).await;
            assert_eq!(status, 200);
            if text.contains(says) {
                return;
            }
            assert!(start.elapsed().as_secs() < 30, "{says:?} is not in {text}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    wait("/readyz", "\"certificate_problem\":null").await;
    wait(
        "/metrics",
        "postern_tls_certificate_not_after_timestamp_seconds{name=\"localhost\"} ",
    )
    .await;
    let whole = fs::read(path(&program, "cert.pem")).unwrap();
    fs::write(path(&program, "cert.pem"), "").unwrap();
    serving.signal("-HUP");
    wait(
        "/readyz",
        "cert.pem (server.tls.certificate): holds no certificate",
    )
    .await;
    wait("/metrics", "postern_tls_certificate_reload_failures 1").await;
    wait("/metrics", "postern_tls_certificate_problem 1").await;
    fs::write(path(&program, "cert.pem"), &whole).unwrap();
    serving.signal("-HUP");
    wait("/readyz", "\"certificate_problem\":null").await;
    dev_cert(&program, &[]);
    let renewed = certificate(&path(&program, "cert.pem"));
    let start = Instant::now();
    loop {
        let stream = handshake(secure, &trusted, "localhost", true).await.unwrap();
        if stream.get_ref().1.peer_certificates().unwrap()[0] == renewed {
            break;
        }
        assert!(start.elapsed().as_secs() < 30, "dev-cert's renewal is not taken");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let log = serving.stop();
    assert_eq!(log.matches("certificate not renewed").count(), 1, "{log}");
    assert!(log.contains("the certificate's files are whole again"), "{log}");
    assert!(!log.contains("PRIVATE KEY-----"), "{log}");
}
