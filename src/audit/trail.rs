//! The trail, read again: every file of it, the oldest first, line by line.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use super::{Record, file::set_aside};

/// The longest line that is read; ours have a tenth of it.
const LONGEST_LINE: u64 = 64 * 1024;

/// The files of a trail. Iterating gives its records; what is no record is counted.
pub struct Trail {
    /// Not read yet, the next one last.
    files: Vec<PathBuf>,
    open: Option<(PathBuf, Box<dyn BufRead>)>,
    unreadable: u64,
}

/// Why a trail cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TrailError {
    /// A file of it cannot be read.
    #[error("{path}: cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Trail {
    /// Finds the files of a trail: the one that is written to, and those that were set aside. One of them must be there.
    pub fn open(path: &Path) -> Result<Self, TrailError> {
        let mut files = vec![path.to_owned()];
        let mut number = 1;
        while set_aside(path, number).exists() {
            files.push(set_aside(path, number));
            number += 1;
        }
        if number == 1 {
            // The one file must be readable; after a rotation it may be missing for a moment.
            File::open(path).map_err(|source| TrailError::Unreadable {
                path: path.to_owned(),
                source,
            })?;
        }
        Ok(Self {
            files,
            open: None,
            unreadable: 0,
        })
    }

    /// Reads a trail that comes from elsewhere, such as a log collector.
    pub fn of(reader: impl io::Read + 'static) -> Self {
        let reader: Box<dyn BufRead> = Box::new(BufReader::new(reader));
        Self {
            files: Vec::new(),
            open: Some((PathBuf::from("the trail"), reader)),
            unreadable: 0,
        }
    }

    /// How many lines so far were no records: written by half, or by another program.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// The next line, without its end; nothing at the end of all files.
    fn line(&mut self) -> Result<Option<Vec<u8>>, TrailError> {
        loop {
            let (path, reader) = match &mut self.open {
                Some(open) => open,
                None => {
                    let Some(path) = self.files.pop() else {
                        return Ok(None);
                    };
                    match File::open(&path) {
                        Ok(file) => self.open.insert((path, Box::new(BufReader::new(file)))),
                        // It was set aside further while we read, or has just been.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                        Err(source) => return Err(TrailError::Unreadable { path, source }),
                    }
                }
            };
            let mut line = Vec::new();
            let read = io::Read::take(&mut *reader, LONGEST_LINE).read_until(b'\n', &mut line);
            let read = read.map_err(|source| TrailError::Unreadable {
                path: path.clone(),
                source,
            })?;
            if read > 0 {
                return Ok(Some(line));
            }
            self.open = None;
        }
    }
}

impl Iterator for Trail {
    type Item = Result<Record, TrailError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = match self.line() {
                Ok(line) => line?,
                Err(error) => {
                    self.files.clear();
                    self.open = None;
                    return Some(Err(error));
                }
            };
            match serde_json::from_slice(&line) {
                Ok(record) => return Some(Ok(record)),
                Err(_) => self.unreadable = self.unreadable.saturating_add(1),
            }
        }
    }
}
