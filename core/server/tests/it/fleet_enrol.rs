//! Enrolment and everything a terminal asks over HTTPS.

use std::time::{Duration, Instant};

use saoma_protocol::{
    Sequence,
    api::{Enrol, Enrolled, Pushes, Renew, Renewed, TerminalBooks, TerminalProfile},
    message::{PushAck, PushBody},
};

use crate::{
    fleet_client::{Client, Connect, csr},
    fleet_world::{Till, World, eventually},
};

fn enrol(claim_code: &str, csr_pem: String) -> Enrol {
    Enrol { claim_code: claim_code.to_owned(), csr_pem }
}

#[actix_web::test]
async fn a_terminal_enrols_and_gets_all_it_needs() {
    let world = World::start().await;
    let offer = world.offer("Till 1").await;
    let key = rcgen::KeyPair::generate().unwrap();
    // As a person types it.
    let typed = offer.claim_code.to_lowercase().replace('-', "");
    let enrolled: Enrolled = world.anonymous().post("/v1/terminal/enrol", &enrol(&typed, csr(&key))).await.json(200);
    assert_eq!((enrolled.terminal, enrolled.tenant), (offer.terminal, offer.tenant));
    assert_eq!(enrolled.ca_pem, world.ca_pem());
    assert!(enrolled.certificate_chain_pem.ends_with(&enrolled.ca_pem));
    assert_eq!(enrolled.mqtt_port, world.broker().local_addr().unwrap().port());
    assert_eq!(enrolled.profile.terminal_name, "Till 1");
    assert!(world.shown_terminal(offer.terminal).await.enrolled_at.is_some());

    let till = Till::new(&world, key, enrolled.clone());
    let profile: TerminalProfile = till.get("/v1/terminal/profile").await.json(200);
    assert_eq!(profile, enrolled.profile);
    let books: TerminalBooks = till.get("/v1/terminal/books").await.json(200);
    assert_eq!((books.journal_through, books.sales_count), (Sequence(0), 0));
    till.connect().await;
}

#[actix_web::test]
async fn codes_that_do_not_work_all_look_the_same() {
    let world = World::start().await;
    let used = world.offer("Till 1").await;
    let withdrawn = world.offer_again(&used).await;
    let fresh = world.offer_again(&used).await;
    let expired = world.expired_offer("Till 2").await;
    let key = rcgen::KeyPair::generate().unwrap();
    let anonymous = world.anonymous();
    anonymous.post("/v1/terminal/enrol", &enrol(&fresh, csr(&key))).await.json::<Enrolled>(200);

    let mut answers = Vec::new();
    for code in [fresh.as_str(), &withdrawn, &expired, "0000-0000-0000", "", "not a code", "收款"] {
        let answer = anonymous.post("/v1/terminal/enrol", &enrol(code, csr(&key))).await;
        assert_eq!(answer.status, 403, "{code:?}: {}", answer.text);
        answers.push(answer.problem_without_trace());
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    assert_eq!(answers[0]["code"], "claim_code_invalid");
}

#[actix_web::test]
async fn a_bad_request_does_not_use_up_the_code() {
    let world = World::start().await;
    let offer = world.offer("Till 1").await;
    let anonymous = world.anonymous();
    let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    for csr_pem in [String::new(), "-----BEGIN CERTIFICATE REQUEST-----".to_owned(), world.ca_pem(), csr(&p384)] {
        let answer = anonymous.post("/v1/terminal/enrol", &enrol(&offer.claim_code, csr_pem)).await;
        assert_eq!((answer.status, answer.code().as_str()), (422, "csr_invalid"), "{}", answer.text);
    }
    let key = rcgen::KeyPair::generate().unwrap();
    anonymous.post("/v1/terminal/enrol", &enrol(&offer.claim_code, csr(&key))).await.json::<Enrolled>(200);
}

#[actix_web::test]
async fn one_code_enrols_one_terminal_once_however_many_try_at_once() {
    let world = World::start().await;
    let offer = world.offer("Till 1").await;
    let anonymous = world.anonymous();
    let tries = (0..6).map(|_| {
        let key = rcgen::KeyPair::generate().unwrap();
        let body = enrol(&offer.claim_code, csr(&key));
        let anonymous = &anonymous;
        async move { anonymous.post("/v1/terminal/enrol", &body).await.status }
    });
    let mut statuses = futures_util::future::join_all(tries).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403, 403, 403, 403, 403]);
}

#[actix_web::test]
async fn guessing_is_slowed_down() {
    let world = World::start().await;
    let anonymous = world.anonymous();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut last = 0;
    for number in 0..11 {
        let code = format!("0000-0000-{number:04}");
        last = anonymous.post("/v1/terminal/enrol", &enrol(&code, csr(&key))).await.status;
    }
    assert_eq!(last, 429);
}

#[actix_web::test]
async fn enrolling_again_shuts_out_the_machine_before() {
    let world = World::start().await;
    let offer = world.offer("Till 1").await;
    let before = world.enrol(&offer.claim_code).await;
    let mut client = before.connect().await;
    let code = world.offer_again(&offer).await;
    assert_eq!(before.get("/v1/terminal/profile").await.status, 200, "an offer alone changes nothing");
    let after = world.enrol(&code).await;
    assert_eq!(after.terminal, before.terminal);
    client.ended().await;
    assert!(Client::connect(before.how()).await.is_err());
    assert_eq!(before.get("/v1/terminal/profile").await.status, 401);
    assert_eq!(after.get("/v1/terminal/profile").await.status, 200);
    after.connect().await;
}

#[actix_web::test]
async fn a_terminal_renews_and_a_lost_answer_locks_nobody_out() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let renew = async |by: &Till| {
        let key = rcgen::KeyPair::generate().unwrap();
        let answer: Renewed = by.post("/v1/terminal/renew", &Renew { csr_pem: csr(&key) }).await.json(200);
        by.with(&world, key, answer.certificate_chain_pem)
    };
    let lost = renew(&till).await;
    let next = renew(&till).await;
    assert_eq!(next.get("/v1/terminal/profile").await.status, 200);
    assert_eq!(till.get("/v1/terminal/profile").await.status, 200, "until the next renewal");
    assert_eq!(lost.get("/v1/terminal/profile").await.status, 401, "its answer never arrived");
    let third = renew(&next).await;
    assert_eq!(till.get("/v1/terminal/profile").await.status, 401);
    Client::connect(Connect { ..third.how() }).await.expect("the new certificate is good for MQTT as well");
}

#[actix_web::test]
async fn without_a_certificate_there_is_enrolment_alone() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let anonymous = world.anonymous();
    for path in ["profile", "books", "pushes?after=0"] {
        assert_eq!(anonymous.get(&format!("/v1/terminal/{path}")).await.status, 401, "{path}");
    }
    for path in ["journal", "pushes/ack", "renew"] {
        let answer = anonymous.post_text(&format!("/v1/terminal/{path}"), "{}").await;
        assert_eq!(answer.status, 401, "{path}");
    }
    // A certificate of another CA does not get through the handshake.
    let forged = World::foreign_identity(till.terminal, &till.identity.ca_pem);
    assert!(world.client_with(&forged).try_get("/v1/terminal/profile").await.is_err());
}

#[actix_web::test]
async fn pushes_over_https() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let none: Pushes = till.get("/v1/terminal/pushes?after=0").await.json(200);
    assert_eq!(none.pushes, []);
    let started = Instant::now();
    let none: Pushes = till.get("/v1/terminal/pushes?after=0&wait_ms=300").await.json(200);
    assert_eq!(none.pushes, []);
    assert!(started.elapsed() >= Duration::from_millis(300));

    // Whoever waits is answered as soon as there is something.
    let (waited, id) = futures_util::future::join(
        async {
            let pushes: Pushes = till.get("/v1/terminal/pushes?after=0&wait_ms=20000").await.json(200);
            (pushes, started.elapsed())
        },
        world.push_sync_now(&till),
    )
    .await;
    let (pushes, elapsed) = waited;
    assert_eq!(pushes.pushes.iter().map(|push| (push.id, &push.body)).collect::<Vec<_>>(), [(id, &PushBody::SyncNow)]);
    assert!(elapsed < Duration::from_secs(15), "{elapsed:?}");

    let after: Pushes = till.get(&format!("/v1/terminal/pushes?after={}", id.0)).await.json(200);
    assert_eq!(after.pushes, []);
    assert_eq!(till.post("/v1/terminal/pushes/ack", &PushAck { ids: vec![id] }).await.status, 204);
    eventually("acknowledged", async || world.pending(&till).await.is_empty()).await;
    let again: Pushes = till.get("/v1/terminal/pushes?after=0").await.json(200);
    assert_eq!(again.pushes, []);
    for query in ["after=-1", "after=x", "after=0&wait_ms=30001", "after=0&other=1"] {
        assert_eq!(till.get(&format!("/v1/terminal/pushes?{query}")).await.status, 422, "{query}");
    }
}
