//! The basket at the till: goods that are scanned, what the cashier presses on it, and the sale that it becomes.
//!
//! It is in memory alone: a restart finds it empty and says so, and what must survive one is put aside.

use saoma_protocol::{
    Amount, Currency, GoodsId, Millis, Money, PaymentId, Sequence,
    api::Goods,
    barcode::{Barcode, unprefixed},
    pricing::gross_minor,
};

use super::{
    keyed::{amount_of, is_text, may_pay},
    owner::Owner,
    quotes::Quotes,
};
use crate::{
    basket::{Article, Basket, BasketError},
    journal::BasketMark,
    label::{Inside, Label},
    peripherals::Display,
    sale::{Sale, ScannedCode},
    till::{
        basket::{BasketAnswer, BasketPress, BasketRequest, BasketView},
        command::Pressed,
        problem::Refused,
        view::{ScanView, Scanned},
    },
};

/// The alarm about a basket that a restart has emptied.
const LOST: &str = "basket_lost";
/// How much of a barcode that nobody knows is shown: it may have been a customer's code.
const SHOWN_LAST: usize = 4;

/// The basket that is being filled.
pub(super) struct Filling {
    basket: Basket,
    /// Grows with each change: a page that shows another does nothing to this one.
    revision: u64,
    /// The line that changed last, for the customer's display.
    touched: usize,
    /// What the last sale was made of: it is back if that comes to nothing.
    sold: Option<(PaymentId, Basket)>,
    /// What the disk says of it.
    marked: Option<BasketMark>,
    /// What it says of the one before the start, as long as none was begun since.
    lost: Option<BasketMark>,
}

impl Filling {
    /// An empty one. Its revisions begin at the moment of the start: a page from before shows none of them.
    pub(super) fn begun(at: Millis, marked: Option<BasketMark>) -> Self {
        let revision = u64::try_from(at.0).unwrap_or(0);
        Self { basket: Basket::default(), revision, touched: 0, sold: None, marked, lost: marked }
    }

    /// What it was put aside as is there no more: it is nobody's, and can be put aside or sold as it is.
    pub(super) fn forget_held(&mut self, number: Sequence) {
        self.basket.held.take_if(|held| *held == number);
    }

    pub(super) const fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn view(&self) -> Option<BasketView> {
        BasketView::of(&self.basket, self.revision)
    }

    fn answer(&self) -> BasketAnswer {
        BasketAnswer { basket: self.view(), basket_revision: self.revision }
    }

    fn set(&mut self, basket: Basket, touched: usize) {
        self.lost.take_if(|_| !basket.is_empty());
        (self.basket, self.touched) = (basket, touched);
        self.revision += 1;
    }

    /// It was sold, or put aside.
    pub(super) fn take(&mut self, payment: Option<PaymentId>) {
        let basket = std::mem::take(&mut self.basket);
        self.sold = payment.map(|payment| (payment, basket));
        self.marked = None;
        self.revision += 1;
    }

    /// What becomes of a sale that was made of it.
    pub(super) fn heard_of(&mut self, sale: &Sale) {
        let is_it = |sold: &mut (PaymentId, Basket)| sold.0 == sale.kept.payment;
        if sale.was_captured() {
            self.sold.take_if(is_it);
        } else if !sale.is_open()
            && let Some((_, mut basket)) = self.sold.take_if(is_it)
            // Once something else is scanned it is gone for good: the sale may be heard of at any time.
            && self.basket.is_empty()
        {
            // What it had been put aside as went with the sale.
            basket.held = None;
            self.set(basket, 0);
        }
    }

    /// The basket, if it is the one that a page shows.
    ///
    /// # Errors
    /// `BasketChanged`.
    pub(super) fn seen(&self, revision: u64) -> Result<&Basket, Refused> {
        // A page that shows none knows no revision.
        let is_it = revision == self.revision || (revision == 0 && self.basket.is_empty());
        if is_it { Ok(&self.basket) } else { Err(Refused::BasketChanged) }
    }

    pub(super) const fn basket(&self) -> &Basket {
        &self.basket
    }

    /// What it held is sold after all to nobody. What was scanned meanwhile stays.
    pub(super) fn put_back(&mut self, basket: Basket) {
        if self.basket.is_empty() {
            self.set(basket, 0);
        }
    }

    /// What the customer sees of it: once core has quoted it, what is going to be paid.
    pub(super) fn display(&self, currency: Currency, quotes: &Quotes) -> Option<Display> {
        let priced = self.basket.priced().ok().filter(|_| !self.basket.is_empty())?;
        let money = |minor| Money::new(minor, currency).decimal();
        let list_minor = priced.totals.total_minor;
        let total_minor = quotes.price_of(&priced.goods, list_minor).map_or(list_minor, Amount::minor);
        let line = priced.goods.get(self.touched).or(priced.goods.last())?;
        Some(Display::Basket {
            name: line.name.clone(),
            quantity: line.quantity,
            weight_grams: line.weight_grams,
            line: money(gross_minor(line).ok()? - line.discount_minor),
            total: money(total_minor),
            currency,
        })
    }
}

impl Owner {
    /// `GET` and `POST /api/basket`; the same press again does nothing more.
    ///
    /// # Errors
    /// Those of the key, `Training`, `BasketBusy`, `BasketChanged`, then those of the press.
    pub(super) async fn press_basket(
        &mut self,
        pressed: Pressed,
        request: BasketRequest,
    ) -> Result<BasketAnswer, Refused> {
        if self.seen(&pressed).await?.is_none() {
            self.check_not_training()?;
            self.check_basket_free()?;
            let mut basket = self.filling.seen(request.revision)?.clone();
            if let BasketPress::Weighed { goods, grams, scale } = request.press {
                let line = basket.weigh(self.weighable(goods).await?, grams, !scale)?;
                self.basket_is(basket, line);
                self.remember(pressed, None);
                return Ok(self.filling.answer());
            }
            let touched = change(&mut basket, request.press, |held| {
                let aside = self.held_aside.get(&held).ok_or(Refused::HeldNotFound)?;
                let mut basket = aside.basket.clone().ok_or(Refused::HeldNotFound)?;
                basket.held = Some(held);
                Ok(basket)
            })?;
            self.basket_is(basket, touched);
            self.remember(pressed, None);
        }
        Ok(self.filling.answer())
    }

    /// While it waits for the customer's code it stays as the customer has seen it.
    pub(super) fn check_basket_free(&self) -> Result<(), Refused> {
        if self.card.as_ref().is_some_and(|waiting| waiting.order.of_basket) {
            return Err(Refused::BasketBusy);
        }
        match &self.awaiting {
            Some(awaiting) if awaiting.order.of_basket => Err(Refused::BasketBusy),
            _ => Ok(()),
        }
    }

    fn basket_is(&mut self, basket: Basket, touched: usize) {
        self.filling.set(basket, touched);
        // The customer before has had a moment to read how it ended.
        self.on_display.take_if(|shown| shown.until.is_some());
    }

    /// Goods that were scanned while no customer's code is awaited.
    ///
    /// # Errors
    /// `ScanNotAwaited` without a catalogue, and for what may be a customer's code; `BarcodeUnknown`; those of the basket.
    pub(super) async fn scan_goods(&mut self, text: &ScannedCode) -> Result<ScanView, Refused> {
        let Some((article, inside)) = self.found(text).await? else {
            if self.catalogue.count == 0 || may_pay(text) {
                return Err(Refused::ScanNotAwaited);
            }
            let text = unprefixed(text.expose());
            let is_printed = matches!(text.len(), 8 | 12 | 13) && text.bytes().all(|byte| byte.is_ascii_digit());
            let shown = text.get(text.len().saturating_sub(SHOWN_LAST)..).filter(|_| is_printed);
            return Err(Refused::BarcodeUnknown(shown.map(str::to_owned)));
        };
        if article.by_weight && inside.is_none() {
            let Article { id, name, price_minor, .. } = article;
            return Ok(ScanView::Weigh { goods: id, name, price_minor });
        }
        let (name, mut basket) = (article.name.clone(), self.filling.basket.clone());
        let line = match inside {
            None => basket.scan(article)?,
            Some(Inside::Weight(weight)) => basket.weigh(article, weight, false)?,
            Some(Inside::Price(price_minor)) => basket.label(article, price_minor)?,
        };
        self.basket_is(basket, line);
        Ok(ScanView::Basket { scanned: Some(Scanned { name, line }), basket: self.filling.view().map(Box::new) })
    }

    /// What is sold by weight under that number, as it is priced now.
    ///
    /// # Errors
    /// `BarcodeUnknown`, `Goods` for what is sold by the piece; the journal's.
    async fn weighable(&self, goods: GoodsId) -> Result<Article, Refused> {
        let currency = self.identity.profile.currency;
        let article = self.journal.run(move |store| store.goods_of(goods, currency)).await?;
        let article = article.ok_or(Refused::BarcodeUnknown(None))?;
        if article.by_weight {
            return Ok(article);
        }
        Err(Refused::Goods("these goods are sold by the piece: scan them again".to_owned()))
    }

    /// What is sold under what was scanned, and what its label says besides. A weight is of goods that are sold by weight.
    ///
    /// # Errors
    /// The journal's.
    async fn found(&self, text: &ScannedCode) -> Result<Option<(Article, Option<Inside>)>, Refused> {
        let Ok(barcode) = unprefixed(text.expose()).parse::<Barcode>() else { return Ok(None) };
        let label = self.config.till.scale_labels.read(&barcode);
        if let Some(article) = self.article(barcode).await? {
            return Ok(Some((article, None)));
        }
        let Some(Label { item, inside }) = label else { return Ok(None) };
        let Ok(item) = item.parse() else { return Ok(None) };
        let article = self.article(item).await?;
        let fits = |article: &Article| article.by_weight || matches!(inside, Inside::Price(_));
        Ok(article.filter(fits).map(|article| (article, Some(inside))))
    }

    async fn article(&self, barcode: Barcode) -> Result<Option<Article>, Refused> {
        let currency = self.identity.profile.currency;
        Ok(self.journal.run(move |store| store.goods_with(&barcode, currency)).await?)
    }

    /// Whether goods were scanned where a customer's code is wanted: core would decline the sale for it. A number that may be such a
    /// code is one, whatever the merchant's goods are called.
    ///
    /// # Errors
    /// The journal's.
    pub(super) async fn are_goods(&self, text: &ScannedCode) -> Result<bool, Refused> {
        Ok(!may_pay(text) && self.found(text).await?.is_some())
    }

    /// The disk is told when a basket is begun and when it is cleared, so that a restart in between can be told of. (That it is sold
    /// or put aside is written with that.)
    pub(super) async fn mark_basket(&mut self) {
        let basket = &self.filling.basket;
        let mark = (!basket.is_empty()).then_some(BasketMark { held: basket.held });
        if self.filling.lost.is_some() {
            return;
        }
        self.alarms.silence(LOST);
        if mark == self.filling.marked || self.disk.is_err() {
            return;
        }
        match self.journal.run(move |store| store.mark_basket(mark)).await {
            Ok(()) => self.filling.marked = mark,
            Err(error) => {
                tracing::warn!(%error, "whether a basket is open could not be kept");
                self.disk_is(Some(&error));
            }
        }
    }

    /// At a start: the goods of a basket from before are on the counter, and not in this one.
    pub(super) fn tell_lost_basket(&mut self) {
        let Some(BasketMark { held }) = self.filling.lost else { return };
        let what = match held.filter(|held| self.held_aside.contains_key(held)) {
            Some(held) => format!(
                "goods were being sold when this till stopped, and are still put aside as number {held}: take that up again"
            ),
            None => {
                "goods were being scanned when this till stopped, and its basket is empty now: scan all of them again, \
                     unless the last sale is theirs"
                    .to_owned()
            }
        };
        self.alarm(LOST, what);
    }

    /// The lines of a sale of the basket, if it costs what the page shows.
    ///
    /// # Errors
    /// `BasketChanged`, `Goods` if the page names lines of its own.
    pub(super) fn basket_goods(&self, revision: u64, amount: Amount, named: &[Goods]) -> Result<Vec<Goods>, Refused> {
        if !named.is_empty() {
            return Err(Refused::Goods("a sale of the basket has the basket's lines and no others".to_owned()));
        }
        let priced = self.filling.seen(revision)?.priced().map_err(BasketError::from)?;
        let total = amount_of(priced.totals.total_minor, amount.currency())?;
        if total == amount { Ok(priced.goods) } else { Err(Refused::BasketChanged) }
    }
}

/// Makes the change; the line that it is about.
fn change(
    basket: &mut Basket,
    press: BasketPress,
    aside: impl FnOnce(Sequence) -> Result<Basket, Refused>,
) -> Result<usize, Refused> {
    Ok(match press {
        BasketPress::Other { price_minor, quantity, name } => {
            if !is_text(&name) {
                return Err(Refused::Goods("a name must have 1 to 128 characters, no control characters".to_owned()));
            }
            basket.key(name, quantity, price_minor)?
        }
        // Its price is looked up before.
        BasketPress::Weighed { .. } => usize::MAX,
        BasketPress::Quantity { line, quantity } => {
            basket.set_quantity(line, quantity)?;
            line
        }
        BasketPress::Discount { line, discount } => {
            basket.set_discount(line, discount)?;
            line.unwrap_or(usize::MAX)
        }
        BasketPress::Clear {} => {
            *basket = Basket::default();
            0
        }
        BasketPress::TakeUp { held } => {
            if !basket.is_empty() {
                return Err(Refused::BasketBusy);
            }
            *basket = aside(held)?;
            usize::MAX
        }
    })
}
