//! Every file that the program creates names its permissions where it creates it. A `chmod` that
//! comes later leaves a moment in which any user of the machine can open the file.

use std::path::Path;

use crate::layers::{program_lines, sources};

/// Calls that create files with whatever permissions the umask leaves.
const WITHOUT_A_MODE: &[&str] = &[
    "fs::write(",
    "File::create(",
    "File::create_new(",
    "fs::copy(",
    "UnixListener::bind(",
    "UnixDatagram::bind(",
];

/// Files that hold no secret, and whose permissions are the umask's.
const PUBLIC: &[(&str, &str)] = &[("store/disk/folding.rs", "an empty file that is gone at once")];

/// Where permissions change after the creation: never from more to less.
const CHANGED_LATER: &[(&str, &str)] = &[
    (
        "live/save.rs",
        "from 0600 to those of the old policy, while it is empty",
    ),
    (
        "cli/get.rs",
        "from 0600 to those of the replaced file, while it is empty",
    ),
];

fn is_listed(path: &Path, list: &[(&str, &str)]) -> bool {
    list.iter().any(|(end, _)| path.ends_with(end))
}

/// The faults of one source file.
fn faults(path: &Path, program: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for call in WITHOUT_A_MODE {
        if program.contains(call) {
            faults.push(format!("{}: {call}…) names no mode", path.display()));
        }
    }
    for rest in program.split("OpenOptions::new()").skip(1) {
        let statement = rest.split(".open(").next().unwrap_or(rest);
        let creates = statement.contains("create(true)") || statement.contains("create_new(true)");
        if creates && !statement.contains(".mode(") && !is_listed(path, PUBLIC) {
            faults.push(format!("{}: OpenOptions without .mode()", path.display()));
        }
    }
    if program.contains("set_permissions(") && !is_listed(path, CHANGED_LATER) {
        faults.push(format!(
            "{}: set_permissions() after the creation",
            path.display()
        ));
    }
    faults
}

#[test]
fn every_created_file_names_its_mode_at_creation() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let found: Vec<_> = sources(&folder)
        .iter()
        .filter(|path| !path.ends_with("tests.rs") && !path.components().any(|c| c.as_os_str() == "tests"))
        .flat_map(|path| faults(path, &program_lines(path)))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_file_created_without_a_mode_is_noticed() {
    let path = Path::new("src/x.rs");
    for (program, count) in [
        ("OpenOptions::new().write(true).create_new(true).open(p)", 1),
        (
            "OpenOptions::new().write(true).create_new(true).mode(0o600).open(p)",
            0,
        ),
        ("OpenOptions::new().read(true).open(p)", 0),
        ("fs::write(p, secret)", 1),
        ("File::create(p)", 1),
        ("fs::set_permissions(p, narrow)", 1),
    ] {
        assert_eq!(faults(path, program).len(), count, "{program}");
    }
}
