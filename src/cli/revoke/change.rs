//! One rule more in a policy file, or one less. The file's text goes in and another comes out, with every comment and every line that the rule
//! does not touch as it was.

use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339, macros::format_description};
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use crate::{
    cli::selector::{Selector, whole_second},
    types::BucketName,
};

/// Why the file cannot be changed so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ChangeError {
    #[error("the policy file is no TOML: {0}")]
    Syntax(String),
    #[error("there is no signer {0:?} in the policy file")]
    NoSigner(String),
    #[error("no signer has the key {0:?} in the policy file")]
    NoKey(String),
    #[error("{0} is written as an inline list; make it [[{0}]] tables first")]
    NotTables(&'static str),
    #[error(
        "what {signer:?} signed before {before} is revoked already, which is later; restore it first if it is to be earlier"
    )]
    Earlier { signer: String, before: String },
    #[error("--signed-before needs a time that can be written as RFC 3339")]
    NoInstant,
    #[error(
        "what {signer:?} signed before {before} is revoked, which is another time; \
         restore with that time, or with --signed-before alone"
    )]
    OtherInstant { signer: String, before: String },
}

/// Adds the rule. `None`: it stands there already.
pub(super) fn revoke(
    text: &str,
    selector: &Selector,
    note: Option<&str>,
) -> Result<Option<String>, ChangeError> {
    let mut document = parse(text)?;
    match selector {
        Selector::Link { id, until } => {
            let links = tables(document.as_table_mut(), "revoked_url")?;
            let found = find(links, "sha256", &id.to_string());
            if let Some(link) = found.and_then(|at| links.get_mut(at)) {
                if lasts(link, *until) {
                    return Ok(None);
                }
                match until.and_then(instant) {
                    Some(until) => put(link, "until", value(until)),
                    None => _ = link.remove("until"),
                }
                return Ok(Some(document.to_string()));
            }
            let mut link = Table::new();
            link.insert("sha256", value(id.to_string()));
            if let Some(note) = note {
                link.insert("note", value(note));
            }
            if let Some(until) = until.and_then(instant) {
                link.insert("until", value(until));
            }
            links.push(link);
        }
        Selector::Signer(name) => {
            let signer = signer(&mut document, name)?;
            if is_true(signer) {
                return Ok(None);
            }
            put(signer, "revoked", value(true));
        }
        Selector::Key(id) => {
            let key = key(&mut document, id)?;
            if is_true(key) {
                return Ok(None);
            }
            put(key, "revoked", value(true));
        }
        Selector::SignedBefore(name, before) => {
            let signer = signer(&mut document, name)?;
            let before = before.and_then(instant).ok_or(ChangeError::NoInstant)?;
            // Both are written in UTC by this command; one of another offset is compared as the instant that it is.
            if let Some(standing) = signer.get("signed_before").and_then(standing) {
                let wanted = OffsetDateTime::parse(&before.to_string(), &Rfc3339);
                match wanted.map(|wanted| wanted.cmp(&standing)) {
                    Ok(std::cmp::Ordering::Equal) => return Ok(None),
                    Ok(std::cmp::Ordering::Less) => {
                        return Err(ChangeError::Earlier {
                            signer: name.clone(),
                            before: instant(standing).map(|at| at.to_string()).unwrap_or_default(),
                        });
                    }
                    Ok(std::cmp::Ordering::Greater) | Err(_) => {}
                }
            }
            put(signer, "signed_before", value(before));
        }
        Selector::Object(bucket, key) => {
            let resources = resources(bucket, key.as_deref());
            let statements = tables(document.as_table_mut(), "statement")?;
            if statements
                .iter()
                .any(|statement| is_own_denial(statement, &resources))
            {
                return Ok(None);
            }
            let mut statement = Table::new();
            statement.insert("Effect", value("Deny"));
            statement.insert("Action", value("s3:*"));
            statement.insert("Resource", value(resources.iter().collect::<toml_edit::Array>()));
            statements.push(statement);
        }
    }
    Ok(Some(document.to_string()))
}

/// Takes the rule out. `None`: there is none.
pub(super) fn restore(text: &str, selector: &Selector) -> Result<Option<String>, ChangeError> {
    let mut document = parse(text)?;
    let changed = match selector {
        Selector::Link { id, .. } => {
            let links = tables(document.as_table_mut(), "revoked_url")?;
            match find(links, "sha256", &id.to_string()) {
                Some(at) => {
                    links.remove(at);
                    true
                }
                None => false,
            }
        }
        Selector::Signer(name) => signer(&mut document, name)?.remove("revoked").is_some(),
        Selector::Key(id) => key(&mut document, id)?.remove("revoked").is_some(),
        Selector::SignedBefore(name, before) => {
            let signer = signer(&mut document, name)?;
            let found = signer.get("signed_before").map(standing);
            match (found, before) {
                (Some(Some(found)), Some(before)) if found != *before => {
                    return Err(ChangeError::OtherInstant {
                        signer: name.clone(),
                        before: found.format(&Rfc3339).unwrap_or_default(),
                    });
                }
                _ => signer.remove("signed_before").is_some(),
            }
        }
        Selector::Object(bucket, key) => {
            let resources = resources(bucket, key.as_deref());
            let statements = tables(document.as_table_mut(), "statement")?;
            let standing = statements
                .iter()
                .position(|statement| is_own_denial(statement, &resources));
            match standing {
                Some(at) => {
                    statements.remove(at);
                    true
                }
                None => false,
            }
        }
    };
    for emptied in ["revoked_url", "statement"] {
        let none = document
            .get(emptied)
            .and_then(Item::as_array_of_tables)
            .is_some_and(ArrayOfTables::is_empty);
        if none {
            document.remove(emptied);
        }
    }
    Ok(changed.then(|| document.to_string()))
}

fn parse(text: &str) -> Result<DocumentMut, ChangeError> {
    text.parse()
        .map_err(|error: toml_edit::TomlError| ChangeError::Syntax(error.message().to_owned()))
}

fn tables<'t>(table: &'t mut Table, name: &'static str) -> Result<&'t mut ArrayOfTables, ChangeError> {
    let item = table
        .entry(name)
        .or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    item.as_array_of_tables_mut().ok_or(ChangeError::NotTables(name))
}

fn find(tables: &ArrayOfTables, field: &str, wanted: &str) -> Option<usize> {
    let found = |table: &Table| {
        let text = table.get(field).and_then(Item::as_str);
        text.is_some_and(|text| text.eq_ignore_ascii_case(wanted))
    };
    tables.iter().position(found)
}

fn signer<'d>(document: &'d mut DocumentMut, name: &str) -> Result<&'d mut Table, ChangeError> {
    let signers = tables(document.as_table_mut(), "signer")?;
    let mut found = signers.iter_mut();
    found
        .find(|signer| signer.get("name").and_then(Item::as_str) == Some(name))
        .ok_or_else(|| ChangeError::NoSigner(name.to_owned()))
}

/// The table that holds a key: one of `[[signer.key]]`, or the signer's own where it has this one key.
fn key<'d>(document: &'d mut DocumentMut, id: &str) -> Result<&'d mut Table, ChangeError> {
    let is = |table: &Table| table.get("access_key_id").and_then(Item::as_str) == Some(id);
    for signer in tables(document.as_table_mut(), "signer")?.iter_mut() {
        if is(signer) {
            return Ok(signer);
        }
        let keys = signer.get_mut("key").and_then(Item::as_array_of_tables_mut);
        if let Some(found) = keys.and_then(|keys| keys.iter_mut().find(|key| is(key))) {
            return Ok(found);
        }
    }
    Err(ChangeError::NoKey(id.to_owned()))
}

fn is_true(table: &Table) -> bool {
    table.get("revoked").and_then(Item::as_bool) == Some(true)
}

/// A value in its place: what stands behind it on its line stays.
fn put(table: &mut Table, name: &str, mut item: Item) {
    if let (Some(old), Some(new)) = (table.get(name).and_then(Item::as_value), item.as_value_mut()) {
        *new.decor_mut() = old.decor().clone();
    }
    table.insert(name, item);
}

/// Whether a statement is exactly the one that this command writes for these resources. One with a condition, a Sid or
/// anything else besides is the operator's: it may deny less, and it is not this command's to remove.
fn is_own_denial(statement: &Table, resources: &[String]) -> bool {
    let is = |name: &str, wanted: &str| statement.get(name).and_then(Item::as_str) == Some(wanted);
    let named = statement.get("Resource").and_then(Item::as_array);
    let names_these = named.is_some_and(|named| {
        named.len() == resources.len()
            && named
                .iter()
                .zip(resources)
                .all(|(named, wanted)| named.as_str() == Some(wanted))
    });
    statement.len() == 3 && is("Effect", "Deny") && is("Action", "s3:*") && names_these
}

/// Whether the rule about a link counts until the link ends.
fn lasts(link: &Table, end: Option<OffsetDateTime>) -> bool {
    match (link.get("until"), end) {
        (None, _) => true,
        (Some(until), Some(end)) => standing(until).is_some_and(|until| until >= end),
        (Some(_), None) => false,
    }
}

/// What a statement must name. A wildcard or a dollar sign of the key stands for itself.
fn resources(bucket: &BucketName, key: Option<&str>) -> Vec<String> {
    let plain = |key: &str| key.replace('$', "${$}").replace('*', "${*}").replace('?', "${?}");
    match key {
        None | Some("") => vec![
            format!("arn:aws:s3:::{bucket}"),
            format!("arn:aws:s3:::{bucket}/*"),
        ],
        Some(prefix) if prefix.ends_with('/') => vec![format!("arn:aws:s3:::{bucket}/{}*", plain(prefix))],
        Some(key) => vec![format!("arn:aws:s3:::{bucket}/{}", plain(key))],
    }
}

/// A TOML time in UTC by the second, rounded up: a rule must not end, or begin to spare, before its instant.
fn instant(at: OffsetDateTime) -> Option<toml_edit::Datetime> {
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    let at = whole_second(at).to_offset(UtcOffset::UTC);
    at.format(form).ok()?.parse().ok()
}

fn standing(item: &Item) -> Option<OffsetDateTime> {
    let text = item
        .as_datetime()
        .map(ToString::to_string)
        .or_else(|| item.as_str().map(str::to_owned))?;
    OffsetDateTime::parse(&text, &Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::types::LinkId;

    fn with_rule(text: &str, selector: &Selector) -> Result<Option<String>, ChangeError> {
        let is_link = matches!(selector, Selector::Link { .. });
        revoke(text, selector, is_link.then_some("in \"a\" chat"))
    }

    const POLICY: &str = "# the house\n[[signer]]                # the one\nname = \"alice\"\n[[signer.key]]\naccess_key_id = \"FIRST\"\n\
        secret_access_key = \"a\"   # old\n[[signer.key]]\naccess_key_id = \"SECOND\"\nsecret_access_key = \"b\"\n\n[[signer]]\nname = 'bob'\n\
        access_key_id = 'BOB'\nsecret_access_key = 'c'\n# the end\n";

    fn selectors() -> Vec<Selector> {
        let bucket = BucketName::parse("films").unwrap();
        vec![
            Selector::Link {
                id: LinkId::parse(&"0a".repeat(32)).unwrap(),
                until: Some(datetime!(2026-11-30 12:00 UTC)),
            },
            Selector::Signer("alice".to_owned()),
            Selector::Key("SECOND".to_owned()),
            Selector::Key("BOB".to_owned()),
            Selector::SignedBefore("bob".to_owned(), Some(datetime!(2026-11-24 13:00 +1))),
            Selector::Object(bucket.clone(), None),
            Selector::Object(bucket.clone(), Some("2026/".to_owned())),
            Selector::Object(bucket, Some("why?*$.mp4".to_owned())),
        ]
    }

    #[test]
    fn each_rule_is_added_once_and_its_removal_gives_the_old_text_back() {
        for selector in selectors() {
            let revoked = with_rule(POLICY, &selector).unwrap().unwrap();
            for line in POLICY.lines() {
                assert!(revoked.contains(line), "{line:?} is lost in {revoked}");
            }
            assert_eq!(with_rule(&revoked, &selector), Ok(None), "{selector:?}");
            assert_eq!(
                restore(&revoked, &selector).unwrap().as_deref(),
                Some(POLICY),
                "{selector:?}"
            );
            assert_eq!(restore(POLICY, &selector), Ok(None), "{selector:?}");
        }
    }

    #[test]
    fn the_rules_read_as_a_person_would_write_them() {
        let mut text = POLICY.to_owned();
        for selector in selectors() {
            text = with_rule(&text, &selector).unwrap().unwrap_or(text);
        }
        for part in [
            "name = \"alice\"\nrevoked = true\n[[signer.key]]",
            "secret_access_key = \"b\"\nrevoked = true\n",
            "secret_access_key = 'c'\nrevoked = true\nsigned_before = 2026-11-24T12:00:00Z\n",
            "[[revoked_url]]\nsha256 = \"0a0a",
            "until = 2026-11-30T12:00:00Z\n",
            "[[statement]]\nEffect = \"Deny\"\nAction = \"s3:*\"\nResource = [\"arn:aws:s3:::films\", \"arn:aws:s3:::films/*\"]\n",
            "Resource = [\"arn:aws:s3:::films/2026/*\"]\n",
            "Resource = [\"arn:aws:s3:::films/why${?}${*}${$}.mp4\"]\n",
        ] {
            assert!(text.contains(part), "{part}\n is not in\n{text}");
        }
    }

    #[test]
    fn only_the_rule_that_the_command_writes_is_its_own() {
        let films = Selector::Object(BucketName::parse("films").unwrap(), None);
        let written = with_rule(POLICY, &films).unwrap().unwrap();
        let own = "Effect = \"Deny\"\nAction = \"s3:*\"\n\
            Resource = [\"arn:aws:s3:::films\", \"arn:aws:s3:::films/*\"]\n";
        assert!(written.contains(&format!("[[statement]]\n{own}")), "{written}");
        let condition = "{ NotIpAddress = { 'aws:SourceIp' = '10.0.0.0/8' } }";
        for operators in [
            format!("{own}Condition = {condition}\n"),
            format!("{own}\n[statement.Condition.NotIpAddress]\n'aws:SourceIp' = '10.0.0.0/8'\n"),
            format!("Sid = 'legal'\n{own}"),
            own.replace("Action = \"s3:*\"", "NotAction = \"s3:GetObject\""),
            own.replace("Action = \"s3:*\"", "Action = [\"s3:*\"]"),
            own.replace("Action = \"s3:*\"", "Action = \"s3:Get*\""),
            own.replace("Resource =", "NotResource ="),
            own.replace("\"Deny\"", "\"Allow\""),
            own.replace("[\"arn:aws:s3:::films\", ", "["),
            own.replace("[\"arn", "[1, \"arn"),
            own.replace("films/*\"]", "films/*\", \"arn:aws:s3:::other\"]"),
        ] {
            let text = format!("{POLICY}[[statement]]\n{operators}");
            let revoked = with_rule(&text, &films).unwrap();
            let revoked = revoked.unwrap_or_else(|| panic!("taken for its own: {operators}"));
            assert!(revoked.contains(&operators), "{revoked}");
            assert_eq!(restore(&text, &films), Ok(None), "{operators}");
            // Its own is found among the others, and they stay.
            assert_eq!(restore(&revoked, &films).unwrap().as_deref(), Some(text.as_str()));
        }
    }

    #[test]
    fn a_rule_that_ends_before_its_link_is_made_to_last() {
        let link = |until| Selector::Link {
            id: LinkId::parse(&"0a".repeat(32)).unwrap(),
            until,
        };
        let (noon, later) = (
            datetime!(2026-11-30 12:00 UTC),
            datetime!(2026-11-30 12:00:00.5 UTC),
        );
        let short = with_rule(POLICY, &link(Some(noon))).unwrap().unwrap();
        assert_eq!(with_rule(&short, &link(Some(noon))), Ok(None));
        let longer = with_rule(&short, &link(Some(later))).unwrap().unwrap();
        assert!(longer.contains("until = 2026-11-30T12:00:01Z\n"), "{longer}");
        assert_eq!(longer.matches("[[revoked_url]]").count(), 1, "{longer}");
        let endless = with_rule(&short, &link(None)).unwrap().unwrap();
        assert!(!endless.contains("until"), "{endless}");
        assert_eq!(with_rule(&endless, &link(Some(later))), Ok(None));
    }

    #[test]
    fn restore_leaves_another_instant_alone() {
        let at = |day: u8| Some(datetime!(2026-11-01 0:00 UTC).replace_day(day).unwrap());
        let bob = |before| Selector::SignedBefore("bob".to_owned(), before);
        let revoked = with_rule(POLICY, &bob(at(20))).unwrap().unwrap();
        let other = restore(&revoked, &bob(at(19)));
        assert!(
            matches!(other, Err(ChangeError::OtherInstant { .. })),
            "{other:?}"
        );
        for before in [at(20), None] {
            assert_eq!(restore(&revoked, &bob(before)).unwrap().as_deref(), Some(POLICY));
        }
    }

    #[test]
    fn what_is_not_there_and_what_would_give_back_are_refused() {
        let name = |name: &str| name.to_owned();
        let at = |day: u8| Some(datetime!(2026-11-01 0:00 UTC).replace_day(day).unwrap());
        assert_eq!(
            with_rule(POLICY, &Selector::Signer(name("eve"))),
            Err(ChangeError::NoSigner(name("eve")))
        );
        assert_eq!(
            with_rule(POLICY, &Selector::Key(name("EVE"))),
            Err(ChangeError::NoKey(name("EVE")))
        );
        let later = with_rule(POLICY, &Selector::SignedBefore(name("bob"), at(20)))
            .unwrap()
            .unwrap();
        let earlier = with_rule(&later, &Selector::SignedBefore(name("bob"), at(10)));
        assert!(matches!(earlier, Err(ChangeError::Earlier { .. })), "{earlier:?}");
        let latest = with_rule(&later, &Selector::SignedBefore(name("bob"), at(21)))
            .unwrap()
            .unwrap();
        assert!(latest.contains("signed_before = 2026-11-21T00:00:00Z") && !latest.contains("11-20"));
        assert!(matches!(
            with_rule("[[signer", &Selector::Signer(name("a"))),
            Err(ChangeError::Syntax(_))
        ));
    }
}
