//! `postern init`: a folder to start from. In it come a commented `config.toml`, a `policy.toml` with fresh keys, and the folder for the objects. Nothing that
//! is there is written over.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use serde_json::json;
use toml_edit::{Array, DocumentMut, Value};

use crate::{
    config::Config,
    live::fresh,
    obstacle::{Obstacle, Wanted},
    types::BucketName,
};

use super::{DEFAULT_CONFIG, Outcome, Problem};

/// The shipped configuration: every key with its default, and what it means.
const SHIPPED: &str = include_str!("../../config.toml");
/// The operator and those of the same group may read it; there is no secret in it.
const CONFIG_MODE: u32 = 0o640;
/// Objects are nobody's business who does not ask postern for them.
const DATA_MODE: u32 = 0o750;

/// Writes config.toml (mode 0640) and policy.toml (mode 0600) and makes the bucket's folder. Where one of the files is there already, nothing is
/// written and the answer is no.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where; it is made where it is missing
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    /// The first bucket, which the first signer may read
    #[arg(long, value_name = "NAME", default_value = "files")]
    bucket: String,
    /// server.listen
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// server.public_urls: what clients call this gateway, where a proxy is in front; may be given again
    #[arg(long, value_name = "URL")]
    public_url: Vec<String>,
    /// Print a JSON object, without the secret
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Problem> {
    let bucket = BucketName::parse(&args.bucket)
        .map_err(|error| format!("{:?} is {error}; name the bucket with --bucket NAME", args.bucket))?;
    let (config_file, policy_file) = (args.folder.join(DEFAULT_CONFIG), args.folder.join("policy.toml"));
    // A symlink that leads nowhere counts too: whoever made it meant something.
    let there: Vec<_> = [&config_file, &policy_file]
        .into_iter()
        .filter(|path| path.symlink_metadata().is_ok())
        .map(|path| path.display().to_string())
        .collect();
    if !there.is_empty() {
        eprintln!(
            "postern: {} is there already: nothing was written",
            there.join(" and ")
        );
        return Ok(Outcome::No);
    }
    make_folder(&args.folder)?;
    let text = text(args)?;
    write_new(&config_file, &text)?;
    let made = fill(&config_file, &policy_file, &bucket);
    if made.is_err() {
        // So that the next try does not stumble over this one.
        _ = fs::remove_file(&config_file);
    }
    let Made { policy, data } = made?;
    if args.json {
        let made = json!({
            "config": config_file,
            "policy": policy_file,
            "data": data,
            "bucket": bucket.as_str(),
            "signer": policy.signer,
            "access_key_id": policy.access_key_id.as_str(),
        });
        println!("{made}");
    } else {
        tell(&config_file, &policy, &data, &bucket);
    }
    Ok(Outcome::Yes)
}

/// What was made besides the configuration.
struct Made {
    policy: fresh::FreshPolicy,
    /// The bucket's folder.
    data: PathBuf,
}

/// Reads the new configuration as `serve` will, and makes what it names.
fn fill(config_file: &Path, policy_file: &Path, bucket: &BucketName) -> Result<Made, Problem> {
    let config = Config::load(Some(config_file), [])?;
    let data = config.storage.root.join(bucket.as_str());
    make_folder(&data)?;
    match fresh::write_for(policy_file, bucket.as_str())? {
        Some(policy) => Ok(Made { policy, data }),
        None => Err(format!("{}: somebody else wrote it just now", policy_file.display()).into()),
    }
}

/// The shipped file, with what the arguments say in place of the defaults.
fn text(args: &Args) -> Result<String, Problem> {
    let mut document: DocumentMut = SHIPPED.parse()?;
    let mut set = |key: &str, value: Value| {
        if let Some(old) = document
            .get_mut("server")
            .and_then(|server| server.get_mut(key))
            .and_then(toml_edit::Item::as_value_mut)
        {
            // The remark behind it stays.
            let decor = old.decor().clone();
            *old = value;
            *old.decor_mut() = decor;
        }
    };
    if let Some(listen) = &args.listen {
        set("listen", listen.as_str().into());
    }
    if !args.public_url.is_empty() {
        let urls: Array = args.public_url.iter().map(String::as_str).collect();
        set("public_urls", urls.into());
    }
    Ok(document.to_string())
}

fn make_folder(path: &Path) -> Result<(), Problem> {
    let made = DirBuilder::new().recursive(true).mode(DATA_MODE).create(path);
    made.map_err(|error| failed(path, error))
}

fn write_new(path: &Path, text: &str) -> Result<(), Problem> {
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(CONFIG_MODE)
        .open(path);
    opened
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| failed(path, error))
}

fn failed(path: &Path, error: io::Error) -> Problem {
    let obstacle = Obstacle::new(path, Wanted::Write, error);
    format!("{}: {obstacle}", path.display()).into()
}

fn tell(config_file: &Path, policy: &fresh::FreshPolicy, data: &Path, bucket: &BucketName) {
    let (config, policy_file, data) = (config_file.display(), policy.path.display(), data.display());
    println!("wrote {config}, every key with its default");
    println!(
        "wrote {policy_file}, the signer {:?} with fresh keys, for you alone to read",
        policy.signer
    );
    println!("made {data}, the bucket \"{bucket}\"");
    println!();
    println!("Next:");
    println!("  postern --config {config} check");
    println!("  postern --config {config} serve");
    println!("  cp FILE {data}/");
    println!("  postern --config {config} presign GET s3://{bucket}/FILE");
}
