//! The signals that a process is told things by.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ends when the process is told to stop: SIGTERM, or SIGINT from a terminal. The handlers are in place when this returns.
pub fn termination() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// SIGHUP: look at the policy file now.
pub fn reload_signals() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}
