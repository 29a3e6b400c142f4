//! A bundle as one file: a tar archive that can be written in one way only.
//!
//! Owner, mode and time of every member are fixed, so that an archive has no byte that does not
//! follow from its files. Reading packs the files again and compares: a byte that was changed in a
//! header or in the padding is found like one in a file.

use std::io::Read as _;

use floodwall_evidence::BundleFile;

/// Bytes of a bundle at most.
pub(super) const BUNDLE_BYTES_MAX: u64 = 1 << 30;
/// Files in it at most.
const FILES_MAX: usize = 100_000;

/// Why bytes are no bundle's archive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ArchiveFault {
    #[error("it is not a tar archive, or is cut off: {0}")]
    Tar(String),
    #[error("it has more than 100,000 files")]
    TooMany,
    #[error("{0} is not a plain file")]
    NotAFile(String),
    #[error(
        "byte {0} of the archive is not what `floodwall evidence bundle` writes there: it was changed or repacked"
    )]
    Repacked(usize),
}

/// Packs files in their order.
pub(super) fn pack(files: &[BundleFile]) -> Result<Vec<u8>, ArchiveFault> {
    let tar = |error: std::io::Error| ArchiveFault::Tar(error.to_string());
    let mut builder = tar::Builder::new(Vec::new());
    for file in files {
        let mut header = tar::Header::new_ustar();
        header.set_path(&file.path).map_err(tar)?;
        header.set_size(file.bytes.len() as u64);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        builder.append(&header, file.bytes.as_slice()).map_err(tar)?;
    }
    builder.into_inner().map_err(tar)
}

/// The files of an archive that [`pack`] wrote.
pub(super) fn unpack(bytes: &[u8]) -> Result<Vec<BundleFile>, ArchiveFault> {
    let tar = |error: std::io::Error| ArchiveFault::Tar(error.to_string());
    let mut files = Vec::new();
    let mut archive = tar::Archive::new(bytes);
    for entry in archive.entries().map_err(tar)? {
        if files.len() == FILES_MAX {
            return Err(ArchiveFault::TooMany);
        }
        let entry = entry.map_err(tar)?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if entry.header().entry_type() != tar::EntryType::Regular {
            return Err(ArchiveFault::NotAFile(path));
        }
        let size = entry.size();
        let mut content = Vec::new();
        entry.take(bytes.len() as u64).read_to_end(&mut content).map_err(tar)?;
        if content.len() as u64 != size {
            return Err(ArchiveFault::Tar(format!("{path} ends early")));
        }
        files.push(BundleFile { path, bytes: content });
    }
    let again = pack(&files)?;
    let differs = again.iter().zip(bytes).position(|(one, other)| one != other);
    match differs {
        Some(at) => Err(ArchiveFault::Repacked(at)),
        None if again.len() != bytes.len() => Err(ArchiveFault::Repacked(again.len().min(bytes.len()))),
        None => Ok(files),
    }
}
