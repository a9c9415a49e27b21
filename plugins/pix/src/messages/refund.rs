//! What the scheme says of a return ("devolução").

use saoma_channel_sdk::{DisputeNews, DisputeNotice, Error, RefundAnswer, RefundStatus, declined, no_answer, not_sent};
use serde::Deserialize;

use super::{
    charge::{is_not_found, parsed, reais, refusal},
    moment::millis,
    number::from_txid,
    problem::Problem,
};

/// The longest number of a dispute (sdk/wit, `dispute-notice`).
const CASE_NUMBER_LEN_MAX: usize = 64;

/// A return, of ours or by the scheme's own special procedure.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReturnMessage {
    pub id: String,
    #[serde(default)]
    pub rtr_id: String,
    pub valor: String,
    pub natureza: Option<String>,
    #[serde(default)]
    pub horario: ReturnTimes,
    pub status: String,
    #[serde(default)]
    pub motivo: String,
}

#[derive(Default, Deserialize)]
pub(super) struct ReturnTimes {
    pub solicitacao: Option<String>,
    pub liquidacao: Option<String>,
}

impl ReturnMessage {
    pub fn is_done(&self) -> bool {
        self.status == "DEVOLVIDO"
    }

    /// Whether the scheme took the money back by itself (MED, "mecanismo especial de devolução"), for fraud or a fault of a bank.
    pub fn is_taken_back(&self) -> bool {
        self.natureza.as_deref().is_some_and(|natureza| natureza.starts_with("MED_"))
    }

    /// The number of the dispute that it is: the one under which the money goes back from bank to bank (`rtrId`, 32 characters, OpenAPI
    /// 2.9.0 `Devolucao`). Its `id` is whoever's that asked for it, and said of one payment. A bank that leaves the first away gets both
    /// end-to-end id (32) and `id` (35), cut to what core takes.
    pub fn case_number(&self, end_to_end_id: &str) -> String {
        if self.rtr_id.is_empty() {
            return format!("{end_to_end_id}{}", self.id).chars().take(CASE_NUMBER_LEN_MAX).collect();
        }
        self.rtr_id.clone()
    }

    /// When it was booked, milliseconds since 1970.
    ///
    /// # Errors
    /// `no-answer` if it says no time.
    pub fn booked_at(&self) -> Result<i64, Error> {
        let booked = self.horario.liquidacao.as_ref().or(self.horario.solicitacao.as_ref());
        millis(booked.ok_or_else(|| no_answer("a return without a time"))?)
    }

    /// What the scheme took back by itself is a dispute that is decided: it asks the merchant nothing, and the API tells of no step
    /// before the money is gone. `None` for any other return, and for one that is not done.
    ///
    /// # Errors
    /// `no-answer` if it cannot be read.
    pub fn dispute(&self, number: &str, end_to_end_id: &str) -> Result<Option<DisputeNotice>, Error> {
        if !self.is_taken_back() || !self.is_done() {
            return Ok(None);
        }
        Ok(Some(DisputeNotice {
            number: number.to_owned(),
            case_number: self.case_number(end_to_end_id),
            amount: reais(&self.valor)?,
            reason: self.natureza.clone().unwrap_or_default(),
            news: DisputeNews::Lost(None),
            at: self.booked_at()?,
        }))
    }
}

/// What the scheme says of a return that was asked for or looked up.
///
/// # Errors
/// `no-answer` for all but a return or its absence.
pub fn read_queried(status: u16, body: &[u8], refund_number: &str) -> Result<RefundAnswer, Error> {
    if matches!(status, 200 | 201) {
        return refund_answer(parsed(body)?);
    }
    if is_not_found(status, body)? {
        return Ok(without_return(RefundStatus::NotFound, refund_number));
    }
    Err(refusal(status, body))
}

/// Whether a return was refused in a way that the API foresees. Of anything else nothing is known.
#[must_use]
pub fn is_foreseen(refused: &Problem) -> bool {
    matches!(
        refused.kind.as_str(),
        "PixDevolucaoInvalida" | "PixNaoEncontrado" | "NaoEncontrado" | "RequisicaoInvalida"
    )
}

/// What became of a return that was refused as foreseen, once it has been looked up: an id that is used is refused too, whatever
/// became of the return that has it.
///
/// # Errors
/// `not-sent` if the scheme could not read the request; else as [`read_queried`].
pub fn read_refused(refused: &Problem, status: u16, body: &[u8], refund_number: &str) -> Result<RefundAnswer, Error> {
    let known = read_queried(status, body, refund_number)?;
    if known.status != RefundStatus::NotFound {
        return Ok(known);
    }
    if refused.kind == "RequisicaoInvalida" {
        return Err(not_sent(refused.words.as_str()));
    }
    // Over the window of 90 days, or more than is left: the scheme says which in words alone, unless it names the field.
    let code = if refused.is_about_amount { "amount-invalid" } else { "not-permitted" };
    Ok(without_return(RefundStatus::Failed(declined(code, refused.words.as_str())), refund_number))
}

/// The answer about a refund of an order for which the scheme has received nothing: it has given nothing back.
#[must_use]
pub fn unknown(refund_number: &str) -> RefundAnswer {
    without_return(RefundStatus::NotFound, refund_number)
}

fn refund_answer(given: ReturnMessage) -> Result<RefundAnswer, Error> {
    let status = match given.status.as_str() {
        "EM_PROCESSAMENTO" => RefundStatus::Pending,
        "DEVOLVIDO" => RefundStatus::Succeeded,
        "NAO_REALIZADO" => RefundStatus::Failed(declined("other", format!("NAO_REALIZADO {}", given.motivo))),
        other => return Err(no_answer(format!("the return is {other:?}, which the API does not know"))),
    };
    Ok(RefundAnswer {
        status,
        refund_number: from_txid(&given.id).unwrap_or(given.id),
        amount: Some(reais(&given.valor)?),
        reference: given.rtr_id,
    })
}

fn without_return(status: RefundStatus, refund_number: &str) -> RefundAnswer {
    RefundAnswer { status, refund_number: refund_number.to_owned(), amount: None, reference: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{
        charge::tests::{E2E, REFUND, kind, refused},
        problem,
    };

    fn given(status: &str) -> Vec<u8> {
        format!(
            r#"{{"id":"rfdXaaaaaaaaaaaaaaaaaaaaaaaaaa","rtrId":"D12345678202009091221abcdf098765","valor":"0.05",
            "horario":{{"solicitacao":"2020-09-09T20:15:00.358Z"}},"status":"{status}","motivo":"Negado"}}"#
        )
        .into_bytes()
    }

    fn told(outcome: Result<RefundAnswer, Error>) -> String {
        match outcome {
            Ok(RefundAnswer { status: RefundStatus::Failed(failure), .. }) => format!("failed {}", failure.code),
            Ok(answer) => format!("{:?}", answer.status).replace("RefundStatus::", ""),
            Err(error) => kind(&error).to_owned(),
        }
    }

    #[test]
    fn returns() {
        for (status, body, outcome) in [
            (201, given("EM_PROCESSAMENTO"), "Pending"),
            (201, given("DEVOLVIDO"), "Succeeded"),
            (200, given("NAO_REALIZADO"), "failed other"),
            (200, given("SONHANDO"), "no-answer"),
            (200, b"{}".to_vec(), "no-answer"),
            (404, refused("PixDevolucaoNaoEncontrada"), "NotFound"),
            (404, refused("NaoEncontrado"), "NotFound"),
            (404, refused("Estranho"), "no-answer"),
            (403, refused("AcessoNegado"), "misconfigured"),
            (503, refused("ServicoIndisponivel"), "no-answer"),
        ] {
            assert_eq!(
                told(read_queried(status, &body, REFUND)),
                outcome,
                "{status} {}",
                String::from_utf8_lossy(&body)
            );
        }
        let answer = read_queried(201, &given("DEVOLVIDO"), REFUND).expect("an answer");
        assert_eq!((answer.refund_number.as_str(), answer.amount.map(|amount| amount.minor)), (REFUND, Some(5)));
        assert_eq!(answer.reference, "D12345678202009091221abcdf098765");
    }

    #[test]
    fn a_refused_return_is_what_the_scheme_has_of_it() {
        let absent = refused("PixDevolucaoNaoEncontrada");
        for (kind, status, body, outcome) in [
            ("PixDevolucaoInvalida", 200, given("DEVOLVIDO"), "Succeeded"),
            ("PixDevolucaoInvalida", 200, given("EM_PROCESSAMENTO"), "Pending"),
            ("PixDevolucaoInvalida", 404, absent.clone(), "failed not-permitted"),
            ("PixNaoEncontrado", 404, absent.clone(), "failed not-permitted"),
            ("RequisicaoInvalida", 404, absent.clone(), "not-sent"),
            ("PixDevolucaoInvalida", 503, refused("ServicoIndisponivel"), "no-answer"),
            ("PixDevolucaoInvalida", 404, b"<html>".to_vec(), "no-answer"),
        ] {
            let refusal = problem(400, &refused(kind)).expect("a problem");
            assert_eq!(told(read_refused(&refusal, status, &body, REFUND)), outcome, "{kind} {status}");
        }
        assert!(!is_foreseen(&problem(400, &refused("Estranho")).expect("a problem")));
        let mut too_much = problem(400, &refused("PixDevolucaoInvalida")).expect("a problem");
        too_much.is_about_amount = true;
        assert_eq!(told(read_refused(&too_much, 404, &absent, REFUND)), "failed amount-invalid");
    }

    #[test]
    fn a_dispute_is_told_when_the_money_is_gone() {
        let told = |status: &str, natureza: &str| {
            let text = String::from_utf8(given(status)).expect("text");
            let text = text.replace(r#""motivo""#, &format!(r#""natureza":"{natureza}","motivo""#));
            serde_json::from_str::<ReturnMessage>(&text).expect("a return").dispute("pay_1", E2E)
        };
        let notice = told("DEVOLVIDO", "MED_FRAUDE").expect("readable").expect("a dispute");
        assert_eq!(
            (notice.number.as_str(), notice.case_number.as_str(), notice.reason.as_str()),
            ("pay_1", "D12345678202009091221abcdf098765", "MED_FRAUDE")
        );
        assert_eq!((notice.amount.minor, notice.news, notice.at), (5, DisputeNews::Lost(None), 1_599_682_500_358));
        for (status, natureza) in
            [("EM_PROCESSAMENTO", "MED_FRAUDE"), ("NAO_REALIZADO", "MED_FRAUDE"), ("DEVOLVIDO", "ORIGINAL")]
        {
            assert_eq!(told(status, natureza), Ok(None), "{status} {natureza}");
        }
    }

    #[test]
    fn a_case_has_one_number_wherever_it_is_told() {
        let of = |id: &str, rtr_id: &str| {
            let text = format!(r#"{{"id":"{id}","rtrId":"{rtr_id}","valor":"0.05","status":"DEVOLVIDO"}}"#);
            serde_json::from_str::<ReturnMessage>(&text).expect("a return").case_number(E2E)
        };
        assert_eq!(of("MED1", "D12345678202009091221abcdf098765"), "D12345678202009091221abcdf098765");
        assert_eq!(of("MED1", ""), format!("{E2E}MED1"));
        assert_eq!(of(&"9".repeat(35), ""), format!("{E2E}{}", "9".repeat(32)), "as long as core takes");
    }

    #[test]
    fn what_the_scheme_took_back_by_itself() {
        let natured = |natureza: &str| {
            let text = String::from_utf8(given("DEVOLVIDO")).expect("text");
            let text = text.replace(r#""motivo""#, &format!(r#""natureza":"{natureza}","motivo""#));
            serde_json::from_str::<ReturnMessage>(&text).expect("a return").is_taken_back()
        };
        assert!(natured("MED_FRAUDE") && natured("MED_OPERACIONAL") && natured("MED_PIX_AUTOMATICO"));
        assert!(!natured("ORIGINAL") && !natured("RETIRADA"));
    }
}
