//! The basket as the page sees it, and what is pressed on it. Scans come by `/api/scan`, or from the hardware.

use actix_web::{HttpResponse, web::Data};
use saoma_protocol::{
    GoodsId, Grams, Sequence,
    api::GoodsTax,
    pricing::{Discount, Totals, gross_minor},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

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
    /// So much of goods that are sold by weight.
    Weighed {
        goods: GoodsId,
        grams: Grams,
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

pub(super) async fn show(room: Data<Room>) -> Result<HttpResponse, Refused> {
    let now = room.commands.ask(|reply| Command::State { reply }).await?;
    Ok(HttpResponse::Ok().json(json!({ "basket": now.state.basket })))
}

pub(super) async fn press(room: Data<Room>, post: Post<BasketRequest>) -> Result<HttpResponse, Refused> {
    let Post { pressed, body: request } = post;
    let basket = room.commands.ask(|reply| Command::Basket { pressed, request, reply }).await?;
    Ok(HttpResponse::Ok().json(json!({ "basket": basket })))
}
