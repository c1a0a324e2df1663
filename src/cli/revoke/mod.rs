//! `postern revoke` and `postern restore`: edit the policy file as a careful person would. The gateway takes the change up by itself.

mod change;

use std::io::{self, IsTerminal, Write};

use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    clock::Clock,
    live::save::Edit,
    sigv4::Presigned,
    types::{Query, Span},
};

use super::{Cli, Outcome, Problem, s3_url::S3Url};
use change::Selector;

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("selector").required(true).args(["url", "signer", "key", "object"])))]
pub(super) struct Args {
    /// One link: the whole URL
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// All that this signer signed, or, with --signed-before, what it signed until then
    #[arg(long, value_name = "NAME")]
    signer: Option<String>,
    /// What was signed with this access key id
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// An object, a prefix that ends with a slash, or a bucket, whoever signs
    #[arg(long, value_name = "S3URL")]
    object: Option<String>,
    /// With --signer: only what it signed before this time (2026-11-23T12:00:00Z, or now)
    #[arg(long, value_name = "TIME", requires = "signer", num_args = 0..=1, default_missing_value = "now")]
    signed_before: Option<String>,
    /// With --url: why, for whoever reads the policy file
    #[arg(long, value_name = "TEXT", requires = "url")]
    note: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Show what would be changed, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Which of the two commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Revoke,
    Restore,
}

pub(super) fn run(cli: &Cli, args: &Args, direction: Direction) -> Result<Outcome, Problem> {
    let selector = selector(args)?;
    let config = cli.config()?;
    let edit = Edit::begin(&config.policy.file)?;
    let changed = match direction {
        Direction::Revoke => change::revoke(edit.text(), &selector)?,
        Direction::Restore => change::restore(edit.text(), &selector)?,
    };
    let file = config.policy.file.display().to_string();
    let Some(text) = changed else {
        let told = match direction {
            Direction::Revoke => "nothing to do: it is revoked already",
            Direction::Restore => "nothing to do: no such rule is in the policy file",
        };
        tell(args, &file, &[], false, told);
        return Ok(Outcome::Yes);
    };
    let lines = difference(edit.text(), &text);
    if args.dry_run {
        tell(args, &file, &lines, false, "dry run: nothing was written");
        return Ok(Outcome::Yes);
    }
    if !args.yes && !agreed(&file, &lines)? {
        tell(args, &file, &[], false, "nothing was written");
        return Ok(Outcome::No);
    }
    edit.save(&text)?;
    tell(
        args,
        &file,
        &lines,
        true,
        "written; a running gateway takes it up within a second",
    );
    Ok(Outcome::Yes)
}

fn selector(args: &Args) -> Result<Selector, Problem> {
    if let Some(url) = &args.url {
        return link(url, args.note.clone());
    }
    if let Some(id) = &args.key {
        return Ok(Selector::Key(id.clone()));
    }
    if let Some(object) = &args.object {
        let url = S3Url::parse(object).map_err(|error| format!("{object:?}: {error}"))?;
        return Ok(Selector::Object(url.bucket, url.rest));
    }
    let name = args
        .signer
        .clone()
        .ok_or("what? Name one of --url, --signer, --key and --object")?;
    let Some(before) = args.signed_before.as_deref() else {
        return Ok(Selector::Signer(name));
    };
    let before = match before {
        "now" => Clock::system().now(),
        text => OffsetDateTime::parse(text, &Rfc3339)
            .map_err(|_| format!("{text:?} is no time with an offset, such as 2026-11-23T12:00:00Z"))?,
    };
    Ok(Selector::SignedBefore(name, Some(before)))
}

/// A link's name, and until when it could be used. Nothing else of the URL is kept.
fn link(url: &str, note: Option<String>) -> Result<Selector, Problem> {
    const SHAPE: &str =
        "this is no presigned URL: its query has no X-Amz-Signature, or not all that belongs to one";
    let (_, query) = url.split_once('?').ok_or(SHAPE)?;
    let query = Query::parse(query.split('#').next().unwrap_or(query)).map_err(|_| SHAPE)?;
    let presigned = Presigned::parse(&query).map_err(|reject| format!("{SHAPE} ({reject})"))?;
    let life: u64 = query
        .first("X-Amz-Expires")
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    let until = presigned
        .signed_at()
        .saturating_add(Span::from_seconds(life).duration().try_into()?);
    Ok(Selector::Link {
        id: presigned.link_id().ok_or(SHAPE)?,
        until: Some(until),
        note,
    })
}

/// The lines that go and come, in order: the rules are short, and everything else stays.
fn difference(old: &str, new: &str) -> Vec<String> {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let front = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = |lines: &[&str]| lines.len().saturating_sub(front);
    let most = rest(&old).min(rest(&new));
    let back = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take(most)
        .take_while(|(a, b)| a == b)
        .count();
    let middle = |lines: &[&str], sign: char| -> Vec<String> {
        let end = lines.len().saturating_sub(back);
        let changed = lines.get(front..end).unwrap_or_default();
        changed.iter().map(|line| format!("{sign} {line}")).collect()
    };
    [middle(&old, '-'), middle(&new, '+')].concat()
}

fn agreed(file: &str, lines: &[String]) -> Result<bool, Problem> {
    if !io::stdin().is_terminal() {
        return Err("nobody can be asked here: pass --yes, or --dry-run to see what would be written".into());
    }
    eprintln!("in {file}:\n  {}", lines.join("\n  "));
    eprint!("write this? [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn tell(args: &Args, file: &str, lines: &[String], written: bool, told: &str) {
    if args.json {
        println!("{}", json!({ "file": file, "lines": lines, "written": written }));
        return;
    }
    if !lines.is_empty() {
        println!("in {file}:\n  {}", lines.join("\n  "));
    }
    println!("{told}");
}
