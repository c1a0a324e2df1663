//! What SECURITY.md says that something is shown by is there.

use std::{fs, path::Path};

use crate::layers::sources;

#[test]
fn every_test_and_fuzz_target_that_is_named_as_proof_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text: String = [root.join("src"), root.join("tests")]
        .iter()
        .flat_map(|folder| sources(folder))
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let document = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let rows = document
        .lines()
        .filter(|line| line.starts_with("| ") && line.matches(" | ").count() == 2);
    let (mut named, mut missing) = (0, Vec::new());
    for row in rows.filter(|row| !row.starts_with("| threat |")) {
        let proof = row.rsplit(" | ").next().unwrap().trim_end_matches('|').trim();
        assert!(proof.contains('`'), "nothing shows it: {row}");
        for name in proof.split('`').skip(1).step_by(2) {
            named += 1;
            let is_there = match name.strip_prefix("fuzz/") {
                Some(target) => root.join(format!("fuzz/fuzz_targets/{target}.rs")).exists(),
                None => text.contains(&format!("fn {name}(")),
            };
            if !is_there {
                missing.push(name);
            }
        }
    }
    assert!(
        missing.is_empty() && named > 60,
        "{named} are named, and these are nowhere: {missing:#?}"
    );
}

#[test]
fn every_fuzz_target_is_built_has_seeds_and_stands_in_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| fs::read_to_string(root.join(file)).unwrap();
    let (manifest, document) = (read("fuzz/Cargo.toml"), read("SECURITY.md"));
    for entry in fs::read_dir(root.join("fuzz/fuzz_targets")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "{name} is not built"
        );
        assert!(
            document.contains(&format!("`fuzz/{name}`")),
            "{name} is not in SECURITY.md"
        );
        let seeds = root.join("fuzz/seeds").join(name);
        assert!(
            fs::read_dir(seeds).is_ok_and(|seeds| seeds.count() > 0),
            "{name} has no seeds"
        );
    }
}
