//! A terminal that sells without core: to offline codes and to cards, by what core said last. The rules and the journal are the agent's own.

use saoma_edge::{
    journal::Commit,
    offline::{
        Known, OfflineCodes,
        clock::{Anchor, Moment},
    },
    sale::{CardShown, CardTender, Sale, ScannedCode, Tender},
    stored::{Asked, StoredCards},
};
use saoma_protocol::{
    Amount, Millis, Sequence,
    api::{CardEntry, OfflineList, PresentedCard},
    code::offline::SignedGrant,
    journal::{CoreTime, Record},
};

use super::{
    canary::Canary,
    door::Answer,
    issuer::{FIRST_6, UNSENT_COUNT, UNSENT_MINOR, phone},
    plan::Tendered,
    terminal::{Done, End, Sent, Terminal, Unheard},
    wires::BEGIN,
};

/// How often core's list is asked for, and after how long again if there was no answer, in milliseconds.
const EVERY_MS: i64 = 30_000;
const AGAIN_MS: i64 = 3_000;

/// What a run of the process knows of it.
pub struct Alone {
    codes: OfflineCodes,
    cards: StoredCards,
    asked: Option<Moment>,
    due_ms: i64,
}

impl Alone {
    /// As the disk has it.
    pub fn opened(
        known: Option<Known>,
        spent: Vec<(Sequence, saoma_edge::offline::Spent)>,
        sold: Vec<(Sequence, saoma_edge::stored::SoldCard)>,
        canary: Option<Canary>,
    ) -> Self {
        let (spent, sold) = if canary == Some(Canary::SoldForgotten) { Default::default() } else { (spent, sold) };
        Self { codes: OfflineCodes::new(known, spent), cards: StoredCards::new(sold), asked: None, due_ms: 0 }
    }

    /// Core has said that something changed.
    pub const fn changed(&mut self) {
        self.due_ms = 0;
    }
}

/// The code that the holder's phone shows, `counter` of its grant, at that moment of the world.
fn code(grant: &SignedGrant, counter: u32, shown_ms: i64) -> Option<ScannedCode> {
    let seconds = u32::try_from((BEGIN + shown_ms) / 1_000).ok()?;
    Some(ScannedCode::new(grant.code(&phone()?, counter, seconds).text()))
}

/// The card of customer number `sale`, as a reader gives it on: its serial number is of one reading.
fn card(sale: usize) -> CardTender {
    let presented = PresentedCard {
        entry: CardEntry::Chip,
        ksn: format!("{sale:020X}"),
        number: "00".repeat(16),
        sequence_number: None,
        track_2: None,
        pin: None,
        emv: Some("9f270180".to_owned()),
    };
    let shown = CardShown {
        entry: CardEntry::Chip,
        masked: format!("{FIRST_6}******{:04}", sale % 10_000),
        label: String::new(),
        aid: String::new(),
        wants_signature: true,
    };
    CardTender { presented, shown }
}

impl Terminal {
    /// What it knows of core's time.
    pub(super) fn core_time(&mut self) -> Done<CoreTime> {
        let (moment, machine) = (self.moment(), self.now());
        let clock = self.run()?.alone.as_ref().and_then(|alone| alone.codes.clock());
        Ok(clock.and_then(|clock| clock.stamped(&moment, machine)).into())
    }

    /// How long the machine has been running: its process ends, and it does not.
    fn moment(&self) -> Moment {
        Moment { boot: "one".to_owned(), up_ms: self.wires.lock().now_ms }
    }

    /// What pays it without core, and what is remembered of that; none if nothing does, or core is there to be asked.
    pub(super) fn tender_alone(
        &mut self,
        sale: usize,
        tendered: Tendered,
        amount: Amount,
    ) -> Done<Option<(Tender, Commit)>> {
        let (moment, machine, grant) = (self.moment(), self.now(), self.grant);
        let run = self.run()?;
        let through = run.sync.through();
        let Some(alone) = run.alone.as_ref().filter(|_| run.sync.stopped().is_none()) else { return Ok(None) };
        match tendered {
            Tendered::Offline { counter, shown_ms } => {
                let Some(code) = grant.and_then(|grant| code(&grant, counter, shown_ms)) else { return Ok(None) };
                let checked = alone.codes.check(code.expose(), amount, (Some(&moment), machine), through);
                let spent = match checked {
                    Ok(spent) => spent,
                    Err(refusal) => return self.refused(refusal.code()),
                };
                let commit = Commit { spent: Some(spent.clone()), ..Commit::default() };
                Ok(Some((Tender::Offline { code, spent: Box::new(spent) }, commit)))
            }
            Tendered::Stored if !run.is_online() => {
                let card = card(sale);
                let asked = Asked { moment: Some(&moment), machine, through };
                let (sold, channel_account) = match alone.cards.check(alone.codes.known(), &card.shown, amount, asked) {
                    Ok(checked) => checked,
                    Err(refusal) => return self.refused(refusal.code()),
                };
                let commit = Commit { stored: Some(sold.clone()), ..Commit::default() };
                Ok(Some((Tender::Stored { card: Box::new(card), sold: Box::new(sold), channel_account }, commit)))
            }
            _ => Ok(None),
        }
    }

    fn refused<T>(&self, code: &'static str) -> Done<Option<T>> {
        self.wires.note(format_args!("t{} takes none: {code}", self.idx));
        Ok(None)
    }

    /// It is sold, and on the disk.
    pub(super) fn took_alone(&mut self, entry: Sequence, beside: &Commit) -> Done {
        let run = self.run()?;
        let through = run.sync.through();
        if let Some(alone) = &mut run.alone {
            if let Some(spent) = &beside.spent {
                alone.codes.took(entry, spent.clone(), through);
            }
            if let Some(sold) = &beside.stored {
                alone.cards.took(entry, sold.clone(), through);
            }
        }
        Ok(())
    }

    /// Asks core what may be sold, when it is time.
    pub(super) fn list_tick(&mut self) -> Done {
        let moment = self.moment();
        let run = self.run()?;
        let may_ask = run.is_online() && run.sync.is_compared();
        let is_due = |alone: &&mut Alone| may_ask && alone.asked.is_none() && alone.due_ms <= moment.up_ms;
        if let Some(alone) = run.alone.as_mut().filter(is_due) {
            alone.asked = Some(moment);
            self.sent.push(Sent::OfflineList);
        }
        Ok(())
    }

    pub(super) fn list_answered(&mut self, end: Result<Answer, Unheard>) -> Done {
        let (moment, machine) = (self.moment(), self.now());
        let Some(alone) = &mut self.run()?.alone else { return Ok(()) };
        let asked = alone.asked.take();
        alone.due_ms = moment.up_ms + AGAIN_MS;
        let Some(answer) = end.ok().filter(|answer| answer.status == 200) else { return self.not_heard() };
        let list: OfflineList =
            serde_json::from_slice(&answer.body).map_err(|error| End::Broken(format!("core's list: {error}")))?;
        let Some(asked) = asked.filter(|_| !alone.codes.is_stale(&list, machine)) else { return Ok(()) };
        alone.due_ms = moment.up_ms + EVERY_MS;
        let clock = Anchor::between(&asked, &moment, list.issued_at, machine).or_else(|| alone.codes.clock().cloned());
        let known = Known { list, clock, stopped: false };
        self.heard()?;
        self.commit(&Commit { offline: Some(known.clone()), ..Commit::default() })?;
        if let Some(alone) = &mut self.run()?.alone {
            alone.codes.learn(known);
        }
        Ok(())
    }

    /// Whether core is to forward something that it sold.
    #[must_use]
    pub(super) fn is_forwarding(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.sales.values().any(Sale::is_forwarded))
    }

    /// By the auditor's own count: what core does not know of, as far as this disk knows, is more than it may be.
    pub(super) fn over_unsent(&mut self) -> Done<Option<String>> {
        let run = self.run()?;
        let through = run.journal.synced_through()?;
        let (mut codes, mut cards) = ((0, 0), (0, 0));
        let mut after = through;
        loop {
            let page = run.journal.entries_after(after)?;
            let Some(last) = page.last() else { break };
            after = last.sequence;
            for entry in &page {
                let (sums, amount) = match entry.record() {
                    Ok(Record::OfflineSale { amount, .. }) => (&mut codes, amount),
                    Ok(Record::StoredCardSale { amount, .. }) => (&mut cards, amount),
                    _ => continue,
                };
                *sums = (sums.0 + amount.minor(), sums.1 + 1);
            }
        }
        let is_over = |(minor, count): (i64, u32)| minor > UNSENT_MINOR || count > UNSENT_COUNT;
        Ok((is_over(codes) || is_over(cards)).then(|| format!("t{}: codes {codes:?}, cards {cards:?}", self.idx)))
    }
}

/// By core's clock, where that judged it.
pub(super) fn keyed_at(beside: &Commit, machine: Millis) -> Millis {
    let of_code = beside.spent.as_ref().map(|spent| spent.at);
    of_code.or(beside.stored.as_ref().map(|sold| sold.at)).unwrap_or(machine)
}
