//! Refuses a configuration in which a file of the gateway lies where users choose names: below
//! `storage.root`, or below a folder that is a bucket. `serve` and `check` both ask.

use std::path::{Path, PathBuf};

use crate::{
    audit::To,
    config::Config,
    separation::{Overlap, UserFolders},
};

/// A file of the gateway that users could read, replace or rename.
#[derive(Debug, thiserror::Error)]
#[error("{what} {overlap}; {fix}")]
pub(super) struct NotSeparate {
    what: &'static str,
    overlap: Overlap,
    fix: &'static str,
}

/// Which files the gateway will use.
#[derive(Clone, Copy)]
pub(super) struct InUse {
    /// The policy file decides, so it may be written where it is missing.
    pub(super) policy: bool,
    /// Records go to a file.
    pub(super) trail: bool,
}

impl InUse {
    /// As `serve` uses them where the policy file decides, or keys were given.
    pub(super) fn of(config: &Config, policy: bool) -> Self {
        let trail = match config.audit.to {
            To::File => true,
            To::Auto => policy,
            To::Stdout | To::Off => false,
        };
        Self { policy, trail }
    }
}

const MOVE_CONFIG: &str = "move it to a folder that is not served";
const MOVE_POLICY: &str = "move it to a folder that is not served, and set policy.file";
const MOVE_TRAIL: &str = "set audit.file to a path in a folder that is not served";
const MOVE_TLS: &str = "move it to a folder that is not served, and set server.tls";
const MOVE_ROOT: &str = "set storage.root, or the bucket's path, to a folder elsewhere";
const SERVE_ANOTHER: &str = "move it, or serve another folder";

/// The folders whose file names users choose.
pub(super) fn user_folders(config: &Config) -> UserFolders {
    let buckets = config.buckets.iter();
    let buckets = buckets.map(|bucket| (bucket.name.as_str(), bucket.path.as_path()));
    UserFolders::new(&config.storage.root, buckets)
}

/// Checks every file that the configuration names. The files that the policy refers to are checked
/// where the policy is read, also when it is read again.
pub(super) fn check(config: &Config, config_file: Option<&Path>, in_use: InUse) -> Result<(), NotSeparate> {
    let folders = user_folders(config);
    let apart = |what, file: &Path, fix| refuse(what, folders.overlap(file), fix);
    if let Some(file) = config_file {
        apart("the configuration file", file, MOVE_CONFIG)?;
    }
    let policy = &config.policy.file;
    if in_use.policy || policy.symlink_metadata().is_ok() {
        apart("the policy file", policy, MOVE_POLICY)?;
    }
    if let Some(tls) = &config.server.tls {
        let further = tls.further.iter();
        let further = further.flat_map(|files| [&files.certificate, &files.private_key]);
        for file in [&tls.certificate, &tls.private_key].into_iter().chain(further) {
            apart("the TLS file", file, MOVE_TLS)?;
        }
    }
    if in_use.trail {
        for file in config.audit.files() {
            apart("the audit trail", &file, MOVE_TRAIL)?;
            refuse("the audit trail", folders.rotated_over(&file), MOVE_TRAIL)?;
        }
    }
    let in_a_bucket = folders.buckets().overlap(&config.storage.root);
    refuse("storage.root:", in_a_bucket, MOVE_ROOT)
}

/// Checks a folder that the command line has served as a bucket. A configuration or a policy that
/// lies there by its usual name would be an object, though this process does not use it.
pub(super) fn check_folder(name: &str, folder: &Path) -> Result<(), NotSeparate> {
    let bucket = UserFolders::of_bucket(name, folder);
    for place in [Path::new(""), folder] {
        let config_file = place.join(super::DEFAULT_CONFIG);
        let mut files: Vec<(&'static str, PathBuf)> = vec![("the policy file", place.join("policy.toml"))];
        // A file of this name that is no configuration of ours is somebody's object.
        if let Ok(config) = Config::load(Some(&config_file), []) {
            files.push(("the policy file", config.policy.file));
            files.push(("the configuration file", config_file));
            if let Some(tls) = config.server.tls {
                files.push(("the TLS file", tls.private_key));
            }
        }
        for (what, file) in files {
            if file.symlink_metadata().is_ok() {
                refuse(what, bucket.overlap(&file), SERVE_ANOTHER)?;
            }
        }
    }
    Ok(())
}

fn refuse(what: &'static str, overlap: Option<Overlap>, fix: &'static str) -> Result<(), NotSeparate> {
    match overlap {
        Some(overlap) => Err(NotSeparate { what, overlap, fix }),
        None => Ok(()),
    }
}
