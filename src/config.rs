//! The configuration: a TOML file and the environment go in, each module's settings come out, checked. A key that nobody knows is an
//! error that names the nearest known one.

mod bounds;
mod document;
mod limits;
mod places;

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::{
    audit, confine, gateway, live,
    obstacle::{Obstacle, Wanted},
    operator_file::{self, FileError},
    server, store, traces,
    types::{Forwarding, Span, TrustedProxies, TrustedProxyError},
    verdict::{self, PublicUrl, PublicUrlError},
};

pub use document::{LogFormat, LogLevel, LogSettings};

/// AWS's longest life of a link.
const A_WEEK: Span = Span::from_seconds(604_800);

/// Every module's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The public listener.
    pub server: server::Settings,
    /// What the process may open.
    pub confine: confine::Settings,
    /// The operator's listener.
    pub admin: server::AdminSettings,
    /// What requests are answered by.
    pub gateway: gateway::Settings,
    /// The root of the store.
    pub storage: store::Settings,
    /// Buckets that are folders elsewhere.
    pub buckets: Vec<store::BucketFolder>,
    /// The policy file.
    pub policy: live::Settings,
    /// The audit trail.
    pub audit: audit::Settings,
    /// Traces for OpenTelemetry.
    pub traces: traces::Settings,
    /// The log.
    pub log: LogSettings,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {obstacle}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What stands in the way, and the fix.
        obstacle: Obstacle,
    },
    /// The path is not a text file of a sensible size.
    #[error("{}: cannot be read: {problem}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: FileError,
    },
    /// The file, or a variable, holds something that it cannot.
    #[error("{place}: {problem}")]
    Invalid {
        /// File, line and column, or the variable.
        place: String,
        /// What is wrong, and what to write.
        problem: String,
    },
}

impl Config {
    /// Reads a file, then the variables named `POSTERN_SECTION__KEY`, which win. Paths in it are relative to the file's folder.
    /// Without a file (`None`) every key has its default.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let text = match file {
            None => Zeroizing::default(),
            Some(path) => operator_file::read_text(path, operator_file::SMALL)
                .map_err(|error| unreadable(path, error))?,
        };
        let name = file.map_or_else(|| "the environment".to_owned(), |path| path.display().to_string());
        let base = file.and_then(Path::parent).unwrap_or(Path::new(""));
        let (document, places) = document::read(&text, &name, environment)?;
        Self::assemble(document, base).map_err(|(key, problem)| ConfigError::Invalid {
            place: format!("{}: {key}", places.of(key)),
            problem,
        })
    }

    /// Puts each module's settings together, or names the key whose value cannot be.
    fn assemble(document: document::Document, base: &Path) -> Result<Self, (&'static str, String)> {
        bounds::check(&document)?;
        let document::Document {
            server,
            admin,
            mut storage,
            mut bucket,
            mut policy,
            mut audit,
            presign,
            limits,
            cors,
            traces,
            log,
        } = document;
        let public_urls = server.public_urls.iter().map(|text| {
            PublicUrl::parse(text)
                .map_err(|error: PublicUrlError| ("server.public_urls", format!("{text:?} is {error}")))
        });
        let public_urls = public_urls.collect::<Result<Vec<_>, _>>()?;
        let proxies = TrustedProxies::parse(server.trusted_proxies.iter().map(String::as_str))
            .map_err(|error: TrustedProxyError| ("server.trusted_proxies", error.to_string()))?;
        storage.root = base.join(storage.root);
        policy.file = base.join(policy.file);
        audit.file = base.join(audit.file);
        for folder in &mut bucket {
            folder.path = base.join(&folder.path);
        }
        let below = |places: Vec<PathBuf>| places.iter().map(|place| base.join(place)).collect();
        let tls = server.tls.map(|tls| server::TlsSettings {
            listen: tls.listen,
            certificate: base.join(tls.certificate),
            private_key: base.join(tls.private_key),
            further: tls
                .further
                .into_iter()
                .map(|files| server::CertificateFiles {
                    certificate: base.join(files.certificate),
                    private_key: base.join(files.private_key),
                })
                .collect(),
        });
        Ok(Self {
            server: server::Settings {
                listen: server.listen,
                tls,
                max_head_bytes: server.max_head_bytes,
                max_headers: server.max_headers,
                head_timeout: server.head_timeout,
                shutdown_grace: server.shutdown_grace,
                limits: limits.of_server(),
                proxy_protocol: server.proxy_protocol,
                trusted_proxies: proxies.clone(),
            },
            confine: confine::Settings {
                mode: server.confine,
                also_read: below(server.confine_also_read),
                also_write: below(server.confine_also_write),
            },
            admin,
            gateway: gateway::Settings {
                cors,
                limits: limits.of_gateway(),
                mode: server.mode,
                forwarding: Forwarding {
                    proxies,
                    header: server.forwarded_header,
                },
                // Known once the listener is bound.
                hosts: Vec::new(),
                verdict: verdict::Settings {
                    regions: [server.region].into_iter().chain(server.regions).collect(),
                    virtual_host_domains: server.virtual_host_domains,
                    public_urls,
                    max_expires: presign.max_expires,
                    account_id: server.account_id.into(),
                },
            },
            storage,
            buckets: bucket,
            policy,
            audit,
            traces,
            log,
        })
    }
}

fn unreadable(path: &Path, error: FileError) -> ConfigError {
    let path = path.to_owned();
    match error {
        FileError::System(source) => ConfigError::Unreadable {
            obstacle: Obstacle::new(&path, Wanted::Read, source),
            path,
        },
        problem => ConfigError::Unfit { path, problem },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, text).unwrap();
        let environment = environment
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        let strip = format!("{}/", folder.path().display());
        Config::load(Some(&path), environment).map_err(|error| error.to_string().replace(&strip, ""))
    }

    #[test]
    fn the_shipped_file_says_what_the_defaults_are() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml");
        let base = shipped.parent().unwrap();
        let mut defaults = Config::load(None, []).unwrap();
        defaults.storage.root = base.join(&defaults.storage.root);
        defaults.policy.file = base.join(&defaults.policy.file);
        defaults.audit.file = base.join(&defaults.audit.file);
        assert_eq!(Config::load(Some(&shipped), []).unwrap(), defaults);
    }

    #[test]
    fn the_environment_wins_and_only_section_and_key_are_read() {
        let config = load(
            "[server]\nlisten = '127.0.0.1:1'\nregion = 'eu-west-1'\n",
            &[
                ("POSTERN_SERVER__LISTEN", "0.0.0.0:9000"),
                ("POSTERN_SERVER__PUBLIC_URLS", "[\"https://a.example\"]"),
                ("POSTERN_PRESIGN__MAX_EXPIRES", "1h"),
                ("POSTERN_SERVER__ACCOUNT_ID", "111122223333"),
                ("POSTERN_SERVER__SHUTDOWN_GRACE", "90"),
                ("POSTERN_SERVER__MAX_HEADERS", "50"),
                ("POSTERN_STORAGE__ROOT", "\"7\""),
                ("POSTERN_TRACES__SAMPLE", "0"),
                ("POSTERN_PORT", "tcp://10.0.0.1:9000"),
                ("POSTERN_SERVICE_HOST", "10.0.0.1"),
            ],
        )
        .unwrap();
        assert_eq!(config.server.listen, "0.0.0.0:9000");
        assert_eq!(config.gateway.verdict.regions[0].as_str(), "eu-west-1");
        assert_eq!(config.gateway.verdict.public_urls[0].authority(), "a.example");
        assert_eq!(config.gateway.verdict.max_expires.seconds(), 3600);
        assert_eq!(&*config.gateway.verdict.account_id, "111122223333");
        assert_eq!(config.server.shutdown_grace.seconds(), 90);
        assert_eq!(config.server.max_headers, 50);
        assert!(config.storage.root.ends_with("7"));
        assert_eq!(config.traces.sample, 0.0);
    }

    #[test]
    fn tls_may_come_from_the_environment_whichever_variable_comes_first() {
        let (certificate, key) = (
            ("POSTERN_SERVER__TLS__CERTIFICATE", "/c"),
            ("POSTERN_SERVER__TLS__PRIVATE_KEY", "/k"),
        );
        for order in [[certificate, key], [key, certificate]] {
            let tls = load("", &order).unwrap().server.tls.unwrap();
            assert_eq!((tls.certificate, tls.private_key), ("/c".into(), "/k".into()));
        }
        let said = load("", &[certificate]).unwrap_err();
        assert!(
            said.starts_with("the environment: missing field `private_key`"),
            "{said}"
        );
    }

    #[test]
    fn every_certificate_is_relative_to_the_files_folder() {
        let files = |name: &str| format!("certificate = '{name}.pem'\nprivate_key = '{name}-key.pem'\n");
        let text = format!(
            "[server.tls]\nlisten = '0.0.0.0:9443'\n{}[[server.tls.further]]\n{}",
            files("a"),
            files("/b")
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, text).unwrap();
        let tls = Config::load(Some(&path), []).unwrap().server.tls.unwrap();
        assert_eq!(tls.listen.as_deref(), Some("0.0.0.0:9443"));
        assert_eq!(tls.certificate, folder.path().join("a.pem"));
        assert_eq!(tls.further[0].private_key, Path::new("/b-key.pem"));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_the_nearest_known_word() {
        for (text, environment, says) in [
            (
                "[server]\nlissten = 'x'\n",
                &[][..],
                "config.toml:2:1: unknown key `lissten`; did you mean `listen`?",
            ),
            (
                "[sever]\n",
                &[],
                "config.toml:1:2: unknown key `sever`; did you mean `server`?",
            ),
            ("[server]\nlisten = 5\n", &[], "config.toml:2:10: "),
            ("[server\n", &[], "config.toml:1:"),
            ("", &[("POSTERN_SERVER__LISSTEN", "x")], "POSTERN_SERVER__LISSTEN"),
            (
                "[presign]\nmax_expires = '8d'\n",
                &[],
                "config.toml:2:15: presign.max_expires: 8d is not between 1s and AWS's own limit, 7d",
            ),
            (
                "[presign]\nmax_expires = '1h'\n",
                &[("POSTERN_PRESIGN__MAX_EXPIRES", "0s")],
                "the variable POSTERN_PRESIGN__MAX_EXPIRES: presign.max_expires: 0s is not between",
            ),
            (
                "[server]\nlisten = '9000'\n",
                &[],
                "config.toml:2:10: server.listen: \"9000\" cannot be listened on; write",
            ),
            (
                "[server]\nlisten = '[::]:9000'\n[admin]\nlisten = '[::]:9000'\n",
                &[],
                "config.toml:4:10: admin.listen: [::]:9000 is server.listen already",
            ),
            (
                "[server]\nlisten = '[::]:9000'\n[server.tls]\ncertificate = 'c'\nprivate_key = 'k'\nlisten = '[::]:9000'\n",
                &[],
                "config.toml:6:10: server.tls.listen: [::]:9000 is server.listen already; leave server.tls.listen out",
            ),
            (
                "[server.tls]\ncertificate = 'c'\nprivate_key = 'k'\nlisten = '127.0.0.1:9001'\n",
                &[],
                "config.toml:4:10: server.tls.listen: 127.0.0.1:9001 is admin.listen already",
            ),
            (
                "[server.tls]\ncertificate = 'c'\nprivate_key = 'k'\nlisten = '9443'\n",
                &[],
                "config.toml:4:10: server.tls.listen: \"9443\" cannot be listened on",
            ),
            (
                "[server.tls]\ncertificate = 'c'\nprivate_key = 'k'\n[[server.tls.further]]\ncertificate = 'c'\nprivat_key = 'k'\n",
                &[],
                "config.toml:6:1: unknown key `privat_key`; did you mean `private_key`?",
            ),
            (
                "[server]\nmax_head_bytes = 100\n",
                &[],
                "server.max_head_bytes: 100 is not between 8192 and",
            ),
            (
                "[server]\nmax_headers = 0\n",
                &[],
                "server.max_headers: 0 is not between 16 and",
            ),
            (
                "[server]\nhead_timeout = '0s'\n",
                &[],
                "server.head_timeout: 0s is not between 1s and 1h",
            ),
            (
                "",
                &[("POSTERN_SERVER__MAX_HEADERS", "many")],
                "the variable POSTERN_SERVER__MAX_HEADERS: ",
            ),
            (
                "[server]\npublic_urls = ['ftp://x']\n",
                &[],
                "server.public_urls: \"ftp://x\" is not a public URL",
            ),
            (
                "[server]\naccount_id = '1'\n",
                &[],
                "server.account_id: an AWS account id has 12 digits",
            ),
            (
                "[server]\nregion = 'a b'\n",
                &[],
                "config.toml:2:10: a region has",
            ),
            (
                "[server]\ntrusted_proxies = ['10.0.0.1/8']\n",
                &[],
                "config.toml:2:19: server.trusted_proxies: \"10.0.0.1/8\" has bits set behind its prefix: write 10.0.0.0/8",
            ),
            (
                "[server]\ntrusted_proxies = ['0.0.0.0/0']\n",
                &[],
                "server.trusted_proxies: \"0.0.0.0/0\" would believe everybody",
            ),
            (
                "[server]\nproxy_protocol = 'require'\n",
                &[],
                "config.toml:2:18: server.proxy_protocol: \"require\" serves only the proxies of server.trusted_proxies, and none is named there",
            ),
            ("[server]\nproxy_protocol = 'accept'\n", &[], "config.toml:2:18: "),
            (
                "[server]\nforwarded_header = 'x-real-ip'\n",
                &[],
                "config.toml:2:20: ",
            ),
            (
                "[traces]\nendpoint = '127.0.0.1:4318'\n",
                &[],
                "config.toml:2:12: traces.endpoint: \"127.0.0.1:4318\" is no URL of a collector; write",
            ),
            (
                "[traces]\nsample = 1.5\n",
                &[],
                "config.toml:2:10: traces.sample: 1.5 is not between 0 and 1",
            ),
            ("[policy]\non_invalid = 'ignore'\n", &[], "config.toml:2:14: "),
            ("[[bucket]]\nname = 'Films'\npath = 'x'\n", &[], "\"Films\""),
        ] {
            let said = load(text, environment).unwrap_err();
            assert!(said.contains(says), "{said:?} should say {says:?}");
        }
    }

    #[test]
    fn a_file_that_is_named_must_be_there() {
        let error = Config::load(Some(Path::new("/nowhere/config.toml")), [])
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("/nowhere/config.toml: cannot be read"),
            "{error}"
        );
    }

    #[test]
    fn configuration_is_a_regular_file_of_sensible_size() {
        let folder = tempfile::tempdir().unwrap();
        let (fifo, sparse) = (folder.path().join("fifo"), folder.path().join("sparse"));
        let mode = rustix::fs::Mode::RUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        fs::File::create(&sparse).unwrap().set_len(1 << 30).unwrap();
        for (path, problem) in [(fifo, "it is not a regular file"), (sparse, "it is over 1 MiB")] {
            let error = Config::load(Some(&path), []).unwrap_err().to_string();
            assert!(error.ends_with(&format!("cannot be read: {problem}")), "{error}");
        }
    }
}
