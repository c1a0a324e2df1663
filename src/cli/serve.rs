//! `postern serve`: runs the gateway until it is told to stop.

mod chores;
mod confinement;
mod greeting;
mod measuring;
mod opening;
mod operators;

pub(super) use greeting::origin;

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{
    audit::{self, Audit},
    clock::Clock,
    config::Config,
    confine,
    gateway::{Gateway, Mode, Telemetry},
    live::{self, Live, Watcher, given::Keys},
    server::{self, AdminListener, ProxyProtocol, PublicListener, Sockets, supervisor},
    store::{BucketFolder, DiskStore, LastLook, Store},
    traces::Traces,
    types::BucketName,
};

use measuring::Measuring;
use operators::Operators;

use super::{
    Cli, Outcome, Problem,
    environment::Environment,
    logging::{self, Log},
    seed,
    separate::{self, InUse},
};

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
    config.policy.user_folders = separate::user_folders(&config);
    let log = logging::start(&config.log);
    let who = who(&config, args, &mut environment)?;
    let in_use = InUse::of(&config, matches!(who, Who::PolicyFile));
    let config_file = match &args.folder {
        Some(_) => cli.config.as_deref(),
        None => cli.config_file(),
    };
    separate::check(&config, config_file, in_use)?;
    // Sockets come first: whoever connects while the store is waited for is kept in their queues.
    sockets.open(&config.server, &config.admin)?;
    let store = opening::open(&config)?;
    let clock = Clock::system();
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
    separate::check_folder(name.as_str(), &path)?;
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
        (audit::To::Auto, Who::Given(_) | Who::Generated(_))
            if config.audit.sync == audit::SyncRecords::Never =>
        {
            Audit::off()
        }
        (_, _) => Audit::start(&config.audit, clock.clone())?,
    };
    for bucket in &buckets {
        store.create_bucket(bucket, LastLook::none()).await?;
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
    chores::on_hangup(policy.clone(), audit.clone(), certificates.clone())?;
    let traces = Traces::start(&config.traces)?;
    let telemetry = Telemetry {
        traces: traces.clone(),
        ..Telemetry::from(audit.clone())
    };
    let public = public.counting_into(telemetry.metrics.clone());
    let admin = admin.counting_into(telemetry.metrics.clone());

    let origin = origin(public.scheme(), public.address());
    let mut config = config;
    config.gateway.hosts = public.addresses().flat_map(greeting::hosts).collect();
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
    greeting::tell(&who, &origin, &config);
    match config.server.proxy_protocol {
        ProxyProtocol::Require => println!("only trusted proxies that send a PROXY header are served"),
        ProxyProtocol::Off => {
            if let Some(link) = greeting::sample_link(&origin, &policy, &clock, &config, &store).await {
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
    tokio::spawn(chores::keep_house(
        store.clone(),
        config.storage.remove_leftovers_after,
    ));
    tokio::spawn(chores::abort_stale_uploads(
        store,
        clock,
        config.storage.abort_uploads_after,
    ));
    tokio::spawn(chores::tell_of_strangers(telemetry.stranger_log.clone()));
    tokio::spawn(supervisor::keep_watchdog_content());
    supervisor::ready(&format!("serving {origin}"));
    let grace = config.server.shutdown_grace;
    let stop = async move {
        stop.await;
        supervisor::stopping(&format!("transfers in flight have {grace} to end"));
    };
    public.run(gateway, stop).await;
    telemetry.stranger_log.tell();
    tokio::task::spawn_blocking(move || audit.flush()).await.ok();
    if let Some(traces) = traces {
        traces.flush().await;
    }
    Ok(Outcome::Yes)
}
