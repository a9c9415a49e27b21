//! The API over HTTPS. A handler reads the request, the book decides, and [`answer`] spoils what a fault asks for.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{self, Bytes, Data, Path},
};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::stage::{Act, FarSide as _, Fault, leave};

use super::{
    Bank, PIX_KEY,
    book::{ChargeStatus, ReturnStatus, rfc3339},
    fields,
    problem::Problem,
    random_text,
    tokens::{LIFE_SECONDS, Refused, Tokens},
};

const PAGE_ROWS_MAX: usize = 1_000;
const PAGE_ROWS_DEFAULT: usize = 100;

/// What the bank says to a request that it has looked at.
type Said = Result<(u16, Value), Problem>;

pub fn configure(to: &mut web::ServiceConfig) {
    to.route("/oauth/token", web::post().to(token))
        .route("/v2/cob/{txid}", web::put().to(put_charge))
        .route("/v2/cob/{txid}", web::get().to(get_charge))
        .route("/v2/cob/{txid}", web::patch().to(remove_charge))
        .route("/v2/pix", web::get().to(list))
        .route("/v2/pix/{e2eid}/devolucao/{id}", web::put().to(put_return))
        .route("/v2/pix/{e2eid}/devolucao/{id}", web::get().to(get_return))
        .route("/v2/webhook/{chave}", web::put().to(put_webhook))
        .route("/v2/webhook/{chave}", web::get().to(get_webhook))
        .default_service(web::to(|| async { said_no(&Problem::new(404, "NaoEncontrado")) }));
}

async fn token(bank: Data<Bank>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let fault = bank.stage().enter(Act::Other, &request, &body);
    if fault == Some(Fault::Unheard) {
        return leave(fault, HttpResponse::Ok().finish()).await;
    }
    let is_form =
        header(&request, "content-type").is_some_and(|given| given.starts_with("application/x-www-form-urlencoded"));
    let form = if is_form { std::str::from_utf8(&body).unwrap_or_default() } else { "" };
    let (text, now_ms) = (random_text(40), bank.stage().now_ms());
    let given = bank.lock().tokens.give(header(&request, "authorization"), form, &text, now_ms);
    let honest = match given {
        Ok(scope) => HttpResponse::Ok().json(json!({
            "access_token": text, "token_type": "Bearer", "expires_in": LIFE_SECONDS, "scope": scope,
        })),
        Err((status, error)) => answered(status, &json!({ "error": error })),
    };
    let honest = if fault == Some(Fault::Busy) { said_no(&Problem::new(503, "ServicoIndisponivel")) } else { honest };
    leave(fault, honest).await
}

async fn put_charge(bank: Data<Bank>, request: HttpRequest, body: Bytes, txid: Path<String>) -> HttpResponse {
    answer(&bank, &request, &body, (Act::Create, "cob.write"), |_| {
        if !fields::is_txid(&txid) {
            return Err(Problem::of("CobOperacaoInvalida", "cob.txid", "não respeita o schema"));
        }
        let asked = fields::new_charge(&json_body(&body)?, PIX_KEY)?;
        let now_ms = bank.stage().now_ms();
        bank.lock().book.put(&txid, asked, &random_text(32), now_ms).map(|charge| (201, charge.view()))
    })
    .await
}

async fn get_charge(bank: Data<Bank>, request: HttpRequest, body: Bytes, txid: Path<String>) -> HttpResponse {
    answer(&bank, &request, &body, (Act::Query, "cob.read"), |_| {
        bank.lock().book.get(&txid).map(|charge| (200, charge.view()))
    })
    .await
}

async fn remove_charge(bank: Data<Bank>, request: HttpRequest, body: Bytes, txid: Path<String>) -> HttpResponse {
    answer(&bank, &request, &body, (Act::Cancel, "cob.write"), |_| {
        if json_body(&body)? != json!({ "status": "REMOVIDA_PELO_USUARIO_RECEBEDOR" }) {
            return Err(Problem::of("CobOperacaoInvalida", "cob.status", "somente a remoção, sem outras alterações"));
        }
        bank.lock().book.remove(&txid, ChargeStatus::RemovedByMerchant).map(|charge| (200, charge.view()))
    })
    .await
}

async fn put_return(bank: Data<Bank>, request: HttpRequest, body: Bytes, path: Path<(String, String)>) -> HttpResponse {
    let (end_to_end_id, id) = path.into_inner();
    answer(&bank, &request, &body, (Act::Refund, "pix.write"), |fault| {
        if !fields::is_return_id(&id) {
            return Err(Problem::of("PixDevolucaoInvalida", "id", "não respeita o schema"));
        }
        let asked = fields::new_return(&json_body(&body)?)?;
        let now_ms = bank.stage().now_ms();
        let mut state = bank.lock();
        let given = state.book.give_back(&end_to_end_id, &id, asked, &random_text(11), now_ms)?;
        if fault == Some(Fault::Pending) {
            given.end(ReturnStatus::Processing, now_ms);
        }
        Ok((201, given.view()))
    })
    .await
}

async fn get_return(bank: Data<Bank>, request: HttpRequest, body: Bytes, path: Path<(String, String)>) -> HttpResponse {
    answer(&bank, &request, &body, (Act::QueryRefund, "pix.read"), |_| {
        bank.lock().book.get_return(&path.0, &path.1).map(|given| (200, given.view()))
    })
    .await
}

async fn put_webhook(bank: Data<Bank>, request: HttpRequest, body: Bytes, key: Path<String>) -> HttpResponse {
    answer(&bank, &request, &body, (Act::Other, "webhook.write"), |_| {
        let invalid = |field, reason| Problem::of("WebhookOperacaoInvalida", field, reason);
        if key.as_str() != PIX_KEY {
            return Err(invalid("chave", "não pertence a este usuário recebedor"));
        }
        let body = json_body(&body)?;
        let url =
            body["webhookUrl"].as_str().filter(|url| url.starts_with("https://") || url.starts_with("http://127."));
        let url = url.ok_or_else(|| invalid("webhook.webhookUrl", "não respeita o schema"))?;
        let mut state = bank.lock();
        (state.webhook_url, state.webhook_at_ms) = (Some(url.to_owned()), bank.stage().now_ms());
        Ok((200, json!({})))
    })
    .await
}

async fn get_webhook(bank: Data<Bank>, request: HttpRequest, body: Bytes, key: Path<String>) -> HttpResponse {
    answer(&bank, &request, &body, (Act::Other, "webhook.read"), |_| {
        let state = bank.lock();
        let url = state.webhook_url.as_ref().filter(|_| key.as_str() == PIX_KEY);
        let url = url.ok_or(Problem::new(404, "WebhookNaoEncontrado"))?;
        Ok((200, json!({ "webhookUrl": url, "chave": PIX_KEY, "criacao": rfc3339(state.webhook_at_ms) })))
    })
    .await
}

async fn list(bank: Data<Bank>, request: HttpRequest, body: Bytes) -> HttpResponse {
    answer(&bank, &request, &body, (Act::Bill, "pix.read"), |_| {
        let query = web::Query::<Vec<(String, String)>>::from_query(request.query_string())
            .map(web::Query::into_inner)
            .unwrap_or_default();
        let get = |name: &str| query.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
        let wrong = |field| Problem::of("PixConsultaInvalida", field, "não respeita o schema");
        let moment = |field| {
            let at = get(field).and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
            at.and_then(|at| i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()).ok_or_else(|| wrong(field))
        };
        let (from_ms, to_ms) = (moment("inicio")?, moment("fim")?);
        if to_ms < from_ms {
            return Err(Problem::of("PixConsultaInvalida", "fim", "anterior a inicio"));
        }
        let number = |field, default: usize| {
            get(field).map_or(Some(default), |text| text.parse().ok()).ok_or_else(|| wrong(field))
        };
        let page = number("paginacao.paginaAtual", 0)?;
        let rows = number("paginacao.itensPorPagina", PAGE_ROWS_DEFAULT)?;
        if !(1..=PAGE_ROWS_MAX).contains(&rows) {
            return Err(wrong("paginacao.itensPorPagina"));
        }
        let with_returns = get("devolucaoPresente").map(|text| text == "true");
        let all = bank.lock().book.list(from_ms, to_ms, with_returns);
        let pages = all.len().div_ceil(rows).max(1);
        let shown: Vec<&Value> = all.iter().skip(page.saturating_mul(rows)).take(rows).collect();
        Ok((
            200,
            json!({
                "parametros": {
                    "inicio": rfc3339(from_ms), "fim": rfc3339(to_ms),
                    "paginacao": {
                        "paginaAtual": page, "itensPorPagina": rows,
                        "quantidadeDePaginas": pages, "quantidadeTotalDeItens": all.len(),
                    },
                },
                "pix": shown,
            }),
        ))
    })
    .await
}

/// Takes a request in, carries it out if its token and its fault allow, and lets the answer go as the fault wants it.
async fn answer(
    bank: &Bank,
    request: &HttpRequest,
    body: &Bytes,
    (act, scope): (Act, &str),
    carry_out: impl FnOnce(Option<Fault>) -> Said,
) -> HttpResponse {
    let fault = bank.stage().enter(act, request, body);
    if fault == Some(Fault::Unheard) {
        return leave(fault, HttpResponse::Ok().finish()).await;
    }
    if fault == Some(Fault::SignOn) {
        bank.lock().tokens = Tokens::default();
    }
    let allowed = bank.lock().tokens.check(header(request, "authorization"), scope, bank.stage().now_ms());
    match allowed {
        Ok(()) => {}
        Err(Refused::Unknown) => {
            let refused = HttpResponse::Unauthorized().insert_header(("www-authenticate", "Bearer")).finish();
            return leave(fault, refused).await;
        }
        Err(Refused::Scope) => return leave(fault, said_no(&Problem::new(403, "AcessoNegado"))).await,
    }
    let said = match (fault, act) {
        (Some(Fault::Declined), Act::Refund) => Err(Problem::new(400, "PixDevolucaoInvalida")),
        (Some(Fault::Declined), _) => Err(Problem::new(400, "CobOperacaoInvalida")),
        _ => carry_out(fault),
    };
    let honest = match (fault, said) {
        (Some(Fault::Busy), _) => said_no(&Problem::new(503, "ServicoIndisponivel")),
        (Some(Fault::StrangeError), _) => said_no(&Problem::new(422, "ErroNuncaVisto")),
        (_, Err(problem)) => said_no(&problem),
        (Some(fault), Ok((status, said))) => answered(status, &spoilt(fault, said)),
        (None, Ok((status, said))) => answered(status, &said),
    };
    leave(fault, honest).await
}

/// The scheme's own words, made untrue.
fn spoilt(fault: Fault, mut said: Value) -> Value {
    match fault {
        Fault::WrongAmount => {
            for path in ["/valor", "/valor/original", "/pix/0/valor"] {
                one_more(said.pointer_mut(path));
            }
        }
        Fault::WrongNumber => {
            for path in ["/txid", "/id", "/pix/0/txid"] {
                other_number(said.pointer_mut(path));
            }
        }
        Fault::StrangeState => {
            if let Some(status) = said.pointer_mut("/status") {
                *status = json!("ESTADO_NUNCA_VISTO");
            }
        }
        Fault::MissingRow | Fault::ExtraRow | Fault::GarbledRow => {
            if let Some(rows) = said.pointer_mut("/pix").and_then(Value::as_array_mut) {
                spoil_rows(fault, rows);
            }
        }
        _ => {}
    }
    said
}

fn spoil_rows(fault: Fault, rows: &mut Vec<Value>) {
    match fault {
        Fault::MissingRow if !rows.is_empty() => {
            rows.remove(0);
        }
        Fault::GarbledRow if !rows.is_empty() => rows[0] = json!({ "endToEndId": 7 }),
        Fault::ExtraRow => {
            // At the moment of another row, so that it is of the same day.
            let at = rows.first().map_or_else(|| json!(rfc3339(0)), |row| row["horario"].clone());
            rows.push(json!({
                "endToEndId": "E00000000202001010000estranhoabc", "txid": "fc9a4366ff3d4964b5dbc6c91a8722d3",
                "valor": "7.77", "chave": PIX_KEY, "horario": at,
            }));
        }
        _ => {}
    }
}

/// One centavo more.
pub fn one_more(amount: Option<&mut Value>) {
    if let Some(amount) = amount
        && let Some(centavos) = amount.as_str().and_then(fields::centavos)
    {
        *amount = json!(super::book::reais(centavos + 1));
    }
}

/// A number of the same form that nobody has.
pub fn other_number(number: Option<&mut Value>) {
    if let Some(number) = number
        && let Some(text) = number.as_str()
    {
        let mut other = text.to_owned();
        let last = if other.pop() == Some('z') { 'y' } else { 'z' };
        other.push(last);
        *number = json!(other);
    }
}

fn json_body(body: &Bytes) -> Result<Value, Problem> {
    serde_json::from_slice(body).map_err(|_| Problem::of("RequisicaoInvalida", "body", "não é JSON"))
}

fn answered(status: u16, body: &Value) -> HttpResponse {
    HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)).json(body)
}

fn said_no(problem: &Problem) -> HttpResponse {
    HttpResponse::build(StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .content_type("application/problem+json")
        .body(problem.body().to_string())
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}
