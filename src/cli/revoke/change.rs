//! One rule more in a policy file, or one less. The file's text goes in and another comes out, with every comment and every line that the rule
//! does not touch as it was.

use time::{OffsetDateTime, UtcOffset, macros::format_description};
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use crate::{cli::selector::Selector, types::BucketName};

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
            if find(links, "sha256", &id.to_string()).is_some() {
                return Ok(None);
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
            let Some(before) = before.and_then(instant) else {
                return Ok(None);
            };
            // Both are written in UTC by this command; one of another offset is compared as the instant that it is.
            if let Some(standing) = signer.get("signed_before").and_then(standing) {
                let wanted = OffsetDateTime::parse(
                    &before.to_string(),
                    &time::format_description::well_known::Rfc3339,
                );
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
            if statements.iter().any(|statement| denies(statement, &resources)) {
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
        Selector::SignedBefore(name, _) => signer(&mut document, name)?.remove("signed_before").is_some(),
        Selector::Object(bucket, key) => {
            let resources = resources(bucket, key.as_deref());
            let statements = tables(document.as_table_mut(), "statement")?;
            let standing = statements
                .iter()
                .position(|statement| denies(statement, &resources));
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

/// Does a statement deny everything on exactly these resources?
fn denies(statement: &Table, resources: &[String]) -> bool {
    let is = |name: &str, wanted: &str| statement.get(name).and_then(Item::as_str) == Some(wanted);
    let named: Option<Vec<String>> =
        statement
            .get("Resource")
            .and_then(Item::as_value)
            .map(|named| match named {
                toml_edit::Value::Array(list) => list
                    .iter()
                    .filter_map(|one| one.as_str().map(str::to_owned))
                    .collect(),
                one => one.as_str().map(str::to_owned).into_iter().collect(),
            });
    is("Effect", "Deny") && is("Action", "s3:*") && named.is_some_and(|named| named == resources)
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

/// A TOML time in UTC, by the second.
fn instant(at: OffsetDateTime) -> Option<toml_edit::Datetime> {
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    at.to_offset(UtcOffset::UTC).format(form).ok()?.parse().ok()
}

fn standing(item: &Item) -> Option<OffsetDateTime> {
    let text = item
        .as_datetime()
        .map(ToString::to_string)
        .or_else(|| item.as_str().map(str::to_owned))?;
    OffsetDateTime::parse(&text, &time::format_description::well_known::Rfc3339).ok()
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
