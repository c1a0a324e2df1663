//! Keys are in this process's memory; nobody but the system's administrator is to find them in a dump of it.

use rustix::{
    io,
    process::{Resource, Rlimit, setrlimit},
};

/// From here on a crash leaves no core file, and another process of the same user can neither trace this one nor read its memory (Linux:
/// `PR_SET_DUMPABLE` 0, see prctl(2); its files in /proc are root's then).
pub fn keep_memory_private() -> io::Result<()> {
    setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}
