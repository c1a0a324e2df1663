//! `postern explain`: why does a link not work, and what would make it? Offline against configuration and policy, or by the running gateway.

mod curl;
mod har;
mod show;

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use time::OffsetDateTime;

use crate::{
    clock::Clock,
    config::Config,
    explain::{Explainer, Explanation, HashBudget, Opens, Presence, Question},
    live, operator_file,
    policy::Snapshot,
    store::{self, StoreError},
};

use super::{Cli, Outcome, Problem, admin, presign::header, selector::instant};

/// The most bytes of a browser's recording.
const MOST_RECORDING: u64 = 256 << 20;

/// What is asked about passes: 0; is refused: 1. With several requests (--har): 0 if all pass.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A URL in quotes, a whole curl command in quotes, the request id of a refusal, or - to read one of them from standard input
    #[arg(value_name = "WHAT", required_unless_present = "har")]
    what: Option<String>,
    /// How it was used
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
    /// A header that was sent
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// The Host that the gateway was reached by, where it is not the URL's
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// The SHA-256 of the body, in hexadecimal
    #[arg(long, value_name = "HEX")]
    body_sha256: Option<String>,
    /// The client's address, for conditions on it
    #[arg(long, value_name = "ADDRESS")]
    client: Option<IpAddr>,
    /// As of this time (2026-11-23T12:00:00Z) in place of now
    #[arg(long, value_name = "TIME", value_parser = parse_instant, conflicts_with = "remote")]
    at: Option<OffsetDateTime>,
    /// Every S3 request in what a browser recorded (HAR)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["what", "remote"])]
    har: Option<PathBuf>,
    /// Ask the running gateway, by its admin listener: the policy in force, its clock, its store
    #[arg(long)]
    remote: bool,
    /// Print a JSON object for each request
    #[arg(long)]
    json: bool,
    /// Show canonical request and string to sign also where the link passes
    #[arg(long, short)]
    verbose: bool,
}

fn parse_instant(text: &str) -> Result<OffsetDateTime, String> {
    instant(text).map_err(|error| error.to_string())
}

pub(super) fn run(cli: &Cli, args: &Args) -> Result<Outcome, Problem> {
    let config = cli.config()?;
    let explanations = match &args.har {
        Some(file) => {
            let questions = har::questions(
                &operator_file::read_input(file, MOST_RECORDING)
                    .map_err(|error| format!("{}: {error}", file.display()))?,
            )?;
            if questions.is_empty() {
                return Err(format!(
                    "{}: there is no request to an S3 server in it, signed or refused",
                    file.display()
                )
                .into());
            }
            let offline = Offline::new(&config, args.at)?;
            questions
                .into_iter()
                .map(|(title, question)| Ok((Some(title), offline.explain(&args.complete(question))?)))
                .collect::<Result<Vec<_>, Problem>>()?
        }
        None => vec![(None, one(args, &config)?)],
    };
    let mut outcome = Outcome::Yes;
    for (title, explanation) in &explanations {
        if !explanation.passes {
            outcome = Outcome::No;
        }
        match args.json {
            true => println!("{}", serde_json::to_string(explanation)?),
            false => show::explanation(title.as_deref(), explanation, args.verbose),
        }
    }
    Ok(outcome)
}

fn one(args: &Args, config: &Config) -> Result<Explanation, Problem> {
    let mut what = args.what.clone().unwrap_or_default();
    if what == "-" {
        what = operator_file::read_stream(std::io::stdin(), operator_file::SMALL)?.to_string();
    }
    let what = what.trim();
    if is_request_id(what) {
        let (_, text) = admin::get(&config.admin.listen, &format!("/explain/{what}"))?;
        return answer(&text);
    }
    let question = match curl::is_command(what) {
        true => curl::question(what)?,
        false => Question {
            url: what.to_owned(),
            ..Question::default()
        },
    };
    let question = args.complete(question);
    if args.remote {
        let asked = serde_json::to_string(&question)?;
        let (_, text) = admin::post(&config.admin.listen, "/explain", asked)?;
        return answer(&text);
    }
    Offline::new(config, args.at)?.explain(&question)
}

/// What the admin listener says: an explanation, or an error in words.
fn answer(text: &str) -> Result<Explanation, Problem> {
    #[derive(serde::Deserialize)]
    struct Refused {
        error: String,
    }
    match serde_json::from_str::<Refused>(text) {
        Ok(refused) => Err(refused.error.into()),
        Err(_) => {
            Ok(serde_json::from_str(text).map_err(|_| format!("the gateway answered: {}", text.trim()))?)
        }
    }
}

/// 16 hexadecimal digits, as answers and the log name requests.
fn is_request_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}

impl Args {
    /// What the command line says counts before what was found in a command or a recording.
    fn complete(&self, mut question: Question) -> Question {
        question.method = self
            .method
            .as_ref()
            .map(|method| method.to_ascii_uppercase())
            .or(question.method);
        question.headers.extend(self.headers.iter().cloned());
        question.host = self.host.clone().or(question.host);
        question.body_sha256 = self.body_sha256.clone().or(question.body_sha256);
        question.client = self.client.or(question.client);
        question
    }
}

/// The policy and the objects as they lie here.
struct Offline<'c> {
    config: &'c Config,
    snapshot: Arc<Snapshot>,
    hosts: Vec<String>,
    now: OffsetDateTime,
}

impl<'c> Offline<'c> {
    fn new(config: &'c Config, at: Option<OffsetDateTime>) -> Result<Self, Problem> {
        let loaded = live::read(&config.policy.file)?;
        let besides = config.server.tls.as_ref().and_then(|tls| tls.listen.as_ref());
        let hosts = [Some(&config.server.listen), besides].into_iter().flatten();
        let hosts = hosts.flat_map(|listen| {
            let port = listen.rsplit_once(':').map_or("9000", |(_, port)| port);
            [format!("localhost:{port}"), listen.clone()]
        });
        Ok(Self {
            config,
            snapshot: Arc::new(Snapshot::new(loaded.compiled, 0, loaded.digest)),
            hosts: hosts.collect(),
            now: at.unwrap_or_else(|| Clock::system().now()),
        })
    }

    fn explain(&self, question: &Question) -> Result<Explanation, Problem> {
        let explainer = Explainer {
            snapshot: &self.snapshot,
            settings: &self.config.gateway.verdict,
            hosts: &self.hosts,
            now: self.now,
            budget: &HashBudget::default(),
        };
        let explanation = explainer.explain(question);
        let (bucket, key) = match explanation.opens() {
            Opens::Nothing => return Ok(explanation),
            Opens::Bucket(bucket) => (bucket, None),
            Opens::Object { bucket, key, .. } => (bucket, Some(key)),
        };
        Ok(
            match store::look(&self.config.storage, &self.config.buckets, bucket, key) {
                Ok(()) => explanation.knowing(Presence::There),
                Err(StoreError::NoSuchBucket(_)) => explanation.knowing(Presence::NoSuchBucket),
                Err(StoreError::NoSuchKey) => explanation.knowing(Presence::NoSuchKey),
                Err(error) => return Err(format!("cannot look for the object: {error}").into()),
            },
        )
    }
}
