//! What an author reads of a case that failed.

use saoma_channels::conformance::{Kit, Only};

use super::{
    conformance::{scratch, wallet},
    guests::component,
    liar::{Lie, liar},
};

/// What differs from run to run: numbers of orders, codes, moments, hashes, and the version.
fn told(text: &str) -> String {
    let is_of_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut told = String::new();
    for piece in text.replace(env!("CARGO_PKG_VERSION"), "VERSION").split_inclusive(|letter| !is_of_word(letter)) {
        let word = piece.trim_end_matches(|letter| !is_of_word(letter));
        // A number in Base32 may be of letters alone.
        let is_chance = word.len() > 24 || word.len() > 12 && word.chars().any(|letter| letter.is_ascii_digit());
        told += if is_chance { "…" } else { word };
        told += &piece[word.len()..];
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_case_is_told_to_its_author() {
    let (_dir, cache) = scratch();
    let only = Only::Named(vec!["charge-succeeds".to_owned(), "card-succeeds".to_owned()]);
    let kit = Kit { only, wrap: |host| liar(host, Lie::LogsCode), ..Kit::new(component("sandbox"), wallet(), cache) };
    let report = kit.run().await.expect("it runs");
    insta::assert_snapshot!(told(&report.to_string()));
}
