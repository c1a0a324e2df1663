//! `check --remote`: is the policy file as it stands the one that the running gateway decides by?

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    cli::{Outcome, Problem, admin},
    config::Config,
    live,
    types::Span,
};

/// How often the gateway is asked while one waits.
const EVERY: Duration = Duration::from_millis(20);

/// What the gateway says of itself, as far as it is needed here.
#[derive(serde::Deserialize)]
struct InForce {
    generation: u64,
    digest: String,
    loaded_at: String,
    problem: Option<String>,
}

/// In force is 0, anything else 1.
pub(super) fn run(config: &Config, wait: Option<Span>, as_json: bool) -> Result<Outcome, Problem> {
    let local = match live::read(&config.policy.file) {
        Ok(loaded) => loaded.digest,
        Err(error) => {
            super::show::invalid(Some(&config.policy.file), &error.to_string(), as_json);
            return Ok(Outcome::No);
        }
    };
    let patience = wait.map_or(Duration::ZERO, |wait| wait.duration());
    let begun = Instant::now();
    let in_force = loop {
        let (_, text) = admin::get(&config.admin.listen, "/readyz")?;
        let in_force: InForce = serde_json::from_str(&text)?;
        if in_force.digest == local || begun.elapsed() >= patience {
            break in_force;
        }
        std::thread::sleep(EVERY);
    };
    let same = in_force.digest == local;
    if as_json {
        println!(
            "{}",
            json!({ "in_force": same, "generation": in_force.generation, "digest": in_force.digest, "local_digest": local, "problem": in_force.problem })
        );
    } else {
        let InForce {
            generation,
            digest,
            loaded_at,
            problem,
        } = in_force;
        match same {
            true => println!("in force since {loaded_at}: generation {generation}, digest {digest}"),
            false => println!(
                "not in force: the gateway decides by generation {generation} of {loaded_at}, digest {digest}; the files here have {local}"
            ),
        }
        if let Some(problem) = problem {
            println!("the gateway says: {problem}");
        }
    }
    Ok(if same { Outcome::Yes } else { Outcome::No })
}
