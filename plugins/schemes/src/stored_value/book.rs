//! The issuer's book: what became of each number, and what moved for it.

use serde_json::{Value, json};

/// A refusal in the API's words: the status of the answer, and the problem's code.
pub type Refused = (u16, &'static str);

const DAY_MS: i64 = 86_400_000;

#[derive(Default)]
pub struct Book {
    codes: Vec<String>,
    charges: Vec<Charge>,
    moves: Vec<Move>,
    shown: u64,
}

#[derive(Clone, Debug)]
pub struct Charge {
    pub number: String,
    pub state: &'static str,
    /// None for what was cancelled before it came.
    pub amount: Option<(i64, String)>,
    pub returned_minor: i64,
    refusal: Option<&'static str>,
    movement: Option<String>,
    at: i64,
}

#[derive(Clone, Debug)]
struct Move {
    kind: &'static str,
    number: String,
    charge: String,
    minor: i64,
    currency: String,
    movement: String,
    at: i64,
}

impl Charge {
    #[must_use]
    pub fn view(&self) -> Value {
        let mut view = json!({
            "number": self.number, "state": self.state, "returned_minor": self.returned_minor, "at": self.at,
        });
        if let Some((minor, currency)) = &self.amount {
            view["amount"] = json!({ "minor": minor, "currency": currency });
        }
        if let Some(refusal) = self.refusal {
            view["refusal"] = json!(refusal);
        }
        if let Some(movement) = &self.movement {
            view["movement"] = json!(movement);
        }
        view
    }
}

impl Move {
    fn view(&self) -> Value {
        json!({
            "kind": self.kind, "number": self.number, "charge": self.charge, "movement": self.movement, "at": self.at,
            "amount": { "minor": self.minor, "currency": self.currency },
        })
    }
}

impl Book {
    /// A code that nobody has shown before.
    pub fn show_code(&mut self) -> String {
        self.shown += 1;
        let code = format!("SV1:{:0>26}", self.shown);
        self.codes.push(code.clone());
        code
    }

    #[must_use]
    pub fn charges(&self) -> &[Charge] {
        &self.charges
    }

    #[must_use]
    pub fn charge(&self, number: &str) -> Option<&Charge> {
        self.charges.iter().find(|charge| charge.number == number)
    }

    /// What becomes of a charge; `refusal`: it is refused for that, whatever the code.
    ///
    /// # Errors
    /// The number is another charge's.
    pub fn take(
        &mut self,
        number: &str,
        (minor, currency): (i64, &str),
        code: &str,
        refusal: Option<&'static str>,
        at: i64,
    ) -> Result<Value, Refused> {
        if let Some(known) = self.charge(number) {
            let is_same =
                known.amount.as_ref().is_none_or(|(of, in_currency)| (*of, in_currency.as_str()) == (minor, currency));
            return if is_same { Ok(known.view()) } else { Err((409, "charge_exists_differently")) };
        }
        let is_code = self.codes.iter().any(|shown| shown == code);
        self.codes.retain(|shown| shown != code);
        let refusal = refusal.or((!is_code).then_some("code"));
        let movement = refusal.is_none().then(|| self.moved("charged", number, number, (minor, currency), at));
        let charge = Charge {
            number: number.to_owned(),
            state: if refusal.is_some() { "refused" } else { "charged" },
            amount: Some((minor, currency.to_owned())),
            returned_minor: 0,
            refusal,
            movement,
            at,
        };
        let view = charge.view();
        self.charges.push(charge);
        Ok(view)
    }

    /// # Errors
    /// A part of it was refunded.
    pub fn cancel(&mut self, number: &str, at: i64) -> Result<Value, Refused> {
        let Some(known) = self.charge(number).cloned() else {
            let (amount, refusal, movement) = (None, None, None);
            let barred =
                Charge { number: number.to_owned(), state: "barred", amount, returned_minor: 0, refusal, movement, at };
            let view = barred.view();
            self.charges.push(barred);
            return Ok(view);
        };
        match (known.state, known.amount) {
            ("charged", Some(_)) if known.returned_minor > 0 => return Err((409, "not_reversible")),
            ("charged", Some((minor, currency))) => {
                self.moved("charge_cancelled", number, number, (minor, &currency), at);
                self.change(number, |charge| (charge.state, charge.returned_minor) = ("cancelled", minor));
            }
            _ => {}
        }
        self.charge(number).map(Charge::view).ok_or((404, "charge_unknown"))
    }

    /// # Errors
    /// In the order in which they are looked for: another refund's number, no such charge, nothing charged, another currency, too much.
    pub fn give_back(
        &mut self,
        number: &str,
        refund: &str,
        (minor, currency): (i64, &str),
        at: i64,
    ) -> Result<Value, Refused> {
        if let Some(known) = self.moves.iter().find(|of| of.kind == "refunded" && of.number == refund) {
            let is_same = (known.charge.as_str(), known.minor, known.currency.as_str()) == (number, minor, currency);
            return if is_same { Ok(known.view()) } else { Err((409, "refund_exists_differently")) };
        }
        let charge = self.charge(number).ok_or((404, "charge_unknown"))?;
        let Some((of, in_currency)) = charge.amount.clone().filter(|_| charge.state == "charged") else {
            return Err((409, "charge_not_charged"));
        };
        if in_currency != currency {
            return Err((422, "currency_mismatch"));
        }
        if minor > of - charge.returned_minor {
            return Err((409, "refund_exceeds"));
        }
        self.moved("refunded", refund, number, (minor, currency), at);
        self.change(number, |charge| charge.returned_minor += minor);
        self.refund(refund)
    }

    /// # Errors
    /// There is none of that number.
    pub fn refund(&self, refund: &str) -> Result<Value, Refused> {
        let found = self.moves.iter().find(|of| of.kind == "refunded" && of.number == refund);
        found.map(Move::view).ok_or((404, "charge_unknown"))
    }

    /// What moved from midnight (UTC) on, the first movement first.
    #[must_use]
    pub fn bill(&self, midnight_ms: i64) -> Vec<Value> {
        let of_day = |of: &&Move| (midnight_ms..midnight_ms + DAY_MS).contains(&of.at);
        self.moves.iter().filter(of_day).map(Move::view).collect()
    }

    fn moved(
        &mut self,
        kind: &'static str,
        number: &str,
        charge: &str,
        (minor, currency): (i64, &str),
        at: i64,
    ) -> String {
        let movement = format!("svm_{:0>26}", self.moves.len() + 1);
        self.moves.push(Move {
            kind,
            number: number.to_owned(),
            charge: charge.to_owned(),
            minor,
            currency: currency.to_owned(),
            movement: movement.clone(),
            at,
        });
        movement
    }

    fn change(&mut self, number: &str, change: impl FnOnce(&mut Charge)) {
        if let Some(charge) = self.charges.iter_mut().find(|charge| charge.number == number) {
            change(charge);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_charged_once_and_never_past_its_cancel() {
        let mut book = Book::default();
        let code = book.show_code();
        assert_eq!(book.cancel("early", 1).unwrap()["state"], "barred");
        assert_eq!(book.take("early", (5, "CNY"), &code, None, 2).unwrap()["state"], "barred");
        assert_eq!(book.take("n", (5, "CNY"), &code, None, 2).unwrap()["state"], "charged");
        assert_eq!(book.take("n", (5, "CNY"), "other", None, 3).unwrap()["state"], "charged");
        assert_eq!(book.take("n", (6, "CNY"), &code, None, 3), Err((409, "charge_exists_differently")));
        assert_eq!(book.take("m", (5, "CNY"), &code, None, 3).unwrap()["refusal"], "code");
        assert_eq!(book.give_back("n", "r", (6, "CNY"), 4), Err((409, "refund_exceeds")));
        assert_eq!(book.give_back("n", "r", (2, "CNY"), 4).unwrap()["amount"]["minor"], 2);
        assert_eq!(book.give_back("n", "r", (2, "CNY"), 5).unwrap()["at"], 4);
        assert_eq!(book.give_back("n", "r", (1, "CNY"), 5), Err((409, "refund_exists_differently")));
        assert_eq!(book.cancel("n", 5), Err((409, "not_reversible")));
        assert_eq!(book.bill(0).len(), 2);
        assert_eq!(book.bill(DAY_MS).len(), 0);
    }
}
