//! Charges, what was received for them, and what went back.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::{OffsetDateTime, macros::format_description};

use super::{brcode::brcode, fields::NewCharge, problem::Problem};

const RETURN_WINDOW_MS: i64 = 90 * 24 * 3_600_000;
const ISPB: &str = "00000000";

/// All charges by their txid.
#[derive(Default)]
pub struct Book {
    charges: BTreeMap<String, Charge>,
    location_count: u64,
}

/// One charge ("cobrança imediata").
#[derive(Clone, Debug)]
pub struct Charge {
    pub txid: String,
    asked: NewCharge,
    revision: u32,
    created_ms: i64,
    location_id: u64,
    pub location: String,
    pub status: ChargeStatus,
    pub received: Vec<Received>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChargeStatus {
    Active,
    Concluded,
    RemovedByMerchant,
    RemovedByBank,
}

impl ChargeStatus {
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Active => "ATIVA",
            Self::Concluded => "CONCLUIDA",
            Self::RemovedByMerchant => "REMOVIDA_PELO_USUARIO_RECEBEDOR",
            Self::RemovedByBank => "REMOVIDA_PELO_PSP",
        }
    }
}

/// One payment.
#[derive(Clone, Debug)]
pub struct Received {
    pub end_to_end_id: String,
    pub centavos: i64,
    pub at_ms: i64,
    pub returns: Vec<Return>,
}

/// Money on its way back ("devolução").
#[derive(Clone, Debug)]
pub struct Return {
    pub id: String,
    rtr_id: String,
    pub centavos: i64,
    description: Option<String>,
    nature: &'static str,
    pub status: ReturnStatus,
    asked_ms: i64,
    settled_ms: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnStatus {
    Processing,
    Returned,
    NotDone,
}

impl ReturnStatus {
    const fn text(self) -> &'static str {
        match self {
            Self::Processing => "EM_PROCESSAMENTO",
            Self::Returned => "DEVOLVIDO",
            Self::NotDone => "NAO_REALIZADO",
        }
    }
}

impl Charge {
    #[must_use]
    pub const fn centavos(&self) -> i64 {
        self.asked.centavos
    }

    /// What went back for good.
    #[must_use]
    pub fn returned_centavos(&self) -> i64 {
        let returns = self.received.iter().flat_map(|received| &received.returns);
        returns.filter(|given| given.status == ReturnStatus::Returned).map(|given| given.centavos).sum()
    }

    /// As `GET /cob/{txid}` shows it.
    #[must_use]
    pub fn view(&self) -> Value {
        let location = &self.location;
        let mut view = json!({
            "calendario": { "criacao": rfc3339(self.created_ms), "expiracao": self.asked.expires_seconds },
            "txid": self.txid,
            "revisao": self.revision,
            "loc": { "id": self.location_id, "txid": self.txid, "location": location, "tipoCob": "cob", "criacao": rfc3339(self.created_ms) },
            "location": location,
            "status": self.status.text(),
            "valor": { "original": reais(self.asked.centavos) },
            "chave": self.asked.key,
            "pixCopiaECola": brcode(location),
        });
        if let Some(request) = &self.asked.request {
            view["solicitacaoPagador"] = json!(request);
        }
        if !self.received.is_empty() {
            view["pix"] = self.received.iter().map(|received| received.view(self)).collect();
        }
        view
    }
}

impl Received {
    /// As lists and callbacks show it.
    #[must_use]
    pub fn view(&self, charge: &Charge) -> Value {
        let mut view = json!({
            "endToEndId": self.end_to_end_id,
            "txid": charge.txid,
            "valor": reais(self.centavos),
            "componentesValor": { "original": { "valor": reais(self.centavos) } },
            "chave": charge.asked.key,
            "horario": rfc3339(self.at_ms),
        });
        if !self.returns.is_empty() {
            view["devolucoes"] = self.returns.iter().map(Return::view).collect();
        }
        view
    }
}

impl Return {
    #[must_use]
    pub fn view(&self) -> Value {
        let mut view = json!({
            "id": self.id,
            "rtrId": self.rtr_id,
            "valor": reais(self.centavos),
            "natureza": self.nature,
            "horario": { "solicitacao": rfc3339(self.asked_ms) },
            "status": self.status.text(),
        });
        if let Some(description) = &self.description {
            view["descricao"] = json!(description);
        }
        if let Some(settled_ms) = self.settled_ms {
            view["horario"]["liquidacao"] = json!(rfc3339(settled_ms));
        }
        if self.status == ReturnStatus::NotDone {
            view["motivo"] = json!("Saldo insuficiente");
        }
        view
    }
}

impl Book {
    /// Payments of all charges.
    #[must_use]
    pub fn n_received(&self) -> usize {
        self.charges.values().map(|charge| charge.received.len()).sum()
    }

    /// `PUT /cob/{txid}`: announced, or changed while it is active. `token` makes its address.
    ///
    /// # Errors
    /// `CobOperacaoInvalida` if it is there and no longer active.
    pub fn put(&mut self, txid: &str, asked: NewCharge, token: &str, now_ms: i64) -> Result<&Charge, Problem> {
        if let Some(known) = self.charges.get_mut(txid) {
            if known.status != ChargeStatus::Active {
                return Err(Problem::new(400, "CobOperacaoInvalida"));
            }
            if known.asked != asked {
                known.asked = asked;
                known.revision += 1;
            }
        } else {
            self.location_count += 1;
            let charge = Charge {
                txid: txid.to_owned(),
                asked,
                revision: 0,
                created_ms: now_ms,
                location_id: self.location_count,
                location: format!("pix.example.com/qr/v2/{token}"),
                status: ChargeStatus::Active,
                received: Vec::new(),
            };
            self.charges.insert(txid.to_owned(), charge);
        }
        self.get(txid)
    }

    /// # Errors
    /// `CobNaoEncontrado`.
    pub fn get(&self, txid: &str) -> Result<&Charge, Problem> {
        self.charges.get(txid).ok_or(Problem::new(404, "CobNaoEncontrado"))
    }

    /// # Errors
    /// `CobNaoEncontrado`; `CobOperacaoInvalida` if it is not active.
    pub fn remove(&mut self, txid: &str, status: ChargeStatus) -> Result<&Charge, Problem> {
        let charge = self.charges.get_mut(txid).ok_or(Problem::new(404, "CobNaoEncontrado"))?;
        if charge.status != ChargeStatus::Active {
            return Err(Problem::new(400, "CobOperacaoInvalida"));
        }
        charge.status = status;
        Ok(charge)
    }

    /// A customer pays. `token`: 11 characters of the end-to-end id.
    ///
    /// # Errors
    /// In words, if the charge cannot be paid.
    pub fn pay(&mut self, txid: &str, token: &str, now_ms: i64) -> Result<(), String> {
        let charge = self.charges.get_mut(txid).ok_or("there is no such charge")?;
        if charge.status != ChargeStatus::Active {
            return Err(format!("the charge is {}", charge.status.text()));
        }
        if now_ms >= charge.created_ms + charge.asked.expires_seconds * 1_000 {
            return Err("the charge has expired".to_owned());
        }
        charge.status = ChargeStatus::Concluded;
        let end_to_end_id = format!("E{ISPB}{}{token}", minute(now_ms));
        charge.received.push(Received {
            end_to_end_id,
            centavos: charge.asked.centavos,
            at_ms: now_ms,
            returns: Vec::new(),
        });
        Ok(())
    }

    /// `PUT /pix/{e2eid}/devolucao/{id}`. `token`: 11 characters of the return's own id.
    ///
    /// # Errors
    /// `PixNaoEncontrado`; `PixDevolucaoInvalida` if the id is used, the window is over or too much would go back.
    pub fn give_back(
        &mut self,
        end_to_end_id: &str,
        id: &str,
        (centavos, description): (i64, Option<String>),
        token: &str,
        now_ms: i64,
    ) -> Result<&mut Return, Problem> {
        let mut received = self.charges.values_mut().flat_map(|charge| charge.received.iter_mut());
        let received = received.find(|received| received.end_to_end_id == end_to_end_id);
        let received = received.ok_or(Problem::new(404, "PixNaoEncontrado"))?;
        let invalid = |field, reason: &str| Problem::of("PixDevolucaoInvalida", field, reason);
        if received.returns.iter().any(|known| known.id == id) {
            return Err(invalid("id", "já utilizado por outra requisição de devolução"));
        }
        if now_ms - received.at_ms > RETURN_WINDOW_MS {
            return Err(invalid("e2eid", "viola a janela de 90 dias"));
        }
        let taken = received.returns.iter().filter(|known| known.status != ReturnStatus::NotDone);
        if taken.map(|known| known.centavos).sum::<i64>() + centavos > received.centavos {
            return Err(invalid("devolucao.valor", "excederia o valor do pix originário"));
        }
        let idx = received.returns.len();
        received.returns.push(Return {
            id: id.to_owned(),
            rtr_id: format!("D{ISPB}{}{token}", minute(now_ms)),
            centavos,
            description,
            nature: "ORIGINAL",
            status: ReturnStatus::Returned,
            asked_ms: now_ms,
            settled_ms: Some(now_ms),
        });
        Ok(&mut received.returns[idx])
    }

    /// The bank takes back what is left of a payment, without the merchant being asked (MED, "mecanismo especial de devolução", for
    /// suspected fraud). `token`: 11 characters of the return's own id.
    ///
    /// # Errors
    /// In words, if nothing is left.
    pub fn take_back(&mut self, txid: &str, token: &str, now_ms: i64) -> Result<(), String> {
        let charge = self.charges.get_mut(txid).ok_or("there is no such charge")?;
        let received = charge.received.first_mut().ok_or("the charge is not paid")?;
        let taken = received.returns.iter().filter(|known| known.status != ReturnStatus::NotDone);
        let left = received.centavos - taken.map(|known| known.centavos).sum::<i64>();
        if left == 0 {
            return Err("all of it has gone back".to_owned());
        }
        received.returns.push(Return {
            // Of this payment alone, as the API has it: another one's may be the same.
            id: format!("MED{}", received.returns.len() + 1),
            rtr_id: format!("D{ISPB}{}{token}", minute(now_ms)),
            centavos: left,
            description: None,
            nature: "MED_FRAUDE",
            status: ReturnStatus::Returned,
            asked_ms: now_ms,
            settled_ms: Some(now_ms),
        });
        Ok(())
    }

    /// # Errors
    /// `PixDevolucaoNaoEncontrada`.
    pub fn get_return(&self, end_to_end_id: &str, id: &str) -> Result<&Return, Problem> {
        let received = self.charges().flat_map(|charge| &charge.received);
        let of_payment = received.filter(|received| received.end_to_end_id == end_to_end_id);
        of_payment
            .flat_map(|received| &received.returns)
            .find(|given| given.id == id)
            .ok_or(Problem::new(404, "PixDevolucaoNaoEncontrada"))
    }

    /// What is in the making ends. `None` if there is no such return, or it has ended.
    pub fn end_return(&mut self, id: &str, status: ReturnStatus, now_ms: i64) -> Option<()> {
        let received = self.charges.values_mut().flat_map(|charge| charge.received.iter_mut());
        let mut returns = received.flat_map(|received| received.returns.iter_mut());
        let given = returns.find(|given| given.id == id && given.status == ReturnStatus::Processing)?;
        given.end(status, now_ms);
        Some(())
    }

    pub fn charges(&self) -> impl Iterator<Item = &Charge> {
        self.charges.values()
    }

    /// What was received from one moment to another, ends included, oldest first.
    #[must_use]
    pub fn list(&self, from_ms: i64, to_ms: i64, with_returns: Option<bool>) -> Vec<Value> {
        let all = self.charges().flat_map(|charge| charge.received.iter().map(move |received| (charge, received)));
        let mut listed: Vec<_> = all
            .filter(|(_, received)| (from_ms..=to_ms).contains(&received.at_ms))
            .filter(|(_, received)| with_returns.is_none_or(|with| with != received.returns.is_empty()))
            .collect();
        listed.sort_by_key(|(_, received)| (received.at_ms, received.end_to_end_id.clone()));
        listed.into_iter().map(|(charge, received)| received.view(charge)).collect()
    }
}

impl Return {
    pub const fn end(&mut self, status: ReturnStatus, now_ms: i64) {
        self.status = status;
        self.settled_ms = if matches!(status, ReturnStatus::Returned) { Some(now_ms) } else { None };
    }
}

/// `1250` as `12.50`.
#[must_use]
pub fn reais(centavos: i64) -> String {
    format!("{}.{:02}", centavos / 100, centavos % 100)
}

#[must_use]
pub fn rfc3339(at_ms: i64) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    moment(at_ms).format(&format).unwrap_or_default()
}

fn minute(at_ms: i64) -> String {
    moment(at_ms).format(&format_description!("[year][month][day][hour][minute]")).unwrap_or_default()
}

fn moment(at_ms: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
