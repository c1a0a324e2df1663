//! The file that records go to. Lines are appended whole: what a full or failing disk leaves of half a line is cut off again. A file that has grown too
//! long is set aside, and the oldest is removed.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::SyncRecords;

/// A file that is open, or will be with the next line.
pub(super) struct AuditFile {
    path: PathBuf,
    rotate_bytes: u64,
    keep_files: usize,
    sync: SyncRecords,
    open: Option<OpenFile>,
}

struct OpenFile {
    file: File,
    /// Of a regular file: where its last whole line ends. A pipe and a device have no place to cut at.
    whole: Option<u64>,
    /// The bytes after that, of lines that did not get in whole.
    torn: u64,
    /// Its name may not be on stable storage yet, nor those of the files that were set aside.
    is_new: bool,
}

/// Lines that were not all appended.
#[derive(Debug)]
pub(super) struct NotAppended {
    /// The bytes that are in the file to stay, from the first line on: whole lines, except in a pipe or a device. They must not be appended again.
    pub(super) kept: usize,
    pub(super) error: io::Error,
}

impl From<io::Error> for NotAppended {
    fn from(error: io::Error) -> Self {
        Self { kept: 0, error }
    }
}

/// The name of a file that was set aside: 1 is the newest.
pub(super) fn set_aside(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

/// Writes what can be written. How many bytes that was, and why it was not all of them.
pub(super) fn write_some(to: &mut impl Write, bytes: &[u8]) -> Result<(), NotAppended> {
    let mut kept = 0;
    while let Some(rest) = bytes.get(kept..).filter(|rest| !rest.is_empty()) {
        let error = match to.write(rest) {
            Ok(0) => ErrorKind::WriteZero.into(),
            Ok(written) => {
                kept += written;
                continue;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => error,
        };
        return Err(NotAppended { kept, error });
    }
    Ok(())
}

impl AuditFile {
    pub(super) fn new(path: PathBuf, rotate_bytes: u64, keep_files: usize, sync: SyncRecords) -> Self {
        Self {
            path,
            rotate_bytes,
            keep_files,
            sync,
            open: None,
        }
    }

    /// Closes the file: the next line opens whatever has its name then.
    pub(super) fn close(&mut self) {
        if let Some(mut open) = self.open.take() {
            // If that fails, the half line gets an end when the file is opened again.
            _ = open.cut();
        }
    }

    /// Opens the file if it is not open.
    pub(super) fn open(&mut self) -> io::Result<()> {
        self.opened().map(drop)
    }

    fn opened(&mut self) -> io::Result<&mut OpenFile> {
        let open = match self.open.take() {
            Some(open) => open,
            None => OpenFile::open(&self.path)?,
        };
        Ok(self.open.insert(open))
    }

    /// Appends whole lines: all, or those that get in whole. With [`SyncRecords::Each`] it is all of them, on stable storage, or none.
    pub(super) fn append(&mut self, lines: &[u8]) -> Result<(), NotAppended> {
        self.make_room(lines.len() as u64)?;
        let (sync, path) = (self.sync, self.path.clone());
        let open = self.opened()?;
        let appended = write_some(&mut &open.file, lines);
        match sync {
            SyncRecords::Never => open.settle(lines, appended),
            SyncRecords::Each => {
                let synced = match appended {
                    Ok(()) => open.sync(&path).map_err(|error| NotAppended {
                        kept: lines.len(),
                        error,
                    }),
                    stopped @ Err(_) => stopped,
                };
                open.settle_all_or_nothing(lines.len(), synced)
            }
        }
    }

    /// Cuts off what is left of half a line, and sets the file aside if so many bytes more are too many.
    fn make_room(&mut self, more: u64) -> io::Result<()> {
        let most = self.rotate_bytes;
        let open = self.opened()?;
        open.cut()?;
        match open.whole {
            Some(whole) if whole > 0 && whole.saturating_add(more) > most => self.rotate(),
            Some(_) | None => Ok(()),
        }
    }

    /// Frees the file's name. If it fails half way, the next attempt goes on from there and shifts nothing twice.
    fn rotate(&mut self) -> io::Result<()> {
        self.close();
        if self.keep_files == 0 {
            return fs::remove_file(&self.path);
        }
        let is_free = |number: &usize| !set_aside(&self.path, *number).exists();
        let last = (1..self.keep_files).find(is_free).unwrap_or(self.keep_files);
        for number in (1..last).rev() {
            fs::rename(set_aside(&self.path, number), set_aside(&self.path, number + 1))?;
        }
        fs::rename(&self.path, set_aside(&self.path, 1))
    }
}

impl OpenFile {
    fn open(path: &Path) -> io::Result<Self> {
        // Addresses and names are in it: for this user alone.
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        let metadata = file.metadata()?;
        let mut open = Self {
            file,
            whole: None,
            torn: 0,
            is_new: true,
        };
        if metadata.is_file() {
            open.end_line()?;
        }
        Ok(open)
    }

    /// Ends the last line of a regular file, if a process was killed within it.
    fn end_line(&mut self) -> io::Result<()> {
        let mut length = self.file.metadata()?.len();
        if length > 0 {
            let mut last = [0];
            self.file.seek(SeekFrom::End(-1))?;
            self.file.read_exact(&mut last)?;
            if last != *b"\n" {
                self.file.write_all(b"\n")?;
                length = length.saturating_add(1);
            }
        }
        self.whole = Some(length);
        Ok(())
    }

    /// Notes what was appended of some lines, and cuts off half of one.
    fn settle(&mut self, lines: &[u8], appended: Result<(), NotAppended>) -> Result<(), NotAppended> {
        let written = appended
            .as_ref()
            .map_or_else(|stopped| stopped.kept, |()| lines.len());
        let Some(whole) = &mut self.whole else {
            return appended;
        };
        let lines = lines.get(..written).unwrap_or_default();
        let kept = lines
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        *whole = whole.saturating_add(kept as u64);
        self.torn = (written - kept) as u64;
        appended.map_err(|NotAppended { error, .. }| {
            // If that fails too, it is tried again before the next line.
            _ = self.cut();
            NotAppended { kept, error }
        })
    }

    /// The same if lines must not stay without all others. `Ok` says that all of them are on stable storage.
    fn settle_all_or_nothing(
        &mut self,
        length: usize,
        synced: Result<(), NotAppended>,
    ) -> Result<(), NotAppended> {
        match (synced, &mut self.whole) {
            (Ok(()), whole) => {
                *whole = whole.map(|whole| whole.saturating_add(length as u64));
                Ok(())
            }
            (Err(stopped), None) => Err(stopped),
            (Err(stopped), Some(_)) => {
                // A second sync would not tell whether these bytes got there. So they are written again.
                self.torn = stopped.kept as u64;
                _ = self.cut();
                Err(NotAppended { kept: 0, ..stopped })
            }
        }
    }

    /// Puts what was written on stable storage, and the file's name if it is new.
    fn sync(&mut self, path: &Path) -> io::Result<()> {
        self.file.sync_data()?;
        if self.is_new {
            let folder = match path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder,
                Some(_) | None => Path::new("."),
            };
            File::open(folder)?.sync_all()?;
            self.is_new = false;
        }
        Ok(())
    }

    /// Cuts the file back to the end of its last whole line.
    fn cut(&mut self) -> io::Result<()> {
        let (Some(whole), 1..) = (self.whole, self.torn) else {
            return Ok(());
        };
        if self.file.metadata()?.len() == whole.saturating_add(self.torn) {
            self.file.set_len(whole)?;
        } else {
            // Another program has cut or written it meanwhile.
            self.end_line()?;
        }
        self.torn = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(path: &Path) -> Vec<String> {
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let mut all = vec![read(path)];
        all.extend((1..5).map(|number| read(&set_aside(path, number))));
        all
    }

    #[test]
    fn a_file_that_is_full_is_set_aside_and_the_oldest_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let mut file = AuditFile::new(path.clone(), 8, 2, SyncRecords::Never);
        for line in [
            "one\n",
            "two\n",
            "three\n",
            "a line that is too long by itself\n",
            "five\n",
        ] {
            file.append(line.as_bytes()).unwrap();
        }
        assert_eq!(
            texts(&path),
            ["five\n", "a line that is too long by itself\n", "three\n", "", ""]
        );
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_another_program_moved_is_left_to_it_once_it_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let mut file = AuditFile::new(path.clone(), 1000, 2, SyncRecords::Never);
        file.append(b"one\n").unwrap();
        fs::rename(&path, folder.path().join("moved")).unwrap();
        file.append(b"two\n").unwrap();
        file.close();
        file.append(b"three\n").unwrap();
        assert_eq!(
            fs::read_to_string(folder.path().join("moved")).unwrap(),
            "one\ntwo\n"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
    }

    #[test]
    fn half_a_line_of_a_killed_process_does_not_spoil_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        fs::write(&path, "one\n{\"ti").unwrap();
        AuditFile::new(path.clone(), 1000, 2, SyncRecords::Never)
            .append(b"two\n")
            .unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n{\"ti\ntwo\n");
    }

    /// An appended half line, as a full disk leaves it: the file's own notes and its bytes.
    fn torn(file: &mut AuditFile, lines: &[u8], written: usize, sync: SyncRecords) -> usize {
        let open = file.open.as_mut().unwrap();
        (&open.file).write_all(&lines[..written]).unwrap();
        let full = || NotAppended {
            kept: written,
            error: ErrorKind::StorageFull.into(),
        };
        let stopped = match sync {
            SyncRecords::Never => open.settle(lines, Err(full())),
            SyncRecords::Each => open.settle_all_or_nothing(lines.len(), Err(full())),
        };
        stopped.unwrap_err().kept
    }

    #[test]
    fn full_disk_leaves_whole_lines_once_each() {
        let lines = b"two\nthree\nfour\n";
        for sync in [SyncRecords::Never, SyncRecords::Each] {
            for written in 0..lines.len() {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("audit.jsonl");
                let mut file = AuditFile::new(path.clone(), 1000, 2, sync);
                file.append(b"one\n").unwrap();
                let kept = torn(&mut file, lines, written, sync);
                let text = fs::read_to_string(&path).unwrap();
                assert!(
                    text.ends_with('\n') && text.len() == 4 + kept,
                    "{written}: {text}"
                );
                file.append(&lines[kept..]).unwrap();
                let text = fs::read_to_string(&path).unwrap();
                assert_eq!(text, "one\ntwo\nthree\nfour\n", "{written}");
            }
        }
    }

    #[test]
    fn half_line_that_cannot_be_cut_is_cut_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        for rotate_bytes in [1000, 8] {
            let mut file = AuditFile::new(path.clone(), rotate_bytes, 2, SyncRecords::Never);
            file.append(b"one\n").unwrap();
            let open = file.open.as_mut().unwrap();
            (&open.file).write_all(b"tw").unwrap();
            open.torn = 2;
            file.append(b"two\nthree\n").unwrap();
            let texts = texts(&path).concat();
            assert!(!texts.contains("twtwo") && !texts.contains("tw\n"), "{texts}");
            assert_eq!(texts.matches("two").count(), 1, "{texts}");
            (1..3).for_each(|number| drop(fs::remove_file(set_aside(&path, number))));
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn file_that_another_program_cut_is_not_padded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let mut file = AuditFile::new(path.clone(), 1000, 2, SyncRecords::Never);
        file.append(b"a first line that is long\n").unwrap();
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(0)
            .unwrap();
        torn(&mut file, b"two\n", 2, SyncRecords::Never);
        file.append(b"two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "tw\ntwo\n");
    }

    #[test]
    fn rotation_that_fails_shifts_no_file_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let mut file = AuditFile::new(path.clone(), 8, 3, SyncRecords::Never);
        for line in ["one..\n", "two..\n", "three\n"] {
            file.append(line.as_bytes()).unwrap();
        }
        // Removed under our hands: it cannot be set aside.
        fs::remove_file(&path).unwrap();
        for _ in 0..3 {
            file.rotate().unwrap_err();
        }
        file.append(b"four.\n").unwrap();
        file.append(b"five.\n").unwrap();
        assert_eq!(texts(&path), ["five.\n", "four.\n", "two..\n", "one..\n", ""]);
    }

    #[test]
    fn bytes_that_were_written_are_counted() {
        struct Short(Vec<u8>, usize);
        impl Write for Short {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let most = bytes.len().min(3).min(self.1 - self.0.len());
                if most == 0 {
                    return Err(ErrorKind::QuotaExceeded.into());
                }
                self.0.extend_from_slice(&bytes[..most]);
                Ok(most)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut short = Short(Vec::new(), 7);
        let stopped = write_some(&mut short, b"0123456789").unwrap_err();
        assert_eq!(
            (stopped.kept, stopped.error.kind()),
            (7, ErrorKind::QuotaExceeded)
        );
        assert_eq!(short.0, b"0123456");
        write_some(&mut Short(Vec::new(), 10), b"0123456789").unwrap();
    }
}
