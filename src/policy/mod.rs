//! The policy, pure. In goes the text of a policy file and of what it refers to; out comes a [`Snapshot`]: keys, signers and
//! statements that decide, for a signer, an action and a resource, `Allow` or `Deny` and by which statement.
//!
//! `text → PolicyFile::parse → references → (the caller reads them) → compile → Snapshot → evaluate`
//!
//! Stricter than AWS, all at load: an unknown field, `s3:` action, condition operator, condition key or variable and an ARN of
//! too few parts are errors, where AWS lets some of them pass as rules that never apply. A gateway that drops what it
//! does not know turns a narrow grant into a wide one.

mod actions;
mod answer;
mod compile;
mod condition;
mod document;
mod error;
mod evaluate;
mod json;
mod pattern;
mod proof;
mod reference;
mod resource;
mod review;
mod revocation;
mod signer;
mod signing_keys;
mod snapshot;
mod statement;
mod template;
#[cfg(test)]
mod testing;
mod tree;
mod warning;
mod words;

use crate::types::case;

pub use compile::Compiled;
pub use condition::{ConditionKey, Context, Fact, GivenContext, PlainKey};
pub use document::{MAX_POLICY_BYTES, PolicyFile};
pub use error::{Location, PolicyError, Problem};
pub use evaluate::{Decision, Denial, StatementReference};
pub use reference::{Reference, References};
pub use review::Remark;
pub use revocation::{RevocationReference, Signed};
pub use signer::{Key, Signer};
pub use snapshot::{BroadGrant, Snapshot};
pub use statement::{Clause, Effect, Statement};
pub use warning::{Holds, PolicyWarning, Warned};

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use proptest::prelude::*;

    use super::{testing::decide_in, *};

    fn fixtures() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/policy")
    }

    /// What `live` does: parse, read what is referred to, compile.
    fn load(text: &str, name: &str, folder: &Path) -> Result<Compiled, PolicyError> {
        let file = PolicyFile::parse(text, name)?;
        let mut references = References::new();
        for reference in file.references() {
            let content = match &reference {
                Reference::SecretFile(path) | Reference::Document(path) => {
                    fs::read_to_string(folder.join(path)).map_err(|_| "no such file".to_owned())
                }
                Reference::SecretEnvironment(name) if name == "POSTERN_TEST_SECRET" => {
                    Ok("from a variable".to_owned())
                }
                Reference::SecretEnvironment(_) => Err("it is not set".to_owned()),
            };
            match content {
                Ok(content) => references.insert(reference, content),
                Err(reason) => references.insert_failure(reference, reason),
            }
        }
        file.compile(&references)
    }

    #[test]
    fn decisions_and_their_statements_are_those_of_the_fixtures() {
        let mut cases = 0;
        for entry in fs::read_dir(fixtures().join("decisions")).unwrap() {
            let folder = entry.unwrap().path();
            let text = fs::read_to_string(folder.join("policy.toml")).unwrap();
            let expected = fs::read_to_string(folder.join("expected.txt")).unwrap();
            let compiled =
                load(&text, "policy.toml", &folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
            let mut found: Vec<String> = compiled
                .warnings
                .iter()
                .map(|w| format!("warning: {w}"))
                .collect();
            let snapshot = Snapshot::new(compiled, 1, String::new());
            for line in expected.lines().filter(|line| !line.starts_with("warning: ")) {
                let (asked, _) = line.split_once(" => ").unwrap();
                let mut words = asked.split(' ');
                let [signer, action, resource] = [(); 3].map(|()| words.next().unwrap());
                let mut context = GivenContext::default();
                for (key, value) in words.map(|word| word.split_once('=').unwrap()) {
                    context.add(ConditionKey::parse(key).unwrap(), value.to_owned());
                }
                let decision = match decide_in(&snapshot, signer, action, resource, &context) {
                    Decision::Allow(statement) => format!("allow: {statement}"),
                    Decision::Deny(denial) => format!("deny: {denial}"),
                    Decision::Undecided => "undecided".to_owned(),
                };
                found.push(format!("{asked} => {decision}"));
            }
            assert_eq!(found.join("\n"), expected.trim_end(), "{}", folder.display());
            cases += 1;
        }
        assert_eq!(cases, 11);
    }

    #[test]
    fn load_errors_say_file_line_and_remedy_and_never_a_secret() {
        let folder = fixtures().join("errors");
        let mut found = Vec::new();
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let name = path.file_name().unwrap().to_str().unwrap();
            let text = fs::read_to_string(&path).unwrap();
            let error = load(&text, name, &folder)
                .err()
                .unwrap_or_else(|| panic!("{name} was taken for a policy"));
            let shown = format!("{name} => {error}");
            // Every fixture's secrets hold this word.
            assert!(
                !shown.contains("hush") && !format!("{error:?}").contains("hush"),
                "{name} tells a secret: {error:?}"
            );
            assert!(!shown.contains("5551234"), "{name} tells a secret");
            found.push(shown);
        }
        found.sort();
        let expected = fs::read_to_string(folder.join("expected.txt")).unwrap();
        assert_eq!(found.join("\n"), expected.trim_end(), "\n{}", found.join("\n"));
    }

    #[test]
    fn secrets_from_files_and_variables_lose_one_line_end_and_no_more() {
        let text = "[[signer]]\nname = \"a\"\naccess_key_id = \"A\"\nsecret_access_key_file = \"s\"\n";
        for (content, secret) in [
            ("x", Some("x")),
            ("x\n", Some("x")),
            ("x\r\n", Some("x")),
            (" x ", Some(" x ")),
            ("x\n\n", None),
            ("\n", None),
        ] {
            let file = PolicyFile::parse(text, "policy.toml").ok().unwrap();
            let mut references = References::new();
            references.insert(Reference::SecretFile("s".into()), content.to_owned());
            let compiled = file.compile(&references).ok();
            let found = compiled.map(|compiled| Snapshot::new(compiled, 1, String::new()));
            let found = found
                .as_ref()
                .map(|s| s.key("A").unwrap().secret_access_key().expose());
            assert_eq!(found, secret, "{content:?}");
        }
    }

    #[test]
    fn a_file_over_the_limit_is_refused_unread() {
        let text = "#".repeat(MAX_POLICY_BYTES + 1);
        let error = PolicyFile::parse(&text, "policy.toml").err().unwrap();
        assert_eq!(*error.problem, Problem::TooLarge);
        assert_eq!(
            error.to_string(),
            "policy.toml:1:1: over 16 MiB; split it into policy documents"
        );
    }

    #[test]
    fn references_are_told_in_order_and_once() {
        let text = fs::read_to_string(fixtures().join("decisions/shared-policies-and-documents/policy.toml"))
            .unwrap();
        let file = PolicyFile::parse(&text, "policy.toml").ok().unwrap();
        assert_eq!(
            file.references(),
            [
                Reference::SecretFile("alice.secret".into()),
                Reference::SecretEnvironment("POSTERN_TEST_SECRET".to_owned()),
                Reference::Document("documents/alice.json".into()),
                Reference::Document("documents/old.json".into()),
            ]
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[\\[\\]=\"{},. \na-z]{0,60}") {
            let _ = PolicyFile::parse(&text, "policy.toml").map_err(|error| error.to_string());
        }
    }
}
