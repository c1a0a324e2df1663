//! `postern put`: uploads a file, or standard input.

use std::{
    fs::File,
    io::{self, Seek, SeekFrom},
    path::Path,
};

use crate::types::{ObjectKey, printable};

use super::{
    Cli, Outcome, Problem,
    client::{self, Call, ClientArgs, progress::Progress, transfer},
    s3_url::S3Url,
};

/// What S3 calls bytes of which nothing is known.
const UNKNOWN_TYPE: &str = "binary/octet-stream";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A file, or - for standard input (which is kept in a temporary file until its length is known)
    file: String,
    /// s3://BUCKET/KEY, or s3://BUCKET/PREFIX/ to put the file's name behind it
    #[arg(value_name = "S3URL", value_parser = S3Url::parse)]
    to: S3Url,
    /// Without it, guessed from the name
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) fn run(cli: &Cli, args: &Args) -> Result<Outcome, Problem> {
    let key = key(&args.file, &args.to)?;
    let guessed = || {
        let named = [key.as_str(), &args.file];
        let guess = named
            .iter()
            .find_map(|name| mime_guess::from_path(name).first_raw());
        guess.unwrap_or(UNKNOWN_TYPE).to_owned()
    };
    let content_type = args.content_type.clone().unwrap_or_else(guessed);
    let headers = [("content-type".to_owned(), content_type)];
    client::run(cli, &args.client, async |client| {
        let (file, length) = open(&args.file).await?;
        let call = Call {
            bucket: Some(&args.to.bucket),
            key: Some(&key),
            headers: &headers,
            query: &[],
        };
        let progress = Progress::new(key.as_str(), Some(length));
        transfer::upload(&client, call, file.into(), length, progress).await?;
        println!("put s3://{}/{}", args.to.bucket, printable(key.as_str()));
        Ok(Outcome::Yes)
    })
}

/// The key: as it is given, with the file's name behind it where it is a prefix.
fn key(file: &str, to: &S3Url) -> Result<ObjectKey, Problem> {
    let given = to.rest.as_deref().unwrap_or_default();
    if !given.is_empty() && !given.ends_with('/') {
        return Ok(ObjectKey::parse(given)?);
    }
    if file == "-" {
        return Err("standard input has no name: which key is meant? s3://BUCKET/KEY".into());
    }
    let name = Path::new(file).file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| format!("{file}: names no file; which key is meant? s3://BUCKET/KEY"))?;
    Ok(ObjectKey::parse(&format!("{given}{name}"))?)
}

/// A file from its beginning, and its length.
async fn open(file: &str) -> Result<(File, u64), Problem> {
    let path = file.to_owned();
    let opened = tokio::task::spawn_blocking(move || {
        if path == "-" {
            let mut spooled = tempfile::tempfile()?;
            let length = io::copy(&mut io::stdin().lock(), &mut spooled)?;
            spooled.seek(SeekFrom::Start(0))?;
            return Ok((spooled, length));
        }
        let metadata = std::fs::metadata(&path)?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let mut source = File::open(&path)?;
        if metadata.is_file() {
            return Ok((source, metadata.len()));
        }
        // A pipe or a device has no length either.
        let mut spooled = tempfile::tempfile()?;
        let length = io::copy(&mut source, &mut spooled)?;
        spooled.seek(SeekFrom::Start(0))?;
        Ok((spooled, length))
    });
    Ok(opened
        .await?
        .map_err(|error: io::Error| format!("{file}: cannot be read: {error}"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_takes_the_files_name_behind_it() {
        for (file, to, expected) in [
            ("/tmp/a.txt", "s3://films/x", Some("x")),
            ("/tmp/a.txt", "s3://films/x/", Some("x/a.txt")),
            ("/tmp/a.txt", "s3://films/", Some("a.txt")),
            ("a.txt", "s3://films", Some("a.txt")),
            ("-", "s3://films/x", Some("x")),
            ("-", "s3://films/x/", None),
            ("..", "s3://films/", None),
        ] {
            let found = key(file, &S3Url::parse(to).unwrap()).ok();
            assert_eq!(found.as_ref().map(ObjectKey::as_str), expected, "{file} {to}");
        }
    }
}
