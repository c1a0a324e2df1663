//! The file that records go to. A line is appended whole; a file that has grown too long is set aside, and the oldest is forgotten.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// A file that is open, or will be with the next line.
pub(super) struct AuditFile {
    path: PathBuf,
    rotate_bytes: u64,
    keep_files: usize,
    open: Option<(File, u64)>,
}

/// The name of a file that was set aside: 1 is the newest.
pub(super) fn set_aside(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

impl AuditFile {
    pub(super) fn new(path: PathBuf, rotate_bytes: u64, keep_files: usize) -> Self {
        Self {
            path,
            rotate_bytes,
            keep_files,
            open: None,
        }
    }

    /// Closes the file: the next line opens whatever has its name then.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// Opens the file where it is not.
    pub(super) fn open(&mut self) -> io::Result<&mut (File, u64)> {
        let open = match self.open.take() {
            Some(open) => open,
            None => self.opened()?,
        };
        Ok(self.open.insert(open))
    }

    fn opened(&self) -> io::Result<(File, u64)> {
        // Addresses and names are in it: for this user alone.
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)?;
        let metadata = file.metadata()?;
        let mut size = metadata.len();
        if metadata.is_file() && size > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                // A process was killed within a line.
                file.write_all(b"\n")?;
                size = size.saturating_add(1);
            }
        }
        Ok((file, size))
    }

    /// Appends whole lines.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let length = lines.len() as u64;
        let limit = self.rotate_bytes;
        let (_, size) = self.open()?;
        if *size > 0 && size.saturating_add(length) > limit {
            self.rotate()?;
        }
        let (file, size) = self.open()?;
        let written = file.write_all(lines);
        match written {
            Ok(()) => {
                *size = size.saturating_add(length);
                Ok(())
            }
            Err(error) => {
                // What was written of the lines is closed by a line end when it is opened again.
                self.close();
                Err(error)
            }
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.close();
        if self.keep_files == 0 {
            return fs::remove_file(&self.path);
        }
        for number in (1..self.keep_files).rev() {
            match fs::rename(set_aside(&self.path, number), set_aside(&self.path, number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        fs::rename(&self.path, set_aside(&self.path, 1))
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
        let mut file = AuditFile::new(path.clone(), 8, 2);
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
        let mut file = AuditFile::new(path.clone(), 1000, 2);
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
        AuditFile::new(path.clone(), 1000, 2).append(b"two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n{\"ti\ntwo\n");
    }
}
