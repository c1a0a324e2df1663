//! The log: text or JSON on standard error. Only postern's own lines are ever more than warnings: HTTP and TLS libraries print heads, and with
//! them links, when they are asked for details.

use std::{
    io::{self, BufWriter, Write},
    sync::{Arc, OnceLock},
};

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt::MakeWriter,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::config::{LogFormat, LogLevel, LogSettings};

/// How many lines may wait while standard error takes none: some MiB.
const LONGEST_QUEUE: usize = 16_384;

/// The log of this process. A copy is another handle on the same.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<OnceLock<NonBlocking>>);

/// Where one line goes.
pub(super) enum Line {
    /// To standard error at once.
    AtOnce(io::Stderr),
    /// To the thread that writes.
    Queued(NonBlocking),
}

impl Log {
    /// From here on a thread of its own writes lines, so that no connection waits for a disk that is full of work, or for a reader that stopped reading.
    /// What waits is written when what comes out is dropped. Lines that find no room are lost, and counted.
    pub(super) fn in_background(&self) -> WorkerGuard {
        let (writer, guard) = NonBlockingBuilder::default()
            .lossy(true)
            .buffered_lines_limit(LONGEST_QUEUE)
            .thread_name("log")
            .finish(BufWriter::new(io::stderr()));
        _ = self.0.set(writer);
        guard
    }

    /// How many lines were lost.
    pub(super) fn lost(&self) -> u64 {
        let lost = self.0.get().map(|writer| writer.error_counter().dropped_lines());
        lost.map_or(0, |lost| u64::try_from(lost).unwrap_or(u64::MAX))
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        match self.0.get() {
            Some(writer) => Line::Queued(writer.clone()),
            None => Line::AtOnce(io::stderr()),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::AtOnce(stderr) => stderr.write(bytes),
            Self::Queued(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::AtOnce(stderr) => stderr.flush(),
            Self::Queued(writer) => writer.flush(),
        }
    }
}

/// Starts the log of this process. Lines are written at once until [`Log::in_background`].
pub(super) fn start(settings: &LogSettings) -> Log {
    let log = Log::default();
    let registry = tracing_subscriber::registry().with(targets(settings.level));
    let layer = tracing_subscriber::fmt::layer().with_writer(log.clone());
    // A second start, as in a test, leaves the first log as it is.
    _ = match settings.format {
        LogFormat::Text => registry
            .with(layer.with_ansi(io::IsTerminal::is_terminal(&io::stderr())))
            .try_init(),
        LogFormat::Json => registry.with(layer.json()).try_init(),
    };
    log
}

fn targets(level: LogLevel) -> Targets {
    let own = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new()
        .with_target("postern", own)
        .with_default(LevelFilter::WARN.min(own))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn at_no_level_do_http_and_tls_libraries_print_heads() {
        for level in [
            LogLevel::Error,
            LogLevel::Warn,
            LogLevel::Info,
            LogLevel::Debug,
            LogLevel::Trace,
        ] {
            for library in [
                "h2",
                "h2::codec::framed_write",
                "hyper::proto",
                "hyper_util",
                "rustls::server",
                "tokio",
                "notify",
            ] {
                for detail in [Level::INFO, Level::DEBUG, Level::TRACE] {
                    assert!(
                        !targets(level).would_enable(library, &detail),
                        "{library} {detail} {level:?}"
                    );
                }
            }
        }
        assert!(targets(LogLevel::Trace).would_enable("postern::server", &Level::TRACE));
    }
}
