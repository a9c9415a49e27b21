//! The broker's door from outside: real MQTT clients over TLS, and each way in that must be shut.

use rumqttc::v5::{
    ConnectionError,
    mqttbytes::{
        QoS,
        v5::{ConnectReturnCode, PubAckReason, SubscribeReasonCode},
    },
};
use saoma_protocol::{
    Sequence, TenantId, TerminalId,
    message::{Envelope, Health, MESSAGE_LEN_MAX, Presence, Push, PushAck, PushBody, Unsent},
    topic::{Leaf, Topic},
};

use crate::{
    fleet_client::{Client, Connect},
    fleet_world::{Till, World, eventually},
};

fn not_authorised(connected: Result<Client, ConnectionError>) -> bool {
    matches!(connected, Err(ConnectionError::ConnectionRefused(ConnectReturnCode::NotAuthorized)))
}

/// The handshake itself fails: the broker's MQTT never hears of it.
fn refused_by_tls(connected: Result<Client, ConnectionError>) -> bool {
    matches!(connected, Err(ConnectionError::Tls(_) | ConnectionError::Io(_) | ConnectionError::MqttState(_)))
}

fn with_will(till: &Till, topic: String) -> Connect {
    Connect { will: Some(topic), ..till.how() }
}

#[actix_web::test]
async fn a_terminal_has_its_own_topics_and_no_others() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let neighbour = world.till("Till 2").await;
    let stranger = world.till_of_another_tenant().await;
    let mut client = till.connect().await;

    let (own, other, foreign) = (till.prefix(), neighbour.prefix(), stranger.prefix());
    let allowed = SubscribeReasonCode::Success(QoS::AtLeastOnce);
    for (filter, expected) in [
        (format!("{own}/down/#"), allowed),
        (format!("{own}/down/push"), allowed),
        (format!("{own}/up/#"), SubscribeReasonCode::NotAuthorized),
        (format!("{own}/#"), SubscribeReasonCode::NotAuthorized),
        (format!("{other}/down/#"), SubscribeReasonCode::NotAuthorized),
        (format!("{foreign}/down/#"), SubscribeReasonCode::NotAuthorized),
        (format!("t/{}/+/down/#", till.tenant), SubscribeReasonCode::NotAuthorized),
        (format!("t/+/{}/down/#", till.terminal), SubscribeReasonCode::NotAuthorized),
        ("#".to_owned(), SubscribeReasonCode::NotAuthorized),
        ("+/+/+/+/+".to_owned(), SubscribeReasonCode::NotAuthorized),
        ("$SYS/#".to_owned(), SubscribeReasonCode::NotAuthorized),
        (format!("$share/core/{own}/down/#"), SubscribeReasonCode::NotAuthorized),
        ("$share/core/t/#".to_owned(), SubscribeReasonCode::NotAuthorized),
        (format!("$exclusive/{own}/down/push"), SubscribeReasonCode::NotAuthorized),
        (format!("$limit/1/{own}/down/push"), SubscribeReasonCode::NotAuthorized),
    ] {
        assert_eq!(client.subscribe(&filter).await, expected, "{filter}");
    }
    for (topic, expected) in [
        (format!("{own}/up/presence"), PubAckReason::Success),
        (format!("{own}/up/health"), PubAckReason::Success),
        (format!("{own}/up/other"), PubAckReason::NotAuthorized),
        (format!("{own}/down/push"), PubAckReason::NotAuthorized),
        (format!("{other}/up/journal"), PubAckReason::NotAuthorized),
        (format!("{other}/down/push"), PubAckReason::NotAuthorized),
        (format!("{foreign}/up/journal"), PubAckReason::NotAuthorized),
        ("$SYS/broker".to_owned(), PubAckReason::NotAuthorized),
        ("x".to_owned(), PubAckReason::NotAuthorized),
    ] {
        assert_eq!(client.publish(&topic, "{}").await, expected, "{topic}");
    }
}

#[actix_web::test]
async fn who_is_let_in() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let neighbour = world.till("Till 2").await;
    let nobody = TerminalId::from_bytes([1; 16]);

    assert!(refused_by_tls(Client::connect(Connect { tls: till.identity.tls(false), ..till.how() }).await));
    let other_ca = World::foreign_identity(till.terminal, &till.identity.ca_pem);
    assert!(refused_by_tls(Client::connect(Connect { tls: other_ca.tls(true), ..till.how() }).await));
    // Core's own CA, and a terminal that was never made.
    let unknown = world.certificate_for(nobody);
    let how = Connect { tls: unknown.tls(true), client_id: nobody.to_string(), ..till.how() };
    assert!(not_authorised(Client::connect(how).await));
    // Core's own CA and a terminal that exists, but core has not given it this certificate.
    let unlisted = world.certificate_for(till.terminal);
    assert!(not_authorised(Client::connect(Connect { tls: unlisted.tls(true), ..till.how() }).await));

    for client_id in [String::new(), "x".to_owned(), neighbour.terminal.to_string(), format!("{} ", till.terminal)] {
        let refused = Client::connect(Connect { client_id: client_id.clone(), ..till.how() }).await;
        assert!(not_authorised(refused), "{client_id:?}");
    }
    for topic in [
        format!("{}/up/presence", neighbour.prefix()),
        format!("{}/down/push", till.prefix()),
        format!("{}/up/journal", till.prefix()),
        "t/#".to_owned(),
    ] {
        assert!(not_authorised(Client::connect(with_will(&till, topic.clone())).await), "{topic}");
    }
    Client::connect(with_will(&till, format!("{}/up/presence", till.prefix()))).await.expect("its own presence");
}

#[actix_web::test]
async fn a_revoked_terminal_is_put_out_and_stays_out() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let mut client = till.connect().await;
    world.revoke(&till).await;
    client.ended().await;
    assert!(not_authorised(Client::connect(till.how()).await));
    let told = till.get("/v1/terminal/profile").await;
    assert_eq!(
        (told.status, told.code().as_str()),
        (401, "terminal_shut_out"),
        "by which tills know it (`is_locked_out`)"
    );
}

/// Nobody has said that it is to stop: a till that heard otherwise would take no cash any more.
#[actix_web::test]
async fn a_certificate_that_is_over_or_unknown_at_core_is_not_one_that_was_withdrawn() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    // As after a backup of before was put back.
    let unknown = world.certificate_for(till.terminal);
    // As by a clock of core's that is ahead, on a connection that stands.
    let over = world.certificate_over_at_core(&till).await;
    for identity in [unknown, over] {
        let told = world.client_with(&identity).get("/v1/terminal/profile").await;
        assert_eq!((told.status, told.code().as_str()), (401, "unauthenticated"));
    }
}

#[actix_web::test]
async fn a_foreign_last_will_never_goes_out() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let neighbour = world.till("Till 2").await;
    let mut listening = neighbour.connect().await;
    listening.subscribe(&format!("{}/down/#", neighbour.prefix())).await;
    let will = format!("{}/down/push", neighbour.prefix());
    assert!(not_authorised(Client::connect(with_will(&till, will)).await));
    // What comes next is core's push, so nothing came before it.
    world.push_sync_now(&neighbour).await;
    let push: Envelope<Push> = Envelope::decode(&listening.message("down/push").await).unwrap();
    assert_eq!(push.body.body, PushBody::SyncNow);
}

#[actix_web::test]
async fn a_packet_past_the_limit_ends_the_connection() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let mut client = till.connect().await;
    let journal = format!("{}/up/journal", till.prefix());
    let fits = client.publish(&journal, vec![b' '; MESSAGE_LEN_MAX]).await;
    assert_eq!(fits, PubAckReason::Success);
    // rumqttc knows the broker's limit from the CONNACK and refuses by itself, which ends its event loop.
    let _ = client.mqtt.publish(&journal, QoS::AtLeastOnce, false, vec![b' '; MESSAGE_LEN_MAX + 2048]).await;
    client.ended().await;
}

#[actix_web::test]
async fn a_new_connection_takes_over_and_the_terminal_stays_online() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let mut first = till.connect().await;
    eventually("online", async || world.shown(&till).await.online).await;
    let mut second = till.connect().await;
    first.ended().await;
    assert_eq!(
        second.subscribe(&format!("{}/down/#", till.prefix())).await,
        SubscribeReasonCode::Success(QoS::AtLeastOnce)
    );
    assert!(world.shown(&till).await.online);
    drop(second);
    eventually("offline", async || !world.shown(&till).await.online).await;
}

#[actix_web::test]
async fn presence_and_health_are_shown() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    assert!(!world.shown(&till).await.online);
    let mut client = till.connect().await;
    eventually("online", async || world.shown(&till).await.online).await;

    let health = Health {
        version: "0.1.0".to_owned(),
        at: world.now(),
        peripherals: Vec::new(),
        unsent: Unsent { count: 2, oldest_at: Some(world.now()), at_risk: Vec::new() },
        announces: true,
    };
    let message = Envelope::new(health.clone(), None).encode().unwrap();
    client.publish(&format!("{}/up/health", till.prefix()), message).await;
    eventually("health", async || world.shown(&till).await.health.is_some_and(|(shown, _)| shown == health)).await;

    let gone = Envelope::new(Presence { online: false }, None).encode().unwrap();
    client.publish(&format!("{}/up/presence", till.prefix()), gone).await;
    eventually("offline", async || !world.shown(&till).await.online).await;
}

#[actix_web::test]
async fn a_push_is_repeated_until_it_is_acknowledged() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    // Made while the terminal is away.
    let id = world.push_sync_now(&till).await;

    let down = format!("{}/down/#", till.prefix());
    let mut client = till.connect().await;
    client.subscribe(&down).await;
    assert_eq!(push_of(&mut client).await.id, id);
    drop(client);

    // Not acknowledged: again on the next connection, also through another broker.
    world.restart_broker().await;
    let mut client = till.connect().await;
    client.subscribe(&down).await;
    assert_eq!(push_of(&mut client).await.id, id);
    let ack = Envelope::new(PushAck { ids: vec![id] }, None).encode().unwrap();
    client.publish(&format!("{}/up/ack", till.prefix()), ack).await;
    eventually("acknowledged", async || world.pending(&till).await.is_empty()).await;
    drop(client);

    // The next one comes alone.
    let next = world.push_sync_now(&till).await;
    let mut client = till.connect().await;
    client.subscribe(&down).await;
    assert_eq!(push_of(&mut client).await.id, next);
}

#[actix_web::test]
async fn an_acknowledgement_with_a_gap_brings_the_lost_push_again() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let mut client = till.connect().await;
    client.subscribe(&format!("{}/down/#", till.prefix())).await;
    let (lost, had) = (world.push_sync_now(&till).await, world.push_sync_now(&till).await);
    assert_eq!((push_of(&mut client).await.id, push_of(&mut client).await.id), (lost, had));
    let ack = Envelope::new(PushAck { ids: vec![had] }, None).encode().unwrap();
    client.publish(&format!("{}/up/ack", till.prefix()), ack).await;
    assert_eq!(push_of(&mut client).await.id, lost);
}

#[actix_web::test]
async fn another_terminals_acknowledgement_does_not_count() {
    let world = World::start().await;
    let (till, neighbour) = (world.till("Till 1").await, world.till("Till 2").await);
    let id = world.push_sync_now(&till).await;
    let mut client = neighbour.connect().await;
    let ack = Envelope::new(PushAck { ids: vec![id, Sequence(u64::MAX)] }, None).encode().unwrap();
    assert_eq!(client.publish(&format!("{}/up/ack", neighbour.prefix()), ack).await, PubAckReason::Success);
    assert_eq!(world.pending(&till).await, [id]);
}

#[actix_web::test]
async fn a_message_made_long_ago_is_still_delivered() {
    // rmqtt drops a message whose time of creation is old, without a word: core gives the time of sending.
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let id = world.push_made_at(&till, world.now().plus(-3 * 24 * 3600 * 1000)).await;
    let mut client = till.connect().await;
    client.subscribe(&format!("{}/down/#", till.prefix())).await;
    assert_eq!(push_of(&mut client).await.id, id);
}

#[actix_web::test]
async fn the_broker_stops_and_starts_alone() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let mut client = till.connect().await;
    world.broker().stop().await;
    client.ended().await;
    assert!(Client::connect(till.how()).await.is_err());
    assert_eq!(till.get("/v1/terminal/profile").await.status, 200, "core goes on");
    let address = world.broker().start().await.unwrap();
    assert_eq!(address.port(), till.mqtt_port, "terminals find it where it was");
    till.connect().await;
}

#[actix_web::test]
async fn garbage_on_every_topic_does_no_harm() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let mut client = till.connect().await;
    for leaf in ["up/journal", "up/ack", "up/health", "up/presence"] {
        for payload in ["", "{", "null", "[]", "\u{0}", r#"{"v":2,"body":{}}"#, r#"{"v":1,"body":{}}"#, r#"{"v":1}"#] {
            let ack = client.publish(&format!("{}/{leaf}", till.prefix()), payload).await;
            assert_eq!(ack, PubAckReason::Success, "{leaf} {payload:?}");
        }
    }
    let topic = Topic { tenant: TenantId::from_bytes([1; 16]), terminal: till.terminal, leaf: Leaf::Journal };
    assert_eq!(client.publish(&topic.to_string(), "{}").await, PubAckReason::NotAuthorized);
}

async fn push_of(client: &mut Client) -> Push {
    Envelope::<Push>::decode(&client.message("down/push").await).unwrap().body
}
