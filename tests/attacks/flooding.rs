//! Many names that fall on one place of a table, or very many names at all. What can be sent is counted before it is stored: lines of a head, bytes of a
//! head, bytes of a form's fields. What is within those bounds is looked up in maps with a secret of their own (`http`'s, `std`'s), or from front to
//! back a fixed number of times.

use http::Method;
use postern::types::Query;

use super::{Target, Then, code, status};
use crate::support::form::TestForm;

/// Names that are alike under the hash functions that servers once used without a secret: pairs of the same value under `h * 31 + c` and under DJB's
/// `h * 33 + c` (Klink and Wälde, 28C3).
fn alike(blocks: [&str; 2], count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |number| (0..16).map(|bit| blocks[number >> bit & 1]).collect())
}

#[tokio::test]
async fn more_lines_than_the_bound_are_refused_before_anything_is_made_of_them() {
    let target = Target::start().await;
    for (count, wanted) in [(90, 200), (101, 431), (5_000, 431)] {
        let lines: String = alike(["aa", "bB"], count)
            .map(|name| format!("{name}: x\r\n"))
            .collect();
        let attack = target.get("good", &format!("{lines}connection: close\r\n"));
        let (answer, then) = target.attack(&format!("{count} lines"), attack.as_bytes()).await;
        assert_eq!(status(&answer), wanted, "{count}: {answer}");
        assert!(wanted == 200 || then == Then::Closed, "{count}");
    }
    // One name again and again counts as often as it comes.
    let again = target.get("good", &"x: y\r\n".repeat(101));
    assert_eq!(status(&target.attack("one name", again.as_bytes()).await.0), 431);
}

#[tokio::test]
async fn ten_thousand_parameters_are_taken_apart_once_and_more_than_the_bound_are_refused() {
    let target = Target::start().await;
    let (path, host) = (target.path(&Method::GET, "good"), &target.host);
    let names = alike(["Aa", "BB"], 1_800).map(|name| format!("&{name}=1"));
    let many: String = names.collect();
    let attack = format!("GET {path}{many} HTTP/1.1\r\nhost: {host}\r\n\r\n");
    assert!(attack.len() < 65_536);
    let (answer, then) = target.attack("many alike", attack.as_bytes()).await;
    assert_eq!(
        (status(&answer), code(&answer), then),
        (403, "SignatureDoesNotMatch", Then::InSync)
    );

    let short: String = (0..10_000).map(|number| format!("&{number:x}")).collect();
    let attack = format!("GET {path}{short} HTTP/1.1\r\nhost: {host}\r\n\r\n");
    assert!(attack.len() < 65_536);
    let (answer, then) = target.attack("ten thousand", attack.as_bytes()).await;
    assert_eq!(
        (status(&answer), code(&answer), then),
        (403, "SignatureDoesNotMatch", Then::InSync)
    );
    // As many pairs as were sent, in their order: nothing is made of them but a list.
    let query = Query::parse(&short).unwrap();
    assert_eq!(query.iter().count(), 10_000);
    assert!(query.has("270f") && !query.has("2710"));

    let attack = format!(
        "GET {path}{} HTTP/1.1\r\nhost: {host}\r\n\r\n",
        "&a".repeat(200_000)
    );
    let (answer, then) = target.attack("too many", attack.as_bytes()).await;
    assert!(
        [414, 431].contains(&status(&answer)) && then == Then::Closed,
        "{answer}"
    );
}

#[tokio::test]
async fn a_forms_fields_have_a_bound_of_bytes_together() {
    let target = Target::start().await;
    let conditions = "[\"starts-with\", \"$key\", \"\"]";
    let names: Vec<String> = alike(["Aa", "BB"], 2_000)
        .map(|name| format!("x-ignore-{name}"))
        .collect();
    let mut fields = vec![("key", "form")];
    fields.extend(names.iter().map(|name| (name.as_str(), "")));
    let answer = TestForm::signed("2026-11-24T13:00:00Z", conditions, &fields)
        .send(&target.gateway)
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (400, "MaxPostPreDataLengthExceeded")
    );
    target.assert_nothing_written("form", "many fields");
    let answer = TestForm::signed("2026-11-24T13:00:00Z", conditions, &fields[..100])
        .send(&target.gateway)
        .await;
    assert_eq!(answer.status.as_u16(), 204, "{}", answer.text());
}
