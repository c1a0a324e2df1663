//! Opening the store, where a process that is ending may still hold it: after a restart the old one lets the downloads in flight end first.

use std::time::Duration;

use crate::{
    config::Config,
    server::supervisor,
    store::{DiskStore, OpenError},
    types::Span,
};

use super::Problem;

/// How often the lock is tried.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// What an old process needs besides the grace that its transfers have: to break off what is left, and to write its records.
const MARGIN: Span = Span::from_seconds(5);

/// Opens the store. Where another process has it, that one is waited for as long as it may take to end (`server.shutdown_grace` and some seconds).
/// `None`: this process was told to stop meanwhile.
pub(super) async fn open(
    config: &Config,
    stop: &mut (impl Future<Output = ()> + Unpin),
) -> Result<Option<DiskStore>, Problem> {
    let patience = config.server.shutdown_grace.duration() + MARGIN.duration();
    let open = || DiskStore::open(&config.storage, &config.buckets);
    let unlocked = async {
        let mut told = false;
        loop {
            match open() {
                Err(OpenError::Locked { path }) if !told => {
                    told = true;
                    let path = path.display();
                    let seconds = patience.as_secs();
                    tracing::warn!(
                        "{path} is locked by another process, which may be about to end: waiting for up to {seconds} s"
                    );
                    supervisor::status("waiting for the process before this one to end");
                }
                Err(OpenError::Locked { .. }) => {}
                opened => return opened,
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::select! {
        biased;
        () = stop => Ok(None),
        opened = tokio::time::timeout(patience, unlocked) => {
            // The last try says what is in the way.
            let store = opened.unwrap_or_else(|_| open())?;
            Ok(Some(store))
        }
    }
}
