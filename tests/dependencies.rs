//! What the project is made of, held by cargo alone: `deny.toml` says the same to cargo-deny, which not every machine has.

use std::{collections::BTreeSet, path::Path, process::Command};

use serde_json::Value;

fn rules() -> toml::Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml");
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

/// The texts of a list; of a list of tables, those under `key`.
fn texts<'r>(list: &'r toml::Value, key: &str) -> BTreeSet<&'r str> {
    let list = list.as_array().unwrap().iter();
    list.map(|item| item.as_str().or_else(|| item.get(key)?.as_str()).unwrap())
        .collect()
}

/// What is built on this machine, tests included: of other systems' packages cargo may have nothing here.
fn packages() -> Vec<Value> {
    let said = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        let output = command
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    let rustc = said("rustc", &["-vV"]);
    let host = rustc
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    let arguments = [
        "metadata",
        "--locked",
        "--offline",
        "--all-features",
        "--format-version",
        "1",
        "--filter-platform",
        host,
    ];
    let metadata: Value = serde_json::from_str(&said(env!("CARGO"), &arguments)).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Does an SPDX expression hold with these licences? `OR` and the older `/` offer a choice, `AND` does not.
fn is_allowed(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let text = expression.trim().replace(" / ", " OR ").replace('/', " OR ");
    let any = |text: &str| {
        text.split(" OR ")
            .any(|one| allowed.contains(one.trim_matches(['(', ')', ' '])))
    };
    text.split(" AND ").all(any)
}

#[test]
fn every_dependency_has_a_licence_that_is_allowed_and_none_is_banned_or_from_elsewhere() {
    let rules = rules();
    let allowed = texts(&rules["licenses"]["allow"], "");
    let banned = texts(&rules["bans"]["deny"], "name");
    let mut wrong = Vec::new();
    for package in packages() {
        let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
        let (name, licence) = (text("name"), text("license"));
        if !is_allowed(&licence, &allowed) {
            wrong.push(format!("{name}: {licence:?} is not allowed"));
        }
        if banned.contains(name.as_str()) {
            wrong.push(format!("{name} is banned"));
        }
        let registry = text("source") == "registry+https://github.com/rust-lang/crates.io-index";
        if name != "postern" && !registry {
            wrong.push(format!("{name} comes from {}", text("source")));
        }
    }
    assert!(wrong.is_empty(), "see deny.toml: {wrong:#?}");
}

#[test]
fn a_licence_expression_is_read_as_choice_and_sum() {
    let allowed = BTreeSet::from(["MIT", "ISC", "Unicode-3.0"]);
    for (expression, wanted) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("Apache-2.0 OR MIT", true),
        ("Unlicense/MIT", true),
        ("MIT AND GPL-3.0-only", false),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), wanted, "{expression}");
    }
}
