//! Two merchants with a shop, a till, people and a contract each, and what they sell.

use saoma_domain::{
    fee::{BasisPoints, FeePlan},
    payment::{Capture, Method, Payment, State},
    refund,
};
use saoma_protocol::{
    Amount, ApiKeyId, ChannelAccountId, Currency, Millis, OrderId, PaymentId, RefundId, Sequence, SessionId, StoreId,
    TenantId, TerminalId, UserId,
    api::{Goods, RefundKind},
};
use saoma_store::{
    Insertion, Opaque, PlatformScope, Principal, TenantScope, access,
    channel_accounts::{self, ChannelAccount},
    events::NewEvent,
    orders::{self, Order},
    outbox,
    payments::{self, StoredPayment},
    refunds::{self, StoredRefund},
    sessions::NewSession,
    stores::{self, Shop},
    tenants::{self, LatePolicy, Tenant},
    terminals::{self, NewTerminal},
    users::{self, NewUser, Role, User},
};

use crate::base::Base;

/// 2026-01-31 00:00:00 UTC, when every story begins.
pub const NOW: Millis = Millis(1_769_817_600_000);

pub const PLATFORM: PlatformScope = access::process();

/// A merchant that can sell.
#[derive(Clone, Copy, Debug)]
pub struct House {
    /// Told apart by it: every id of this house is made from it and a number.
    pub letter: u8,
    pub scope: TenantScope,
    pub store: StoreId,
    pub terminal: TerminalId,
    pub account: ChannelAccountId,
}

/// 16 bytes that no other (letter, number) has.
pub const fn bytes(letter: u8, number: u8) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[0] = letter;
    bytes[15] = number;
    bytes
}

pub fn cny(minor: i64) -> Amount {
    Amount::new(minor, Currency::CNY).expect("an amount")
}

pub fn tenant(letter: u8) -> Tenant {
    Tenant {
        id: TenantId::from_bytes(bytes(letter, 1)),
        name: format!("Tea of {}", char::from(letter)),
        currency: Currency::CNY,
        late_policy: LatePolicy::Refund,
        time_zone: "Asia/Shanghai".to_owned(),
        active: true,
        created_at: NOW,
    }
}

pub fn account(letter: u8, number: u8) -> ChannelAccount {
    ChannelAccount {
        id: ChannelAccountId::from_bytes(bytes(letter, number)),
        plugin: "sandbox".to_owned(),
        name: "our wallet".to_owned(),
        enabled: true,
        settings_json: r#"{"endpoint":"https://wallet.example"}"#.to_owned(),
        fee: FeePlan::flat(BasisPoints::new(60).expect("a fee")),
        fee_version: 1,
        priority: 10,
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

pub fn new_user(letter: u8, number: u8, login: &str, role: Role) -> NewUser {
    NewUser {
        id: UserId::from_bytes(bytes(letter, number)),
        login: login.to_owned(),
        name: "Mei".to_owned(),
        role,
        password_hash: Opaque(format!("$argon2id$hash-of-{login}")),
        must_change_password: false,
        created_at: NOW,
    }
}

impl House {
    /// A merchant with shop 1, till 1 and contract 1.
    pub fn build(base: &Base, letter: u8) -> Self {
        base.write(|tx| {
            let scope = tenants::create(tx, &PLATFORM, &tenant(letter))?;
            let store = StoreId::from_bytes(bytes(letter, 1));
            let terminal = TerminalId::from_bytes(bytes(letter, 1));
            stores::create(tx, &scope, &Shop { id: store, name: "Corner".to_owned(), active: true, created_at: NOW })?;
            let till = NewTerminal { id: terminal, store, name: "Till".to_owned(), created_at: NOW };
            terminals::create(tx, &scope, &till)?;
            let account = account(letter, 1);
            channel_accounts::create(tx, &scope, &account)?;
            Ok(Self { letter, scope, store, terminal, account: account.id })
        })
    }

    pub const fn order_id(&self, number: u8) -> OrderId {
        OrderId::from_bytes(bytes(self.letter, number))
    }

    pub const fn payment_id(&self, number: u8) -> PaymentId {
        PaymentId::from_bytes(bytes(self.letter, number))
    }

    pub const fn refund_id(&self, number: u8) -> RefundId {
        RefundId::from_bytes(bytes(self.letter, number))
    }

    pub const fn session_id(&self, number: u8) -> SessionId {
        SessionId::from_bytes(bytes(self.letter, number))
    }

    pub const fn key_id(&self, number: u8) -> ApiKeyId {
        ApiKeyId::from_bytes(bytes(self.letter, number))
    }

    pub fn order(&self, number: u8, amount: Amount) -> Order {
        Order {
            id: self.order_id(number),
            amount,
            store: self.store,
            terminal: Some(self.terminal),
            counter: Some(Sequence(number.into())),
            cashier: Some("Mei".to_owned()),
            reference: Some("table 4".to_owned()),
            goods: vec![Goods::plain("茉莉花茶".to_owned(), 1, amount.minor())],
            created_at: NOW,
            paid_by: None,
        }
    }

    /// A payment of the order with the same number, through the channel, `state` as given.
    pub fn payment(&self, number: u8, amount: Amount, state: State) -> StoredPayment {
        StoredPayment {
            payment: Payment { id: self.payment_id(number), amount, method: Method::CustomerPresented, state },
            version: 1,
            order: self.order_id(number),
            store: self.store,
            terminal: Some(self.terminal),
            channel: "sandbox".to_owned(),
            channel_account: Some(self.account),
            channel_reference: None,
            payer_hint: None,
            fee_plan: Some(1),
            close_asked_at: None,
            next_attempt_at: None,
            attempts: 0,
            watch: payments::Watch::default(),
            created_at: NOW,
            updated_at: NOW,
        }
    }

    /// The order and payment `number`, stored.
    pub fn sell(&self, base: &Base, number: u8, amount: Amount, state: &State) -> StoredPayment {
        self.sell_with(base, number, amount, state, |_| ())
    }

    /// The same, but for what `change` makes of the payment before it is stored.
    pub fn sell_with(
        &self,
        base: &Base,
        number: u8,
        amount: Amount,
        state: &State,
        change: impl FnOnce(&mut StoredPayment),
    ) -> StoredPayment {
        let mut payment = self.payment(number, amount, state.clone());
        change(&mut payment);
        let inserted = base.write(|tx| {
            orders::insert_new(tx, &self.scope, &self.order(number, amount))?;
            payments::insert_new(tx, &self.scope, &payment)
        });
        assert_eq!(inserted, Insertion::Inserted);
        payment
    }

    pub fn refund(&self, number: u8, payment: PaymentId, amount: Amount) -> StoredRefund {
        StoredRefund {
            refund: refund::Refund {
                id: self.refund_id(number),
                kind: RefundKind::Refund,
                amount,
                state: refund::State::Submitting,
            },
            payment,
            version: 1,
            reason: Some("cold".to_owned()),
            requested_by: "core".to_owned(),
            channel_reference: None,
            next_attempt_at: None,
            attempts: 0,
            watch: payments::Watch::default(),
            created_at: NOW,
            updated_at: NOW,
        }
    }

    pub fn give_back(&self, base: &Base, number: u8, payment: PaymentId, amount: Amount) -> StoredRefund {
        let refund = self.refund(number, payment, amount);
        base.write(|tx| refunds::insert_new(tx, &self.scope, &refund));
        refund
    }

    pub fn event(&self, payment: PaymentId, kind: &str) -> NewEvent {
        NewEvent {
            payment,
            refund: None,
            dispute: None,
            version: 1,
            kind: kind.to_owned(),
            data_json: "{}".to_owned(),
            actor: "core".to_owned(),
            store: self.store,
            terminal: Some(self.terminal),
            at: NOW,
        }
    }

    pub fn push(&self, payload: &str) -> outbox::NewMessage {
        outbox::NewMessage {
            kind: outbox::Kind::Push,
            terminal: Some(self.terminal),
            payload: payload.to_owned(),
            created_at: NOW,
        }
    }

    /// A person `number` of this house.
    pub fn hire(&self, base: &Base, number: u8, login: &str, role: Role) -> User {
        base.write(|tx| users::create(tx, &self.scope, &new_user(self.letter, number, login, role)))
    }

    pub fn session(&self, number: u8) -> NewSession {
        NewSession {
            id: self.session_id(number),
            refresh_hash: [number; 32],
            label: "Firefox on the counter".to_owned(),
            created_at: NOW,
            expires_at: NOW.plus(DAY_MS),
        }
    }

    /// Session `number` of the person with this login.
    pub fn sign_in(&self, base: &Base, number: u8, login: &str) -> Principal {
        base.write(|tx| {
            let verified = access::by_login(tx, login)?;
            access::open_session(tx, &verified, &self.session(number))
        })
    }
}

/// So many milliseconds into the story.
pub const fn at(ms: i64) -> Millis {
    Millis(NOW.0 + ms)
}

pub const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

pub const fn captured(refunded_minor: i64, reserved_minor: i64) -> State {
    State::Captured(Capture { at: NOW, late: false, by_hand: false, refunded_minor, reserved_minor, disputed_minor: 0 })
}
