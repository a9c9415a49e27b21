//! What core and the terminals say when everything is over, in plain words and numbers, for the auditor to compare.

use std::collections::BTreeMap;

use anyhow::Result;
use saoma_domain::payment::{Close, State};
use saoma_protocol::api::{PaymentState, RefundKind, RefundState};
use saoma_protocol::{HandSettlementId, Sequence, code::offline::Code, journal::Record};
use saoma_store::{
    Store, StoreError, TenantScope, Tx, events, hand_settlements, journal, ledger, outbox,
    payments::{self, Filter},
    refunds, stored_cards, stored_value,
};

use super::{issuer::HOLDER, terminal::Terminal};

/// Most rows of a kind in one run; far above what a plan makes.
const ROWS_MAX: u32 = 200;
/// Most sales that a plan has.
const SALES_MAX: usize = 64;
/// From here on numbers of pushes are a canary's own: no run's outbox gets so far.
pub const OWN_PUSHES: u64 = 10_000;

pub struct Facts {
    /// The merchant's own wish for what is paid late.
    pub keeps_late: bool,
    pub payments: BTreeMap<String, Payment>,
    pub tills: Vec<Till>,
    /// Pushes that no terminal has acknowledged.
    pub undelivered: usize,
    pub ledger_says: Vec<String>,
    /// Where terminals sell without core.
    pub alone: Option<Alone>,
}

/// What core says of what was sold without it.
#[derive(Clone, Debug, Default)]
pub struct Alone {
    /// What the holder of the phone has left.
    pub balance_minor: i64,
    /// What the holder paid of each code that was too much; all others they paid whole.
    pub covered: BTreeMap<String, i64>,
    /// How each card sale ended.
    pub cards: BTreeMap<String, Option<&'static str>>,
}

#[derive(Clone, Debug)]
pub struct Payment {
    pub state: &'static str,
    pub method: &'static str,
    pub minor: i64,
    pub refunded_minor: i64,
    pub reserved_minor: i64,
    pub late: bool,
    /// The number of its order.
    pub order: String,
    /// An offline code paid it: the scheme knows nothing of it.
    pub by_code: bool,
    /// It was keyed at a till.
    pub at_till: bool,
    /// A person is called for it or for a refund of it.
    pub attention: bool,
    /// Settlements by hand that were carried out.
    pub by_hand: Vec<HandSettlementId>,
    pub refunds: Vec<Refund>,
    /// What its timeline says happened, in order.
    pub story: Vec<String>,
    /// Sets of (account, amount in minor units).
    pub postings: Vec<Vec<(&'static str, i64)>>,
}

#[derive(Clone, Debug)]
pub struct Refund {
    pub number: String,
    pub kind: &'static str,
    pub state: &'static str,
    pub minor: i64,
}

/// One terminal's journal.
#[derive(Clone, Debug)]
pub struct Till {
    pub head: u64,
    /// How far core has it.
    pub at_core: u64,
    pub sales: BTreeMap<String, TillSale>,
    /// The payment of each sale number, as the page's keys have it.
    pub numbers: BTreeMap<usize, String>,
    /// Pushes that were acknowledged and are not on the disk.
    pub forgotten: Vec<u64>,
    pub alarms: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct TillSale {
    pub cash: bool,
    pub state: &'static str,
    pub minor: i64,
    pub refunded_minor: i64,
    pub refunds: BTreeMap<String, TillRefund>,
    /// Core was never told of it, as far as the till knows.
    pub unsent: bool,
    /// Sold to a card without core; and whether a person is still to see that it was declined.
    pub stored: bool,
    pub loss_unseen: bool,
    /// Which code of the phone's paid it.
    pub code: Option<u32>,
}

#[derive(Clone, Debug)]
pub struct TillRefund {
    pub state: &'static str,
    pub minor: i64,
    /// By its own cashier; otherwise the till was told of it.
    pub keyed_here: bool,
}

/// A payment as it stands.
#[derive(Clone, Debug)]
pub struct Standing {
    pub number: String,
    pub state: &'static str,
    pub refunded_minor: i64,
    /// Core does not know how it ended, or waits for the scheme to close it.
    pub stuck: bool,
    /// A person is called for it.
    pub attention: bool,
}

/// # Errors
/// Of the store.
pub fn standings(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<Standing>, StoreError> {
    let listed = payments::list(tx, scope, &Filter::default(), None, ROWS_MAX)?;
    let standing = |sale: payments::Sale| {
        let attention = sale.payment.watch.attention_at.is_some();
        let payment = sale.payment.payment;
        let refunded_minor = match &payment.state {
            State::Captured(capture) => capture.refunded_minor,
            _ => 0,
        };
        let stuck = match payment.state {
            State::Created | State::Submitting { .. } | State::Unknown { .. } => true,
            State::Expired { close } | State::Cancelled { close } => close == Close::Asked,
            _ => false,
        };
        Standing {
            number: payment.id.to_string(),
            state: state(payment.public_state()),
            refunded_minor,
            stuck,
            attention,
        }
    };
    Ok(listed.sales.into_iter().map(standing).collect())
}

/// # Errors
/// If the store or a journal cannot be read.
pub fn gather(store: &Store, scope: TenantScope, keeps_late: bool, terminals: &mut [Terminal]) -> Result<Facts> {
    let (payments, ledger_says) = store.read_blocking(|tx| {
        let mut facts = BTreeMap::new();
        for sale in payments::list(tx, &scope, &Filter::default(), None, ROWS_MAX)?.sales {
            let id = sale.payment.payment.id;
            facts.insert(id.to_string(), payment(tx, &scope, &sale.payment)?);
        }
        let broken = ledger::check(tx, &scope)?;
        let says: Vec<String> = broken.iter().map(|broken| format!("{broken:?}")).collect();
        Ok::<_, StoreError>((facts, says))
    })?;
    let is_alone = terminals.iter().any(|terminal| terminal.grant.is_some());
    let mut undelivered = 0;
    let mut tills = Vec::new();
    for terminal in terminals {
        let id = terminal.id;
        let (pending, through) = store.read_blocking(|tx| {
            let pending = outbox::pending(tx, &scope, id, Sequence(0), ROWS_MAX)?.len();
            Ok::<_, StoreError>((pending, journal::through(tx, &scope, id)?.sequence))
        })?;
        undelivered += pending;
        tills.push(till(terminal, through)?);
    }
    let alone = is_alone.then(|| store.read_blocking(|tx| alone(tx, &scope, payments.keys()))).transpose()?;
    Ok(Facts { keeps_late, payments, tills, undelivered, ledger_says, alone })
}

fn alone<'a>(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payments: impl Iterator<Item = &'a String>,
) -> Result<Alone, StoreError> {
    let mut facts =
        Alone { balance_minor: stored_value::load(tx, scope, HOLDER)?.account.balance_minor, ..Alone::default() };
    for (spend, _) in stored_value::offline::spends::list_over(tx, scope, true, None, ROWS_MAX)? {
        facts.covered.insert(spend.payment.to_string(), spend.covered_minor);
    }
    for number in payments {
        let Ok(payment) = number.parse() else { continue };
        match stored_cards::load(tx, scope, payment) {
            Ok(sale) => drop(facts.cards.insert(number.clone(), sale.outcome.map(|(outcome, _)| outcome.text()))),
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(facts)
}

fn payment(tx: &mut Tx<'_>, scope: &TenantScope, stored: &payments::StoredPayment) -> Result<Payment, StoreError> {
    let id = stored.payment.id;
    let (refunded_minor, reserved_minor, late) = match &stored.payment.state {
        State::Captured(capture) => (capture.refunded_minor, capture.reserved_minor, capture.late),
        _ => (0, 0, false),
    };
    let given_back = refunds::of_payment(tx, scope, id)?;
    let attention =
        stored.watch.attention_at.is_some() || given_back.iter().any(|refund| refund.watch.attention_at.is_some());
    let by_hand = hand_settlements::of_payment(tx, scope, id)?
        .into_iter()
        .filter(|settlement| settlement.state == hand_settlements::State::CarriedOut)
        .map(|settlement| settlement.id)
        .collect();
    let refunds = given_back
        .into_iter()
        .map(|held| Refund {
            number: held.refund.id.to_string(),
            kind: match held.refund.kind {
                RefundKind::Refund => "refund",
                RefundKind::Void => "void",
                RefundKind::Late => "late",
            },
            state: refund_state(held.refund.public_state()),
            minor: held.refund.amount.minor(),
        })
        .collect();
    let story = events::timeline(tx, scope, id)?.into_iter().map(|event| event.event.kind).collect();
    let postings = ledger::of_payment(tx, scope, id)?
        .into_iter()
        .map(|set| set.postings.iter().map(|line| (line.account.text(), line.money.minor())).collect())
        .collect();
    Ok(Payment {
        state: state(stored.payment.public_state()),
        method: stored.payment.method.text(),
        minor: stored.payment.amount.minor(),
        refunded_minor,
        reserved_minor,
        late,
        order: stored.order.to_string(),
        by_code: stored.channel == "value",
        at_till: stored.terminal.is_some(),
        attention,
        by_hand,
        refunds,
        story,
        postings,
    })
}

fn till(terminal: &mut Terminal, at_core: Sequence) -> Result<Till> {
    let acknowledged = terminal.acknowledged.clone();
    let run = terminal.run.as_mut().ok_or_else(|| anyhow::anyhow!("a terminal is off at the end"))?;
    let mut forgotten = Vec::new();
    for id in acknowledged {
        if id.0 < OWN_PUSHES && !run.journal.is_push_seen(id)? {
            forgotten.push(id.0);
        }
    }
    let mut numbers = BTreeMap::new();
    for sale in 0..SALES_MAX {
        if let Some(intent) = run.journal.intent(&format!("sale-{sale}"))? {
            numbers.insert(sale, intent.payment.to_string());
        }
    }
    let mut sales = BTreeMap::new();
    for (kept, entry) in run.journal.latest_sales(ROWS_MAX)? {
        let code = if kept.offline { code_of(&mut run.journal, entry)? } else { None };
        let sale = saoma_edge::sale::Sale::reopened(kept);
        let refunds = sale.kept.refunds.iter().map(|refund| {
            let (state, minor) = (refund_state(refund.state), refund.amount.minor());
            (refund.refund.to_string(), TillRefund { state, minor, keyed_here: refund.keyed_here })
        });
        let fact = TillSale {
            cash: sale.method().is_none(),
            state: sale.state_text(),
            minor: sale.kept.amount.minor(),
            refunded_minor: sale.refunded_minor(),
            refunds: refunds.collect(),
            unsent: matches!(sale.kept.stage, saoma_edge::sale::Stage::NotSent { .. }),
            stored: sale.kept.stored,
            loss_unseen: sale.kept.loss_unseen,
            code,
        };
        sales.insert(sale.kept.payment.to_string(), fact);
    }
    let (head, alarms) = (run.sync.head().0, terminal.alarms.clone());
    Ok(Till { head, at_core: at_core.0, sales, numbers, forgotten, alarms })
}

/// The number of the code that the entry was paid by.
fn code_of(journal: &mut saoma_edge::journal::Store, entry: Sequence) -> Result<Option<u32>> {
    let page = journal.entries_after(Sequence(entry.0.saturating_sub(1)))?;
    let Some(Record::OfflineSale { code, .. }) =
        page.first().map(saoma_protocol::journal::Entry::record).transpose()?
    else {
        return Ok(None);
    };
    Ok(Some(Code::parse(&code)?.counter))
}

/// The state in the words of the API.
#[must_use]
pub const fn state(state: PaymentState) -> &'static str {
    saoma_edge::sale::state_text(state)
}

const fn refund_state(state: RefundState) -> &'static str {
    match state {
        RefundState::Submitting => "submitting",
        RefundState::Pending => "pending",
        RefundState::Unknown => "unknown",
        RefundState::Succeeded => "succeeded",
        RefundState::Failed => "failed",
    }
}
