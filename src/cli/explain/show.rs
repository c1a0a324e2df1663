//! An explanation for people: the sentence first, then the differing bytes pointed at, then the steps.

use anstream::println as print_styled;
use anstyle::{AnsiColor, Style};

use crate::{
    explain::{Difference, Explanation, Step, StepState, Told},
    types::printable,
};

const BAD: Style = AnsiColor::Red.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const FAINT: Style = Style::new().dimmed();
const NAME: Style = Style::new().bold();

/// Of a differing line at most so many characters are shown.
const WIDTH: usize = 160;

pub(super) fn explanation(title: Option<&str>, explanation: &Explanation, verbose: bool) {
    if let Some(title) = title {
        print_styled!("{NAME}{}{NAME:#}", printable(title));
    }
    let colour = if explanation.passes { GOOD } else { BAD };
    print_styled!("{colour}{}{colour:#}", printable(&explanation.conclusion));
    for difference in &explanation.differences {
        differs(difference);
    }
    if explanation.causes.len() > 1 {
        print_styled!("\n{NAME}in order:{NAME:#}");
        for (number, cause) in explanation.causes.iter().enumerate() {
            told(&format!("{}. {}", number + 1, cause.name), cause);
        }
    }
    if !explanation.remarks.is_empty() {
        print_styled!("\n{NAME}it passes, and:{NAME:#}");
        for remark in &explanation.remarks {
            told(&format!("- {}", remark.name), remark);
        }
    }
    print_styled!();
    for step in &explanation.steps {
        show_step(step, verbose || !explanation.passes);
    }
    if explanation.tries > 1 {
        print_styled!(
            "{FAINT}{} other texts were held against the signature{FAINT:#}",
            explanation.tries
        );
    }
}

fn told(name: &str, told: &Told) {
    print_styled!("  {}: {}", printable(name), printable(&told.what));
    print_styled!("     {FAINT}→{FAINT:#} {}", printable(&told.fix));
}

/// The two lines under each other, and marks below what differs.
fn differs(difference: &Difference) {
    let (signed, arrived) = (printable(&difference.signed), printable(&difference.arrived));
    let (start, length) = differing(&signed, &arrived);
    let from = start.saturating_sub(40);
    let cut = |text: &str| text.chars().skip(from).take(WIDTH).collect::<String>();
    let dots = if from > 0 { "…" } else { "" };
    print_styled!("\n  {NAME}{}{NAME:#}", printable(&difference.line));
    print_styled!("    signed   {dots}{GOOD}{}{GOOD:#}", cut(&signed));
    print_styled!("    arrived  {dots}{BAD}{}{BAD:#}", cut(&arrived));
    let indent = " ".repeat(start - from + dots.chars().count());
    print_styled!(
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
    print_styled!("{colour}{mark}{colour:#} {NAME}{}{NAME:#}", printable(&step.name));
    for (name, value) in &step.evidence {
        match value.contains('\n') {
            false => print_styled!("    {FAINT}{}{FAINT:#} {}", printable(name), printable(value)),
            true if texts => {
                print_styled!("    {FAINT}{}{FAINT:#}", printable(name));
                value
                    .split('\n')
                    .for_each(|line| print_styled!("      {}", printable(line)));
            }
            true => {}
        }
    }
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
