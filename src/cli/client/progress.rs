//! The bar of a long transfer: on a terminal only, and only once the transfer has taken a second.

use std::{
    io::{IsTerminal, stderr},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::types::printable;

/// How long a transfer may take before it is worth a bar.
const PATIENCE: Duration = Duration::from_secs(1);
const KNOWN: &str = "{msg} [{bar:32}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
const UNKNOWN: &str = "{msg} {spinner} {bytes} {bytes_per_sec}";

/// Counts bytes. It vanishes when it is dropped.
pub(in crate::cli) struct Progress {
    bar: ProgressBar,
    shown: bool,
    wanted: bool,
}

impl Progress {
    /// Begins to count towards `total` bytes, where that is known.
    pub(in crate::cli) fn new(name: &str, total: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template(if total.is_some() { KNOWN } else { UNKNOWN });
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_message(printable(name).into_owned());
        Self {
            bar,
            shown: false,
            wanted: stderr().is_terminal(),
        }
    }

    /// So many more bytes have passed.
    pub(in crate::cli) fn add(&mut self, bytes: usize) {
        self.bar.inc(bytes as u64);
        if self.wanted && !self.shown && self.bar.elapsed() >= PATIENCE {
            self.shown = true;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
