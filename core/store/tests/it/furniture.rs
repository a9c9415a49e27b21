//! The rows that a house has in each table: one of everything, its own.

use std::collections::BTreeMap;

use saoma_domain::{ledger::Kind, pay_code::PayCodeId};
use saoma_protocol::{
    HandSettlementId, Sequence,
    api::CardEntry,
    journal::{Entry, GENESIS, Record},
    message::{Health, Unsent},
};
use saoma_store::{
    Opaque, StoreError, Tx, api_keys, audit, cards, hand_settlements, ledger, pay_codes, payouts, terminals, webhooks,
};

use crate::{
    house::{House, NOW, PLATFORM, at, cny},
    webhooks::{endpoint, event},
};

pub const DAY: &str = "2026-01-31";

pub fn payout(house: &House) -> payouts::Payout {
    payouts::Payout {
        id: saoma_protocol::PayoutId::from_bytes(crate::house::bytes(house.letter, 1)),
        account: house.account,
        from_day: DAY.to_owned(),
        to_day: DAY.to_owned(),
        amount: cny(1),
        expected_minor: 1,
        reference: "B1".to_owned(),
        received_at: NOW,
        entered_by: "usr_mei".to_owned(),
        entered_at: NOW,
        reversed: None,
    }
}

pub fn discrepancy(house: &House) -> saoma_protocol::DiscrepancyId {
    saoma_protocol::DiscrepancyId::from_bytes(crate::house::bytes(house.letter, 1))
}

pub fn card(house: &House) -> cards::KeptCard {
    cards::KeptCard {
        entry: CardEntry::Chip,
        sequence_number: Some(1),
        ksn: [house.letter; cards::KSN_LEN],
        number: vec![house.letter; 24],
    }
}

pub fn api_key(house: &House) -> api_keys::ApiKey {
    api_keys::ApiKey {
        id: house.key_id(1),
        name: "shop system".to_owned(),
        scopes: Vec::new(),
        created_at: NOW,
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    }
}

pub fn certificate(house: &House) -> terminals::Certificate {
    terminals::Certificate {
        serial: format!("{:02x}", house.letter),
        not_after: at(100),
        issued_at: NOW,
        revoked_at: None,
    }
}

pub fn health() -> Health {
    let unsent = Unsent { count: 0, oldest_at: None, at_risk: Vec::new() };
    Health { version: "0.1.0".to_owned(), at: NOW, peripherals: Vec::new(), unsent, announces: false }
}

pub fn code(house: &House) -> pay_codes::PayCode {
    pay_codes::PayCode {
        id: PayCodeId(crate::house::bytes(house.letter, 1)),
        payment: house.payment_id(1),
        channel_code: "weixin://pay".to_owned(),
        scans: 0,
        scan_limit: 5,
        created_at: NOW,
        expires_at: at(100),
    }
}

pub fn booking(house: &House) -> ledger::Booking {
    ledger::Booking {
        subject: ledger::Subject::Payment(house.payment_id(1)),
        kind: Kind::Captured,
        channel_account: Some(house.account),
        at: NOW,
        booked_at: NOW,
    }
}

pub fn entry(house: &House) -> Entry {
    let keyed = Record::CashRefund {
        refund: house.refund_id(1),
        payment: house.payment_id(1),
        amount: cny(5),
        void: false,
        cashier: "Mei".to_owned(),
        approved_by: None,
    };
    Entry::new(Sequence(1), NOW, GENESIS, keyed).expect("an entry")
}

pub fn by_hand(house: &House) -> hand_settlements::HandSettlement {
    hand_settlements::HandSettlement {
        id: HandSettlementId::from_bytes([house.letter; 16]),
        payment: house.payment_id(1),
        refund: None,
        paid: true,
        reference: "wx-1".to_owned(),
        reason: "seen".to_owned(),
        state: hand_settlements::State::Proposed,
        proposed_by: "usr_owner".to_owned(),
        proposed_at: NOW,
        decided_by: None,
        decided_at: None,
        outcome: None,
    }
}

pub fn did() -> audit::NewEntry {
    audit::NewEntry {
        actor: "core".to_owned(),
        action: "tenant.created".to_owned(),
        subject: "us".to_owned(),
        detail_json: "{}".to_owned(),
        at: NOW,
    }
}

/// One webhook on its way, after one attempt.
pub fn tell(tx: &mut Tx<'_>, house: &House) -> Result<(), StoreError> {
    webhooks::create(tx, &house.scope, &endpoint(house, 1), &Opaque(vec![house.letter]), 1)?;
    webhooks::announce(tx, &house.scope, &event("payment.succeeded"), NOW)?;
    webhooks::fan_out(tx, &PLATFORM, NOW, 10)?;
    let wanted = webhooks::Wanted { in_hand: &BTreeMap::new(), per_endpoint_max: 1, limit: 10 };
    for job in webhooks::claim_due(tx, &PLATFORM, NOW, at(1), wanted)? {
        let number = job.delivery.attempts;
        let attempt = webhooks::Attempt { number, at: NOW, duration_ms: 1, status: Some(500), error: None, body: None };
        webhooks::finish(tx, &job.scope, &job.delivery, &attempt, webhooks::Next::Again(at(1)), NOW)?;
    }
    Ok(())
}
