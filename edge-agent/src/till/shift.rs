//! The shift: signed on (签到), cash paid in and out, the batch closed (结算).
//!
//! What should be in the drawer stands in no answer before the drawer was counted.

use actix_web::{
    HttpResponse,
    web::{Data, Json},
};
use saoma_protocol::{Currency, Millis, Sequence, cashier::Pin};
use serde::{Deserialize, Serialize};

use super::{
    Room,
    command::{Command, Named, ShiftPress},
    door::{Nothing, Post},
    problem::Refused,
};
use crate::{
    sale::ReceiptState,
    shift::{InDoubt, Shift, Totals},
};

/// A shift as the page sees it; amounts in minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShiftView {
    pub batch: Sequence,
    pub cashier: String,
    pub cashier_number: String,
    pub currency: Currency,
    pub float_minor: i64,
    /// By core's clock where that was known and the machine's wrong; so is when it was closed.
    pub opened_at: Millis,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub by_core: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<CloseView>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CloseView {
    pub at: Millis,
    pub expected_minor: i64,
    pub counted_minor: i64,
    /// What was counted more than expected, or less if it is negative.
    pub over_short_minor: i64,
    pub totals: Totals,
    /// Sales over which it was closed although nobody knew how they stood.
    pub in_doubt: Vec<InDoubt>,
    pub report: ReceiptState,
}

impl ShiftView {
    #[must_use]
    pub fn of(shift: &Shift) -> Self {
        let closed = shift.closed.as_ref().map(|closed| CloseView {
            at: closed.stamp().at(),
            expected_minor: closed.expected.minor(),
            counted_minor: closed.counted.minor(),
            over_short_minor: closed.over_short_minor(),
            totals: closed.totals,
            in_doubt: closed.in_doubt.clone(),
            report: closed.report,
        });
        Self {
            batch: shift.batch,
            cashier: shift.cashier.clone(),
            cashier_number: shift.cashier_number.clone(),
            currency: shift.float.currency(),
            float_minor: shift.float.minor(),
            opened_at: shift.opened().at(),
            by_core: shift.opened().is_machine_wrong(),
            closed,
        }
    }
}

/// The open shift as the till's state has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShiftBrief {
    pub batch: Sequence,
    pub cashier: String,
    pub opened_at: Millis,
}

impl ShiftBrief {
    #[must_use]
    pub fn of(shift: &Shift) -> Self {
        Self { batch: shift.batch, cashier: shift.cashier.clone(), opened_at: shift.opened().at() }
    }
}

/// `GET /api/shift`.
#[derive(Clone, Debug, Serialize)]
pub struct ShiftNow {
    /// The last one of this till, open or closed.
    pub shift: Option<ShiftView>,
}

pub(super) async fn show(room: Data<Room>) -> Result<Json<ShiftNow>, Refused> {
    room.commands.ask(|reply| Command::ShiftNow { reply }).await.map(Json)
}

async fn press<T>(room: &Room, post: Post<T>, press: impl FnOnce(T) -> ShiftPress) -> Result<ShiftView, Refused> {
    let Post { pressed, body } = post;
    let press = press(body);
    room.commands.ask(|reply| Command::Shift { pressed, press, reply }).await
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenRequest {
    float_minor: i64,
    /// Not asked for where a PIN tells who it is.
    #[serde(default)]
    cashier: String,
    #[serde(default)]
    cashier_number: String,
    /// In no fingerprint, which is kept on the disk.
    #[serde(default, skip_serializing)]
    pin: Option<Pin>,
}

pub(super) async fn open(room: Data<Room>, post: Post<OpenRequest>) -> Result<HttpResponse, Refused> {
    let opened = press(&room, post, |body| ShiftPress::Open {
        float_minor: body.float_minor,
        cashier: body.cashier,
        cashier_number: body.cashier_number,
        pin: body.pin,
    });
    Ok(HttpResponse::Created().json(opened.await?))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CashRequest {
    batch: Sequence,
    amount_minor: i64,
    reason: String,
    #[serde(default)]
    cashier: Option<String>,
    #[serde(default, skip_serializing)]
    cashier_pin: Option<Pin>,
}

impl CashRequest {
    fn press(self, is_in: bool) -> ShiftPress {
        let Self { batch, amount_minor, reason, cashier, cashier_pin: pin } = self;
        ShiftPress::Move { batch, is_in, amount_minor, reason, by: Named { cashier, pin } }
    }
}

pub(super) async fn paid_in(room: Data<Room>, post: Post<CashRequest>) -> Result<Json<ShiftView>, Refused> {
    press(&room, post, |body| body.press(true)).await.map(Json)
}

pub(super) async fn paid_out(room: Data<Room>, post: Post<CashRequest>) -> Result<Json<ShiftView>, Refused> {
    press(&room, post, |body| body.press(false)).await.map(Json)
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CloseRequest {
    batch: Sequence,
    counted_minor: i64,
    #[serde(default)]
    cashier: Option<String>,
    #[serde(default, skip_serializing)]
    cashier_pin: Option<Pin>,
    #[serde(default)]
    despite: Vec<Sequence>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    drop_held: Vec<Sequence>,
}

pub(super) async fn close(room: Data<Room>, post: Post<CloseRequest>) -> Result<Json<ShiftView>, Refused> {
    let press_of = |body: CloseRequest| {
        let CloseRequest { batch, counted_minor, cashier, cashier_pin: pin, despite, drop_held } = body;
        ShiftPress::Close { batch, counted_minor, by: Named { cashier, pin }, despite, drop_held }
    };
    press(&room, post, press_of).await.map(Json)
}

pub(super) async fn reprint(room: Data<Room>, post: Post<Nothing>) -> Result<Json<ShiftView>, Refused> {
    press(&room, post, |_| ShiftPress::Reprint).await.map(Json)
}
