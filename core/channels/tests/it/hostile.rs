//! A hostile plugin burns its own time slice and nothing else.

use std::{
    cell::Cell,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use saoma_channels::{
    Account, CALLS_MOST, CallsMax, ChannelCaller as _, ContentHash, Failure, Host, HostConfig, HttpMessage, MemoryMax,
    NotificationFailure, PaymentStatus, Whose,
};
use saoma_protocol::TenantId;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinSet,
};

use super::{
    guests::{CODE, TOKEN, config, host, hostile_account, known, order, sandbox_account},
    install::altered,
    wallet::Wallet,
};

/// The plugin's own call timeout, and what a busy machine may add to it.
const DEADLINE: Duration = Duration::from_millis(1_000);
const SLACK: Duration = Duration::from_secs(3);

async fn charged(host: &Host, mode: &str) -> Result<PaymentStatus, Failure> {
    let began = Instant::now();
    let outcome = host.charge(&hostile_account(mode), &order(1, 1_000), "770000000000000000").await;
    assert!(began.elapsed() < DEADLINE + SLACK, "{mode} took {:?}", began.elapsed());
    outcome.map(|answer| answer.status)
}

#[tokio::test]
async fn every_mode_ends_in_its_failure_within_the_deadline() {
    // The operator's default: no private addresses.
    let host = host(HostConfig { allow_private_addresses: false, ..config() }).await;
    for (mode, code) in [
        ("honest", "answered"),
        ("trap", "trapped"),
        ("loop", "timed_out"),
        ("sleep", "timed_out"),
        ("memory", "out_of_memory"),
        ("recursion", "trapped"),
        ("huge-answer", "bad_answer"),
        ("log-flood", "answered"),
        ("forbidden-host", "not_sent"),
        ("private-address", "not_sent"),
        ("secret-probe", "not_sent"),
        ("kv-flood", "answered"),
        ("kv-count", "not_sent"),
        ("random-flood", "trapped"),
        ("wrong-order", "bad_answer"),
        ("wrong-amount", "bad_answer"),
        ("wrong-currency", "bad_answer"),
        ("tells-code", "no_answer"),
        ("secret-elsewhere", "not_sent"),
        ("oversize", "not_sent"),
        ("sign-flood", "not_sent"),
        ("verify-flood", "not_sent"),
        ("card-echo", "not_sent"),
        ("key-probe", "not_sent"),
    ] {
        let outcome = charged(&host, mode).await;
        let told = outcome.as_ref().map_or_else(Failure::code, |_| "answered");
        assert_eq!(told, code, "{mode}: {outcome:?}");
        // And right after it the same plugin serves the next call.
        assert_eq!(charged(&host, "honest").await, Ok(PaymentStatus::Succeeded), "after {mode}");
    }
}

#[tokio::test]
async fn query_and_cancel_misbehave_too() {
    let host = host(config()).await;
    let account = hostile_account("trap");
    assert!(matches!(host.query(&account, &known(1)).await, Err(Failure::Trapped { .. })));
    assert!(matches!(host.cancel(&account, &known(1)).await, Err(Failure::Trapped { .. })));
    assert!(matches!(host.create(&account, &order(1, 1_000)).await, Err(Failure::Trapped { .. })));
    let account = hostile_account("wrong-order");
    assert!(matches!(host.query(&account, &known(1)).await, Err(Failure::BadAnswer { .. })));
}

#[tokio::test]
async fn what_the_manifest_does_not_offer_is_not_called() {
    let host = host(config()).await;
    let account = hostile_account("trap");
    assert_eq!(host.fetch_bill(&account, "2026-01-31", None).await, Err(Failure::Unsupported));
}

/// However long a plugin's call timeout is, its own code runs only so long.
#[tokio::test]
async fn running_is_bounded_apart_from_waiting() {
    let host = host(HostConfig { running_ms_max: 100, ..config() }).await;
    let outcome = charged(&host, "loop").await;
    assert!(matches!(outcome, Err(Failure::TimedOut { after_ms: 100..1_000 })), "{outcome:?}");
    assert_eq!(charged(&host, "sleep").await, Err(Failure::TimedOut { after_ms: 1_000 }));
}

/// If running guests did not give way, the neighbour could not go on at all.
#[tokio::test(flavor = "current_thread")]
async fn a_neighbour_goes_on_while_others_loop_crash_and_hoard() {
    let (host, wallet) = (host(config()).await, Wallet::start().await);
    let neighbour = sandbox_account(&wallet.url());
    let are_over = Cell::new(false);
    let spoilers = async {
        let calls =
            ["loop", "loop", "loop", "memory", "recursion", "trap", "sleep", "loop"].map(|mode| charged(&host, mode));
        let [a, b, c, d, e, f, g, h] = calls;
        let outcomes = tokio::join!(a, b, c, d, e, f, g, h);
        are_over.set(true);
        outcomes
    };
    let honest = async {
        let answer = host.charge(&neighbour, &order(1, 1_000), CODE).await.expect("the neighbour is served");
        assert_eq!(answer.status, PaymentStatus::Succeeded);
        assert!(!are_over.get(), "the neighbour had to wait until the others had used up their time");
    };
    let (outcomes, ()) = tokio::join!(spoilers, honest);
    assert_eq!(outcomes.0, Err(Failure::TimedOut { after_ms: 1_000 }));
}

/// A plugin that holds all its places leaves the host's others to the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_plugin_cannot_take_all_places() {
    let config = HostConfig { calls_max: CallsMax { per_plugin: 2, ..CallsMax::of(4) }, ..config() };
    let (host, wallet) = (host(config).await, Wallet::start().await);
    let sleeper = hostile_account("sleep");
    let order = order(1, 1_000);
    let asleep = || host.charge(&sleeper, &order, "770000000000000000");
    let neighbour = sandbox_account(&wallet.url());
    let (a, b, c, paid) = tokio::join!(asleep(), asleep(), asleep(), host.charge(&neighbour, &order, CODE));
    let overloaded = [a, b, c].iter().filter(|outcome| **outcome == Err(Failure::Overloaded)).count();
    assert_eq!(overloaded, 1, "the third had no place");
    assert_eq!(paid.expect("the neighbour has a place").status, PaymentStatus::Succeeded);
}

/// A tenant whose calls all hang leaves the plugin's other places to the other tenants.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_tenant_cannot_take_all_places_of_a_plugin() {
    let calls_max = CallsMax { in_all: 16, per_plugin: 4, per_tenant: 8, per_tenant_of_plugin: 2 };
    let host = host(HostConfig { calls_max, ..config() }).await;
    let order = order(1, 1_000);
    // Any number of accounts of one tenant share what is the tenant's.
    let accounts = [1, 2, 3].map(|n| {
        let id = saoma_protocol::ChannelAccountId::from_bytes([n; 16]);
        Account { id, ..hostile_account("sleep") }
    });
    let asleep = |n: usize| host.charge(&accounts[n], &order, "770000000000000000");
    let neighbour = Account { tenant: saoma_protocol::TenantId::from_bytes([9; 16]), ..hostile_account("honest") };
    let paid = host.charge(&neighbour, &order, "770000000000000000");
    let (a, b, c, paid) = tokio::join!(asleep(0), asleep(1), asleep(2), paid);
    let overloaded = [a, b, c].iter().filter(|outcome| **outcome == Err(Failure::Overloaded)).count();
    assert_eq!(overloaded, 1, "the third had no place");
    assert_eq!(paid.expect("the other tenant has a place").status, PaymentStatus::Succeeded);
}

/// Plugins of one tenant's own, whatever their number, hold no more than its share of the host: of places, and of memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_tenant_with_many_plugins_leaves_the_others_theirs() {
    let calls_max = CallsMax { in_all: 8, per_plugin: 8, per_tenant: 4, per_tenant_of_plugin: 2 };
    // Of memory there is room for two of its calls; each begins with 1 MiB.
    let memory_max = MemoryMax { per_tenant: 5 << 19, ..MemoryMax::of(1 << 30) };
    let roomy = HostConfig { calls_max, ..config() };
    for (config, served) in [(roomy.clone(), 4), (HostConfig { memory_max, ..roomy }, 2)] {
        let host = Arc::new(host(config).await);
        let mut own = Vec::new();
        for n in 1..=4 {
            let channel = format!("hostil{n}");
            let bytes = altered("hostile", "hostile0.1.0Hostile", &format!("{channel}0.1.0Hostile"));
            let package = host.install_package(&bytes, Whose::Tenants).await.expect("installs").content_hash();
            own.push(Account { channel, package: Some(package), ..hostile_account("sleep") });
        }
        let mut asleep = JoinSet::new();
        for account in own.iter().chain(&own) {
            let (host, account) = (Arc::clone(&host), account.clone());
            asleep.spawn(async move { host.charge(&account, &order(1, 1_000), "770000000000000000").await });
        }
        let neighbour = Account { tenant: TenantId::from_bytes([9; 16]), ..hostile_account("honest") };
        let paid = host.charge(&neighbour, &order(1, 1_000), "770000000000000000").await;
        assert_eq!(paid.expect("another tenant has a place").status, PaymentStatus::Succeeded);
        let outcomes = asleep.join_all().await;
        let overloaded = outcomes.iter().filter(|outcome| **outcome == Err(Failure::Overloaded)).count();
        assert_eq!(outcomes.len() - overloaded, served, "{outcomes:?}");
    }
}

/// Two tenants' own plugins of one name, even of the same bytes, have no places in common.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_own_plugins_of_one_name_are_two() {
    let calls_max = CallsMax { in_all: 8, per_plugin: 1, per_tenant: 4, per_tenant_of_plugin: 2 };
    let host = host(HostConfig { calls_max, ..config() }).await;
    let bytes = altered("hostile", "hostile0.1.0Hostile", "hostil50.1.0Hostile");
    let hash = ContentHash::of(&bytes);
    let of = |tenant: u8, mode: &str| Account {
        channel: "hostil5".to_owned(),
        package: Some(hash),
        tenant: TenantId::from_bytes([tenant; 16]),
        ..hostile_account(mode)
    };
    let (accounts, order) = ([of(1, "sleep"), of(1, "sleep"), of(2, "honest")], order(1, 1_000));
    for (whose, overloaded) in [(Whose::Tenants, 0), (Whose::Everybodys, 2)] {
        host.install_package(&bytes, whose).await.expect("installs");
        let charge = |n: usize| host.charge(&accounts[n], &order, "770000000000000000");
        let (a, b, c) = tokio::join!(charge(0), charge(1), charge(2));
        let turned_away = [a, b, c].iter().filter(|outcome| **outcome == Err(Failure::Overloaded)).count();
        assert_eq!(turned_away, overloaded, "{whose:?}");
    }
    // What is the platform's stays so, whoever else has it.
    host.install_package(&bytes, Whose::Tenants).await.expect("is there");
    let (a, b) = tokio::join!(host.charge(&accounts[0], &order, "7"), host.charge(&accounts[2], &order, "7"));
    assert!([a, b].contains(&Err(Failure::Overloaded)));
}

/// Whoever knows an account's address keeps no till from charging.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notifications_cannot_take_all_places_of_a_tenant() {
    let calls_max = CallsMax { in_all: 16, per_plugin: 16, per_tenant: 16, per_tenant_of_plugin: 4 };
    let host = Arc::new(host(HostConfig { calls_max, ..config() }).await);
    let mut told = JoinSet::new();
    for _ in 0..4 {
        let host = Arc::clone(&host);
        let message = HttpMessage { headers: Vec::new(), body: b"{}".to_vec() };
        told.spawn(async move { host.parse_notification(&hostile_account("sleep"), &message).await });
    }
    let (account, order) = (hostile_account("honest"), order(1, 1_000));
    let charge = || host.charge(&account, &order, "770000000000000000");
    let (a, b) = tokio::join!(charge(), charge());
    assert!(a.is_ok() && b.is_ok(), "{a:?} {b:?}");
    let told = told.join_all().await;
    let is_overloaded =
        |outcome: &&Result<_, _>| matches!(outcome, Err(NotificationFailure::Call(Failure::Overloaded)));
    assert_eq!(told.iter().filter(is_overloaded).count(), 2, "{told:?}");
}

/// As many as the machine has address space for.
#[tokio::test]
async fn ten_thousand_places_can_be_had() {
    let host = host(HostConfig { calls_max: CallsMax::of(CALLS_MOST), ..config() }).await;
    assert_eq!(charged(&host, "honest").await, Ok(PaymentStatus::Succeeded));
}

/// What the plugin's other calls have hoarded is not there for this one: it does not begin.
#[tokio::test]
async fn a_call_that_finds_no_memory_left_has_not_begun() {
    let memory_max = MemoryMax { per_plugin: 64 << 10, ..MemoryMax::of(1 << 30) };
    let host = host(HostConfig { memory_max, ..config() }).await;
    assert_eq!(charged(&host, "honest").await, Err(Failure::Overloaded));
}

/// One that began and then found none has sent nothing: its payment is not in doubt.
#[tokio::test]
async fn a_call_that_is_crowded_out_before_it_asked_has_sent_nothing() {
    // It begins with some 1 MiB, and may have 64 by itself.
    let memory_max = MemoryMax { per_tenant: 4 << 20, ..MemoryMax::of(1 << 30) };
    let host = host(HostConfig { memory_max, ..config() }).await;
    let failure = charged(&host, "memory").await.expect_err("there is no room");
    assert_eq!(failure, Failure::Overloaded);
    assert!(!failure.may_have_taken_effect());
    assert_eq!(charged(&host, "honest").await, Ok(PaymentStatus::Succeeded));
}

/// One request of the call may have been heard: then the plugin's word that nothing was sent is not taken.
#[tokio::test]
async fn a_plugin_cannot_deny_what_it_has_sent() {
    let host = host(config()).await;
    let deaf = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = deaf.local_addr().expect("an address");
    let denied = async |base_url: String| {
        let settings_json = format!(r#"{{"mode":"denies-sending","base_url":"{base_url}"}}"#);
        let account = Account { settings_json, ..hostile_account("") };
        host.charge(&account, &order(1, 1_000), "770000000000000000").await.expect_err("it says that it sent nothing")
    };
    // Accepts (by its backlog) and keeps silent.
    let failure = denied(format!("http://{address}")).await;
    assert!(matches!(&failure, Failure::NoAnswer { why } if why.contains("unanswered")), "{failure:?}");
    assert!(failure.may_have_taken_effect());
    // Takes the connection, and cuts it.
    let cutting = tokio::spawn(async move {
        while let Ok((mut stream, _)) = deaf.accept().await {
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 64]).await;
        }
    });
    let failure = denied(format!("http://{address}")).await;
    assert!(matches!(&failure, Failure::NoAnswer { why } if why.contains("unanswered")), "{failure:?}");
    cutting.abort();
    assert!(cutting.await.is_err_and(|error| error.is_cancelled()));
    // Nobody listens any more: this time it is true.
    assert!(matches!(denied(format!("http://{address}")).await, Failure::NotSent { .. }));
}

#[tokio::test]
async fn the_customers_code_is_taken_out_of_a_failures_words() {
    let host = host(config()).await;
    let failure = host.charge(&hostile_account("tells-code"), &order(1, 1_000), "770000000000000000").await;
    assert_eq!(failure, Err(Failure::NoAnswer { why: "the code [code] is strange".to_owned() }));
}

/// As many as the contract says, and the time they take is the plugin's own.
#[tokio::test]
async fn signatures_have_an_end() {
    let host = host(config()).await;
    for mode in ["sign-flood", "verify-flood"] {
        let outcome = charged(&host, mode).await;
        assert!(matches!(&outcome, Err(Failure::NotSent { why }) if why.contains("64 times")), "{mode}: {outcome:?}");
    }
}

/// Signing burns the plugin's own turns: a neighbour is served in between.
#[tokio::test(flavor = "current_thread")]
async fn a_neighbour_goes_on_while_others_sign() {
    let (host, wallet) = (host(config()).await, Wallet::start().await);
    let neighbour = sandbox_account(&wallet.url());
    host.charge(&neighbour, &order(1, 1_000), CODE).await.expect("warm");
    let signing = async { tokio::join!(charged(&host, "sign-flood"), charged(&host, "sign-flood")) };
    let order = order(2, 1_000);
    let (mut signing, served) = (std::pin::pin!(signing), host.charge(&neighbour, &order, CODE));
    tokio::select! {
        biased;
        _ = &mut signing => panic!("128 signatures were made before the neighbour was served"),
        paid = served => assert_eq!(paid.expect("served").status, PaymentStatus::Succeeded),
    }
    let (a, b) = signing.await;
    assert!(a.is_err() && b.is_err(), "they end by themselves");
}

/// Whatever a plugin writes where, no secret stands there.
#[tokio::test]
async fn a_secret_is_put_in_by_no_name_in_a_text() {
    let host = host(config()).await;
    let (base_url, heard) = parrot().await;
    let mode = |mode: &str, base_url: &str| {
        let settings_json = format!(r#"{{"mode":"{mode}","base_url":"{base_url}"}}"#);
        Account { settings_json, ..hostile_account("") }
    };
    let order = order(1, 1_000);
    let charge =
        async |account: Account| host.charge(&account, &order, "770000000000000000").await.expect_err("no payment");
    let failure = charge(mode("secrets-by-text", &base_url)).await;
    assert!(failure.to_string().contains("status 200"), "{failure}");
    assert!(!heard.lock().expect("no panic").contains(TOKEN));
    let failure = charge(mode("wrong-kind", &base_url)).await;
    assert_eq!(failure, Failure::NotSent { why: "no secret was of use".to_owned() });
    assert_eq!(heard.lock().expect("no panic").matches("HTTP/1.1").count(), 1, "what is of the wrong kind is not sent");
    // Where it may go, the token goes; and a scheme that repeats it is not let through.
    let failure = charge(mode("secret-echo", &base_url)).await;
    assert!(matches!(&failure, Failure::NoAnswer { why } if why.contains("repeats a secret")), "{failure:?}");
    assert!(heard.lock().expect("no panic").contains(&format!("Bearer {TOKEN}")));
}

/// A server that says back what it hears, and all that it heard.
async fn parrot() -> (String, Arc<Mutex<String>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (address, heard) = (listener.local_addr().expect("an address"), Arc::new(Mutex::new(String::new())));
    let shared = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut text = vec![0; 64 << 10];
            let n = stream.read(&mut text).await.unwrap_or(0);
            let said = String::from_utf8_lossy(&text[..n]).into_owned();
            shared.lock().expect("no panic").push_str(&said);
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", said.len());
            let _ = stream.write_all((head + &said).as_bytes()).await;
        }
    });
    (format!("http://{address}"), heard)
}

/// Dropping the future (a client that went away, a node that shuts down) leaves nothing behind.
#[tokio::test]
async fn a_dropped_call_frees_its_place() {
    let host = host(HostConfig { calls_max: CallsMax::of(1), ..config() }).await;
    for _ in 0..5 {
        let (account, order) = (hostile_account("loop"), order(1, 1_000));
        let call = host.charge(&account, &order, "770000000000000000");
        assert!(tokio::time::timeout(Duration::from_millis(30), call).await.is_err());
    }
    assert_eq!(charged(&host, "honest").await, Ok(PaymentStatus::Succeeded));
}

/// Wherever a plugin asks to go: who sends it on is not followed, and a name is judged by where it leads.
#[tokio::test]
async fn a_plugin_is_led_nowhere_that_it_may_not_go() {
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    elsewhere.set_nonblocking(true).expect("it need not wait");
    let inside = elsewhere.local_addr().expect("an address");
    let nobody_came = || elsewhere.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
    let visits = async |host: &Host, base_url: String| {
        let settings_json = format!(r#"{{"mode":"private-address","base_url":"{base_url}"}}"#);
        let account = Account { settings_json, ..hostile_account("") };
        host.charge(&account, &order(1, 1_000), "770000000000000000").await.expect_err("no payment")
    };
    let sending_on = format!("HTTP/1.1 307 there\r\nlocation: http://{inside}/\r\ncontent-length: 0\r\n\r\n");
    let failure = visits(&host(config()).await, says(sending_on).await).await;
    assert_eq!(failure, Failure::NoAnswer { why: "it got out: status 307".to_owned() });
    assert!(nobody_came());
    let outside_alone = host(HostConfig { allow_private_addresses: false, ..config() }).await;
    for name in ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]", "2130706433"] {
        let failure = visits(&outside_alone, format!("https://{name}:{}/", inside.port())).await;
        assert!(matches!(&failure, Failure::NotSent { why } if why.contains("private")), "{name}: {failure:?}");
        assert!(nobody_came(), "{name}");
    }
}

/// A server that says this to everybody.
async fn says(reply: String) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4_096]).await;
            let _ = stream.write_all(reply.as_bytes()).await;
        }
    });
    format!("http://{address}")
}

/// The flood of 100 operations leaves the store with room.
#[tokio::test]
async fn a_counter_counts_numbers_alone() {
    let host = host(config()).await;
    let failure = host.charge(&hostile_account("kv-count"), &order(1, 1_000), "770000000000000000").await;
    let Err(Failure::NotSent { why }) = failure else { panic!("{failure:?}") };
    let refused = "Error::Unavailable(\"more than 100 operations in one call\")";
    assert_eq!(why, format!("Ok(1), Ok(2), 100, Error::NotANumber, Error::NotANumber, {refused}"));
}

/// A store that a flood has filled is that account's alone.
#[tokio::test]
async fn a_flooded_store_is_the_accounts_own() {
    let host = host(config()).await;
    assert_eq!(charged(&host, "kv-flood").await, Ok(PaymentStatus::Succeeded));
    let other = Account { id: saoma_protocol::ChannelAccountId::from_bytes([7; 16]), ..hostile_account("kv-flood") };
    let began = Instant::now();
    host.charge(&other, &order(1, 1_000), "770000000000000000").await.expect("its own store");
    assert!(began.elapsed() < DEADLINE);
}
