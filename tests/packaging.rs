//! What a release is made with, as far as a test can run it.

use std::{path::Path, process::Command};

#[test]
fn what_a_profile_is_made_of_is_answered_as_it_must_be() {
    let train = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/profile-guided/train");
    let run = Command::new(train)
        .args([env!("CARGO_BIN_EXE_postern"), "--requests", "200"])
        .output();
    let Ok(run) = run.and_then(|run| match run.status.code() {
        // `env` finds no python3.
        Some(127) => Err(std::io::ErrorKind::NotFound.into()),
        _ => Ok(run),
    }) else {
        // No python3 here: a release is made elsewhere.
        return;
    };
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&run.stderr)
    );
    assert_eq!(said, "160 requests over plain HTTP\n40 requests over TLS\n");
}
