//! Settlement of the acquirer's batch: totals, rows where they differ, the end of those.
//!
//! What is on its way is kept, one for the account, written before each message: a repeat goes out under the trace number of the
//! first, so that the acquirer knows it as one. The batch is the acquirer's, as the last sign-on named it; once it is over there, the next
//! message signs on and hears of the next one.

use saoma_channel_sdk::{
    Error, no_answer, not_sent,
    settlement::{Batch, Row, RowKind, Settled},
};
use serde::{Deserialize, Serialize};

use crate::{
    desk::{ATTEMPTS, Desk, Outcome, Session},
    messages::{
        batch::{Compared, Listed, Tally, Totals, compared},
        build::Approved,
        codec::Draft,
        read::{Heard, Said},
    },
};

/// By which an acquirer may say instead of a flag that the totals differ (ISO 8583:1987, reconcile error).
const RECONCILE_ERROR: &str = "95";
/// The acquirer has another message under this trace number (ISO 8583:1987, duplicate transmission).
const DUPLICATE: &str = "94";

/// How long after its close a batch of which nothing is kept is taken for new. Later, what was kept may be lost, and the acquirer may have
/// settled it.
const FRESH_MS: u64 = 600_000;

/// A settlement on its way, or the last one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnItsWay {
    /// Core's number.
    pub number: String,
    /// The acquirer's batch, and the terminal and merchant that it is of.
    pub batch: u32,
    pub terminal: String,
    pub merchant: String,
    /// Of the message about it that was sent last: the totals, a row, the end.
    pub trace: u32,
    /// Of the row that was sent last, its place; 0 before the first.
    pub place: u32,
    /// Through which place rows were taken.
    pub taken: u32,
    /// How many of those the acquirer has; the others it cannot be told of.
    pub rows: u32,
    pub step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Nothing was sent yet: there is no batch and no trace number.
    Noted,
    /// The totals were sent.
    Totals,
    /// They differ: rows are sent.
    Rows,
    /// The end of the rows was sent.
    End,
    /// The acquirer counted the same.
    Balanced,
    /// It has all the rows.
    Uploaded,
    /// It has closed the batch by itself.
    Over,
}

/// # Errors
/// The contract's.
pub fn settle(desk: &Desk, batch: &Batch) -> Result<Settled, Error> {
    let totals = totals(batch)?;
    let mut kept = match desk.settlement()?.filter(|kept| kept.number == batch.number) {
        Some(kept) if kept.step == Step::Noted => begun(desk, kept)?,
        Some(kept) => kept,
        None if desk.host.now().abs_diff(batch.closed_at) > FRESH_MS => {
            return Err(no_answer("nothing is kept of this batch, and it is not new: ask the acquirer by hand"));
        }
        None => {
            let noted = OnItsWay {
                number: batch.number.clone(),
                batch: 0,
                terminal: desk.settings.terminal_number.clone(),
                merchant: desk.settings.merchant_number.clone(),
                trace: 0,
                place: 0,
                taken: 0,
                rows: 0,
                step: Step::Noted,
            };
            // Before the sign-on, so that an acquirer that cannot be reached for long is no lost record.
            desk.keep_settlement(&noted)?;
            begun(desk, noted)?
        }
    };
    match kept.step {
        Step::Totals | Step::Noted => {}
        // The process may have ended between the two writes of `end`.
        Step::Balanced => {
            desk.forget_session_of(kept.batch);
            return Ok(Settled::Balanced);
        }
        Step::Rows | Step::End | Step::Uploaded => return Ok(Settled::Differs(None)),
        Step::Over => return Ok(over(&kept)),
    }
    let draft = desk.settings.settle(kept.trace, kept.batch, &totals).map_err(not_sent)?;
    let Some(said) = asked(desk, &mut kept, &draft)? else { return Ok(over(&kept)) };
    let found = match said.code.as_str() {
        "00" => compared(&said.totals, &totals)
            .ok_or_else(|| no_answer("the answer does not say how the totals compare"))?,
        RECONCILE_ERROR => Compared::Unequal(None),
        code => return Err(refused(code)),
    };
    match found {
        Compared::Equal => {
            kept.step = Step::Balanced;
            end(desk, &kept)?;
            Ok(Settled::Balanced)
        }
        Compared::Unequal(theirs) => {
            kept.step = Step::Rows;
            desk.keep_settlement(&kept).map_err(open)?;
            Ok(Settled::Differs(theirs.map(|theirs| vec![stated(&theirs)])))
        }
    }
}

/// The acquirer's open batch is this one from here on.
///
/// # Errors
/// The contract's.
fn begun(desk: &Desk, mut kept: OnItsWay) -> Result<OnItsWay, Error> {
    check_ours(desk, &kept)?;
    (kept.batch, kept.trace, kept.step) = (desk.session()?.batch, desk.trace()?, Step::Totals);
    desk.keep_settlement(&kept)?;
    Ok(kept)
}

/// # Errors
/// `not-sent`: the account is another terminal or merchant now.
fn check_ours(desk: &Desk, kept: &OnItsWay) -> Result<(), Error> {
    if (&kept.terminal, &kept.merchant) == (&desk.settings.terminal_number, &desk.settings.merchant_number) {
        return Ok(());
    }
    Err(not_sent("this batch is of another terminal or merchant number, and only that one can close it"))
}

/// # Errors
/// The contract's.
pub fn upload(desk: &Desk, batch: &Batch, rows: &[Row]) -> Result<(), Error> {
    let mut kept = known(desk, batch)?;
    for row in rows {
        if matches!(kept.step, Step::Over) || row.place <= kept.taken {
            continue;
        }
        if kept.step != Step::Rows {
            return Err(not_sent("the rows of this batch are uploaded"));
        }
        let Some(listed) = listed(&kept, row) else {
            kept.taken = row.place;
            desk.keep_settlement(&kept)?;
            continue;
        };
        if kept.place != row.place {
            (kept.place, kept.trace) = (row.place, desk.trace()?);
            desk.keep_settlement(&kept)?;
        }
        let draft = desk.settings.upload(kept.trace, kept.batch, &listed, desk.card.as_ref());
        let Some(said) = asked(desk, &mut kept, &draft)? else { continue };
        match said.code.as_str() {
            // The card is gone since the row was sent first, or sealed anew, and no repeat is the same any more: a person sees to it.
            DUPLICATE => kept.taken = row.place,
            "00" => (kept.taken, kept.rows) = (row.place, kept.rows + 1),
            code => return Err(refused(code)),
        }
        desk.keep_settlement(&kept).map_err(open)?;
    }
    Ok(())
}

/// # Errors
/// The contract's.
pub fn finish(desk: &Desk, batch: &Batch) -> Result<Settled, Error> {
    let mut kept = known(desk, batch)?;
    match kept.step {
        Step::Rows => {
            (kept.trace, kept.step) = (desk.trace()?, Step::End);
            desk.keep_settlement(&kept)?;
        }
        Step::End => {}
        Step::Noted | Step::Totals => return Err(not_sent("the totals of this batch have no answer yet")),
        Step::Balanced => return Ok(Settled::Balanced),
        Step::Uploaded => {
            desk.forget_session_of(kept.batch);
            return Ok(Settled::Differs(None));
        }
        Step::Over => return Ok(over(&kept)),
    }
    let draft = desk.settings.finish(kept.trace, kept.batch, kept.rows);
    let Some(said) = asked(desk, &mut kept, &draft)? else { return Ok(over(&kept)) };
    if said.code != "00" {
        return Err(refused(&said.code));
    }
    kept.step = Step::Uploaded;
    end(desk, &kept)?;
    // The acquirer takes the rows, and does not say whether they are what it has.
    Ok(Settled::Differs(None))
}

/// The acquirer's answer to a message of this batch; `None` once it is in another one, which is then written down. To send the message
/// again is safe: it is the same.
///
/// # Errors
/// The contract's.
fn asked(desk: &Desk, kept: &mut OnItsWay, draft: &Draft) -> Result<Option<Said>, Error> {
    check_ours(desk, kept)?;
    let mut session = desk.session()?;
    for _ in 0..ATTEMPTS {
        match desk.exchange(draft, session)? {
            Outcome::Heard(Heard::Answered(said)) => return Ok(Some(said)),
            Outcome::Heard(Heard::Unclear { why, .. }) => return Err(no_answer(why)),
            // Whether the batch is over is known once there was a sign-on, whose answer names the one that is open.
            Outcome::NoKeys => session = renewed(desk, session)?,
            Outcome::Heard(Heard::SignOn { .. }) => {
                session = renewed(desk, session)?;
                if session.batch != kept.batch {
                    kept.step = Step::Over;
                    desk.keep_settlement(kept).map_err(open)?;
                    return Ok(None);
                }
            }
        }
    }
    Err(no_answer("the acquirer asks for a sign-on although there just was one"))
}

fn renewed(desk: &Desk, session: Session) -> Result<Session, Error> {
    desk.renewed(session).map_err(open)
}

/// # Errors
/// `not-sent`: nothing is kept of it. A person ends it then.
fn known(desk: &Desk, batch: &Batch) -> Result<OnItsWay, Error> {
    let kept = desk.settlement()?.filter(|kept| kept.number == batch.number);
    kept.ok_or_else(|| not_sent("nothing is kept of this batch: ask the acquirer by hand"))
}

/// The batch is over at the acquirer, and what comes next is of another.
fn end(desk: &Desk, kept: &OnItsWay) -> Result<(), Error> {
    desk.keep_settlement(kept).map_err(open)?;
    desk.forget_session_of(kept.batch);
    Ok(())
}

fn over(kept: &OnItsWay) -> Settled {
    Settled::Over(format!(
        "The acquirer closed its batch {:06} of terminal {} without saying whether it counted the same.",
        kept.batch, kept.terminal
    ))
}

/// Under a right MAC: of these codes is known that nothing was done.
fn refused(code: &str) -> Error {
    match code {
        "03" | "05" | "12" | "13" | "30" | "40" | "58" | "97" => not_sent(format!("the acquirer refuses it by {code}")),
        code => no_answer(format!("the acquirer answers {code}, which leaves it open")),
    }
}

/// The acquirer's answer stands whether or not it can be kept; then it is asked again.
fn open(error: Error) -> Error {
    crate::payment::unknown(error)
}

/// # Errors
/// `not-sent`: the wire cannot say it.
fn totals(batch: &Batch) -> Result<Totals, Error> {
    let [total] = batch.totals.as_slice() else {
        return Err(not_sent("an acquirer's batch is of one currency"));
    };
    if total.currency != "CNY" {
        return Err(not_sent("an acquirer's batch is in CNY"));
    }
    let tally = |tally: saoma_channel_sdk::settlement::Tally| Tally { minor: tally.minor, count: tally.count };
    Ok(Totals { debits: tally(total.debits), credits: tally(total.credits) })
}

fn stated(totals: &Totals) -> saoma_channel_sdk::settlement::Total {
    let tally = |tally: Tally| saoma_channel_sdk::settlement::Tally { minor: tally.minor, count: tally.count };
    saoma_channel_sdk::settlement::Total {
        currency: "CNY".to_owned(),
        debits: tally(totals.debits),
        credits: tally(totals.credits),
    }
}

/// The row as the acquirer knows it: by the trace number, in this batch and of this terminal. A void has none of its own that is kept; the
/// sale that it takes back stands in the list.
fn listed(kept: &OnItsWay, row: &Row) -> Option<Listed> {
    let reference = match row.kind {
        RowKind::Sale => &row.reference,
        RowKind::Refund => &row.refund_reference,
        RowKind::Void => return None,
    };
    let known = Approved::from_text(reference)?;
    let is_of_batch = known.batch == kept.batch && known.terminal == kept.terminal;
    is_of_batch.then_some(Listed { trace: known.trace, minor: row.amount.minor })
}
