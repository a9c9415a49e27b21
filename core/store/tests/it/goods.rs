//! The catalogue: what is sold, one meaning to a barcode, and what changed since a version.

use std::collections::HashMap;

use saoma_protocol::{Currency, GoodsId, Money, TaxRateId, api::GoodsTax};
use saoma_store::{
    Cursor, StoreError, Tx,
    goods::{self, Item, RATES_MAX, TaxRate},
};

use crate::{
    base::{Base, on_both},
    house::{House, NOW, at, bytes},
};

fn rate(house: &House, number: u8) -> TaxRate {
    TaxRate {
        id: TaxRateId::from_bytes(bytes(house.letter, number)),
        tax: GoodsTax { name: format!("tax {number}"), basis_points: 1_300, included: true },
        active: true,
        version: 0,
        created_at: NOW,
    }
}

fn item(house: &House, number: u8, barcodes: &[&str]) -> Item {
    Item {
        id: GoodsId::from_bytes(bytes(house.letter, number)),
        name: format!("goods {number}"),
        barcodes: barcodes.iter().map(|code| code.parse().expect("a barcode")).collect(),
        by_weight: number == 2,
        price: Money::new(500 + i64::from(number), Currency::CNY),
        tax_rate: None,
        stores: Vec::new(),
        active: true,
        version: 0,
        created_at: at(number.into()),
        updated_at: NOW,
    }
}

pub fn furnish(tx: &mut Tx<'_>, house: &House) -> Result<(), StoreError> {
    let taxed =
        Item { tax_rate: Some(rate(house, 1).id), stores: vec![house.store], ..item(house, 1, &["4006381333931"]) };
    goods::create_rate(tx, &house.scope, &rate(house, 1))?;
    goods::create(tx, &house.scope, &taxed).map(drop)
}

/// `theirs` has what it has; `ours` sees its own alone, under the same barcode.
pub fn of_others_is_nothing(tx: &mut Tx<'_>, ours: &House, theirs: &House) -> Result<(), StoreError> {
    let scope = &ours.scope;
    let (own, their) = (item(ours, 1, &[]).id, item(theirs, 1, &[]).id);
    assert_eq!(goods::load(tx, scope, their), Err(StoreError::NotFound { what: "the goods" }));
    assert_eq!(goods::load_rate(tx, scope, rate(theirs, 1).id), Err(StoreError::NotFound { what: "the tax" }));
    assert_eq!(goods::holder(tx, scope, &"4006381333931".parse().expect("a barcode"))?, Some(own));
    assert_eq!(ids(&goods::list(tx, scope, None, None, None, 10)?), [own]);
    assert_eq!(ids(&goods::changed(tx, scope, 0, 9, 10)?), [own]);
    assert_eq!(goods::list_rates(tx, scope)?.len(), 1);
    assert_eq!(goods::version(tx, scope)?, 2);
    Ok(())
}

pub fn sell_under_their_tax(tx: &mut Tx<'_>, ours: &House, theirs: &House) -> Result<(), StoreError> {
    let taxed = Item { tax_rate: Some(rate(theirs, 1).id), ..item(ours, 9, &[]) };
    goods::create(tx, &ours.scope, &taxed).map(drop)
}

pub fn change_theirs(tx: &mut Tx<'_>, ours: &House, theirs: &House) -> Result<(), StoreError> {
    goods::save(tx, &ours.scope, &Item { version: 2, ..item(theirs, 1, &[]) }).map(drop)
}

pub fn change_their_tax(tx: &mut Tx<'_>, ours: &House, theirs: &House) -> Result<(), StoreError> {
    goods::save_rate(tx, &ours.scope, &TaxRate { version: 1, ..rate(theirs, 1) }).map(drop)
}

fn ids(items: &[Item]) -> Vec<GoodsId> {
    items.iter().map(|item| item.id).collect()
}

#[test]
fn a_barcode_means_one_thing_among_what_is_sold() {
    on_both(|base| {
        let (tea, milk) = (House::build(base, b'T'), House::build(base, b'M'));
        let taken = Err(StoreError::Conflict { what: "the barcode" });
        let create = |house: &House, item: &Item| base.try_write(|tx| goods::create(tx, &house.scope, item));
        let one = create(&tea, &item(&tea, 1, &["036000291452", "A"])).expect("the first");
        assert_eq!(one, Item { version: 1, ..item(&tea, 1, &["0036000291452", "A"]) });
        // The same code as another scanner says it; and nothing is left of what was refused.
        assert_eq!(create(&tea, &item(&tea, 2, &["B", "0036000291452"])).map(drop), taken);
        assert_eq!(create(&tea, &item(&tea, 2, &["B"])).map(|item| item.version), Ok(2));
        assert_eq!(create(&milk, &item(&milk, 1, &["A"])).map(|item| item.version), Ok(1));
        // What is not sold any more keeps its codes in mind, and holds them no longer.
        let save = |item: &Item| base.try_write(|tx| goods::save(tx, &tea.scope, item));
        let ended = save(&Item { active: false, ..one.clone() }).expect("taken off");
        assert_eq!((ended.version, ended.barcodes.len()), (3, 2));
        assert_eq!(create(&tea, &item(&tea, 3, &["A"])).map(|item| item.version), Ok(4));
        assert_eq!(save(&Item { active: true, ..ended.clone() }).map(drop), taken);
        let again = save(&Item { active: true, barcodes: vec!["C".parse().expect("a barcode")], ..ended });
        assert_eq!(again.map(|item| item.version), Ok(5));
        let holder = |code: &str| base.read(|tx| goods::holder(tx, &tea.scope, &code.parse().expect("a barcode")));
        assert_eq!([holder("A"), holder("C"), holder("D")], [Some(item(&tea, 3, &[]).id), Some(one.id), None]);
        // Whoever saw an older one changes nothing.
        assert_eq!(save(&one).map(drop), Err(StoreError::Stale { what: "the goods" }));
    });
}

#[test]
fn many_are_added_at_once_each_with_a_version_of_its_own() {
    on_both(|base| {
        let (tea, milk) = (House::build(base, b'T'), House::build(base, b'M'));
        base.write(|tx| goods::create(tx, &milk.scope, &item(&milk, 1, &["D"])));
        base.write(|tx| goods::create(tx, &tea.scope, &item(&tea, 1, &["A"])));
        let many = [item(&tea, 2, &["B", "C"]), item(&tea, 3, &[])];
        base.write(|tx| goods::create_all(tx, &tea.scope, &many));
        let [second, third] = many;
        let added = base.read(|tx| goods::changed(tx, &tea.scope, 1, 9, 10));
        assert_eq!(added, [Item { version: 2, ..second }, Item { version: 3, ..third }]);
        let held = base.read(|tx| goods::holders(tx, &tea.scope, &["A", "B", "C", "D"]));
        let id = |number| item(&tea, number, &[]).id;
        let expected = [("A", 1), ("B", 2), ("C", 2)].map(|(code, number)| (code.to_owned(), id(number)));
        assert_eq!(held, HashMap::from(expected));
        // Of those whose barcode is taken after all nothing is left.
        let taken = [item(&tea, 4, &[]), item(&tea, 5, &["A"])];
        assert!(base.try_write(|tx| goods::create_all(tx, &tea.scope, &taken)).is_err());
        assert_eq!(base.read(|tx| goods::version(tx, &tea.scope)), 3);
    });
}

/// What a terminal hears that asks page after page.
fn told(base: &Base, house: &House, since: u64, limit: u32) -> Vec<(u64, GoodsId)> {
    let mut told = Vec::new();
    let through = base.read(|tx| goods::version(tx, &house.scope));
    let mut last = since;
    loop {
        let page = base.read(|tx| goods::changed(tx, &house.scope, last, through, limit));
        let Some(end) = page.last() else { return told };
        last = end.version;
        told.extend(page.iter().map(|item| (item.version, item.id)));
    }
}

#[test]
fn what_changed_since_a_version_is_told_once_in_its_order() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let id = |number| item(&tea, number, &[]).id;
        assert_eq!(base.read(|tx| goods::version(tx, &tea.scope)), 0);
        for number in 1..=5 {
            base.write(|tx| goods::create(tx, &tea.scope, &item(&tea, number, &[])));
        }
        let tax = base.write(|tx| goods::create_rate(tx, &tea.scope, &rate(&tea, 1)));
        assert_eq!((tax.version, base.read(|tx| goods::version(tx, &tea.scope))), (6, 6));
        let second = base.read(|tx| goods::load(tx, &tea.scope, id(2)));
        base.write(|tx| goods::save(tx, &tea.scope, &Item { tax_rate: Some(tax.id), ..second.clone() }));
        let all = [(1, id(1)), (3, id(3)), (4, id(4)), (5, id(5)), (7, id(2))];
        for limit in [1, 2, 10] {
            assert_eq!(told(base, &tea, 0, limit), all);
            assert_eq!(told(base, &tea, 4, limit), all[3..]);
        }
        assert_eq!(told(base, &tea, 7, 10), []);
        let changed = TaxRate { active: false, tax: GoodsTax { basis_points: 900, ..tax.tax.clone() }, ..tax.clone() };
        let changed = base.write(|tx| goods::save_rate(tx, &tea.scope, &changed));
        assert_eq!((changed.version, base.read(|tx| goods::load_rate(tx, &tea.scope, tax.id))), (8, changed));
        let stale = Err(StoreError::Stale { what: "the tax" });
        assert_eq!(base.try_write(|tx| goods::save_rate(tx, &tea.scope, &tax)).map(drop), stale);
    });
}

#[test]
fn lists_go_page_by_page() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        for number in 1..=5 {
            let active = number != 3;
            base.write(|tx| goods::create(tx, &tea.scope, &Item { active, ..item(&tea, number, &[]) }));
        }
        let list = |active, after: Option<u8>, limit| {
            let after = after.map(|number| Cursor { at: at(number.into()), id: item(&tea, number, &[]).id });
            ids(&base.read(|tx| goods::list(tx, &tea.scope, active, None, after, limit)))
        };
        let id = |number| item(&tea, number, &[]).id;
        assert_eq!(list(None, None, 2), [id(1), id(2)]);
        assert_eq!(list(None, Some(2), 9), [id(3), id(4), id(5)]);
        assert_eq!(list(Some(true), Some(1), 2), [id(2), id(4)]);
        assert_eq!(list(Some(false), None, 9), [id(3)]);
    });
}

#[test]
fn goods_are_found_by_a_part_of_their_name_or_barcode() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        for (number, name, barcodes) in [
            (1, "Jasmine Tea 茉莉绿茶", vec!["0036000291452", "T-1"]),
            (2, "100% juice", vec!["0012000003455"]),
            (3, "100 napkins", vec!["tea_3"]),
            (4, "plates \\ 4", vec![]),
        ] {
            let named = Item { name: name.to_owned(), active: number != 3, ..item(&tea, number, &barcodes) };
            base.write(|tx| goods::create(tx, &tea.scope, &named));
        }
        let find = |active, words: &str, after: Option<u8>, limit| {
            let after = after.map(|number| Cursor { at: at(number.into()), id: item(&tea, number, &[]).id });
            ids(&base.read(|tx| goods::list(tx, &tea.scope, active, Some(words), after, limit)))
        };
        let id = |number| item(&tea, number, &[]).id;
        for (words, found) in [
            ("jasmine", vec![id(1)]),
            ("绿茶", vec![id(1)]),
            ("TEA", vec![id(1), id(3)]),
            ("0%", vec![id(2)]),
            ("a_3", vec![id(3)]),
            ("e_t", vec![]),
            ("\\", vec![id(4)]),
            ("36000291452", vec![id(1)]),
            // A UPC-A and a UPC-E, as scanners say them.
            ("]E0036000291452", vec![id(1)]),
            ("01234505", vec![id(2)]),
            ("coffee", vec![]),
        ] {
            assert_eq!(find(None, words, None, 9), found, "{words}");
        }
        assert_eq!(find(Some(false), "tea", None, 9), [id(3)]);
        assert_eq!((find(None, "tea", None, 1), find(None, "tea", Some(1), 9)), (vec![id(1)], vec![id(3)]));
    });
}

#[test]
fn a_merchant_has_so_many_taxes_and_no_more() {
    let base = Base::new(saoma_store::Dialect::Sqlite);
    let tea = House::build(&base, b'T');
    for number in 1..=u8::try_from(RATES_MAX).expect("a few") {
        base.write(|tx| goods::create_rate(tx, &tea.scope, &rate(&tea, number)));
    }
    let one_more = base.try_write(|tx| goods::create_rate(tx, &tea.scope, &rate(&tea, 99)));
    assert_eq!(one_more.map(drop), Err(StoreError::Limit { what: "the merchant's taxes", max: RATES_MAX as u64 }));
}

#[test]
fn a_catalogue_of_twenty_thousand_is_read_page_by_page() {
    let base = Base::new(saoma_store::Dialect::Sqlite);
    let tea = House::build(&base, b'T');
    let large = |number: u32| {
        let mut id = bytes(b'T', 0);
        id[4..8].copy_from_slice(&number.to_be_bytes());
        Item { id: GoodsId::from_bytes(id), ..item(&tea, 1, &[&format!("shop-{number}")]) }
    };
    base.write(|tx| (0..20_000).try_for_each(|number| goods::create(tx, &tea.scope, &large(number)).map(drop)));
    let all = told(&base, &tea, 0, 400);
    assert_eq!(all.iter().map(|(version, _)| *version).collect::<Vec<_>>(), (1..=20_000).collect::<Vec<_>>());
    let one = base.read(|tx| goods::load(tx, &tea.scope, large(77).id));
    base.write(|tx| goods::save(tx, &tea.scope, &Item { active: false, ..one.clone() }));
    assert_eq!(told(&base, &tea, 20_000, 400), [(20_001, large(77).id)]);
}

/// Whoever has read up to a version misses nothing below it: a change that begins while another is not committed yet waits for its
/// turn, and has the next number.
#[test]
fn changes_at_once_draw_their_versions_one_after_the_other() {
    on_both(|base| {
        let tea = &House::build(base, b'T');
        let create = |number: u8| move |tx: &mut Tx<'_>| goods::create(tx, &tea.scope, &item(tea, number, &[]));
        let (first, second) = base.overlap(create(1), || base.try_write(create(2)));
        let (first, second) = (first.expect("the first"), second.expect("the second"));
        assert_eq!((first.version, second.version), (1, 2));
        // Who looks before changing takes the turn before looking.
        let look = |tx: &mut Tx<'_>| {
            goods::take_turn(tx, &tea.scope)?;
            goods::load(tx, &tea.scope, first.id)
        };
        let dearer = Item { price: Money::new(900, Currency::CNY), ..first.clone() };
        let (saved, seen) = base.overlap(|tx| goods::save(tx, &tea.scope, &dearer), || base.try_write(look));
        assert_eq!(seen, saved, "what was looked at is what was saved");
        assert_eq!(saved.expect("it is saved").version, 3);
    });
}
