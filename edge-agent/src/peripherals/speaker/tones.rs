//! Two rising notes: that something was received, where no speech engine says how much. Made here, played by `aplay`.

use std::{
    f32::consts::TAU,
    io::Write as _,
    process::Stdio,
    time::{Duration, Instant},
};

use saoma_protocol::Money;

use super::program::{Program, ProgramError};
use crate::peripherals::{PeripheralError, PeripheralHealth, PeripheralState, Speaker, health};

pub const DRIVER: &str = "tones";

const RATE_HZ: u32 = 16_000;
/// E6 and A6: they carry through a shop and are in the range of the smallest speakers.
const NOTES_HZ: [f32; 2] = [1_318.5, 1_760.0];
const NOTE_SAMPLES: u32 = RATE_HZ / 4;
/// A pipe holds this much without anybody reading: a player that hangs does not keep us from writing.
const PIPE_LEN: usize = 64 * 1024;
const _: () = assert!(NOTES_HZ.len() * NOTE_SAMPLES as usize * 2 < PIPE_LEN);
/// How long a sound may take to come out, whatever the sound system does before it.
pub(super) const SOUND_MAX: Duration = Duration::from_secs(8);

/// What brings sound to the speaker: `aplay` of Debian's alsa-utils, or what is put in its place in a test.
#[derive(Clone, Debug)]
pub struct Player {
    pub program: Program,
    /// ALSA's name of the device; empty is the default one.
    pub device: String,
}

impl Player {
    #[must_use]
    pub fn aplay(device: &str) -> Self {
        let program = Program { name: "aplay".to_owned(), package: "alsa-utils" };
        Self { program, device: device.to_owned() }
    }

    /// The player's command, which reads sound from `input`.
    pub(super) fn command(&self, arguments: &[&str], input: Stdio) -> Result<std::process::Command, ProgramError> {
        let mut command = self.program.command()?;
        command.arg("-q").args(arguments).stdin(input);
        if !self.device.is_empty() {
            command.arg("-D").arg(&self.device);
        }
        Ok(command)
    }

    pub(super) fn chime(&self, volume: u8) -> Result<(), ProgramError> {
        let began = Instant::now();
        let rate = RATE_HZ.to_string();
        let raw = ["-t", "raw", "-f", "S16_LE", "-c", "1", "-r", &rate];
        let mut player = self.program.start(&mut self.command(&raw, Stdio::piped())?)?;
        if let Some(mut pipe) = player.child.stdin.take() {
            // A player that has ended already says why by its status.
            let _ = pipe.write_all(&chime(volume));
        }
        player.wait(began, SOUND_MAX)
    }
}

/// What the speaker's errors call it.
pub(super) fn failure(error: &ProgramError) -> PeripheralError {
    let device = "the speaker".to_owned();
    match error {
        ProgramError::Missing { .. } | ProgramError::Start { .. } => {
            PeripheralError::Unable { device, why: error.to_string() }
        }
        ProgramError::Hung { .. } | ProgramError::Failed { .. } | ProgramError::Lost { .. } => {
            PeripheralError::Unreachable { device, why: error.to_string() }
        }
    }
}

/// Signed 16-bit samples, little-endian. `volume`: 0 to 100.
fn chime(volume: u8) -> Vec<u8> {
    let loudest = f32::from(i16::MAX) * f32::from(volume.min(100)) / 100.0;
    let mut bytes = Vec::new();
    for note in NOTES_HZ {
        for sample in 0..NOTE_SAMPLES {
            #[expect(clippy::cast_precision_loss, reason = "4000 samples are exact")]
            let (at, share) = (sample as f32 / RATE_HZ as f32, sample as f32 / NOTE_SAMPLES as f32);
            // Swells for a tenth of the note and dies away: a note that begins or ends at once clicks.
            let envelope = (share * 10.0).min(1.0) * (1.0 - share);
            #[expect(clippy::cast_possible_truncation, reason = "at most the largest i16")]
            let value = ((at * note * TAU).sin() * envelope * loudest) as i16;
            bytes.extend_from_slice(&value.to_le_bytes());
        }
    }
    bytes
}

pub struct Tones {
    player: Player,
    volume: u8,
    last: Option<PeripheralError>,
}

impl Tones {
    #[must_use]
    pub const fn new(player: Player, volume: u8) -> Self {
        Self { player, volume, last: None }
    }

    fn chime(&mut self) -> Result<(), PeripheralError> {
        let chimed = self.player.chime(self.volume).map_err(|error| failure(&error));
        self.last = chimed.clone().err();
        chimed
    }
}

impl Speaker for Tones {
    fn driver(&self) -> &'static str {
        DRIVER
    }

    fn announce(&mut self, _: Money) -> Result<(), PeripheralError> {
        self.chime()
    }

    fn health(&mut self) -> PeripheralHealth {
        let missing = self.player.program.found().is_none().then(|| failure(&self.player.program.missing()));
        match missing.as_ref().or(self.last.as_ref()) {
            Some(error) => health("speaker", DRIVER, PeripheralState::Failed, error.to_string()),
            None => health("speaker", DRIVER, PeripheralState::Ok, ""),
        }
    }

    fn self_test(&mut self) -> Result<String, PeripheralError> {
        self.chime()?;
        Ok("nothing; you should have heard two rising notes".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(volume: u8) -> Vec<i16> {
        let bytes = chime(volume);
        bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
    }

    #[test]
    fn a_chime_is_two_rising_notes_as_loud_as_is_set() {
        let loud = samples(100);
        assert_eq!(loud.len(), 2 * NOTE_SAMPLES as usize);
        let peak = |samples: &[i16]| samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!((25_000..=32_767).contains(&peak(&loud)), "{}", peak(&loud));
        assert!((12_000..=16_384).contains(&peak(&samples(50))));
        assert_eq!(peak(&samples(0)), 0);
        // Twice in each period the wave goes through zero.
        let (first, second) = loud.split_at(NOTE_SAMPLES as usize);
        for (note, heard) in NOTES_HZ.into_iter().zip([first, second]) {
            let crossings = heard.windows(2).filter(|pair| (pair[0] < 0) != (pair[1] < 0)).count();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "hundreds")]
            let expected = (note * 2.0 / 4.0) as usize;
            assert!(crossings.abs_diff(expected) <= 6, "{note}: {crossings}, not {expected}");
        }
        assert!(loud[0].abs() < 200 && loud[NOTE_SAMPLES as usize - 1].abs() < 200, "no click at either end");
    }
}
