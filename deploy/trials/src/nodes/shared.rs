//! What must be the same whichever node is asked.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Street, charged_once};
use crate::{
    api::{Door, text},
    scenarios::people::{Cashier, Customer, Office},
    shop::{DEMO_PASSWORD, OWNER_EMAIL},
    wait::{PATIENCE, until},
};

/// Each is told what is wrong, and nothing of it is served.
pub async fn strangers(street: &mut Street) -> Result<()> {
    let folder = &street.shop.premises.folder;
    let foreign = folder.join("foreign.key");
    std::fs::write(&foreign, [7; 32])?;
    std::fs::set_permissions(&foreign, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let missing = folder.join("missing.key").display().to_string();
    let key = |file: String| ("SAOMA_SECRETS__MASTER_KEY_FILE", file);
    for (name, setting, words) in [
        ("other-key", key(foreign.display().to_string()), "sealed under another"),
        ("no-key", key(missing.clone()), "find the master key"),
    ] {
        let started = street.shop.core_beside(name, &[setting]).start().await;
        let refused = started.err().with_context(|| format!("{name} was let in"))?;
        ensure!(format!("{refused:#}").contains(words), "{name}: {refused:#}");
    }
    ensure!(!std::path::Path::new(&missing).exists(), "a second master key was drawn");
    // The data folder of another installation.
    let program = street.shop.core_beside("other-ca", &[]);
    let fleet = folder.join("other-ca/fleet");
    std::fs::create_dir_all(&fleet)?;
    std::fs::write(fleet.join("ca.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")?;
    let refused = program.start().await.err().context("another CA was let in")?;
    ensure!(format!("{refused:#}").contains("this database has another"), "{refused:#}");
    Ok(())
}

pub async fn alternate(street: &mut Street) -> Result<()> {
    let (customer, [a, b]) = (Customer::of(&street.shop)?, street.offices()?);
    let office = Office::of(&street.shop)?;
    for (number, (first, second)) in [(&a, &b), (&b, &a)].into_iter().enumerate() {
        let body = office.charge_body(&street.shop, 1200, &customer.shows_code().await?)?;
        let payment = text(&first.post("/v1/payments", &body, &format!("alternate-{number}")).await?, "/id")?;
        until("the other node to hold it as paid", || async {
            Ok((second.get(&format!("/v1/payments/{payment}")).await?["state"] == "succeeded").then_some(()))
        })
        .await?;
        let refund = json!({"amount": Office::amount(200)});
        let path = format!("/v1/payments/{payment}/refunds");
        let given = second.post(&path, &refund, "alternate").await?;
        let again = first.post(&path, &refund, "alternate").await?;
        ensure!(given["id"] == again["id"], "one refund became two: {given} {again}");
        until("the refund on both", || async {
            let [one, two] = [first.get(&path).await?, second.get(&path).await?];
            Ok((one == two && one["items"][0]["state"] == "succeeded").then_some(()))
        })
        .await?;
        charged_once(&street.shop, &payment).await?;
    }
    Ok(())
}

pub async fn sessions(street: &mut Street) -> Result<()> {
    let (a, b) = (street.shop.core()?, street.b()?);
    let bearer = |door: &Door, token: &str| door.with("authorization", format!("Bearer {token}"));
    let token = Street::sign_in(&a).await?;
    bearer(&b, &token).get("/v1/auth/me").await?;
    // The refresh cookie of A is exchanged on B, and is good once wherever it is shown.
    let client = reqwest::Client::builder().no_proxy().build()?;
    let credentials = json!({"email": OWNER_EMAIL, "password": DEMO_PASSWORD});
    let signed_in = client.post(format!("{}/v1/auth/sign-in", a.base())).json(&credentials).send().await?;
    let cookie = signed_in.headers().get("set-cookie").context("no refresh cookie")?.to_str()?.to_owned();
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let refresh =
        |door: &Door| client.post(format!("{}/v1/auth/refresh", door.base())).header("cookie", &cookie).send();
    let fresh: Value = refresh(&b).await?.error_for_status()?.json().await?;
    ensure!(refresh(&a).await?.status() == StatusCode::UNAUTHORIZED, "a used refresh token was taken again");
    // Whoever copied it ended the session, on both.
    let copied = bearer(&a, &text(&fresh, "/access_token")?).call(Method::GET, "/v1/auth/me", None, None).await?;
    ensure!(copied.status == StatusCode::UNAUTHORIZED, "{copied:?}");
    let out = bearer(&b, &token).call(Method::POST, "/v1/auth/sign-out", None, None).await?;
    ensure!(out.status == StatusCode::NO_CONTENT, "{out:?}");
    let over = bearer(&a, &token).call(Method::GET, "/v1/auth/me", None, None).await?;
    ensure!(over.status == StatusCode::UNAUTHORIZED, "signed out on B, still in on A: {over:?}");
    Ok(())
}

pub async fn same_key(street: &mut Street) -> Result<()> {
    let (customer, offices) = (Customer::of(&street.shop)?, street.offices()?);
    let body = Office::of(&street.shop)?.charge_body(&street.shop, 2100, &customer.shows_code().await?)?;
    let at_once =
        (0..16).map(|number| offices[number % 2].call(Method::POST, "/v1/payments", Some(&body), Some("both-nodes")));
    let replies = try_join_all(at_once).await?;
    let created = replies.iter().filter(|reply| reply.status == StatusCode::CREATED).count();
    ensure!(created == 1, "{created} of 16 say that they made it");
    let payment = text(&replies[0].body, "/id")?;
    for reply in &replies {
        ensure!(reply.status.is_success() && reply.body["id"] == payment.as_str(), "{reply:?}");
    }
    Office::of(&street.shop)?.sees(&payment, "succeeded").await?;
    charged_once(&street.shop, &payment).await?;
    let events = Office::of(&street.shop)?.events(&payment).await?;
    ensure!(events.iter().filter(|event| *event == "succeeded").count() == 1, "{events:?}");
    Ok(())
}

/// Of one payment of 10.00, on both nodes at once: 16 refunds under one key are one; of 10 of 2.00 under keys of their own the
/// four that are left get through; and of voids and refunds of a second payment only one.
pub async fn back_at_once(street: &mut Street) -> Result<()> {
    let (customer, offices) = (Customer::of(&street.shop)?, street.offices()?);
    let office = Office::of(&street.shop)?;
    let mut sold = Vec::new();
    for (number, node) in offices.iter().enumerate() {
        let body = office.charge_body(&street.shop, 1000, &customer.shows_code().await?)?;
        let payment = text(&node.post("/v1/payments", &body, &format!("back-{number}")).await?, "/id")?;
        office.sees(&payment, "succeeded").await?;
        sold.push(payment);
    }
    let (part, path) = (json!({"amount": Office::amount(200)}), format!("/v1/payments/{}/refunds", sold[0]));
    let same = (0..16).map(|idx| offices[idx % 2].call(Method::POST, &path, Some(&part), Some("one-refund")));
    let replies = try_join_all(same).await?;
    let ids: BTreeSet<String> = replies.iter().map(|reply| text(&reply.body, "/id")).collect::<Result<_>>()?;
    ensure!(ids.len() == 1, "one key, and {} refunds", ids.len());
    let keys: Vec<String> = (0..10).map(|number| format!("refund-{number}")).collect();
    let each = keys.iter().zip(offices.iter().cycle());
    let each = each.map(|(key, office)| office.call(Method::POST, &path, Some(&part), Some(key)));
    let replies = try_join_all(each).await?;
    let done = replies.iter().filter(|reply| reply.status.is_success()).count();
    ensure!(done == 4, "8.00 were left, and {done} refunds of 2.00 got through: {replies:?}");
    for refused in replies.iter().filter(|reply| !reply.status.is_success()) {
        ensure!(["refund_exceeds", "not_in_state"].contains(&refused.problem()?), "{refused:?}");
    }
    office.sees(&sold[0], "refunded").await?;

    let (refund, void) = (format!("/v1/payments/{}/refunds", sold[1]), format!("/v1/payments/{}/void", sold[1]));
    let keys: Vec<String> = (0..8).map(|number| format!("either-{number}")).collect();
    let (whole, nothing) = (json!({"amount": Office::amount(1000)}), json!({}));
    let each = keys.iter().enumerate().map(|(idx, key)| {
        let (path, body) = if idx % 4 < 2 { (&refund, &whole) } else { (&void, &nothing) };
        offices[idx % 2].call(Method::POST, path, Some(body), Some(key))
    });
    let replies = try_join_all(each).await?;
    let done = replies.iter().filter(|reply| reply.status.is_success()).count();
    ensure!(done == 1, "{done} gave the whole back: {replies:?}");
    until("the whole to be back once", || async {
        let now = offices[0].get(&format!("/v1/payments/{}", sold[1])).await?;
        Ok((now["state"] == "refunded" || now["state"] == "voided").then_some(()))
    })
    .await
}

/// The same answer whether Redis has it, has an old one, or has forgotten everything.
pub async fn repeated(street: &mut Street) -> Result<()> {
    let (customer, [a, b]) = (Customer::of(&street.shop)?, street.offices()?);
    let body = Office::of(&street.shop)?.charge_body(&street.shop, 1300, &customer.shows_code().await?)?;
    let first = a.post("/v1/payments", &body, "repeated").await?;
    let path = format!("/v1/payments/{}", text(&first, "/id")?);
    let same = async |what: &str| {
        let again = b.post("/v1/payments", &body, "repeated").await?;
        let now = a.get(&path).await?;
        ensure!(again == now, "{what}: {again} instead of {now}");
        Ok(())
    };
    same("kept").await?;
    let kept = street.redis.command("DBSIZE")?;
    street.redis.command("FLUSHALL")?;
    same("forgotten").await?;
    b.post(&format!("{path}/refunds"), &json!({"amount": Office::amount(300)}), "repeated").await?;
    same("old").await?;
    let other = Office::of(&street.shop)?.charge_body(&street.shop, 1301, &customer.shows_code().await?)?;
    let refused = b.call(Method::POST, "/v1/payments", Some(&other), Some("repeated")).await?;
    ensure!(refused.problem()? == "payment_exists_differently", "{refused:?}");
    ensure!(kept != ":0\r\n", "nothing was kept in Redis: {kept}");
    Ok(())
}

pub async fn guesses(street: &mut Street) -> Result<()> {
    let doors = [street.shop.core()?, street.b()?];
    let wrong = json!({"email": "nobody@demo.local", "password": "not-the-password"});
    for guess in 0..10 {
        let reply = doors[guess % 2].call(Method::POST, "/v1/auth/sign-in", Some(&wrong), None).await?;
        ensure!(reply.problem()? == "sign_in_failed", "guess {guess}: {reply:?}");
    }
    for door in &doors {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let reply = client.post(format!("{}/v1/auth/sign-in", door.base())).json(&wrong).send().await?;
        let wait = reply.headers().get("retry-after").and_then(|wait| wait.to_str().ok()?.parse::<u64>().ok());
        ensure!(reply.status() == StatusCode::TOO_MANY_REQUESTS, "the eleventh was let through: {}", reply.status());
        ensure!(wait.is_some_and(|wait| (1..=600).contains(&wait)), "Retry-After: {wait:?}");
    }
    Ok(())
}

/// Two more nodes, on which one caller may ask 20 times in a minute.
pub async fn too_many(street: &mut Street) -> Result<()> {
    let key = street.shop.office()?.post("/v1/api-keys", &json!({"name": "hasty", "role": "owner"}), "hasty").await?;
    let bearer = format!("Bearer {}", text(&key, "/secret")?);
    let limit = [("SAOMA_LIMITS__REQUESTS_PER_MINUTE_PER_CALLER", "20".to_owned())];
    let (c, d) = (
        street.shop.core_beside("core-c", &limit).start().await?,
        street.shop.core_beside("core-d", &limit).start().await?,
    );
    let doors = [Door::new(c.ready_text("api")?)?, Door::new(d.ready_text("api")?)?];
    for door in &doors {
        until("the node to find Redis", || async { Ok((door.get("/ready").await?["redis"] == "up").then_some(())) })
            .await?;
    }
    for number in 0..20 {
        doors[number % 2].with("authorization", &bearer).get("/v1/stores").await?;
    }
    for door in &doors {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let request = client.get(format!("{}/v1/stores", door.base())).header("authorization", &bearer);
        let reply = request.send().await?;
        let wait = reply.headers().get("retry-after").and_then(|wait| wait.to_str().ok()?.parse::<u64>().ok());
        ensure!(reply.status() == StatusCode::TOO_MANY_REQUESTS, "the 21st was let through: {}", reply.status());
        ensure!(wait.is_some_and(|wait| (1..=60).contains(&wait)), "Retry-After: {wait:?}");
        let problem: Value = reply.json().await?;
        ensure!(problem["code"] == "too_many_requests", "{problem}");
    }
    c.stop().await?;
    d.stop().await.map(drop)
}

pub async fn news(street: &mut Street) -> Result<()> {
    let customer = Customer::of(&street.shop)?;
    let b = street.b()?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let key = format!("Bearer {}", street.shop.made()?.api_key);
    let mut live = client.get(format!("{}/v1/stream", b.base())).header("authorization", key).send().await?;
    ensure!(live.status().is_success(), "{}", live.status());
    live.chunk().await?;
    let office = Office::of(&street.shop)?;
    let mut took = Vec::new();
    // B looks by itself 5 s after its last news. A busy machine may delay the bell so that it cannot be told from that,
    // but hardly five times.
    while took.iter().all(|took| *took >= Duration::from_secs(2)) {
        ensure!(took.len() < 5, "the news took {took:?}: found by looking, not by the bell");
        let charged = office.charges(&street.shop, 1400, &customer.shows_code().await?).await?;
        let (payment, answered) = (text(&charged, "/id")?, Instant::now());
        let mut heard = String::new();
        while !(heard.contains(&payment) && heard.contains("\"succeeded\"")) {
            let chunk = tokio::time::timeout(PATIENCE, live.chunk()).await.context("no news on B")??;
            heard.push_str(&String::from_utf8_lossy(&chunk.context("the stream ended")?));
        }
        took.push(answered.elapsed());
    }
    Ok(())
}

/// A code that the till shows through A is cancelled on B, and the till hears of it by a push.
pub async fn cancelled_on_b(street: &Street) -> Result<String> {
    let (cashier, [_, b]) = (Cashier::of(&street.shop)?, street.offices()?);
    street.shop.till_is_online().await?;
    let payment = cashier.sell_by_code(1500).await?;
    cashier.sees(&payment, "presenting").await?;
    b.post(&format!("/v1/payments/{payment}/cancel"), &json!({}), &format!("on-b-{payment}")).await?;
    cashier.sees(&payment, "cancelled").await?;
    let unheard = pushes_about(&payment, "acked_at IS NULL");
    until("the till to acknowledge every push", || async {
        Ok((street.postgres.run("saoma", &unheard)? == "0").then_some(()))
    })
    .await?;
    Ok(payment)
}

fn pushes_about(payment: &str, which: &str) -> String {
    format!("SELECT COUNT(*) FROM outbox WHERE kind = 'push' AND payload LIKE '%\"{payment}\"%' AND {which}")
}

pub async fn pushed(street: &mut Street) -> Result<()> {
    let payment = cancelled_on_b(street).await?;
    let all = street.postgres.run("saoma", &pushes_about(&payment, "TRUE"))?;
    ensure!(all != "0", "nothing was pushed");
    // Sent by the node that has the terminal, and by no other. What waits 5 s for its acknowledgement is sent again.
    let hasty = "attempts > 1 AND acked_at - created_at < 5000";
    let twice = street.postgres.run("saoma", &pushes_about(&payment, hasty))?;
    ensure!(twice == "0", "{twice} pushes were sent more than once");
    Ok(())
}

pub async fn shut_out(street: &mut Street) -> Result<()> {
    let [a, b] = street.offices()?;
    let made = street.shop.made()?.clone();
    let path = format!("/v1/terminals/{}", made.terminal);
    let online = async |door: &Door| anyhow::Ok(door.get(&path).await?["online"] == true);
    until("the terminal to be online", || async { Ok(online(&b).await?.then_some(())) }).await?;
    b.post(&format!("{path}/revoke"), &json!({}), "shut-out").await?;
    until("A to end the connection", || async {
        let open = street.shop.till()?.get("/api/state").await?["link"]["mqtt"].clone();
        let shown = online(&a).await?;
        Ok((!shown && open != true).then_some(()))
    })
    .await?;
    // Its till says so, and takes no cash that core would not book.
    let till = street.shop.till()?;
    until("the till to know", async || {
        Ok(till.get("/api/state").await?["link"]["locked_since"].is_i64().then_some(()))
    })
    .await?;
    let cash = json!({"amount_minor": 100, "method": "cash"});
    let told = till.call(Method::POST, "/api/sales", Some(&cash), Some("cash-of-nobody")).await?;
    ensure!(told.problem()? == "terminal_locked", "{told:?}");
    Ok(())
}
