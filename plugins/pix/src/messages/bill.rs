//! A day's bill, read from the list of what was received.
//!
//! The list is by the day on which a payment came, and each payment carries what was given back of it, whenever that was. So the
//! bill is read twice: what came on the day, and, of all that came in the time in which money may go back, what went back on it.

use saoma_channel_sdk::{BillKind, BillLine, BillPage, BillRow, Error, no_answer, not_sent};
use serde::Deserialize;
use serde_json::Value;

use super::{
    build::{Call, Settings, bill_page},
    charge::{PixMessage, parsed, reais, refusal},
    moment::{DAY_MS, day_begin, millis},
    number::from_txid,
    refund::ReturnMessage,
};

/// Returns are possible for 90 days (OpenAPI 2.9.0, `PixDevolucaoInvalida`), and one more since neither end of them is sharp.
const RETURN_DAYS: i64 = 91;

#[derive(Deserialize)]
struct ListMessage {
    parametros: ParametersMessage,
    #[serde(default)]
    pix: Vec<Value>,
}

#[derive(Deserialize)]
struct ParametersMessage {
    paginacao: PagesMessage,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PagesMessage {
    pagina_atual: u32,
    quantidade_de_paginas: u32,
}

/// One page of a day's bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    begins_ms: i64,
    part: Part,
    idx: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Payments,
    Returns,
}

impl Page {
    /// `cursor`: the one of the page before.
    ///
    /// # Errors
    /// `not-sent` for what is no day, or no cursor of ours.
    pub fn new(day: &str, cursor: Option<&str>) -> Result<Self, Error> {
        let begins_ms = day_begin(day)?;
        let Some(cursor) = cursor else { return Ok(Self { begins_ms, part: Part::Payments, idx: 0 }) };
        let read = cursor.split_once(' ').and_then(|(part, idx)| {
            let part = match part {
                "payments" => Part::Payments,
                "returns" => Part::Returns,
                _ => return None,
            };
            Some(Self { begins_ms, part, idx: idx.parse().ok()? })
        });
        read.ok_or_else(|| not_sent(format!("{cursor:?} is no cursor of this bill")))
    }

    #[must_use]
    pub fn call(&self) -> Call {
        let ends_ms = self.begins_ms + DAY_MS;
        match self.part {
            Part::Payments => bill_page(self.begins_ms, ends_ms, false, self.idx),
            Part::Returns => bill_page(self.begins_ms - RETURN_DAYS * DAY_MS, ends_ms, true, self.idx),
        }
    }

    /// The rows of this page, of the account's own key, and where to go on. What cannot be read is handed on as it stands.
    ///
    /// # Errors
    /// `no-answer` for a page that cannot be read, or is another.
    pub fn read(&self, status: u16, body: &[u8], settings: &Settings) -> Result<BillPage, Error> {
        if status != 200 {
            return Err(refusal(status, body));
        }
        let list: ListMessage = parsed(body)?;
        let pages = list.parametros.paginacao;
        if pages.pagina_atual != self.idx {
            return Err(no_answer(format!("page {} was asked for and {} came", self.idx, pages.pagina_atual)));
        }
        let mut lines = Vec::new();
        for pix in list.pix {
            let text = pix.to_string();
            match serde_json::from_value::<PixMessage>(pix) {
                Ok(pix) if pix.chave.as_ref().is_some_and(|key| !key.eq_ignore_ascii_case(&settings.pix_key)) => {}
                Ok(pix) => self.add(&pix, &text, &mut lines),
                // In both parts it would be told twice.
                Err(_) if self.part == Part::Payments => lines.push(BillLine::Unreadable(text)),
                Err(_) => {}
            }
        }
        let next = match self.part {
            _ if self.idx + 1 < pages.quantidade_de_paginas => Some((self.part, self.idx + 1)),
            Part::Payments => Some((Part::Returns, 0)),
            Part::Returns => None,
        };
        let named = |part| if part == Part::Payments { "payments" } else { "returns" };
        Ok(BillPage { lines, next_cursor: next.map(|(part, idx)| format!("{} {idx}", named(part))) })
    }

    fn add(&self, pix: &PixMessage, text: &str, lines: &mut Vec<BillLine>) {
        let row = |read: Result<Option<BillRow>, Error>| match read {
            Ok(row) => row.map(BillLine::Row),
            Err(_) => Some(BillLine::Unreadable(text.to_owned())),
        };
        match self.part {
            Part::Payments => lines.extend(row(self.payment(pix))),
            Part::Returns => {
                lines.extend(pix.devolucoes.iter().filter_map(|given| row(self.given_back(pix, given))));
            }
        }
    }

    fn payment(&self, pix: &PixMessage) -> Result<Option<BillRow>, Error> {
        let row = BillRow {
            reference: pix.end_to_end_id.clone(),
            ..row(pix, BillKind::Payment, &pix.valor, millis(&pix.horario)?)?
        };
        Ok(self.is_within(row.at).then_some(row))
    }

    fn given_back(&self, pix: &PixMessage, given: &ReturnMessage) -> Result<Option<BillRow>, Error> {
        if !given.is_done() {
            return Ok(None);
        }
        let at = given.booked_at()?;
        if !self.is_within(at) {
            return Ok(None);
        }
        let kind = if given.is_taken_back() { BillKind::Chargeback } else { BillKind::Refund };
        let (refund_number, case_number) = if given.is_taken_back() {
            (String::new(), given.case_number(&pix.end_to_end_id))
        } else {
            (from_txid(&given.id).unwrap_or_else(|| given.id.clone()), String::new())
        };
        let row = row(pix, kind, &given.valor, at)?;
        Ok(Some(BillRow { refund_number, case_number, reference: given.rtr_id.clone(), ..row }))
    }

    /// Whether the list keeps to its ends or not: a day's first moment is its own, and its end the next day's.
    const fn is_within(&self, at_ms: i64) -> bool {
        self.begins_ms <= at_ms && at_ms < self.begins_ms + DAY_MS
    }
}

fn row(pix: &PixMessage, kind: BillKind, amount: &str, at: i64) -> Result<BillRow, Error> {
    let amount = reais(amount)?;
    let txid = pix.txid.clone().unwrap_or_default();
    Ok(BillRow {
        kind,
        number: from_txid(&txid).unwrap_or(txid),
        refund_number: String::new(),
        case_number: String::new(),
        reference: String::new(),
        amount_minor: amount.minor,
        // The API tells no fees: banks charge them by contract.
        fee_minor: 0,
        currency: amount.currency,
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::charge::tests::{E2E, kind, pix, refused, settings};

    fn list(page: u32, pages: u32, rows: &str) -> Vec<u8> {
        format!(
            r#"{{"parametros":{{"inicio":"x","fim":"y","paginacao":{{"paginaAtual":{page},"itensPorPagina":500,
            "quantidadeDePaginas":{pages},"quantidadeTotalDeItens":1}}}},"pix":[{rows}]}}"#
        )
        .into_bytes()
    }

    fn returned(id: &str, natureza: &str, at: &str, status: &str) -> String {
        format!(
            r#"{{"id":"{id}","rtrId":"D12345678202009091221abcdf098765","valor":"2.00","natureza":"{natureza}",
            "horario":{{"solicitacao":"2023-11-10T00:00:00Z","liquidacao":"{at}"}},"status":"{status}"}}"#
        )
    }

    fn told(page: &BillPage) -> Vec<String> {
        let line = |line: &BillLine| match line {
            BillLine::Row(row) => {
                let kind = format!("{:?}", row.kind).replace("BillKind::", "");
                format!("{kind} {}|{}|{} {}", row.number, row.refund_number, row.case_number, row.amount_minor)
            }
            BillLine::Unreadable(_) => "unreadable".to_owned(),
        };
        page.lines.iter().map(line).collect()
    }

    #[test]
    fn a_day_is_read_in_two_parts() {
        let first = Page::new("2023-11-14", None).expect("a page");
        assert!(first.call().path.starts_with("/pix?inicio=2023-11-14T03:00:00.000Z&fim=2023-11-15T03:00:00.000Z&pag"));
        let page = first.read(200, &list(0, 2, ""), &settings()).expect("a page");
        assert_eq!(page.next_cursor.as_deref(), Some("payments 1"));
        let second = Page::new("2023-11-14", Some("payments 1")).expect("a page");
        let page = second.read(200, &list(1, 2, ""), &settings()).expect("a page");
        assert_eq!(page.next_cursor.as_deref(), Some("returns 0"));
        let returns = Page::new("2023-11-14", Some("returns 0")).expect("a page");
        assert!(
            returns.call().path.starts_with(
                "/pix?inicio=2023-08-15T03:00:00.000Z&fim=2023-11-15T03:00:00.000Z&devolucaoPresente=true"
            )
        );
        assert_eq!(returns.read(200, &list(0, 1, ""), &settings()).expect("a page").next_cursor, None);
        for (day, cursor) in [("yesterday", None), ("2023-11-14", Some("payments")), ("2023-11-14", Some("orders 1"))] {
            assert!(matches!(Page::new(day, cursor), Err(Error::NotSent(_))), "{day} {cursor:?}");
        }
        let other = first.read(200, &list(1, 2, ""), &settings());
        assert_eq!(other.map_err(|error| kind(&error)), Err("no-answer"));
        assert_eq!(
            first.read(503, &refused("ServicoIndisponivel"), &settings()).map_err(|error| kind(&error)),
            Err("no-answer")
        );
        assert_eq!(first.read(200, b"<html>", &settings()).map_err(|error| kind(&error)), Err("no-answer"));
    }

    #[test]
    fn payments_of_the_day_and_the_key() {
        let first = Page::new("2023-11-14", None).expect("a page");
        let ours = pix("12.50", "");
        let of_key = |key: &str| ours.replace(r#""infoPagador""#, &format!(r#""chave":"{key}","infoPagador""#));
        let rows = [
            ours.clone(),
            of_key("7D9F0335-8dcc-4054-9bf9-0dbd61d36906"),
            of_key("other@example.com"),
            // The next day's, though the list had it.
            ours.replace("2023-11-14T22:14:00.000Z", "2023-11-15T03:00:00Z"),
            ours.replace("payXaaaaaaaaaaaaaaaaaaaaaaaaaa", "c3e0e7a4e7f1469a9f782d3d4999343c"),
            ours.replace("12.50", "12.5"),
            r#"{"total":"1.00"}"#.to_owned(),
        ];
        let page = first.read(200, &list(0, 1, &rows.join(",")), &settings()).expect("a page");
        assert_eq!(
            told(&page),
            [
                "Payment pay_aaaaaaaaaaaaaaaaaaaaaaaaaa|| 1250",
                "Payment pay_aaaaaaaaaaaaaaaaaaaaaaaaaa|| 1250",
                "Payment c3e0e7a4e7f1469a9f782d3d4999343c|| 1250",
                "unreadable",
                "unreadable"
            ]
        );
    }

    #[test]
    fn returns_of_the_day_whenever_the_payment_came() {
        let returns = Page::new("2023-11-20", Some("returns 0")).expect("a page");
        let day = "2023-11-20T15:00:00Z";
        let given = [
            returned("rfdXaaaaaaaaaaaaaaaaaaaaaaaaaa", "ORIGINAL", day, "DEVOLVIDO"),
            returned("123ABC", "ORIGINAL", day, "DEVOLVIDO"),
            returned("MED1", "MED_FRAUDE", day, "DEVOLVIDO"),
            returned("MED1", "MED_FRAUDE", day, "DEVOLVIDO").replace("D12345678202009091221abcdf098765", ""),
            returned("rfdXbbbbbbbbbbbbbbbbbbbbbbbbbb", "ORIGINAL", "2023-11-19T15:00:00Z", "DEVOLVIDO"),
            returned("rfdXcccccccccccccccccccccccccc", "ORIGINAL", day, "EM_PROCESSAMENTO"),
            returned("rfdXdddddddddddddddddddddddddd", "ORIGINAL", day, "NAO_REALIZADO"),
            returned("x", "ORIGINAL", "soon", "DEVOLVIDO"),
        ];
        let page = returns.read(200, &list(0, 1, &pix("12.50", &given.join(","))), &settings()).expect("a page");
        assert_eq!(
            told(&page),
            [
                "Refund pay_aaaaaaaaaaaaaaaaaaaaaaaaaa|rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa| 200",
                "Refund pay_aaaaaaaaaaaaaaaaaaaaaaaaaa|123ABC| 200",
                "Chargeback pay_aaaaaaaaaaaaaaaaaaaaaaaaaa||D12345678202009091221abcdf098765 200",
                &format!("Chargeback pay_aaaaaaaaaaaaaaaaaaaaaaaaaa||{E2E}MED1 200"),
                "unreadable"
            ]
        );
    }
}
