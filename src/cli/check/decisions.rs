//! Decisions that a policy must make: a file of them is to a policy what tests are to a program.
//!
//! ```text
//! # SIGNER ACTION RESOURCE [KEY=VALUE …] => allow, or deny
//! alice s3:GetObject s3://films/a.mp4 aws:SecureTransport=true => allow
//! alice s3:PutObject s3://films/a.mp4 => deny
//! ```

use std::path::Path;

use crate::{
    cli::{
        Problem,
        simulate::{Question, decided},
    },
    clock::Clock,
    config::Config,
    operator_file,
    policy::Snapshot,
};

/// The most bytes of a file of decisions.
const MOST_BYTES: u64 = 16 << 20;

/// One line of the file.
pub(super) struct Expected {
    place: String,
    question: Question,
    allowed: bool,
}

/// Reads the file. An error names the line.
pub(super) fn read(file: &Path) -> Result<Vec<Expected>, Problem> {
    let text = operator_file::read_input(file, MOST_BYTES)
        .map_err(|error| format!("{}: {error}", file.display()))?;
    let lines = text.lines().enumerate();
    let wanted = lines.filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    let parsed = wanted.map(|(index, line)| {
        let place = format!("{}:{}", file.display(), index.saturating_add(1));
        parse(line, place.clone()).map_err(|problem| format!("{place}: {problem}").into())
    });
    parsed.collect()
}

fn parse(line: &str, place: String) -> Result<Expected, Problem> {
    let shape = "a line is SIGNER ACTION RESOURCE [KEY=VALUE …] => allow, or deny";
    let (asked, expected) = line.split_once("=>").ok_or(shape)?;
    let allowed = match expected.trim() {
        "allow" => true,
        "deny" => false,
        _ => return Err(shape.into()),
    };
    let words: Vec<&str> = asked.split_whitespace().collect();
    let [signer, action, resource, context @ ..] = words.as_slice() else {
        return Err(shape.into());
    };
    Ok(Expected {
        place,
        question: Question::new(signer, action, resource, context)?,
        allowed,
    })
}

impl Expected {
    /// What the policy says instead, where it does.
    pub(super) fn missed(&self, snapshot: &Snapshot, config: &Config) -> Option<String> {
        let account_id = &config.gateway.verdict.account_id;
        let answer = match self.question.ask(snapshot, account_id, Clock::system().now()) {
            Ok(answer) => answer,
            Err(problem) => return Some(format!("{}: {problem}", self.place)),
        };
        let revocations = snapshot.revocations();
        let revoked = self.question.revoked(&revocations);
        let said = match revoked {
            Some(rule) => format!("denied: {rule}"),
            None => decided(&answer.decision),
        };
        let allowed = revoked.is_none() && answer.decision.is_allowed();
        (allowed != self.allowed).then(|| {
            let wanted = if self.allowed { "allow" } else { "deny" };
            format!("{}: must {wanted}, and is {said}", self.place)
        })
    }
}
