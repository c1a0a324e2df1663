use std::os::unix::fs::symlink;

use super::*;

struct Home(tempfile::TempDir);

impl Home {
    fn new(folders: &[&str]) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        for folder in folders {
            fs::create_dir_all(home.path(folder)).unwrap();
        }
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    /// The root `data`, and the folder `films` as a bucket.
    fn folders(&self) -> UserFolders {
        let films = self.path("films");
        UserFolders::new(&self.path("data"), [("films", films.as_path())])
    }

    fn overlap(&self, name: &str) -> String {
        let overlap = self.folders().overlap(&self.path(name));
        overlap.map(|overlap| overlap.to_string()).unwrap_or_default()
    }
}

#[test]
fn files_beside_the_folders_are_accepted() {
    let home = Home::new(&["data", "films", "etc"]);
    for apart in [
        "policy.toml",
        "etc/policy.toml",
        "data.toml",
        "films2/x",
        "no/such/x",
    ] {
        assert_eq!(home.overlap(apart), "", "{apart}");
    }
}

#[test]
fn files_below_a_folder_are_refused_with_both_paths() {
    let home = Home::new(&["films"]);
    let (data, films) = (home.path("data"), home.path("films"));
    for below in ["audit.jsonl", "x/y/key.pem"] {
        // The root need not be there yet.
        assert_eq!(
            home.overlap(&format!("data/{below}")),
            format!(
                "{} lies below storage.root ({}), where users' buckets have their names",
                data.join(below).display(),
                data.display()
            )
        );
        let said = home.overlap(&format!("films/{below}"));
        assert!(
            said.contains(&format!("the bucket \"films\" ({})", films.display())),
            "{said}"
        );
    }
    assert!(home.overlap("etc/../films/a").contains("films"), "a path with ..");
}

#[test]
fn symlinks_are_resolved_on_both_sides() {
    let home = Home::new(&["data/abc", "etc", "real-films"]);
    symlink("../data/abc/p", home.path("etc/leads-in")).unwrap();
    symlink("../../etc/p", home.path("data/abc/leads-out")).unwrap();
    symlink("../data/abc/leads-out", home.path("etc/leads-through")).unwrap();
    symlink("real-films", home.path("films")).unwrap();
    symlink("data", home.path("data-link")).unwrap();
    assert!(home.overlap("etc/leads-in").contains("(which leads to "));
    assert_ne!(home.overlap("data/abc/leads-out"), "");
    assert_ne!(
        home.overlap("etc/leads-through"),
        "",
        "a link that users can replace"
    );
    assert_ne!(home.overlap("real-films/p"), "", "the bucket is a symlink");
    assert_ne!(home.overlap("data-link/new"), "");
    assert_eq!(home.overlap("etc/p"), "");
}

#[test]
fn a_folder_is_recognised_by_its_inode() {
    let home = Home::new(&["data", "films"]);
    let folder = RealFolder {
        path: None,
        identity: identity(&home.path("films")),
    };
    assert!(folder.holds(&home.path("films/a/b")));
    assert!(!folder.holds(&home.path("data/a")));
}

#[test]
fn rotation_never_renames_a_users_folder() {
    let home = Home::new(&["log"]);
    for (root, trail, refused) in [
        ("log/audit.jsonl.3", "log/audit.jsonl", true),
        ("log/audit.jsonl.3/deeper", "log/audit.jsonl", true),
        ("log/audit.jsonl", "log/audit.jsonl", true),
        ("log/audit.jsonl.d", "log/audit.jsonl", false),
        ("log/data", "log/audit.jsonl", false),
        ("data/audit.jsonl.3", "log/audit.jsonl", false),
    ] {
        let folders = UserFolders::new(&home.path(root), []);
        let found = folders.rotated_over(&home.path(trail));
        assert_eq!(found.is_some(), refused, "{root}");
    }
}

#[test]
fn a_loop_of_symlinks_ends() {
    let home = Home::new(&[]);
    symlink("loop", home.path("loop")).unwrap();
    assert_eq!(home.overlap("loop"), "");
}
