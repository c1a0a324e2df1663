//! What `serve` may open from here on: the folders that its configuration and its policy name.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{
    audit,
    config::Config,
    confine::{self, Confined, Mode, Places},
    live::Live,
};

use super::super::Problem;

/// What the system's own libraries read while names are looked up (`listen = "localhost:9000"`), processors counted and modules loaded. Nothing
/// secret is in any of it.
const SYSTEM: &[&str] = &[
    "/proc",
    "/sys/fs/cgroup",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/usr/lib",
    "/lib",
    "/lib64",
];

/// Whom the system trusts, for a collector of traces that is reached over HTTPS.
const TRUSTED: &[&str] = &[
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/pki/tls",
    "/etc/pki/ca-trust",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
];

/// Confines this process, which must have one thread still, and says how far.
pub(super) fn enter(
    config: &Config,
    policy: &Live,
    seed: Option<&Path>,
    scratch: Option<&TempDir>,
) -> Result<(), Problem> {
    let places = places(config, policy, seed, scratch);
    if config.confine.mode == Mode::Off {
        tracing::info!("not confined to the configured folders: server.confine is \"off\"");
        return Ok(());
    }
    for missing in places.read.iter().chain(&places.write) {
        let named = !SYSTEM
            .iter()
            .chain(TRUSTED)
            .any(|system| missing == Path::new(system));
        if named && !missing.exists() {
            tracing::warn!(
                "{} is not there: once it is, postern must be restarted to open it, because of server.confine",
                missing.display()
            );
        }
    }
    let folders = config.buckets.iter().map(|bucket| &bucket.path);
    for folder in folders.chain([&config.storage.root]) {
        if let Some(parent) = mounted_in(folder)
            && !config
                .confine
                .also_write
                .iter()
                .any(|place| parent.starts_with(place))
        {
            tracing::info!(
                "{} is a mount point: after it was mounted anew postern must be restarted, unless server.confine_also_write lists {}",
                folder.display(),
                parent.display()
            );
        }
    }
    match confine::enter(config.confine.mode, &places)? {
        Confined::Wholly => tracing::debug!(?places, "confined by Landlock"),
        Confined::Partly => tracing::debug!(?places, "confined by Landlock, as far as this kernel can"),
        Confined::No(reason) => tracing::info!("not confined to the configured folders: {reason}"),
    }
    Ok(())
}

fn places(config: &Config, policy: &Live, seed: Option<&Path>, scratch: Option<&TempDir>) -> Places {
    let mut read: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
    let mut write = vec![config.storage.root.clone()];
    write.extend(config.buckets.iter().map(|bucket| bucket.path.clone()));
    policy.files().iter().for_each(|file| read.extend(around(file)));
    if let Some(tls) = &config.server.tls {
        read.extend(around(&tls.certificate));
        read.extend(around(&tls.private_key));
        for files in &tls.further {
            read.extend(around(&files.certificate));
            read.extend(around(&files.private_key));
        }
    }
    if matches!(config.audit.to, audit::To::File | audit::To::Auto) {
        write.extend(around(&config.audit.file));
    }
    let connect = config.traces.port();
    if connect.is_some() {
        read.extend(TRUSTED.iter().map(PathBuf::from));
    }
    read.extend(seed.map(Path::to_owned));
    read.extend(config.confine.also_read.iter().cloned());
    write.extend(config.confine.also_write.iter().cloned());
    let remove = scratch.and_then(|scratch| scratch.path().parent());
    Places {
        read,
        write,
        remove: remove.map(Path::to_owned).into_iter().collect(),
        connect,
    }
}

/// The folder that another file system is mounted in at this one.
fn mounted_in(folder: &Path) -> Option<PathBuf> {
    let real = folder.canonicalize().ok()?;
    let parent = real.parent()?;
    let device = |folder: &Path| folder.metadata().ok().map(|found| found.dev());
    (device(&real)? != device(parent)?).then(|| parent.to_owned())
}

/// The folder that a file is named in, where its successor will be put, and the one that a symlink leads to, as certbot's and Kubernetes's do.
fn around(file: &Path) -> impl Iterator<Item = PathBuf> {
    let folder = |file: &Path| match file.parent() {
        Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
        Some(folder) => folder.to_owned(),
        None => file.to_owned(),
    };
    let (named, real) = (folder(file), file.canonicalize().ok().as_deref().map(folder));
    let elsewhere = real.filter(|real| named.canonicalize().is_ok_and(|named| !real.starts_with(named)));
    std::iter::once(named).chain(elsewhere)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn a_file_opens_its_folder_and_the_one_that_it_is_linked_to() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        for folder in ["live", "archive", "live/..2026"] {
            fs::create_dir_all(home.join(folder)).unwrap();
        }
        fs::write(home.join("archive/cert3.pem"), "").unwrap();
        fs::write(home.join("live/..2026/policy.toml"), "").unwrap();
        symlink("../archive/cert3.pem", home.join("live/cert.pem")).unwrap();
        symlink("..2026/policy.toml", home.join("live/policy.toml")).unwrap();
        let around = |name: &str| around(&home.join(name)).collect::<Vec<_>>();
        assert_eq!(around("live/cert.pem"), [home.join("live"), home.join("archive")]);
        assert_eq!(around("live/policy.toml"), [home.join("live")]);
        assert_eq!(around("archive/new.pem"), [home.join("archive")]);
    }
}
