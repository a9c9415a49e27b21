//! What is put aside (挂单), and dropped. It is taken up (取单) by the sale that names it.

use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use saoma_protocol::Sequence;
use serde_json::json;

use super::{
    Room,
    command::{Command, HoldRequest},
    door::{Nothing, Post},
    problem::Refused,
};

pub(super) async fn list(room: Data<Room>) -> Result<HttpResponse, Refused> {
    let now = room.commands.ask(|reply| Command::State { reply }).await?;
    Ok(HttpResponse::Ok().json(json!({ "items": now.state.held })))
}

pub(super) async fn hold(room: Data<Room>, post: Post<HoldRequest>) -> Result<HttpResponse, Refused> {
    let Post { pressed, body: request } = post;
    let held = room.commands.ask(|reply| Command::Hold { pressed, request, reply }).await?;
    Ok(HttpResponse::Created().json(held))
}

pub(super) async fn drop(room: Data<Room>, path: Path<String>, post: Post<Nothing>) -> Result<HttpResponse, Refused> {
    let number = path.parse().map(Sequence).map_err(|_| Refused::HeldNotFound)?;
    let pressed = post.pressed;
    room.commands.ask(|reply| Command::DropHeld { pressed, number, reply }).await?;
    Ok(HttpResponse::Ok().json(json!({})))
}
