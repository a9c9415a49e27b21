//! How a sale begins.

use saoma_protocol::{
    api::PaymentState,
    journal::{Method, Record, Stamp},
};

use super::{Ask, Decision, Effect, Kept, Keyed, ReceiptState, Sale, Slip, Stage, Tender, Waits};

/// The beginning of a sale. It is sent only after this decision is on the disk.
#[must_use]
pub fn key(keyed: Keyed, now: impl Into<Stamp>) -> Decision {
    let Stamp { machine: keyed_at, core: keyed_core } = now.into();
    let Keyed { payment, counter, amount, tender, goods, reference, split, quote, cashier } = keyed;
    let named = reference.as_ref().map(ToString::to_string);
    let record = match &tender {
        Tender::Cash { tendered_minor } => Record::CashSale {
            payment,
            counter,
            amount,
            tendered_minor: *tendered_minor,
            goods: goods.clone(),
            cashier: cashier.clone(),
            split: split.clone(),
            quote: quote.clone(),
            reference: named.clone(),
        },
        Tender::Offline { code, .. } => Record::OfflineSale {
            payment,
            counter,
            amount,
            code: code.expose().trim().to_owned(),
            goods: goods.clone(),
            cashier: cashier.clone(),
            quote: quote.clone(),
            reference: named.clone(),
        },
        Tender::Stored { card, sold, channel_account } => Record::StoredCardSale {
            payment,
            counter,
            amount,
            channel_account: *channel_account,
            card: card.presented.clone(),
            digits: sold.digits.clone(),
            goods: goods.clone(),
            cashier: cashier.clone(),
            quote: quote.clone(),
            reference: named.clone(),
        },
        Tender::Code | Tender::Phone(_) | Tender::Scan { .. } | Tender::Card { .. } => Record::SaleKeyed {
            payment,
            counter,
            amount,
            method: method_of(&tender),
            goods: goods.clone(),
            cashier: cashier.clone(),
            split: split.clone(),
            quote: quote.clone(),
        },
    };
    let offline = matches!(tender, Tender::Offline { .. });
    let stored = matches!(tender, Tender::Stored { .. });
    let card = match &tender {
        Tender::Card { card } | Tender::Stored { card, .. } => Some(card.shown.clone()),
        _ => None,
    };
    let phone = if let Tender::Phone(shown) = &tender { Some((**shown).clone()) } else { None };
    let (stage, effects, waits, receipt) = match tender {
        Tender::Cash { tendered_minor } => {
            let (mut effects, mut receipt) = (vec![Effect::OpenDrawer], ReceiptState::None);
            // The parts of a split have one slip together.
            if split.is_none() {
                effects.push(Effect::Print(Slip::Sale));
                receipt = ReceiptState::Queued;
            }
            (Stage::Cash { tendered_minor }, effects, Waits::default(), receipt)
        }
        Tender::Offline { .. } => {
            (Stage::Offline, vec![Effect::Print(Slip::Sale)], Waits::default(), ReceiptState::Queued)
        }
        // It is on show, and none of our requests can tell core of it.
        Tender::Phone(_) => {
            let method = Method::MerchantPresented;
            let waits = Waits { unanswered: Some(0), ..Waits::default() };
            (Stage::Sending { method, cancelling: false }, Vec::new(), waits, ReceiptState::None)
        }
        // No request is in doubt: the entry alone tells core.
        Tender::Stored { .. } => {
            let waits = Waits { unanswered: Some(0), ..Waits::default() };
            (Stage::Stored { held: false, left: false }, vec![Effect::Print(Slip::Sale)], waits, ReceiptState::Queued)
        }
        tender @ (Tender::Code | Tender::Scan { .. } | Tender::Card { .. }) => {
            let method = method_of(&tender);
            let (code, card) = match tender {
                Tender::Scan { code } => (Some(code), None),
                Tender::Card { card } => (None, Some(Box::new(card.presented))),
                _ => (None, None),
            };
            let waits = Waits { code, card, creating: true, unanswered: Some(0), ..Waits::default() };
            (Stage::Sending { method, cancelling: false }, vec![Effect::Ask(Ask::Create)], waits, ReceiptState::None)
        }
    };
    let kept = Kept {
        payment,
        counter,
        amount,
        goods,
        reference,
        split,
        quote,
        cashier,
        card,
        phone,
        given_up: false,
        paid_after_all_unseen: false,
        keyed_at,
        keyed_core,
        stage,
        refunds: Vec::new(),
        receipt,
        // The entry of an offline sale says itself how it ended.
        journaled: offline.then_some((PaymentState::Succeeded, 0)),
        offline,
        stored,
        loss_unseen: false,
        elsewhere: false,
    };
    Decision { sale: Sale { kept, waits }, records: vec![record], effects }
}

const fn method_of(tender: &Tender) -> Method {
    match tender {
        Tender::Scan { .. } | Tender::Offline { .. } => Method::CustomerPresented,
        Tender::Card { .. } | Tender::Stored { .. } => Method::Card,
        Tender::Cash { .. } | Tender::Code | Tender::Phone(_) => Method::MerchantPresented,
    }
}

impl Kept {
    /// When it was keyed, by both clocks.
    #[must_use]
    pub const fn keyed(&self) -> Stamp {
        Stamp { machine: self.keyed_at, core: self.keyed_core }
    }
}
