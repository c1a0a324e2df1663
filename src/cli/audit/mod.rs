//! `postern audit`: answers an operator's questions from the audit trail.

mod show;

pub(super) use show::counted;

use std::path::PathBuf;

use time::OffsetDateTime;

use crate::{
    audit::{LinkUse, Outcome as End, Record, To, Trail, TrailError, link_uses},
    clock::Clock,
    config::Config,
};

use super::{
    Cli, Outcome, Problem, admin,
    s3_url::S3Url,
    selector::{Selector, SelectorArgs, instant},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    question: Question,
    /// The trail; without it the one of the configuration, and - is standard input
    #[arg(long, value_name = "FILE", global = true)]
    file: Option<PathBuf>,
    /// Only what came at this time or later
    #[arg(long, value_name = "TIME", global = true)]
    since: Option<String>,
    /// Only what came before this time
    #[arg(long, value_name = "TIME", global = true)]
    until: Option<String>,
    /// Print a JSON object a line
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Question {
    /// The records of some requests
    Log {
        #[command(flatten)]
        selector: SelectorArgs,
        /// Only what ended so: served, denied, failed, gone or cut (running: its end is not recorded)
        #[arg(long, value_name = "END")]
        outcome: Option<String>,
        /// Only the last of them
        #[arg(long, value_name = "NUMBER")]
        last: Option<usize>,
    },
    /// Who downloaded this object, or copied it?
    Downloads {
        /// s3://BUCKET/KEY, a prefix that ends with a slash, or a bucket
        object: String,
    },
    /// Which links are alive, who follows them, and when do they end?
    Links {
        #[command(flatten)]
        selector: SelectorArgs,
        /// Those that have ended too
        #[arg(long)]
        all: bool,
    },
    /// What did a revocation stop, and what was the last success before it?
    Stopped {
        #[command(flatten)]
        selector: SelectorArgs,
    },
}

pub(super) fn run(cli: &Cli, args: &Args) -> Result<Outcome, Problem> {
    let range = Range {
        since: args.since.as_deref().map(instant).transpose()?,
        until: args.until.as_deref().map(instant).transpose()?,
    };
    let mut trail = match &args.file {
        Some(file) if file.as_os_str() == "-" => Trail::of(std::io::stdin()),
        Some(file) => Trail::open(file)?,
        None => configured(&cli.config()?)?,
    };
    let found = answer(args, &range, &mut trail)?;
    match trail.unreadable() {
        0 => {}
        1 => eprintln!("1 line is no record and was passed over"),
        many => eprintln!("{many} lines are no records and were passed over"),
    }
    Ok(match found {
        true => Outcome::Yes,
        false => Outcome::No,
    })
}

/// The trail of the configuration.
fn configured(config: &Config) -> Result<Trail, Problem> {
    match config.audit.to {
        To::Auto | To::File => Ok(Trail::open(&config.audit.file)?),
        To::Stdout => Err("the trail goes to standard output (audit.to): name a file that it is kept in with --file, or - for standard input".into()),
        To::Off => Err("no trail is kept: audit.to is \"off\"".into()),
    }
}

struct Range {
    since: Option<OffsetDateTime>,
    until: Option<OffsetDateTime>,
}

impl Range {
    fn holds(&self, record: &Record) -> bool {
        self.since.is_none_or(|since| record.time >= since)
            && self.until.is_none_or(|until| record.time < until)
    }
}

/// Prints the answer. `false`: there is nothing to tell.
fn answer(args: &Args, range: &Range, trail: &mut Trail) -> Result<bool, Problem> {
    let mut read_error = None;
    let all = trail.map_while(|record: Result<Record, TrailError>| {
        record.map_err(|error| read_error = Some(error)).ok()
    });
    let records = all.filter(|record| range.holds(record));
    let found = match &args.question {
        Question::Log {
            selector,
            outcome,
            last,
        } => {
            let selector = selector.selector()?;
            let outcome = outcome.as_deref().map(end).transpose()?;
            let wanted = |record: &Record| {
                selector.as_ref().is_none_or(|selector| selector.selects(record))
                    && outcome.is_none_or(|outcome| record.outcome == outcome)
            };
            let found = newest(records.filter(wanted), *last);
            found.iter().for_each(|record| show::record(record, args.json));
            !found.is_empty()
        }
        Question::Downloads { object } => {
            let url = S3Url::parse(object).map_err(|error| format!("{object:?}: {error}"))?;
            let object = Selector::Object(url.bucket, url.rest);
            let mut found = false;
            for record in records.filter(|record| gave(record) && object.selects(record)) {
                found = true;
                show::record(&record, args.json);
            }
            found
        }
        Question::Links { selector, all } => {
            let selector = selector.selector()?;
            let selected =
                |record: &Record| selector.as_ref().is_none_or(|selector| selector.selects(record));
            let now = Clock::system().now();
            let links = link_uses(records.filter(selected));
            let links: Vec<LinkUse> = links
                .into_iter()
                .filter(|link| *all || link.is_alive(now))
                .collect();
            links.iter().for_each(|link| show::link(link, now, args.json));
            !links.is_empty()
        }
        Question::Stopped { selector } => {
            let selector = selector.required()?;
            let stopped = stopped(records.filter(|record| selector.selects(record)));
            show::stopped(&stopped, args.json);
            !stopped.records.is_empty()
        }
    };
    match read_error {
        Some(error) => Err(error.into()),
        None => Ok(found),
    }
}

fn end(text: &str) -> Result<End, Problem> {
    let quoted = serde_json::Value::String(text.to_owned());
    Ok(serde_json::from_value(quoted)
        .map_err(|_| format!("{text:?} is no end of a request: served, denied, failed, gone or cut"))?)
}

/// All of them, or the last ones, in order.
fn newest(records: impl Iterator<Item = Record>, last: Option<usize>) -> Vec<Record> {
    let Some(last) = last else {
        return records.collect();
    };
    let mut kept = std::collections::VecDeque::new();
    for record in records {
        kept.push_back(record);
        if kept.len() > last {
            kept.pop_front();
        }
    }
    kept.into()
}

/// Did it give away content, if only some?
fn gave(record: &Record) -> bool {
    let is_running = record.outcome == End::Running;
    let reads = record.operation.as_deref() == Some("GetObject") && (record.bytes_sent > 0 || is_running);
    let copies = record.source.is_some();
    let passed = is_running || matches!(record.outcome, End::Served | End::Gone | End::Cut);
    passed && (reads || copies)
}

/// What a revocation stopped.
pub(super) struct Stopped {
    /// The last request that got what it asked for before the first that did not.
    pub(super) last_success: Option<Record>,
    /// What was refused or cut since, by a rule or for want of a permission.
    pub(super) records: Vec<Record>,
}

/// Finds what was stopped among the records of what was revoked: what got what it asked for is before it, or after it was given back.
fn stopped(records: impl Iterator<Item = Record>) -> Stopped {
    const BY_POLICY: [&str; 8] = [
        "SignerRevoked",
        "KeyRevoked",
        "SignedBeforeRevocation",
        "LinkRevoked",
        "ExplicitDeny",
        "ImplicitDeny",
        "SecretChanged",
        "UnknownAccessKeyId",
    ];
    let mut found = Stopped {
        last_success: None,
        records: Vec::new(),
    };
    for record in records {
        let by_policy = record
            .reason
            .as_deref()
            .is_some_and(|reason| BY_POLICY.contains(&reason));
        match record.outcome {
            End::Denied | End::Cut if by_policy => found.records.push(record),
            End::Served if found.records.is_empty() => found.last_success = Some(record),
            End::Served | End::Denied | End::Failed | End::Gone | End::Cut | End::Running | End::Lost => {}
        }
    }
    found
}

/// The links that are alive and that this would stop, by a trail that may not be there: then the reason is given.
pub(super) fn will_stop(config: &Config, selector: &Selector) -> Result<Vec<LinkUse>, String> {
    let trail = configured(config).map_err(|problem| problem.to_string())?;
    let records = trail
        .filter_map(Result::ok)
        .filter(|record| selector.selects(record));
    let now = Clock::system().now();
    let links = link_uses(records);
    Ok(links.into_iter().filter(|link| link.is_alive(now)).collect())
}

/// The transfers that this would end, as the running gateway tells them; none where none answers.
pub(super) fn will_cut(config: &Config, selector: &Selector) -> Vec<Record> {
    let told = admin::get(&config.admin.listen, "/transfers").ok();
    let running: Vec<Record> = told
        .and_then(|(_, text)| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let ends = |record: &Record| config.policy.cut_transfers && selector.selects(record);
    running.into_iter().filter(ends).collect()
}

/// Prints some records for people, beside an answer.
pub(super) fn show_records(records: &[Record]) {
    records.iter().for_each(show::record_to_stderr);
}

/// Prints some links for people, beside an answer.
pub(super) fn show_links(links: &[LinkUse]) {
    let now = Clock::system().now();
    links.iter().for_each(|link| show::link_to_stderr(link, now));
}
