//! A merchant's catalogue: who writes it, what is refused, and what a terminal hears of it.

use serde_json::{Value, json};

use crate::{
    door::Door,
    town::{Merchant, Till, Town, text},
};

const GOODS: &str = "/v1/goods";
const IMPORT: &str = "/v1/goods/import";

fn yuan(minor: i64) -> Value {
    json!({ "minor": minor, "currency": "CNY" })
}

async fn adds(door: &Door, name: &str, more: Value) -> Value {
    let mut body = json!({ "name": name, "price": yuan(500) });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    door.post(GOODS).json(&body).await.json(201)
}

/// What it would be changed to if nothing were changed.
fn same(goods: &Value) -> Value {
    let mut body = goods.clone();
    for told in ["id", "created_at", "updated_at"] {
        body.as_object_mut().unwrap().remove(told);
    }
    body
}

async fn changes(door: &Door, goods: &Value, what: Value) -> Value {
    let mut body = same(goods);
    body.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
    door.ask("PUT", &format!("{GOODS}/{}", text(goods, "/id"))).json(&body).await.json(200)
}

/// What the terminal is told since a version: where it stands then, names with prices, and what is gone.
async fn told(till: &Till, since: u64) -> (u64, Vec<String>, Vec<String>) {
    let told: Value = till.door.get(&format!("/v1/terminal/goods?since={since}")).await.json(200);
    assert_eq!((&told["more"], &told["afresh"]), (&json!(false), &json!(since == 0)), "{told}");
    let items = told["goods"].as_array().unwrap();
    let goods = items.iter().map(|goods| format!("{} {}", text(goods, "/name"), goods["price"]["minor"]));
    let removed = told["removed"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned());
    (told["through"].as_u64().unwrap(), goods.collect(), removed.collect())
}

/// The kinds of what waits for the terminal.
async fn pushed(till: &Till) -> Vec<(Value, String)> {
    let told: Value = till.door.get("/v1/terminal/pushes?after=0").await.json(200);
    let pushes = told["pushes"].as_array().unwrap().iter();
    pushes.map(|push| (push["id"].clone(), text(push, "/body/kind").to_owned())).collect()
}

#[actix_web::test]
async fn a_terminal_hears_what_changed_and_what_is_gone() {
    let town = Town::found().await;
    let (jade, rust) = (town.merchant("jade").await, town.merchant("rust").await);
    let (till, theirs) = (town.till(&jade).await, town.till(&rust).await);
    let manager = town.person(&jade, "manager").await;
    assert_eq!(told(&till, 0).await, (0, vec![], vec![]));
    let tax = json!({ "name": "增值税 VAT", "basis_points": 1_300, "included": true });
    let tax: Value = manager.post("/v1/tax-rates").json(&tax).await.json(201);
    let tea = adds(&manager, "tea", json!({ "barcodes": ["036000291452", "T-1"], "tax_rate": tax["id"] })).await;
    assert_eq!(tea["barcodes"], json!(["0036000291452", "T-1"]));
    let elsewhere: Value = jade.owner.post("/v1/stores").json(&json!({ "name": "jade two" })).await.json(201);
    let cake = adds(&manager, "cake", json!({ "stores": [elsewhere["id"]] })).await;

    let whole: Value = till.door.get("/v1/terminal/goods").await.json(200);
    assert_eq!(whole["goods"][0]["tax_rate"], tax["id"]);
    assert_eq!(whole["goods"][0]["barcodes"], json!(["0036000291452", "T-1"]));
    let rate = json!([{ "id": tax["id"], "tax": { "name": "增值税 VAT", "basis_points": 1_300, "included": true } }]);
    assert_eq!(whole["tax_rates"], rate);
    // The cake is sold elsewhere: it is as good as gone.
    let cake_is_gone = vec![text(&cake, "/id").to_owned()];
    assert_eq!(told(&till, 0).await, (3, vec!["tea 500".to_owned()], cake_is_gone));

    // The terminal is told once that there is something new, until it has acknowledged that.
    let waiting = pushed(&till).await;
    assert_eq!(waiting.iter().map(|(_, kind)| kind.as_str()).collect::<Vec<_>>(), ["goods_changed"]);
    let ack = json!({ "ids": [waiting[0].0] });
    assert_eq!(till.door.post("/v1/terminal/pushes/ack").json(&ack).await.status, 204);
    let tea = changes(&manager, &tea, json!({ "price": yuan(600) })).await;
    assert_eq!(pushed(&till).await.len(), 1);
    assert_eq!(told(&till, 3).await, (4, vec!["tea 600".to_owned()], vec![]));
    let cake = changes(&manager, &cake, json!({ "stores": [jade.store, elsewhere["id"]] })).await;
    assert_eq!(told(&till, 4).await, (5, vec!["cake 500".to_owned()], vec![]));
    changes(&manager, &tea, json!({ "active": false })).await;
    assert_eq!(told(&till, 4).await, (6, vec!["cake 500".to_owned()], vec![text(&tea, "/id").to_owned()]));

    // A tax that changed is news, though no goods are.
    let other =
        json!({ "version": tax["version"], "name": "VAT", "basis_points": 900, "included": true, "active": false });
    let path = format!("/v1/tax-rates/{}", text(&tax, "/id"));
    let other: Value = manager.ask("PUT", &path).json(&other).await.json(200);
    assert_eq!((other["version"].as_u64(), told(&till, 6).await), (Some(7), (7, vec![], vec![])));
    // A version that was never given: the database was set back.
    let afresh: Value = till.door.get("/v1/terminal/goods?since=99").await.json(200);
    assert_eq!((&afresh["afresh"], &afresh["goods"][0]["id"]), (&json!(true), &cake["id"]));

    // Another merchant hears and sees nothing of it.
    assert_eq!((told(&theirs, 0).await, pushed(&theirs).await), ((0, vec![], vec![]), vec![]));
    let cake = format!("{GOODS}/{}", text(&cake, "/id"));
    let goods = json!({ "version": 5, "name": "x", "price": yuan(1), "active": true });
    let tax = json!({ "version": 7, "name": "x", "basis_points": 1, "included": true, "active": true });
    for (path, body) in [(&cake, goods), (&path, tax)] {
        assert_eq!(rust.owner.ask("PUT", path).json(&body).await.refusal(), (404, "not_found".to_owned()));
    }
    assert_eq!(rust.owner.get(&cake).await.refusal(), (404, "not_found".to_owned()));
}

#[actix_web::test]
async fn a_barcode_is_of_one_of_the_goods_that_are_sold() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let tea = adds(&jade.owner, "tea", json!({ "barcodes": ["036000291452"] })).await;
    let body = json!({ "name": "other tea", "price": yuan(700), "barcodes": ["X", "0036000291452"] });
    let taken = jade.owner.post(GOODS).key("again").json(&body).await;
    assert_eq!(taken.refusal(), (409, "conflict".to_owned()));
    assert_eq!(taken.problem()["pointer"], "/barcodes/1");
    assert!(taken.text.contains("0036000291452"), "{}", taken.text);
    // The office finds it by the code, as any scanner says it.
    let found: Value = jade.owner.get(&format!("{GOODS}?barcode=036000291452")).await.json(200);
    assert_eq!(found["items"], json!([tea]));
    let ended = changes(&jade.owner, &tea, json!({ "active": false })).await;
    assert_eq!(jade.owner.get(&format!("{GOODS}?barcode=036000291452")).await.json::<Value>(200)["items"], json!([]));
    // The key was free: what it wished for had not been done.
    let other: Value = jade.owner.post(GOODS).key("again").json(&body).await.json(201);
    let again: Value = jade.owner.post(GOODS).key("again").json(&body).await.json(201);
    assert_eq!(other, again);
    let mut back = same(&ended);
    back["active"] = json!(true);
    let refused = jade.owner.ask("PUT", &format!("{GOODS}/{}", text(&tea, "/id"))).json(&back).await;
    assert_eq!(refused.refusal(), (409, "conflict".to_owned()));
    let listed: Value = jade.owner.get(&format!("{GOODS}?active=true")).await.json(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let log: Value = jade.owner.get("/v1/audit").await.json(200);
    let done = log["items"].as_array().unwrap().iter().map(|entry| text(entry, "/action")).take(3);
    assert_eq!(done.collect::<Vec<_>>(), ["goods.created", "goods.changed", "goods.created"]);
}

#[actix_web::test]
async fn what_cannot_be_sold_is_refused_where_it_is_wrong() {
    let town = Town::found().await;
    let jade: Merchant = town.merchant("jade").await;
    let tax = json!({ "name": "old", "basis_points": 100, "included": false });
    let tax: Value = jade.owner.post("/v1/tax-rates").json(&tax).await.json(201);
    let mut over = tax.clone();
    for told in ["id", "created_at"] {
        over.as_object_mut().unwrap().remove(told);
    }
    over["active"] = json!(false);
    let path = format!("/v1/tax-rates/{}", text(&tax, "/id"));
    let _: Value = jade.owner.ask("PUT", &path).json(&over).await.json(200);
    assert_eq!(jade.owner.ask("PUT", &path).json(&over).await.refusal(), (409, "changed_meanwhile".to_owned()));
    for (field, value, code, pointer) in [
        ("name", json!(" "), "invalid", "/name"),
        ("price", yuan(-1), "invalid", "/price/minor"),
        ("price", yuan(1_000_000_000_000), "invalid", "/price/minor"),
        ("price", json!({ "minor": 1, "currency": "JPY" }), "currency_mismatch", "/price/currency"),
        ("barcodes", json!(["4006381333932"]), "invalid", "/barcodes/0"),
        ("barcodes", json!(["A", "b c"]), "invalid", "/barcodes/1"),
        ("barcodes", json!(["036000291452", "0036000291452"]), "invalid", "/barcodes/1"),
        ("barcodes", json!((0..21).map(|code| code.to_string()).collect::<Vec<_>>()), "invalid", "/barcodes"),
        ("tax_rate", tax["id"].clone(), "invalid", "/tax_rate"),
        ("stores", json!(vec![jade.store.clone(); 101]), "invalid", "/stores"),
    ] {
        let mut body = json!({ "name": "tea", "price": yuan(1) });
        body[field] = value;
        let refused = jade.owner.post(GOODS).json(&body).await;
        assert_eq!(refused.problem()["pointer"], pointer, "{body}: {}", refused.text);
        assert_eq!(refused.refusal().1, code, "{body}");
    }
    let refused =
        jade.owner.post("/v1/tax-rates").json(&json!({ "name": "x", "basis_points": 10_001, "included": true })).await;
    assert_eq!(refused.problem()["pointer"], "/basis_points");
}

#[actix_web::test]
async fn goods_are_searched_by_name_and_barcode() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    for (name, code) in [("green tea", "036000291452"), ("black tea", "B-1"), ("cake", "C-1")] {
        adds(&jade.owner, name, json!({ "barcodes": [code] })).await;
    }
    let found = async |search: &str| {
        let page: Value = jade.owner.get(&format!("{GOODS}?{search}")).await.json(200);
        let names: Vec<_> =
            page["items"].as_array().unwrap().iter().map(|item| text(item, "/name").to_owned()).collect();
        (names.join(", "), page["next_cursor"].as_str().map(str::to_owned))
    };
    assert_eq!(found("search=TEA").await.0, "green tea, black tea");
    assert_eq!(found("search=%20b-1%20").await.0, "black tea");
    let (first, next) = found("search=tea&limit=1").await;
    assert_eq!(first, "green tea");
    let next = format!("search=tea&limit=1&cursor={}", next.expect("another page"));
    assert_eq!(found(&next).await, ("black tea".to_owned(), None));
    for refused in ["search=", &format!("search={}", "x".repeat(129))] {
        let refused = jade.owner.get(&format!("{GOODS}?{refused}")).await;
        assert_eq!((refused.status, &refused.problem()["pointer"]), (422, &json!("/search")));
    }
}

#[actix_web::test]
async fn a_table_of_goods_is_added_whole_or_not_at_all() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    adds(&jade.owner, "cake", json!({ "barcodes": ["C-1"] })).await;
    let till = town.till(&jade).await;
    let one = |name: &str, code: &str| json!({ "name": name, "price": yuan(500), "barcodes": [code] });
    let mut goods = vec![
        one("tea", "T-1"),
        one(" ", "T-2"),
        one("pie", "C-1"),
        one("jam", "4006381333932"),
        one("more tea", "T-1"),
    ];
    goods.push(json!({ "name": "yen", "price": { "minor": 1, "currency": "JPY" } }));
    goods.push(json!({ "name": "afar", "price": yuan(1), "stores": [format!("sto_{}a", "7".repeat(25))] }));
    let tax = json!({ "name": "old", "basis_points": 100, "included": true });
    let tax: Value = jade.owner.post("/v1/tax-rates").json(&tax).await.json(201);
    let over =
        json!({ "version": tax["version"], "name": "old", "basis_points": 100, "included": true, "active": false });
    let path = format!("/v1/tax-rates/{}", text(&tax, "/id"));
    let _: Value = jade.owner.ask("PUT", &path).json(&over).await.json(200);
    goods.push(json!({ "name": "taxed", "price": yuan(1), "tax_rate": tax["id"] }));
    let refused = jade.owner.post(IMPORT).key("again").json(&json!({ "goods": goods })).await;
    assert_eq!(refused.refusal(), (422, "invalid".to_owned()));
    let errors = refused.problem()["errors"].clone();
    let named =
        errors.as_array().unwrap().iter().map(|one| format!("{} {}", text(one, "/pointer"), text(one, "/code")));
    assert_eq!(
        named.collect::<Vec<_>>(),
        [
            "/goods/1/name invalid",
            "/goods/2/barcodes/0 conflict",
            "/goods/3/barcodes/0 invalid",
            "/goods/4/barcodes/0 conflict",
            "/goods/5/price/currency currency_mismatch",
            "/goods/6 not_found",
            "/goods/7/tax_rate invalid",
        ]
    );
    assert!(text(&errors, "/2/detail").contains("should be 1"), "{errors}");
    let listed = async || jade.owner.get(GOODS).await.json::<Value>(200)["items"].as_array().unwrap().len();
    assert_eq!(listed().await, 1);

    // The key is free, and the same table twice is one.
    let goods = json!({ "goods": [one("tea", "T-1"), one("pie", "P-1")] });
    let made: Value = jade.owner.post(IMPORT).key("again").json(&goods).await.json(201);
    assert_eq!(jade.owner.post(IMPORT).key("again").json(&goods).await.json::<Value>(201), made);
    assert_eq!(listed().await, 3);
    let tea: Value = jade.owner.get(&format!("{GOODS}/{}", text(&made, "/ids/0"))).await.json(200);
    assert_eq!((&tea["name"], &tea["barcodes"]), (&json!("tea"), &json!(["T-1"])));
    let (through, sold, _) = told(&till, 0).await;
    // Each has a version of its own, after the cake's and the two of the tax.
    assert_eq!((through, sold), (5, vec!["cake 500".to_owned(), "tea 500".to_owned(), "pie 500".to_owned()]));
    assert_eq!(pushed(&till).await.len(), 1, "one word for all");
    let log: Value = jade.owner.get("/v1/audit").await.json(200);
    let noted = &log["items"][0];
    assert_eq!(noted["action"], "goods.imported", "one entry for all");
    let added = noted["detail"]["goods"].as_array().unwrap().iter();
    assert_eq!(added.map(|one| text(one, "/created/name")).collect::<Vec<_>>(), ["tea", "pie"]);
    assert_eq!(noted["detail"]["goods"][0]["id"], made["ids"][0]);

    let many =
        |count: usize| json!({ "goods": (0..count).map(|nth| one("x", &format!("X-{nth}"))).collect::<Vec<_>>() });
    for count in [0, 501] {
        let refused = jade.owner.post(IMPORT).json(&many(count)).await;
        assert_eq!((refused.status, &refused.problem()["pointer"]), (422, &json!("/goods")));
    }
    let made: Value = jade.owner.post(IMPORT).json(&many(500)).await.json(201);
    assert_eq!(made["ids"].as_array().unwrap().len(), 500);
    let cashier = town.person(&jade, "cashier").await;
    assert_eq!(cashier.post(IMPORT).json(&many(1)).await.refusal(), (403, "forbidden".to_owned()));
}

#[actix_web::test]
async fn goods_by_weight_are_told_apart_and_are_no_pieces() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let till = town.till(&jade).await;
    let apples =
        adds(&jade.owner, "apples", json!({ "price": yuan(1_280), "by_weight": true, "barcodes": ["A-1"] })).await;
    let tea = adds(&jade.owner, "tea", json!({})).await;
    assert_eq!((&apples["by_weight"], &tea["by_weight"]), (&json!(true), &json!(false)));
    let whole: Value = till.door.get("/v1/terminal/goods").await.json(200);
    // A terminal that knows no weights takes the pieces, and what is gone.
    assert_eq!((whole["goods"].as_array().unwrap().len(), &whole["goods"][0]["id"]), (1, &tea["id"]));
    assert_eq!(whole["removed"], json!([apples["id"]]));
    let weighed = &whole["weighed"][0];
    assert_eq!(
        (&weighed["id"], &weighed["price"], &weighed["barcodes"]),
        (&apples["id"], &yuan(1_280), &json!(["A-1"]))
    );
    let gone = || vec![text(&apples, "/id").to_owned()];
    // Whoever knows no weights changes the price of a kilogram, and nothing of what it is of.
    let mut unknowing = same(&apples);
    unknowing.as_object_mut().unwrap().remove("by_weight");
    unknowing["price"] = yuan(1_390);
    let path = format!("{GOODS}/{}", text(&apples, "/id"));
    let dearer: Value = jade.owner.ask("PUT", &path).json(&unknowing).await.json(200);
    assert_eq!((&dearer["by_weight"], &dearer["price"]), (&json!(true), &yuan(1_390)));
    assert_eq!(told(&till, 2).await, (3, vec![], gone()));
    // Sold by the piece from now on, as the merchant says.
    let pieces = changes(&jade.owner, &dearer, json!({ "by_weight": false, "price": yuan(300) })).await;
    assert_eq!(told(&till, 3).await, (4, vec!["apples 300".to_owned()], vec![]));
    changes(&jade.owner, &pieces, json!({ "by_weight": true })).await;
    assert_eq!(told(&till, 4).await, (5, vec![], gone()));
}

#[actix_web::test]
async fn a_line_that_was_weighed_costs_its_weight() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    // 5.8368.
    let line = json!({ "name": "apples", "quantity": 1, "price_minor": 1_280, "weight_grams": 456 });
    let sale = |line: &Value, minor: i64| {
        let mut sale = crate::town::present(minor);
        sale["goods"] = json!([line]);
        sale
    };
    let made: Value = jade.owner.post("/v1/payments").key("one").json(&sale(&line, 584)).await.json(201);
    assert_eq!(made["goods"], json!([line]));
    let mut keyed = line.clone();
    keyed["weight_keyed"] = json!(true);
    let made: Value = jade.owner.post("/v1/payments").key("keyed").json(&sale(&keyed, 584)).await.json(201);
    assert_eq!(made["goods"], json!([keyed]));
    keyed.as_object_mut().unwrap().remove("weight_grams");
    let refused = jade.owner.post("/v1/payments").key("two").json(&sale(&keyed, 1_280)).await;
    assert_eq!((refused.status, &refused.problem()["pointer"]), (422, &json!("/goods/0")), "{}", refused.text);
    for minor in [583, 1_280] {
        let refused = jade.owner.post("/v1/payments").key("two").json(&sale(&line, minor)).await;
        assert_eq!((refused.status, &refused.problem()["pointer"]), (422, &json!("/goods")), "{}", refused.text);
        assert!(refused.text.contains("584"), "{}", refused.text);
    }
    for (field, value) in [("weight_grams", json!(0)), ("weight_grams", json!(1_000_000)), ("quantity", json!(2))] {
        let mut wrong = line.clone();
        wrong[field] = value;
        let refused = jade.owner.post("/v1/payments").key("two").json(&sale(&wrong, 584)).await;
        assert_eq!((refused.status, &refused.problem()["pointer"]), (422, &json!("/goods/0")), "{}", refused.text);
        assert!(refused.text.contains("1 to 999999 grams"), "{}", refused.text);
    }
}

/// A line of a sale with discount and tax is taken as it is; one that costs less than nothing is not.
#[actix_web::test]
async fn lines_with_discounts_and_taxes_are_taken() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let line = json!({ "name": "tea", "quantity": 2, "price_minor": 500, "discount_minor": 100, "sale_discount_minor": 1,
        "tax": { "name": "VAT", "basis_points": 1_300, "included": true } });
    let sale = |line: &Value| {
        let mut sale = crate::town::present(899);
        sale["goods"] = json!([line]);
        sale
    };
    let made: Value = jade.owner.post("/v1/payments").key("one").json(&sale(&line)).await.json(201);
    assert_eq!(made["goods"], json!([line]));
    // What was paid is what the lines come to; plain lines may stand beside an amount that was agreed otherwise.
    for amount in [1, 898, 900] {
        let mut other = sale(&line);
        other["amount"]["minor"] = json!(amount);
        let refused = jade.owner.post("/v1/payments").key("two").json(&other).await;
        assert_eq!((refused.status, &refused.problem()["pointer"]), (422, &json!("/goods")), "{}", refused.text);
        assert!(refused.text.contains("899"), "{}", refused.text);
    }
    let plain = json!({ "name": "tea", "quantity": 2, "price_minor": 500 });
    let _: Value = jade.owner.post("/v1/payments").key("plain").json(&sale(&plain)).await.json(201);
    for (field, value) in [
        ("discount_minor", json!(1_001)),
        ("sale_discount_minor", json!(-1)),
        ("tax", json!({ "name": "VAT", "basis_points": 10_001, "included": true })),
    ] {
        let mut wrong = line.clone();
        wrong[field] = value;
        let refused = jade.owner.post("/v1/payments").key("two").json(&sale(&wrong)).await;
        assert_eq!((refused.status, &refused.problem()["pointer"]), (422, &json!("/goods/0")), "{}", refused.text);
    }
}
