//! Speech by `espeak-ng`, a program of its own: it makes the sound, `aplay` brings it to the speaker.
//!
//! Not by espeak-ng's own sound output: that ends well also where there is no sound device, and nobody would know. Without the
//! engine the two notes of [`super::tones`] are played, and the health says what is missing.
//!
//! Mandarin is read by the voice `cmn-latn-pinyin`: the voice `cmn` of espeak-ng 1.51 turns characters into pinyin and then
//! reads many of those as English words (款 as "kuan three").

use std::{os::unix::process::ExitStatusExt as _, process::Stdio, time::Instant};

use saoma_protocol::Money;

use super::{
    Language, Sentence,
    program::{Program, ProgramError},
    tones::{Player, SOUND_MAX, failure},
};
use crate::{
    config::SpeakerLanguage,
    peripherals::{PeripheralError, PeripheralHealth, PeripheralState, Speaker, health},
};

pub const DRIVER: &str = "espeak-ng";

/// How the engine speaks.
#[derive(Clone, Debug)]
pub struct Speech {
    pub languages: SpeakerLanguage,
    pub voice_zh: String,
    pub voice_en: String,
    /// 0 to 100.
    pub volume: u8,
}

pub struct Espeak {
    engine: Program,
    player: Player,
    speech: Speech,
    last: Option<PeripheralError>,
}

/// The engine's own program.
#[must_use]
pub fn engine() -> Program {
    Program { name: "espeak-ng".to_owned(), package: "espeak-ng" }
}

impl Espeak {
    #[must_use]
    pub const fn new(engine: Program, player: Player, speech: Speech) -> Self {
        Self { engine, player, speech, last: None }
    }

    fn say(&self, sentence: &Sentence) -> Result<(), ProgramError> {
        let voice = match sentence.language {
            Language::Zh => &self.speech.voice_zh,
            Language::En => &self.speech.voice_en,
        };
        // Its amplitude goes to 200.
        let amplitude = (u16::from(self.speech.volume) * 2).to_string();
        let began = Instant::now();
        let mut command = self.engine.command()?;
        command.args(["--stdout", "-a", &amplitude, "-v", voice, "--", &sentence.text]).stdout(Stdio::piped());
        let mut engine = self.engine.start(&mut command)?;
        let sound = engine.child.stdout.take().map_or_else(Stdio::null, Stdio::from);
        let mut player = self.player.program.start(&mut self.player.command(&[], sound)?)?;
        let played = player.wait(began, SOUND_MAX);
        match engine.wait(began, SOUND_MAX) {
            // A player without sound fails as well, and an engine without a player is ended by a signal.
            Err(error @ ProgramError::Failed { status, .. }) if status.signal().is_none() => Err(error),
            spoken => played.and(spoken),
        }
    }

    fn say_all(&mut self, sentences: &[Sentence]) -> Result<(), PeripheralError> {
        let said = if self.engine.found().is_some() {
            sentences.iter().try_for_each(|sentence| self.say(sentence))
        } else {
            self.player.chime(self.speech.volume)
        };
        let said = said.map_err(|error| failure(&error));
        self.last = said.clone().err();
        said
    }
}

impl Speaker for Espeak {
    fn driver(&self) -> &'static str {
        DRIVER
    }

    fn announce(&mut self, amount: Money) -> Result<(), PeripheralError> {
        let sentences = self.speech.languages.received(amount);
        self.say_all(&sentences)
    }

    fn health(&mut self) -> PeripheralHealth {
        let missing = self.player.program.found().is_none().then(|| failure(&self.player.program.missing()));
        match missing.as_ref().or(self.last.as_ref()) {
            Some(error) => health("speaker", DRIVER, PeripheralState::Failed, error.to_string()),
            None if self.engine.found().is_none() => {
                let detail = format!("two notes are played instead of speech: {}", self.engine.missing());
                health("speaker", DRIVER, PeripheralState::Warning, detail)
            }
            None => health("speaker", DRIVER, PeripheralState::Ok, ""),
        }
    }

    fn self_test(&mut self) -> Result<String, PeripheralError> {
        let sentences = self.speech.languages.test();
        self.say_all(&sentences)?;
        let heard: Vec<&str> = sentences.iter().map(|sentence| sentence.text.as_str()).collect();
        Ok(format!("nothing; you should have heard: {}", heard.join(", ")))
    }
}
