//! Where bad requests are handed in: what each was answered goes into a table, and the merchant's rows are compared.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{
    door::{Answer, Door},
    town::{Merchant, Till, Town, present, text},
};

/// A town with one merchant that has sold once, and the table that is being filled.
pub struct Desk {
    pub town: Town,
    pub jade: Merchant,
    pub till: Till,
    /// A payment of 10.00 that succeeded.
    pub paid: String,
    table: String,
    pub before: Vec<String>,
}

impl Desk {
    pub async fn open() -> Self {
        let town = Town::found().await;
        let jade = town.merchant("jade").await;
        let till = town.till(&jade).await;
        let sold = jade.sells(&town, &jade.owner, 1_000, "paid").await;
        // Its first sign of life is written down; the next within the minute is not.
        let _: Value = till.door.get("/v1/terminal/profile").await.json(200);
        let before = town.rows_at_rest(&jade.id).await;
        Self { paid: text(&sold, "/id").to_owned(), town, jade, till, table: String::new(), before }
    }

    pub fn owner(&self) -> &Door {
        &self.jade.owner
    }

    /// A line of the table: what was sent and what came of it.
    pub fn is_refused(&mut self, what: &str, answer: &Answer) {
        let problem = answer.problem();
        let code = text(&problem, "/code");
        assert_eq!(text(&problem, "/type"), format!("https://saoma.dev/problems/{code}"), "{what}");
        assert!(answer.status < 500, "{what}: {problem}");
        let (pointer, detail) = (problem["pointer"].as_str().unwrap_or_default(), text(&problem, "/detail"));
        let detail = [(&self.paid, "{payment}"), (&self.jade.id, "{tenant}"), (&self.jade.account, "{account}")]
            .into_iter()
            .fold(detail.to_owned(), |detail, (id, name)| detail.replace(id.as_str(), name));
        writeln!(self.table, "{what} → {} {code} {pointer}\n    {detail}", answer.status).unwrap();
    }

    pub async fn sale_is_refused(&mut self, what: &str, body: impl Into<Vec<u8>>) {
        let answer = self.owner().post("/v1/payments").key("bad").bytes(body).await;
        self.is_refused(what, &answer);
    }

    /// A sale with one field in place of the good one.
    pub async fn field_is_refused(&mut self, field: &str, value: &Value) {
        let mut sale = present(100);
        sale[field] = value.clone();
        let shown: String = value.to_string().chars().take(60).collect();
        self.sale_is_refused(&format!("{field}: {shown}"), sale.to_string()).await;
    }

    /// Nothing was done, and the books are as they were.
    pub async fn close(self) -> String {
        assert_eq!(self.town.rows_of(&self.jade.id), self.before, "something was half-done");
        self.jade.books_balance().await;
        without_payments(&self.table)
    }
}

/// The table with `{pay}` for each payment's number, which is another one each time.
fn without_payments(table: &str) -> String {
    const ID_LEN: usize = 26;
    let (mut told, mut rest) = (String::new(), table);
    while let Some(at) = rest.find("ay_").filter(|at| *at > 0) {
        let (before, after) = (&rest[..at - 1], &rest[at + 3..]);
        let is_id = after.len() >= ID_LEN && after.bytes().take(ID_LEN).all(|b| b.is_ascii_alphanumeric());
        if is_id {
            told.push_str(before);
            told.push_str("{pay}");
            rest = &after[ID_LEN..];
        } else {
            told.push_str(&rest[..at + 3]);
            rest = after;
        }
    }
    told + rest
}
