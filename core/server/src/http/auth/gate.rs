//! The gate of every route: shut unless it is said here that it is open.
//!
//! A handler asks for its caller's right by the type of its argument. One that forgets to, or that the document leaves out and
//! no test of access therefore knows, must not be open for that: whoever adds a route writes its rule first.

use actix_web::{
    Error, HttpMessage as _,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    http::Method,
    middleware::Next,
};

use super::{Found, not_packed, not_too_often, principal};
use crate::http::{
    openapi,
    problem::{METHOD_NOT_ALLOWED, NOT_FOUND, Problem},
};

/// Operations of the API for callers without an identity, each with what guards it instead.
pub const OPEN: &[(Method, &str)] = &[
    // The password, and a limit on tries.
    (Method::POST, "/v1/auth/sign-in"),
    // The refresh cookie, and the page that sends it.
    (Method::POST, "/v1/auth/refresh"),
    // It ends what is shown to it and nothing else; whoever has no session any more must get rid of the cookie.
    (Method::POST, "/v1/auth/sign-out"),
    // The claim code, which works once, and a limit on tries.
    (Method::POST, "/v1/terminal/enrol"),
    // The channel's signature, which its plugin checks.
    (Method::POST, "/v1/notify/{account}"),
];

/// Routes outside of the API: they are not asked who calls at all.
pub const PAGES: &[&str] = &[
    // Whether this process works, in numbers that say nothing of merchants.
    "/health",
    "/ready",
    // Where the figures are instead.
    "/metrics",
    // The random number of a code on show, and a signature.
    "/p/{token}",
    // A terminal's signature, and a limit on tries.
    "/m/{code}",
    // The random number of a printed code; what a visitor does there, their sealed cookie and a limit on tries.
    "/s/{code}",
    "/s/{code}/back",
    "/s/{code}/state",
    "/s/{code}/pay",
    "/s/{code}/again",
    // The API's description, which is in the source.
    "/docs",
    "/docs/{_:.*}",
    "/openapi.json",
];

/// Finds out who calls, for the handlers' [`super::Caller`], and lets nobody through to what is not open.
///
/// # Errors
/// What the handler says.
pub async fn admit(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    // The path as the router reads it: with a letter written as %61 it is still the same route.
    let path = request.match_info().as_str();
    let is_api = path == "/v1" || path.starts_with("/v1/");
    let pattern = request.resource_map().match_pattern(path);
    let is_page = match &pattern {
        Some(pattern) => PAGES.contains(&pattern.as_str()),
        // The dashboard's files and rooms.
        None => !is_api,
    };
    if is_page {
        return next.call(request).await;
    }
    let found = match principal(request.request()).await {
        Ok(principal) => match not_too_often(request.request(), &principal).await {
            Ok(()) => not_packed(request.request()).map(|()| principal),
            Err(too_often) => Err(too_often),
        },
        refused => refused,
    };
    let (method, pattern) = (request.method(), pattern.unwrap_or_default());
    if !OPEN.iter().any(|(open, place)| open == method && *place == pattern) {
        let refused = match &found {
            Err(problem) => Some(problem.clone()),
            Ok(_) => not_described(&request, &pattern),
        };
        if let Some(problem) = refused {
            return Ok(request.error_response(problem));
        }
    }
    request.extensions_mut().insert(Found(found));
    next.call(request).await
}

/// What the document does not have is not there: nobody has said who may do it.
fn not_described(request: &ServiceRequest, pattern: &str) -> Option<Problem> {
    let (method, path) = (request.method(), request.path());
    match openapi::methods_of(pattern) {
        Some(methods) if methods.contains(method) => None,
        Some(_) => Some(Problem::new(METHOD_NOT_ALLOWED, format!("{method} cannot be done to {path}."))),
        None => Some(Problem::new(NOT_FOUND, format!("There is no {method} {path}."))),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{App, HttpResponse, middleware::from_fn, test as calls, web};
    use utoipa::openapi::path::Operation;

    use super::*;

    /// Routes whose writer thought of neither a caller nor the document.
    async fn status_of(method: Method, path: &str) -> u16 {
        let forgetful = || web::to(HttpResponse::Ok);
        let routes = web::scope("")
            .service(web::scope("/v1").route("/secrets", forgetful()).route("/auth/sign-in", forgetful()))
            .route("/secrets", forgetful())
            .route("/health", forgetful())
            .default_service(forgetful())
            .wrap(from_fn(admit));
        let service = calls::init_service(App::new().service(routes)).await;
        let request = calls::TestRequest::default().method(method).uri(path).to_request();
        calls::call_service(&service, request).await.status().as_u16()
    }

    #[actix_web::test]
    async fn a_route_without_a_rule_is_shut() {
        for (method, path, status) in [
            // There is no core behind these routes that could say who calls.
            (Method::GET, "/v1/secrets", 500),
            (Method::GET, "/v1/%73ecrets", 500),
            (Method::GET, "/%76%31/secrets", 500),
            (Method::GET, "/secrets", 500),
            (Method::GET, "/%73ecrets", 500),
            (Method::GET, "/v1", 500),
            (Method::GET, "/v1/nothing", 500),
            (Method::GET, "/v1/auth/sign-in", 500),
            (Method::POST, "/v1/auth/sign-in", 200),
            (Method::GET, "/health", 200),
            (Method::GET, "/rooms/of/the/dashboard", 200),
        ] {
            assert_eq!(status_of(method.clone(), path).await, status, "{method} {path}");
        }
    }

    #[test]
    fn what_is_open_is_described_as_open_and_nothing_else_is() {
        let mut described = Vec::new();
        for (path, item) in openapi::described().paths.paths {
            let is_open =
                |operation: &Operation| operation.security.as_ref().is_some_and(|needs| needs == &[Default::default()]);
            let each = [
                (Method::GET, item.get),
                (Method::POST, item.post),
                (Method::PUT, item.put),
                (Method::PATCH, item.patch),
                (Method::DELETE, item.delete),
            ];
            let open = each.into_iter().filter(|(_, operation)| operation.as_ref().is_some_and(is_open));
            described.extend(open.map(|(method, _)| (method, path.clone())));
        }
        let mut open: Vec<_> = OPEN.iter().map(|(method, path)| (method.clone(), (*path).to_owned())).collect();
        described.sort_by_key(|(_, path)| path.clone());
        open.sort_by_key(|(_, path)| path.clone());
        assert_eq!(described, open, "mark it `security(())` in the document, and put it into OPEN with its reason");
    }
}
