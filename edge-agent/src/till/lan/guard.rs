//! Who is let in from the network. As on this machine ([`super::super::door`]), and besides a token in a cookie; without one, the page
//! and the endpoint to be paired by, and nothing else.

use std::time::Instant;

use actix_web::{
    Error, HttpMessage as _, HttpRequest, HttpResponse, ResponseError as _,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, header},
    middleware::Next,
    web::Data,
};

use super::{Gate, Guest};
use crate::{
    paired::{Role, Token},
    till::{
        door::{Asker, answer, dress, refusal},
        pages,
        paired::{COOKIE, cookie},
        problem::Refused,
    },
};

const PAIR: &str = "/pair";
const REDEEM: &str = "/api/pair";
/// What a customer display asks for, besides its page.
const DISPLAYS: [&str; 3] = ["/api/display", "/api/display/code.svg", "/api/events"];

/// What becomes of a request.
enum Way {
    On,
    /// To the page that it is let in to.
    To(&'static str),
    No(Refused),
}

/// Every request from the network passes through here.
pub(super) async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(gate) = request.app_data::<Data<Gate>>().cloned() else {
        return answer(request, next, Some(Refused::NotPaired), Asker::Stranger).await;
    };
    // Whoever is being paired has not come in yet, also if the browser has kept the token of an answer that the page never read.
    let token = request.cookie(COOKIE).filter(|_| request.path() != REDEEM);
    let token = token.and_then(|cookie| Token::parse(cookie.value()));
    let known = token.as_ref().and_then(|token| gate.paired.comes(token));
    let address = request.peer_addr().map(|address| address.ip());
    let ours = |host: &str| host.eq_ignore_ascii_case(&gate.authority);
    let way = match refusal(request.method(), request.path(), request.headers(), "https://", ours) {
        // What another page in a browser asks is not counted as what a person there does.
        Some(refused) => Way::No(refused),
        None if known.is_none() && !gate.crowd.may(address, Instant::now()) => Way::No(Refused::TooManyRequests),
        None => way(known.as_ref().map(|peer| peer.role), request.method(), request.path()),
    };
    let asker = known.as_ref().map_or(Asker::Stranger, |peer| Asker::Device(&peer.name));
    let mut response = match way {
        Way::To(place) => {
            let mut response = HttpResponse::SeeOther().insert_header((header::LOCATION, place)).finish();
            dress(response.headers_mut());
            request.into_response(response)
        }
        // A crowd must not fill the log either.
        Way::No(Refused::TooManyRequests) => {
            let mut response = Refused::TooManyRequests.error_response();
            dress(response.headers_mut());
            request.into_response(response)
        }
        Way::No(refused) => answer(request, next, Some(refused), asker).await?,
        Way::On => {
            if let Some(peer) = known.clone() {
                request.extensions_mut().insert(Guest { peer, paired: gate.paired.clone() });
            }
            answer(request, next, None, asker).await?
        }
    };
    match (&known, &token) {
        (None, _) => response.response_mut().head_mut().set_connection_type(actix_web::http::ConnectionType::Close),
        // A browser forgets a cookie after 400 days, however often it is sent: a page that is opened has it begin anew.
        (Some(_), Some(token)) if matches!(response.request().path(), "/" | "/display") => {
            // It has no characters that a header may not have.
            let _ = response.response_mut().add_cookie(&cookie(token));
        }
        _ => {}
    }
    Ok(response)
}

/// What is let in: pages by their names, presses by the routes behind.
fn way(role: Option<Role>, method: &Method, path: &str) -> Way {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let is_page = matches!(path, "/" | "/display" | "/display/");
    match role {
        None if is_page && reads => Way::To(PAIR),
        None if path == REDEEM || (reads && (path == PAIR || pages::belongs_to("pair.html", path))) => Way::On,
        None => Way::No(Refused::NotPaired),
        Some(Role::Till) => Way::On,
        Some(Role::Display) if path == "/" && reads => Way::To("/display"),
        Some(Role::Display)
            if reads && (DISPLAYS.contains(&path) || is_page || pages::belongs_to("display.html", path)) =>
        {
            Way::On
        }
        // Somebody pairs it anew.
        Some(Role::Display) if reads && (path == PAIR || pages::belongs_to("pair.html", path)) => Way::On,
        Some(Role::Display) => Way::No(Refused::DisplayOnly),
    }
}

/// The pages of this door.
pub(super) async fn page(request: HttpRequest) -> Result<HttpResponse, Refused> {
    if request.path().starts_with("/api/") {
        return Err(Refused::NotFound);
    }
    pages::page(request).await
}
