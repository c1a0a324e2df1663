//! The process itself, as the system tells of it: under the names that every client library of Prometheus uses.
//! <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>

use std::fs;

use prometheus_client::registry::Registry;

use super::now::{gauge, gauge_f64};

/// What the system tells of this process; none where it does not (elsewhere than Linux it tells little).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    /// Processor time, of the program and of the kernel for it.
    pub cpu_seconds: Option<f64>,
    /// Memory that is in RAM.
    pub resident_bytes: Option<u64>,
    /// Memory that is addressed.
    pub virtual_bytes: Option<u64>,
    /// Descriptors in use.
    pub open_descriptors: Option<u64>,
    /// The most that it may have; none where there is no such bound.
    pub most_descriptors: Option<u64>,
}

impl Process {
    /// Asks the system. Reads files of `/proc`, one of which has a line for each descriptor: not for a thread that serves connections.
    pub fn measure() -> Self {
        let memory = fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let page = rustix::param::page_size() as u64;
        let mut pages = memory.split(' ').map(|field| field.parse::<u64>().ok());
        let bytes = |pages: Option<Option<u64>>| pages.flatten().map(|pages| pages.saturating_mul(page));
        let (virtual_bytes, resident_bytes) = (bytes(pages.next()), bytes(pages.next()));
        let open = fs::read_dir("/proc/self/fd").map(|listed| listed.count() as u64);
        Self {
            cpu_seconds: cpu_seconds(&fs::read_to_string("/proc/self/stat").unwrap_or_default()),
            resident_bytes,
            virtual_bytes,
            // One of them was there for the asking.
            open_descriptors: open.ok().map(|open| open.saturating_sub(1)),
            most_descriptors: rustix::process::getrlimit(rustix::process::Resource::Nofile).current,
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        if let Some(seconds) = self.cpu_seconds {
            let cpu = prometheus_client::metrics::counter::ConstCounter::new(seconds);
            registry.register(
                "process_cpu_seconds",
                "Processor time, of the program and of the kernel for it",
                cpu,
            );
        }
        for (name, help, value) in [
            (
                "process_resident_memory_bytes",
                "Memory that is in RAM",
                self.resident_bytes,
            ),
            (
                "process_virtual_memory_bytes",
                "Memory that is addressed",
                self.virtual_bytes,
            ),
            ("process_open_fds", "Descriptors in use", self.open_descriptors),
            (
                "process_max_fds",
                "The most descriptors that the process may have",
                self.most_descriptors,
            ),
        ] {
            if let Some(value) = value {
                gauge(registry, name, help, value);
            }
        }
    }
}

/// When the process began, in seconds since 1970.
pub(super) fn register_start(registry: &mut Registry, started: f64) {
    gauge_f64(
        registry,
        "process_start_time_seconds",
        "When the process began, in seconds since 1970",
        started,
    );
}

/// The 14th and 15th field, in ticks; the second one is a name in brackets that may hold anything.
/// <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, behind_name) = stat.rsplit_once(") ")?;
    let mut ticks = behind_name.split(' ').skip(11).map(str::parse::<u64>);
    let (user, system) = (ticks.next()?.ok()?, ticks.next()?.ok()?);
    Some(user.saturating_add(system) as f64 / rustix::param::clock_ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let behind = "S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0";
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        for name in ["postern", "a b", ") S 9 9", ""] {
            let stat = format!("42 ({name}) {behind}\n");
            assert_eq!(cpu_seconds(&stat), Some(300.0 / ticks), "{stat}");
        }
        for broken in [
            "",
            "42 (a)",
            "42 (a) S 1 2 3",
            "42 (a) S 1 2 3 4 5 6 7 8 9 10 x 50 0",
        ] {
            assert_eq!(cpu_seconds(broken), None, "{broken}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells_all_of_it() {
        let process = Process::measure();
        assert!(process.resident_bytes > Some(1_000_000), "{process:?}");
        assert!(process.virtual_bytes >= process.resident_bytes, "{process:?}");
        assert!(
            process.cpu_seconds.is_some() && process.open_descriptors > Some(2),
            "{process:?}"
        );
    }
}
