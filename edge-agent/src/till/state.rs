//! How the till stands: its state, its books, its display, its devices.

use std::time::Duration;

use actix_web::{
    HttpResponse,
    web::{Data, Json, Path},
};
use serde_json::json;
use tokio::sync::oneshot::Receiver;

use super::{
    Room,
    command::Command,
    door::{Nothing, Post},
    problem::Refused,
    view::{BooksView, DisplayView, StateNow},
};
use crate::peripherals::{CALL_MAX, Kind, PeripheralError, scale::Weighing};

/// A self-test waits for what the device has to do first, then for itself.
const SELF_TEST_MAX: Duration = Duration::from_secs(2 * CALL_MAX.as_secs());

pub(super) async fn state(room: Data<Room>) -> Result<Json<StateNow>, Refused> {
    room.commands.ask(|reply| Command::State { reply }).await.map(Json)
}

/// This journal's sums beside core's. Without core there is nothing to agree with.
pub(super) async fn books(room: Data<Room>) -> Result<Json<BooksView>, Refused> {
    let core = room.core.books().await;
    let core = core.inspect_err(|error| tracing::info!(%error, "core's books could not be read")).ok();
    // Read after core's answer: a sale in between is then missing there, and the next look shows it on both sides.
    let terminal = room.journal.run(crate::journal::Store::books).await?;
    Ok(Json(BooksView::new(terminal, core)))
}

pub(super) async fn display(room: Data<Room>) -> Result<Json<DisplayView>, Refused> {
    room.commands.ask(|reply| Command::Display { reply }).await.map(Json)
}

pub(super) async fn code(room: Data<Room>) -> Result<HttpResponse, Refused> {
    match room.commands.ask(|reply| Command::Display { reply }).await? {
        DisplayView::Code { svg, .. } => Ok(HttpResponse::Ok().content_type("image/svg+xml").body(svg)),
        DisplayView::Idle { .. }
        | DisplayView::Message { .. }
        | DisplayView::Basket { .. }
        | DisplayView::Training { .. } => Err(Refused::NoCode),
    }
}

pub(super) async fn receipt_picture(room: Data<Room>) -> Result<HttpResponse, Refused> {
    let rendering = room.last_receipt.get().ok_or(Refused::NoReceipt)?;
    Ok(HttpResponse::Ok().content_type("image/png").body(rendering.png.clone()))
}

pub(super) async fn receipt_text(room: Data<Room>) -> Result<HttpResponse, Refused> {
    let rendering = room.last_receipt.get().ok_or(Refused::NoReceipt)?;
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(rendering.text.clone()))
}

pub(super) async fn self_test(
    room: Data<Room>,
    path: Path<String>,
    post: Post<Nothing>,
) -> Result<HttpResponse, Refused> {
    let kind: Kind = path.parse().map_err(|_| Refused::NotFound)?;
    let pressed = post.pressed;
    let result = room.commands.ask(|reply| Command::SelfTest { pressed, kind, reply }).await?;
    let saw = answer_of(kind, result).await?;
    Ok(HttpResponse::Ok().json(json!({ "saw": saw })))
}

/// What is on the scale, once it is at rest. Asked anew by each request: an older weight is of other goods.
pub(super) async fn weigh(room: Data<Room>) -> Result<Json<Weighing>, Refused> {
    let weighed = room.commands.ask(|reply| Command::Weigh { reply }).await?;
    answer_of(Kind::Scale, weighed).await.map(Json)
}

pub(super) async fn answer_of<T>(kind: Kind, answer: Receiver<Result<T, PeripheralError>>) -> Result<T, Refused> {
    match tokio::time::timeout(SELF_TEST_MAX, answer).await {
        Ok(Ok(told)) => Ok(told?),
        Ok(Err(_)) => Err(Refused::Peripheral(format!("there is no {kind}, or it hangs; check its cable"))),
        Err(_) => Err(Refused::Peripheral(format!("the {kind} did not answer in time; switch it off and on"))),
    }
}

pub(super) async fn sync_now(room: Data<Room>, post: Post<Nothing>) -> Result<HttpResponse, Refused> {
    let pressed = post.pressed;
    room.commands.ask(|reply| Command::SyncNow { pressed, reply }).await?;
    Ok(HttpResponse::Ok().json(json!({})))
}

pub(super) async fn open_drawer(room: Data<Room>, post: Post<Nothing>) -> Result<HttpResponse, Refused> {
    let pressed = post.pressed;
    room.commands.ask(|reply| Command::OpenDrawer { pressed, reply }).await?;
    Ok(HttpResponse::Ok().json(json!({})))
}
