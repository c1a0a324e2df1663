//! Reads files that an operator names: configuration, policy, secrets, certificates, keys.
//!
//! A read is bounded in bytes and never waits for another process. A FIFO, a device or a folder is refused before a byte
//! is read, and a sparse file costs no more memory than the limit. The descriptor that was checked is the one that is
//! read, so no file can take its place in between.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    str,
};

use zeroize::Zeroizing;

/// The most bytes of a configuration file, a certificate chain or a private key.
pub const SMALL: u64 = 1 << 20;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refuses.
    #[error("{0}")]
    System(#[from] io::Error),
    /// A folder, a FIFO, a socket or a device.
    #[error("it is not a regular file")]
    NotRegular,
    /// The file is over the limit.
    #[error("it is over {}", Size(*.limit))]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The bytes are not text.
    #[error("it is not UTF-8 text (line {line})")]
    NotText {
        /// The first line that is not text.
        line: usize,
    },
}

/// Reads a regular file of at most `limit` bytes. The bytes are wiped when they are dropped.
pub fn read(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, FileError> {
    // Opening a device may have an effect of its own, so the type is looked at first.
    if !fs::metadata(path)?.is_file() {
        return Err(FileError::NotRegular);
    }
    // Without NONBLOCK, a FIFO that took the file's place would wait for its writer.
    let nonblocking = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let flags = i32::try_from(nonblocking.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(FileError::NotRegular);
    }
    if found.len() > limit {
        return Err(FileError::TooLarge { limit });
    }
    from_reader(file, limit, found.len())
}

/// Reads a regular file of at most `limit` bytes as text.
pub fn read_text(path: &Path, limit: u64) -> Result<Zeroizing<String>, FileError> {
    text(&read(path, limit)?)
}

/// Reads text for a command that somebody waits for: a pipe is fine, as in `<(…)`, a folder is not.
pub fn read_input(path: &Path, limit: u64) -> Result<Zeroizing<String>, FileError> {
    text(&from_reader(File::open(path)?, limit, 0)?)
}

/// Reads a stream of at most `limit` bytes as text.
pub fn read_stream(stream: impl Read, limit: u64) -> Result<Zeroizing<String>, FileError> {
    text(&from_reader(stream, limit, 0)?)
}

fn from_reader(reader: impl Read, limit: u64, expected: u64) -> Result<Zeroizing<Vec<u8>>, FileError> {
    // Space for all of it at once, so that no outgrown buffer is left behind unwiped.
    let space = usize::try_from(expected.saturating_add(1)).unwrap_or(0);
    let mut bytes = Zeroizing::new(Vec::with_capacity(space));
    reader.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > limit {
        true => Err(FileError::TooLarge { limit }),
        false => Ok(bytes),
    }
}

fn text(bytes: &[u8]) -> Result<Zeroizing<String>, FileError> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let before = bytes.iter().take(error.valid_up_to());
        FileError::NotText {
            line: 1 + before.filter(|byte| **byte == b'\n').count(),
        }
    })?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// A number of bytes in words.
struct Size(u64);

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            bytes if bytes >= 1 << 20 => write!(f, "{} MiB", bytes >> 20),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread, time::Duration};

    use super::*;

    /// Reads on another thread, so that a read that waits fails the test.
    fn in_time(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
        let (sender, done) = mpsc::channel();
        let path = path.to_owned();
        thread::spawn(move || {
            let read = read(&path, limit).map(|bytes| bytes.to_vec());
            sender.send(read.map_err(|error| error.to_string()))
        });
        done.recv_timeout(Duration::from_secs(10))
            .expect("the read waits")
    }

    #[test]
    fn regular_file_is_read_up_to_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "12345").unwrap();
        assert_eq!(in_time(&path, 5), Ok(b"12345".to_vec()));
        assert_eq!(in_time(&path, 4), Err("it is over 4 bytes".to_owned()));
        assert_eq!(read_text(&path, 5).unwrap().as_str(), "12345");
        fs::write(&path, b"a\nb\n\xff").unwrap();
        let error = read_text(&path, 5).unwrap_err().to_string();
        assert_eq!(error, "it is not UTF-8 text (line 3)");
    }

    #[test]
    fn fifo_folder_and_device_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        let mode = rustix::fs::Mode::RUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&fifo, &link).unwrap();
        for path in [fifo.as_path(), &link, folder.path(), Path::new("/dev/zero")] {
            let refused = Err("it is not a regular file".to_owned());
            assert_eq!(in_time(path, SMALL), refused, "{path:?}");
        }
    }

    #[test]
    fn sparse_file_is_refused_by_its_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sparse");
        File::create(&path).unwrap().set_len(1 << 30).unwrap();
        assert_eq!(in_time(&path, SMALL), Err("it is over 1 MiB".to_owned()));
    }

    #[test]
    fn stream_is_read_up_to_the_limit() {
        assert_eq!(read_stream(&b"abc"[..], 3).unwrap().as_str(), "abc");
        let endless = read_stream(io::repeat(b'a'), 1000).unwrap_err();
        assert!(
            matches!(endless, FileError::TooLarge { limit: 1000 }),
            "{endless}"
        );
        assert!(read_input(Path::new("/"), 10).is_err());
    }
}
