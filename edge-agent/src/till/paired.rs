//! Pairing: at the till a code is made, and devices are seen and revoked; in the network a code is redeemed.

use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{Cookie, SameSite, time::Duration},
    web::{Data, Json, Path},
};
use saoma_protocol::Millis;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Room,
    door::{Nothing, Post},
    lan,
    problem::Refused,
    view::code_svg,
};
use crate::{
    app::now,
    paired::{
        Device, DeviceId, Role, Token,
        book::{DEVICES_MAX, Offer, UNUSED_MS_MAX},
        keeper::Standing,
    },
};

/// The token's name at the device. By `__Host-` a browser holds it to this very host, to TLS and to all paths (RFC 6265bis, 4.1.3.2).
pub(super) const COOKIE: &str = "__Host-saoma-till";
/// The longest that a browser keeps one (RFC 6265bis, 5.5).
const COOKIE_DAYS: i64 = 400;

pub(super) fn cookie(token: &Token) -> Cookie<'static> {
    Cookie::build(COOKIE, token.text())
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Strict)
        .max_age(Duration::days(COOKIE_DAYS))
        .finish()
}

/// `GET /api/paired`.
#[derive(Debug, Serialize)]
pub(super) struct PairedView {
    listener: ListenerView,
    devices: Vec<DeviceView>,
    devices_max: usize,
    offer: Option<OfferView>,
    trouble: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum ListenerView {
    Off,
    Open { url: String, fingerprint: String, certificate_expires_at: Millis },
    Failed { why: String },
}

#[derive(Debug, Serialize)]
struct DeviceView {
    id: DeviceId,
    name: String,
    role: Role,
    paired_at: Millis,
    /// Unknown until core has said what time it is.
    seen_at: Option<Millis>,
    expires_at: Option<Millis>,
    /// It is let in no more, but the disk has not taken that yet.
    is_leaving: bool,
}

impl DeviceView {
    fn of(device: Device, is_leaving: bool) -> Self {
        let Device { id, name, role, paired_at, seen_at, .. } = device;
        let expires_at = seen_at.map(|seen_at| seen_at.plus(UNUSED_MS_MAX));
        Self { id, name: name.into(), role, paired_at, seen_at, expires_at, is_leaving }
    }
}

/// The code on offer, without the code.
#[derive(Debug, Serialize)]
struct OfferView {
    id: DeviceId,
    name: String,
    role: Role,
    expires_at: Millis,
    tries_left: u32,
    /// The device that has redeemed it.
    device: Option<DeviceId>,
}

impl From<Offer> for OfferView {
    fn from(offer: Offer) -> Self {
        Self {
            expires_at: offer.until(),
            tries_left: offer.tries_left(),
            device: offer.device().cloned(),
            name: offer.name.into(),
            role: offer.role,
            id: offer.id,
        }
    }
}

pub(super) async fn show(room: Data<Room>) -> Json<PairedView> {
    let listener = match room.lan.get().map(lan::Lan::standing) {
        None => ListenerView::Off,
        Some(lan::Standing::Open { authority, fingerprint, certificate_expires_at }) => {
            ListenerView::Open { url: format!("https://{authority}/"), fingerprint, certificate_expires_at }
        }
        Some(lan::Standing::Shut { why }) => ListenerView::Failed { why },
    };
    let Standing { devices, leaving, offer, trouble } = room.paired.standing(now());
    let stay = devices.into_iter().map(|device| DeviceView::of(device, false));
    let devices = stay.chain(leaving.into_iter().map(|device| DeviceView::of(device, true))).collect();
    Json(PairedView { listener, devices, devices_max: DEVICES_MAX, offer: offer.map(OfferView::from), trouble })
}

/// `POST /api/paired/code`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    name: String,
    role: Role,
}

/// The code, told once for each press.
#[derive(Serialize)]
pub(super) struct CodeView {
    id: DeviceId,
    /// With the code in its fragment.
    url: String,
    svg: String,
    /// To type.
    code: String,
    expires_at: Millis,
}

pub(super) async fn offer(room: Data<Room>, post: Post<Wanted>) -> Result<HttpResponse, Refused> {
    let Post { pressed, body } = post;
    let standing = room.lan.get().map(lan::Lan::standing);
    let Some(lan::Standing::Open { authority, .. }) = standing else { return Err(Refused::PairingOff) };
    let name = body.name.parse()?;
    let offer = room.paired.offer(pressed.key, name, body.role, now())?.ok_or(Refused::KeyReused)?;
    let url = format!("https://{authority}/pair#{}", offer.code.whole());
    let svg = code_svg(&url).unwrap_or_default();
    let (code, expires_at) = (offer.code.short(), offer.until());
    Ok(HttpResponse::Created().json(CodeView { id: offer.id, url, svg, code, expires_at }))
}

/// `POST /api/paired/code/cancel`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Withdrawn {
    id: DeviceId,
}

pub(super) async fn withdraw(room: Data<Room>, post: Post<Withdrawn>) -> Result<HttpResponse, Refused> {
    room.paired.withdraw(&post.body.id);
    Ok(HttpResponse::Ok().json(json!({})))
}

pub(super) async fn revoke(room: Data<Room>, path: Path<String>, _: Post<Nothing>) -> Result<HttpResponse, Refused> {
    let revoked = room.paired.revoke(&DeviceId(path.into_inner()));
    revoked.map_err(|error| Refused::RevokeUnwritten(error.chain()))?;
    Ok(HttpResponse::Ok().json(json!({})))
}

/// `POST /api/pair`, in the network.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Redeem {
    /// In no fingerprint, as all that lets somebody in.
    #[serde(skip_serializing)]
    code: String,
}

pub(super) async fn redeem(
    room: Data<Room>,
    request: HttpRequest,
    post: Post<Redeem>,
) -> Result<HttpResponse, Refused> {
    let Post { pressed, body } = post;
    let shown = request.cookie(COOKIE).and_then(|cookie| Token::parse(cookie.value()));
    let (peer, token) = room.paired.redeem(&body.code, &pressed.key, shown.as_ref(), now())?;
    Ok(HttpResponse::Created().cookie(cookie(&token)).json(json!({ "name": peer.name, "role": peer.role })))
}
