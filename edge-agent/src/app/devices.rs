//! What is known of each device beyond how it is: since when, when it was last of use, what went wrong last. And the driver that
//! takes the place of another, with the agent running.

use std::collections::BTreeMap;

use saoma_protocol::Millis;

use super::{now, owner::Owner};
use crate::{
    config::PeripheralsConfig,
    counter::Replacing,
    peripherals::{
        Kind, PeripheralError, PeripheralHealth, PeripheralState,
        catalogue::{NONE, differing, text_of},
    },
    till::{
        command::Pressed,
        peripherals::{DeviceNow, DevicesNow, LastError},
        problem::Refused,
    },
};

#[derive(Debug, Default)]
pub(super) struct Notes(BTreeMap<Kind, Note>);

#[derive(Clone, Debug, Default)]
struct Note {
    state: Option<PeripheralState>,
    since: Option<Millis>,
    last_used_at: Option<Millis>,
    last_error: Option<LastError>,
}

impl Notes {
    fn told(&mut self, kind: Kind, health: &PeripheralHealth, now: Millis) {
        let note = self.0.entry(kind).or_default();
        if note.state != Some(health.state) {
            (note.state, note.since) = (Some(health.state), Some(now));
        }
        if health.state == PeripheralState::Failed {
            note.last_error = Some(LastError::new(health.detail.clone(), now));
        }
    }

    /// It was asked for something, and did it or not.
    pub(super) fn used(&mut self, kind: Kind, failure: Option<&PeripheralError>, now: Millis) {
        let note = self.0.entry(kind).or_default();
        match failure {
            None => note.last_used_at = Some(now),
            Some(error) => note.last_error = Some(LastError::new(error.to_string(), now)),
        }
    }
}

impl Owner {
    pub(super) fn device_told(&mut self, health: PeripheralHealth) {
        if let Ok(kind) = health.kind.parse() {
            self.notes.told(kind, &health, now());
        }
        self.devices.insert(health.kind.clone(), health);
        self.line.health_due = true;
    }

    pub(super) fn device_gone(&mut self, kind: Kind) {
        self.notes.0.remove(&kind);
        self.devices.remove(kind.name());
        self.line.health_due = true;
    }

    pub(super) fn devices_now(&self) -> DevicesNow {
        let device = |kind: Kind| {
            let Note { since, last_used_at, last_error, .. } = self.notes.0.get(&kind).cloned().unwrap_or_default();
            DeviceNow { kind, health: self.devices.get(kind.name()).cloned(), since, last_used_at, last_error }
        };
        DevicesNow { config: self.config.peripherals.clone(), devices: Kind::ALL.map(device).into() }
    }

    /// # Errors
    /// `KeyReused`; `Peripheral` if there is no such device.
    pub(super) async fn restart_device(&mut self, pressed: Pressed, kind: Kind) -> Result<Replacing, Refused> {
        self.seen(&pressed).await?;
        if text_of(&self.config.peripherals, kind.name()) == NONE {
            return Err(Refused::Peripheral(format!("no {kind} is configured; choose a driver for it first")));
        }
        self.remember(pressed, None);
        self.replace(kind)
    }

    /// # Errors
    /// `KeyReused`.
    pub(super) async fn may_configure(&mut self, pressed: Pressed) -> Result<(), Refused> {
        self.seen(&pressed).await?;
        self.remember(pressed, None);
        Ok(())
    }

    /// From now on the devices are these. What did not change stays as it is.
    ///
    /// # Errors
    /// `Peripheral` for a driver that there is none of.
    pub(super) fn configure(&mut self, peripherals: PeripheralsConfig) -> Result<Vec<(Kind, Replacing)>, Refused> {
        let changed = differing(&peripherals, &self.config.peripherals);
        self.config.peripherals = peripherals;
        changed.into_iter().map(|kind| Ok((kind, self.replace(kind)?))).collect()
    }

    fn replace(&mut self, kind: Kind) -> Result<Replacing, Refused> {
        tracing::info!(%kind, "a device is opened anew");
        let replacing = self.counter.replace(kind, &self.config.peripherals)?;
        match kind {
            // It is told again what it is to show.
            Kind::Display => self.shown = None,
            // The one before hears that nobody waits, and makes room.
            Kind::CardReader if self.card.is_some() => {
                self.end_card();
                self.tell_no_card("card_over", "the card reader was opened anew".to_owned());
            }
            _ => {}
        }
        Ok(replacing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peripherals::health;

    #[test]
    fn a_note_keeps_since_when_and_what_was_last() {
        let mut notes = Notes::default();
        let told = |state, words: &str| health("scale", "mt8217", state, words);
        let silent = PeripheralError::Silent { device: "the scale".to_owned() };
        notes.told(Kind::Scale, &told(PeripheralState::Ok, ""), Millis(10));
        notes.told(Kind::Scale, &told(PeripheralState::Ok, "a word"), Millis(20));
        notes.used(Kind::Scale, None, Millis(30));
        notes.used(Kind::Scale, Some(&silent), Millis(40));
        let note = &notes.0[&Kind::Scale];
        assert_eq!((note.since, note.last_used_at), (Some(Millis(10)), Some(Millis(30))));
        assert_eq!(note.last_error, Some(LastError::new(silent.to_string(), Millis(40))));
        notes.told(Kind::Scale, &told(PeripheralState::Failed, "gone"), Millis(50));
        let note = &notes.0[&Kind::Scale];
        assert_eq!((note.since, note.last_used_at), (Some(Millis(50)), Some(Millis(30))));
        assert_eq!(note.last_error, Some(LastError::new("gone".to_owned(), Millis(50))));
    }
}
