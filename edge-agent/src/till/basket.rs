//! The basket as the page sees it, and what is pressed on it. Scans come by `/api/scan`, or from the hardware.

use actix_web::{HttpResponse, web::Data};
use saoma_protocol::{
    GoodsId, Grams, Sequence,
    api::GoodsTax,
    pricing::{Discount, Totals, gross_minor},
};
use serde::{Deserialize, Serialize};

use super::{Room, command::Command, door::Post, problem::Refused};
use crate::basket::Basket;

/// `POST /api/basket`. `revision`: of the basket that the page shows; 0 while it shows none.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasketRequest {
    pub revision: u64,
    pub press: BasketPress,
}

/// Lines are counted from 0.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum BasketPress {
    /// A line without a barcode.
    Other {
        price_minor: i64,
        quantity: u32,
        name: String,
    },
    /// So much of goods that are sold by weight. Whoever does not say that the scale has said so has keyed it.
    Weighed {
        goods: GoodsId,
        grams: Grams,
        #[serde(default)]
        scale: bool,
    },
    /// With 0 the line goes.
    Quantity {
        line: usize,
        quantity: u32,
    },
    /// Without a line: on all of it; without a discount: none any more.
    Discount {
        line: Option<usize>,
        discount: Option<Discount>,
    },
    Clear {},
    /// What was put aside as that.
    TakeUp {
        held: Sequence,
    },
}

/// What is in the basket, and what it costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BasketView {
    pub revision: u64,
    pub lines: Vec<LineView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discount: Option<Discount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Sequence>,
    pub totals: Totals,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LineView {
    pub name: String,
    pub quantity: u32,
    /// Of one, or of a kilogram of what was weighed.
    pub price_minor: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_grams: Option<Grams>,
    /// By hand.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub weight_keyed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discount: Option<Discount>,
    /// What that takes off.
    pub discount_minor: i64,
    /// After it, and before the line's share of the whole's.
    pub total_minor: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax: Option<GoodsTax>,
}

impl BasketView {
    /// None while it is empty.
    #[must_use]
    pub fn of(basket: &Basket, revision: u64) -> Option<Self> {
        // Only what has a price comes into a basket.
        let priced = basket.priced().ok().filter(|_| !basket.is_empty())?;
        let lines = basket.entries.iter().zip(&priced.goods).map(|(entry, goods)| LineView {
            name: goods.name.clone(),
            quantity: goods.quantity,
            price_minor: goods.price_minor,
            weight_grams: goods.weight_grams,
            weight_keyed: goods.weight_keyed,
            discount: entry.line.discount,
            discount_minor: goods.discount_minor,
            // It has a price.
            total_minor: gross_minor(goods).unwrap_or_default() - goods.discount_minor,
            tax: goods.tax.clone(),
        });
        let lines = lines.collect();
        Some(Self { revision, lines, discount: basket.discount, held: basket.held, totals: priced.totals })
    }
}

/// What `/api/basket` answers.
#[derive(Clone, Debug, Serialize)]
pub struct BasketAnswer {
    pub basket: Option<BasketView>,
    /// As in the state: an answer and a state come by roads of their own, and an empty basket has no number on itself.
    pub basket_revision: u64,
}

pub(super) async fn show(room: Data<Room>) -> Result<HttpResponse, Refused> {
    let state = room.commands.ask(|reply| Command::State { reply }).await?.state;
    Ok(HttpResponse::Ok().json(BasketAnswer { basket: state.basket, basket_revision: state.basket_revision }))
}

pub(super) async fn press(room: Data<Room>, post: Post<BasketRequest>) -> Result<HttpResponse, Refused> {
    let Post { pressed, body: request } = post;
    Ok(HttpResponse::Ok().json(room.commands.ask(|reply| Command::Basket { pressed, request, reply }).await?))
}
