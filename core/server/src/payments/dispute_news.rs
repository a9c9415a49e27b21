//! What a channel itself says of disputes, whoever brings it: a notification, or a query's answer. Applied once, in whatever
//! order and however often it comes.

use saoma_domain::{
    dispute::{News, Outcome, Refusal, State, hear},
    recon::Movement,
};
use saoma_protocol::{Amount, ChannelAccountId, DisputeId, Millis, PaymentId};
use saoma_store::{
    StoreError, TenantScope, Tx,
    disputes::{self, StoredDispute},
    payments,
};

use super::{
    PaymentError,
    call::CLOCKS_APART_MS,
    dispute::{Case, Said, move_on, write_down, write_event},
    kind,
    settle::decided,
};
use crate::{
    app::App,
    reconcile::chargeback::{Part, give_way},
};

/// A channel's word on a case. Nothing is believed of it but what its signature covers.
#[derive(Clone, Debug)]
pub struct DisputeNews {
    /// Whose channel says so: the payment has to be this account's.
    pub account: ChannelAccountId,
    pub payment: PaymentId,
    /// The channel's own number of the case; our number of the payment where it has none.
    pub case_reference: String,
    /// What it took.
    pub amount: Amount,
    pub reason_code: Option<String>,
    pub news: News,
    /// When it happened, by the channel's clock: of two news of a case the later is the newer.
    pub at: Millis,
}

/// Applies the news and answers with the dispute as it then stands. The first news of a case writes it down, whichever they
/// are. What is said twice, late, or was overtaken changes nothing; what contradicts the case as it is known here (another
/// payment or amount, a decision after the decision) changes nothing either, and calls a person.
///
/// # Errors
/// `Store` (`NotFound` if the payment is not this account's); `Refused` (`NotInState`, `DisputeCurrency`) for a payment that
/// cannot be disputed; `DisputeRefused` (`FeeCurrency`). Then nothing is written.
pub async fn heard(app: &App, scope: TenantScope, news: DisputeNews) -> Result<StoredDispute, PaymentError> {
    let app_in = app.clone();
    let dispute = decided(app, move |tx| heard_in(&app_in, tx, &scope, &news)).await?;
    app.news_of(scope.tenant());
    Ok(dispute)
}

const ACTOR: &str = "channel";

fn heard_in(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    news: &DisputeNews,
) -> Result<StoredDispute, PaymentError> {
    let now = app.now();
    let known = disputes::of_case(tx, scope, news.account, &news.case_reference)?;
    // Of two news the later counts: one from far ahead would silence all that follow. It is the first, or is not newer than
    // what was heard.
    let heard_at = if news.at > now.plus(CLOCKS_APART_MS) {
        known.as_ref().and_then(|known| known.heard_at).unwrap_or(now)
    } else {
        news.at
    };
    let news = &DisputeNews { at: heard_at, ..news.clone() };
    let at = match payments::load(tx, scope, news.payment) {
        Ok(stored) => news.at.clamp(stored.created_at.min(now), now),
        Err(StoreError::NotFound { .. }) => news.at.min(now),
        Err(error) => return Err(error.into()),
    };
    let (known, is_named) = match known {
        Some(dispute) => (Some(dispute), false),
        None => (unheard(tx, scope, news)?, true),
    };
    let is_first = known.is_none();
    let mut dispute = match known {
        Some(dispute) => dispute,
        None => first_heard(app, tx, scope, news, at)?,
    };
    let heard_before = dispute.heard_at.filter(|_| !is_first);
    if dispute.payment != news.payment || dispute.dispute.amount != news.amount {
        return contradicted(app, tx, scope, dispute, news);
    }
    let next = match hear(&dispute.dispute, heard_before, &news.news, news.at) {
        Err(Refusal::Decided(_)) => return contradicted(app, tx, scope, dispute, news),
        next => next?,
    };
    let is_newer = heard_before.is_none_or(|before| before < news.at);
    if is_newer {
        dispute.heard_at = Some(news.at);
    }
    match next {
        Some(next) => {
            let words = next.fee().map(|fee| format!("fee {fee}")).unwrap_or_default();
            move_on(app, tx, scope, &mut dispute, next, &Said { words: &words, actor: ACTOR, at }, None)?;
        }
        None if is_newer && !is_first => disputes::save(tx, scope, &mut dispute)?,
        None => {}
    }
    if is_named && !is_first {
        give_way(app, tx, scope, &dispute, Part::Amount(Movement::Chargeback), None)?;
    }
    Ok(dispute)
}

/// The one open dispute of the payment and sum that a person has written down and the channel has said nothing of, if there is
/// just one: it is this case, whatever number that person knew it by, and takes the channel's.
fn unheard(tx: &mut Tx<'_>, scope: &TenantScope, news: &DisputeNews) -> Result<Option<StoredDispute>, StoreError> {
    let mut unheard = disputes::of_payment(tx, scope, news.payment)?;
    unheard.retain(|one| {
        one.channel_account == news.account
            && one.dispute.amount == news.amount
            && one.heard_at.is_none()
            && one.bill_number.is_none()
            && !one.dispute.state.is_final()
    });
    if unheard.len() != 1 {
        return Ok(None);
    }
    let named = |one: StoredDispute| StoredDispute { bill_number: Some(news.case_reference.clone()), ..one };
    Ok(unheard.pop().map(named))
}

/// The case is new here.
fn first_heard(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    news: &DisputeNews,
    at: Millis,
) -> Result<StoredDispute, PaymentError> {
    let of = payments::load(tx, scope, news.payment)?.channel_account;
    if of != Some(news.account) {
        return Err(StoreError::NotFound { what: "the payment" }.into());
    }
    let respond_by = match &news.news {
        News::Opened { respond_by } | News::Asked { respond_by } => *respond_by,
        News::Closed { .. } => None,
    };
    let case = Case {
        id: DisputeId::from_bytes(app.random_16()?),
        payment: news.payment,
        amount: news.amount,
        case_reference: news.case_reference.clone(),
        reason_code: news.reason_code.clone(),
        respond_by,
        actor: ACTOR.to_owned(),
        at,
        heard_at: Some(news.at),
    };
    match write_down(app, tx, scope, &case, None) {
        // The same case came twice at once, and the other was first.
        Err(PaymentError::Store(StoreError::Conflict { .. })) => Err(StoreError::Stale { what: "the dispute" }.into()),
        written => written,
    }
}

/// Calls a person, once for each newer word; the dispute stays what it was.
fn contradicted(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    mut dispute: StoredDispute,
    news: &DisputeNews,
) -> Result<StoredDispute, PaymentError> {
    if dispute.heard_at.is_some_and(|heard_at| heard_at >= news.at) {
        return Ok(dispute);
    }
    let now = app.now();
    dispute.heard_at = Some(news.at);
    dispute.attention_at = dispute.attention_at.or(Some(now));
    dispute.updated_at = now;
    disputes::save(tx, scope, &mut dispute)?;
    let stored = payments::load(tx, scope, dispute.payment)?;
    let said = match &news.news {
        News::Opened { .. } => "opened",
        News::Asked { .. } => "asks for evidence",
        News::Closed { outcome, .. } => match outcome {
            Outcome::Won => "won",
            Outcome::Lost => "lost",
        },
    };
    let words =
        format!("the channel says: {said}, {} of {}; it is {} here", news.amount, news.payment, state(&dispute));
    write_event(tx, scope, &stored, dispute.dispute.id, kind::DISPUTE_CONTRADICTED, &words, ACTOR, now)?;
    Ok(dispute)
}

const fn state(dispute: &StoredDispute) -> &'static str {
    State::text(&dispute.dispute.state)
}
