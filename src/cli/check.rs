//! `postern check`: are configuration and policy valid, and what may each signer do?

use std::path::Path;

use serde_json::{Value, json};

use crate::{
    live::{self, Warning},
    policy::Snapshot,
    store::{self, Invisible},
};

use super::{Cli, Outcome, Problem};

/// How many files that are no objects are named.
const MOST_NAMED: usize = 20;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// A valid pair of files is 0, also with warnings; an invalid one is 1, and says where.
pub(super) fn run(cli: &Cli, args: &Args) -> Result<Outcome, Problem> {
    let config = match cli.config() {
        Ok(config) => config,
        Err(error) => return Ok(invalid(args, &error.to_string())),
    };
    let loaded = match live::read(&config.policy.file) {
        Ok(loaded) => loaded,
        Err(error) => return Ok(invalid(args, &error.to_string())),
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
    warnings.extend(no_objects(&store::invisible(
        &config.storage,
        &config.buckets,
        MOST_NAMED,
    )));
    if let Some(tls) = &config.server.tls {
        warnings.extend(
            [&tls.certificate, &tls.private_key]
                .into_iter()
                .filter_map(|path| missing(path)),
        );
    }
    if args.json {
        let valid = json!({ "valid": true, "digest": snapshot.digest(), "signers": signers(&snapshot), "revocations": revocations(&snapshot), "warnings": warnings });
        println!("{valid}");
    } else {
        people(&snapshot, &warnings, &config.policy.file);
    }
    Ok(Outcome::Yes)
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

fn invalid(args: &Args, problem: &str) -> Outcome {
    if args.json {
        println!("{}", json!({ "valid": false, "problem": problem }));
    } else {
        eprintln!("invalid: {problem}");
    }
    Outcome::No
}

fn missing(path: &Path) -> Option<String> {
    (!path.is_file()).then(|| {
        format!(
            "{}: there is no such file, so `postern serve` will not start",
            path.display()
        )
    })
}

fn signers(snapshot: &Snapshot) -> Vec<Value> {
    let statements = |signer: &crate::policy::Signer| -> Vec<Value> {
        let statement = |statement: &crate::policy::Statement| {
            json!({
                "effect": statement.effect().to_string(),
                statement.actions().element(): statement.actions().entries(),
                statement.resources().element(): statement.resources().entries(),
                "Condition": statement.conditions().collect::<Vec<_>>(),
                "from": statement.reference().to_string(),
            })
        };
        signer.statements().map(statement).collect()
    };
    let signer = |signer: &crate::policy::Signer| {
        let keys: Vec<_> = snapshot
            .keys_of(signer)
            .map(|key| key.access_key_id().to_string())
            .collect();
        json!({ "name": signer.name(), "access_key_ids": keys, "statements": statements(signer) })
    };
    snapshot.signers().map(signer).collect()
}

fn revocations(snapshot: &Snapshot) -> Vec<String> {
    snapshot.revocations().iter().map(ToString::to_string).collect()
}

fn people(snapshot: &Snapshot, warnings: &[String], file: &Path) {
    println!("valid: {}", file.display());
    for signer in snapshot.signers() {
        let keys: Vec<_> = snapshot
            .keys_of(signer)
            .map(|key| key.access_key_id().to_string())
            .collect();
        println!("\n{} ({})", signer.name(), keys.join(", "));
        let mut statements = signer.statements().peekable();
        if statements.peek().is_none() {
            println!("  may do nothing: no statement");
        }
        for statement in statements {
            let (effect, actions, resources) =
                (statement.effect(), statement.actions(), statement.resources());
            let conditions: Vec<_> = statement.conditions().collect();
            let conditions = match conditions.is_empty() {
                true => String::new(),
                false => format!(" if {}", conditions.join(" and ")),
            };
            println!(
                "  {effect} {actions} {resources}{conditions}  [{}]",
                statement.reference()
            );
        }
    }
    for rule in revocations(snapshot) {
        println!("\nrevoked: {rule}");
    }
    for warning in warnings {
        println!("\nwarning: {warning}");
    }
}
