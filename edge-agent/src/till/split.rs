//! Split payments (分次付款): what the page asks of them, and what it gets to see. A part is keyed as a sale (`POST /api/sales`).

use actix_web::{
    HttpResponse,
    web::{Data, Json, Path},
};
use saoma_protocol::{Currency, Millis, PaymentId, Sequence};
use serde::{Deserialize, Serialize};

use super::{
    Room,
    command::{Approval, Command, Pressed},
    door::{Nothing, Post},
    problem::Refused,
    view::{GivenBack, method},
};
use crate::{
    sale::{ReceiptState, Sale},
    split::{PARTS_MAX, Stage, Whole, collected_minor, in_doubt},
};

/// What a sale is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SplitAsk {
    /// The first part of that total; goods, basket, table and what was put aside go with it.
    Begin { total_minor: i64 },
    /// One more of that split. `rest_minor`: what the page says is still to be paid.
    GoOn { number: Sequence, rest_minor: i64 },
}

/// A button on a split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SplitPress {
    /// All that was paid goes back.
    GiveBack(Option<Approval>),
    Reprint,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SplitView {
    pub number: Sequence,
    pub state: &'static str,
    pub total_minor: i64,
    pub total: String,
    pub paid_minor: i64,
    /// Still to be paid; 0 once it is over.
    pub rest_minor: i64,
    pub currency: Currency,
    /// A part about which something is to be found out is in the way of all else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_the_way: Option<PaymentId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    pub cashier: String,
    pub began_at: Millis,
    pub receipt: ReceiptState,
    pub parts: Vec<PartView>,
    pub actions: Vec<&'static str>,
}

/// A part in short; the whole of it is a sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartView {
    pub payment: PaymentId,
    pub counter: Sequence,
    pub method: &'static str,
    pub state: &'static str,
    pub amount_minor: i64,
    /// Of it, what is with the shop.
    pub collected_minor: i64,
    pub refunds: Vec<GivenBack>,
}

/// What a sale's view says of its split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartOfView {
    pub number: Sequence,
    pub part: u32,
    pub total_minor: i64,
}

impl PartOfView {
    pub(super) fn of(sale: &Sale) -> Option<Self> {
        let part = sale.kept.split.as_ref()?;
        Some(Self { number: part.of, part: part.part, total_minor: part.total.minor() })
    }
}

impl SplitView {
    #[must_use]
    pub fn of(whole: &Whole) -> Self {
        let split = &whole.split;
        let is_collecting = split.stage == Stage::Open;
        let in_the_way = whole.parts.iter().find(|part| in_doubt(part).is_some());
        let mut actions = Vec::new();
        if is_collecting && in_the_way.is_none() && whole.parts.len() < PARTS_MAX {
            actions.push("collect");
        }
        if whole.may_give_back().is_ok() {
            actions.push("give_back");
        }
        if split.was_paid {
            actions.push("reprint");
        }
        Self {
            number: split.number,
            state: match split.stage {
                Stage::Open => "open",
                Stage::Paid => "paid",
                Stage::GivingBack { .. } => "giving_back",
                Stage::GivenBack { left_minor: 0 } => "given_back",
                Stage::GivenBack { .. } => "partly_given_back",
            },
            total_minor: split.total.minor(),
            total: split.total.money().decimal(),
            paid_minor: whole.paid_minor(),
            rest_minor: if is_collecting { whole.rest_minor().max(0) } else { 0 },
            currency: split.total.currency(),
            in_the_way: in_the_way.map(|part| part.kept.payment),
            reference: split.reference.as_ref().map(ToString::to_string),
            cashier: split.cashier.clone(),
            began_at: split.began().at(),
            receipt: split.receipt,
            parts: whole.parts.iter().map(PartView::of).collect(),
            actions,
        }
    }
}

impl PartView {
    fn of(part: &Sale) -> Self {
        Self {
            payment: part.kept.payment,
            counter: part.kept.counter,
            method: method(part),
            state: part.state_text(),
            amount_minor: part.kept.amount.minor(),
            collected_minor: collected_minor(part),
            refunds: part.kept.refunds.iter().map(GivenBack::of).collect(),
        }
    }
}

fn number(path: &str) -> Result<Sequence, Refused> {
    path.parse().map(Sequence).map_err(|_| Refused::SaleNotFound)
}

pub(super) async fn one(room: Data<Room>, path: Path<String>) -> Result<Json<SplitView>, Refused> {
    let number = number(&path)?;
    room.commands.ask(|reply| Command::Split { number, reply }).await.map(Json)
}

/// As a fingerprint it has no PIN.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GiveBackRequest {
    #[serde(default, skip_serializing)]
    supervisor: Option<Approval>,
}

pub(super) async fn give_back(
    room: Data<Room>,
    path: Path<String>,
    post: Post<GiveBackRequest>,
) -> Result<HttpResponse, Refused> {
    let Post { pressed, body: GiveBackRequest { supervisor } } = post;
    press(&room, &path, pressed, SplitPress::GiveBack(supervisor)).await
}

pub(super) async fn reprint(
    room: Data<Room>,
    path: Path<String>,
    post: Post<Nothing>,
) -> Result<HttpResponse, Refused> {
    press(&room, &path, post.pressed, SplitPress::Reprint).await
}

async fn press(room: &Room, path: &str, pressed: Pressed, press: SplitPress) -> Result<HttpResponse, Refused> {
    let number = number(path)?;
    let split = room.commands.ask(|reply| Command::PressSplit { pressed, number, press, reply }).await?;
    Ok(HttpResponse::Ok().json(split))
}
