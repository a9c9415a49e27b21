//! A terminal's journal comes in: over MQTT or HTTPS, the same way.
//!
//! One transaction takes a batch: what follows what core has is stored and booked, or none of it is. Whose word each entry is has been
//! looked at before ([`signed`]), outside of any transaction: it takes time, and there are few turns at the database. Which entries follow
//! is decided in [`chain`], what they mean for the books in [`book`]; all are pure. What is booked is booked once by the
//! payment's id, so a batch may come again at any time, in whole or in part. Whose shift it was is looked after in [`shift`].

pub mod book;
pub mod chain;
mod offline;
pub mod shift;
pub mod signed;
mod stored;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use ring::hmac;
use saoma_domain::{
    ledger::{Kind, PostingSet, rules},
    payment::{Method, Payment, State},
    refund::{self, Refund},
};
use saoma_protocol::{
    Amount, ChannelAccountId, Millis, OrderId, PaymentId, RefundId, Sequence, StoreId, TerminalId,
    api::{Goods, GoodsTax, Quoted, RefundKind, TEXT_LEN_MAX, stands_in_text},
    journal::{Record, SplitPart},
    message::{JournalAck, JournalBatch, JournalVerdict, Verdict, sync::BATCH_ENTRIES_MAX},
    pricing,
};
use saoma_store::{
    StoreError, TenantScope, Tx, audit,
    events::{self, NewEvent},
    journal,
    ledger::{self, Booking as Movement, Subject},
    orders::{self, Order},
    payments::{self, StoredPayment, Watch},
    refunds::{self, StoredRefund},
    tenants, terminals,
};
use tokio::task::spawn_blocking;

use self::{
    book::{Booking, CashRefund, CashSale, Source},
    chain::{Head, Taken},
    offline::OfflineSale,
    shift::Shifts,
    signed::ReadBatch,
};
use crate::{
    app::App,
    payments::{CLOCKS_APART_MS, NotQuoted, QuotedTo, check_quote, kind, quote_told, record},
    webhooks::{tell_payment, tell_refund},
};

/// The channel of a cash sale, as stored and shown.
const CASH: &str = "cash";
/// Most characters of a terminal's own words in a timeline: more than the longest quote of core's comes to.
const QUOTE_CHARS_MAX: usize = 1_024;
/// What metrics call the channel of a sale that an offline code paid.
const OFFLINE: &str = "offline_code";
/// The same of a card sale that is to be forwarded.
const STORED: &str = "stored_card";

/// Why a batch was not looked at. Nothing of it was stored.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    #[error("the batch has {0} entries; send at most {BATCH_ENTRIES_MAX} at once")]
    TooMany(usize),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes the next entries of a terminal's journal into core's database and books them.
///
/// The answer says how far core has the journal now: the terminal goes on from there. It is the same whether the batch is
/// new, was sent before, or has a hole.
///
/// # Errors
/// `TooMany`, or what the store says; the terminal sends the batch again.
pub async fn take_journal(
    app: &App,
    scope: TenantScope,
    terminal: TerminalId,
    batch: JournalBatch,
) -> Result<JournalAck, SyncError> {
    if batch.entries.len() > BATCH_ENTRIES_MAX {
        return Err(SyncError::TooMany(batch.entries.len()));
    }
    let source = Source { tenant: scope.tenant(), terminal, now: app.now(), quoted: true };
    let key = app.vault().own().fingerprint.clone();
    let known = move |tx: &mut Tx<'_>| {
        let through = journal::through(tx, &scope, terminal)?.sequence;
        let issued = terminals::certificates(tx, &scope, terminal)?;
        Ok::<_, StoreError>((through, issued, terminals::without_public_key(tx, &scope, terminal)?))
    };
    let (through, issued, keyless) = app.store().read(known).await?;
    let fleet = app.fleet().clone();
    let read = move || signed::read((scope.tenant(), terminal), through, batch, fleet.ca(), &issued);
    let batch = if app.store().is_inline() {
        read()
    } else {
        // Hundreds of signatures are not for a thread that serves others.
        spawn_blocking(read).await.map_err(|error| StoreError::Internal { why: error.to_string() })?
    };
    let batch =
        ReadBatch { keys: batch.keys.into_iter().filter(|(serial, _)| keyless.contains(serial)).collect(), ..batch };
    let outcome = app.store().write(move |tx| take(tx, &scope, source, &batch, &key)).await?;
    for payment in &outcome.sales {
        let channel = match payment.method {
            Method::Cash => CASH,
            Method::Card => STORED,
            Method::MerchantPresented | Method::CustomerPresented => OFFLINE,
        };
        app.metrics().payment_moved(payment, channel);
    }
    for refund in &outcome.refunds {
        app.metrics().refund_moved(refund);
    }
    app.metrics().journal_entries("accepted", outcome.accepted);
    app.metrics().journal_entries("held", outcome.held);
    if !(outcome.sales.is_empty() && outcome.refunds.is_empty()) {
        app.wake_outbox();
        app.news_of(scope.tenant());
    }
    for rejected in outcome.ack.verdicts.iter().filter(|verdict| verdict.verdict == Verdict::Rejected) {
        if !app.fleet().knows_rejection(terminal, rejected.sequence) {
            let told = rejected.clone();
            app.store().write(move |tx| audit_rejection(tx, &scope, source, &told)).await?;
            // Once it is in the log; until then each sending tries again.
            app.fleet().note_rejection(terminal, rejected.sequence);
            app.metrics().journal_entries("rejected", 1);
        }
    }
    for verdict in &outcome.ack.verdicts {
        tracing::warn!(terminal.id = %terminal, journal.sequence = verdict.sequence.0,
            verdict = ?verdict.verdict, why = verdict.why, "an entry of a journal needs a person");
    }
    Ok(outcome.ack)
}

struct Outcome {
    ack: JournalAck,
    /// New entries that need nobody, and those that wait for a person.
    accepted: u64,
    held: u64,
    /// What moved money.
    sales: Vec<Payment>,
    refunds: Vec<Refund>,
}

fn take(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    source: Source,
    batch: &ReadBatch,
    key: &hmac::Key,
) -> Result<Outcome, StoreError> {
    let terminal = source.terminal;
    let known = terminals::load(tx, scope, terminal)?;
    // It may still be connected, to a node that has not heard of it yet.
    if known.revoked_at.is_some() {
        return Err(StoreError::Revoked { what: "the terminal" });
    }
    let store = known.store;
    // Of certificates from before core kept them.
    for (serial, key) in &batch.keys {
        terminals::keep_public_key(tx, scope, terminal, serial, key)?;
    }
    let through = journal::through(tx, scope, terminal)?;
    let head = Head { through: through.sequence, hash: through.hash, is_signed: through.is_signed };

    let mut known = HashMap::new();
    let mut verdicts = Vec::new();
    for sequence in chain::known_sequences(head, batch) {
        let before = Sequence(sequence.0.saturating_sub(1));
        for stored in journal::entries(tx, scope, terminal, before, 1)? {
            known.insert(stored.entry.sequence, stored.hash);
            // The answer to the first sending may have been lost.
            verdicts.extend(stored.verdict);
        }
    }
    let quoted_to = QuotedTo { tenant: source.tenant, store, terminal: Some(terminal) };
    let plan = chain::plan(head, &known, batch);
    let mut shifts = Shifts::load(tx, scope, source, store)?;
    let (mut n_held, mut sales, mut paid_back) = (0, Vec::new(), Vec::new());
    for taken in &plan.taken {
        let (mut doubted, mut stored) = (None, None);
        let quote = not_quoted(&taken.record, book::believed(taken.stamp, source.now), (key, quoted_to));
        let source = Source { quoted: quote != Some(NotQuoted::Other), ..source };
        let held = match (book_entry(tx, scope, source, store, taken)?, &taken.record) {
            (Some(Booking::Hold(why)), _) => Some(why),
            (Some(Booking::Book { .. }), Record::CashRefund { refund, amount, .. }) => {
                paid_back.push(cash_refund(*refund, *amount));
                None
            }
            (Some(Booking::Book { after, .. }), _) => {
                sales.push(after);
                None
            }
            (Some(Booking::Stored { after, doubt }), _) => {
                stored = Some(after.id);
                sales.push(after);
                doubted = doubt;
                None
            }
            (Some(Booking::Already) | None, _) => None,
        };
        // What was sold and is doubted was sold in its shift all the same.
        let held = if held.is_none() { shifts.follow(tx, scope, taken, stored)? } else { held };
        let held = held.or(doubted).or_else(|| lines_differ(&taken.record, quote));
        n_held += u64::from(held.is_some());
        let verdict = held.as_deref().map(|why| (Verdict::Held, why));
        journal::append(tx, scope, terminal, taken.entry, verdict, source.now)?;
        if let Some(why) = held {
            verdicts.push(JournalVerdict { sequence: taken.entry.sequence, verdict: Verdict::Held, why, newer: false });
        }
    }
    verdicts.extend(plan.rejected);
    verdicts.sort_by_key(|verdict| verdict.sequence);
    verdicts.dedup();
    Ok(Outcome {
        ack: JournalAck { through: plan.head.through, verdicts },
        accepted: plan.taken.len() as u64 - n_held,
        held: n_held,
        sales,
        refunds: paid_back,
    })
}

/// Cash that was given back is given back.
const fn cash_refund(id: RefundId, amount: Amount) -> Refund {
    Refund { id, kind: RefundKind::Refund, amount, state: refund::State::Succeeded }
}

/// What was sold at the till itself: in a word, its amount, its lines, the whole that it is a part of, and the quote that it names.
type SoldThere<'a> = (&'static str, Amount, &'a [Goods], Option<&'a SplitPart>, Option<&'a Quoted>);

fn sold_there(record: &Record) -> Option<SoldThere<'_>> {
    Some(match record {
        Record::CashSale { amount, goods, split, quote, .. } => {
            ("cash", *amount, goods.as_slice(), split.as_ref(), quote.as_ref())
        }
        Record::OfflineSale { amount, goods, quote, .. } => {
            ("offline code", *amount, goods.as_slice(), None, quote.as_ref())
        }
        Record::StoredCardSale { amount, goods, quote, .. } => {
            ("stored card sale", *amount, goods.as_slice(), None, quote.as_ref())
        }
        _ => return None,
    })
}

/// Why the price that a sale names is none of core's. One that was over is doubted late: clocks are set wrong by an hour, and who sells at
/// an old price does it for days. `at`: when it was sold, by the terminal's clock as far as that is believed.
fn not_quoted(record: &Record, at: Millis, (key, to): (&hmac::Key, QuotedTo)) -> Option<NotQuoted> {
    let (_, amount, goods, _, quote) = sold_there(record)?;
    check_quote(key, to, quote?, amount, goods, at.plus(-CLOCKS_APART_MS)).err()
}

/// What is for a person to look at in what is booked all the same, since it lies in the drawer or the holder has paid it: its price is
/// none of core's (`doubt`), or its lines say something else.
fn lines_differ(record: &Record, doubt: Option<NotQuoted>) -> Option<String> {
    let (what, amount, goods, split, quote) = sold_there(record)?;
    let differs = |why: &dyn std::fmt::Display| {
        format!("the {what} is booked as {amount}, but what was sold does not fit it: {why}")
    };
    if let Some(why) = doubt {
        return Some(differs(&why));
    }
    let lines_minor = quote.map_or(amount.minor(), |quote| quote.asked_minor);
    // What is sold in parts comes to the total of all of them.
    let whole = split.and_then(|part| pricing::check_amount(&part.goods, part.total.minor()).err());
    let why = pricing::check_amount(goods, lines_minor).err().or(whole)?;
    Some(differs(&why))
}

/// Books what the entry says of what was sold at the till itself, and of cash that was given back. `None` for other entries:
/// [`Shifts`] follows them.
fn book_entry(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    source: Source,
    store: StoreId,
    taken: &Taken<'_>,
) -> Result<Option<Booking>, StoreError> {
    let at = book::believed(taken.stamp, source.now);
    match &taken.record {
        Record::CashSale { payment, counter, amount, tendered_minor, goods, cashier, split, quote, reference } => {
            let sale =
                CashSale { payment: *payment, counter: *counter, amount: *amount, tendered_minor: *tendered_minor, at };
            let existing = found(payments::load(tx, scope, *payment))?;
            let booking = book::cash_sale(source, sale, existing.as_ref().map(|stored| &stored.payment));
            if let Booking::Book { after, postings, .. } = &booking {
                let of = (sale.payment, sale.counter, sale.amount, sale.at);
                let order = order_of(source, store, of, (goods, cashier, (reference.as_deref(), split.as_ref())));
                let sold = Sold {
                    channel: CASH.to_owned(),
                    channel_account: None,
                    channel_reference: None,
                    fee_plan: None,
                    at: order.created_at,
                    quote: quote.clone(),
                };
                insert_sale(tx, scope, source, order, after, postings, sold)?;
            }
            Ok(Some(booking))
        }
        Record::CashRefund { refund, payment, amount, void, cashier: _, approved_by: _ } => {
            let asked = CashRefund { refund: *refund, payment: *payment, amount: *amount, void: *void, at };
            let existing = found(refunds::load(tx, scope, *refund))?;
            let sale = found(payments::load(tx, scope, *payment))?;
            let booking = book::cash_refund(
                source,
                asked,
                existing.map(|stored| (stored.payment, stored.refund.amount)),
                sale.as_ref().map(|stored| &stored.payment),
                &tenants::load(tx, scope)?.time_zone,
            );
            if let (Booking::Book { after, .. }, Some(sale)) = (&booking, sale) {
                insert_refund(tx, scope, source, asked, sale, after)?;
            }
            Ok(Some(booking))
        }
        Record::OfflineSale { payment, counter, amount, code, goods, cashier, quote, reference } => {
            // By core's clock in any case, as the code was judged by it.
            let at = taken.entry.at;
            let (payment, counter, amount, quote) = (*payment, *counter, *amount, quote.as_ref());
            let reference = reference.as_deref();
            let sale = OfflineSale { payment, counter, amount, code, goods, cashier, quote, reference, at };
            offline::take(tx, scope, source, store, &sale).map(Some)
        }
        Record::StoredCardSale {
            payment,
            counter,
            amount,
            channel_account,
            card,
            digits,
            goods,
            cashier,
            quote,
            reference,
        } => {
            let of = (*payment, *counter, *amount);
            let entry = taken.entry.hash();
            let (account, quote, reference) = (*channel_account, quote.as_ref(), reference.as_deref());
            let sale = stored::Sale { entry, of, account, card, digits, goods, cashier, quote, reference, at };
            stored::take(tx, scope, source, store, &sale).map(Some)
        }
        Record::SaleKeyed { .. }
        | Record::SaleSettled { .. }
        | Record::RefundKeyed { .. }
        | Record::RefundSettled { .. }
        | Record::ShiftOpened { .. }
        | Record::PaidIn { .. }
        | Record::PaidOut { .. }
        | Record::ShiftClosed { .. } => Ok(None),
    }
}

/// A text of a journal as core keeps texts: the cash is taken, so that a character that cannot stand here holds up nothing.
fn readable(text: &str) -> String {
    readable_to(TEXT_LEN_MAX, text)
}

fn readable_to(chars_max: usize, text: &str) -> String {
    text.chars()
        .take(chars_max)
        .map(|letter| if stands_in_text(letter) { letter } else { char::REPLACEMENT_CHARACTER })
        .collect()
}

fn readable_line(line: &Goods) -> Goods {
    let tax = line.tax.as_ref().map(|tax| GoodsTax { name: readable(&tax.name), ..tax.clone() });
    Goods { name: readable(&line.name), tax, ..line.clone() }
}

/// The order of a sale that was paid at the till has its payment's number: there is never a second attempt.
fn order_of(
    source: Source,
    store: StoreId,
    (payment, counter, amount, at): (PaymentId, Sequence, Amount, Millis),
    (goods, cashier, (reference, split)): (&[Goods], &str, (Option<&str>, Option<&SplitPart>)),
) -> Order {
    Order {
        id: OrderId::from_bytes(*payment.as_bytes()),
        amount,
        store,
        terminal: Some(source.terminal),
        counter: Some(counter),
        cashier: Some(readable(cashier)).filter(|cashier| !cashier.is_empty()),
        // As the payments of the other parts have it.
        reference: split
            .map(|part| part.reference(reference))
            .or_else(|| reference.map(str::to_owned))
            .map(|text| readable(&text))
            .filter(|text| !text.is_empty()),
        // Lines that cannot be added up would be added up by whoever reads the order: the entry alone has them.
        goods: if pricing::totals(goods).is_ok() { goods.iter().map(readable_line).collect() } else { Vec::new() },
        created_at: book::believed(at, source.now),
        paid_by: Some(payment),
    }
}

/// By whom a sale was collected, or is to be.
struct Sold {
    channel: String,
    channel_account: Option<ChannelAccountId>,
    channel_reference: Option<String>,
    /// The version of the account's fee plan.
    fee_plan: Option<u64>,
    /// When it was paid; of what is to be, when core took it.
    at: Millis,
    /// The quote that it is made of.
    quote: Option<Quoted>,
}

/// Writes a payment with its order; the caller says what happened, and books.
fn insert_payment(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    source: Source,
    order: &Order,
    after: &Payment,
    sold: &Sold,
) -> Result<StoredPayment, StoreError> {
    orders::insert_new(tx, scope, order)?;
    let stored = StoredPayment {
        payment: after.clone(),
        version: 1,
        order: order.id,
        store: order.store,
        terminal: Some(source.terminal),
        channel: sold.channel.clone(),
        channel_account: sold.channel_account,
        channel_reference: sold.channel_reference.clone(),
        payer_hint: None,
        fee_plan: sold.fee_plan,
        close_asked_at: None,
        // The resolver asks about none of these, and undoes none.
        next_attempt_at: None,
        attempts: 0,
        watch: Watch::default(),
        created_at: order.created_at,
        updated_at: source.now,
    };
    payments::insert_new(tx, scope, &stored)?;
    if let Some(quote) = &sold.quote {
        let told = readable_to(QUOTE_CHARS_MAX, &quote_told(quote, stored.payment.amount));
        let kind = if source.quoted { kind::QUOTED } else { kind::NOT_QUOTED };
        record(tx, scope, &stored, None, kind, &told, &source.terminal.to_string(), source.now)?;
    }
    Ok(stored)
}

fn insert_sale(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    source: Source,
    order: Order,
    after: &Payment,
    postings: &[PostingSet],
    sold: Sold,
) -> Result<(), StoreError> {
    let stored = insert_payment(tx, scope, source, &order, after, &sold)?;
    write_event(tx, scope, source, &stored, None, kind::SUCCEEDED)?;
    let id = stored.payment.id;
    let movement = Movement {
        subject: Subject::Payment(id),
        kind: Kind::Captured,
        channel_account: sold.channel_account,
        at: sold.at,
        booked_at: source.now,
    };
    ledger::post(tx, scope, &movement, postings)?;
    tell_payment(tx, scope, kind::SUCCEEDED, id, source.now)
}

fn insert_refund(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    source: Source,
    asked: CashRefund,
    mut sale: StoredPayment,
    after: &Payment,
) -> Result<(), StoreError> {
    let at = book::believed(asked.at, source.now);
    let (kind, event) = match &after.state {
        State::Voided { .. } => (RefundKind::Void, kind::VOIDED),
        _ => (RefundKind::Refund, kind::REFUND_SUCCEEDED),
    };
    let refund = StoredRefund {
        refund: Refund { kind, ..cash_refund(asked.refund, asked.amount) },
        payment: asked.payment,
        version: 1,
        reason: None,
        requested_by: source.terminal.to_string(),
        channel_reference: None,
        next_attempt_at: None,
        attempts: 0,
        watch: Watch::default(),
        created_at: at,
        updated_at: source.now,
    };
    sale.payment = after.clone();
    sale.updated_at = source.now;
    payments::save(tx, scope, &mut sale)?;
    refunds::insert_new(tx, scope, &refund)?;
    write_event(tx, scope, source, &sale, Some(asked.refund), event)?;
    let subject = Subject::Refund { payment: asked.payment, refund: asked.refund };
    let reserved = rules::refund_reserved(asked.amount);
    post(tx, scope, source, subject.clone(), Kind::RefundReserved, at, &reserved)?;
    let paid = rules::refund_succeeded(after.method, asked.amount, book::no_fee(asked.amount));
    post(tx, scope, source, subject, Kind::RefundSucceeded, at, &paid)?;
    tell_refund(tx, scope, &refund, source.now)
}

fn write_event(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    source: Source,
    payment: &StoredPayment,
    refund: Option<RefundId>,
    kind: &str,
) -> Result<(), StoreError> {
    let event = NewEvent {
        payment: payment.payment.id,
        refund,
        dispute: None,
        version: payment.version,
        kind: kind.to_owned(),
        data_json: r#"{"from":"journal"}"#.to_owned(),
        actor: source.terminal.to_string(),
        store: payment.store,
        terminal: payment.terminal,
        at: source.now,
    };
    events::append(tx, scope, &event).map(|_| ())
}

fn post(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    source: Source,
    subject: Subject,
    kind: Kind,
    at: Millis,
    sets: &[PostingSet],
) -> Result<(), StoreError> {
    let movement = Movement { subject, kind, channel_account: None, at, booked_at: source.now };
    ledger::post(tx, scope, &movement, sets)
}

/// What a terminal sent and core refuses is for a person to look at, with a chained log as witness.
fn audit_rejection(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    source: Source,
    rejected: &JournalVerdict,
) -> Result<(), StoreError> {
    let detail = serde_json::json!({ "sequence": rejected.sequence, "why": rejected.why });
    let entry = audit::NewEntry::new(
        &source.terminal.to_string(),
        "journal.entry_rejected",
        &source.terminal,
        &detail,
        source.now,
    );
    audit::append(tx, scope, &entry).map(|_| ())
}

/// `NotFound` is an answer here, not an error.
fn found<T>(loaded: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match loaded {
        Ok(row) => Ok(Some(row)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
