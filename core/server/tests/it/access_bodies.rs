//! A good body for each operation that the API describes, for whoever asks all of them.

use serde_json::{Value, json};

use crate::{
    access::{DAY, Ids, OURS},
    door::Door,
    fleet_client::csr,
    packages_author::Author,
    receiver::Receiver,
    town::text,
};

/// A body that is good, about these ids.
pub fn body(schema: &str, ids: &Ids, nth: u64) -> Value {
    match schema {
        "CreateApiKey" => json!({ "name": "asked for", "role": "cashier" }),
        "CreateChannelAccount" => json!({
            "plugin": "sandbox", "name": "asked for", "fee_basis_points": 10,
            "settings": { "base_url": "http://127.0.0.1:9", "merchant_id": "m" },
        }),
        "ChangeFeePlan" => json!({
            "account_version": 1, "terms": { "rate_basis_points": 10, "on_refund": "keep" },
        }),
        "ChangeChannelAccount" => json!({ "version": 1, "name": "asked for" }),
        "CreatePayment" => json!({
            "amount": { "minor": 100, "currency": "CNY" }, "presentation": { "kind": "merchant" },
            "store": ids.get("store"), "channel_account": ids.get("channel_account"), "counter": nth,
        }),
        "CreateRefund" => json!({ "amount": { "minor": 1, "currency": "CNY" } }),
        "AskQuote" => json!({ "amount": { "minor": 100, "currency": "CNY" }, "store": ids.get("store") }),
        "ChangeMerchantRules" => json!({ "version": 0, "extension": "canteen-rules", "enabled": true }),
        "TrustPublisher" => json!({ "name": "asked for", "public_key": Author::new().public_key() }),
        "RetirePackage" => json!({ "successor": "built_in" }),
        "InstallPackage" => json!({ "version": 0, "package": ids.get("package") }),
        "StartCanary" => json!({ "version": 0, "package": ids.get("package"), "tenants": [ids.get("tenant")] }),
        "SeenRollout" => json!({ "version": 0 }),
        "CreateVoid" => json!({}),
        "AcceptUncounted" => json!({ "reason": "seen to" }),
        "CloseBatch" => json!({ "counted": { "minor": 0, "currency": "CNY" }, "reason": "the till is broken" }),
        "Attend" => json!({ "reason": "seen to" }),
        "CreateSettlement" => json!({ "outcome": "paid", "reference": "S1", "reason": "the channel's page" }),
        "OpenDispute" => json!({ "amount": { "minor": 1, "currency": "CNY" }, "case_reference": format!("C{nth}") }),
        "AskForResponse" => json!({ "respond_by": 1_900_000_000_000_i64 }),
        "SubmitEvidence" => json!({ "evidence": ["a receipt"] }),
        "AcceptDispute" => json!({ "reason": "no proof" }),
        "CloseDispute" => json!({ "outcome": "lost" }),
        "StartReconciliation" => json!({ "channel_account": ids.get("channel_account"), "day": DAY }),
        "CloseSettlementBatch" => json!({ "channel_account": ids.get("channel_account") }),
        "ResolveSettlementBatch" | "CancelSettlementBatch" => json!({ "reason": "seen to", "version": 1 }),
        "CancelClose" => json!({ "channel_account": ids.get("channel_account"), "since": 1, "reason": "not now" }),
        "EnterPayout" => json!({
            "channel_account": ids.get("channel_account"), "from_day": DAY, "to_day": DAY, "reference": format!("B{nth}"),
            "amount": { "minor": 1, "currency": "CNY" }, "received_at": 1_790_000_000_000_i64, "further": true,
        }),
        "AssignDiscrepancy" => json!({ "to": ids.get("user") }),
        "DecideDiscrepancy" => json!({ "reason": "as on the channel's page", "version": 1 }),
        "ApproveWriteOff" => json!({ "version": 1 }),
        "ReversePayout" => json!({ "reason": "mistyped" }),
        "CreateUser" => json!({ "email": format!("asked-{nth}@example.com"), "name": "asked for", "role": "cashier" }),
        "ChangeUser" => json!({ "name": "asked for" }),
        "ChangePassword" => json!({ "current_password": "not this one", "new_password": "another password" }),
        "SignIn" => json!({ "email": ids.get("email"), "password": ids.get("password") }),
        "CreateCashier" => json!({
            "name": "asked for", "staff_code": format!("{nth}"), "role": "cashier", "pin": "739182",
        }),
        "ChangeCashier" => json!({ "version": 9_999_999, "name": "asked for" }),
        "SetPin" => json!({ "pin": "739182" }),
        "CashierRules" => json!({ "supervisor_for": "none" }),
        "ChangeStaticCode" => json!({ "announce_at": null }),
        "CreateStore" => json!({ "name": "asked for" }),
        "ChangeStore" => json!({ "name": "asked for" }),
        "CreateTaxRate" => json!({ "name": "asked for", "basis_points": 600, "included": true }),
        // A version that it does not have: whoever may change it hears of that.
        "ChangeTaxRate" => json!({
            "version": 9_999_999, "name": "asked for", "basis_points": 600, "included": true, "active": true,
        }),
        "CreateGoods" => json!({ "name": "asked for", "price": { "minor": 100, "currency": "CNY" } }),
        "ImportGoods" => {
            json!({ "goods": [{ "name": "asked for", "price": { "minor": 100, "currency": "CNY" } }] })
        }
        "ChangeGoods" => json!({
            "version": 9_999_999, "name": "asked for", "price": { "minor": 100, "currency": "CNY" }, "active": true,
        }),
        "CreateTenant" => json!({
            "name": "asked for", "currency": "CNY", "owner_name": "asked for",
            "owner_email": format!("asked-{nth}@example.com"),
        }),
        "ChangeTenant" => json!({ "late_policy": "refund" }),
        "CreateTerminal" => json!({ "name": "asked for", "store": ids.get("store") }),
        "CreateStaticCode" => json!({ "store": ids.get("store"), "label": "asked for", "max_minor": 100 }),
        "ChangeTerminal" => json!({ "name": "asked for" }),
        // Who enrols shows a code and nothing else: that codes are guarded is told in fleet_enrol.rs.
        "Enrol" => json!({ "claim_code": "0000-0000-0000", "csr_pem": "no request" }),
        "Renew" => json!({ "csr_pem": csr(&rcgen::KeyPair::generate().unwrap()) }),
        "OpenStoredValueAccount" => json!({ "holder": "asked for" }),
        "ChangeStoredValueAccount" => json!({ "version": 2, "holder": "asked for" }),
        "TopUpStoredValue" => json!({ "amount": { "minor": 100, "currency": "CNY" } }),
        "SetOfflinePolicy" => offline_policy(ids.get("channel_account")),
        // Its channel forwards none: what is set is off.
        "SetCardPolicy" => card_policy(ids.get("channel_account"), false),
        "SetPhonePolicy" => crate::phone_codes::policy(ids.get("channel_account"), true),
        "ForwardHeld" => json!({ "reason": "asked the cashier" }),
        "ResolveLoss" => json!({ "reason": "asked for", "unblock": true }),
        "NewOfflineGrant" => json!({
            "device_key": "ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d1",
            "cap": { "minor": 100, "currency": "CNY" },
        }),
        "ResolveDoubleSpend" => json!({ "reason": "asked for", "recover": true }),
        "StoredValueReason" => json!({ "reason": "asked for" }),
        "NewStoredValueCode" | "CancelStoredValueCharge" => json!({}),
        "ChargeStoredValue" => json!({ "amount": { "minor": 100, "currency": "CNY" }, "code": "SV1:NOBODYS" }),
        "RefundStoredValue" => json!({ "amount": { "minor": 1, "currency": "CNY" } }),
        // Nobody listens there.
        "CreateWebhookEndpoint" => json!({ "url": "http://127.0.0.1:9/" }),
        "ChangeWebhookEndpoint" => json!({ "description": "asked for" }),
        "RotateWebhookSecret" => json!({}),
        "ReplayWebhooks" => json!({ "from": 0, "to": 1 }),
        "Health" => {
            json!({ "version": "0.1.0", "at": 0, "peripherals": [], "unsent": { "count": 0, "oldest_at": null, "at_risk": [] } })
        }
        "PushAck" => json!({ "ids": [1, 2, 3] }),
        "JournalBatch" => json!({ "entries": [] }),
        other => panic!("say in access.rs what a good {other} is"),
    }
}

/// Offline codes as a small canteen takes them.
pub fn offline_policy(channel_account: &str) -> Value {
    json!({
        "enabled": true, "channel_account": channel_account, "acceptor": "hall",
        "limits": {
            "sale_minor_max": 20_000, "grant_day_count_max": 3, "unsent_minor_max": 500_000, "unsent_count_max": 200,
            "unsent_hours_max": 24, "list_hours_max": 48,
        },
    })
}

/// Cards without a network as a small shop sells them.
pub fn card_policy(channel_account: &str, enabled: bool) -> Value {
    json!({
        "enabled": enabled, "channel_account": channel_account,
        "rules": {
            "sale_minor_max": 20_000, "card_day_count_max": 3, "card_day_minor_max": 40_000, "unsent_minor_max": 500_000,
            "unsent_count_max": 100, "unsent_hours_max": 24, "list_hours_max": 24, "stripe": false, "prefixes": ["62", "4012"],
        },
    })
}

/// An endpoint, and a delivery that has arrived there.
pub async fn webhook_of(owner: &Door, receiver: &Receiver) -> (String, String) {
    let asked = json!({ "url": receiver.url, "description": format!("{OURS} shop system") });
    let made: Value = owner.post("/v1/webhook-endpoints").json(&asked).await.json(201);
    let endpoint = text(&made, "/endpoint/id").to_owned();
    let sent: Value = owner.post(&format!("/v1/webhook-endpoints/{endpoint}/test")).await.json(202);
    receiver.hears(1).await;
    (endpoint, text(&sent, "/delivery").to_owned())
}
