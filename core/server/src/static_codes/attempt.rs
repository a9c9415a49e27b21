//! One attempt of a visitor to pay: the payment that follows from its number, and what the page shows of it.

use std::time::Duration;

use ring::hmac;
use saoma_channels::in_app::Step;
use saoma_domain::payment::{Close, State};
use saoma_protocol::{Amount, PaymentId};
use saoma_store::{
    StoreError, TenantScope,
    idempotency::Fingerprint,
    payments::{self, Sale},
    static_codes::{Origin, StaticCode},
};
use serde::Serialize;

use super::{
    places::Place,
    visitor::{Visitor, Who},
};
use crate::{
    app::App,
    payments::{Became, Collect, How, Payer, PaymentError, cancel, collect, repeated},
};

/// Long enough to type a password, short for a page that somebody has left.
const LIVES: Duration = Duration::from_secs(300);
/// Who does what the visitor asks for.
const ACTOR: &str = "customer";

/// What the page shows.
#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Shown {
    /// Nothing was asked for yet.
    Fresh,
    /// The customer has to pay, by this step once there is one.
    Waiting {
        amount: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        step: Option<Next>,
    },
    Paid {
        amount: String,
    },
    PartGivenBack {
        amount: String,
    },
    GoingBack {
        amount: String,
    },
    GivenBack {
        amount: String,
    },
    /// The scheme is asked to close it: until it says so it may have been paid.
    Closing {
        amount: String,
    },
    /// No money was taken, and none will be.
    Failed {
        amount: String,
    },
    /// Closed without payment.
    Over {
        amount: String,
    },
}

/// What the browser is to do.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Next {
    InApp(Step),
    Code(Code),
}

/// A code of a channel that any browser can be shown.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Code {
    Link { url: String },
    Picture { data: String },
}

/// The payment's number: there before anything is asked of a scheme, the same for as long as the visitor is in this attempt.
#[must_use]
pub fn payment_of(scope: TenantScope, code: &StaticCode, visitor: &Visitor) -> PaymentId {
    PaymentId::for_key(scope.tenant(), &format!("static code {} {}", code.id, hex::encode(visitor.attempt)))
}

/// What there is of the attempt.
///
/// # Errors
/// `Store`.
pub async fn shown(
    app: &App,
    scope: TenantScope,
    code: &StaticCode,
    visitor: &Visitor,
) -> Result<Option<Sale>, PaymentError> {
    let id = payment_of(scope, code, visitor);
    match app.store().read(move |tx| payments::load_sale(tx, &scope, id)).await {
        Ok(sale) => Ok(Some(sale)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Asks for the money, or finds what was asked for before: in one attempt there is one amount.
///
/// # Errors
/// As [`collect`]; `NoChannel` for a visitor who is not known yet.
pub async fn begin(
    app: &App,
    scope: TenantScope,
    code: &StaticCode,
    visitor: &Visitor,
    amount: Amount,
    place: Place,
) -> Result<Sale, PaymentError> {
    let id = payment_of(scope, code, visitor);
    let fingerprint = fingerprint(app, code, visitor, amount);
    match repeated(app, scope, id, fingerprint).await {
        Ok(Some(sale)) => return Ok(sale),
        Ok(None) => {}
        Err(PaymentError::ExistsDifferently(_)) => return of(app, scope, id).await,
        Err(error) => return Err(error),
    }
    let (account, how, served) = match &visitor.who {
        Who::Known { account, app, payer } => {
            let how = How::InApp { app: app.clone(), payer: Payer(payer.clone()), lives: LIVES };
            (*account, how, Some(app.clone()))
        }
        Who::Anyone { account } => (*account, How::Present { lives: LIVES }, None),
        Who::Sent { .. } => return Err(PaymentError::NoChannel("the visitor is not known yet".to_owned())),
    };
    let wish = Collect {
        id,
        fingerprint,
        amount,
        how,
        account: Some(account),
        order: None,
        store: code.store,
        terminal: None,
        counter: None,
        cashier: None,
        reference: None,
        goods: Vec::new(),
        quote: None,
        origin: Some(Origin { code: code.id, app: served }),
        actor: ACTOR.to_owned(),
    };
    // A customer who leaves takes no place of theirs along before the scheme has answered.
    let task_app = app.clone();
    let work = async move {
        let _place = place;
        collect(&task_app, scope, wish).await
    };
    match app.in_flight().spawn(work).await.map_err(|error| PaymentError::CutOff(error.to_string()))? {
        Ok((sale, _)) => Ok(sale),
        // Two taps of which neither had seen the other, with two amounts.
        Err(PaymentError::ExistsDifferently(_)) => of(app, scope, id).await,
        Err(error) => Err(error),
    }
}

/// The visitor does not want it any more: a payment that is still open is closed, also at the scheme.
///
/// # Errors
/// As [`cancel`].
pub async fn give_up(app: &App, scope: TenantScope, sale: Sale) -> Result<Sale, PaymentError> {
    if sale.payment.payment.public_state().is_settled() {
        return Ok(sale);
    }
    let (task_app, id) = (app.clone(), sale.payment.payment.id);
    let work = async move { cancel(&task_app, scope, id, ACTOR).await };
    match app.in_flight().spawn(work).await.map_err(|error| PaymentError::CutOff(error.to_string()))? {
        // It was paid meanwhile: the page says so.
        Err(PaymentError::Refused(_)) => of(app, scope, id).await,
        done => done,
    }
}

async fn of(app: &App, scope: TenantScope, id: PaymentId) -> Result<Sale, PaymentError> {
    Ok(app.store().read(move |tx| payments::load_sale(tx, &scope, id)).await?)
}

fn fingerprint(app: &App, code: &StaticCode, visitor: &Visitor, amount: Amount) -> Fingerprint {
    let asked = format!("POST /s {} {} {amount}", code.id, hex::encode(visitor.attempt));
    let mut fingerprint = Fingerprint::default();
    let tag = hmac::sign(&app.vault().own().fingerprint, asked.as_bytes());
    fingerprint.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    fingerprint
}

impl Shown {
    /// What a visitor sees of their attempt. `picture`: how a code is drawn that is no link.
    #[must_use]
    pub fn of(sale: Option<&Sale>, picture: impl Fn(&str) -> Option<String>) -> Self {
        let Some(sale) = sale else { return Self::Fresh };
        let amount = sale.payment.payment.amount.to_string();
        match Became::of(&sale.payment.payment) {
            Some(Became::Paid) => return Self::Paid { amount },
            Some(Became::PartGivenBack) => return Self::PartGivenBack { amount },
            Some(Became::GoingBack) => return Self::GoingBack { amount },
            Some(Became::GivenBack) => return Self::GivenBack { amount },
            None => {}
        }
        match &sale.payment.payment.state {
            State::Failed { .. } => Self::Failed { amount },
            State::Expired { close: Close::Asked } | State::Cancelled { close: Close::Asked } => {
                Self::Closing { amount }
            }
            State::Expired { .. } | State::Cancelled { .. } | State::Reversed => Self::Over { amount },
            State::Presenting { .. } => Self::Waiting { amount, step: next(sale, picture) },
            State::Captured(_)
            | State::Voided { .. }
            | State::Created
            | State::Submitting { .. }
            | State::Pending { .. }
            | State::Unknown { .. } => Self::Waiting { amount, step: None },
        }
    }
}

fn next(sale: &Sale, picture: impl Fn(&str) -> Option<String>) -> Option<Next> {
    let code = &sale.code.as_ref()?.channel_code;
    if sale.static_code.as_ref()?.app.is_some() {
        return serde_json::from_str(code).ok().map(Next::InApp);
    }
    let is_link = url::Url::parse(code).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
    Some(Next::Code(if is_link { Code::Link { url: code.clone() } } else { Code::Picture { data: picture(code)? } }))
}
