//! Server-sent events: how things stand, then every change of it.
//!
//! A page that is too slow is cut off; its browser connects again and starts from how things stand then.

use std::{convert::Infallible, time::Duration};

use actix_web::{
    HttpMessage as _, HttpRequest, HttpResponse,
    web::{Bytes, Data},
};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use tokio::sync::{broadcast::Receiver, watch};

use super::{
    Room,
    command::{Command, Subscription, TillEvent},
    lan::Guest,
    problem::Refused,
};
use crate::paired::Role;

/// A comment this often shows both sides that the other is there.
const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// What the customer display hears of.
const DISPLAY: &str = "display";

pub(super) async fn events(room: Data<Room>, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let guest = request.extensions().get::<Guest>().cloned();
    let changes = guest.as_ref().map(|guest| guest.paired.changes());
    let Subscription { state, display, events } = room.commands.ask(|reply| Command::Subscribe { reply }).await?;
    let mut first = vec![said(DISPLAY, &display)?];
    if !looks_only(guest.as_ref()) {
        first.insert(0, said("state", &state)?);
    }
    let listening = Listening { events, guest, changes };
    let stream = stream::iter(first).chain(stream::unfold(listening, next)).map(Ok::<_, Infallible>);
    Ok(HttpResponse::Ok().content_type("text/event-stream").streaming(stream))
}

/// Whoever listens. `guest`: a paired device, until it is one no more.
struct Listening {
    events: Receiver<TillEvent>,
    guest: Option<Guest>,
    changes: Option<watch::Receiver<()>>,
}

fn looks_only(guest: Option<&Guest>) -> bool {
    guest.is_some_and(|guest| guest.peer.role == Role::Display)
}

async fn next(mut listening: Listening) -> Option<(Bytes, Listening)> {
    let until = tokio::time::Instant::now() + COMMENT_EVERY;
    loop {
        let Listening { events, guest, changes } = &mut listening;
        let event = tokio::select! {
            // Before anything that it must not hear any more.
            biased;
            () = changed(changes) => None,
            event = tokio::time::timeout_at(until, events.recv()) => Some(event),
        };
        if guest.as_ref().is_some_and(|guest| !guest.paired.stays(&guest.peer.id)) {
            return None;
        }
        let line = match event {
            None => continue,
            Some(Ok(Ok(event))) if looks_only(guest.as_ref()) && event.name != DISPLAY => continue,
            Some(Ok(Ok(TillEvent { name, data }))) => Bytes::from(format!("event: {name}\ndata: {data}\n\n")),
            // Too slow, or the agent stops.
            Some(Ok(Err(_))) => return None,
            Some(Err(_)) => Bytes::from_static(b": here\n\n"),
        };
        return Some((line, listening));
    }
}

/// Comes back when the paired devices have changed; never, on this machine.
async fn changed(changes: &mut Option<watch::Receiver<()>>) {
    let has_changed = match changes {
        Some(changes) => changes.changed().await.is_ok(),
        None => false,
    };
    if !has_changed {
        std::future::pending().await
    }
}

fn said(name: &str, data: &impl Serialize) -> Result<Bytes, Refused> {
    let data = serde_json::to_string(data).map_err(|error| Refused::Journal(error.to_string()))?;
    Ok(Bytes::from(format!("event: {name}\ndata: {data}\n\n")))
}
