//! Disputes at the stage door: their steps as a test takes them, and the scheme's books of them.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Fault,
    door::{FarSide, played, refused},
};

/// A step of a dispute, in the contract's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DisputeNews {
    Opened,
    EvidenceWanted,
    Won,
    Lost,
}

/// A dispute in the scheme's books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisputeSeen {
    pub case_number: String,
    pub amount_minor: i64,
    pub currency: String,
    /// Its steps, oldest first.
    pub told: Vec<DisputeTold>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisputeTold {
    pub news: DisputeNews,
    /// When it was, milliseconds since 1970.
    pub at_ms: i64,
    /// What the case cost the merchant, if it is told with this step.
    pub fee_minor: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    news: DisputeNews,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    fault: Option<Fault>,
}

pub(super) fn routes<F: FarSide>(to: &mut web::ServiceConfig) {
    to.route("/orders/{number}/dispute", web::post().to(step::<F>))
        .route("/orders/{number}/dispute", web::get().to(seen::<F>))
        .route("/orders/{number}/dispute/notification", web::post().to(notification::<F>));
}

async fn step<F: FarSide>(far_side: web::Data<F>, number: web::Path<String>, step: web::Json<Step>) -> HttpResponse {
    played(far_side.dispute(&number, step.news))
}

async fn seen<F: FarSide>(far_side: web::Data<F>, number: web::Path<String>) -> HttpResponse {
    match far_side.disputed(&number) {
        Some(dispute) => HttpResponse::Ok().json(dispute),
        None => HttpResponse::NotFound().json(json!({ "why": format!("nobody disputes the order {number}") })),
    }
}

async fn notification<F: FarSide>(
    far_side: web::Data<F>,
    number: web::Path<String>,
    message: web::Json<Message>,
) -> HttpResponse {
    match far_side.dispute_notification(&number, message.fault) {
        Ok(message) => HttpResponse::Ok().json(message),
        Err(why) => refused(&why),
    }
}
