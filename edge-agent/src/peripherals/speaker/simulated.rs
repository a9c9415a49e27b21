//! A speaker that is not there: what it would say is a line of a file each.

use std::{fs::OpenOptions, io::Write as _};

use saoma_protocol::Money;

use super::Sentence;
use crate::{
    config::SpeakerLanguage,
    peripherals::{PeripheralError, PeripheralHealth, PeripheralState, Speaker, health, line::failure},
};

pub const DRIVER: &str = "simulated";

pub struct SimulatedSpeaker {
    path: String,
    languages: SpeakerLanguage,
}

impl SimulatedSpeaker {
    #[must_use]
    pub fn new(path: &str, languages: SpeakerLanguage) -> Self {
        Self { path: path.to_owned(), languages }
    }

    fn write(&self, sentences: &[Sentence]) -> Result<(), PeripheralError> {
        let text: String = sentences.iter().map(|sentence| format!("{}\n", sentence.text)).collect();
        let opened = OpenOptions::new().create(true).append(true).open(&self.path);
        let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| failure(&format!("the simulated speaker at {:?}", self.path), &error))
    }
}

impl Speaker for SimulatedSpeaker {
    fn driver(&self) -> &'static str {
        DRIVER
    }

    fn announce(&mut self, amount: Money) -> Result<(), PeripheralError> {
        self.write(&self.languages.received(amount))
    }

    fn health(&mut self) -> PeripheralHealth {
        match self.write(&[]) {
            Ok(()) => health("speaker", DRIVER, PeripheralState::Ok, ""),
            Err(error) => health("speaker", DRIVER, PeripheralState::Failed, error.to_string()),
        }
    }

    fn self_test(&mut self) -> Result<String, PeripheralError> {
        self.write(&self.languages.test())?;
        Ok(format!("another line in {}: what would be said", self.path))
    }
}
