//! The layer table of ARCHITECTURE.md: a module may use the layers below it, and its siblings only where the table says so.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Each module of `src/`, and the modules that it may name by `crate::`.
const MAY_USE: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("s3", &["types"]),
    ("sigv4", &["types"]),
    ("policy", &["types"]),
    ("verdict", &["types", "s3", "sigv4", "policy"]),
    ("explain", &["types", "s3", "sigv4", "policy", "verdict"]),
    ("clock", &["types"]),
    ("obstacle", &[]),
    ("operator_file", &[]),
    ("confine", &[]),
    ("separation", &[]),
    ("store", &["types", "clock", "obstacle"]),
    (
        "live",
        &[
            "types",
            "policy",
            "clock",
            "confine",
            "obstacle",
            "operator_file",
            "separation",
        ],
    ),
    ("audit", &["types", "policy", "clock", "confine", "obstacle"]),
    ("metrics", &["types", "s3"]),
    ("traces", &["types"]),
    (
        "gateway",
        &[
            "types", "s3", "sigv4", "policy", "verdict", "explain", "clock", "store", "live", "audit",
            "metrics", "traces",
        ],
    ),
    (
        "server",
        &[
            "types",
            "verdict",
            "clock",
            "store",
            "live",
            "metrics",
            "gateway",
            "operator_file",
        ],
    ),
    (
        "config",
        &[
            "types",
            "s3",
            "verdict",
            "confine",
            "obstacle",
            "operator_file",
            "store",
            "live",
            "audit",
            "metrics",
            "traces",
            "gateway",
            "server",
        ],
    ),
    (
        "cli",
        &[
            "types",
            "s3",
            "sigv4",
            "policy",
            "verdict",
            "explain",
            "clock",
            "confine",
            "obstacle",
            "separation",
            "operator_file",
            "store",
            "live",
            "audit",
            "metrics",
            "traces",
            "gateway",
            "server",
            "config",
        ],
    ),
];

/// The modules that take values and return data: no runtime, no files, no clock, no log.
const PURE: &[&str] = &["types", "s3", "sigv4", "policy", "verdict", "explain"];

/// What a pure module must not name.
const IMPURE: &[&str] = &[
    "tokio",
    "std::fs",
    "std::net::Tcp",
    "std::env",
    "std::time::SystemTime",
    "Instant::now",
    "now_utc",
    "tracing",
    "rustix",
    "notify",
    "std::thread",
];

pub(crate) fn sources(of: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(of).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

/// The program's own lines of one module: no comments, and nothing below a `#[cfg(test)]` module.
pub(crate) fn program_lines(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let program = text.split("#[cfg(test)]\nmod ").next().unwrap().to_owned();
    program
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn modules() -> Vec<(String, Vec<PathBuf>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = Vec::new();
    for entry in fs::read_dir(&root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            modules.push((name, sources(&path)));
        } else if !["lib", "main"].contains(&name.as_str()) {
            modules.push((name, vec![path]));
        }
    }
    modules
}

/// The first names behind each `crate::`, `use crate::{a::…, b::…}` included.
fn named(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for rest in text.split("crate::").skip(1) {
        let word = |s: &str| {
            s.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect::<String>()
        };
        match rest.strip_prefix('{') {
            None => {
                names.insert(word(rest));
            }
            Some(group) => {
                let (mut depth, mut item) = (0, String::new());
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            names.insert(word(item.trim()));
                            item.clear();
                        }
                        _ => {}
                    }
                    if depth == 0 && c != ',' {
                        item.push(c);
                    }
                }
                names.insert(word(item.trim()));
            }
        }
    }
    names.remove("");
    names
}

#[test]
fn every_module_uses_only_the_layers_below_it() {
    let mut wrong = Vec::new();
    for (module, files) in modules() {
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
            panic!("src/{module} stands in no layer: add it to the table here and in ARCHITECTURE.md");
        };
        for file in files {
            for name in named(&program_lines(&file)) {
                if name != module && !allowed.contains(&name.as_str()) {
                    wrong.push(format!("{} uses {name}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn pure_modules_take_values_and_return_data() {
    let mut wrong = Vec::new();
    for (module, files) in modules()
        .into_iter()
        .filter(|(module, _)| PURE.contains(&module.as_str()))
    {
        for file in files {
            let text = program_lines(&file);
            wrong.extend(
                IMPURE
                    .iter()
                    .filter(|word| text.contains(*word))
                    .map(|word| format!("{module}: {} names {word}", file.display())),
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_reader_of_names_sees_groups_and_paths() {
    let text = "use crate::{types::{A, B}, s3::Call}; fn f() { crate::store::x() } use crate::policy;";
    assert_eq!(
        named(text).into_iter().collect::<Vec<_>>(),
        ["policy", "s3", "store", "types"]
    );
}
