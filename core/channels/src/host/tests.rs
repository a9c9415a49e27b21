//! A host's side of one call, for the tests of its parts.

use tokio::time::Duration;

use super::*;
use crate::secret::Secrets;

/// A call of an account of this channel that holds these secrets, about that card.
pub(crate) fn call_of(manifest: Manifest, secrets: Secrets, card: Option<OpenCard>) -> CallState {
    let config = HostConfig { allow_private_addresses: true, ..HostConfig::new("") };
    let ports = Ports {
        kv: Arc::clone(&config.kv),
        keys: Arc::clone(&config.keys),
        clock: Arc::clone(&config.clock),
        chance: Arc::clone(&config.chance),
        network: http::Network::new(&config).expect("a network"),
    };
    let known = Known {
        plugin: Arc::new(manifest),
        account: Account {
            package: None,
            id: saoma_protocol::ChannelAccountId::from_bytes([1; 16]),
            tenant: saoma_protocol::TenantId::from_bytes([2; 16]),
            channel: "wallet-2".to_owned(),
            settings_json: "{}".to_owned(),
            secrets,
            notify_url: String::new(),
        },
        ports: Arc::new(ports),
        reach: http::Reach::default(),
        deadline: Instant::now() + Duration::from_secs(5),
        answer_bytes_max: http::BODY_BYTES_MAX,
    };
    let given = Given {
        known: Arc::new(known),
        code: None,
        card: card.map(Arc::new),
        requests: 0,
        rsa_operations: 0,
        key_loads: 0,
        asked: false,
        unanswered: false,
        kv_operations: 0,
        log: log::Lines::of_this_call(),
    };
    CallState::new(MemoryLimit::new(0, Vec::new()), Arc::new(SystemClock), Some(given))
}

impl Given {
    pub(crate) fn known_mut(&mut self) -> &mut Known {
        Arc::get_mut(&mut self.known).expect("nothing waits")
    }
}

#[test]
fn handles_of_one_call_have_an_end() {
    let memory = MemoryLimit::new(0, Vec::new());
    let mut state = CallState::new(memory, Arc::new(SystemClock), None);
    let pushed = (0..2 * HANDLES_MAX).take_while(|_| state.table.push(()).is_ok()).count();
    assert_eq!(pushed, HANDLES_MAX);
}
