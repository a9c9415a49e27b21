//! No secret and no code of a customer's is told by a component, or sent where the host did not put it.

use super::{
    far_side::Heard,
    play::{PaysBy, Player, Stop},
};
use crate::manifest::SecretKind;

/// Of a secret, in characters, that a line is searched for: shorter ones stand in texts by accident.
const NEEDLE_CHARS_MIN: usize = 8;

impl Player<'_> {
    /// Nothing that the component said or logged shows a secret or the customer's code, and nothing that it sent a secret but where
    /// the host put it.
    pub(super) fn kept_secret(&self, logged: &[String], heard: &[Heard]) -> Result<(), Stop> {
        let codes = self.sales.iter().filter_map(|sale| match &sale.pays_by {
            PaysBy::Code(code) => Some(code.as_str()),
            PaysBy::InApp { payer, .. } => Some(payer.as_str()).filter(|payer| !payer.is_empty()),
            PaysBy::Shown | PaysBy::Card(_) | PaysBy::Stored(_) => None,
        });
        let codes: Vec<&str> = codes.chain(self.script.card.as_ref().map(|card| card.number.as_str())).collect();
        for line in logged.iter().chain(&self.said) {
            let has_code = line.contains("[code]") || codes.iter().any(|code| line.contains(code));
            if has_code {
                return Err(Stop::failed(
                    "no log line or message with the customer's code, which is money for a minute, or a card's number",
                    line.clone(),
                ));
            }
            if let Some((name, _)) = self.needles().into_iter().find(|(_, needle)| line.contains(needle)) {
                return Err(Stop::failed(format!("no log line or message with the secret {name:?}"), line.clone()));
            }
        }
        let needles: Vec<_> =
            self.needles().into_iter().filter(|(name, _)| self.kind_of(name) != Some(SecretKind::Text)).collect();
        for request in heard {
            let body = String::from_utf8_lossy(&request.raw);
            let texts = request.headers.iter().map(|(_, value)| value.as_str()).chain([request.path.as_str(), &body]);
            for text in texts {
                if let Some((name, _)) = needles.iter().find(|(_, needle)| text.contains(needle)) {
                    return Err(Stop::failed(
                        format!("no request that holds the secret {name:?}"),
                        format!("{} {} holds it", request.method, request.path),
                    ));
                }
            }
        }
        Ok(())
    }

    fn kind_of(&self, name: &str) -> Option<SecretKind> {
        self.manifest.secrets.iter().find(|spec| spec.name == name).map(|spec| spec.kind)
    }

    /// Every secret of the script in the pieces by which it would be known again.
    fn needles(&self) -> Vec<(&str, &str)> {
        let mut needles = Vec::new();
        for (name, value) in &self.script.secrets {
            // What is public may be shown.
            let is_public = matches!(self.kind_of(name), Some(SecretKind::RsaPublicKeys | SecretKind::Certificates));
            let mut is_private = !value.as_str().unwrap_or_default().contains("BEGIN CERTIFICATE");
            for line in value.as_str().unwrap_or_default().lines().filter(|_| !is_public) {
                if line.starts_with("-----BEGIN") {
                    is_private = line.contains("PRIVATE");
                } else if is_private && line.len() >= NEEDLE_CHARS_MIN && !line.starts_with("-----") {
                    needles.push((name.as_str(), line));
                }
            }
        }
        needles
    }
}
