//! What whoever started this process is told: that it serves, reads its policy anew, or ends, and that it is alive. systemd's protocol; without
//! `NOTIFY_SOCKET` in the environment nothing is told.
//!
//! Source: <https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html>

use sd_notify::NotifyState;

/// Requests are answered from now on. `status` is a line for people, shown by `systemctl status`.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The policy is being read anew; [`ready`] follows.
pub fn reloading() {
    // systemd 253 and later wants to know when; where that cannot be told, the reload is not told of either.
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
}

/// Nothing new is accepted any more.
pub fn stopping(status: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

/// A line for people about a start that takes its time.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// Says again and again that this process is alive, where a watchdog wants to hear it (`WatchdogSec=`): twice in the time that it allows. It runs where
/// connections are accepted, so silence means that none would be. It asks for nothing that waits for a disk: one that stalls is no reason to be killed.
pub async fn keep_watchdog_content() {
    let Some(allowed) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut rounds = tokio::time::interval(allowed / 2);
    loop {
        rounds.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "whoever started postern cannot be told how it is (NOTIFY_SOCKET)");
    }
}
