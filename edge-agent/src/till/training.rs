//! Training (培训): entered, left, and the played sales, under paths of their own. A page that takes a played sale for a real one,
//! or the other way round, is refused.

use actix_web::{
    HttpResponse,
    web::{Data, Json, Path, Query},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Room,
    command::{Command, Press, SaleRequest, TrainingPress},
    door::{Nothing, Post},
    problem::Refused,
    sales::{Limit, answer},
    view::{SaleView, StateNow},
};
use crate::training::TrainingNumber;

pub(super) async fn enter(room: Data<Room>, post: Post<Nothing>) -> Result<Json<StateNow>, Refused> {
    turn(&room, post, TrainingPress::Enter).await
}

pub(super) async fn leave(room: Data<Room>, post: Post<Nothing>) -> Result<Json<StateNow>, Refused> {
    turn(&room, post, TrainingPress::Leave).await
}

async fn turn(room: &Room, post: Post<Nothing>, press: TrainingPress) -> Result<Json<StateNow>, Refused> {
    let pressed = post.pressed;
    room.commands.ask(|reply| Command::Training { pressed, press, reply }).await.map(Json)
}

pub(super) async fn sell(room: Data<Room>, post: Post<SaleRequest>) -> Result<HttpResponse, Refused> {
    let Post { pressed, body: request } = post;
    room.commands.ask(|reply| Command::SellTraining { pressed, request, reply }).await.map(answer)
}

pub(super) async fn list(room: Data<Room>, query: Query<Limit>) -> Result<HttpResponse, Refused> {
    let limit = query.get()?;
    let items = room.commands.ask(|reply| Command::TrainingSales { limit, reply }).await?;
    Ok(HttpResponse::Ok().json(json!({ "items": items })))
}

/// What a button on a played sale brings along: the amount of a refund.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PressRequest {
    #[serde(default)]
    amount_minor: Option<i64>,
}

pub(super) async fn press(
    room: Data<Room>,
    path: Path<(String, String)>,
    post: Post<PressRequest>,
) -> Result<Json<SaleView<TrainingNumber>>, Refused> {
    let (number, name) = path.into_inner();
    let number = number.parse().map_err(|_| Refused::SaleNotFound)?;
    let press = match (name.as_str(), post.body.amount_minor) {
        ("query", None) => Press::Query,
        ("cancel", None) => Press::Cancel,
        ("void", None) => Press::Void,
        ("refund", Some(amount_minor)) => Press::Refund { amount_minor },
        ("reprint", None) => Press::Reprint,
        ("refund", None) => return Err(Refused::BodyUnreadable("missing field `amount_minor`".to_owned())),
        ("query" | "cancel" | "void" | "reprint", Some(_)) => {
            return Err(Refused::BodyUnreadable("unknown field `amount_minor`".to_owned()));
        }
        _ => return Err(Refused::NotFound),
    };
    let pressed = post.pressed;
    room.commands.ask(|reply| Command::PressOnTraining { pressed, number, press, reply }).await.map(Json)
}
