//! `postern serve`: runs the gateway until it is told to stop.

use std::net::SocketAddr;

use http::Method;

use crate::{
    clock::Clock,
    config::Config,
    gateway::Gateway,
    live::{self, Live},
    server::{self, AdminListener, PublicListener, Readiness},
    sigv4::{self, AddressingStyle, Endpoint, SignRequest},
    store::{DiskStore, Store},
    types::{Action, BucketName, ObjectKey, Resource, Scheme, Span},
};

use super::{Cli, Outcome, Problem, logging};

/// What the sample link opens.
const SAMPLE_KEY: &str = "test.txt";
/// How long the printed sample link lives.
const SAMPLE_EXPIRES: Span = Span::from_seconds(15 * 60);

pub(super) fn run(cli: &Cli) -> Result<Outcome, Problem> {
    let config = cli.config()?;
    logging::start(&config.log);
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(serve(config))
}

async fn serve(config: Config) -> Result<Outcome, Problem> {
    let stop = server::termination()?;
    if let Some(fresh) = live::fresh::write_where_missing(&config.policy.file)? {
        println!(
            "wrote {} with a fresh key for the signer {:?}",
            fresh.path.display(),
            fresh.signer
        );
    }
    let clock = Clock::system();
    let (policy, warnings) = Live::load(config.policy.clone(), clock.clone())?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let store = DiskStore::open(&config.storage, &config.buckets)?;
    let public = PublicListener::bind(&config.server).await?;
    let admin = AdminListener::bind(&config.admin).await?;
    let _watcher = policy.watch()?;
    reload_on_hangup(policy.clone())?;

    let origin = origin(public.scheme(), public.address());
    println!("postern listens on {origin}");
    println!("admin listens on http://{}", admin.address());
    if let Some(link) = sample_link(&origin, &policy, &clock, &config, &store).await {
        println!("try it: {link}");
    }
    let status = policy.clone();
    tokio::spawn(admin.run(move || readiness(&status)));
    let gateway = Gateway::new(store, policy, clock, config.verdict);
    public.run(gateway, stop).await;
    Ok(Outcome::Yes)
}

fn reload_on_hangup(policy: Live) -> std::io::Result<()> {
    let mut hangup = server::reload_signals()?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            policy.reload_now();
        }
    });
    Ok(())
}

fn readiness(policy: &Live) -> Readiness {
    let status = policy.status();
    Readiness {
        ready: !status.denying_all,
        generation: status.generation,
        digest: status.digest,
        loaded_at: status
            .loaded_at
            .format(&time::format_description::well_known::Rfc3339)
            .unwrap_or_default(),
        problem: status.problem,
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
            .evaluate(signer, Action::GetObject, resource)
            .is_allowed()
    };
    let signer = snapshot.signers().find(may)?;
    let access = snapshot.keys_of(signer).next()?;
    let region = config.verdict.regions.first()?;
    let request = SignRequest {
        method: &Method::GET,
        endpoint: &Endpoint::parse(origin).ok()?,
        style: AddressingStyle::Path,
        bucket: &bucket,
        key: Some(&key),
        headers: &[],
        query: &[],
        session_token: None,
    };
    let expires = SAMPLE_EXPIRES.min(config.verdict.max_expires);
    let (id, secret) = (access.access_key_id(), access.secret_access_key());
    sigv4::presign(&request, id, secret, region, clock.now(), expires)
        .ok()
        .map(sigv4::SignedUrl::into_string)
}
