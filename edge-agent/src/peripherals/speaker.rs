//! Speakers: the amount is said once it is received, so that neither customer nor cashier has to look.
//!
//! What is said is late news of a sale that is on the disk already: a speaker that is silent, hangs or is not there is a matter
//! of its health and of nothing else.

mod currency;
pub mod espeak;
mod program;
pub mod simulated;
pub mod tones;
pub mod words;

use saoma_protocol::Money;

pub use program::Program;
pub use words::{Language, Sentence};

use crate::config::SpeakerLanguage;

impl SpeakerLanguage {
    const fn languages(self) -> &'static [Language] {
        match self {
            Self::Zh => &[Language::Zh],
            Self::En => &[Language::En],
            Self::Both => &[Language::Zh, Language::En],
        }
    }

    fn received(self, amount: Money) -> Vec<Sentence> {
        self.languages().iter().map(|language| words::received(*language, amount)).collect()
    }

    fn test(self) -> Vec<Sentence> {
        self.languages().iter().map(|language| words::test(*language)).collect()
    }
}
