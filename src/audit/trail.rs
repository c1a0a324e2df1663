//! The trail, read again: every file of it, the oldest first, line by line. The file of requests
//! without a verified signature is read along, so that records come in the order of their time.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use super::{Outcome, Record, file::set_aside, settings::refused_beside};

/// The longest line that is read; ours have a tenth of it.
const LONGEST_LINE: u64 = 64 * 1024;

/// The files of a trail. Iterating gives its records; what is no record is counted.
///
/// With `sync = "each"` a long answer has two lines: one that it began, and one when it ended. The first is given only if the second is missing, after all
/// others.
pub struct Trail {
    signed: Part,
    /// Answers that began, by request ID, whose end was not read yet.
    running: HashMap<String, Record>,
    /// None for a trail that comes from elsewhere.
    refused: Option<Part>,
}

/// One file, those that were set aside of it, and the record that is next.
struct Part {
    next: Option<Record>,
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
    /// Finds the files of a trail: the one that is written to, those that were set aside, and the
    /// same for requests without a verified signature. One of the first two must be there.
    pub fn open(path: &Path) -> Result<Self, TrailError> {
        let signed = Part::of_files(path);
        if signed.files.len() == 1 {
            // The one file must be readable; after a rotation it may be missing for a moment.
            File::open(path).map_err(|source| TrailError::Unreadable {
                path: path.to_owned(),
                source,
            })?;
        }
        Ok(Self {
            signed,
            running: HashMap::new(),
            refused: Some(Part::of_files(&refused_beside(path))),
        })
    }

    /// Reads a trail that comes from elsewhere, such as a log collector.
    pub fn of(reader: impl io::Read + 'static) -> Self {
        let reader: Box<dyn BufRead> = Box::new(BufReader::new(reader));
        Self {
            signed: Part {
                next: None,
                files: Vec::new(),
                open: Some((PathBuf::from("the trail"), reader)),
                unreadable: 0,
            },
            running: HashMap::new(),
            refused: None,
        }
    }

    /// How many lines so far were no records: written by half, or by another program.
    pub fn unreadable(&self) -> u64 {
        let refused = self.refused.as_ref().map_or(0, |part| part.unreadable);
        self.signed.unreadable.saturating_add(refused)
    }
}

impl Part {
    fn of_files(path: &Path) -> Self {
        let mut files = vec![path.to_owned()];
        let mut number = 1;
        while set_aside(path, number).exists() {
            files.push(set_aside(path, number));
            number += 1;
        }
        Self {
            next: None,
            files,
            open: None,
            unreadable: 0,
        }
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

impl Part {
    /// The next record, which is read and kept until it is taken.
    fn peek(&mut self) -> Result<Option<&Record>, TrailError> {
        while self.next.is_none() {
            let line = match self.line() {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(None),
                Err(error) => {
                    self.files.clear();
                    self.open = None;
                    return Err(error);
                }
            };
            match serde_json::from_slice(&line) {
                Ok(record) => self.next = Some(record),
                Err(_) => self.unreadable = self.unreadable.saturating_add(1),
            }
        }
        Ok(self.next.as_ref())
    }
}

impl Trail {
    /// The next record of the part whose next one was written first.
    fn read(&mut self) -> Result<Option<Record>, TrailError> {
        let Some(refused) = &mut self.refused else {
            self.signed.peek()?;
            return Ok(self.signed.next.take());
        };
        let part = match (self.signed.peek()?, refused.peek()?) {
            (Some(signed), Some(other)) if other.ended() < signed.ended() => refused,
            (None, Some(_)) => refused,
            (Some(_), _) | (None, None) => &mut self.signed,
        };
        Ok(part.next.take())
    }
}

impl Trail {
    /// The oldest answer whose end is not in the trail: it runs still, or the process was killed.
    fn without_end(&mut self) -> Option<Record> {
        let oldest = self.running.values().min_by_key(|record| record.time)?;
        let id = oldest.request_id.clone();
        self.running.remove(&id)
    }
}

impl Iterator for Trail {
    type Item = Result<Record, TrailError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.read() {
                Ok(Some(record)) if record.outcome == Outcome::Running => {
                    self.running.insert(record.request_id.clone(), record);
                }
                Ok(Some(record)) => {
                    if !self.running.is_empty() {
                        self.running.remove(&record.request_id);
                    }
                    return Some(Ok(record));
                }
                Ok(None) => return self.without_end().map(Ok),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
