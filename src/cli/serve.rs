//! `postern serve`: runs the gateway until it is told to stop.

mod opening;

use std::{
    fs::Permissions,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    audit::{self, Audit},
    clock::Clock,
    config::Config,
    confine,
    explain::{Explanation, Question},
    gateway::{Gateway, Mode, Telemetry},
    live::{self, Live, Watcher, given::Keys},
    policy::GivenContext,
    server::{
        self, AdminListener, Certificates, ProxyProtocol, PublicListener, Readiness, Sockets, supervisor,
    },
    sigv4::{self, AddressingStyle, Endpoint, SignRequest},
    store::{BucketFolder, DiskStore, Store},
    traces::Traces,
    types::{Action, BucketName, ObjectKey, Resource, Scheme, Span},
};

use super::{
    Cli, Outcome, Problem, confinement,
    environment::Environment,
    logging::{self, Log},
    measuring::{self, Measuring},
    seed,
};

/// What the sample link opens.
const SAMPLE_KEY: &str = "test.txt";
/// How long the printed sample link lives.
const SAMPLE_EXPIRES: Span = Span::from_seconds(15 * 60);
/// How often uploads in parts that nobody ends are looked for.
const SWEEP: Span = Span::from_seconds(60 * 60);
/// How long a new policy is waited for after SIGHUP before the reload is called done.
const RELOAD: Span = Span::from_seconds(1);

/// Serves the configured store, or one folder as one bucket.
///
/// Without a configuration: POSTERN_ACCESS_KEY_ID and POSTERN_SECRET_ACCESS_KEY are keys that may do everything, POSTERN_BUCKETS
/// names buckets to make (a,b), POSTERN_SEED a folder to copy in. Any setting is a variable too: POSTERN_SERVER__LISTEN.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A folder to serve as a bucket; config.toml and the policy file are then left alone
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// The bucket's name; without it the folder's own
    #[arg(long, value_name = "NAME", requires = "folder")]
    bucket: Option<String>,
    /// Each folder in this one is a bucket: copy its files in where there is no such object yet
    #[arg(long, value_name = "FOLDER")]
    seed: Option<PathBuf>,
    /// Where there are neither given keys nor a policy file: make keys for this run that may do everything, and print them
    #[arg(long)]
    generate_keys: bool,
}

pub(super) fn run(cli: &Cli, args: &Args) -> Result<Outcome, Problem> {
    confine::keep_memory_private().map_err(|error| {
        format!("core dumps of this process, which holds keys, cannot be switched off: {error}")
    })?;
    // Before there is a second thread, since it takes variables away.
    let mut sockets = Sockets::from_environment()?;
    let mut environment = Environment::read(|name| std::env::var(name).ok())?;
    let mut config = match &args.folder {
        Some(_) => cli.explicit_config()?,
        None => cli.config()?,
    };
    let scratch = match &args.folder {
        Some(folder) => Some(serve_folder(folder, args.bucket.as_deref(), &mut config)?),
        None => None,
    };
    let log = logging::start(&config.log);
    // Sockets come first: whoever connects while the store is waited for is kept in their queues.
    sockets.open(&config.server, &config.admin)?;
    let store = opening::open(&config)?;
    let clock = Clock::system();
    let who = who(&config, args, &mut environment)?;
    let policy = policy(&who, &config, &clock)?;
    let seed = args.seed.clone().or(environment.seed.take());
    confinement::enter(&config, &policy, seed.as_deref(), scratch.as_ref())?;
    let _written = log.in_background();
    let prepared = Prepared {
        log,
        who,
        policy,
        store,
        clock,
        sockets,
        buckets: environment.buckets,
        seed,
    };
    // Connections have threads of their own: here is what goes on besides.
    let served = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?
        .block_on(serve(config, prepared));
    drop(scratch);
    served
}

/// Makes a folder the only bucket. What a store needs besides it goes into a folder for this user alone, which is gone when it is dropped.
fn serve_folder(folder: &Path, name: Option<&str>, config: &mut Config) -> Result<TempDir, Problem> {
    let path = folder
        .canonicalize()
        .map_err(|error| format!("{}: cannot be served: {error}", folder.display()))?;
    let own = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let name = name.unwrap_or(&own);
    let name = BucketName::parse(name)
        .map_err(|error| format!("{name:?} is {error}; name the bucket with --bucket NAME"))?;
    let scratch = tempfile::Builder::new()
        .prefix("postern-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir()?;
    config.storage.root = scratch.path().to_owned();
    config.buckets.push(BucketFolder { name, path });
    Ok(scratch)
}

/// Who may sign.
enum Who {
    /// Whoever the policy file says.
    PolicyFile,
    /// The holder of these keys, who was told them otherwise.
    Given(Keys),
    /// The holder of these keys, which are made for this run and printed.
    Generated(Keys),
}

fn who(config: &Config, args: &Args, environment: &mut Environment) -> Result<Who, Problem> {
    if let Some(keys) = environment.keys.take() {
        return Ok(Who::Given(keys));
    }
    let has_file = config.policy.file.symlink_metadata().is_ok();
    if args.folder.is_some() || (args.generate_keys && !has_file) {
        return Ok(Who::Generated(Keys::random()?));
    }
    Ok(Who::PolicyFile)
}

/// The policy in force at the start. It is not watched yet.
fn policy(who: &Who, config: &Config, clock: &Clock) -> Result<Live, Problem> {
    match who {
        Who::PolicyFile => {
            if let Some(fresh) = live::fresh::write_where_missing(&config.policy.file)? {
                println!(
                    "wrote {} with a fresh key for the signer {:?}",
                    fresh.path.display(),
                    fresh.signer
                );
            }
            let (policy, warnings) = Live::load(config.policy.clone(), clock.clone())?;
            for warning in warnings {
                tracing::warn!("{warning}");
            }
            Ok(policy)
        }
        Who::Given(keys) | Who::Generated(keys) => Ok(Live::given(keys, clock.clone())?),
    }
}

/// What was opened before the process confined itself, when it had one thread.
struct Prepared {
    log: Log,
    who: Who,
    policy: Live,
    store: DiskStore,
    clock: Clock,
    sockets: Sockets,
    /// Buckets that are to be there.
    buckets: Vec<BucketName>,
    /// A folder of folders to copy in.
    seed: Option<PathBuf>,
}

async fn serve(config: Config, prepared: Prepared) -> Result<Outcome, Problem> {
    let stop = server::termination()?;
    let Prepared {
        log,
        who,
        policy,
        store,
        clock,
        mut sockets,
        buckets,
        seed,
    } = prepared;
    let started = measuring::seconds(&clock);
    let _watcher: Option<Watcher> = match &who {
        Who::PolicyFile => Some(policy.watch()?),
        Who::Given(_) | Who::Generated(_) => None,
    };
    let audit = match (config.audit.to, &who) {
        (audit::To::Auto, Who::Given(_) | Who::Generated(_)) => Audit::off(),
        (_, _) => Audit::start(&config.audit, clock.clone())?,
    };
    for bucket in &buckets {
        store.create_bucket(bucket).await?;
    }
    if let Some(folder) = &seed {
        let seeded = seed::seed(&store, folder).await?;
        for skipped in &seeded.skipped {
            tracing::warn!("not seeded: {skipped}");
        }
        println!("seeded {} objects, {} were there", seeded.copied, seeded.kept);
    }
    let public = PublicListener::bind_to(&config.server, &mut sockets).await?;
    let admin = AdminListener::bind_to(&config.admin, &mut sockets).await?;
    sockets.all_taken()?;
    let certificates = public.certificates();
    on_hangup(policy.clone(), audit.clone(), certificates.clone())?;
    let traces = Traces::start(&config.traces)?;
    let telemetry = Telemetry {
        traces: traces.clone(),
        ..Telemetry::from(audit.clone())
    };
    let public = public.counting_into(telemetry.metrics.clone());
    let admin = admin.counting_into(telemetry.metrics.clone());

    let origin = origin(public.scheme(), public.address());
    let mut config = config;
    config.gateway.hosts = public.addresses().flat_map(hosts).collect();
    let exposed = public
        .addresses()
        .find(|(_, address)| !address.ip().is_loopback());
    if let (Mode::Development, Some((_, address))) = (config.gateway.mode, exposed) {
        tracing::warn!(
            "server.mode is \"development\" and {address} can be reached from elsewhere: refusals tell strangers why"
        );
    }
    for (scheme, address) in public.addresses() {
        println!("postern listens on {}", self::origin(scheme, address));
    }
    println!("admin listens on http://{}", admin.address());
    tell(&who, &origin, &config);
    match config.server.proxy_protocol {
        ProxyProtocol::Require => println!("only trusted proxies that send a PROXY header are served"),
        ProxyProtocol::Off => {
            if let Some(link) = sample_link(&origin, &policy, &clock, &config, &store).await {
                println!("try it: {link}");
            }
        }
    }
    let gateway = Gateway::new(
        store.clone(),
        policy.clone(),
        clock.clone(),
        telemetry.clone(),
        config.gateway,
    );
    store.watch(config.storage.probe_every, clock.clone())?;
    tokio::spawn(admin.run(Operators {
        gateway: gateway.clone(),
        store: store.clone(),
        policy: policy.clone(),
        audit: audit.clone(),
        certificates: certificates.clone(),
        measuring: Measuring {
            store: store.clone(),
            policy,
            telemetry: telemetry.clone(),
            certificates,
            log,
            clock: clock.clone(),
            started,
        },
    }));
    tokio::spawn(abort_stale_uploads(
        store,
        clock,
        config.storage.abort_uploads_after,
    ));
    tokio::spawn(supervisor::keep_watchdog_content());
    supervisor::ready(&format!("serving {origin}"));
    let grace = config.server.shutdown_grace;
    let stop = async move {
        stop.await;
        supervisor::stopping(&format!("transfers in flight have {grace} to end"));
    };
    public.run(gateway, stop).await;
    tokio::task::spawn_blocking(move || audit.flush()).await.ok();
    if let Some(traces) = traces {
        traces.flush().await;
    }
    Ok(Outcome::Yes)
}

/// Aborts uploads in parts that nobody ends, now and every hour; more often where they may live for less.
async fn abort_stale_uploads(store: DiskStore, clock: Clock, after: Span) {
    let mut rounds = tokio::time::interval(SWEEP.min(after).duration());
    loop {
        rounds.tick().await;
        let since = clock
            .now()
            .saturating_sub(after.duration().try_into().unwrap_or_default());
        match store.abort_stale_uploads(since.into()).await {
            Ok(0) => {}
            Ok(aborted) => tracing::info!(
                aborted,
                "aborted uploads in parts to which nothing came for {after}"
            ),
            Err(error) => tracing::warn!(%error, "cannot look for uploads in parts that nobody ends"),
        }
    }
}

/// Says whose keys count, and shows those that nobody knows yet.
fn tell(who: &Who, origin: &str, config: &Config) {
    match who {
        Who::PolicyFile => {}
        Who::Given(keys) => println!(
            "the keys of {} from the environment may do everything; the policy file is not read",
            keys.access_key_id
        ),
        Who::Generated(keys) => {
            println!("these keys may do everything until this process ends:");
            println!(
                "  export AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={}",
                keys.access_key_id,
                keys.expose_secret()
            );
            println!(
                "  export AWS_ENDPOINT_URL={origin} AWS_REGION={}",
                config.gateway.verdict.region()
            );
        }
    }
}

/// SIGHUP: take the policy and the certificates as they stand, and let go of an audit file that was moved away.
fn on_hangup(policy: Live, audit: Audit, certificates: Option<Certificates>) -> std::io::Result<()> {
    let mut hangup = server::reload_signals()?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            supervisor::reloading();
            let mut changes = policy.changes();
            changes.mark_unchanged();
            policy.reload_now();
            audit.reopen();
            if let Some(certificates) = &certificates {
                certificates.reload_now();
            }
            // A policy that is the same as before is told of by nobody.
            _ = tokio::time::timeout(RELOAD.duration(), changes.changed()).await;
            let status = policy.status();
            supervisor::ready(&match status.problem {
                None => format!("policy generation {} is in force", status.generation),
                Some(problem) => format!(
                    "policy generation {} stays in force: {problem}",
                    status.generation
                ),
            });
        }
    });
    Ok(())
}

/// What operators are told.
struct Operators {
    gateway: Gateway<DiskStore>,
    store: DiskStore,
    policy: Live,
    audit: Audit,
    certificates: Option<Certificates>,
    measuring: Measuring,
}

impl server::Source for Operators {
    fn readiness(&self) -> Readiness {
        let storage_problem = self.store.problem();
        let ready = readiness(&self.policy, &self.audit);
        Readiness {
            ready: ready.ready && storage_problem.is_none(),
            storage_problem,
            certificate_problem: self
                .certificates
                .as_ref()
                .and_then(|certificates| certificates.status().problem),
            ..ready
        }
    }

    fn transfers(&self) -> String {
        serde_json::to_string(&self.gateway.transfers()).unwrap_or_default()
    }

    async fn metrics(&self) -> String {
        self.measuring.text().await
    }

    async fn explain(&self, question: Bytes) -> (StatusCode, String) {
        match serde_json::from_slice::<Question>(&question) {
            Ok(question) => told(self.gateway.explain(question).await),
            Err(error) => (
                StatusCode::BAD_REQUEST,
                json!({ "error": error.to_string() }).to_string(),
            ),
        }
    }

    async fn explain_request(&self, id: &str) -> (StatusCode, String) {
        told(self.gateway.explain_request(id).await)
    }
}

fn told(explanation: Option<Explanation>) -> (StatusCode, String) {
    match explanation {
        Some(explanation) => (
            StatusCode::OK,
            serde_json::to_string(&explanation).unwrap_or_default(),
        ),
        None => {
            let error = "no such request is kept: the last 512 that were refused are, since the start";
            (StatusCode::NOT_FOUND, json!({ "error": error }).to_string())
        }
    }
}

fn readiness(policy: &Live, audit: &Audit) -> Readiness {
    let status = policy.status();
    let health = audit.health();
    Readiness {
        ready: !status.denying_all && !health.refusing,
        audit_problem: health.problem,
        storage_problem: None,
        certificate_problem: None,
        generation: status.generation,
        digest: status.digest,
        loaded_at: status
            .loaded_at
            .format(&time::format_description::well_known::Rfc3339)
            .unwrap_or_default(),
        problem: status.problem,
    }
}

/// How clients on this machine may name a listener: without the port where it is the scheme's own.
fn hosts((scheme, address): (Scheme, SocketAddr)) -> Vec<String> {
    let port = address.port();
    match (scheme, port) {
        (Scheme::Http, 80) | (Scheme::Https, 443) => {
            vec![
                address.ip().to_string(),
                "localhost".to_owned(),
                "127.0.0.1".to_owned(),
            ]
        }
        (Scheme::Http | Scheme::Https, _) => vec![
            address.to_string(),
            format!("localhost:{port}"),
            format!("127.0.0.1:{port}"),
        ],
    }
}

/// The address as a client on this machine writes it.
pub(super) fn origin(scheme: Scheme, address: SocketAddr) -> String {
    let scheme = match scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    let port = address.port();
    if address.ip().is_unspecified() {
        format!("{scheme}://localhost:{port}")
    } else {
        format!("{scheme}://{address}")
    }
}

/// A link to the sample object, where there is one and somebody may read it: a start in earnest prints none.
async fn sample_link(
    origin: &str,
    policy: &Live,
    clock: &Clock,
    config: &Config,
    store: &impl Store,
) -> Option<String> {
    let (bucket, key) = (
        BucketName::parse(live::fresh::BUCKET).ok()?,
        ObjectKey::parse(SAMPLE_KEY).ok()?,
    );
    store.open(&bucket, &key).await.ok()?;
    let snapshot = policy.snapshot();
    let resource = Resource::Object(&bucket, &key);
    let may = |signer: &&_| {
        snapshot
            .evaluate(signer, Action::GetObject, resource, &GivenContext::default())
            .is_allowed()
    };
    let signer = snapshot.signers().find(may)?;
    let access = snapshot.keys_of(signer).next()?;
    let region = config.gateway.verdict.regions.first()?;
    let request = SignRequest {
        method: &Method::GET,
        endpoint: &Endpoint::parse(origin).ok()?,
        style: AddressingStyle::Path,
        bucket: Some(&bucket),
        key: Some(&key),
        headers: &[],
        query: &[],
        session_token: None,
    };
    let expires = SAMPLE_EXPIRES.min(config.gateway.verdict.max_expires);
    let (id, secret) = (access.access_key_id(), access.secret_access_key());
    sigv4::presign(&request, id, secret, region, clock.now(), expires)
        .ok()
        .map(sigv4::SignedUrl::into_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_leave_out_the_port_that_is_the_schemes_own() {
        for (scheme, address, named) in [
            (Scheme::Http, "127.0.0.1:9000", "localhost:9000"),
            (Scheme::Https, "127.0.0.1:9443", "localhost:9443"),
            (Scheme::Https, "127.0.0.1:443", "localhost"),
            (Scheme::Http, "127.0.0.1:443", "localhost:443"),
            (Scheme::Http, "0.0.0.0:80", "127.0.0.1"),
        ] {
            let hosts = hosts((scheme, address.parse().unwrap()));
            assert!(hosts.contains(&named.to_owned()), "{address} {hosts:?}");
        }
    }
}
