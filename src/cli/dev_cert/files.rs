//! The files of a folder: read where they are there, written whole, and never over what somebody else put there.

use std::{
    fs::Permissions,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use rcgen::KeyPair;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use crate::operator_file;

use super::Problem;

/// Who may read a file.
#[derive(Clone, Copy)]
pub(super) enum Readers {
    Owner,
    Everybody,
}

/// May a file take the place of another?
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// There must be none.
    Nothing,
    /// One of an earlier run.
    Ours,
}

/// A file that is not from an earlier run, and what to do about it.
pub(super) fn foreign(path: &Path, why: &str) -> Problem {
    format!(
        "{}: {why}, so it is not overwritten; name another folder with --out, or move it away",
        path.display()
    )
    .into()
}

/// The text of a file, where there is one.
fn read(path: &Path) -> Result<Option<Zeroizing<String>>, Problem> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{}: cannot be read: {error}", path.display()).into()),
        Ok(metadata) if !metadata.is_file() => return Err(foreign(path, "it is no plain file")),
        Ok(_) => {}
    }
    match operator_file::read_text(path, operator_file::SMALL) {
        Ok(text) => Ok(Some(text)),
        Err(error) => Err(format!("{}: cannot be read: {error}", path.display()).into()),
    }
}

/// The certificate in a file, where there is one.
pub(super) fn read_certificate(path: &Path) -> Result<Option<CertificateDer<'static>>, Problem> {
    let Some(text) = read(path)? else {
        return Ok(None);
    };
    let der = CertificateDer::from_pem_slice(text.as_bytes());
    let der = der.map_err(|_| foreign(path, "it holds no certificate"))?;
    X509Certificate::from_der(&der).map_err(|_| foreign(path, "its certificate cannot be understood"))?;
    Ok(Some(der))
}

/// The key in a file, where there is one.
pub(super) fn read_key(path: &Path) -> Result<Option<KeyPair>, Problem> {
    let Some(text) = read(path)? else {
        return Ok(None);
    };
    let key =
        KeyPair::from_pem(&text).map_err(|_| foreign(path, "it holds no key that this command made"))?;
    Ok(Some(key))
}

/// Puts a file there in one rename, on stable storage first.
pub(super) fn write(path: &Path, text: &str, readers: Readers, over: Over) -> Result<(), Problem> {
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Everybody => 0o644,
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    let put = || -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        match over {
            Over::Ours => file.persist(path)?,
            Over::Nothing => file.persist_noclobber(path)?,
        };
        Ok(())
    };
    put().map_err(|error| format!("{}: cannot be written: {error}", path.display()).into())
}
