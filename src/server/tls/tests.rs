//! Renewal, look by look: files are written as those who renew them do, and nothing waits.

use std::{fs, path::Path};

use tempfile::TempDir;
use time::{Duration, OffsetDateTime, macros::datetime};

use super::{super::CertificateFiles, *};
use crate::types::Span;

const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

/// A certificate for this name that is valid for so many days from now, and its key.
fn made(name: &str, days: i64) -> (String, String) {
    let mut params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
    params.not_before = NOW - Duration::days(100);
    params.not_after = NOW + Duration::days(days);
    let key = rcgen::KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

struct Renewing {
    folder: TempDir,
    clock: Clock,
    certificates: Certificates,
    renewal: Renewal,
}

impl Renewing {
    /// Two certificates, for `a.example` and `b.example`.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(NOW);
        let path = |name: &str| folder.path().join(name);
        for name in ["a", "b"] {
            write(folder.path(), name, &made(&format!("{name}.example"), 60));
        }
        let mut settings = TlsSettings::new(path("a.pem"), path("a-key.pem"));
        settings.further.push(CertificateFiles {
            certificate: path("b.pem"),
            private_key: path("b-key.pem"),
        });
        let (certificates, renewal) = Certificates::load(&settings, clock.clone()).unwrap();
        Self {
            folder,
            clock,
            certificates,
            renewal,
        }
    }

    /// The chain that a client sees who asks for this name.
    fn shown(&self, name: &str) -> String {
        let shown = self.certificates.state.shown.load();
        let pair = shown.choose(Some(name)).unwrap();
        pair.certified
            .cert
            .iter()
            .map(|der| hex::encode(der.as_ref()))
            .collect()
    }

    /// Two looks: what changed is seen, and then it is the same as before.
    fn look_twice(&mut self) {
        self.renewal.look(false);
        self.renewal.look(false);
    }

    fn problem(&self) -> String {
        self.certificates.status().problem.unwrap_or_default()
    }
}

fn write(folder: &Path, name: &str, (certificate, key): &(String, String)) {
    fs::write(folder.join(format!("{name}.pem")), certificate).unwrap();
    fs::write(folder.join(format!("{name}-key.pem")), key).unwrap();
}

#[test]
fn a_renewed_pair_is_taken_once_it_holds_still_and_the_others_stay() {
    let mut it = Renewing::start();
    let before = (it.shown("a.example"), it.shown("b.example"));
    it.look_twice();
    assert_eq!((it.shown("a.example"), it.shown("b.example")), before);
    write(it.folder.path(), "b", &made("b.example", 90));
    it.renewal.look(false);
    assert_eq!(it.shown("b.example"), before.1, "it may still be being written");
    it.renewal.look(false);
    assert_ne!(it.shown("b.example"), before.1);
    assert_eq!(it.shown("a.example"), before.0);
    let status = it.certificates.status();
    assert_eq!((status.problem, status.reload_failures), (None, 0));
    assert_eq!(status.in_force[1].not_after, NOW + Duration::days(90));
}

#[test]
fn a_swapped_symlink_is_a_renewal() {
    let mut it = Renewing::start();
    let folder = it.folder.path().to_owned();
    // As a mounted Kubernetes secret: files are links through a link to a folder, which is swapped in one rename.
    for (version, name) in [("1", "a.example"), ("2", "renewed.example")] {
        fs::create_dir(folder.join(version)).unwrap();
        write(&folder.join(version), "a", &made(name, 60));
    }
    std::os::unix::fs::symlink("1", folder.join("..data")).unwrap();
    for file in ["a.pem", "a-key.pem"] {
        fs::remove_file(folder.join(file)).unwrap();
        std::os::unix::fs::symlink(format!("..data/{file}"), folder.join(file)).unwrap();
    }
    it.look_twice();
    assert_eq!(it.certificates.status().in_force[0].name, "a.example");
    std::os::unix::fs::symlink("2", folder.join("..new")).unwrap();
    fs::rename(folder.join("..new"), folder.join("..data")).unwrap();
    it.look_twice();
    assert_eq!(it.certificates.status().in_force[0].name, "renewed.example");
}

#[test]
fn what_is_broken_is_not_taken_and_told_of_once_and_mends_itself() {
    let mut it = Renewing::start();
    let before = it.shown("a.example");
    let (certificate, key) = made("a.example", 90);
    let path = |name: &str| it.folder.path().join(name);
    let (certificate_file, key_file) = (path("a.pem"), path("a-key.pem"));
    let half = certificate.get(..certificate.len() / 2).unwrap();
    let mut failures = 0;
    for (written, says) in [
        (
            Some(half),
            "a.pem (server.tls.certificate): holds a broken PEM block",
        ),
        (Some(""), "a.pem (server.tls.certificate): holds no certificate"),
        (Some(certificate.as_str()), "server.tls: the key in "),
        (
            None,
            "a.pem (server.tls.certificate): cannot be read: No such file",
        ),
    ] {
        match written {
            Some(text) => fs::write(&certificate_file, text).unwrap(),
            None => fs::remove_file(&certificate_file).unwrap(),
        }
        for _ in 0..3 {
            it.look_twice();
        }
        failures += 1;
        let said = it.problem();
        assert!(said.contains(says), "{said:?} should say {says:?}");
        assert!(
            said.contains("the certificate before it stays in force, until 2027-01-23T12:00:00Z"),
            "{said}"
        );
        assert_eq!(it.certificates.status().reload_failures, failures, "{says}");
        assert_eq!(it.shown("a.example"), before, "{says}");
    }
    fs::write(&key_file, key).unwrap();
    fs::write(&certificate_file, certificate).unwrap();
    it.look_twice();
    assert_eq!(it.problem(), "");
    assert_ne!(it.shown("a.example"), before);
}

#[test]
fn a_pair_whose_halves_come_apart_is_taken_when_both_are_there() {
    let mut it = Renewing::start();
    let (certificate, key) = made("a.example", 90);
    let elsewhere = it.folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    write(&elsewhere, "a", &(certificate, key));
    // The second file comes only after the first was looked at twice.
    fs::rename(elsewhere.join("a.pem"), it.folder.path().join("a.pem")).unwrap();
    it.look_twice();
    assert!(
        it.problem().contains("does not fit the certificate"),
        "{}",
        it.problem()
    );
    fs::rename(elsewhere.join("a-key.pem"), it.folder.path().join("a-key.pem")).unwrap();
    it.look_twice();
    assert_eq!(it.problem(), "");
}

#[test]
fn fifo_and_sparse_file_do_not_end_renewal() {
    let mut it = Renewing::start();
    let before = it.shown("a.example");
    let renewed = made("a.example", 90);
    let path = |name: &str| it.folder.path().join(name);
    let (certificate, key) = (path("a.pem"), path("a-key.pem"));
    fs::remove_file(&certificate).unwrap();
    let mode = rustix::fs::Mode::RUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &certificate, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    it.look_twice();
    assert!(
        it.problem().contains("it is not a regular file"),
        "{}",
        it.problem()
    );
    fs::remove_file(&certificate).unwrap();
    fs::write(&certificate, &renewed.0).unwrap();
    fs::File::create(&key).unwrap().set_len(1 << 30).unwrap();
    it.look_twice();
    assert!(it.problem().contains("it is over 1 MiB"), "{}", it.problem());
    assert_eq!(it.shown("a.example"), before);
    write(it.folder.path(), "a", &renewed);
    it.look_twice();
    assert_eq!(it.problem(), "");
    assert_ne!(it.shown("a.example"), before);
}

#[test]
fn whoever_asks_for_it_has_the_files_read_at_once() {
    let mut it = Renewing::start();
    let before = it.shown("a.example");
    write(it.folder.path(), "a", &made("a.example", 90));
    it.renewal.look(true);
    assert_ne!(it.shown("a.example"), before);
    fs::write(it.folder.path().join("a.pem"), "").unwrap();
    it.renewal.look(true);
    assert!(it.problem().contains("holds no certificate"), "{}", it.problem());
}

#[test]
fn an_expired_certificate_does_not_take_the_place_of_a_valid_one() {
    let mut it = Renewing::start();
    let before = it.shown("a.example");
    write(it.folder.path(), "a", &made("a.example", -1));
    it.look_twice();
    let said = it.problem();
    assert!(
        said.contains("a.pem (server.tls.certificate): the certificate for a.example expired"),
        "{said}"
    );
    assert_eq!(it.shown("a.example"), before);
    // The one in force has expired as well: now the newer one is no worse.
    it.clock.advance(Span::from_seconds(61 * 24 * 60 * 60));
    it.look_twice();
    assert_ne!(it.shown("a.example"), before);
    let said = it.problem();
    assert!(
        said.contains("the certificate for b.example expired at 2027-01-23T12:00:00Z: clients refuse it"),
        "{said}"
    );
}

#[test]
fn a_certificate_is_warned_of_before_it_expires() {
    let it = Renewing::start();
    assert_eq!(it.certificates.remarks(), Vec::<String>::new());
    let day = Span::from_seconds(24 * 60 * 60);
    for _ in 0..47 {
        it.clock.advance(day);
    }
    let said = it.certificates.remarks();
    assert!(
        said[0].starts_with("the certificate for a.example expires in 13 days, at 2027-01-23T12:00:00Z"),
        "{said:?}"
    );
    assert_eq!(it.problem(), "", "it is still valid");
    for _ in 0..14 {
        it.clock.advance(day);
    }
    assert!(
        it.problem().contains("the certificate for a.example expired at"),
        "{}",
        it.problem()
    );
}
