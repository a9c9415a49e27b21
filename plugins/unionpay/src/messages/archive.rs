//! The wrapping of a bill: `fileContent` is Base64 of a zlib stream of a ZIP archive.
//!
//! Everything in it came under a verified signature, so its check sums are not worked out again; sizes are bounded all the same.
//! Source: the SDK's `DeCodeFileContent` and file transfer demonstration; RFC 1950; PKWARE APPNOTE 6.3, sections 4.3.12 and 4.3.16.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use miniz_oxide::inflate::{decompress_to_vec_with_limit, decompress_to_vec_zlib_with_limit};

/// The archive and each file in it: some 50,000 transactions, and a third of the memory that a plugin has.
const LEN_MAX: usize = 24 << 20;
/// UnionPay packs a handful.
const FILES_MAX: u16 = 100;
const END_SIGNATURE: [u8; 4] = *b"PK\x05\x06";
const END_LEN: usize = 22;
const ENTRY_SIGNATURE: [u8; 4] = *b"PK\x01\x02";
const ENTRY_LEN: usize = 46;
const LOCAL_SIGNATURE: [u8; 4] = *b"PK\x03\x04";
const LOCAL_LEN: usize = 30;

/// Name and contents of the files for which `wanted` says yes.
///
/// # Errors
/// What is wrong with the archive.
pub fn files(file_content: &str, wanted: impl Fn(&str) -> bool) -> Result<Vec<(String, Vec<u8>)>, String> {
    let packed = STANDARD.decode(file_content).map_err(|_| "fileContent is no Base64")?;
    let archive = decompress_to_vec_zlib_with_limit(&packed, LEN_MAX)
        .map_err(|_| "fileContent cannot be inflated, or is too long")?;
    unzipped(&archive, wanted)
}

fn unzipped(archive: &[u8], wanted: impl Fn(&str) -> bool) -> Result<Vec<(String, Vec<u8>)>, String> {
    const CUT: &str = "the ZIP archive is cut off";
    // The end record is the last thing but for a comment of at most 65,535 bytes.
    let from = archive.len().saturating_sub(END_LEN + usize::from(u16::MAX));
    let tail = archive.get(from..).ok_or(CUT)?;
    let end = tail.windows(4).rposition(|window| window == END_SIGNATURE).ok_or("it is no ZIP archive")?;
    let end = tail.get(end..end + END_LEN).ok_or(CUT)?;
    let (count, mut at) = (number16(end, 10).ok_or(CUT)?, number32(end, 16).ok_or(CUT)?);
    if count > FILES_MAX {
        return Err(format!("the ZIP archive has more than {FILES_MAX} files"));
    }
    let mut files = Vec::new();
    for _ in 0..count {
        let entry = archive.get(at..).filter(|entry| entry.starts_with(&ENTRY_SIGNATURE)).ok_or(CUT)?;
        let field = |offset| number16(entry, offset).map(usize::from).ok_or(CUT);
        let (method, name_len) = (field(10)?, field(28)?);
        let (packed_len, len) = (number32(entry, 20).ok_or(CUT)?, number32(entry, 24).ok_or(CUT)?);
        let name = entry.get(ENTRY_LEN..ENTRY_LEN + name_len).ok_or(CUT)?;
        let name = String::from_utf8_lossy(name).into_owned();
        if wanted(&name) {
            let local = number32(entry, 42).and_then(|local| archive.get(local..)).ok_or(CUT)?;
            let packed = contents(local, packed_len).ok_or(CUT)?;
            let contents = match method {
                0 => packed.to_vec(),
                8 => decompress_to_vec_with_limit(packed, len.min(LEN_MAX))
                    .map_err(|_| format!("{name} cannot be inflated"))?,
                other => return Err(format!("{name} is packed by the method {other}")),
            };
            if contents.len() != len {
                return Err(format!("{name} has not the length that the archive says"));
            }
            files.push((name, contents));
        }
        at += ENTRY_LEN + name_len + field(30)? + field(32)?;
    }
    Ok(files)
}

/// The packed bytes behind a local header, whose name and extra field may be longer than the directory's.
fn contents(local: &[u8], packed_len: usize) -> Option<&[u8]> {
    let start = LOCAL_LEN + usize::from(number16(local, 26)?) + usize::from(number16(local, 28)?);
    local.get(start..start.checked_add(packed_len)?).filter(|_| local.starts_with(&LOCAL_SIGNATURE))
}

fn number16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes)
}

fn number32(bytes: &[u8], at: usize) -> Option<usize> {
    let number = bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)?;
    usize::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `zip` of a stored and a deflated file, made by Info-ZIP 3.0, within zlib.
    const PACKED: &str = include_str!("../../tests/two-files.zip.zlib.base64");

    #[test]
    fn an_archive_of_another_make_is_read() {
        let files = files(PACKED.trim(), |name| name != "left-out.txt").unwrap();
        let names: Vec<_> = files.iter().map(|(name, contents)| (name.as_str(), contents.len())).collect();
        assert_eq!(names, [("stored.txt", 5), ("deflated.txt", 4_000)]);
        assert_eq!((files[0].1.as_slice(), files[1].1[0]), (b"hello".as_slice(), b'a'));
    }

    #[test]
    fn what_is_no_archive_says_so() {
        for broken in ["", "?", "AAAA", "eJwDAAAAAAE="] {
            assert!(files(broken, |_| true).is_err(), "{broken}");
        }
        let archive = decompress_to_vec_zlib_with_limit(&STANDARD.decode(PACKED.trim()).unwrap(), LEN_MAX).unwrap();
        for len in 0..archive.len() {
            assert!(unzipped(&archive[..len], |_| true).is_err(), "{len}");
        }
    }

    proptest! {
        #[test]
        fn a_broken_archive_is_no_panic(at in 0_usize..600, byte: u8) {
            let mut archive = decompress_to_vec_zlib_with_limit(&STANDARD.decode(PACKED.trim()).unwrap(), LEN_MAX).unwrap();
            let at = at % archive.len();
            archive[at] = byte;
            let _ = unzipped(&archive, |_| true);
        }
    }
}
