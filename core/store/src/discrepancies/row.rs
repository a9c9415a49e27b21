//! A discrepancy as it lies in its table.

use diesel::prelude::*;
use saoma_domain::recon::{Class, Correction, Field, Finding, Fix, Key, Movement, Side, Standing};
use saoma_protocol::{ChannelAccountId, Currency, DiscrepancyId, Millis, Money, ReconciliationId, TenantId, UserId};
use serde::{Deserialize, Serialize};

use super::Discrepancy;
use crate::{
    StoreError, TenantScope,
    column::{Txt, corrupt, from_json, signed, to_json, unsigned},
    schema::discrepancies,
};

/// A side as it lies in its column. A field that is added later needs a default.
#[derive(Serialize, Deserialize)]
struct StoredSide {
    currency: Currency,
    minor: i64,
    fee_minor: i64,
    at: i64,
}

fn side_json(side: Option<Side>) -> Result<Option<String>, StoreError> {
    let stored = |side: Side| StoredSide {
        currency: side.currency(),
        minor: side.money.minor(),
        fee_minor: side.fee.minor(),
        at: side.at.0,
    };
    side.map(|side| to_json(&stored(side))).transpose()
}

fn side(json: Option<String>) -> Result<Option<Side>, StoreError> {
    let Some(json) = json else { return Ok(None) };
    let StoredSide { currency, minor, fee_minor, at } = from_json(&json, "a side of a discrepancy")?;
    Ok(Some(Side { money: Money::new(minor, currency), fee: Money::new(fee_minor, currency), at: Millis(at) }))
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = discrepancies, treat_none_as_null = true)]
pub(super) struct Row {
    tenant_id: Txt<TenantId>,
    id: Txt<DiscrepancyId>,
    channel_account_id: Txt<ChannelAccountId>,
    day: String,
    /// Only a run says that it found it: a person who acts at the same moment must not undo that.
    #[diesel(skip_update)]
    reconciliation_id: Txt<ReconciliationId>,
    class: String,
    movement: String,
    number: String,
    nth: i64,
    line: i64,
    ours_json: Option<String>,
    theirs_json: Option<String>,
    words: Option<String>,
    fields: String,
    fix: String,
    currency: Option<Txt<Currency>>,
    amount_minor: i64,
    fee_minor: i64,
    lost_amount_minor: i64,
    lost_fee_minor: i64,
    state: String,
    assigned_to: Option<Txt<UserId>>,
    reason: Option<String>,
    proposed_by: Option<String>,
    decided_by: Option<String>,
    found_at: i64,
    updated_at: i64,
    version: i64,
}

impl Row {
    pub(super) fn new(scope: &TenantScope, discrepancy: &Discrepancy) -> Result<Self, StoreError> {
        let finding = &discrepancy.finding;
        let minor = |correction: Option<Correction>| {
            correction.map_or((0, 0), |correction| (correction.amount.minor(), correction.fee.minor()))
        };
        let (amount_minor, fee_minor) = minor(discrepancy.correction);
        let (lost_amount_minor, lost_fee_minor) = minor(discrepancy.lost);
        Ok(Self {
            tenant_id: Txt(scope.tenant()),
            id: Txt(discrepancy.id),
            channel_account_id: Txt(discrepancy.account),
            day: discrepancy.day.clone(),
            reconciliation_id: Txt(discrepancy.reconciliation),
            class: finding.class.text().to_owned(),
            movement: finding.key.as_ref().map(|key| key.movement.text()).unwrap_or_default().to_owned(),
            number: finding.key.as_ref().map(|key| key.number.clone()).unwrap_or_default(),
            nth: signed(finding.nth),
            line: signed(finding.line.unwrap_or(0)),
            ours_json: side_json(finding.ours)?,
            theirs_json: side_json(finding.theirs)?,
            words: finding.words.clone(),
            fields: finding.fields.iter().map(|field| field.text()).collect::<Vec<_>>().join(" "),
            fix: finding.fix.text().to_owned(),
            currency: discrepancy.correction.map(|correction| Txt(correction.amount.currency())),
            amount_minor,
            fee_minor,
            lost_amount_minor,
            lost_fee_minor,
            state: discrepancy.standing.text().to_owned(),
            assigned_to: discrepancy.assigned_to.map(Txt),
            reason: discrepancy.reason.clone(),
            proposed_by: discrepancy.proposed_by.clone(),
            decided_by: discrepancy.decided_by.clone(),
            found_at: discrepancy.found_at.0,
            updated_at: discrepancy.updated_at.0,
            version: signed(discrepancy.version),
        })
    }
}

impl TryFrom<Row> for Discrepancy {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let unknown = |what: &str, text: &str| corrupt(format!("a discrepancy of the {what} {text:?}"));
        let key = match row.movement.as_str() {
            "" => None,
            text => {
                let movement = Movement::from_text(text).ok_or_else(|| unknown("kind", text))?;
                Some(Key { number: row.number, movement })
            }
        };
        let fields = row.fields.split_whitespace();
        let finding = Finding {
            class: Class::from_text(&row.class).ok_or_else(|| unknown("class", &row.class))?,
            key,
            nth: unsigned(row.nth)?,
            line: Some(unsigned(row.line)?).filter(|line| *line > 0),
            ours: side(row.ours_json)?,
            theirs: side(row.theirs_json)?,
            words: row.words,
            fields: fields
                .map(|field| Field::from_text(field).ok_or_else(|| unknown("field", field)))
                .collect::<Result<_, _>>()?,
            fix: Fix::from_text(&row.fix).ok_or_else(|| unknown("fix", &row.fix))?,
        };
        let correction = |currency: Currency, amount_minor, fee_minor| Correction {
            amount: Money::new(amount_minor, currency),
            fee: Money::new(fee_minor, currency),
        };
        let lost = row.currency.map(|currency| correction(currency.0, row.lost_amount_minor, row.lost_fee_minor));
        Ok(Self {
            id: row.id.0,
            account: row.channel_account_id.0,
            day: row.day,
            reconciliation: row.reconciliation_id.0,
            finding,
            correction: row.currency.map(|currency| correction(currency.0, row.amount_minor, row.fee_minor)),
            lost: lost.filter(|lost| !lost.is_nothing()),
            standing: Standing::from_text(&row.state).ok_or_else(|| unknown("state", &row.state))?,
            assigned_to: row.assigned_to.map(|user| user.0),
            reason: row.reason,
            proposed_by: row.proposed_by,
            decided_by: row.decided_by,
            found_at: Millis(row.found_at),
            updated_at: Millis(row.updated_at),
            version: unsigned(row.version)?,
        })
    }
}
