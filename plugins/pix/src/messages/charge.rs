//! What the scheme says of a charge ("cobrança").
//!
//! Its status is that of the record: `ATIVA` stays `ATIVA` when the charge has expired, and only a removal makes sure that nobody
//! pays any more. Money has come if and only if the charge is `CONCLUIDA` and lists what was received.

use saoma_channel_sdk::{
    DisputeNotice, Error, Money, Order, PaymentAnswer, PaymentStatus, from_decimal, misconfigured, no_answer, not_sent,
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    build::Settings,
    code,
    moment::millis,
    number::{from_txid, to_txid},
    problem::{Problem, problem},
    refund::ReturnMessage,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChargeMessage {
    txid: String,
    status: String,
    valor: ValueMessage,
    chave: String,
    location: Option<String>,
    loc: Option<LocationMessage>,
    pix_copia_e_cola: Option<String>,
    #[serde(default)]
    pix: Vec<PixMessage>,
}

#[derive(Deserialize)]
struct ValueMessage {
    original: String,
}

#[derive(Deserialize)]
struct LocationMessage {
    location: Option<String>,
}

/// A payment that was received, as it is listed in charges and bills.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PixMessage {
    pub end_to_end_id: String,
    pub txid: Option<String>,
    pub valor: String,
    pub chave: Option<String>,
    pub horario: String,
    #[serde(default)]
    pub devolucoes: Vec<ReturnMessage>,
}

/// The code of a charge that was announced. The contract carries nothing else of this answer to core, so number, amount and key
/// are compared here: whoever scans the code pays what the scheme has down.
///
/// # Errors
/// `not-sent` if the charge was removed before; `no-answer` for all that is not a code of this order and amount.
pub fn read_created(body: &[u8], order: &Order, settings: &Settings) -> Result<String, Error> {
    let charge: ChargeMessage = parsed(body)?;
    let amount = reais(&charge.valor.original)?;
    if charge.txid != to_txid(&order.number)? || amount != order.amount {
        return Err(no_answer(format!("the answer is about {} of {:?}", charge.valor.original, charge.txid)));
    }
    if !charge.chave.eq_ignore_ascii_case(&settings.pix_key) {
        return Err(no_answer("the charge is for another key"));
    }
    match charge.status.as_str() {
        "ATIVA" => {}
        "REMOVIDA_PELO_USUARIO_RECEBEDOR" | "REMOVIDA_PELO_PSP" => {
            return Err(not_sent("the charge was removed before"));
        }
        status => return Err(no_answer(format!("the charge is {status} and has no code to show"))),
    }
    let location = charge.location.or_else(|| charge.loc.and_then(|loc| loc.location));
    match (charge.pix_copia_e_cola, location) {
        (Some(text), location) => code::checked(&text, location.as_deref(), order),
        (None, Some(location)) => code::made(&location, order, settings),
        (None, None) => Err(no_answer("the charge has no code and no address")),
    }
}

/// Whether an announcement was refused in a way that the API foresees: of a txid that is there already, or altogether. Of anything
/// else nothing is known.
#[must_use]
pub fn is_foreseen(refused: &Problem) -> bool {
    matches!(refused.kind.as_str(), "RequisicaoInvalida" | "CobOperacaoInvalida" | "NaoEncontrado")
}

/// What became of an announcement that was refused as foreseen, once the charge has been asked for.
///
/// # Errors
/// `not-sent` if the scheme has no charge; else as [`read_created`].
pub fn read_refused(
    refused: &Problem,
    status: u16,
    body: &[u8],
    order: &Order,
    settings: &Settings,
) -> Result<String, Error> {
    if status == 200 {
        return read_created(body, order, settings);
    }
    if is_not_found(status, body)? {
        return Err(not_sent(refused.words.as_str()));
    }
    Err(refusal(status, body))
}

/// What the scheme knows of an order.
///
/// # Errors
/// `no-answer` for all but a charge or its absence.
pub fn read_queried(status: u16, body: &[u8], number: &str) -> Result<PaymentAnswer, Error> {
    if status == 200 {
        return payment_answer(parsed(body)?);
    }
    if is_not_found(status, body)? {
        let (number, reference, payer_hint) = (number.to_owned(), String::new(), String::new());
        return Ok(PaymentAnswer {
            status: PaymentStatus::NotFound,
            number,
            amount: None,
            reference,
            paid_at: None,
            payer_hint,
        });
    }
    Err(refusal(status, body))
}

/// What the scheme took back of an order by itself (MED), each a dispute that the merchant has lost, or why it cannot be told.
///
/// # Errors
/// `no-answer` for a charge that cannot be read.
pub fn read_disputes(status: u16, body: &[u8], number: &str) -> Result<Vec<Result<DisputeNotice, Error>>, Error> {
    if status != 200 {
        return Ok(Vec::new());
    }
    let charge: ChargeMessage = parsed(body)?;
    let returns = charge.pix.iter().flat_map(|pix| pix.devolucoes.iter().map(move |given| (pix, given)));
    Ok(returns.filter_map(|(pix, given)| given.dispute(number, &pix.end_to_end_id).transpose()).collect())
}

/// What `cancel` and callbacks say of an order of which money was given back: that it was paid. Only a query says more.
#[must_use]
pub fn as_paid(known: PaymentAnswer) -> PaymentAnswer {
    match known.status {
        PaymentStatus::Refunded => PaymentAnswer { status: PaymentStatus::Succeeded, ..known },
        _ => known,
    }
}

/// The end-to-end id of what was received for an order, by which it is given back; `None` if nothing was.
///
/// # Errors
/// `no-answer` for all that is no charge.
pub fn read_reference(status: u16, body: &[u8], number: &str) -> Result<Option<String>, Error> {
    let answer = read_queried(status, body, number)?;
    if answer.number != number {
        return Err(no_answer(format!("the answer is about {:?}", answer.number)));
    }
    let is_paid = matches!(answer.status, PaymentStatus::Succeeded | PaymentStatus::Refunded);
    Ok(is_paid.then_some(answer.reference))
}

fn payment_answer(charge: ChargeMessage) -> Result<PaymentAnswer, Error> {
    let number = from_txid(&charge.txid).unwrap_or(charge.txid);
    let asked = reais(&charge.valor.original)?;
    let open = |status| PaymentAnswer {
        status,
        number: number.clone(),
        amount: Some(asked.clone()),
        reference: String::new(),
        paid_at: None,
        payer_hint: String::new(),
    };
    match (charge.status.as_str(), charge.pix.as_slice()) {
        ("ATIVA", []) => Ok(open(PaymentStatus::Pending)),
        ("REMOVIDA_PELO_USUARIO_RECEBEDOR" | "REMOVIDA_PELO_PSP", []) => Ok(open(PaymentStatus::Closed)),
        ("CONCLUIDA", [first, more @ ..]) => {
            let mut received = reais(&first.valor)?;
            for pix in more {
                // A charge is paid once. If it was not, the sum differs from the order and a person looks at it.
                received.minor = received.minor.saturating_add(reais(&pix.valor)?.minor);
            }
            let is_returned = charge.pix.iter().flat_map(|pix| &pix.devolucoes).any(ReturnMessage::is_done);
            let status = if is_returned { PaymentStatus::Refunded } else { PaymentStatus::Succeeded };
            Ok(PaymentAnswer {
                amount: Some(received),
                reference: first.end_to_end_id.clone(),
                paid_at: Some(millis(&first.horario)?),
                ..open(status)
            })
        }
        (status, pix) => Err(no_answer(format!(
            "the charge is {status:?} with {} payments, which the API does not foresee",
            pix.len()
        ))),
    }
}

/// Whether the scheme says that it has no such charge, payment or return.
pub(super) fn is_not_found(status: u16, body: &[u8]) -> Result<bool, Error> {
    let kinds = ["NaoEncontrado", "CobNaoEncontrado", "PixNaoEncontrado", "PixDevolucaoNaoEncontrada"];
    Ok(status == 404 && kinds.contains(&problem(status, body)?.kind.as_str()))
}

/// An answer that is no success, where there is nothing else to make of it.
pub(super) fn refusal(status: u16, body: &[u8]) -> Error {
    match problem(status, body) {
        Ok(problem) if (status, problem.kind.as_str()) == (403, "AcessoNegado") => misconfigured(problem.words),
        Ok(problem) => no_answer(problem.words),
        Err(error) => error,
    }
}

pub(super) fn reais(text: &str) -> Result<Money, Error> {
    // Two decimals and no fewer, as the scheme writes them (OpenAPI 2.9.0, `CobValor.original`).
    match text.split_once('.') {
        Some((_, centavos)) if centavos.len() == 2 => from_decimal(text, "BRL").map_err(|why| no_answer(why.0)),
        _ => Err(no_answer(format!("{:?} is no amount", text.chars().take(40).collect::<String>()))),
    }
}

pub(super) fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| no_answer(format!("the answer cannot be read: {error}")))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub const NUMBER: &str = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa";
    pub const REFUND: &str = "rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa";
    pub const E2E: &str = "E12345678202009091221kkkkkkkkkkk";

    pub fn order() -> Order {
        Order {
            number: NUMBER.to_owned(),
            amount: Money { minor: 1_250, currency: "BRL".to_owned() },
            subject: "Café \"grande\"\n".to_owned(),
            merchant_name: "Padaria do João".to_owned(),
            store_id: "sto_aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
            store_name: "Centro".to_owned(),
            terminal_id: String::new(),
            terminal_name: String::new(),
            created_at: 1_700_000_000_000,
            expires_at: 1_700_000_120_000,
        }
    }

    pub fn settings() -> Settings {
        Settings {
            base_url: "https://pix.example.com/api/v2".to_owned(),
            token_url: "https://pix.example.com/oauth/token".to_owned(),
            client_id: "loja".to_owned(),
            pix_key: "7d9f0335-8dcc-4054-9bf9-0dbd61d36906".to_owned(),
            merchant_city: "SAO PAULO".to_owned(),
            private_authority: false,
        }
    }

    pub fn charge(status: &str, pix: &str) -> String {
        format!(
            r#"{{"calendario":{{"criacao":"2023-11-14T22:13:20.000Z","expiracao":119}},"txid":"payXaaaaaaaaaaaaaaaaaaaaaaaaaa","revisao":0,
            "loc":{{"id":7,"location":"pix.example.com/qr/v2/2353c790eefb11eaadc10242ac120002","tipoCob":"cob"}},
            "location":"pix.example.com/qr/v2/2353c790eefb11eaadc10242ac120002","status":"{status}","valor":{{"original":"12.50"}},
            "chave":"7d9f0335-8dcc-4054-9bf9-0dbd61d36906","pix":[{pix}]}}"#
        )
    }

    pub fn pix(valor: &str, returns: &str) -> String {
        format!(
            r#"{{"endToEndId":"{E2E}","txid":"payXaaaaaaaaaaaaaaaaaaaaaaaaaa","valor":"{valor}",
            "horario":"2023-11-14T22:14:00.000Z","infoPagador":"x","devolucoes":[{returns}]}}"#
        )
    }

    pub fn refused(kind: &str) -> Vec<u8> {
        format!(r#"{{"type":"https://pix.bcb.gov.br/api/v2/error/{kind}","title":"t","status":0,"detail":"d"}}"#)
            .into_bytes()
    }

    pub fn kind(error: &Error) -> &'static str {
        match error {
            Error::NoAnswer(_) => "no-answer",
            Error::NotSent(_) => "not-sent",
            Error::Misconfigured(_) => "misconfigured",
            Error::Unsupported => "unsupported",
        }
    }

    fn told(outcome: Result<PaymentAnswer, Error>) -> String {
        match outcome {
            Ok(answer) => {
                let amount = answer.amount.map(|amount| amount.minor);
                format!("{:?} {amount:?} {}", answer.status, answer.reference).replace("PaymentStatus::", "")
            }
            Err(error) => kind(&error).to_owned(),
        }
    }

    #[test]
    fn queries() {
        let done = r#"{"id":"1","rtrId":"D1","valor":"1.00","horario":{},"status":"DEVOLVIDO"}"#;
        for (status, body, outcome) in [
            (200, charge("ATIVA", ""), "Pending Some(1250) ".to_owned()),
            (200, charge("CONCLUIDA", &pix("12.50", "")), format!("Succeeded Some(1250) {E2E}")),
            (
                200,
                charge("CONCLUIDA", &pix("12.50", &done.replace("DEVOLVIDO", "EM_PROCESSAMENTO"))),
                format!("Succeeded Some(1250) {E2E}"),
            ),
            (200, charge("CONCLUIDA", &pix("12.50", done)), format!("Refunded Some(1250) {E2E}")),
            // What was received is said, not what was asked: core compares.
            (200, charge("CONCLUIDA", &pix("12.51", "")), format!("Succeeded Some(1251) {E2E}")),
            (
                200,
                charge("CONCLUIDA", &format!("{},{}", pix("12.50", ""), pix("12.50", ""))),
                format!("Succeeded Some(2500) {E2E}"),
            ),
            (200, charge("REMOVIDA_PELO_USUARIO_RECEBEDOR", ""), "Closed Some(1250) ".to_owned()),
            (200, charge("REMOVIDA_PELO_PSP", ""), "Closed Some(1250) ".to_owned()),
            (200, charge("CONCLUIDA", ""), "no-answer".to_owned()),
            (200, charge("ATIVA", &pix("12.50", "")), "no-answer".to_owned()),
            (200, charge("REMOVIDA_PELO_PSP", &pix("12.50", "")), "no-answer".to_owned()),
            (200, charge("SONHANDO", ""), "no-answer".to_owned()),
            (200, charge("CONCLUIDA", &pix("12.5", "")), "no-answer".to_owned()),
            (200, charge("ATIVA", "").replace("12.50", "12.505"), "no-answer".to_owned()),
            (200, "<html>".to_owned(), "no-answer".to_owned()),
            (200, String::new(), "no-answer".to_owned()),
            (404, "<html>".to_owned(), "no-answer".to_owned()),
            (502, "<html>".to_owned(), "no-answer".to_owned()),
        ] {
            assert_eq!(told(read_queried(status, body.as_bytes(), NUMBER)), outcome, "{status} {body}");
        }
        for (status, problem, outcome) in [
            (404, "CobNaoEncontrado", "NotFound None "),
            (404, "NaoEncontrado", "NotFound None "),
            (404, "Estranho", "no-answer"),
            (410, "PermanentementeRemovido", "no-answer"),
            (403, "AcessoNegado", "misconfigured"),
            (503, "ServicoIndisponivel", "no-answer"),
            (504, "IndisponibilidadePorTempoEsgotado", "no-answer"),
        ] {
            assert_eq!(told(read_queried(status, &refused(problem), NUMBER)), outcome, "{status} {problem}");
        }
        let answer = read_queried(200, charge("CONCLUIDA", &pix("12.50", "")).as_bytes(), NUMBER).expect("an answer");
        assert_eq!((answer.number.as_str(), answer.paid_at), (NUMBER, Some(1_700_000_040_000)));
        let other = charge("ATIVA", "").replace("payX", "fc9a4366ff3d");
        assert_eq!(
            read_queried(200, other.as_bytes(), NUMBER).expect("an answer").number,
            "fc9a4366ff3daaaaaaaaaaaaaaaaaaaaaaaaaa"
        );
    }

    #[test]
    fn announcements() {
        let read = |body: &str| read_created(body.as_bytes(), &order(), &settings()).map_err(|error| kind(&error));
        let code = read(&charge("ATIVA", "")).expect("a code");
        assert!(code.starts_with("000201010212"), "{code}");
        let with_code = charge("ATIVA", "").replace(r#""revisao":0"#, &format!(r#""pixCopiaECola":"{code}""#));
        assert_eq!(read(&with_code), Ok(code));
        for (body, outcome) in [
            (with_code.replace("BR59", "BR95"), "no-answer"),
            (charge("ATIVA", "").replace("12.50", "12.51"), "no-answer"),
            (charge("ATIVA", "").replace("payX", "payY"), "no-answer"),
            (charge("ATIVA", "").replace("7d9f0335", "8d9f0335"), "no-answer"),
            (charge("ATIVA", "").replace("location", "somewhere"), "no-answer"),
            (charge("CONCLUIDA", &pix("12.50", "")), "no-answer"),
            (charge("REMOVIDA_PELO_PSP", ""), "not-sent"),
            ("{}".to_owned(), "no-answer"),
        ] {
            assert_eq!(read(&body), Err(outcome), "{body}");
        }
    }

    #[test]
    fn a_refused_announcement_is_what_the_scheme_has_of_it() {
        let told = |problem_kind: &str, status: u16, body: &[u8]| {
            let refusal = problem(400, &refused(problem_kind)).expect("a problem");
            read_refused(&refusal, status, body, &order(), &settings()).map_err(|error| kind(&error))
        };
        assert!(told("CobOperacaoInvalida", 200, charge("ATIVA", "").as_bytes()).is_ok(), "announced before");
        assert_eq!(told("CobOperacaoInvalida", 404, &refused("CobNaoEncontrado")), Err("not-sent"));
        assert_eq!(told("RequisicaoInvalida", 404, &refused("NaoEncontrado")), Err("not-sent"));
        assert_eq!(told("CobOperacaoInvalida", 503, &refused("ServicoIndisponivel")), Err("no-answer"));
        assert_eq!(told("CobOperacaoInvalida", 404, b"<html>"), Err("no-answer"));
        assert_eq!(told("CobOperacaoInvalida", 200, charge("REMOVIDA_PELO_PSP", "").as_bytes()), Err("not-sent"));
    }

    #[test]
    fn only_what_the_api_foresees_is_a_refusal() {
        let is_known = |kind: &str| is_foreseen(&problem(400, &refused(kind)).expect("a problem"));
        assert!(is_known("CobOperacaoInvalida") && is_known("RequisicaoInvalida") && is_known("NaoEncontrado"));
        assert!(!is_known("Estranho") && !is_known("PixDevolucaoInvalida"));
    }

    #[test]
    fn disputes_stand_beside_the_payment() {
        let returned = |id: &str, natureza: &str| {
            format!(
                r#"{{"id":"{id}","rtrId":"D{id}","valor":"2.00","natureza":"{natureza}","status":"DEVOLVIDO",
                "horario":{{"solicitacao":"2023-11-20T15:00:00Z"}}}}"#
            )
        };
        let returns = [returned("R1", "ORIGINAL"), returned("M1", "MED_FRAUDE"), returned("M2", "MED_OPERACIONAL")];
        let body = charge("CONCLUIDA", &pix("12.50", &returns.join(",")));
        let disputes = read_disputes(200, body.as_bytes(), NUMBER).expect("disputes");
        let told: Vec<_> =
            disputes.iter().flatten().map(|case| (case.case_number.as_str(), case.amount.minor)).collect();
        assert_eq!(told, [("DM1", 200), ("DM2", 200)]);
        assert_eq!(read_disputes(404, &refused("CobNaoEncontrado"), NUMBER), Ok(Vec::new()));
        let timeless = body.replacen("solicitacao", "outro", 2);
        let disputes = read_disputes(200, timeless.as_bytes(), NUMBER).expect("disputes");
        let told: Vec<_> = disputes.iter().map(|case| case.as_ref().map(|_| ()).map_err(kind)).collect();
        assert_eq!(told, [Err("no-answer"), Ok(())], "one that says no time costs itself alone");
        assert_eq!(read_disputes(200, b"{}", NUMBER).map_err(|error| kind(&error)), Err("no-answer"));
    }

    #[test]
    fn references() {
        let read = |body: &str| read_reference(200, body.as_bytes(), NUMBER).map_err(|error| kind(&error));
        assert_eq!(read(&charge("CONCLUIDA", &pix("12.50", ""))), Ok(Some(E2E.to_owned())));
        assert_eq!(read(&charge("ATIVA", "")), Ok(None));
        assert_eq!(read(&charge("CONCLUIDA", &pix("12.50", "")).replace("payX", "payY")), Err("no-answer"));
        assert_eq!(read_reference(404, &refused("CobNaoEncontrado"), NUMBER).map_err(|error| kind(&error)), Ok(None));
    }
}
