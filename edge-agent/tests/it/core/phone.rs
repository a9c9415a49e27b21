//! A customer's phone, which has a network: it opens at core what a terminal shows that has none.

use std::time::SystemTime;

use saoma_protocol::{
    Millis, PaymentId,
    api::{CreatePayment, PaymentState, PaymentView, Presentation},
    code::phone::PhoneCode,
};

use super::{FakeCore, new_payment};

impl FakeCore {
    /// The customer goes on to pay: core has the payment of that code, and waits for the money, unless the terminal has called it off.
    pub fn phone_opens(&self, code: &PhoneCode) -> PaymentId {
        let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let created_at = Millis(i64::try_from(since_1970.as_millis()).unwrap());
        let view = PaymentView { created_at, ..asked_for(code) };
        self.look(|known| {
            if !known.called_off.contains(&view.id) {
                known.payments.entry(view.id).or_insert_with(|| view.clone());
                known.push(view.id);
            }
        });
        view.id
    }

    /// Under the number of that code core has sold something of the same amount long ago, which stands so.
    pub fn sold_before(&self, code: &PhoneCode, state: PaymentState) -> PaymentId {
        let view = PaymentView { state, ..asked_for(code) };
        self.look(|known| known.payments.insert(view.id, view.clone()));
        view.id
    }
}

fn asked_for(code: &PhoneCode) -> PaymentView {
    let body = CreatePayment {
        amount: code.sale.amount,
        presentation: Presentation::Merchant { expires_in_seconds: None },
        order: None,
        channel_account: None,
        store: None,
        goods: Vec::new(),
        reference: None,
        cashier: None,
        counter: Some(code.sale.counter),
        quote: None,
    };
    new_payment(code.sale.payment(), &body)
}
