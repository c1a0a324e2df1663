//! A gateway of one's own for each test: temporary folders, port 0, a clock that stands where it is put.

pub(crate) mod broken;
pub(crate) mod client;
pub(crate) mod collector;
pub(crate) mod form;
pub(crate) mod log;

use std::{fs, net::SocketAddr, path::PathBuf};

use http::Method;
use postern::{
    audit::{self, Audit, Record, Trail},
    clock::Clock,
    gateway::{self, Gateway, Telemetry},
    live::{self, Live, OnInvalid, Watcher},
    server::{self, Certificates, PublicListener, TlsSettings},
    sigv4::{self, AddressingStyle, Endpoint, SignRequest},
    store::{self, DiskStore},
    traces::{self, Traces},
    types::{AccessKeyId, BucketName, ObjectKey, Region, SecretKey, Span},
    verdict,
};
use tempfile::TempDir;
use time::{OffsetDateTime, macros::datetime};
use tokio::{sync::oneshot, task::JoinHandle};

pub(crate) const BUCKET: &str = "pres-url-test";
pub(crate) const NOON: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);
pub(crate) const ALICE: (&str, &str) = ("AKIAALICE00000000000", "alice/secret+access=key");

const MAY_READ: &str = "
[[signer.statement]]
Effect = 'Allow'
Action = ['s3:GetObject']
Resource = ['arn:aws:s3:::pres-url-test/*']
";
const MAY_LIST: &str = "
[[signer.statement]]
Effect = 'Allow'
Action = ['s3:ListBucket', 's3:PutObject']
Resource = ['arn:aws:s3:::pres-url-test', 'arn:aws:s3:::pres-url-test/*']
";

/// A policy of alice alone, with these statements behind her keys.
pub(crate) fn policy(statements: &[&str]) -> String {
    let (id, secret) = ALICE;
    let signer =
        format!("[[signer]]\nname = 'alice'\naccess_key_id = '{id}'\nsecret_access_key = '{secret}'\n");
    signer + &statements.concat()
}

/// Alice may read and list.
pub(crate) fn reader() -> String {
    policy(&[MAY_READ, MAY_LIST])
}

/// Alice may read, and not know what there is.
pub(crate) fn reader_without_list() -> String {
    policy(&[MAY_READ])
}

pub(crate) struct TestGateway {
    pub(crate) folder: TempDir,
    pub(crate) address: SocketAddr,
    /// Where HTTPS is spoken, if it has an address of its own.
    pub(crate) secure_address: Option<SocketAddr>,
    pub(crate) certificates: Option<Certificates>,
    pub(crate) clock: Clock,
    pub(crate) live: Live,
    pub(crate) audit: Audit,
    pub(crate) telemetry: Telemetry,
    pub(crate) gateway: Gateway<DiskStore>,
    _watcher: Watcher,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) running: JoinHandle<()>,
}

/// What a test may want otherwise.
#[derive(Default)]
pub(crate) struct Wishes {
    pub(crate) policy: Option<String>,
    pub(crate) verdict: Option<verdict::Settings>,
    pub(crate) gateway: Option<gateway::Settings>,
    pub(crate) tls: bool,
    pub(crate) server: Option<server::Settings>,
    pub(crate) clock: Option<Clock>,
    /// Transfers are not cut.
    pub(crate) leaves_transfers: bool,
    /// Settings of the audit trail, which is a file of the folder.
    pub(crate) audit: Option<audit::Settings>,
    /// Where spans go.
    pub(crate) traces: Option<traces::Settings>,
}

impl TestGateway {
    pub(crate) async fn start() -> Self {
        Self::with(Wishes::default()).await
    }

    pub(crate) async fn with(wishes: Wishes) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("data").join(BUCKET)).unwrap();
        fs::write(path("policy.toml"), wishes.policy.unwrap_or_else(reader)).unwrap();
        let clock = wishes.clock.unwrap_or_else(|| Clock::fixed(NOON));
        let settings = live::Settings {
            file: path("policy.toml"),
            on_invalid: OnInvalid::Keep,
            cut_transfers: !wishes.leaves_transfers,
            ..live::Settings::default()
        };
        let (live, _) = Live::load(settings, clock.clone()).unwrap();
        let watcher = live.watch().unwrap();
        let store = DiskStore::open(
            &store::Settings {
                root: path("data"),
                ..store::Settings::default()
            },
            &[],
        )
        .unwrap();
        let mut server = wishes.server.unwrap_or_default();
        server.listen = "127.0.0.1:0".to_owned();
        if wishes.tls {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            fs::write(path("cert.pem"), made.cert.pem()).unwrap();
            fs::write(path("key.pem"), made.signing_key.serialize_pem()).unwrap();
            server.tls = Some(TlsSettings::new(path("cert.pem"), path("key.pem")));
        }
        let audit = audit::Settings {
            file: path("audit.jsonl"),
            ..wishes.audit.unwrap_or_default()
        };
        let audit = Audit::start(&audit, clock.clone()).unwrap();
        let listener = PublicListener::bind(&server).await.unwrap();
        let (address, secure_address) = (listener.address(), listener.addresses().nth(1));
        let certificates = listener.certificates();
        let telemetry = Telemetry {
            traces: Traces::start(&wishes.traces.unwrap_or_default()).unwrap(),
            ..Telemetry::from(audit.clone())
        };
        let listener = listener.counting_into(telemetry.metrics.clone());
        let gateway = Gateway::new(
            store,
            live.clone(),
            clock.clone(),
            telemetry.clone(),
            gateway::Settings {
                verdict: wishes.verdict.unwrap_or_default(),
                ..wishes.gateway.unwrap_or_default()
            },
        );
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(listener.run(gateway.clone(), async move {
            _ = stopped.await;
        }));
        Self {
            folder,
            address,
            secure_address: secure_address.map(|(_, address)| address),
            certificates,
            clock,
            live,
            audit,
            telemetry,
            gateway,
            _watcher: watcher,
            stop: Some(stop),
            running,
        }
    }

    /// The text of the trail so far: of signers' requests, then of all others.
    pub(crate) fn trail_text(&self) -> String {
        self.audit.flush();
        let read = |name| fs::read_to_string(self.folder.path().join(name)).unwrap();
        read("audit.jsonl") + &read("audit.refused.jsonl")
    }

    /// Every record so far: those of requests whose answers have been read are among them.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.audit.flush();
        let trail = Trail::open(&self.folder.path().join("audit.jsonl")).unwrap();
        trail.map(Result::unwrap).collect()
    }

    /// Waits until the record of some request says this.
    pub(crate) async fn record(&self, is_it: impl Fn(&Record) -> bool) -> Record {
        let start = std::time::Instant::now();
        loop {
            if let Some(record) = self.records().into_iter().find(&is_it) {
                return record;
            }
            assert!(
                start.elapsed().as_secs() < 20,
                "no such record: {:?}",
                self.records()
            );
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// Puts an object into the sample bucket, as an operator would.
    pub(crate) fn put(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let file = self.folder.path().join("data").join(BUCKET).join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        file
    }

    pub(crate) fn policy_file(&self) -> PathBuf {
        self.folder.path().join("policy.toml")
    }

    /// Saves a policy as an editor does, and waits until it is in force.
    pub(crate) async fn save_policy(&self, text: &str) {
        let mut changes = self.live.changes();
        let before = changes.borrow_and_update().generation;
        let beside = self.folder.path().join("policy.toml.new");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, self.policy_file()).unwrap();
        let taken = changes.wait_for(|status| status.generation > before);
        tokio::time::timeout(std::time::Duration::from_secs(20), taken)
            .await
            .unwrap()
            .unwrap();
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A link signed by alice's keys for 15 minutes.
    pub(crate) fn link(&self, method: &Method, key: &str) -> String {
        self.sign(method, key, &[], &[])
    }

    pub(crate) fn sign(
        &self,
        method: &Method,
        key: &str,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> String {
        let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect()
        };
        let key = ObjectKey::parse(key).ok();
        let request = SignRequest {
            method,
            endpoint: &Endpoint::parse(&self.endpoint()).unwrap(),
            style: AddressingStyle::Path,
            bucket: Some(&BucketName::parse(BUCKET).unwrap()),
            key: key.as_ref(),
            headers: &owned(headers),
            query: &owned(query),
            session_token: None,
        };
        sign_as(ALICE, &request, self.clock.now())
    }

    pub(crate) async fn get(&self, url: &str) -> client::Answer {
        client::send(self.address, Method::GET, url, &[]).await
    }

    /// Tells the gateway to stop, as SIGTERM does.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }
}

/// Signs a request with any pair of keys, for 15 minutes.
pub(crate) fn sign_as((id, secret): (&str, &str), request: &SignRequest<'_>, now: OffsetDateTime) -> String {
    let id = AccessKeyId::parse(id).unwrap();
    let secret = SecretKey::parse(secret.to_owned()).unwrap();
    let region = Region::parse("us-east-1").unwrap();
    sigv4::presign(request, &id, &secret, &region, now, Span::from_seconds(900))
        .unwrap()
        .into_string()
}
