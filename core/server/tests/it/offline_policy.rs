//! The policy for offline codes: suggested, set, refused with a reason, and told to tills.

use serde_json::{Value, json};

use crate::{
    offline_world::{Canteen, nudges},
    town::text,
};

const POLICY: &str = "/v1/stored-value/offline-policy";

#[actix_web::test]
async fn the_policy_is_suggested_set_and_told() {
    let canteen = Canteen::open(100).await;
    let (owner, account) = (&canteen.merchant.owner, &canteen.merchant.account);
    let till = canteen.town.till(&canteen.merchant).await;
    let none: Value = owner.get(POLICY).await.json(200);
    let limits = json!({
        "sale_minor_max": 20_000, "grant_day_count_max": 3, "unsent_minor_max": 5_000_000, "unsent_count_max": 200,
        "unsent_hours_max": 24, "list_hours_max": 24,
    });
    assert_eq!(none, json!({ "enabled": false, "limits": limits, "version": 0 }));
    assert!(canteen.list(&till).await.limits.is_none(), "nothing is taken without a policy");

    let manager = canteen.town.person(&canteen.merchant, "manager").await;
    let cashier = canteen.town.person(&canteen.merchant, "cashier").await;
    let asked = json!({ "enabled": true, "channel_account": account, "acceptor": "hall" });
    assert_eq!(cashier.ask("PUT", POLICY).json(&asked).await.status, 403);
    let set: Value = manager.ask("PUT", POLICY).json(&asked).await.json(200);
    assert_eq!((&set["limits"], &set["version"], text(&set, "/acceptor")), (&limits, &json!(1), "hall"));
    assert_eq!(nudges(&till, false).await, 1);
    assert_eq!(canteen.list(&till).await.limits.unwrap().sale_minor_max, 20_000);
    let off = json!({ "enabled": false, "channel_account": account, "acceptor": "hall" });
    let _: Value = manager.ask("PUT", POLICY).json(&off).await.json(200);
    assert!(canteen.list(&till).await.limits.is_none());
    assert_eq!(canteen.merchant.audited("stored_value.offline_policy_set").await.len(), 2);
    assert_eq!(
        nudges(&till, true).await,
        1,
        "a terminal that does not know the word has one waiting, whatever changes"
    );
    let _: Value = manager.ask("PUT", POLICY).json(&asked).await.json(200);
    assert_eq!(nudges(&till, true).await, 1, "it is told again once it has heard");
    assert_eq!(nudges(&till, false).await, 0);
}

#[actix_web::test]
async fn what_cannot_be_a_policy_says_where() {
    let canteen = Canteen::open(100).await;
    let owner = &canteen.merchant.owner;
    let limits = |name: &str, value: i64| {
        let mut limits = json!({
            "sale_minor_max": 100, "grant_day_count_max": 3, "unsent_minor_max": 500, "unsent_count_max": 200,
            "unsent_hours_max": 24, "list_hours_max": 24,
        });
        limits[name] = json!(value);
        limits
    };
    for (change, pointer) in [
        (json!({ "acceptor": null }), "/acceptor"),
        (json!({ "acceptor": "The Hall" }), "/acceptor"),
        (json!({ "limits": limits("sale_minor_max", 0) }), "/limits/sale_minor_max"),
        (json!({ "limits": limits("sale_minor_max", 501) }), "/limits/sale_minor_max"),
        (json!({ "limits": limits("grant_day_count_max", 1_001) }), "/limits/grant_day_count_max"),
        // What is set aside for late journals must outlast what terminals may hold.
        (json!({ "limits": limits("unsent_hours_max", 169) }), "/limits/unsent_hours_max"),
        (json!({ "limits": limits("list_hours_max", 0) }), "/limits/list_hours_max"),
    ] {
        let mut asked = json!({ "enabled": true, "channel_account": canteen.merchant.account, "acceptor": "hall" });
        asked.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = owner.ask("PUT", POLICY).json(&asked).await;
        let problem = refused.problem();
        assert_eq!((refused.status, problem["pointer"].as_str()), (422, Some(pointer)), "{problem}");
    }
    let other = canteen.town.merchant("rust").await;
    let theirs = json!({ "enabled": true, "channel_account": other.account, "acceptor": "hall" });
    assert_eq!(owner.ask("PUT", POLICY).json(&theirs).await.status, 404);
}
