//! Server-sent events: how things stand, then every change of it.
//!
//! A page that is too slow is cut off; its browser connects again and starts from how things stand then.

use std::{convert::Infallible, time::Duration};

use actix_web::{
    HttpResponse,
    web::{Bytes, Data},
};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use tokio::sync::broadcast::Receiver;

use super::{
    Room,
    command::{Command, Subscription, TillEvent},
    problem::Refused,
};

/// A comment this often shows both sides that the other is there.
const COMMENT_EVERY: Duration = Duration::from_secs(15);

pub(super) async fn events(room: Data<Room>) -> Result<HttpResponse, Refused> {
    let Subscription { state, display, events } = room.commands.ask(|reply| Command::Subscribe { reply }).await?;
    let first = [said("state", &state)?, said("display", &display)?];
    let stream = stream::iter(first).chain(stream::unfold(events, next)).map(Ok::<_, Infallible>);
    Ok(HttpResponse::Ok().content_type("text/event-stream").streaming(stream))
}

async fn next(mut events: Receiver<TillEvent>) -> Option<(Bytes, Receiver<TillEvent>)> {
    let line = match tokio::time::timeout(COMMENT_EVERY, events.recv()).await {
        Ok(Ok(TillEvent { name, data })) => Bytes::from(format!("event: {name}\ndata: {data}\n\n")),
        // Too slow, or the agent stops.
        Ok(Err(_)) => return None,
        Err(_) => Bytes::from_static(b": here\n\n"),
    };
    Some((line, events))
}

fn said(name: &str, data: &impl Serialize) -> Result<Bytes, Refused> {
    let data = serde_json::to_string(data).map_err(|error| Refused::Journal(error.to_string()))?;
    Ok(Bytes::from(format!("event: {name}\ndata: {data}\n\n")))
}
