//! What stands in the way of a path, told to the operator: who this process is, whose the path is, and what to run. In go a path, what was wanted of it
//! and the system's error; out comes a text. It looks at the path when it is made, and changes nothing.
//!
//! It is for starts and reloads, where a mount, an owner or a mode is wrong. The system says "Permission denied" of a path and not of which
//! part of it; so the parts are gone through from the top.

use std::{
    fmt, fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// What was wanted of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// To read a file, or to list a folder.
    Read,
    /// To make it, or to write into what is there.
    Write,
}

/// A path that cannot be used, and why.
#[derive(Debug)]
pub struct Obstacle {
    path: PathBuf,
    wanted: Wanted,
    source: io::Error,
    user: User,
    /// From the top to the path itself, as far as it can be seen.
    parts: Vec<Part>,
}

/// Whom this process runs as.
#[derive(Clone, Debug)]
struct User {
    id: u32,
    group: u32,
    /// Those besides.
    groups: Vec<u32>,
}

/// A folder on the way, or the path itself.
#[derive(Clone, Debug)]
struct Part {
    path: PathBuf,
    owner: u32,
    group: u32,
    mode: u32,
    folder: bool,
}

const READ: u32 = 0o4;
const WRITE: u32 = 0o2;
/// To look for a name in a folder.
const SEARCH: u32 = 0o1;

impl Obstacle {
    /// Looks at what there is.
    pub fn new(path: &Path, wanted: Wanted, source: io::Error) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut ways: Vec<&Path> = path.ancestors().collect();
        ways.reverse();
        let parts = ways.into_iter().map_while(|way| {
            let found = fs::metadata(way).ok()?;
            Some(Part {
                path: way.to_owned(),
                owner: found.uid(),
                group: found.gid(),
                mode: found.mode() & 0o7777,
                folder: found.is_dir(),
            })
        });
        let parts = parts.collect();
        let user = User {
            id: rustix::process::geteuid().as_raw(),
            group: rustix::process::getegid().as_raw(),
            groups: rustix::process::getgroups()
                .unwrap_or_default()
                .into_iter()
                .map(rustix::process::Gid::as_raw)
                .collect(),
        };
        Self {
            path,
            wanted,
            source,
            user,
            parts,
        }
    }

    /// The system's own error.
    pub fn source(&self) -> &io::Error {
        &self.source
    }

    /// The first part whose mode does not let this user on, and what it would need.
    fn culprit(&self) -> Option<(&Part, u32)> {
        let (last, ways) = self.parts.split_last()?;
        let on_the_way = ways.iter().map(|part| (part, SEARCH));
        let need = match self.wanted {
            // What is not there yet is made in the folder that is.
            Wanted::Write if last.folder => WRITE | SEARCH,
            Wanted::Write => WRITE,
            Wanted::Read if last.path != self.path => SEARCH,
            Wanted::Read if last.folder => READ | SEARCH,
            Wanted::Read => READ,
        };
        on_the_way
            .chain([(last, need)])
            .find(|(part, need)| !self.user.may(part, *need))
    }

    fn denied(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let User { id, group, .. } = self.user;
        write!(f, ": this process runs as user {id} and group {group}")?;
        let Some((part, need)) = self.culprit() else {
            return f.write_str(
                ", whom owner and mode let; look for a sandbox (systemd: ReadWritePaths=), an access control list, SELinux or AppArmor",
            );
        };
        let path = part.path.display();
        let Part {
            owner,
            group: others,
            mode,
            ..
        } = part;
        write!(
            f,
            ", and {path} belongs to user {owner} and group {others} with mode {mode:04o}; "
        )?;
        if need == SEARCH {
            return write!(
                f,
                "run `chmod o+x {path}`, or put the file where this user may go"
            );
        }
        let own = self.user.id == *owner;
        match (own, part.folder, self.wanted) {
            (true, true, _) => write!(f, "run `chmod u+rwx {path}`"),
            (true, false, Wanted::Read) => write!(f, "run `chmod u+r {path}`"),
            (true, false, Wanted::Write) => write!(f, "run `chmod u+w {path}`"),
            (false, _, _) => write!(
                f,
                "run `chown {id}:{group} {path}`, or run postern as user {owner} (docker run --user {owner}:{others})"
            ),
        }
    }

    fn missing(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts.last() {
            Some(last) if last.path != self.path => write!(
                f,
                ": there is {}, and nothing of this name in it; see that the path is right and, where it is a volume, that it is mounted",
                last.path.display()
            ),
            Some(_) | None => Ok(()),
        }
    }
}

impl User {
    /// Does the mode let this user do it?
    fn may(&self, part: &Part, need: u32) -> bool {
        let bits = if self.id == 0 {
            return true;
        } else if self.id == part.owner {
            part.mode >> 6
        } else if self.group == part.group || self.groups.contains(&part.group) {
            part.mode >> 3
        } else {
            part.mode
        };
        bits & need == need
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)?;
        match self.source.kind() {
            io::ErrorKind::PermissionDenied => self.denied(f),
            io::ErrorKind::NotFound => self.missing(f),
            io::ErrorKind::ReadOnlyFilesystem => f.write_str(
                ": it is mounted for reading only; mount it for writing (docker: a volume without `:ro`; systemd: ReadWritePaths=), or name another place",
            ),
            io::ErrorKind::NotADirectory => f.write_str(": a part of the path is a file, and not a folder"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(path: &str, owner: u32, group: u32, mode: u32) -> Part {
        Part {
            path: path.into(),
            owner,
            group,
            mode,
            folder: !path.ends_with(".toml"),
        }
    }

    fn said(path: &str, wanted: Wanted, kind: io::ErrorKind, parts: Vec<Part>) -> String {
        let obstacle = Obstacle {
            path: path.into(),
            wanted,
            source: kind.into(),
            user: User {
                id: 10001,
                group: 10001,
                groups: vec![20],
            },
            parts,
        };
        obstacle.to_string()
    }

    #[test]
    fn it_names_the_path_that_is_in_the_way_whose_it_is_who_wants_it_and_what_to_run() {
        use io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem};
        let top = || vec![part("/", 0, 0, 0o755), part("/srv", 0, 0, 0o755)];
        let with = |more: Part| [top(), vec![more]].concat();
        let me = "this process runs as user 10001 and group 10001";
        for (path, wanted, kind, parts, words) in [
            (
                "/srv/data",
                Wanted::Write,
                PermissionDenied,
                with(part("/srv/data", 0, 0, 0o755)),
                vec![
                    me,
                    "/srv/data belongs to user 0 and group 0 with mode 0755",
                    "`chown 10001:10001 /srv/data`",
                    "docker run --user 0:0",
                ],
            ),
            (
                "/srv/data/~!postern",
                Wanted::Write,
                PermissionDenied,
                with(part("/srv/data", 10001, 0, 0o555)),
                vec![me, "mode 0555", "`chmod u+rwx /srv/data`"],
            ),
            (
                "/srv/data",
                Wanted::Write,
                PermissionDenied,
                top(),
                vec!["/srv belongs to user 0", "`chown 10001:10001 /srv`"],
            ),
            (
                "/srv/data",
                Wanted::Read,
                PermissionDenied,
                with(part("/srv/data", 0, 20, 0o730)),
                vec!["group 20 with mode 0730", "`chown 10001:10001 /srv/data`"],
            ),
            (
                "/srv/policy.toml",
                Wanted::Read,
                PermissionDenied,
                with(part("/srv/policy.toml", 0, 0, 0o600)),
                vec![
                    me,
                    "/srv/policy.toml belongs to user 0 and group 0 with mode 0600",
                    "`chown 10001:10001 /srv/policy.toml`",
                ],
            ),
            (
                "/srv/policy.toml",
                Wanted::Read,
                PermissionDenied,
                with(part("/srv/policy.toml", 10001, 0, 0o044)),
                vec!["`chmod u+r /srv/policy.toml`"],
            ),
            (
                "/root/policy.toml",
                Wanted::Read,
                PermissionDenied,
                vec![part("/", 0, 0, 0o755), part("/root", 0, 0, 0o700)],
                vec!["/root belongs to user 0", "`chmod o+x /root`"],
            ),
            (
                "/srv/data",
                Wanted::Write,
                PermissionDenied,
                with(part("/srv/data", 10001, 0, 0o755)),
                vec![me, "ReadWritePaths="],
            ),
            (
                "/srv/data",
                Wanted::Read,
                NotFound,
                top(),
                vec!["there is /srv, and nothing of this name in it", "mounted"],
            ),
            (
                "/srv/data/b",
                Wanted::Write,
                ReadOnlyFilesystem,
                with(part("/srv/data", 10001, 0, 0o755)),
                vec!["for reading only", "without `:ro`"],
            ),
        ] {
            let said = said(path, wanted, kind, parts);
            for word in words {
                assert!(said.contains(word), "{path}: {said:?} should say {word:?}");
            }
        }
    }

    #[test]
    fn what_is_there_is_looked_at_as_far_as_it_goes() {
        let home = tempfile::tempdir().unwrap();
        let obstacle = Obstacle::new(
            &home.path().join("no/such"),
            Wanted::Read,
            io::ErrorKind::NotFound.into(),
        );
        assert_eq!(obstacle.parts.last().unwrap().path, home.path());
        assert!(
            obstacle
                .to_string()
                .contains(&format!("there is {}", home.path().display()))
        );
    }
}
