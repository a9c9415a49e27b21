//! A channel account's client certificate, and its end: refused when it is entered too late, told before it is too late.

use std::fs;

use rcgen::{CertificateParams, KeyPair};
use saoma_schemes::pix;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::{
    door::{Answer, Door},
    town::{Town, plugins, text},
};

/// A certificate that ends so many days from now, and its key, in PEM; the bank does not know it.
fn ending_in(days: i64) -> String {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["shop".to_owned()]).unwrap();
    params.not_before = OffsetDateTime::now_utc() - Duration::days(300);
    params.not_after = OffsetDateTime::now_utc() + Duration::days(days) + Duration::hours(1);
    format!("{}{}", params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn is_refused(answer: &Answer) {
    let problem = answer.problem();
    assert_eq!((problem["status"].as_u64(), text(&problem, "/code")), (Some(422), "invalid"), "{problem}");
    let detail = text(&problem, "/detail");
    assert!(detail.contains("\"client-certificate\" is of no use: the certificate ended on"), "{detail}");
    assert!(detail.contains("ask whoever issued it"), "{detail}");
}

#[actix_web::test]
async fn a_client_certificate_that_has_ended_is_refused_and_one_that_soon_will_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for (from, name) in [(".", "sandbox"), ("../channels", "pix")] {
        let file = plugins().join(from).join(format!("{name}.wasm"));
        fs::copy(&file, folder.path().join(format!("{name}.wasm"))).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    }
    let town = Town::found_with(&[("SAOMA_PLUGINS__DIR", folder.path().to_str().unwrap())]).await;
    let tea = town.merchant("tea").await;
    let bank = pix::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let script: Value = Door::at(&bank.door).get("/script").await.json(200);
    let mut body = json!({
        "plugin": "pix", "name": "Pix", "fee_basis_points": 0, "settings": script["settings"],
        "secrets": script["secrets"],
    });
    let genuine = body["secrets"]["client-certificate"].take();
    body["secrets"]["client-certificate"] = ending_in(-2).into();
    is_refused(&tea.owner.post("/v1/channel-accounts").json(&body).await);

    body["secrets"]["client-certificate"] = ending_in(9).into();
    let made: Value = tea.owner.post("/v1/channel-accounts").json(&body).await.json(201);
    let path = format!("/v1/channel-accounts/{}", text(&made, "/id"));
    let tested: Value = tea.owner.post(&format!("{path}/self-test")).await.json(200);
    let message = text(&tested, "/message");
    assert_eq!(tested["ok"], false, "the bank does not know it: {tested}");
    assert!(
        message.contains("(\"client-certificate\": the certificate ") && message.contains(", in 9 days: ask"),
        "{message}"
    );

    let change = |certificate: Value| {
        let body = json!({ "version": made["version"], "secrets": { "client-certificate": certificate } });
        tea.owner.ask("PATCH", &path).json(&body)
    };
    is_refused(&change(ending_in(-2).into()).await);
    let _: Value = change(genuine).await.json(200);
    let tested: Value = tea.owner.post(&format!("{path}/self-test")).await.json(200);
    assert!(tested["ok"] == true && !text(&tested, "/message").contains("certificate"), "{tested}");
    bank.stop().await;
}
