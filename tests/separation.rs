//! No file of the gateway lies where users choose names: `serve` and `check` refuse such a
//! configuration, name both paths, and say what to do.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// Runs the program in a folder, and gives the exit code and all that it printed. A gateway that
/// starts after all is stopped.
fn run(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new("timeout")
        .arg("20")
        .arg(env!("CARGO_BIN_EXE_postern"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("POSTERN_SERVER__LISTEN", "127.0.0.1:0")
        .env("POSTERN_ADMIN__LISTEN", "127.0.0.1:0")
        .env("TMPDIR", std::env::temp_dir())
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// A folder with what `postern init` makes, and more text in its configuration.
fn home(more: &str) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let (code, said) = run(home.path(), &[], &["init"]);
    assert_eq!(code, Some(0), "{said}");
    let config = home.path().join("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text + more).unwrap();
    home
}

/// Both commands refuse, and say each of these.
fn refused(home: &Path, variables: &[(&str, &str)], says: &[&str]) {
    for (command, expected) in [("check", 1), ("serve", 2)] {
        let (code, said) = run(home, variables, &[command]);
        assert_eq!(code, Some(expected), "{command}: {said}");
        for says in says {
            assert!(said.contains(says), "{command}: {said} should say {says:?}");
        }
    }
}

#[test]
fn files_of_the_gateway_below_a_bucket_are_refused() {
    let here = home("\n[[bucket]]\nname = 'here'\npath = '.'\n");
    let path = here.path().canonicalize().unwrap();
    let bucket = format!("the bucket \"here\" ({}", path.display());
    let both = [
        "the configuration file ",
        "config.toml lies below the folder of ",
        &bucket,
        "; move it to a folder that is not served",
    ];
    refused(here.path(), &[], &both);

    let home = home("");
    let path = |name: &str| home.path().join(name).display().to_string();
    fs::create_dir_all(home.path().join("served/x")).unwrap();
    let served = format!("({})", path("served"));
    let root = ("POSTERN_STORAGE__ROOT", "served");
    for (key, value, what) in [
        ("POSTERN_POLICY__FILE", "served/policy.toml", "the policy file "),
        ("POSTERN_AUDIT__FILE", "served/audit.jsonl", "the audit trail "),
    ] {
        let says = [what, &path(value), "storage.root ", &served];
        refused(home.path(), &[root, (key, value)], &says);
    }
    let tls = [
        root,
        ("POSTERN_SERVER__TLS__CERTIFICATE", "cert.pem"),
        ("POSTERN_SERVER__TLS__PRIVATE_KEY", "served/x/key.pem"),
    ];
    refused(home.path(), &tls, &["the TLS file ", "set server.tls"]);
    refused(
        home.path(),
        &[("POSTERN_STORAGE__ROOT", "audit.jsonl.7")],
        &["would be rotated to the name of ", "set audit.file"],
    );
}

#[test]
fn a_symlink_into_a_bucket_is_refused_and_so_is_a_document() {
    let home = home("");
    let data = home.path().join("data/files");
    fs::rename(home.path().join("policy.toml"), data.join("p.toml")).unwrap();
    symlink("data/files/p.toml", home.path().join("policy.toml")).unwrap();
    refused(
        home.path(),
        &[],
        &["policy.toml (which leads to ", "set policy.file"],
    );

    fs::remove_file(home.path().join("policy.toml")).unwrap();
    let policy = fs::read_to_string(data.join("p.toml")).unwrap();
    let secret = policy.lines().find(|line| line.starts_with("secret_access_key"));
    let in_a_file = "secret_access_key_file = 'data/files/secret'";
    fs::write(data.join("secret"), "hush").unwrap();
    let policy = policy.replace(secret.unwrap(), in_a_file);
    fs::write(home.path().join("policy.toml"), policy).unwrap();
    refused(
        home.path(),
        &[],
        &["data/files/secret lies below storage.root", "move it elsewhere"],
    );
}

#[test]
fn a_folder_with_a_policy_is_not_served_as_a_bucket() {
    let home = home("");
    let folder = home.path().display().to_string();
    for (place, argument) in [(home.path(), "."), (Path::new("/"), folder.as_str())] {
        let (code, said) = run(place, &[], &["serve", argument, "--bucket", "here"]);
        assert_eq!(code, Some(2), "{said}");
        for says in [
            "policy.toml lies below",
            "the bucket \"here\"",
            "serve another folder",
        ] {
            assert!(said.contains(says), "{said}");
        }
    }
    // The store's own folder must not be an object of the bucket either.
    let place = tempfile::tempdir().unwrap();
    let path = place.path().display().to_string();
    let variables = [("TMPDIR", path.as_str())];
    let (code, said) = run(Path::new("/"), &variables, &["serve", &path, "--bucket", "here"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("storage.root: ") && said.contains(&path), "{said}");
}

#[test]
fn the_shipped_layouts_are_accepted() {
    let home = home("");
    let (code, said) = run(home.path(), &[], &["check", "--strict"]);
    assert_eq!(code, Some(0), "{said}");
}
