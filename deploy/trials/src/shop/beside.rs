//! Programs that stand beside the shop's own.

use super::Shop;
use crate::process::Program;

impl Shop {
    /// Another core on what core stands on, with its own data folder and ports; `settings` come last.
    pub fn core_beside(&self, name: &str, settings: &[(&str, String)]) -> Program {
        let mut core = self.programs.core.clone();
        let own = |name: &str, value: String| (name.to_owned(), value);
        core.environment.extend([
            own("SAOMA_DATA_DIR", self.premises.folder.join(name).display().to_string()),
            own("SAOMA_SERVER__LISTEN", "127.0.0.1:0".to_owned()),
            own("SAOMA_TERMINALS__HTTPS_LISTEN", "127.0.0.1:0".to_owned()),
            own("SAOMA_TERMINALS__MQTT_LISTEN", "127.0.0.1:0".to_owned()),
            own("SAOMA_TELEMETRY__METRICS_LISTEN", String::new()),
        ]);
        core.environment.extend(settings.iter().map(|(name, value)| own(name, value.clone())));
        name.clone_into(&mut core.name);
        core.log = self.premises.folder.join(format!("{name}.log"));
        core
    }

    /// Another far side beside the wallet, as `saoma-schemes` plays it.
    pub fn scheme_beside(&self, name: &str, arguments: &[&str]) -> Program {
        let mut scheme = self.programs.scheme.clone();
        name.clone_into(&mut scheme.name);
        scheme.log = self.premises.folder.join(format!("{name}.log"));
        scheme.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        scheme
    }
}
