//! `postern get`: downloads an object. The file appears whole or not at all: bytes go into a temporary file beside it, which is renamed
//! once the last one has come. A file that is there is replaced, as by `aws s3 cp`.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use http::{Method, Response};
use hyper::body::Incoming;
use tempfile::NamedTempFile;

use crate::types::printable;

use super::{
    Cli, Outcome, Problem,
    client::{
        self, Call, ClientArgs, S3Client,
        progress::Progress,
        transfer::{self, Written},
    },
    s3_url::S3Url,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// s3://BUCKET/KEY
    #[arg(value_name = "S3URL", value_parser = S3Url::parse)]
    from: S3Url,
    /// A file (replaced if it is there), a folder, or - for standard output; without it, the key's last part in this folder
    #[arg(value_name = "FILE")]
    to: Option<String>,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) fn run(cli: &Cli, args: &Args) -> Result<Outcome, Problem> {
    let key = args.from.object()?;
    let to = match args.to.as_deref() {
        Some("-") => None,
        given => Some(target(given, key.as_str())?),
    };
    client::run(cli, &args.client, async |client| {
        let call = Call {
            bucket: Some(&args.from.bucket),
            key: Some(&key),
            ..Call::default()
        };
        let response = client.send(Method::GET, call).await?;
        let progress = Progress::new(key.as_str(), transfer::length(&response));
        let Some(to) = &to else {
            let written = transfer::download(&client, response, &mut tokio::io::stdout(), progress).await?;
            return match written {
                Written::Whole => Ok(Outcome::Yes),
                // `postern get … - | head`
                Written::Not(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Outcome::Yes),
                Written::Not(error) => Err(format!("standard output: {error}").into()),
            };
        };
        save(&client, response, to, progress).await?;
        println!("got {}", printable(&to.display().to_string()));
        Ok(Outcome::Yes)
    })
}

/// The file to write. A key names a file here only by its last part, which is never `..`.
fn target(given: Option<&str>, key: &str) -> Result<PathBuf, Problem> {
    let folder = match given {
        Some(file) if !Path::new(file).is_dir() && !file.ends_with('/') => return Ok(PathBuf::from(file)),
        Some(folder) => Path::new(folder),
        None => Path::new(""),
    };
    let name = key.rsplit('/').next().unwrap_or_default();
    if matches!(name, "" | "." | "..") || name.contains('\0') {
        return Err(format!("the key {key:?} ends in no file name: give a FILE").into());
    }
    Ok(folder.join(name))
}

async fn save(
    client: &S3Client,
    response: Response<Incoming>,
    to: &Path,
    progress: Progress,
) -> Result<(), Problem> {
    let shown = to.display().to_string();
    let failed = |error: io::Error| format!("{}: cannot be written: {error}", printable(&shown));
    // A symlink stays, and what it leads to is replaced.
    let real = fs::canonicalize(to).unwrap_or_else(|_| to.to_owned());
    if fs::metadata(&real).is_ok_and(|found| !found.is_file()) {
        // A pipe or a device, such as /dev/null, is written into.
        let mut opened = tokio::fs::OpenOptions::new()
            .write(true)
            .open(&real)
            .await
            .map_err(failed)?;
        return whole(transfer::download(client, response, &mut opened, progress).await?)
            .map_err(|error| failed(error).into());
    }
    let folder = real
        .parent()
        .filter(|folder| *folder != Path::new(""))
        .unwrap_or(Path::new("."));
    let temporary = create_beside(folder, fs::metadata(&real).ok().as_ref()).map_err(failed)?;
    let mut file = tokio::fs::File::from_std(temporary.reopen().map_err(failed)?);
    whole(transfer::download(client, response, &mut file, progress).await?).map_err(failed)?;
    temporary.persist(&real).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Creates the temporary file. It is never more open than the file that it will replace. Where it
/// replaces none, the umask decides, as for any new file.
fn create_beside(folder: &Path, replaced: Option<&fs::Metadata>) -> io::Result<NamedTempFile> {
    let mode = if replaced.is_some() { 0o600 } else { 0o666 };
    let temporary = tempfile::Builder::new()
        .prefix(".postern-")
        .suffix(".part")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder)?;
    if let Some(replaced) = replaced {
        temporary.as_file().set_permissions(replaced.permissions())?;
    }
    Ok(temporary)
}

fn whole(written: Written) -> io::Result<()> {
    match written {
        Written::Whole => Ok(()),
        Written::Not(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_a_file_by_its_last_part_and_never_one_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().to_str().unwrap();
        for (given, key, expected) in [
            (None, "a/b.txt", Some("b.txt".to_owned())),
            (Some("x"), "a/b.txt", Some("x".to_owned())),
            (Some(folder), "a/b.txt", Some(format!("{folder}/b.txt"))),
            (Some("x/"), "a/b.txt", Some("x/b.txt".to_owned())),
            (None, "a/..", None),
            (None, "a/", None),
            (Some(folder), "..", None),
            (Some("x"), "a/..", Some("x".to_owned())),
        ] {
            let found = target(given, key).ok();
            assert_eq!(found, expected.map(PathBuf::from), "{given:?} {key}");
        }
    }
}
