//! `postern check`: are configuration and policy valid, and what may each signer do? Also for files under review, as a hook before a commit runs it.

mod decisions;
mod remote;
mod show;

use std::path::PathBuf;

use crate::{
    clock::Clock,
    config::Config,
    live::{self, Warning},
    policy::Snapshot,
    server,
    store::{self, Few, Inspection, Invisible},
    types::Span,
};

use super::{
    Cli, Outcome, Problem,
    separate::{self, InUse},
};

/// How many files that are no objects are named.
const MOST_NAMED: usize = 20;
/// A link that lives for so long is as good as for ever to whom it leaks.
const LONG_LIFE: Span = Span::from_seconds(6 * 24 * 60 * 60);

/// Valid is 0, invalid 1; 2 is for what could not be tried. Warnings do not count, save with --strict.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Policy files under review, in place of the configured one
    #[arg(value_name = "POLICY")]
    files: Vec<PathBuf>,
    /// Take a warning for an error
    #[arg(long)]
    strict: bool,
    /// Hold the policy to decisions that it must make, one a line: SIGNER ACTION RESOURCE [KEY=VALUE …] => allow, or deny
    #[arg(long, value_name = "FILE")]
    decisions: Option<PathBuf>,
    /// Is the policy file, as it stands, in force in the running gateway?
    #[arg(long, conflicts_with_all = ["files", "strict", "decisions"])]
    remote: bool,
    /// With --remote: wait for so long until it is
    #[arg(long, value_name = "TIME", requires = "remote")]
    wait: Option<Span>,
    /// Print a JSON object for each policy file
    #[arg(long)]
    json: bool,
}

/// One policy, looked at.
struct Checked {
    file: PathBuf,
    /// What is in it, or why it is invalid.
    policy: Result<Snapshot, String>,
    warnings: Vec<String>,
    /// Decisions that it was to make and does not.
    wrong: Vec<String>,
}

pub(super) fn run(cli: &Cli, args: &Args) -> Result<Outcome, Problem> {
    let mut config = match cli.config() {
        Ok(config) => config,
        Err(error) => {
            show::invalid(None, &error.to_string(), args.json);
            return Ok(Outcome::No);
        }
    };
    config.policy.user_folders = separate::user_folders(&config);
    if args.remote {
        return remote::run(&config, args.wait, args.json);
    }
    let in_use = InUse::of(&config, true);
    if let Err(error) = separate::check(&config, cli.config_file(), in_use) {
        show::invalid(None, &error.to_string(), args.json);
        return Ok(Outcome::No);
    }
    let expected = match &args.decisions {
        Some(file) => decisions::read(file)?,
        None => Vec::new(),
    };
    let (files, of_config) = match args.files.is_empty() {
        true => (vec![config.policy.file.clone()], of_config(&config)),
        false => (args.files.clone(), Vec::new()),
    };
    let mut outcome = Outcome::Yes;
    for file in files {
        let mut checked = check(file, &config, &expected);
        checked.warnings.extend(of_config.iter().cloned());
        let too_many = args.strict && !checked.warnings.is_empty();
        if checked.policy.is_err() || !checked.wrong.is_empty() || too_many {
            outcome = Outcome::No;
        }
        show::checked(&checked, args.json);
    }
    let life = config.gateway.verdict.max_expires;
    if !args.json && life >= LONG_LIFE {
        println!(
            "\nnote: links may live for {life} (presign.max_expires); one that leaks works for as long, unless it is revoked"
        );
    }
    Ok(outcome)
}

fn check(file: PathBuf, config: &Config, expected: &[decisions::Expected]) -> Checked {
    let loaded = match live::read_outside(&file, &config.policy.user_folders) {
        Ok(loaded) => loaded,
        Err(error) => {
            return Checked {
                file,
                policy: Err(error.to_string()),
                warnings: Vec::new(),
                wrong: Vec::new(),
            };
        }
    };
    let mut warnings: Vec<String> = loaded.warnings.iter().map(Warning::to_string).collect();
    let snapshot = Snapshot::new(loaded.compiled, 0, loaded.digest);
    warnings.extend(snapshot.broad_grants().map(|grant| {
        let what = match (grant.every_action, grant.every_resource) {
            (true, true) => "every action on every resource",
            (true, false) => "every action",
            (false, _) => "its actions on every resource",
        };
        format!("{}: allows {} {what}", grant.statement, grant.signer)
    }));
    let buckets = store::bucket_names(&config.storage, &config.buckets);
    warnings.extend(
        snapshot
            .remarks(buckets.as_deref())
            .iter()
            .map(ToString::to_string),
    );
    let wrong = expected
        .iter()
        .filter_map(|expected| expected.missed(&snapshot, config))
        .collect();
    Checked {
        file,
        policy: Ok(snapshot),
        warnings,
        wrong,
    }
}

/// What to know of the store and the certificate.
fn of_config(config: &Config) -> Vec<String> {
    let mut warnings = no_objects(&store::invisible(&config.storage, &config.buckets, MOST_NAMED));
    let now = Clock::system().now().into();
    warnings.extend(of_store(&store::inspect(
        &config.storage,
        &config.buckets,
        now,
        MOST_NAMED,
    )));
    if let Some(tls) = &config.server.tls {
        warnings.extend(server::certificate_remarks(tls, Clock::system()));
    }
    warnings
}

/// What is wrong in the store, and what has been left behind in it.
fn of_store(found: &Inspection) -> Vec<String> {
    let text = |(path, why): &(PathBuf, String)| format!("{}: {why}", path.display());
    let mut texts = named(&found.undescribed, text, "more objects have no record");
    let text = |path: &PathBuf| {
        let why = "the file changed after its record was written, so its ETag, type, metadata and tags \
                   no longer count";
        format!("{}: {why}", path.display())
    };
    texts.extend(named(
        &found.outdated,
        text,
        "more files changed after their record was written",
    ));
    let text = |path: &PathBuf| format!("{}: no object under its key has this record", path.display());
    texts.extend(named(&found.unnamed_records, text, "more records have no object"));
    let text = |path: &PathBuf| format!("{}: left over; a running gateway removes it", path.display());
    texts.extend(named(
        &found.leftovers,
        text,
        "more files and folders are left over",
    ));
    texts
}

fn named<T>(few: &Few<T>, text: impl Fn(&T) -> String, rest: &str) -> Vec<String> {
    let more = few.count.saturating_sub(few.first.len());
    let rest = (more > 0).then(|| format!("{more} {rest}"));
    few.first.iter().map(text).chain(rest).collect()
}

/// What lies among the objects and is none.
fn no_objects(invisible: &Invisible) -> Vec<String> {
    let more = invisible.count.saturating_sub(invisible.found.len());
    let named = invisible
        .found
        .iter()
        .map(|(path, why)| format!("{}: no object: {why}", path.display()));
    let rest = (more > 0).then(|| format!("{more} more files are no objects"));
    named.chain(rest).collect()
}
