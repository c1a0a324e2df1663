//! An explanation for people: the sentence first, then the differing bytes pointed at, then the steps.

use anstream::println;
use anstyle::{AnsiColor, Style};

use crate::explain::{Difference, Explanation, Step, StepState, Told};

const BAD: Style = AnsiColor::Red.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const FAINT: Style = Style::new().dimmed();
const NAME: Style = Style::new().bold();

/// Of a differing line at most so many characters are shown.
const WIDTH: usize = 160;

pub(super) fn explanation(title: Option<&str>, explanation: &Explanation, verbose: bool) {
    if let Some(title) = title {
        println!("{NAME}{}{NAME:#}", printable(title));
    }
    let colour = if explanation.passes { GOOD } else { BAD };
    println!("{colour}{}{colour:#}", printable(&explanation.conclusion));
    for difference in &explanation.differences {
        differs(difference);
    }
    if explanation.causes.len() > 1 {
        println!("\n{NAME}in order:{NAME:#}");
        for (number, cause) in explanation.causes.iter().enumerate() {
            told(&format!("{}. {}", number + 1, cause.name), cause);
        }
    }
    if !explanation.remarks.is_empty() {
        println!("\n{NAME}it passes, and:{NAME:#}");
        for remark in &explanation.remarks {
            told(&format!("- {}", remark.name), remark);
        }
    }
    println!();
    for step in &explanation.steps {
        show_step(step, verbose || !explanation.passes);
    }
    if explanation.tries > 1 {
        println!(
            "{FAINT}{} other texts were held against the signature{FAINT:#}",
            explanation.tries
        );
    }
}

fn told(name: &str, told: &Told) {
    println!("  {name}: {}", printable(&told.what));
    println!("     {FAINT}→{FAINT:#} {}", printable(&told.fix));
}

/// The two lines under each other, and marks below what differs.
fn differs(difference: &Difference) {
    let (signed, arrived) = (printable(&difference.signed), printable(&difference.arrived));
    let (start, length) = differing(&signed, &arrived);
    let from = start.saturating_sub(40);
    let cut = |text: &str| text.chars().skip(from).take(WIDTH).collect::<String>();
    let dots = if from > 0 { "…" } else { "" };
    println!("\n  {NAME}{}{NAME:#}", printable(&difference.line));
    println!("    signed   {dots}{GOOD}{}{GOOD:#}", cut(&signed));
    println!("    arrived  {dots}{BAD}{}{BAD:#}", cut(&arrived));
    let indent = " ".repeat(start - from + dots.chars().count());
    println!(
        "             {indent}{BAD}{}{BAD:#}",
        "^".repeat(length.clamp(1, WIDTH))
    );
}

/// Where the second differs from the first, and over how many characters.
fn differing(signed: &str, arrived: &str) -> (usize, usize) {
    let (signed, arrived): (Vec<_>, Vec<_>) = (signed.chars().collect(), arrived.chars().collect());
    let same = signed.iter().zip(&arrived).take_while(|(a, b)| a == b).count();
    let longest = signed.len().min(arrived.len()) - same;
    let behind = signed
        .iter()
        .rev()
        .zip(arrived.iter().rev())
        .take(longest)
        .take_while(|(a, b)| a == b)
        .count();
    (same, arrived.len() - same - behind)
}

fn show_step(step: &Step, texts: bool) {
    let (mark, colour) = match step.state {
        StepState::Passed => ("✓", GOOD),
        StepState::Refused => ("✗", BAD),
        StepState::NotReached => ("·", FAINT),
    };
    println!("{colour}{mark}{colour:#} {NAME}{}{NAME:#}", step.name);
    for (name, value) in &step.evidence {
        match value.contains('\n') {
            false => println!("    {FAINT}{name}{FAINT:#} {}", printable(value)),
            true if texts => {
                println!("    {FAINT}{name}{FAINT:#}");
                value
                    .split('\n')
                    .for_each(|line| println!("      {}", printable(line)));
            }
            true => {}
        }
    }
}

/// What a client sent must not steer the terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_differing_characters_are_those_between_what_is_the_same() {
        for (signed, arrived, expected) in [
            ("minio:9000", "localhost:9000", (0, 9)),
            ("text/plain", "text/plain;charset=UTF-8", (10, 14)),
            ("abc", "abc", (3, 0)),
            ("aa", "a", (1, 0)),
            ("", "x", (0, 1)),
        ] {
            assert_eq!(differing(signed, arrived), expected, "{signed} {arrived}");
        }
    }
}
