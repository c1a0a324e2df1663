//! One page, by walking folders in order from where the page begins. What cannot be on the page is not walked: folders before its beginning
//! or beside its prefix, and everything behind a rolled-up name.

use std::{
    fs::File,
    io,
    ops::ControlFlow,
    os::fd::{AsFd, BorrowedFd},
    path::PathBuf,
    sync::Arc,
};

use rustix::{
    fs::{self as rfs, AtFlags, FileType, Mode},
    io::Errno,
};

use crate::{
    store::{
        ListQuery, Listed, Page, StoreError,
        disk::{
            Folders,
            mapping::{self, OBJECT_OF_FOLDER},
            structure,
            temporary::Temporary,
        },
    },
    types::{BucketName, ObjectKey},
};

use super::names::{Block, Kind, Names, SortedNames};

/// A walk for one page.
pub(super) struct Walk<'w> {
    folders: &'w Folders,
    bucket: &'w BucketName,
    query: &'w ListQuery,
    /// Nothing before this is on the page any more.
    from: Vec<u8>,
    page: Page,
}

/// The walk is over.
enum Stop {
    /// The page is full, and there is more.
    Full,
    /// Nothing further can begin with the prefix.
    End,
    /// This.
    Failed(StoreError),
}

type Step = ControlFlow<Stop>;

impl<'w> Walk<'w> {
    pub(super) fn new(folders: &'w Folders, bucket: &'w BucketName, query: &'w ListQuery) -> Self {
        let mut walk = Self {
            folders,
            bucket,
            query,
            from: query.prefix.clone().into_bytes(),
            page: Page::default(),
        };
        if let Some(after) = &query.after {
            let rolled_up = walk.rolled_up(after).is_some_and(|common| common == *after);
            let from = match rolled_up {
                true => behind_all(after.as_bytes()),
                false => [after.as_bytes(), b"\0"].concat(),
            };
            walk.from = walk.from.max(from);
        }
        walk
    }

    pub(super) fn page(mut self, bucket: File) -> Result<Page, StoreError> {
        if self.query.limit == 0 {
            return Ok(self.page);
        }
        match self.folder(&bucket, "") {
            ControlFlow::Break(Stop::Full) => self.page.more = true,
            ControlFlow::Break(Stop::Failed(error)) => return Err(error),
            ControlFlow::Break(Stop::End) | ControlFlow::Continue(()) => {}
        }
        Ok(self.page)
    }

    /// Walks a folder whose keys all begin with `base`.
    fn folder(&mut self, folder: &File, base: &str) -> Step {
        let names = match self.names(folder, base) {
            Ok(names) => names,
            Err(stop) => return ControlFlow::Break(stop),
        };
        match &names.sorted {
            SortedNames::Memory(block) => self.block(folder, base, block),
            SortedNames::Disk(sorted) => {
                let mut number = sorted.partition_point(|name, kind| self.is_before(base, name, kind));
                loop {
                    match sorted.block(number) {
                        Ok(Some(block)) => self.block(folder, base, &block)?,
                        Ok(None) => return ControlFlow::Continue(()),
                        Err(error) => return ControlFlow::Break(self.unreadable(base, error)),
                    }
                    let next = sorted.partition_point(|name, kind| self.is_before(base, name, kind));
                    number = next.max(number.saturating_add(1));
                }
            }
        }
    }

    fn block(&mut self, folder: &File, base: &str, block: &Block) -> Step {
        let mut at = 0;
        loop {
            // What was rolled up may have moved the beginning far on.
            let from = block.partition_point(|name, kind| self.is_before(base, name, kind));
            at = from.max(at);
            let Some((name, kind)) = block.get(at) else {
                return ControlFlow::Continue(());
            };
            let Ok(name) = std::str::from_utf8(name) else {
                continue;
            };
            self.entry(folder, &format!("{base}{name}"), kind)?;
            at = at.saturating_add(1);
        }
    }

    /// Looks at one name: `whole` is the key, or what the keys in a folder begin with.
    fn entry(&mut self, folder: &File, whole: &str, kind: Kind) -> Step {
        let prefix = self.query.prefix.as_str();
        let matches = whole.starts_with(prefix);
        let leads_to = kind == Kind::Folder && prefix.starts_with(whole);
        if !matches && !leads_to {
            // In order, and `from` is never before the prefix: whatever follows is behind all that begins with it.
            return match whole.as_bytes() > prefix.as_bytes() {
                true => ControlFlow::Break(Stop::End),
                false => ControlFlow::Continue(()),
            };
        }
        // Where the page begins inside a folder, only what is behind its beginning counts: its names are gone through one by one.
        let begins_inside =
            kind == Kind::Folder && self.from.len() > whole.len() && self.from.starts_with(whole.as_bytes());
        if !begins_inside && let Some(common) = self.rolled_up(whole).map(str::to_owned) {
            let is_there = match kind {
                Kind::Object => Ok(true),
                Kind::ObjectOfFolder => self.object_of_folder(folder, whole).map(|found| found.is_some()),
                Kind::Folder => self.open(folder, whole).and_then(|inner| match inner {
                    Some(inner) => holds_a_key(inner.as_fd(), Within::Outermost),
                    None => Ok(false),
                }),
            };
            return match is_there {
                Ok(true) => {
                    self.add(Listed::CommonPrefix(common.clone()))?;
                    self.from = behind_all(common.as_bytes());
                    ControlFlow::Continue(())
                }
                Ok(false) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(self.unreadable(whole, error)),
            };
        }
        match kind {
            Kind::Object | Kind::ObjectOfFolder => self.object(whole),
            Kind::Folder => match self.open(folder, whole) {
                Ok(Some(inner)) => self.folder(&inner, whole),
                Ok(None) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(self.unreadable(whole, error)),
            },
        }
    }

    fn object(&mut self, key: &str) -> Step {
        let Ok(key) = ObjectKey::parse(key) else {
            return ControlFlow::Continue(());
        };
        match self.folders.find_now(self.bucket, &key) {
            Ok(found) => self.add(Listed::Object(key, found.attributes)),
            // It is there, and one such object must not keep the others from being listed.
            Err(StoreError::Undescribed { .. }) => match self.folders.undescribed(self.bucket, &key) {
                Ok(attributes) => self.add(Listed::Object(key, Arc::new(attributes))),
                Err(StoreError::NoSuchKey) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(Stop::Failed(error)),
            },
            // Gone in between, or no object at a second look.
            Err(StoreError::NoSuchKey) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Stop::Failed(error)),
        }
    }

    fn add(&mut self, entry: Listed) -> Step {
        if self.page.entries.len() >= self.query.limit {
            return ControlFlow::Break(Stop::Full);
        }
        self.page.entries.push(entry);
        ControlFlow::Continue(())
    }

    /// Is this name, or everything in this folder, before where the page goes on?
    fn is_before(&self, base: &str, name: &[u8], kind: Kind) -> bool {
        let Some(from) = self.from.strip_prefix(base.as_bytes()) else {
            // The whole folder is behind it, or (which the walk rules out) before it.
            return base.as_bytes() < self.from.as_slice();
        };
        match kind {
            Kind::Object | Kind::ObjectOfFolder => name < from,
            Kind::Folder => name < from && !from.starts_with(name),
        }
    }

    /// What a key, or the beginning of keys, is rolled up to: it up to the first delimiter behind the prefix.
    fn rolled_up<'k>(&self, whole: &'k str) -> Option<&'k str> {
        let delimiter = self.query.delimiter.as_deref()?;
        let behind = whole.strip_prefix(self.query.prefix.as_str())?;
        let end = behind.find(delimiter)?.checked_add(delimiter.len())?;
        whole.get(..self.query.prefix.len().checked_add(end)?)
    }

    /// Opens the folder that a name ending in `/` stands for; none where it is gone.
    fn open(&self, folder: &File, whole: &str) -> io::Result<Option<File>> {
        let mut inner = folder.try_clone()?;
        for name in folder_path(whole).split('/') {
            inner = match structure::open_folder(inner.as_fd(), name) {
                Ok(inner) => inner,
                Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
        }
        Ok(Some(inner))
    }

    fn object_of_folder(&self, folder: &File, whole: &str) -> io::Result<Option<()>> {
        let inner = self.open(folder, &format!("{whole}/"))?;
        let found = inner.and_then(|inner| is_file(inner.as_fd(), OBJECT_OF_FOLDER).then_some(()));
        Ok(found)
    }

    fn names(&self, folder: &File, base: &str) -> Result<Arc<Names>, Stop> {
        let listings = &self.folders.listings;
        let temporary = || {
            let bucket = self.folders.open_bucket(self.bucket).map_err(io::Error::other)?;
            let made = Temporary::create(self.folders.writable(&bucket), Mode::from_raw_mode(0o600))?;
            // Its name goes at once, its bytes with the last descriptor.
            made.file.try_clone()
        };
        let read = || Names::read(folder, listings.budget / 2, temporary);
        let changes = self.folders.changes_in(self.bucket, base);
        let names = listings.cache.names(folder, &changes, read);
        names.map_err(|error| self.unreadable(base, error))
    }

    fn unreadable(&self, base: &str, source: io::Error) -> Stop {
        let path: PathBuf = self.folders.path_of(self.bucket, base);
        Stop::Failed(StoreError::unreadable(path, source))
    }
}

/// The first text behind everything that begins with this one.
fn behind_all(prefix: &[u8]) -> Vec<u8> {
    let mut next = prefix.to_vec();
    while let Some(last) = next.pop() {
        if let Some(more) = last.checked_add(1) {
            next.push(more);
            return next;
        }
    }
    // No UTF-8 has a byte of 255, so this is behind every key.
    vec![u8::MAX]
}

/// The path of a folder in its parent: of the last segment of a key's beginning that ends in `/`.
fn folder_path(whole: &str) -> String {
    let segment = whole.strip_suffix('/').unwrap_or(whole);
    mapping::segment_path(segment.rsplit('/').next().unwrap_or_default())
}

fn is_file(folder: BorrowedFd<'_>, name: &str) -> bool {
    rfs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::RegularFile)
}

/// Which folder is looked through: `~@` in the outermost is the object named like that folder, whose key does not begin with its name and
/// a slash; `~@` further in is a key below it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Outermost,
    Inner,
}

/// Does any key begin with the folder's own and a slash? It ends with the first one.
fn holds_a_key(folder: BorrowedFd<'_>, within: Within) -> io::Result<bool> {
    let mut inner = Vec::new();
    for entry in rfs::Dir::read_from(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else {
            continue;
        };
        if name == "." || name == ".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown if is_file(folder, name) => FileType::RegularFile,
            FileType::Unknown => FileType::Directory,
            known => known,
        };
        match kind {
            FileType::RegularFile if mapping::is_segment(name) => return Ok(true),
            FileType::RegularFile if name == OBJECT_OF_FOLDER && within == Within::Inner => return Ok(true),
            FileType::Directory if mapping::is_segment(name) || name.starts_with(mapping::CONTINUED) => {
                inner.push(name.to_owned());
            }
            _ => {}
        }
    }
    for name in inner {
        match structure::open_folder(folder, &name) {
            Ok(inner) if holds_a_key(inner.as_fd(), Within::Inner)? => return Ok(true),
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}
