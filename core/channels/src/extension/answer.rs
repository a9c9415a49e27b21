//! Drafts in the contract's words, and answers held to its bounds (`sdk/wit`, interface `extension`).

use saoma_protocol::{
    Amount, ChannelAccountId,
    api::{Goods, stands_in_text},
    pricing,
};

use super::{
    ADJUSTMENT_NAME_CHARS_MAX, ADJUSTMENTS_MAX, Adjustment, Draft, DraftMethod, PRICE_TIMES_MAX, Priced,
    RECEIPT_LINE_CHARS_MAX, RECEIPT_LINES_MAX, RouteCandidate, RuleFailure, Verdict, wit,
};

const REFUSAL_CODE_MAX: usize = 64;
const REFUSAL_SENTENCE_CHARS_MAX: usize = 200;

pub(super) fn draft(draft: &Draft) -> wit::Draft {
    let currency = draft.amount.currency();
    wit::Draft {
        amount_minor: draft.amount.minor(),
        currency: currency.code().to_owned(),
        minor_digits: currency.minor_digits(),
        goods: draft.goods.iter().map(goods).collect(),
        store_id: draft.store.to_string(),
        terminal_id: draft.terminal.map(|terminal| terminal.to_string()).unwrap_or_default(),
        cashier: draft.cashier.clone().unwrap_or_default(),
        method: match draft.method {
            DraftMethod::MerchantPresented => wit::Method::MerchantPresented,
            DraftMethod::CustomerPresented => wit::Method::CustomerPresented,
            DraftMethod::Card => wit::Method::Card,
            DraftMethod::Undecided => wit::Method::Undecided,
        },
        at: draft.at.0,
        utc_offset_minutes: draft.utc_offset_minutes,
    }
}

/// The contract counts pieces: what was weighed is one, at what all of it costs.
fn goods(line: &Goods) -> wit::Goods {
    let Goods { name, quantity, price_minor, weight_grams, .. } = line;
    let price_minor = match weight_grams {
        // A line without a price was refused where it came in.
        Some(_) => pricing::gross_minor(line).unwrap_or(*price_minor),
        None => *price_minor,
    };
    wit::Goods { name: name.clone(), quantity: *quantity, price_minor }
}

pub(super) fn candidate(candidate: &RouteCandidate) -> wit::Candidate {
    wit::Candidate {
        id: candidate.id.to_string(),
        channel: candidate.channel.clone(),
        fee_minor: candidate.fee_minor,
        outcomes: candidate.outcomes,
        success_per_10000: candidate.success_per_10000,
    }
}

pub(super) fn to_wit(priced: &Priced) -> wit::Priced {
    let adjustment =
        |adjustment: &Adjustment| wit::Adjustment { name: adjustment.name.clone(), minor: adjustment.minor };
    wit::Priced {
        amount_minor: priced.amount.minor(),
        adjustments: priced.adjustments.iter().map(adjustment).collect(),
    }
}

fn bad<T>(why: String) -> Result<T, RuleFailure> {
    Err(RuleFailure::BadAnswer { why })
}

/// One line of 1 to `chars_max` characters, none of which steers a screen or a printer.
pub(super) fn is_line(text: &str, chars_max: usize) -> bool {
    (1..=chars_max).contains(&text.chars().count()) && text.chars().all(stands_in_text)
}

pub(super) fn priced(told: wit::Priced, asked: Amount) -> Result<Priced, RuleFailure> {
    if told.adjustments.len() > ADJUSTMENTS_MAX {
        return bad(format!("{} adjustments; at most {ADJUSTMENTS_MAX} are taken", told.adjustments.len()));
    }
    let mut sum = asked.minor();
    for adjustment in &told.adjustments {
        if !is_line(&adjustment.name, ADJUSTMENT_NAME_CHARS_MAX) || adjustment.minor == 0 {
            return bad("an adjustment of 0, or without a name that can be printed".to_owned());
        }
        let Some(next) = sum.checked_add(adjustment.minor) else {
            return bad("the adjustments are too large to be added".to_owned());
        };
        sum = next;
    }
    if sum != told.amount_minor {
        return bad(format!("{} and its adjustments are {sum}, not {}", asked.minor(), told.amount_minor));
    }
    let most = asked.minor().saturating_mul(PRICE_TIMES_MAX);
    let Some(amount) = Amount::new(sum, asked.currency()).ok().filter(|amount| amount.minor() <= most) else {
        return bad(format!("a price of {sum}; it may be from 1 to {most}"));
    };
    let adjustments = told.adjustments.into_iter().map(|told| Adjustment { name: told.name, minor: told.minor });
    Ok(Priced { amount, adjustments: adjustments.collect() })
}

pub(super) fn routed(told: &[String], candidates: &[RouteCandidate]) -> Result<Vec<ChannelAccountId>, RuleFailure> {
    let mut chosen = Vec::new();
    // No longer than the candidates: each of them can be found once.
    for id in told {
        let found = candidates.iter().map(|candidate| candidate.id).find(|candidate| candidate.to_string() == *id);
        match found.filter(|found| !chosen.contains(found)) {
            Some(found) => chosen.push(found),
            None => return bad("an account that is no candidate, or one of them twice".to_owned()),
        }
    }
    Ok(chosen)
}

pub(super) fn verdict(told: wit::Verdict) -> Result<Verdict, RuleFailure> {
    let wit::Verdict::Refuse(refusal) = told else { return Ok(Verdict::Allow) };
    let is_code = |text: &str| {
        (1..=REFUSAL_CODE_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    if !is_code(&refusal.code) || !is_line(&refusal.sentence, REFUSAL_SENTENCE_CHARS_MAX) {
        return bad("a refusal without a code and a sentence that can be shown".to_owned());
    }
    Ok(Verdict::Refuse { code: refusal.code, sentence: refusal.sentence })
}

pub(super) fn lines(told: Vec<String>) -> Result<Vec<String>, RuleFailure> {
    if told.len() > RECEIPT_LINES_MAX || !told.iter().all(|line| is_line(line, RECEIPT_LINE_CHARS_MAX)) {
        return bad(format!(
            "more than {RECEIPT_LINES_MAX} lines, or one that has not 1 to {RECEIPT_LINE_CHARS_MAX} printable characters"
        ));
    }
    Ok(told)
}
