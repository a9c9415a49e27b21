//! The till's line to core, for whoever wants to cut it and leave core to its customers.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::Shop;
use crate::wire::{Mood, Wire};

/// What the till reaches core by, as long as this lives.
pub struct TillLine {
    https: Wire,
    mqtt: Wire,
}

impl TillLine {
    pub fn set(&self, mood: Mood) {
        self.https.set(mood);
        self.mqtt.set(mood);
    }
}

impl Shop {
    /// Leads the till's line through wires; the till is started again for that.
    pub async fn line_of_till(&mut self) -> Result<TillLine> {
        let line = TillLine { https: Wire::open().await?, mqtt: Wire::open().await? };
        line.https.lead_to(self.deeds.ports.terminals);
        line.mqtt.lead_to(self.deeds.ports.mqtt);
        self.till_dials(line.https.port(), line.mqtt.port()).await?;
        Ok(line)
    }

    /// The till reaches core as it did before.
    pub async fn line_is_straight(&mut self, line: TillLine) -> Result<()> {
        self.till_dials(self.deeds.ports.terminals, self.deeds.ports.mqtt).await?;
        drop(line);
        Ok(())
    }

    async fn till_dials(&mut self, terminals: u16, mqtt: u16) -> Result<()> {
        self.stop_terminal().await?;
        let file = self.premises.folder.join("terminal/identity.json");
        let mut identity: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
        let fields = identity.as_object_mut().context("an identity has fields")?;
        fields.insert("core_url".to_owned(), json!(format!("https://127.0.0.1:{terminals}")));
        fields.insert("mqtt_port".to_owned(), json!(mqtt));
        std::fs::write(&file, serde_json::to_vec(&identity)?)?;
        self.start_terminal().await?;
        self.till_is_online().await.map(drop)
    }
}
