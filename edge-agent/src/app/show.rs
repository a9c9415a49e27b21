//! What is shown: the till's state, the customer's display, and the events for pages that listen.

use std::{sync::Arc, time::Instant};

use saoma_protocol::{Millis, api::PaymentState, message::Unsent};
use serde::Serialize;

use super::{
    cards::Waiting,
    now,
    owner::{Awaiting, Owner},
};
use crate::{
    config::ShiftRequired,
    peripherals::{Display, DisplayMessage},
    sale,
    sync::{self, Stop},
    till::{
        command::{Subscription, TillEvent},
        shift::ShiftBrief,
        view::{AlarmView, DiskView, DisplayView, StateNow, StateView, StoppedView, SyncView, TillView},
    },
};

/// Whether a customer may pay by what is shown of it; `at`: core's clock, or the machine's where that is not known.
fn is_on_show(sale: &sale::Sale, at: Millis) -> bool {
    let of_phone = sale.kept.phone.as_ref().filter(|_| sale.awaits_phone());
    sale.state() == Some(PaymentState::Presenting) || of_phone.is_some_and(|phone| at < phone.expires_at)
}

impl Owner {
    /// Tells every page that listens.
    pub(super) fn emit(&self, name: &'static str, data: &impl Serialize) {
        match serde_json::to_string(data) {
            // No page listens: nothing is lost, one that comes asks for everything.
            Ok(data) => drop(self.events.send(TillEvent { name, data: Arc::from(data) })),
            Err(error) => tracing::error!(%error, name, "an event cannot be written"),
        }
    }

    /// Something a person must look at.
    pub(super) fn alarm(&mut self, code: &str, message: String) {
        let news = self.alarms.ring(code, message, now());
        self.tell_alarm(code, news);
    }

    pub(super) fn tell_alarm(&self, code: &str, news: Option<AlarmView>) {
        if let Some(alarm) = news {
            tracing::warn!(code, message = alarm.message, "alarm");
            self.emit("alarm", &alarm);
        }
    }

    pub(super) fn subscription(&mut self) -> Subscription {
        // Listening begins before looking, so that nothing falls in between.
        let events = self.events.subscribe();
        Subscription { state: self.state_now(), display: self.display_now().1, events }
    }

    pub(super) fn state_now(&self) -> StateNow {
        StateNow { state: self.state(), now: now() }
    }

    fn state(&self) -> StateView {
        let (tenant, terminal, store) = self.ids();
        let profile = &self.identity.profile;
        let stopped = self.sync.stopped().map(|stop| match stop {
            Stop::Rejected { sequence, why } | Stop::Newer { sequence, why } => {
                StoppedView { sequence: *sequence, code: stop.code(), why: why.clone() }
            }
            Stop::SetBack { through, head } => {
                StoppedView { sequence: *through, code: stop.code(), why: sync::set_back(*through, *head) }
            }
        });
        StateView {
            version: env!("CARGO_PKG_VERSION"),
            till: TillView {
                merchant_name: profile.merchant_name.clone(),
                store_name: profile.store_name.clone(),
                terminal_name: profile.terminal_name.clone(),
                tenant,
                terminal,
                store,
            },
            currency: profile.currency,
            minor_digits: profile.currency.minor_digits(),
            cashier: self.cashier().to_owned(),
            shift: self.open_shift().map(ShiftBrief::of),
            shift_required: self.config.till.shift_required == ShiftRequired::Always
                || (self.config.till.shift_required == ShiftRequired::OnceUsed && self.cashiers.are_known()),
            rules: self.identity.profile.rules,
            pins: self.cashiers.are_known(),
            supervisor_needed: self.cashiers.needs_supervisor(self.open_shift().and_then(|shift| shift.cashier_id)),
            link: self.line.view(),
            unsent: self.unsent_view(),
            sync: SyncView { head: self.sync.head(), through: self.sync.through(), stopped },
            disk: DiskView { ok: self.disk.is_ok(), detail: self.disk.as_ref().err().cloned().unwrap_or_default() },
            training: self.training.view(),
            held: self.held_views(),
            splits: self.splits.views(),
            basket: self.filling.view(),
            basket_revision: self.filling.revision(),
            catalogue_count: self.catalogue.count,
            offline: self.offline_view(),
            stored: self.stored_view(),
            received: self.received_today(),
            phone: self.phone_view(),
            awaiting_scan: self.training.awaiting().or(self.awaiting.as_ref()).map(Awaiting::view),
            awaiting_card: self.card.as_ref().map(Waiting::view),
            open_sales: self
                .sales
                .values()
                .filter(|held| held.sale.is_open() && !held.sale.is_forwarded())
                .map(|held| held.sale.kept.payment)
                .collect(),
            peripherals: self.devices.values().cloned().collect(),
            alarms: self.alarms.all(),
            under_way: self.under_way(),
            update: self.updating.view(),
        }
    }

    pub(super) fn unsent_view(&self) -> Unsent {
        let unsent = self.unsent.clone();
        Unsent { count: unsent.count, oldest_at: unsent.oldest_at, at_risk: unsent.at_risk }
    }

    /// What the customer sees now.
    pub(super) fn display_now(&mut self) -> (Display, DisplayView) {
        let display = self.display();
        match &self.shown {
            Some(shown) if shown.0 == display => shown.clone(),
            // Drawing a code takes a moment: it is done once for each.
            _ => {
                let view = DisplayView::of(&display);
                (display, view)
            }
        }
    }

    fn display(&self) -> Display {
        if let Some(training) = self.training.display() {
            return training;
        }
        if let Some(waiting) = &self.card {
            return waiting.display();
        }
        if let Some(awaiting) = &self.awaiting {
            return Display::Message {
                message: DisplayMessage::ShowYourCode,
                amount: Some(awaiting.order.amount.money().decimal()),
                currency: Some(awaiting.order.amount.currency()),
                change: None,
            };
        }
        if let Some(shown) = &self.on_display {
            return sale::display(&shown.sale);
        }
        // A code that a faster sale had pushed aside.
        let at = self.cores_time().unwrap_or_else(now);
        let presenting = self
            .sales
            .values()
            .filter(|held| is_on_show(&held.sale, at) && !held.sale.is_cancelling())
            .max_by_key(|held| held.sale.kept.counter);
        match presenting {
            Some(held) => sale::display(&held.sale),
            None => {
                let profile = &self.identity.profile;
                let idle = || Display::Idle { merchant_name: profile.merchant_name.clone() };
                self.filling.display(profile.currency, &self.quotes).unwrap_or_else(idle)
            }
        }
    }

    /// Tells pages and the customer display what changed since the last time.
    pub(super) fn tell(&mut self) {
        self.on_display.take_if(|shown| shown.until.is_some_and(|until| until <= Instant::now()));
        let (display, view) = self.display_now();
        if self.shown.as_ref().is_none_or(|(shown, _)| *shown != display) {
            self.emit("display", &view);
            self.counter.show(display.clone());
            self.shown = Some((display, view));
        }
        let state = self.state();
        if self.told.as_ref() != Some(&state) {
            self.emit("state", &StateNow { state: state.clone(), now: now() });
            self.told = Some(state);
        }
    }
}
