//! The sorted names of one folder, as keys have them: an object as `name`, a folder as `name` (should it hold the object of that name) and
//! as `name/`. An open folder goes in. Continuation folders are read with their parent; what is no key is left out.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd},
};

use rustix::{
    fs::{self as rfs, AtFlags, FileType},
    io::Errno,
};

use crate::store::disk::{
    mapping::{self, CONTINUED},
    structure,
};

use super::external::{Runs, Sorted};

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// An object.
    Object,
    /// The object named like a folder, if the folder holds one.
    ObjectOfFolder,
    /// A folder: the name ends with `/`.
    Folder,
}

impl Kind {
    /// As a byte, and back.
    pub(super) const ALL: [Self; 3] = [Self::Object, Self::ObjectOfFolder, Self::Folder];
}

/// The sorted names of a folder.
pub(super) struct Names {
    pub(super) sorted: SortedNames,
    /// Whether continuation folders were read with the folder: changes in them do not show on it.
    of_several_folders: bool,
}

/// Where the sorted names are.
pub(super) enum SortedNames {
    /// In memory: all bytes in one piece, and where each name ends.
    Memory(Block),
    /// On disk, with an index in memory.
    Disk(Sorted),
}

/// Names in memory, in one piece.
#[derive(Default)]
pub(super) struct Block {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    start: u32,
    length: u16,
    kind: Kind,
}

impl Block {
    /// The name at a place, and what it is.
    pub(super) fn get(&self, at: usize) -> Option<(&[u8], Kind)> {
        let entry = self.entries.get(at)?;
        Some((self.name(entry), entry.kind))
    }

    /// The first place whose name is not before, as `before` tells: names are sorted by it.
    pub(super) fn partition_point(&self, before: impl Fn(&[u8], Kind) -> bool) -> usize {
        self.entries
            .partition_point(|entry| before(self.name(entry), entry.kind))
    }

    pub(super) fn push(&mut self, name: &[u8], kind: Kind) {
        let (Ok(start), Ok(length)) = (u32::try_from(self.bytes.len()), u16::try_from(name.len())) else {
            // Longer than any key, or more than a block ever holds.
            return;
        };
        self.bytes.extend_from_slice(name);
        self.entries.push(Entry { start, length, kind });
    }

    pub(super) fn sort(&mut self) {
        let mut entries = std::mem::take(&mut self.entries);
        entries.sort_unstable_by(|a, b| (self.name(a), a.kind).cmp(&(self.name(b), b.kind)));
        self.entries = entries;
    }

    /// How many bytes of memory it takes.
    pub(super) fn weight(&self) -> u64 {
        (self.bytes.len() + self.entries.len() * size_of::<Entry>()) as u64
    }

    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.entries.shrink_to_fit();
    }

    fn name(&self, entry: &Entry) -> &[u8] {
        let start = entry.start as usize;
        let end = start.saturating_add(usize::from(entry.length));
        self.bytes.get(start..end).unwrap_or_default()
    }
}

impl Names {
    /// Reads and sorts a folder. `budget` is for the names in memory at a time; `temporary` makes a file for those beyond it.
    pub(super) fn read(
        folder: &File,
        budget: u64,
        temporary: impl Fn() -> io::Result<File>,
    ) -> io::Result<Self> {
        let mut reading = Reading {
            block: Block::default(),
            runs: Runs::default(),
            budget,
            temporary: &temporary,
            of_several_folders: false,
        };
        reading.add(folder.as_fd(), "")?;
        reading.finish()
    }

    /// How many bytes of memory they take.
    pub(super) fn weight(&self) -> u64 {
        match &self.sorted {
            SortedNames::Memory(block) => block.weight(),
            SortedNames::Disk(sorted) => sorted.weight(),
        }
    }

    /// Whether the folder's own state does not tell when they change.
    pub(super) fn is_of_several_folders(&self) -> bool {
        self.of_several_folders
    }
}

struct Reading<'t, T> {
    block: Block,
    runs: Runs,
    budget: u64,
    temporary: &'t T,
    of_several_folders: bool,
}

impl<T: Fn() -> io::Result<File>> Reading<'_, T> {
    /// Adds a folder's names; `above` are the continuation folders that lead to it.
    fn add(&mut self, folder: BorrowedFd<'_>, above: &str) -> io::Result<()> {
        for entry in rfs::Dir::read_from(folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            let kind = match entry.file_type() {
                FileType::Unknown => kind_of(folder, name)?,
                known => known,
            };
            match kind {
                FileType::Directory if name.starts_with(CONTINUED) => {
                    self.of_several_folders = true;
                    let inner = match structure::open_folder(folder, name) {
                        Ok(inner) => inner,
                        Err(Errno::NOENT | Errno::NOTDIR) => continue,
                        Err(error) => return Err(error.into()),
                    };
                    self.add(inner.as_fd(), &format!("{above}{name}/"))?;
                }
                FileType::Directory | FileType::RegularFile => {
                    let path = format!("{above}{name}");
                    let Some(segment) = mapping::segment(&path) else {
                        continue;
                    };
                    self.push(&segment, kind == FileType::Directory)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn push(&mut self, segment: &str, is_folder: bool) -> io::Result<()> {
        if is_folder {
            self.block.push(segment.as_bytes(), Kind::ObjectOfFolder);
            self.block.push(format!("{segment}/").as_bytes(), Kind::Folder);
        } else {
            self.block.push(segment.as_bytes(), Kind::Object);
        }
        if self.block.weight() > self.budget {
            let mut run = std::mem::take(&mut self.block);
            run.sort();
            self.runs.add(&run, (self.temporary)()?)?;
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<Names> {
        let of_several_folders = self.of_several_folders;
        self.sorted().map(|sorted| Names {
            sorted,
            of_several_folders,
        })
    }

    fn sorted(&mut self) -> io::Result<SortedNames> {
        self.block.sort();
        if self.runs.is_empty() {
            self.block.shrink();
            return Ok(SortedNames::Memory(std::mem::take(&mut self.block)));
        }
        self.runs.add(&self.block, (self.temporary)()?)?;
        self.block = Block::default();
        let runs = std::mem::take(&mut self.runs);
        Ok(SortedNames::Disk(runs.merge((self.temporary)()?)?))
    }
}

fn kind_of(folder: BorrowedFd<'_>, name: &str) -> io::Result<FileType> {
    match rfs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => Ok(FileType::from_raw_mode(found.st_mode)),
        Err(Errno::NOENT) => Ok(FileType::Unknown),
        Err(error) => Err(error.into()),
    }
}
