//! `/v1/terminal`: what terminals alone ask. Enrolment goes without a certificate; all else is told by it.

pub mod goods;

use std::{net::IpAddr, time::Duration};

use actix_web::{HttpRequest, HttpResponse, web};
use saoma_channels::extension::Rule;
use saoma_protocol::{
    Sequence, TerminalId,
    api::{Enrol, Enrolled, OfflineList, Pushes, Renew, Renewed, TerminalBooks, TerminalProfile},
    cashier::CashierList,
    message::{Health, JournalAck, JournalBatch, MESSAGE_LEN_MAX, Push, PushAck},
};
use saoma_store::{
    Principal, StoreError, TenantScope, Tx, books, merchant_rules, outbox, stored_value::offline, stores, tenants,
    terminals,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{cashiers::of_store, people::NO_STORE};
use crate::{
    app::App,
    fleet::{
        enrol::{EnrolError, enrol as enrol_terminal, renew as renew_terminal},
        inbox::take_health,
        sync::{SyncError, take_journal},
    },
    http::{
        auth::{Caller, TerminalCertificate, rights::BeTerminal},
        problem::{CLAIM_CODE_INVALID, CSR_INVALID, INVALID, Problem, TOO_MANY_ATTEMPTS, UNAUTHENTICATED},
        router::{json_body, other_method},
    },
    phone_codes, stored_cards,
};

/// Longest wait for a push, in milliseconds.
const WAIT_MS_MAX: u64 = 30_000;
/// Most pushes of one answer.
const PUSHES_MAX: u32 = 100;

pub fn routes(config: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(path.to_owned()).default_service(web::to(other_method));
    config
        .service(resource("/terminal/enrol").route(web::post().to(enrol)))
        .service(resource("/terminal/renew").route(web::post().to(renew)))
        .service(resource("/terminal/profile").route(web::get().to(profile)))
        .service(resource("/terminal/cashiers").route(web::get().to(cashiers)))
        .service(resource("/terminal/offline-list").route(web::get().to(offline_list)))
        .service(resource("/terminal/books").route(web::get().to(show_books)))
        .service(resource("/terminal/health").route(web::put().to(health)))
        .service(resource("/terminal/goods").route(web::get().to(goods::changes)))
        .service(resource("/terminal/pushes").route(web::get().to(pushes)))
        .service(resource("/terminal/pushes/ack").route(web::post().to(acknowledge)))
        .service(
            resource("/terminal/journal")
                // A batch is as long as a message over MQTT may be.
                .app_data(json_body(MESSAGE_LEN_MAX))
                .route(web::post().to(journal)),
        );
}

fn peer(request: &HttpRequest) -> IpAddr {
    request.peer_addr().map_or(IpAddr::from([0, 0, 0, 0]), |address| address.ip())
}

fn refused(error: EnrolError) -> Problem {
    match error {
        EnrolError::ClaimCode => Problem::new(
            CLAIM_CODE_INVALID,
            "The claim code is not valid (any more). Make a new one on the dashboard, under Terminals.",
        ),
        EnrolError::TooManyAttempts(too_often) => {
            Problem::new(TOO_MANY_ATTEMPTS, "Too many wrong claim codes from this address; wait a minute.")
                .after(too_often)
        }
        EnrolError::Csr(error) => Problem::new(CSR_INVALID, format!("{error}.")).at("/csr_pem"),
        EnrolError::Ca(error) => Problem::internal(&error),
        EnrolError::Store(error) => error.into(),
    }
}

/// Gives a new terminal its certificate, for its claim code.
#[utoipa::path(post, path = "/v1/terminal/enrol", security(()), tag = "terminal", request_body = Enrol,
    responses((status = 200, body = Enrolled)))]
pub async fn enrol(
    app: web::Data<App>,
    request: HttpRequest,
    body: web::Json<Enrol>,
) -> Result<web::Json<Enrolled>, Problem> {
    let made = enrol_terminal(&app, peer(&request), &body.claim_code, &body.csr_pem).await.map_err(refused)?;
    let terminals = &app.config().terminals;
    let mqtt_port = app
        .fleet()
        .broker()
        .and_then(crate::fleet::broker::Broker::local_addr)
        .map_or(terminals.mqtt_listen.port(), |address| address.port());
    Ok(web::Json(Enrolled {
        tenant: made.scope.tenant(),
        terminal: made.terminal,
        store: made.store,
        certificate_chain_pem: made.chain_pem,
        ca_pem: app.fleet().ca().pem().to_owned(),
        mqtt_host: terminals.public_host.clone(),
        mqtt_port,
        profile: profile_of(&app, made.scope, made.terminal).await?,
    }))
}

/// Gives a terminal its next certificate, for the one it shows.
#[utoipa::path(post, path = "/v1/terminal/renew", tag = "terminal", request_body = Renew,
    responses((status = 200, body = Renewed)))]
pub async fn renew(
    app: web::Data<App>,
    caller: Caller<BeTerminal>,
    request: HttpRequest,
    body: web::Json<Renew>,
) -> Result<web::Json<Renewed>, Problem> {
    let (scope, terminal) = own(&caller)?;
    let shown = request
        .conn_data::<TerminalCertificate>()
        .ok_or_else(|| Problem::new(UNAUTHENTICATED, "Show the certificate that is to be renewed."))?;
    let made = renew_terminal(&app, scope, terminal, shown.serial.clone(), &body.csr_pem).await.map_err(refused)?;
    Ok(web::Json(Renewed { certificate_chain_pem: made.chain_pem, not_after: made.not_after }))
}

fn own(caller: &Caller<BeTerminal>) -> Result<(TenantScope, TerminalId), Problem> {
    match caller.principal() {
        Principal::Terminal { scope, terminal, .. } => Ok((*scope, *terminal)),
        _ => Err(Problem::new(UNAUTHENTICATED, "Only a terminal asks this.")),
    }
}

async fn profile_of(app: &App, scope: TenantScope, terminal: TerminalId) -> Result<TerminalProfile, Problem> {
    let (profile, rules) = app
        .store()
        .read(move |tx| {
            let tenant = tenants::load(tx, &scope)?;
            let terminal = terminals::load(tx, &scope, terminal)?;
            let profile = TerminalProfile {
                merchant_name: tenant.name,
                store_name: stores::load(tx, &scope, terminal.store)?.name,
                terminal_name: terminal.name,
                currency: tenant.currency,
                rules: false,
            };
            Ok::<_, StoreError>((profile, merchant_rules::load(tx, &scope)?.filter(|rules| rules.enabled)))
        })
        .await?;
    // Rules that only look at risk, or choose the account, say nothing before a sale. Those that are not here may be on another node.
    let says_before = |rule: &Rule| matches!(rule, Rule::Price | Rule::ReceiptLines);
    let rules = rules.is_some_and(|rules| {
        let found = app.rules(scope.tenant(), &rules.extension);
        found.is_none_or(|found| found.description().rules.iter().any(says_before))
    });
    Ok(TerminalProfile { rules, ..profile })
}

/// What the till shows and prints.
#[utoipa::path(get, path = "/v1/terminal/profile", tag = "terminal", responses((status = 200, body = TerminalProfile)))]
pub async fn profile(app: web::Data<App>, caller: Caller<BeTerminal>) -> Result<web::Json<TerminalProfile>, Problem> {
    let (scope, terminal) = own(&caller)?;
    Ok(web::Json(profile_of(&app, scope, terminal).await?))
}

/// Who may sign on at this terminal, with what their PINs are checked against.
#[utoipa::path(get, path = "/v1/terminal/cashiers", tag = "terminal", responses((status = 200, body = CashierList)))]
pub async fn cashiers(app: web::Data<App>, caller: Caller<BeTerminal>) -> Result<HttpResponse, Problem> {
    let (scope, terminal) = own(&caller)?;
    let vault = app.vault().clone();
    let read = move |tx: &mut Tx<'_>| {
        let store = terminals::load(tx, &scope, terminal)?.store;
        of_store(tx, &vault, scope, store)
    };
    let list = app.store().read(read).await?;
    Ok(HttpResponse::Ok().insert_header(NO_STORE).json(list))
}

/// What this terminal may take offline, by whose signature, and what it must not take any more.
#[utoipa::path(get, path = "/v1/terminal/offline-list", tag = "terminal", responses((status = 200, body = OfflineList)))]
pub async fn offline_list(
    app: web::Data<App>,
    caller: Caller<BeTerminal>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let ((scope, terminal), now) = (own(&caller)?, app.now());
    let serial = request.conn_data::<TerminalCertificate>().map(|shown| shown.serial.clone());
    let app_in = app.clone();
    let list = app
        .store()
        .read(move |tx| {
            let limits = offline::policy(tx, &scope)?.filter(|policy| policy.enabled).map(|policy| policy.limits);
            let issuers = offline::issuers::list(tx, &scope, now)?.into_iter().map(|known| known.issuer).collect();
            let denied = offline::grants::denied(tx, &scope, now)?;
            let denied = denied.iter().map(ToString::to_string).collect();
            let cards = stored_cards::limits(&app_in, tx, &scope)?;
            let phone = match &serial {
                Some(serial) => phone_codes::limits(&app_in, tx, &scope, (terminal, serial.as_str()))?,
                None => None,
            };
            Ok::<_, StoreError>(OfflineList { issued_at: now, limits, issuers, denied, cards, phone })
        })
        .await?;
    Ok(HttpResponse::Ok().insert_header(NO_STORE).json(list))
}

/// This terminal's sums in core's books.
#[utoipa::path(get, path = "/v1/terminal/books", tag = "terminal", responses((status = 200, body = TerminalBooks)))]
pub async fn show_books(app: web::Data<App>, caller: Caller<BeTerminal>) -> Result<web::Json<TerminalBooks>, Problem> {
    let (scope, terminal) = own(&caller)?;
    Ok(web::Json(app.store().read(move |tx| books::of_terminal(tx, &scope, terminal)).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PushesQuery {
    /// Only pushes with a higher id.
    after: u64,
    /// How long to wait for one if there is none yet, 0 to 30,000 ms.
    wait_ms: Option<u64>,
}

/// Pushes that the terminal has not acknowledged: the stand-in for the push topic.
#[utoipa::path(get, path = "/v1/terminal/pushes", tag = "terminal", params(PushesQuery),
    responses((status = 200, body = Pushes)))]
pub async fn pushes(
    app: web::Data<App>,
    caller: Caller<BeTerminal>,
    query: web::Query<PushesQuery>,
) -> Result<web::Json<Pushes>, Problem> {
    let (scope, terminal) = own(&caller)?;
    let wait_ms = query.wait_ms.unwrap_or(0);
    if wait_ms > WAIT_MS_MAX {
        return Err(Problem::new(INVALID, format!("wait_ms may be {WAIT_MS_MAX} at most.")));
    }
    let until = tokio::time::Instant::now() + Duration::from_millis(wait_ms);
    let after = Sequence(query.after);
    loop {
        let next = app.fleet().next_push(terminal);
        // Listening begins before looking, so that nothing falls between.
        let rung = next.notified();
        let found = app.store().read(move |tx| outbox::pending(tx, &scope, terminal, after, PUSHES_MAX)).await?;
        if !found.is_empty() || app.is_stopping() {
            let pushes = found.into_iter().filter_map(readable).collect();
            return Ok(web::Json(Pushes { pushes }));
        }
        let look_at = tokio::time::Instant::now() + app.look_after(Duration::from_millis(WAIT_MS_MAX));
        if tokio::time::timeout_at(until.min(look_at), rung).await.is_err() && tokio::time::Instant::now() >= until {
            return Ok(web::Json(Pushes { pushes: Vec::new() }));
        }
    }
}

fn readable(message: outbox::Message) -> Option<Push> {
    let body = serde_json::from_str(&message.message.payload)
        .inspect_err(|error| tracing::error!(push.id = message.id.0, %error, "a push cannot be read"))
        .ok()?;
    Some(Push { id: message.id, at: message.message.created_at, body })
}

/// The terminal has these pushes on its disk.
#[utoipa::path(post, path = "/v1/terminal/pushes/ack", tag = "terminal", request_body = PushAck,
    responses((status = 204)))]
pub async fn acknowledge(
    app: web::Data<App>,
    caller: Caller<BeTerminal>,
    body: web::Json<PushAck>,
) -> Result<HttpResponse, Problem> {
    let (scope, terminal) = own(&caller)?;
    let (ids, now) = (body.into_inner().ids, app.now());
    app.store().write(move |tx| outbox::ack(tx, &scope, terminal, &ids, now)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// How the terminal does: the stand-in for the health topic. The newest replaces what was said before.
#[utoipa::path(put, path = "/v1/terminal/health", tag = "terminal", request_body = Health, responses((status = 204)))]
pub async fn health(
    app: web::Data<App>,
    caller: Caller<BeTerminal>,
    body: web::Json<Health>,
) -> Result<HttpResponse, Problem> {
    let (scope, terminal) = own(&caller)?;
    take_health(&app, scope, terminal, body.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The next entries of the terminal's journal: the stand-in for the journal topic.
#[utoipa::path(post, path = "/v1/terminal/journal", tag = "terminal", request_body = JournalBatch,
    responses((status = 200, body = JournalAck)))]
pub async fn journal(
    app: web::Data<App>,
    caller: Caller<BeTerminal>,
    body: web::Json<JournalBatch>,
) -> Result<web::Json<JournalAck>, Problem> {
    let (scope, terminal) = own(&caller)?;
    match take_journal(&app, scope, terminal, body.into_inner()).await {
        Ok(ack) => Ok(web::Json(ack)),
        Err(SyncError::TooMany(count)) => {
            Err(Problem::new(INVALID, format!("{}.", SyncError::TooMany(count))).at("/entries"))
        }
        Err(SyncError::Store(error)) => Err(error.into()),
    }
}
