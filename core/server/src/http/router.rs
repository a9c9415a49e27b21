//! The whole API on one page.

use actix_web::{
    HttpRequest, HttpResponse,
    error::{JsonPayloadError, PathError, QueryPayloadError},
    middleware::from_fn,
    web,
};
use utoipa_swagger_ui::SwaggerUi;

use super::{
    auth::gate,
    health, metrics, openapi, pages, pay_page, phone_page,
    problem::{BODY_TOO_LARGE, BODY_UNREADABLE, INVALID, METHOD_NOT_ALLOWED, NOT_FOUND, Problem},
    static_page, v1,
};

/// Everything under one server. The listener for people and machines has it, and the one for terminals too: who may do what
/// is decided by who calls, not by where.
pub fn routes(body_bytes_max: usize) -> impl Fn(&mut web::ServiceConfig) + Clone {
    move |config| {
        config
            .app_data(json_body(body_bytes_max))
            .app_data(web::PathConfig::default().error_handler(|error, _| path(&error).into()))
            .app_data(web::QueryConfig::default().error_handler(|error, _| query(&error).into()))
            .app_data(web::PayloadConfig::new(body_bytes_max));
        // One scope for all, since the gate stands before every route.
        let gated = web::scope("")
            .service(
                web::scope("/v1")
                    .configure(v1::api_keys::routes)
                    .configure(v1::audit::routes)
                    .configure(v1::cashiers::routes)
                    .configure(v1::people::routes)
                    .configure(v1::sessions::routes)
                    .configure(v1::static_codes::routes)
                    .configure(v1::stored_cards::routes)
                    .configure(v1::stored_value::routes)
                    .configure(v1::stored_value_acceptors::routes)
                    .configure(v1::stores::routes)
                    .configure(v1::goods::routes)
                    .configure(v1::tax_rates::routes)
                    .configure(v1::terminal::routes)
                    .configure(v1::ledger::routes)
                    .configure(v1::reconciliation_days::routes)
                    .configure(v1::reconciliations::routes)
                    .configure(v1::discrepancies::routes)
                    .configure(v1::disputes::routes)
                    .configure(v1::payouts::routes)
                    .configure(v1::phone_codes::routes)
                    .configure(v1::batches::routes)
                    .configure(v1::held::routes)
                    .configure(v1::notify::routes)
                    .configure(v1::stream::routes)
                    .configure(v1::timeline::routes)
                    .configure(v1::refunds::routes)
                    .configure(v1::settlement_batches::routes)
                    .configure(v1::settlements::routes)
                    .configure(v1::attention::routes)
                    .configure(v1::orders::routes)
                    .configure(v1::payments::routes)
                    .configure(v1::tenants::routes)
                    .configure(v1::terminals::routes)
                    .configure(v1::plugins::routes)
                    .configure(v1::plugin_packages::routes)
                    .configure(v1::plugin_publishers::routes)
                    .configure(v1::plugin_rollouts::routes)
                    .configure(v1::merchant_rules::routes)
                    .configure(v1::quotes::routes)
                    .configure(v1::fleet::routes)
                    .configure(v1::channel_accounts::routes)
                    .configure(v1::fee_plans::routes)
                    .configure(v1::webhooks::routes)
                    .configure(v1::webhook_deliveries::routes)
                    .default_service(web::to(nothing_here)),
            )
            .route("/health", web::get().to(health::health))
            .route("/ready", web::get().to(health::ready))
            .route("/metrics", web::get().to(metrics::elsewhere))
            .route("/p/{token}", web::get().to(pay_page::show))
            .route("/m/{code}", web::get().to(phone_page::show))
            .route("/m/{code}", web::post().to(phone_page::pay))
            .route("/s/{code}", web::get().to(static_page::show))
            .route("/s/{code}/back", web::get().to(static_page::back))
            .route("/s/{code}/state", web::get().to(static_page::state))
            .route("/s/{code}/pay", web::post().to(static_page::pay))
            .route("/s/{code}/again", web::post().to(static_page::again))
            // The browsable page: everything it needs is inside this program.
            .service(web::redirect("/docs", "/docs/"))
            .service(SwaggerUi::new("/docs/{_:.*}").url("/openapi.json", openapi::described()))
            .default_service(web::to(pages::page))
            .wrap(from_fn(gate::admit));
        config.service(gated);
    }
}

/// How a body is read: JSON of at most so many bytes.
pub fn json_body(bytes_max: usize) -> web::JsonConfig {
    web::JsonConfig::default().limit(bytes_max).error_handler(|error, _| body(&error).into())
}

async fn nothing_here(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Err(Problem::new(NOT_FOUND, format!("There is no {} {}.", request.method(), request.path())))
}

/// The default service of a resource: the path is right, the method is not.
pub async fn other_method(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Err(Problem::new(METHOD_NOT_ALLOWED, format!("{} cannot be done to {}.", request.method(), request.path())))
}

fn body(error: &JsonPayloadError) -> Problem {
    match error {
        JsonPayloadError::OverflowKnownLength { limit, .. } | JsonPayloadError::Overflow { limit } => {
            Problem::new(BODY_TOO_LARGE, format!("The body may have {limit} bytes."))
        }
        JsonPayloadError::ContentType => {
            Problem::new(BODY_UNREADABLE, "Send JSON with the header Content-Type: application/json.")
        }
        JsonPayloadError::Deserialize(error) if error.is_data() => Problem::new(INVALID, sentence(&error.to_string())),
        JsonPayloadError::Deserialize(error) => {
            Problem::new(BODY_UNREADABLE, format!("The body is no JSON: {}", sentence(&error.to_string())))
        }
        _ => Problem::new(BODY_UNREADABLE, "The body did not arrive whole."),
    }
}

fn path(error: &PathError) -> Problem {
    Problem::new(NOT_FOUND, sentence(&error.to_string()))
}

fn query(error: &QueryPayloadError) -> Problem {
    Problem::new(INVALID, sentence(&error.to_string()))
}

fn sentence(words: &str) -> String {
    let cut: String = words.chars().take(300).collect();
    if cut.ends_with('.') { cut } else { format!("{cut}.") }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use actix_web::{App, http::header::LOCATION, test as calls};

    use super::*;

    /// The handlers of a file and of what lies under it, as `v1::stores::list`.
    fn handlers(file: &Path, module: &str, found: &mut BTreeSet<String>) {
        let source = fs::read_to_string(file).unwrap();
        // A resource hands over to a method's handler or to one for all methods, which must be the one that refuses.
        for (at, part) in source.split(".to(").enumerate().skip(1) {
            let before = source.split(".to(").nth(at - 1).unwrap();
            let name = part.split(|letter: char| !(letter.is_alphanumeric() || "_:".contains(letter))).next().unwrap();
            assert!(before.ends_with("()"), "{module}: {name} is not for one method");
            found.insert(format!("{module}::{name}"));
        }
        for part in source.split("web::to(").skip(1) {
            assert!(part.starts_with("other_method)"), "{module}: a handler for every method");
        }
        let folder = file.with_extension("");
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let file = entry.unwrap().path();
            if file.is_dir() {
                // Read with the file of its name.
                continue;
            }
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            handlers(&file, &format!("{module}::{name}"), found);
        }
    }

    /// What the document does not have is in no table of rights; the gate keeps it shut as well.
    #[test]
    fn every_route_is_described() {
        let mut found = BTreeSet::new();
        handlers(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/v1.rs"), "v1", &mut found);
        let listed = include_str!("openapi.rs");
        let listed = listed.split("paths(").nth(1).and_then(|rest| rest.split(')').next()).unwrap();
        let listed: BTreeSet<String> =
            listed.split(',').map(|path| path.trim().to_owned()).filter(|path| !path.is_empty()).collect();
        assert!(found.len() > 90, "the routes are read");
        assert_eq!(found, listed);
    }

    #[actix_web::test]
    async fn the_browsable_page_is_found_without_its_last_slash() {
        let service = calls::init_service(App::new().configure(routes(1024))).await;
        let answer = calls::call_service(&service, calls::TestRequest::get().uri("/docs").to_request()).await;
        assert_eq!(answer.status(), 307);
        assert_eq!(answer.headers().get(LOCATION).unwrap(), "/docs/");
        let answer = calls::call_service(&service, calls::TestRequest::get().uri("/docs/").to_request()).await;
        assert_eq!(answer.status(), 200);
    }
}
