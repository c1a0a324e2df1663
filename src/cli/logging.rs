//! The log: text or JSON on standard error. Only postern's own lines are ever more than warnings: HTTP and TLS libraries print heads, and with
//! them links, when they are asked for details.

use std::io;

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::config::{LogFormat, LogLevel, LogSettings};

/// Starts the log of this process.
pub(super) fn start(settings: &LogSettings) {
    let registry = tracing_subscriber::registry().with(targets(settings.level));
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    // A second start, as in a test, leaves the first log as it is.
    _ = match settings.format {
        LogFormat::Text => registry
            .with(layer.with_ansi(io::IsTerminal::is_terminal(&io::stderr())))
            .try_init(),
        LogFormat::Json => registry.with(layer.json()).try_init(),
    };
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
