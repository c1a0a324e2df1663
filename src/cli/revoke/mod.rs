//! `postern revoke` and `postern restore`: edit the policy file as a careful person would. The gateway takes the change up by itself.

mod change;

use std::{
    io::{self, IsTerminal, Write},
    sync::Arc,
};

use serde_json::json;

use crate::{
    audit::{LinkUse, Record},
    clock::Clock,
    config::Config,
    explain::{Explainer, HashBudget},
    live::{self, save::Edit},
    policy::Snapshot,
};

use super::{
    Cli, Outcome, Problem,
    audit::{self, counted},
    selector::{Selector, SelectorArgs},
};

/// How many links are shown before one is asked.
const MOST_SHOWN: usize = 10;

/// The links that are alive and will stop, or why that is not known.
type WillStop = Result<Vec<LinkUse>, String>;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    selector: SelectorArgs,
    /// With --url or --link: why, for whoever reads the policy file
    #[arg(long, value_name = "TEXT")]
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
    let mut selector = match direction {
        Direction::Revoke => args.selector.required()?,
        Direction::Restore => args.selector.to_restore()?,
    };
    if args.note.is_some() && !args.selector.is_link() {
        return Err("a note is kept with one link: use --note with --url or --link".into());
    }
    let config = cli.config()?;
    if let (Direction::Revoke, Selector::Link { until, .. }, Some(url)) =
        (direction, &mut selector, args.selector.url())
        && !is_genuine(&config, url)?
    {
        // Whoever changed the URL may have shortened its life, and the rule must outlast the link.
        *until = None;
    }
    let (will_stop, will_cut) = match direction {
        Direction::Revoke => {
            // In this order: by the time the gateway answers, what it does not name as running is in the trail.
            let will_cut = audit::will_cut(&config, &selector);
            (audit::will_stop(&config, &selector), will_cut)
        }
        Direction::Restore => (Ok(Vec::new()), Vec::new()),
    };
    if let (Selector::Link { until, .. }, Ok(links)) = (&mut selector, &will_stop) {
        // The trail knows when a link ends of which only the name is given.
        *until = until.or_else(|| links.first().and_then(|link| link.expires_at));
    }
    let edit = Edit::begin(&config.policy.file)?;
    let changed = match direction {
        Direction::Revoke => change::revoke(edit.text(), &selector, args.note.as_deref())?,
        Direction::Restore => change::restore(edit.text(), &selector)?,
    };
    let file = config.policy.file.display().to_string();
    let Some(text) = changed else {
        let told = match direction {
            Direction::Revoke => {
                prove(&edit.snapshot()?, &selector)?;
                "nothing to do: it is revoked already"
            }
            Direction::Restore => "nothing to do: no such rule is in the policy file",
        };
        tell(args, &file, &[], &will_stop, false, told);
        return Ok(Outcome::Yes);
    };
    let lines = difference(edit.text(), &text);
    if direction == Direction::Revoke && !args.json {
        preview(&will_stop, &will_cut);
    }
    if args.dry_run {
        tell(
            args,
            &file,
            &lines,
            &will_stop,
            false,
            "dry run: nothing was written",
        );
        return Ok(Outcome::Yes);
    }
    if !args.yes && !agreed(&file, &lines)? {
        tell(args, &file, &[], &will_stop, false, "nothing was written");
        return Ok(Outcome::No);
    }
    let mut told = "written; a running gateway takes it up within a second";
    edit.save(&text, |snapshot| match direction {
        Direction::Revoke => prove(snapshot, &selector),
        Direction::Restore => {
            if is_revoked(snapshot, &selector) {
                told = "written, but another rule still revokes it: `postern check` lists them";
            }
            Ok(())
        }
    })?;
    tell(args, &file, &lines, &will_stop, true, told);
    Ok(Outcome::Yes)
}

/// Whether the policy refuses all that the selector names, as `serve` would decide.
fn is_revoked(snapshot: &Snapshot, selector: &Selector) -> bool {
    match selector {
        Selector::Link { id, until } => snapshot.revokes_link(*id, *until),
        Selector::Signer(name) => snapshot.revokes_signer(name),
        Selector::Key(id) => snapshot.revokes_key(id),
        Selector::SignedBefore(name, Some(before)) => snapshot.revokes_signed_before(name, *before),
        Selector::SignedBefore(name, None) => snapshot.revokes_signer(name),
        Selector::Object(bucket, key) => snapshot.denies_everyone(bucket, key.as_deref()),
    }
}

/// Before "revoked" is said: the policy in the file must deny it.
fn prove(snapshot: &Snapshot, selector: &Selector) -> Result<(), String> {
    match is_revoked(snapshot, selector) {
        true => Ok(()),
        false => Err(
            "with this rule the policy would still allow it; write the rule by hand, \
             and see `postern check`"
                .to_owned(),
        ),
    }
}

/// Whether the URL is as it was signed, by a key of this policy. Then its end is the link's own.
fn is_genuine(config: &Config, url: &str) -> Result<bool, Problem> {
    let loaded = live::read(&config.policy.file)?;
    let explainer = Explainer {
        snapshot: &Arc::new(Snapshot::new(loaded.compiled, 0, loaded.digest)),
        settings: &config.gateway.verdict,
        hosts: &[],
        now: Clock::system().now(),
        budget: &HashBudget::default(),
    };
    Ok(explainer.is_genuine(url))
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

/// What will stop, as far as the trail knows.
fn preview(will_stop: &WillStop, will_cut: &[Record]) {
    if !will_cut.is_empty() {
        eprintln!(
            "running now, and ended by this: {}",
            counted(will_cut.len(), "transfer")
        );
        audit::show_records(will_cut.get(..MOST_SHOWN).unwrap_or(will_cut));
    }
    match will_stop {
        Err(reason) => eprintln!("what this will stop is not known: {reason}"),
        Ok(links) if links.is_empty() => {
            eprintln!("the audit trail knows of no link that is alive and that this stops");
        }
        Ok(links) => {
            eprintln!(
                "alive, followed before and stopped by this: {}",
                counted(links.len(), "link")
            );
            audit::show_links(links.get(..MOST_SHOWN).unwrap_or(links));
            if links.len() > MOST_SHOWN {
                eprintln!(
                    "  and {} more (`postern audit links` tells all)",
                    links.len().saturating_sub(MOST_SHOWN)
                );
            }
        }
    }
}

fn tell(args: &Args, file: &str, lines: &[String], will_stop: &WillStop, written: bool, told: &str) {
    if args.json {
        let links = will_stop.as_ref().ok();
        println!(
            "{}",
            json!({ "file": file, "lines": lines, "written": written, "will_stop": links })
        );
        return;
    }
    if !lines.is_empty() {
        println!("in {file}:\n  {}", lines.join("\n  "));
    }
    println!("{told}");
}
