//! What goes on besides serving: files taken anew on SIGHUP, uploads in parts aborted that nobody ends.

use crate::{
    audit::{self, Audit},
    clock::Clock,
    gateway::StrangerLog,
    live::Live,
    server::{self, Certificates, supervisor},
    store::{DiskStore, Removed, StoreError},
    types::Span,
};

/// How often uploads in parts that nobody ends are looked for.
const SWEEP: Span = Span::from_seconds(60 * 60);
/// How long a new policy is waited for after SIGHUP before the reload is called done.
const RELOAD: Span = Span::from_seconds(1);

/// Aborts uploads in parts that nobody ends, now and every hour; more often where they may live for less.
pub(super) async fn abort_stale_uploads(store: DiskStore, clock: Clock, after: Span) {
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

/// Removes what killed processes and failing disks leave in the store, now and every so often.
pub(super) async fn keep_house(store: DiskStore, leftover_for: Span) {
    let mut rounds = tokio::time::interval(leftover_for.duration());
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        match store.keep_house(leftover_for.duration()).await {
            Ok(removed) if removed == Removed::default() => {}
            Ok(removed) => tracing::info!(
                temporary = removed.temporary,
                records = removed.records,
                folders = removed.folders,
                "removed what was left over in the store"
            ),
            // The look at each folder tells of it.
            Err(StoreError::OutOfService(_) | StoreError::Stalled { .. }) => {}
            Err(error) => tracing::warn!(%error, "cannot look for what is left over in the store"),
        }
    }
}

/// Tells once a second how many requests of strangers have no line of their own in the log.
pub(super) async fn tell_of_strangers(log: StrangerLog) {
    let mut rounds = tokio::time::interval(audit::WINDOW);
    loop {
        rounds.tick().await;
        log.tell();
    }
}

/// SIGHUP: take the policy and the certificates as they stand, and let go of an audit file that was moved away.
pub(super) fn on_hangup(
    policy: Live,
    audit: Audit,
    certificates: Option<Certificates>,
) -> std::io::Result<()> {
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
