//! Keeps the gateway's own files out of the folders whose file names users choose.
//!
//! Users name buckets below `storage.root` and objects below a bucket's folder. A file of the
//! gateway that lies there can be read, replaced or renamed by an S3 request: the policy, a private
//! key, the audit trail. So such a configuration is refused. Paths are compared after symlinks are
//! resolved, every symlink on the way included, and folders by device and inode too, since one
//! folder can be mounted at two places.

use std::{
    ffi::OsString,
    fmt, fs,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

/// As many symlinks as Linux follows in one path.
const MOST_LINKS: usize = 40;

/// The folders whose file names users choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFolders(Vec<UserFolder>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct UserFolder {
    kind: FolderKind,
    /// As the configuration names it.
    path: PathBuf,
}

/// What users name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
enum FolderKind {
    /// `storage.root`: buckets.
    Root,
    /// The folder of the bucket of this name: objects.
    Bucket(String),
}

/// A path of the gateway's own that shares a namespace with users' names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap(Box<Found>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    path: PathBuf,
    /// Where it leads, if that is elsewhere.
    real: Option<PathBuf>,
    folder: UserFolder,
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// The path lies below the folder.
    Below,
    /// The folder has a name that rotating the file gives to another file.
    Rotated,
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = &self.0;
        let (path, folder) = (found.path.display(), found.folder.path.display());
        write!(f, "{path}")?;
        if let Some(real) = &found.real {
            write!(f, " (which leads to {})", real.display())?;
        }
        match (found.how, &found.folder.kind) {
            (How::Below, FolderKind::Root) => write!(
                f,
                " lies below storage.root ({folder}), where users' buckets have their names"
            ),
            (How::Below, FolderKind::Bucket(name)) => write!(
                f,
                " lies below the folder of the bucket \"{name}\" ({folder}), whose users could \
                 read and replace it"
            ),
            (How::Rotated, _) => write!(
                f,
                " would be rotated to the name of {folder}, which holds users' objects"
            ),
        }
    }
}

impl UserFolders {
    /// The root of the store, and the folders that are buckets, by name.
    pub fn new<'a>(root: &Path, buckets: impl IntoIterator<Item = (&'a str, &'a Path)>) -> Self {
        let root = UserFolder {
            kind: FolderKind::Root,
            path: root.to_owned(),
        };
        let buckets = buckets.into_iter().map(|(name, path)| UserFolder {
            kind: FolderKind::Bucket(name.to_owned()),
            path: path.to_owned(),
        });
        Self([root].into_iter().chain(buckets).collect())
    }

    /// One folder that is a bucket.
    pub fn of_bucket(name: &str, path: &Path) -> Self {
        Self(vec![UserFolder {
            kind: FolderKind::Bucket(name.to_owned()),
            path: path.to_owned(),
        }])
    }

    /// Without the root of the store, which must itself not lie in a bucket.
    pub fn buckets(&self) -> Self {
        let buckets = self.0.iter().filter(|folder| folder.kind != FolderKind::Root);
        Self(buckets.cloned().collect())
    }

    /// The first folder that this file, or a symlink on the way to it, lies in. The file need not
    /// be there.
    pub fn overlap(&self, file: &Path) -> Option<Overlap> {
        let names = names_on_the_way(file);
        let folder = self.0.iter().find(|folder| {
            let folder = RealFolder::of(&folder.path);
            names.iter().any(|name| folder.holds(name))
        })?;
        Some(Overlap::new(file, &names, folder, How::Below))
    }

    /// The first folder that rotating this file (to the same name with `.1`, `.2` and so on) would
    /// rename.
    pub fn rotated_over(&self, file: &Path) -> Option<Overlap> {
        let names = names_on_the_way(file);
        // Rotation renames the path as it is configured, not what a symlink of that name leads to.
        let named = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let parent = names_on_the_way(named.parent()?).pop()?;
        let first = parent.join(file.file_name()?);
        let is_rotation = |name: &Path| {
            let file_name = |path: &Path| path.file_name().map(|name| name.as_encoded_bytes().to_owned());
            let (Some(ours), Some(theirs)) = (file_name(&first), file_name(name)) else {
                return false;
            };
            let number = theirs.strip_prefix(&*ours);
            name.parent() == Some(&*parent)
                && match number {
                    Some([b'.', digits @ ..]) => digits.iter().all(u8::is_ascii_digit),
                    Some(rest) => rest.is_empty(),
                    None => false,
                }
        };
        let folder = self.0.iter().find(|folder| {
            let names = names_on_the_way(&folder.path);
            let above = |name: &PathBuf| name.ancestors().any(is_rotation);
            names.iter().any(above)
        })?;
        Some(Overlap::new(file, &names, folder, How::Rotated))
    }
}

impl Overlap {
    fn new(file: &Path, names: &[PathBuf], folder: &UserFolder, how: How) -> Self {
        let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let real = names.last().filter(|real| **real != path).cloned();
        let folder_path = std::path::absolute(&folder.path).unwrap_or_else(|_| folder.path.clone());
        Self(Box::new(Found {
            path,
            real,
            folder: UserFolder {
                kind: folder.kind.clone(),
                path: folder_path,
            },
            how,
        }))
    }
}

/// A folder, ready for comparisons.
struct RealFolder {
    path: Option<PathBuf>,
    identity: Option<(u64, u64)>,
}

impl RealFolder {
    fn of(path: &Path) -> Self {
        Self {
            path: names_on_the_way(path).pop(),
            identity: identity(path),
        }
    }

    fn holds(&self, name: &Path) -> bool {
        self.path.as_ref().is_some_and(|path| name.starts_with(path))
            || name
                .ancestors()
                .any(|above| self.identity.is_some() && identity(above) == self.identity)
    }
}

/// Device and inode.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// Walks a path as the kernel does. Returns each symlink that is passed, then the file at the end,
/// all with parents that are no symlinks. Names that do not exist stay as they are.
fn names_on_the_way(path: &Path) -> Vec<PathBuf> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut to_go = reversed(&path);
    let mut names = Vec::new();
    let mut here = PathBuf::new();
    while let Some(part) = to_go.pop() {
        match Path::new(&part).components().next() {
            Some(Component::RootDir) => here = PathBuf::from("/"),
            Some(Component::ParentDir) => _ = here.pop(),
            Some(Component::CurDir | Component::Prefix(_)) | None => {}
            Some(Component::Normal(name)) => {
                let next = here.join(name);
                match fs::read_link(&next) {
                    Ok(target) if names.len() < MOST_LINKS => {
                        to_go.extend(reversed(&target));
                        names.push(next);
                    }
                    Ok(_) | Err(_) => here = next,
                }
            }
        }
    }
    names.push(here);
    names
}

fn reversed(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev();
    parts.map(|part| part.as_os_str().to_owned()).collect()
}

#[cfg(test)]
mod tests;
