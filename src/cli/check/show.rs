//! What `check` found, for people or for scripts.

use std::path::Path;

use serde_json::{Value, json};

use crate::policy::Snapshot;

use super::Checked;

/// One policy file.
pub(super) fn checked(checked: &Checked, as_json: bool) {
    let snapshot = match &checked.policy {
        Ok(snapshot) => snapshot,
        Err(problem) => return invalid(Some(&checked.file), problem, as_json),
    };
    if as_json {
        let valid = json!({
            "file": checked.file,
            "valid": true,
            "digest": snapshot.digest(),
            "signers": signers(snapshot),
            "revocations": revocations(snapshot),
            "warnings": checked.warnings,
            "wrong_decisions": checked.wrong,
        });
        return println!("{valid}");
    }
    people(snapshot, &checked.file);
    for warning in &checked.warnings {
        println!("\nwarning: {warning}");
    }
    for wrong in &checked.wrong {
        println!("\nwrong: {wrong}");
    }
}

/// A file that is invalid; the problem says where.
pub(super) fn invalid(file: Option<&Path>, problem: &str, as_json: bool) {
    if as_json {
        println!("{}", json!({ "file": file, "valid": false, "problem": problem }));
    } else {
        eprintln!("invalid: {problem}");
    }
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

fn people(snapshot: &Snapshot, file: &Path) {
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
}
