//! What the writer does while it can and while it cannot.

use std::{fs, os::unix::fs::PermissionsExt, time::Instant};

use time::macros::datetime;

use super::{backlog::LONGEST_BACKLOG, *};
use crate::{
    audit::{Outcome, Record, RequestName, Trail},
    types::Peer,
};

const NOON: time::OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

fn entry(id: &str) -> Box<Entry> {
    let id = format!("{id:->16}").into_bytes();
    let client = Peer::plain(([127, 0, 0, 1], 5).into()).into();
    let begun = Entry::begun(
        NOON,
        RequestName::new(id.try_into().unwrap()),
        client,
        http::Method::GET,
    );
    Box::new(Entry {
        user_agent: Some("a \"b\"\n\u{1b}[31m".to_owned()),
        signer: Some("alice".into()),
        mechanism: Some("query"),
        signed_at: Some(NOON),
        operation: Some("GetObject"),
        action: Some("s3:GetObject"),
        generation: 3,
        outcome: Outcome::Served,
        status: Some(200),
        bytes_sent: 7,
        completed: true,
        duration: Duration::from_micros(1_500),
        ..begun
    })
}

/// What the entry was called.
fn id(record: Record) -> String {
    record.request_id.trim_start_matches('-').to_owned()
}

fn settings(folder: &std::path::Path, on_failure: OnFailure) -> Settings {
    Settings {
        file: folder.join("audit.jsonl"),
        on_failure,
        ..Settings::default()
    }
}

fn clock() -> Clock {
    Clock::fixed(NOON)
}

/// Waits for what another thread will do.
fn wait_for(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited in vain");
        std::thread::yield_now();
    }
}

#[test]
fn every_entry_is_one_line_and_is_read_again_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), OnFailure::Continue);
    let audit = Audit::start(&settings, clock()).unwrap();
    (0..1000).for_each(|number| audit.record(entry(&format!("R{number}"))));
    audit.flush();
    let text = fs::read_to_string(&settings.file).unwrap();
    assert_eq!(text.lines().count(), 1000);
    assert!(
        !text.contains('\u{1b}') && text.contains(r#""user_agent":"a \"b\"\n\u001b[31m""#),
        "{text:.300}"
    );
    let records: Vec<_> = Trail::open(&settings.file).unwrap().map(Result::unwrap).collect();
    let expected: Vec<_> = (0..1000)
        .map(|number| Record::from(*entry(&format!("R{number}"))))
        .collect();
    assert_eq!(records, expected);
    assert_eq!((records[0].duration_ms, records[0].generation), (1.5, 3));
}

#[test]
fn a_trail_is_read_over_all_its_files_in_order_and_what_is_no_record_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        rotate_bytes: 2_000,
        ..settings(folder.path(), OnFailure::Continue)
    };
    for round in 0..5 {
        // A new process each time.
        let audit = Audit::start(&settings, clock()).unwrap();
        audit.record(entry(&format!("{round}-a")));
        audit.flush();
        audit.record(entry(&format!("{round}-b")));
        audit.flush();
    }
    assert!(folder.path().join("audit.jsonl.1").exists());
    fs::write(folder.path().join("audit.jsonl.1"), {
        let text = fs::read_to_string(folder.path().join("audit.jsonl.1")).unwrap();
        format!("{{\"half\n{text}\n")
    })
    .unwrap();
    let mut trail = Trail::open(&settings.file).unwrap();
    let ids: Vec<_> = trail.by_ref().map(|record| id(record.unwrap())).collect();
    let expected: Vec<_> = (0..5)
        .flat_map(|round| [format!("{round}-a"), format!("{round}-b")])
        .collect();
    assert_eq!(ids, expected);
    assert_eq!(trail.unreadable(), 2);
}

#[test]
fn while_nothing_can_be_written_records_are_kept_and_written_once_it_can() {
    let folder = tempfile::tempdir().unwrap();
    for (on_failure, refuses) in [(OnFailure::Continue, false), (OnFailure::Refuse, true)] {
        let inner = folder.path().join(format!("{on_failure:?}"));
        fs::create_dir(&inner).unwrap();
        let settings = settings(&inner, on_failure);
        let audit = Audit::start(&settings, clock()).unwrap();
        audit.record(entry("before"));
        audit.flush();
        assert_eq!(
            audit.health(),
            Health {
                problem: None,
                refusing: false,
                lost: 0,
            }
        );
        // A folder in the file's place: that cannot be written even by root.
        fs::remove_file(&settings.file).unwrap();
        fs::create_dir(&settings.file).unwrap();
        audit.reopen();
        audit.record(entry("while"));
        audit.flush();
        let health = audit.health();
        assert!(
            health
                .problem
                .is_some_and(|problem| problem.contains("audit.jsonl"))
        );
        assert_eq!((health.refusing, audit.refuses()), (refuses, refuses));
        fs::remove_dir(&settings.file).unwrap();
        wait_for(|| audit.health().problem.is_none());
        assert!(!audit.refuses());
        let ids: Vec<_> = Trail::open(&settings.file)
            .unwrap()
            .map(|record| id(record.unwrap()))
            .collect();
        assert_eq!(ids, ["while"]);
    }
}

#[test]
fn what_finds_no_room_is_told_of_as_lost() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), OnFailure::Continue);
    let audit = Audit::start(&settings, clock()).unwrap();
    fs::remove_file(&settings.file).unwrap();
    fs::create_dir(&settings.file).unwrap();
    audit.reopen();
    let many = LONGEST_QUEUE + LONGEST_BACKLOG + 1_000;
    (0..many).for_each(|_| audit.record(entry("x")));
    fs::remove_dir(&settings.file).unwrap();
    let counted = || {
        let records = Trail::open(&settings.file)
            .into_iter()
            .flatten()
            .filter_map(Result::ok);
        records.map(|record| record.lost.unwrap_or(1)).sum::<u64>()
    };
    wait_for(|| {
        audit.flush();
        audit.health().problem.is_none() && counted() == many as u64
    });
    let lost = Trail::open(&settings.file)
        .unwrap()
        .filter_map(|record| record.unwrap().lost)
        .sum::<u64>();
    assert!(lost >= 1_000, "{lost}");
    assert_eq!(audit.health().lost, lost, "counted on when they are told of");
}

#[test]
fn where_no_request_may_go_unrecorded_a_file_that_cannot_be_opened_is_an_error_at_start() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("audit.jsonl")).unwrap();
    let refuse = Audit::start(&settings(folder.path(), OnFailure::Refuse), clock());
    let message = refuse.err().unwrap().to_string();
    assert!(
        message.contains("audit.jsonl") && message.contains("audit.on_failure"),
        "{message}"
    );
    assert!(Audit::start(&settings(folder.path(), OnFailure::Continue), clock()).is_ok());
    let off = Settings {
        to: To::Off,
        ..settings(folder.path(), OnFailure::Refuse)
    };
    assert!(!Audit::start(&off, clock()).unwrap().is_on());
}

#[test]
fn the_files_are_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), OnFailure::Continue);
    Audit::start(&settings, clock()).unwrap();
    for file in settings.files() {
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
}

/// A request whose signature was not verified.
fn stranger(id: &str, source: u8) -> Box<Entry> {
    let client = Peer::plain(([192, 0, 2, source], 5).into()).into();
    Box::new(Entry {
        client,
        signer: None,
        outcome: Outcome::Denied,
        reason: Some("Anonymous"),
        ..*entry(id)
    })
}

/// How many requests the records of strangers stand for, those of signers left out.
fn strangers(file: &std::path::Path) -> u64 {
    let records = Trail::open(file).unwrap().map(Result::unwrap);
    let strangers = records.filter(|record| record.signer.is_none());
    strangers.map(|record| record.repeated.unwrap_or(1)).sum()
}

#[test]
fn strangers_take_no_room_of_signers_while_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), OnFailure::Refuse);
    let audit = Audit::start(&settings, clock()).unwrap();
    for file in settings.files() {
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
    }
    audit.reopen();
    audit.record(entry("before"));
    let many = 2 * LONGEST_QUEUE;
    (0..many).for_each(|number| audit.record(stranger("x", (number % 7) as u8)));
    audit.record(entry("after"));
    audit.flush();
    assert!(audit.refuses(), "nothing can be written");
    settings
        .files()
        .iter()
        .for_each(|file| fs::remove_dir(file).unwrap());
    wait_for(|| audit.health().problem.is_none());
    audit.flush();
    let text = fs::read_to_string(&settings.file).unwrap();
    assert!(text.contains("before") && text.contains("after") && text.lines().count() == 2);
    assert_eq!(strangers(&settings.file), many as u64);
    assert_eq!(audit.health().lost, 0);
}

#[test]
fn counts_are_written_without_being_asked_for_and_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), OnFailure::Continue);
    let audit = Audit::start(&settings, clock()).unwrap();
    let many = || (0..2_000).for_each(|_| audit.record(stranger("x", 1)));
    many();
    wait_for(|| strangers(&settings.file) == 2_000);
    many();
    drop(audit);
    wait_for(|| strangers(&settings.file) == 4_000);
}

#[test]
fn two_files_are_read_in_the_order_of_time() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), OnFailure::Continue);
    let audit = Audit::start(&settings, clock()).unwrap();
    for (number, seconds) in [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)] {
        let name = format!("R{number}");
        let mut entry = if number % 2 == 0 {
            entry(&name)
        } else {
            stranger(&name, 1)
        };
        entry.time = NOON + time::Duration::seconds(seconds);
        audit.record(entry);
    }
    audit.flush();
    let ids: Vec<_> = Trail::open(&settings.file)
        .unwrap()
        .map(|record| id(record.unwrap()))
        .collect();
    assert_eq!(ids, ["R0", "R1", "R2", "R3", "R4"]);
}

#[test]
fn what_no_signature_covers_takes_two_kib_of_a_line_at_most() {
    let control = "\u{1b}".repeat(512);
    let signed = Entry {
        user_agent: Some(control.clone()),
        range: Some(control.clone()),
        ..*entry("x")
    };
    let method = "A".repeat(5_000);
    let stranger = Entry {
        key: Some(crate::types::ObjectKey::parse(&control.repeat(2)).unwrap()),
        bucket: Some(crate::types::BucketName::parse(&"a".repeat(63)).unwrap()),
        method: http::Method::from_bytes(method.as_bytes()).unwrap(),
        signer: None,
        ..signed.clone()
    };
    for mut entry in [signed, stranger] {
        let bare = Entry {
            user_agent: None,
            range: None,
            key: None,
            bucket: None,
            method: http::Method::GET,
            ..entry.clone()
        };
        let length = |entry: &Entry| {
            let mut line = Vec::new();
            entry.write_line(&mut line);
            line.len()
        };
        entry.bound();
        let unverified = length(&entry) - length(&bare);
        assert!(unverified <= 2_048, "{unverified}");
    }
}

#[test]
fn whoever_asks_for_what_is_written_waits_no_longer_than_said_for_a_disk_that_stalls() {
    use std::io::Read;
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), OnFailure::Refuse);
    // Holds 64 KiB that nobody reads, and then holds up its writer.
    let made = std::process::Command::new("mkfifo").arg(&settings.file).status();
    assert!(made.unwrap().success());
    let audit = Audit::start(&settings, Clock::fixed(NOON)).unwrap();
    let many = 1_000;
    (0..many).for_each(|_| audit.record(entry("stalled")));
    let begun = Instant::now();
    audit.flush_within(Duration::from_millis(50));
    assert!(begun.elapsed() >= Duration::from_millis(50), "it stalls");
    // Nothing is lost by that.
    let mut reader = fs::File::open(&settings.file).unwrap();
    let (mut lines, mut bytes) = (0, [0; 4096]);
    while lines < many {
        let count = reader.read(&mut bytes).unwrap();
        lines += bytes[..count].iter().filter(|byte| **byte == b'\n').count();
    }
    audit.flush();
}

fn durable(folder: &std::path::Path) -> Settings {
    Settings {
        sync: SyncRecords::Each,
        ..settings(folder, OnFailure::Refuse)
    }
}

#[tokio::test]
async fn committed_record_is_in_the_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        rotate_bytes: 3_000,
        keep_files: 100,
        ..durable(folder.path())
    };
    let audit = Audit::start(&settings, clock()).unwrap();
    assert!(audit.commits());
    for number in 0..20 {
        let name = format!("R{number}");
        audit.commit(entry(&name)).await.unwrap();
        let text = fs::read_to_string(&settings.file).unwrap();
        assert!(
            text.lines().last().unwrap().contains(&format!("-{name}\"")),
            "{text}"
        );
    }
    let ids = Trail::open(&settings.file)
        .unwrap()
        .map(|record| id(record.unwrap()));
    assert!(ids.eq((0..20).map(|number| format!("R{number}"))));
}

/// A FIFO takes every line and cannot be synced.
#[tokio::test]
async fn record_that_cannot_be_synced_is_not_committed() {
    let folder = tempfile::tempdir().unwrap();
    let settings = durable(folder.path());
    let made = std::process::Command::new("mkfifo").arg(&settings.file).status();
    assert!(made.unwrap().success());
    let audit = Audit::start(&settings, clock()).unwrap();
    assert_eq!(audit.commit(entry("a")).await, Err(NotRecorded));
    assert!(audit.refuses());
}

#[tokio::test]
async fn records_that_failed_to_commit_are_written_later_once() {
    let folder = tempfile::tempdir().unwrap();
    let settings = durable(folder.path());
    let audit = Audit::start(&settings, clock()).unwrap();
    fs::remove_file(&settings.file).unwrap();
    fs::create_dir(&settings.file).unwrap();
    audit.reopen();
    assert_eq!(audit.commit(entry("while")).await, Err(NotRecorded));
    fs::remove_dir(&settings.file).unwrap();
    wait_for(|| audit.health().problem.is_none());
    audit.commit(entry("after")).await.unwrap();
    let ids = Trail::open(&settings.file)
        .unwrap()
        .map(|record| id(record.unwrap()));
    assert!(ids.eq(["while", "after"]));
}

#[test]
fn answer_that_began_is_given_only_without_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), OnFailure::Continue);
    let audit = Audit::start(&settings, clock()).unwrap();
    let begun = |name| {
        Box::new(Entry {
            outcome: Outcome::Running,
            ..*entry(name)
        })
    };
    audit.record(begun("lost"));
    audit.record(begun("whole"));
    audit.record(entry("whole"));
    audit.flush();
    let records = Trail::open(&settings.file).unwrap().map(Result::unwrap);
    let found: Vec<_> = records.map(|record| (record.outcome, id(record))).collect();
    let of = |name: &str, outcome| (outcome, name.to_owned());
    assert_eq!(
        found,
        [of("whole", Outcome::Served), of("lost", Outcome::Running)]
    );
}
