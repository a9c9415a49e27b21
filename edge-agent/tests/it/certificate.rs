//! The terminal's certificate: enrolled, renewed in time, lost, over.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::atomic::Ordering};

use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use saoma_edge::link::{
    certificate::Validity,
    enrol::{EnrolError, enrol},
    identity::{DataDir, Identity},
};
use serde_json::json;

use crate::{
    broker::Broker,
    secured::{Authority, LONG, Life},
    shop::{Shop, number, request, until},
};

/// In its last sixth already, so that it is renewed at once, and every 4 s (a sixteenth of what is left) until that succeeds.
/// No test waits for its end: the doors' clock is put on.
pub const ENDING: Life = Life { past: 400, left: 64 };

pub fn identity(folder: &Path) -> Identity {
    DataDir::open(folder).unwrap().identity().unwrap()
}

pub fn certificate(identity: &Identity) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(identity.certificate_chain_pem.as_bytes()).unwrap()
}

fn serial(identity: &Identity) -> String {
    let certificate = certificate(identity);
    let (_, certificate) = x509_parser::parse_x509_certificate(&certificate).unwrap();
    certificate.serial.to_str_radix(16)
}

fn keys(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let keys = files.filter(|file| fs::read_to_string(file.path()).is_ok_and(|text| text.contains("PRIVATE KEY")));
    keys.map(|file| {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        file.file_name().into_string().unwrap()
    })
    .collect()
}

/// Its certificate opens no door any more.
fn over(identity: &Identity, authority: &Authority) {
    let validity = Validity::of_chain(&identity.certificate_chain_pem).unwrap();
    let clock_ms = time::OffsetDateTime::now_utc().unix_timestamp() * 1_000;
    let left_ms = u64::try_from(validity.not_after.0 - clock_ms).expect("a slow machine: it is over already");
    authority.put_clocks_on(left_ms / 1_000 + 1);
}

/// With core's word over MQTT, on the connection that the certificate in use has made.
pub async fn sells(shop: &Shop, broker: &Broker) {
    shop.mqtt(true).await;
    let payment = number(&shop.till.sell(json!({"amount_minor": 1250, "method": "code"})).await);
    shop.till.sees(payment, "state", "presenting").await;
    shop.core.customer_pays(payment);
    broker.tell(payment);
    shop.till.sees(payment, "receipt", "printed").await;
}

/// Core has all of the journal, and what came last by the key of the certificate that is on the disk now.
async fn signs_by_it(shop: &Shop) {
    shop.nothing_unsent().await;
    let own = serial(&identity(shop.folder.path()));
    assert_eq!(shop.core.look(|known| known.signed_by.last().cloned()), Some(own));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_certificate_is_shown_before_the_first_is_over() {
    let (mut shop, broker) =
        Shop::open_secured_by(ENDING, |authority| authority.lost.store(1_000, Ordering::SeqCst)).await;
    let authority = shop.core.authority();
    let before = identity(shop.folder.path());
    authority.lost.store(0, Ordering::SeqCst);
    shop.mqtt(true).await;
    let after = until("the next certificate on the disk", async || {
        Some(identity(shop.folder.path())).filter(|now| now.key_file != before.key_file)
    })
    .await;
    let next = certificate(&after);
    until("both ways to show it", async || {
        let shown = |door: Option<CertificateDer<'static>>| door.as_ref() == Some(&next);
        (shown(authority.https.last()) && shown(authority.mqtt.last())).then_some(())
    })
    .await;
    assert_eq!(keys(shop.folder.path()), [after.key_file.as_str()], "the first key is gone");
    let renewals = authority.renewals.load(Ordering::SeqCst);
    over(&before, &authority);
    sells(&shop, &broker).await;
    signs_by_it(&shop).await;
    assert_eq!(authority.renewals.load(Ordering::SeqCst), renewals, "and no other is asked for");
    let goodbyes = broker.heard(|heard| heard.presence.iter().filter(|online| !**online).count());
    assert_eq!(goodbyes, 0, "it never seemed to be gone");

    // The plug was pulled between a key and its certificate: that key is nobody's.
    shop.stop_till().await;
    fs::write(shop.folder.path().join("terminal-0011223344556677.key"), "-----BEGIN PRIVATE KEY-----").unwrap();
    shop.start_till().await;
    sells(&shop, &broker).await;
    assert_eq!(keys(shop.folder.path()), [after.key_file]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_asked_for_again() {
    let (shop, broker) = Shop::open_secured_by(ENDING, |authority| authority.lost.store(2, Ordering::SeqCst)).await;
    let authority = shop.core.authority();
    let before = identity(shop.folder.path());
    until("a certificate at the third attempt", async || {
        let now = identity(shop.folder.path());
        (now.key_file != before.key_file && authority.https.last() == Some(certificate(&now))).then_some(())
    })
    .await;
    assert_eq!(authority.renewals.load(Ordering::SeqCst), 3);
    over(&before, &authority);
    sells(&shop, &broker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_down_is_not_switched_to() {
    let (mut shop, broker) =
        Shop::open_secured_by(ENDING, |authority| authority.lost.store(1_000, Ordering::SeqCst)).await;
    shop.stop_till().await;
    let before = identity(shop.folder.path());
    let in_the_way = shop.folder.path().join("identity.new");
    fs::create_dir(&in_the_way).unwrap();
    let authority = shop.core.authority();
    authority.renewals.store(0, Ordering::SeqCst);
    authority.lost.store(0, Ordering::SeqCst);
    shop.start_till().await;
    until("two attempts", async || (authority.renewals.load(Ordering::SeqCst) >= 2).then_some(())).await;
    let held = identity(shop.folder.path());
    assert!(keys(shop.folder.path()).contains(&held.key_file), "what is on the disk is whole");
    sells(&shop, &broker).await;
    fs::remove_dir(&in_the_way).unwrap();
    until("the next certificate", async || {
        let now = identity(shop.folder.path());
        (now.key_file != before.key_file && authority.https.last() == Some(certificate(&now))).then_some(())
    })
    .await;
    sells(&shop, &broker).await;
}

/// A terminal that lay in a drawer for a year still has sales that core lacks.
#[tokio::test(flavor = "multi_thread")]
async fn after_the_end_the_same_terminal_enrols_again_and_keeps_its_journal() {
    let (mut shop, _broker) =
        Shop::open_secured_by(ENDING, |authority| authority.lost.store(1_000, Ordering::SeqCst)).await;
    until("somebody to be told", async || {
        let state = shop.till.get("/api/state").await;
        state["alarms"].as_array().unwrap().iter().any(|alarm| alarm["code"] == "certificate_ends").then_some(())
    })
    .await;
    let authority = shop.core.authority();
    over(&identity(shop.folder.path()), &authority);
    let before = serial(&identity(shop.folder.path()));
    shop.till.sell(json!({"amount_minor": 1250, "method": "cash"})).await;
    shop.stop_till().await;

    // The till may have learnt its names since.
    let held = identity(shop.folder.path());
    let folder = DataDir::open(shop.folder.path()).unwrap();
    let asked = |code: &str, again| request(&shop.core, code, again);
    assert!(matches!(enrol(&folder, &asked("CLAIM", false)).await, Err(EnrolError::Already(_))));
    assert!(matches!(enrol(&folder, &asked("OTHER", true)).await, Err(EnrolError::AnotherTerminal { .. })));
    assert_eq!(identity(shop.folder.path()), held, "nothing has changed so far");
    authority.set_first(LONG);
    enrol(&folder, &asked("CLAIM", true)).await.unwrap();
    shop.start_till().await;
    shop.nothing_unsent().await;
    let next = shop.till.sell(json!({"amount_minor": 1, "method": "cash"})).await;
    assert_eq!(next["counter"], 2);
    assert_eq!(shop.till.get("/api/state").await["alarms"], json!([]));
    // And signs with the key of the certificate that it has now.
    assert_ne!(before, serial(&identity(shop.folder.path())));
    signs_by_it(&shop).await;
}
