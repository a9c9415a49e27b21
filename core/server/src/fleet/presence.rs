//! Whether a terminal is connected, and to which node, as the dashboard shows it and the outbox goes by it.
//!
//! The broker's own word counts, per connection: when a terminal connects anew before its old connection is known to be
//! dead, the end of the old one says nothing about the new, be it on this node or on another. The last will is not needed
//! here (the broker is in this process); it is for brokers elsewhere.

use rmqtt::types::Id as ConnectionId;
use saoma_protocol::TerminalId;
use saoma_store::{TenantScope, terminals};

use super::{Fleet, locked};

impl Fleet {
    pub(super) fn connected(&self, connection: &ConnectionId) {
        let Some((scope, terminal)) = self.peer(&connection.client_id) else { return };
        locked(&self.0.online).insert(terminal, connection.clone());
        self.note_presence(scope, terminal);
    }

    pub(super) fn disconnected(&self, connection: &ConnectionId) {
        let Some((scope, terminal)) = self.peer(&connection.client_id) else { return };
        let was_current = {
            let mut online = locked(&self.0.online);
            let current = online.get(&terminal) == Some(connection);
            if current {
                online.remove(&terminal);
            }
            current
        };
        if was_current {
            self.note_presence(scope, terminal);
        }
    }

    /// The terminals connected to this node.
    #[must_use]
    pub fn online(&self) -> Vec<TerminalId> {
        locked(&self.0.online).keys().copied().collect()
    }

    /// Writes down what could not be written before; with `everyone`, all who are connected, since the database has
    /// forgotten this node.
    pub(crate) fn note_again(&self, everyone: bool) {
        let mut terminals = std::mem::take(&mut *locked(&self.0.unwritten));
        if everyone {
            terminals.extend(self.online());
        }
        for terminal in terminals {
            if let Some(scope) = self.scope(terminal) {
                self.note_presence(scope, terminal);
            }
        }
    }

    /// Writes down what is true by the time it is written. In the background: the broker does not wait for it.
    fn note_presence(&self, scope: TenantScope, terminal: TerminalId) {
        let fleet = self.clone();
        tokio::spawn(async move {
            let _one_at_a_time = fleet.0.presence.lock().await;
            let Some(app) = fleet.app() else { return };
            let online = locked(&fleet.0.online).contains_key(&terminal);
            let (now, node) = (app.now(), fleet.0.node.clone());
            let written = app
                .store()
                .write(move |tx| {
                    if online {
                        terminals::came_online(tx, &scope, terminal, &node, now)
                    } else {
                        terminals::went_offline(tx, &scope, terminal, &node, now)
                    }
                })
                .await;
            match written {
                Ok(()) => {
                    app.news_of(scope.tenant());
                    if online {
                        // Its pushes are this node's to send from now on.
                        app.wake_outbox();
                    }
                }
                Err(error) => {
                    tracing::warn!(terminal.id = %terminal, online, %error, "presence is written down later");
                    locked(&fleet.0.unwritten).insert(terminal);
                }
            }
        });
    }
}
