//! Whose word a journal is: entries that another wrote, altered or moved, by keys of every age, over both roads.

use saoma_protocol::{
    Sequence,
    api::{Enrolled, Renew, Renewed},
    journal::{Entry, EntrySignature},
    message::{Envelope, JournalAck, JournalBatch, Verdict},
};
use saoma_server::fleet::ca::CheckedRequest;
use saoma_store::{
    journal,
    terminals::{self, Certificate},
};

use crate::{
    fleet_client::{Client, Identity, csr},
    fleet_journal::{Journal, books, clean, over_https},
    fleet_world::{Till, World},
};

const DAY_MS: i64 = 86_400_000;

/// The batch as it is, over HTTPS.
async fn sent(till: &Till, batch: &JournalBatch) -> JournalAck {
    till.post("/v1/terminal/journal", batch).await.json(200)
}

/// The same over MQTT.
async fn published(client: &mut Client, till: &Till, batch: &JournalBatch) -> JournalAck {
    let message = Envelope::new(batch, None).encode().unwrap();
    let topic = format!("{}/up/journal", till.prefix());
    client.mqtt.publish(topic, rumqttc::v5::mqttbytes::QoS::AtLeastOnce, false, message).await.unwrap();
    Envelope::<JournalAck>::decode(&client.message("down/journal-ack").await).unwrap().body
}

/// Core has `through`, and says why it does not take the one after it.
fn refused(ack: &JournalAck, through: u64, why: &str) {
    let [verdict] = ack.verdicts.as_slice() else { panic!("one verdict: {ack:?}") };
    let told = (ack.through.0, verdict.sequence.0, verdict.verdict, verdict.newer);
    assert_eq!(told, (through, through + 1, Verdict::Rejected, false), "{why}: {}", verdict.why);
    assert!(verdict.why.contains(why), "{why}: {}", verdict.why);
}

async fn renewed(world: &World, by: &Till) -> Till {
    let key = rcgen::KeyPair::generate().unwrap();
    let answer: Renewed = by.post("/v1/terminal/renew", &Renew { csr_pem: csr(&key) }).await.json(200);
    by.with(world, key, answer.certificate_chain_pem)
}

fn sold(world: &World, till: &Till, count: i64) -> Vec<Entry> {
    let mut journal = Journal::new(world.now());
    for number in 1..=count {
        journal.sale(till, number * 100);
    }
    journal.entries
}

#[actix_web::test]
async fn what_this_terminal_did_not_sign_as_it_is_books_nothing() {
    let world = World::start().await;
    let (till, neighbour, stranger) =
        (world.till("Till 1").await, world.till("Till 2").await, world.till_of_another_tenant().await);
    let entries = sold(&world, &till, 4);
    assert_eq!(over_https(&till, &entries[..2]).await, clean(2));
    let before = books(&till).await;

    let good = till.identity.signed(till.tenant, &entries[2..]);
    let signature = |of: &Identity, by: &Till, entry: &Entry| of.sign(by.tenant, by.terminal, entry);
    let with = |signature: Option<EntrySignature>, certificates: &[&Identity]| JournalBatch {
        entries: vec![Entry { signature, ..entries[2].clone() }],
        certificates: certificates.iter().map(|identity| identity.certificate_text()).collect(),
    };
    let own = signature(&till.identity, &till, &entries[2]);
    let under = |serial: &EntrySignature, value: EntrySignature| EntrySignature {
        certificate: serial.certificate.clone(),
        ..value
    };
    let by_neighbour = signature(&neighbour.identity, &till, &entries[2]);
    let mut altered = good.clone();
    altered.entries[0].payload = altered.entries[0].payload.replace("300", "900");
    let unwritten = world.certificate_for(till.terminal);
    let foreign = World::foreign_identity(till.terminal, &till.identity.ca_pem);
    let mut journal = Journal::new(world.now());
    for _ in 0..3 {
        journal.sale(&stranger, 99_999);
    }
    let strangers = stranger.identity.signed(stranger.tenant, &journal.entries[2..]);
    let mut claimed = strangers.clone();
    claimed.entries[0].signature = strangers.entries[0].signature.clone().map(|signature| under(&own, signature));
    claimed.certificates = vec![till.identity.certificate_text()];

    let mut client = till.connect().await;
    client.subscribe(&format!("{}/down/#", till.prefix())).await;
    for (batch, why) in [
        (with(None, &[&till.identity]), "is not signed: update saoma-edge"),
        (altered, "does not fit"),
        // Another terminal's key, in its own name and in this one's.
        (with(Some(by_neighbour.clone()), &[&neighbour.identity, &till.identity]), "did not give this terminal"),
        (with(Some(under(&own, by_neighbour)), &[&till.identity, &neighbour.identity]), "does not fit"),
        // Its own key: over another number, for another terminal, for another merchant.
        (with(Some(signature(&till.identity, &till, &entries[3])), &[&till.identity]), "does not fit"),
        (with(Some(signature(&till.identity, &neighbour, &entries[2])), &[&till.identity]), "does not fit"),
        (
            with(Some(till.identity.sign(stranger.tenant, till.terminal, &entries[2])), &[&till.identity]),
            "does not fit",
        ),
        // Of another merchant's terminal under the same number, as it is and under this one's name.
        (strangers, "did not give this terminal"),
        (claimed, "does not fit"),
        // Certificates that core has not written down, or that are not core's; and none.
        (with(Some(signature(&unwritten, &till, &entries[2])), &[&unwritten]), "did not give this terminal"),
        (with(Some(under(&own, signature(&foreign, &till, &entries[2]))), &[&foreign]), "did not come along"),
        (with(Some(own.clone()), &[]), "did not come along"),
        (with(Some(EntrySignature { value: "!".to_owned(), ..own.clone() }), &[&till.identity]), "does not fit"),
        (
            with(Some(EntrySignature { certificate: "f".repeat(9_000), ..own.clone() }), &[&till.identity]),
            "did not give this terminal",
        ),
    ] {
        refused(&sent(&till, &batch).await, 2, why);
        refused(&published(&mut client, &till, &batch).await, 2, why);
        assert_eq!(books(&till).await, before, "{why}");
    }
    assert!(world.audited(&till, "journal.entry_rejected").await);
    // Behind a gap nothing is said about it.
    let behind = JournalBatch { entries: vec![entries[3].clone()], certificates: Vec::new() };
    assert_eq!(sent(&till, &behind).await, clean(2));
    // The real journal goes on, and core keeps whose word it was.
    assert_eq!(published(&mut client, &till, &good).await, clean(4));
    let (scope, terminal) = (world.merchant().0, till.terminal);
    let kept = world.read(move |tx| journal::entries(tx, &scope, terminal, Sequence(2), 9)).await;
    assert_eq!(kept.into_iter().map(|kept| kept.entry).collect::<Vec<_>>(), good.entries);
    world.books_hold().await;
}

#[actix_web::test]
async fn a_key_counts_beyond_its_renewal_and_its_end_until_it_is_withdrawn() {
    let world = World::start().await;
    let offer = world.offer("Till 1").await;
    let first = world.enrol(&offer.claim_code).await;
    let entries = sold(&world, &first, 6);
    let all_by_first = first.identity.signed(first.tenant, &entries);
    let part = |from: usize, to: usize| JournalBatch {
        entries: all_by_first.entries[from..to].to_vec(),
        ..all_by_first.clone()
    };

    // Journaled before the renewal, sent after it.
    let second = renewed(&world, &first).await;
    assert_eq!(sent(&second, &part(0, 1)).await, clean(1));
    // After the next one the first is worth nothing; the second still is.
    let third = renewed(&world, &second).await;
    refused(&sent(&third, &part(1, 2)).await, 1, "was withdrawn: restart the terminal");
    let mut mixed = second.identity.signed(second.tenant, &entries[1..2]);
    let by_third = third.identity.signed(third.tenant, &entries[2..3]);
    mixed.entries.extend(by_third.entries);
    mixed.certificates.extend(by_third.certificates);
    assert_eq!(sent(&third, &mixed).await, clean(3));
    // What core has is known by its hash: a batch that comes late says nothing about its key any more.
    assert_eq!(sent(&third, &part(0, 3)).await, clean(3));

    // A certificate that is over, as of a till that lay in a drawer.
    let (key, now, terminal) = (rcgen::KeyPair::generate().unwrap(), world.now(), first.terminal);
    let long_ago = now.plus(-400 * DAY_MS);
    let issued =
        world.app().fleet().ca().issue(terminal, &CheckedRequest::read(&csr(&key)).unwrap(), long_ago).unwrap();
    assert!(issued.not_after < now);
    let (scope, serial) = (world.merchant().0, issued.serial.clone());
    let certificate = Certificate { serial, not_after: issued.not_after, issued_at: long_ago, revoked_at: None };
    let add = move |tx: &mut saoma_store::Tx<'_>| terminals::add_certificate(tx, &scope, terminal, &certificate);
    world.app().store().write(add).await.unwrap();
    let over = Identity { key, chain_pem: issued.chain_pem, ca_pem: first.identity.ca_pem.clone() };
    assert_eq!(sent(&third, &over.signed(first.tenant, &entries[3..4])).await, clean(4));

    // Another machine takes its place: what the one before signed has to be signed by that one.
    let key = rcgen::KeyPair::generate().unwrap();
    let body = saoma_protocol::api::Enrol { claim_code: world.offer_again(&offer).await, csr_pem: csr(&key) };
    let enrolled: Enrolled = world.anonymous().post("/v1/terminal/enrol", &body).await.json(200);
    let again = Till::new(&world, key, enrolled);
    let by_third = third.identity.signed(third.tenant, &entries[4..]);
    refused(&sent(&again, &by_third).await, 4, "was withdrawn");
    assert_eq!(over_https(&again, &entries[4..]).await, clean(6));
    world.books_hold().await;
}

#[actix_web::test]
async fn an_agent_from_before_goes_on_without_until_its_first_signature() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let entries = sold(&world, &till, 5);
    let unsigned =
        |from: usize, to: usize| JournalBatch { entries: entries[from..to].to_vec(), certificates: Vec::new() };
    // Also one that core has nothing of: with sales unsent it could not be updated either.
    assert_eq!(sent(&till, &unsigned(0, 1)).await, clean(1));
    assert_eq!(sent(&till, &unsigned(1, 3)).await, clean(3));
    assert_eq!(over_https(&till, &entries[3..4]).await, clean(4));
    refused(&sent(&till, &unsigned(4, 5)).await, 4, "entry 5 is not signed: update saoma-edge");
    assert_eq!(over_https(&till, &entries).await, clean(5), "what it sends again it may sign by now");
    world.books_hold().await;
}
