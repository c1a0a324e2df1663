//! `postern simulate`: what would the policy say? Needs no server, no key and no object.

mod question;

use std::path::PathBuf;

use serde_json::json;

use crate::{
    clock::Clock,
    live,
    policy::{Decision, Snapshot},
};

use super::{Cli, Outcome, Problem};

pub(super) use question::Question;

/// Asks the policy a question. Keys of the context that are not given are those that the signer and the time of day say, or absent.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Who signs
    #[arg(long, value_name = "NAME")]
    signer: String,
    /// To do what: s3:GetObject
    #[arg(long, value_name = "ACTION")]
    action: String,
    /// Of what: arn:aws:s3:::BUCKET/KEY or s3://BUCKET/KEY, a bucket alone, or * for all buckets
    #[arg(long, value_name = "RESOURCE")]
    resource: String,
    /// What the request says of itself: aws:SourceIp=203.0.113.7
    #[arg(long, value_name = "KEY=VALUE")]
    context: Vec<String>,
    /// Another policy file than the configured one
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Allowed is 0, denied is 1.
pub(super) fn run(cli: &Cli, args: &Args) -> Result<Outcome, Problem> {
    let config = cli.config()?;
    let file = args.policy.as_ref().unwrap_or(&config.policy.file);
    let loaded = live::read(file)?;
    let snapshot = Snapshot::new(loaded.compiled, 0, loaded.digest);
    let question = Question::new(&args.signer, &args.action, &args.resource, &args.context)?;
    let answer = question.ask(
        &snapshot,
        &config.gateway.verdict.account_id,
        Clock::system().now(),
    )?;
    let revocations = snapshot.revocations();
    let revoked = question.revoked(&revocations);
    let allowed = revoked.is_none() && answer.decision.is_allowed();
    let decision = match revoked {
        Some(rule) => format!("denied: {rule}"),
        None => decided(&answer.decision),
    };
    if args.json {
        let statement = answer.statement();
        println!(
            "{}",
            json!({ "allowed": allowed, "decision": decision, "statement": statement, "failing_conditions": answer.failing })
        );
    } else {
        println!("{decision}");
        for failing in &answer.failing {
            println!("  does not count, since its condition does not hold: {failing}");
        }
    }
    Ok(if allowed { Outcome::Yes } else { Outcome::No })
}

/// `allowed by …`, or `denied: …`.
pub(super) fn decided(decision: &Decision) -> String {
    match decision {
        Decision::Allow(statement) => format!("allowed by {statement}"),
        Decision::Deny(denial) => format!("denied: {denial}"),
        // A given context knows everything.
        Decision::Undecided => "undecided".to_owned(),
    }
}
