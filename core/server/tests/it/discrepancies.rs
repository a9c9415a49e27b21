//! What did not agree, as an accountant and an owner see it over HTTP and bring it to an end.

use serde_json::{Value, json};

use crate::{
    door::{Answer, Door},
    town::{Merchant, Town, text},
};

/// Another day than anything was sold on: what is found on it is written below.
const DAY: &str = "2026-01-31";

struct Desk {
    town: Town,
    jade: Merchant,
    accountant: Door,
    sale: String,
}

impl Desk {
    async fn open() -> Self {
        let town = Town::found().await;
        let jade = town.merchant("jade").await;
        let sale = jade.sells(&town, &jade.owner, 10_000, "sale").await;
        let accountant = town.person(&jade, "accountant").await;
        let desk = Self { sale: text(&sale, "/id").to_owned(), town, jade, accountant };
        let (tenant, account) = (&desk.jade.id, &desk.jade.account);
        desk.town.force(&format!(
            "INSERT INTO reconciliations (tenant_id, id, channel_account_id, day, state, started_by, started_at, ended_at, lease_until) \
             VALUES ('{tenant}', 'rec_{}a', '{account}', '{DAY}', 'done', 'core', 1, 2, 3)",
            "2".repeat(25)
        ));
        desk
    }

    /// As a comparison would have written it; the answer is its path.
    fn found(
        &self,
        nth: u8,
        class: &str,
        number: &str,
        ours: Option<(i64, i64)>,
        theirs: Option<(i64, i64)>,
    ) -> String {
        let side = |side: Option<(i64, i64)>| match side {
            Some((minor, fee)) => {
                format!("'{{\"currency\":\"CNY\",\"minor\":{minor},\"fee_minor\":{fee},\"at\":1769817600000}}'")
            }
            None => "NULL".to_owned(),
        };
        let id = format!("dsc_{}a", char::from(b'a' + nth).to_string().repeat(25));
        let minor = |of: fn(&(i64, i64)) -> i64| theirs.as_ref().map_or(0, of) - ours.as_ref().map_or(0, of);
        let (amount, fee) = (minor(|side| side.0), minor(|side| side.1));
        let currency = if class == "unreadable" { "NULL" } else { "'CNY'" };
        let movement = if class == "unreadable" { "" } else { "payment" };
        self.town.force(&format!(
            "INSERT INTO discrepancies (tenant_id, id, channel_account_id, day, reconciliation_id, class, movement, number, line, nth, \
             ours_json, theirs_json, words, fields, fix, currency, amount_minor, fee_minor, lost_amount_minor, lost_fee_minor, \
             state, found_at, updated_at, version) \
             VALUES ('{}', '{id}', '{}', '{DAY}', 'rec_{}a', '{class}', '{movement}', '{number}', {nth}, 0, {}, {}, NULL, '', \
             'follow_bill', {currency}, {amount}, {fee}, 0, 0, 'open', {nth}, {nth}, 1)",
            self.jade.id,
            self.jade.account,
            "2".repeat(25),
            side(ours),
            side(theirs)
        ));
        format!("/v1/discrepancies/{id}")
    }

    async fn balance(&self, account: &str) -> i64 {
        let trial: Value = self.accountant.get("/v1/ledger/trial-balance").await.json(200);
        let accounts = trial["accounts"].as_array().unwrap();
        let of = accounts.iter().filter(|line| line["account"] == account);
        of.map(|line| line["balance"]["minor"].as_i64().unwrap()).sum()
    }
}

/// By the version that is shown; each with a key of its own.
async fn decides(door: &Door, path: &str, what: &str) -> Answer {
    let version = version(door, path).await;
    let body = json!({ "reason": "the channel's page says so", "version": version });
    door.post(&format!("{path}/{what}")).key(&format!("{what}-{version}")).json(&body).await
}

async fn version(door: &Door, path: &str) -> i64 {
    let shown: Value = door.get(path).await.json(200);
    shown["version"].as_i64().unwrap()
}

#[actix_web::test]
async fn two_persons_bring_differences_to_their_ends() {
    let desk = Desk::open().await;
    let (owner, accountant) = (&desk.jade.owner, &desk.accountant);
    let (before, fees) = (desk.balance("channel_clearing").await, desk.balance("fees").await);
    let amount = desk.found(1, "amount", &desk.sale, Some((10_000, 60)), Some((9_900, 50)));
    let missing = desk.found(2, "missing_there", "pay_x", Some((500, 3)), None);
    let garbage = desk.found(3, "unreadable", "", None, None);

    let shown: Value = accountant.get(&amount).await.json(200);
    assert_eq!(
        (&shown["class"], &shown["state"], &shown["number"]),
        (&json!("amount"), &json!("open"), &json!(desk.sale))
    );
    assert_eq!(
        shown["correction"],
        json!({
            "amount": { "minor": -100, "currency": "CNY" }, "fee": { "minor": -10, "currency": "CNY" },
        })
    );
    let me: Value = owner.get("/v1/auth/me").await.json(200);
    let to = json!({ "to": me["user"]["id"] });
    let assigned: Value = accountant.post(&format!("{amount}/assign")).key("a").json(&to).await.json(200);
    assert_eq!((&assigned["state"], &assigned["assigned_to"]), (&json!("assigned"), &me["user"]["id"]), "{me}");
    let old = json!({ "reason": "the channel's page says so", "version": 1 });
    let unseen = accountant.post(&format!("{amount}/resolve")).key("k").json(&old).await;
    assert_eq!(unseen.refusal(), (409, "changed_meanwhile".to_owned()));
    let seen = json!({ "reason": "the channel's page says so", "version": version(accountant, &amount).await });
    let resolve = async |key, body: &Value| accountant.post(&format!("{amount}/resolve")).key(key).json(body).await;
    let resolved: Value = resolve("k", &seen).await.json(200);
    assert_eq!(resolved["state"], "resolved");
    assert_eq!(resolve("k", &seen).await.json::<Value>(200), resolved, "the first result, and nothing booked again");
    let mut other = seen.clone();
    other["reason"] = json!("another");
    assert_eq!(resolve("k", &other).await.refusal(), (422, "idempotency_key_reused".to_owned()));
    assert_eq!(decides(accountant, &amount, "resolve").await.refusal(), (409, "not_in_state".to_owned()));
    assert_eq!(desk.balance("channel_clearing").await - before, -90);
    assert_eq!(desk.balance("fees").await - fees, -10);
    // It is seen at the sale that it corrects.
    let timeline: Value = owner.get(&format!("/v1/payments/{}/timeline", desk.sale)).await.json(200);
    let kinds: Vec<&str> =
        timeline["posting_sets"].as_array().unwrap().iter().map(|set| set["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"bill_corrected") && kinds.contains(&"fee_corrected"), "{kinds:?}");

    let proposed: Value = decides(accountant, &missing, "write-off").await.json(200);
    assert_eq!(proposed["state"], "write_off_proposed");
    assert_eq!(decides(accountant, &missing, "resolve").await.refusal(), (409, "not_in_state".to_owned()));
    let approve = format!("{missing}/write-off/approve");
    let seen = json!({ "version": version(owner, &missing).await });
    let alone = accountant.post(&approve).key("x").json(&seen).await;
    assert_eq!(alone.refusal(), (403, "second_person_needed".to_owned()));
    let machine = desk.town.key(&desk.jade, "accountant").await;
    assert_eq!(machine.post(&approve).key("x").json(&seen).await.refusal(), (403, "forbidden".to_owned()));
    let done: Value = owner.post(&approve).key("x").json(&seen).await.json(200);
    assert_eq!(done["state"], "written_off");
    assert_eq!(owner.post(&approve).key("x").json(&seen).await.json::<Value>(200), done);
    assert_eq!((desk.balance("risk_loss").await, desk.balance("channel_clearing").await - before), (497, -587));

    assert_eq!(decides(owner, &garbage, "resolve").await.refusal(), (409, "nothing_to_post".to_owned()));
    let _: Value = decides(owner, &garbage, "write-off").await.json(200);
    let declined: Value = accountant.post(&format!("{garbage}/write-off/decline")).key("d").await.json(200);
    assert_eq!(declined["state"], "open");
    for reason in ["", " ", "a\nb"] {
        let asked =
            owner.post(&format!("{garbage}/write-off")).key("r").json(&json!({ "reason": reason, "version": 9 })).await;
        assert_eq!(asked.refusal(), (422, "invalid".to_owned()), "{reason:?}");
    }
    desk.jade.books_balance().await;
    for (action, times) in [
        ("discrepancy.assigned", 1),
        ("discrepancy.resolved", 1),
        ("discrepancy.write_off_proposed", 2),
        ("discrepancy.written_off", 1),
        ("discrepancy.write_off_declined", 1),
    ] {
        assert_eq!(desk.jade.audited(action).await.len(), times, "{action}");
    }
}

#[actix_web::test]
async fn a_payout_is_entered_and_listed() {
    let desk = Desk::open().await;
    let body = |day: &str, minor: i64, received_at: i64| {
        json!({
            "channel_account": desk.jade.account, "from_day": day, "to_day": day, "reference": "B-2026-1",
            "amount": { "minor": minor, "currency": "CNY" }, "received_at": received_at,
        })
    };
    let enters = async |body: Value| desk.accountant.post("/v1/payouts").key("p").json(&body).await;
    let machine = desk.town.key(&desk.jade, "accountant").await;
    let by_machine = machine.post("/v1/payouts").key("p").json(&body(DAY, 900, 1_790_000_000_000)).await;
    assert_eq!(by_machine.refusal(), (403, "forbidden".to_owned()));
    let now = 1_790_000_000_000;
    // The comparison of that day above has no result.
    assert_eq!(enters(body(DAY, 900, now)).await.refusal(), (409, "day_not_compared".to_owned()));
    desk.town.force(&format!(
        "UPDATE reconciliations SET result_json = '{{\"revision\":1,\"ours\":1,\"theirs\":1,\"agreed\":1,\"netted\":0,\
         \"found\":{{}},\"overflowed\":false,\"sums\":{{\"CNY\":{{\"ours_minor\":1000,\"ours_fee_minor\":6,\
         \"theirs_minor\":1000,\"theirs_fee_minor\":6}}}}}}' WHERE tenant_id = '{}'",
        desk.jade.id
    ));
    for (refused, code) in [
        (body("2026-02-30", 900, now), "invalid"),
        (body(DAY, 0, now), "invalid"),
        (body(DAY, 900, 1_790_000_000), "invalid"),
    ] {
        assert_eq!(enters(refused).await.refusal(), (422, code.to_owned()));
    }
    let entered: Value = enters(body(DAY, 900, now)).await.json(201);
    let (expected, difference) = (&entered["expected"]["minor"], &entered["difference"]["minor"]);
    assert_eq!((expected, difference), (&json!(994), &json!(-94)));
    assert_eq!(enters(body(DAY, 900, now)).await.json::<Value>(200), entered, "a repeat finds the first");
    assert_eq!(enters(body(DAY, 901, now)).await.refusal(), (422, "idempotency_key_reused".to_owned()));
    let listed: Value = desk.accountant.get("/v1/payouts").await.json(200);
    assert_eq!(listed["items"], json!([entered]));
    assert_eq!(desk.balance("bank").await, 900);
    let filed: Value = desk.accountant.get("/v1/discrepancies?class=payout").await.json(200);
    assert_eq!((&filed["items"][0]["words"], &filed["items"][0]["state"]), (&entered["id"], &json!("open")));

    // More of the same days is meant, or it is a mistake; the first one is found out to be one.
    let mut more = body(DAY, 94, now);
    more["reference"] = json!("B-2026-2");
    let second = async |body: &Value| desk.accountant.post("/v1/payouts").key("p2").json(body).await;
    assert_eq!(second(&more).await.refusal(), (409, "days_paid_out".to_owned()));
    more["further"] = json!(true);
    let rest: Value = second(&more).await.json(201);
    assert_eq!((&rest["expected"]["minor"], &rest["difference"]["minor"]), (&json!(94), &json!(0)));
    let mut dollars = body(DAY, 1, now);
    dollars["amount"]["currency"] = json!("USD");
    let dollars = desk.accountant.post("/v1/payouts").key("p3").json(&dollars).await;
    assert_eq!(dollars.refusal(), (422, "currency_mismatch".to_owned()));
    let path = format!("/v1/payouts/{}/reverse", text(&entered, "/id"));
    let why = json!({ "reason": "a digit too few" });
    assert_eq!(machine.post(&path).key("r").json(&why).await.refusal(), (403, "forbidden".to_owned()));
    let reversed: Value = desk.accountant.post(&path).key("r").json(&why).await.json(200);
    assert_eq!(reversed["reversed"]["reason"], "a digit too few");
    assert_eq!(desk.accountant.post(&path).key("r").json(&why).await.json::<Value>(200), reversed);
    assert_eq!(desk.accountant.post(&path).key("r2").json(&why).await.refusal(), (409, "not_in_state".to_owned()));
    assert_eq!(desk.balance("bank").await, 94);
    let filed: Value = desk.accountant.get("/v1/discrepancies?class=payout").await.json(200);
    let state_of = |of: &Value| {
        let items = filed["items"].as_array().unwrap();
        items.iter().find(|item| item["words"] == of["id"]).map(|item| item["state"].clone())
    };
    assert_eq!((state_of(&entered), state_of(&rest)), (Some(json!("closed")), Some(json!("open"))));
    desk.jade.books_balance().await;
    for (action, times) in [("payout.entered", 2), ("payout.reversed", 1)] {
        assert_eq!(desk.jade.audited(action).await.len(), times, "{action}");
    }
}

#[actix_web::test]
async fn a_settlement_statement_says_what_is_due() {
    let desk = Desk::open().await;
    let refund = json!({ "amount": { "minor": 2_500, "currency": "CNY" } });
    let path = format!("/v1/payments/{}/refunds", desk.sale);
    let _: Value = desk.jade.owner.post(&path).key("r").json(&refund).await.json(201);
    let missing = desk.found(1, "missing_here", "WX-1", None, Some((500, 3)));
    let _: Value = decides(&desk.accountant, &missing, "resolve").await.json(200);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let day = saoma_server::period::local_text(saoma_protocol::Millis(i64::try_from(now).unwrap()), "Etc/UTC");
    let day = day.split(' ').next().unwrap();
    let days = format!("from={day}&to={day}");
    let shown: Value = desk.accountant.get(&format!("/v1/ledger/settlement?{days}")).await.json(200);
    assert_eq!(
        shown["items"],
        json!([{
            "channel_account": desk.jade.account, "currency": "CNY", "payments": 1, "gross_minor": 10_000,
            "refunds": 1, "refunded_minor": 2_500, "disputed_minor": 0, "fees_minor": 63, "corrected_minor": 500,
            "net_minor": 7_937,
        }])
    );
    // What is due by it is what the channel holds.
    assert_eq!(desk.balance("channel_clearing").await, 7_937);
    let by_store: Value = desk.accountant.get(&format!("/v1/ledger/settlement?{days}&by=store")).await.json(200);
    let stores: Vec<(&Value, &Value)> =
        by_store["items"].as_array().unwrap().iter().map(|item| (&item["store"], &item["net_minor"])).collect();
    assert_eq!(stores, [(&Value::Null, &json!(497)), (&json!(desk.jade.store), &json!(7_440))]);
    let file = desk.accountant.get(&format!("/v1/ledger/settlement/export?{days}&by=store&format=csv")).await;
    let lines: Vec<&str> = file.text.lines().map(|line| line.trim_start_matches('\u{feff}')).collect();
    let account = &desk.jade.account;
    assert_eq!(
        lines,
        [
            "store,terminal,channel_account,currency,payments,gross,refunds,refunded,disputed,fees,corrected,net",
            &format!(",,{account},CNY,0,0.00,0,0.00,0.00,0.03,5.00,4.97"),
            &format!("{},,{account},CNY,1,100.00,1,25.00,0.00,0.60,0.00,74.40", desk.jade.store),
        ]
    );
    let cashier = desk.town.person(&desk.jade, "cashier").await;
    assert_eq!(cashier.get(&format!("/v1/ledger/settlement?{days}")).await.refusal(), (403, "forbidden".to_owned()));
    for query in
        ["from=2026-01-01", "from=2026-02-02&to=2026-02-01", &format!("{days}&by=till"), &format!("{days}&page=1")]
    {
        let refused = desk.accountant.get(&format!("/v1/ledger/settlement?{query}")).await;
        assert_eq!(refused.refusal(), (422, "invalid".to_owned()), "{query}");
    }
}

#[actix_web::test]
async fn lists_are_filtered_and_paged_and_refuse_what_they_do_not_know() {
    let desk = Desk::open().await;
    for nth in 1..=5 {
        desk.found(nth, if nth == 5 { "fee" } else { "missing_here" }, &format!("WX-{nth}"), None, Some((100, 1)));
    }
    let numbers = async |query: &str| -> (Vec<String>, Option<String>) {
        let page: Value = desk.accountant.get(&format!("/v1/discrepancies?{query}")).await.json(200);
        let items = page["items"].as_array().unwrap().iter().map(|one| text(one, "/number").to_owned()).collect();
        (items, page["next_cursor"].as_str().map(str::to_owned))
    };
    let (first, next) = numbers("limit=3").await;
    assert_eq!(first, ["WX-5", "WX-4", "WX-3"]);
    let (rest, end) = numbers(&format!("limit=3&cursor={}", next.unwrap())).await;
    assert_eq!((rest, end), (vec!["WX-2".to_owned(), "WX-1".to_owned()], None));
    assert_eq!(numbers("class=fee&state=open").await.0, ["WX-5"]);
    assert_eq!(numbers("waiting=true&day=2026-01-30").await.0, [""; 0]);
    let of_account = format!("channel_account={}&day={DAY}", desk.jade.account);
    assert_eq!(numbers(&of_account).await.0.len(), 5);
    for query in ["class=money", "state=gone", "limit=0", "limit=201", "cursor=x", "cursor=1-dsc_x", "page=2"] {
        let refused = desk.accountant.get(&format!("/v1/discrepancies?{query}")).await;
        assert_eq!(refused.refusal(), (422, "invalid".to_owned()), "{query}");
    }
    let runs: Value = desk.accountant.get(&format!("/v1/reconciliations?{of_account}")).await.json(200);
    assert_eq!((runs["items"].as_array().unwrap().len(), &runs["items"][0]["state"]), (1, &json!("done")));
    // A day that is not over, or that is none.
    for (day, status, code) in [("2126-01-31", 422, "invalid"), ("31.01.2026", 422, "invalid"), ("", 422, "invalid")] {
        let asked = json!({ "channel_account": desk.jade.account, "day": day });
        let refused = desk.accountant.post("/v1/reconciliations").key("k").json(&asked).await;
        assert_eq!(refused.refusal(), (status, code.to_owned()), "{day}");
    }
    let hostile = desk.town.hostile_account(&desk.jade.owner, "honest").await;
    let asked = json!({ "channel_account": hostile, "day": DAY });
    let refused = desk.accountant.post("/v1/reconciliations").key("k").json(&asked).await;
    assert_eq!(refused.refusal(), (409, "channel_cannot".to_owned()));
}

#[actix_web::test]
async fn a_day_shows_each_account_and_whom_work_can_be_given_to() {
    let desk = Desk::open().await;
    desk.found(1, "fee", &desk.sale, Some((10_000, 60)), Some((10_000, 50)));
    let without_bills = desk.town.hostile_account(&desk.jade.owner, "honest").await;
    let rust = desk.town.merchant("rust").await;
    let shows = async |door: &Door, day: &str| -> Value {
        door.get(&format!("/v1/reconciliations/days/{day}")).await.json(200)
    };
    let of = |shown: &Value, account: &str| -> Value {
        let items = shown["items"].as_array().unwrap();
        items.iter().find(|item| item["channel_account"] == account).cloned().unwrap_or_else(|| panic!("{shown}"))
    };
    let shown = shows(&desk.accountant, DAY).await;
    assert_eq!((&shown["day"], shown["items"].as_array().unwrap().len()), (&json!(DAY), 2));
    let compared = of(&shown, &desk.jade.account);
    // Ten minutes into the next day of UTC.
    assert_eq!((&compared["bill_ready_at"], &compared["waiting"]), (&json!(1_769_904_600_000_i64), &json!(1)));
    assert_eq!((&compared["newest"]["state"], &compared["compared"]), (&json!("done"), &compared["newest"]));
    let never = of(&shown, &without_bills);
    assert_eq!((&never["bill_ready_at"], &never["newest"], &never["waiting"]), (&Value::Null, &Value::Null, &json!(0)));
    let other_day = of(&shows(&desk.accountant, "2026-01-30").await, &desk.jade.account);
    assert_eq!((&other_day["newest"], &other_day["waiting"]), (&Value::Null, &json!(0)));
    // A later one that fails takes nothing away from the result before it.
    desk.town.force(&format!(
        "INSERT INTO reconciliations (tenant_id, id, channel_account_id, day, state, words, started_by, started_at, ended_at, lease_until) \
         VALUES ('{}', 'rec_{}a', '{}', '{DAY}', 'failed', 'the bill did not come', 'core', 5, 6, 7)",
        desk.jade.id,
        "3".repeat(25),
        desk.jade.account
    ));
    let failed = of(&shows(&desk.accountant, DAY).await, &desk.jade.account);
    assert_eq!(
        (&failed["newest"]["state"], &failed["newest"]["why"]),
        (&json!("failed"), &json!("the bill did not come"))
    );
    assert_eq!(failed["compared"], compared["newest"]);
    let strange = of(&shows(&rust.owner, DAY).await, &rust.account);
    assert_eq!(
        (&strange["newest"], &strange["waiting"]),
        (&Value::Null, &json!(0)),
        "another merchant's day is its own"
    );
    for day in ["2026-02-29", "yesterday", "2026-01-31%20"] {
        let refused = desk.accountant.get(&format!("/v1/reconciliations/days/{day}")).await;
        assert_eq!(refused.refusal(), (422, "invalid".to_owned()), "{day}");
    }

    let people: Value = desk.accountant.get("/v1/colleagues").await.json(200);
    let people = people["items"].as_array().unwrap();
    let mut roles: Vec<&str> = people.iter().map(|person| person["role"].as_str().unwrap()).collect();
    roles.sort_unstable();
    assert_eq!(roles, ["accountant", "owner"]);
    assert!(people.iter().all(|person| person.get("login").is_none() && person["active"] == true), "{people:?}");
}
