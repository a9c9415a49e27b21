//! How a run ends: whether anything is still to happen, and what is open if that takes too long.

use anyhow::Result;
use saoma_protocol::Millis;
use saoma_store::{StoreError, access, outbox, payments, refunds};

use super::{
    auditor, facts,
    terminal::Terminal,
    world::{Event, Outcome, World},
};

impl World<'_> {
    pub(super) fn is_over(&mut self) -> Result<bool> {
        let quiet = self.scheme.is_quiet()
            && self.requests.is_empty()
            && self.calls.is_empty()
            && self.terminals.iter().all(Terminal::is_quiet)
            && !self.queue.iter().any(|due| {
                matches!(due.event, Event::Pay { .. } | Event::Scheme(_) | Event::Act(_) | Event::Confirm { .. })
            });
        Ok(quiet && self.next_due()?.is_none())
    }

    /// Only a commit can change it.
    pub(super) fn next_due(&mut self) -> Result<Option<Millis>> {
        let commits = self.wires.lock().commits;
        if let Some((looked_at, due_at)) = self.next_due
            && looked_at == commits
        {
            return Ok(due_at);
        }
        let now = self.wires.clock(0);
        let due_at = self.store.read_blocking(|tx| next_due(tx, now))?;
        self.next_due = Some((commits, due_at));
        Ok(due_at)
    }

    pub(super) fn still_open(&mut self) -> Result<String> {
        let due = self.next_due()?;
        let terminals: Vec<bool> = self.terminals.iter().map(Terminal::is_quiet).collect();
        let untold = self.scheme.untold.len();
        let (requests, calls) = (self.requests.len(), self.calls.len());
        Ok(format!(
            "core's next work is due at {due:?}; terminals quiet: {terminals:?}; news of the scheme untold: {untold}; \
             requests {requests}, calls {calls} under way; scheme quiet: {}",
            self.scheme.is_quiet()
        ))
    }

    pub(super) fn end(mut self) -> Result<Outcome> {
        if self.broken.is_empty() {
            let facts = facts::gather(&self.store, self.template.scope, self.plan.keeps_late, &mut self.terminals)?;
            self.broken = auditor::audit(&facts, &self.scheme, &self.terminals, &self.lone);
        }
        let virtual_ms = self.now_ms();
        let struck = std::mem::take(&mut self.wires.lock().mishaps.struck);
        for broken in &self.broken {
            self.wires.note(format_args!("BROKEN {broken}"));
        }
        Ok(Outcome {
            hash: self.wires.hash(),
            events: self.n_queued,
            broken: self.broken,
            struck,
            lines: self.wires.lines(),
            virtual_ms,
        })
    }
}

fn next_due(tx: &mut saoma_store::Tx<'_>, now: Millis) -> Result<Option<Millis>, StoreError> {
    let process = access::process();
    let due = [
        payments::next_due_at(tx, &process)?,
        refunds::next_due_at(tx, &process)?,
        outbox::next_due_at(tx, &process, outbox::Kind::Push, now)?,
    ];
    Ok(due.into_iter().flatten().min())
}
