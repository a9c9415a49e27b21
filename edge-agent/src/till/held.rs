//! What is put aside (挂单), and dropped. It is taken up (取单) by the sale that names it.

use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use saoma_protocol::{Millis, Sequence};
use serde::Serialize;
use serde_json::json;

use super::{
    Room,
    command::{Command, HoldRequest},
    door::{Nothing, Post},
    problem::Refused,
};
use crate::held::Held;

/// What was keyed and put aside. No sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldView {
    pub number: Sequence,
    pub amount_minor: i64,
    pub amount: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    pub cashier: String,
    /// Whether it is a basket, which is taken up as one.
    pub is_basket: bool,
    pub held_at: Millis,
}

impl HeldView {
    #[must_use]
    pub fn of(held: &Held) -> Self {
        Self {
            number: held.number,
            amount_minor: held.amount.minor(),
            amount: held.amount.money().decimal(),
            reference: held.reference.as_ref().map(ToString::to_string),
            cashier: held.cashier.clone(),
            is_basket: held.basket.is_some(),
            held_at: held.held_at,
        }
    }
}

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
