//! Releases: what is believed, which program is started, and the power going at every step between.

mod believed;
mod cut;
mod started;

use super::{Version, slots::Program};

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn program(text: &str, bytes: &[u8], journal: &str) -> Program {
    let sha256 = super::metadata::sha256(bytes);
    Program { version: version(text), sha256, length: bytes.len() as u64, journal: journal.to_owned() }
}

#[test]
fn a_version_is_three_numbers_and_one_text() {
    assert!(version("1.9.0") < version("1.10.0") && version("0.99.99") < version("1.0.0"));
    for text in ["", "1", "1.2", "1.2.3.4", "1.2.x", "01.2.3", "+1.2.3", "1.2.3-rc1", "1.2.4294967296", " 1.2.3"] {
        assert!(text.parse::<Version>().is_err(), "{text:?}");
    }
}
