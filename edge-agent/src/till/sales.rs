//! Sales: keyed, asked about, pressed.

use actix_web::{
    HttpResponse,
    web::{Data, Json, Path, Query},
};
use saoma_protocol::{PaymentId, Sequence};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Room,
    command::{Approval, Command, Press, Pressed, SaleRequest, Sold},
    door::{Nothing, Post},
    problem::Refused,
    view::{SaleView, ScanView},
};
use crate::{phone::PhoneRefusal, sale::ScannedCode};

const LIMIT_DEFAULT: u32 = 20;
const LIMIT_MAX: u32 = 100;

pub(super) async fn sell(room: Data<Room>, post: Post<SaleRequest>) -> Result<HttpResponse, Refused> {
    let Post { pressed, body: request } = post;
    let sold = room.commands.ask(|reply| Command::Sell { pressed, request, reply }).await?;
    Ok(answer(sold))
}

pub(super) fn answer<N: Serialize>(sold: Sold<N>) -> HttpResponse {
    match sold {
        Sold::Made(sale) => HttpResponse::Created().json(sale),
        Sold::Seen(sale) => HttpResponse::Ok().json(sale),
        Sold::AwaitingScan(awaiting) => HttpResponse::Accepted().json(json!({ "awaiting_scan": awaiting })),
        Sold::AwaitingCard(awaiting) => HttpResponse::Accepted().json(json!({ "awaiting_card": awaiting })),
    }
}

#[derive(Deserialize)]
pub(super) struct Limit {
    limit: Option<String>,
}

impl Limit {
    pub(super) fn get(&self) -> Result<u32, Refused> {
        match &self.limit {
            None => Ok(LIMIT_DEFAULT),
            Some(text) => text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit)).ok_or(Refused::Limit),
        }
    }
}

/// Which sales: the latest, or the one with that number.
#[derive(Deserialize)]
pub(super) struct Which {
    #[serde(flatten)]
    latest: Limit,
    counter: Option<String>,
}

pub(super) async fn list(room: Data<Room>, query: Query<Which>) -> Result<HttpResponse, Refused> {
    let items = match &query.counter {
        None => {
            let limit = query.latest.get()?;
            room.commands.ask(|reply| Command::Sales { limit, reply }).await?
        }
        // What is no number is no sale's.
        Some(text) => match text.parse() {
            Ok(counter) => {
                let counter = Sequence(counter);
                room.commands.ask(|reply| Command::SaleNumbered { counter, reply }).await?
            }
            Err(_) => Vec::new(),
        },
    };
    Ok(HttpResponse::Ok().json(json!({ "items": items })))
}

/// The sale that a path names. What is not a number at all is not a sale of this till either.
fn number(path: &str) -> Result<PaymentId, Refused> {
    path.parse().map_err(|_| Refused::SaleNotFound)
}

pub(super) async fn one(room: Data<Room>, path: Path<String>) -> Result<Json<SaleView>, Refused> {
    let payment = number(&path)?;
    room.commands.ask(|reply| Command::Sale { payment, reply }).await.map(Json)
}

async fn press(room: &Room, path: &str, post: Post<Nothing>, press: Press) -> Result<Json<SaleView>, Refused> {
    approved_press(room, path, post.pressed, press, None).await
}

async fn approved_press(
    room: &Room,
    path: &str,
    pressed: Pressed,
    press: Press,
    approval: Option<Approval>,
) -> Result<Json<SaleView>, Refused> {
    let payment = number(path)?;
    room.commands.ask(|reply| Command::Press { pressed, payment, press, approval, reply }).await.map(Json)
}

pub(super) async fn query(
    room: Data<Room>,
    path: Path<String>,
    post: Post<Nothing>,
) -> Result<Json<SaleView>, Refused> {
    press(&room, &path, post, Press::Query).await
}

pub(super) async fn cancel(
    room: Data<Room>,
    path: Path<String>,
    post: Post<Nothing>,
) -> Result<Json<SaleView>, Refused> {
    press(&room, &path, post, Press::Cancel).await
}

/// As a fingerprint it is what it was before there were supervisors.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VoidRequest {
    #[serde(default, skip_serializing)]
    supervisor: Option<Approval>,
}

pub(super) async fn void(
    room: Data<Room>,
    path: Path<String>,
    post: Post<VoidRequest>,
) -> Result<Json<SaleView>, Refused> {
    let Post { pressed, body: VoidRequest { supervisor } } = post;
    approved_press(&room, &path, pressed, Press::Void, supervisor).await
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RefundRequest {
    amount_minor: i64,
    #[serde(default, skip_serializing)]
    supervisor: Option<Approval>,
}

pub(super) async fn refund(
    room: Data<Room>,
    path: Path<String>,
    post: Post<RefundRequest>,
) -> Result<Json<SaleView>, Refused> {
    let Post { pressed, body: RefundRequest { amount_minor, supervisor } } = post;
    approved_press(&room, &path, pressed, Press::Refund { amount_minor }, supervisor).await
}

pub(super) async fn reprint(
    room: Data<Room>,
    path: Path<String>,
    post: Post<Nothing>,
) -> Result<Json<SaleView>, Refused> {
    press(&room, &path, post, Press::Reprint).await
}

pub(super) async fn acknowledge(
    room: Data<Room>,
    path: Path<String>,
    post: Post<Nothing>,
) -> Result<Json<SaleView>, Refused> {
    press(&room, &path, post, Press::Acknowledge).await
}

/// The letters on the customer's page, as they were typed. As of a scan, their fingerprint is never on the disk.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfirmRequest {
    letters: String,
}

pub(super) async fn confirm(
    room: Data<Room>,
    path: Path<String>,
    post: Post<ConfirmRequest>,
) -> Result<Json<SaleView>, Refused> {
    let Post { pressed, body: ConfirmRequest { letters } } = post;
    let confirmation = letters.parse().map_err(|_| PhoneRefusal::Unread)?;
    approved_press(&room, &path, pressed, Press::Confirm { confirmation }, None).await
}

/// The text is in the fingerprint, which for scans is never on the disk.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScanRequest {
    text: String,
}

pub(super) async fn scan(room: Data<Room>, post: Post<ScanRequest>) -> Result<Json<ScanView>, Refused> {
    let Post { pressed, body } = post;
    let text = ScannedCode::new(body.text);
    room.commands.ask(|reply| Command::Scan { pressed, text, reply }).await.map(Json)
}

pub(super) async fn stop_scan(room: Data<Room>, post: Post<Nothing>) -> Result<HttpResponse, Refused> {
    let pressed = post.pressed;
    room.commands.ask(|reply| Command::StopScan { pressed, reply }).await?;
    Ok(HttpResponse::Ok().json(json!({})))
}

pub(super) async fn stop_card(room: Data<Room>, post: Post<Nothing>) -> Result<HttpResponse, Refused> {
    let pressed = post.pressed;
    room.commands.ask(|reply| Command::StopCard { pressed, reply }).await?;
    Ok(HttpResponse::Ok().json(json!({})))
}
