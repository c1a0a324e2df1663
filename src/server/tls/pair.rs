//! A certificate and its key, read from their two files.

use std::{path::Path, sync::Arc};

use rustls::{
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    sign::CertifiedKey,
};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use zeroize::Zeroizing;

use crate::operator_file;

use super::super::{CertificateFiles, ServerError};

/// A certificate that was held against its key, and what it says of itself.
pub(super) struct Pair {
    /// The chain and the key, as rustls takes them.
    pub(super) certified: Arc<CertifiedKey>,
    /// The DNS names that it is for, in lower case; some begin with `*.`.
    pub(super) names: Vec<String>,
    /// What it is called where one name must do: the first DNS name, else the first address, else its subject.
    pub(super) name: String,
    /// From when it is valid.
    pub(super) not_before: OffsetDateTime,
    /// The last moment at which it is valid.
    pub(super) not_after: OffsetDateTime,
}

impl Pair {
    /// Reads both files. Errors name the file, the setting and what the file should hold.
    pub(super) fn read(files: &CertificateFiles, setting: &str) -> Result<Self, ServerError> {
        let certificate_problem = |problem| ServerError::TlsFile {
            path: files.certificate.clone(),
            setting: format!("{setting}.certificate"),
            problem,
        };
        let key_problem = |problem| ServerError::TlsFile {
            path: files.private_key.clone(),
            setting: format!("{setting}.private_key"),
            problem,
        };
        let unfit = |error: rustls::Error| ServerError::TlsPair {
            certificate: files.certificate.clone(),
            private_key: files.private_key.clone(),
            setting: setting.to_owned(),
            problem: error.to_string(),
        };
        let text = read(&files.certificate).map_err(certificate_problem)?;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&text)
            .collect::<Result<_, _>>()
            .map_err(|error| certificate_problem(broken(&error)))?;
        let own = chain.first().ok_or_else(|| {
            let problem =
                "holds no certificate; it must hold PEM blocks «BEGIN CERTIFICATE», the server's own first";
            certificate_problem(problem.to_owned())
        })?;
        let said = Said::by(own).map_err(certificate_problem)?;
        let text = read(&files.private_key).map_err(key_problem)?;
        let key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
            key_problem(format!(
                "holds no private key ({error}); it must hold a PEM block «BEGIN PRIVATE KEY»"
            ))
        })?;
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(unfit)?;
        Ok(Self {
            certified: Arc::new(certified),
            names: said.names,
            name: said.name,
            not_before: said.not_before,
            not_after: said.not_after,
        })
    }

    /// Would a client take it at this moment?
    pub(super) fn is_valid_at(&self, now: OffsetDateTime) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }

    /// The whole days that are left of it: 0 on the last one, and less when it has expired.
    pub(super) fn days_left(&self, now: OffsetDateTime) -> i64 {
        (self.not_after - now).whole_seconds().div_euclid(24 * 60 * 60)
    }

    /// Do both show the same chain?
    pub(super) fn shows_the_same(&self, other: &Self) -> bool {
        self.certified.cert == other.certified.cert
    }
}

fn broken(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => {
            "holds a broken PEM block: its «END CERTIFICATE» is missing; write the whole file".to_owned()
        }
        other => format!("holds a broken PEM block: {other}"),
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    operator_file::read(path, operator_file::SMALL).map_err(|error| format!("cannot be read: {error}"))
}

/// What a certificate says of itself.
struct Said {
    names: Vec<String>,
    name: String,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
}

impl Said {
    /// <https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.6>
    fn by(certificate: &CertificateDer<'_>) -> Result<Self, String> {
        let broken = |error: String| format!("its first certificate cannot be understood: {error}");
        let (_, certificate) =
            X509Certificate::from_der(certificate).map_err(|error| broken(error.to_string()))?;
        let alternatives = certificate
            .subject_alternative_name()
            .map_err(|error| broken(error.to_string()))?;
        let alternatives = alternatives.map_or(&[][..], |extension| &extension.value.general_names);
        let names: Vec<String> = alternatives
            .iter()
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
                _ => None,
            })
            .collect();
        let address = || alternatives.iter().find_map(address);
        let name = names
            .first()
            .cloned()
            .or_else(address)
            .unwrap_or_else(|| certificate.subject().to_string());
        let validity = certificate.validity();
        Ok(Self {
            names,
            name,
            not_before: validity.not_before.to_datetime(),
            not_after: validity.not_after.to_datetime(),
        })
    }
}

fn address(name: &GeneralName<'_>) -> Option<String> {
    let GeneralName::IPAddress(bytes) = name else {
        return None;
    };
    let four = <[u8; 4]>::try_from(*bytes).map(|bytes| std::net::IpAddr::from(bytes).to_string());
    let sixteen = || <[u8; 16]>::try_from(*bytes).map(|bytes| std::net::IpAddr::from(bytes).to_string());
    four.or_else(|_| sixteen()).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use time::macros::datetime;

    use super::*;

    fn pair(names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn load(certificate: &str, key: &str) -> Result<Pair, String> {
        let folder = tempfile::tempdir().unwrap();
        let files = CertificateFiles {
            certificate: folder.path().join("cert.pem"),
            private_key: folder.path().join("key.pem"),
        };
        fs::write(&files.certificate, certificate).unwrap();
        fs::write(&files.private_key, key).unwrap();
        Pair::read(&files, "server.tls").map_err(|error| error.to_string())
    }

    #[test]
    fn names_are_read_in_lower_case_and_one_stands_for_all() {
        for (names, dns, name) in [
            (
                &["Files.Example.com", "*.s3.localhost", "127.0.0.1"][..],
                &["files.example.com", "*.s3.localhost"][..],
                "files.example.com",
            ),
            (&["127.0.0.1"], &[], "127.0.0.1"),
            (&["::1", "10.0.0.1"], &[], "::1"),
            (&[], &[], "CN=rcgen self signed cert"),
        ] {
            let (certificate, key) = pair(names);
            let read = load(&certificate, &key).unwrap();
            assert_eq!(read.names, dns);
            assert_eq!(read.name, name);
        }
    }

    #[test]
    fn days_are_counted_to_the_last_moment() {
        let mut params = rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap();
        params.not_before = datetime!(2026-11-01 0:00 UTC);
        params.not_after = datetime!(2026-12-01 0:00 UTC);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let read = load(&certificate.pem(), &key.serialize_pem()).unwrap();
        for (now, days, valid) in [
            (datetime!(2026-10-31 23:59 UTC), 30, false),
            (datetime!(2026-11-17 0:00 UTC), 14, true),
            (datetime!(2026-11-30 0:00:01 UTC), 0, true),
            (datetime!(2026-12-01 0:00 UTC), 0, true),
            (datetime!(2026-12-01 0:00:01 UTC), -1, false),
        ] {
            assert_eq!(read.days_left(now), days, "{now}");
            assert_eq!(read.is_valid_at(now), valid, "{now}");
        }
    }

    #[test]
    fn files_that_do_not_fit_are_named_with_their_setting() {
        let ((certificate, key), (_, other)) = (pair(&["localhost"]), pair(&["localhost"]));
        let cut = certificate.get(..certificate.len() / 2).unwrap();
        for (certificate, key, says) in [
            (
                "",
                key.as_str(),
                "cert.pem (server.tls.certificate): holds no certificate",
            ),
            (
                &key,
                &key,
                "cert.pem (server.tls.certificate): holds no certificate",
            ),
            (
                cut,
                &key,
                "cert.pem (server.tls.certificate): holds a broken PEM block",
            ),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                &key,
                "cert.pem (server.tls.certificate): its first certificate cannot be understood",
            ),
            (
                &certificate,
                "",
                "key.pem (server.tls.private_key): holds no private key",
            ),
            (
                &certificate,
                &certificate,
                "key.pem (server.tls.private_key): holds no private key",
            ),
            (&certificate, &other, "does not fit the certificate"),
        ] {
            let Err(said) = load(certificate, key) else {
                panic!("it should say {says:?}")
            };
            assert!(said.contains(says), "{said:?} should say {says:?}");
        }
        let missing = CertificateFiles {
            certificate: "/nowhere/c.pem".into(),
            private_key: "/nowhere/k.pem".into(),
        };
        let said = Pair::read(&missing, "server.tls.further[2]")
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(
            said.starts_with(
                "/nowhere/c.pem (server.tls.further[2].certificate): cannot be read: No such file"
            ),
            "{said}"
        );
    }
}
