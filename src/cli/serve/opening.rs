//! Opening the store, where a process that is ending may still hold it: after a restart the old one lets the downloads in flight end first.

use std::{thread, time::Duration};

use crate::{
    config::Config,
    server::supervisor,
    store::{DiskStore, OpenError},
    types::Span,
};

/// How often the lock is tried.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// What an old process needs besides the grace that its transfers have: to break off what is left, and to write its records.
const MARGIN: Span = Span::from_seconds(5);

/// Opens the store. Where another process has it, that one is waited for as long as it may take to end (`server.shutdown_grace` and some seconds). Nothing
/// else goes on in this process yet, so SIGTERM ends the waiting as it ends any program.
pub(super) fn open(config: &Config) -> Result<DiskStore, OpenError> {
    let patience = config.server.shutdown_grace.duration() + MARGIN.duration();
    let open = || DiskStore::open(&config.storage, &config.buckets);
    let mut told = false;
    for _ in 0..patience.as_millis() / LOOK_AGAIN.as_millis() {
        match open() {
            Err(OpenError::Locked { path }) if !told => {
                told = true;
                let (path, seconds) = (path.display(), patience.as_secs());
                tracing::warn!(
                    "{path} is locked by another process, which may be about to end: waiting for up to {seconds} s"
                );
                supervisor::status("waiting for the process before this one to end");
            }
            Err(OpenError::Locked { .. }) => {}
            opened => return opened,
        }
        thread::sleep(LOOK_AGAIN);
    }
    // The last try says what is in the way.
    open()
}
