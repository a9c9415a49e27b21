//! Several packages of one plugin side by side: each call goes through the one that its account names.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use saoma_channels::{
    Account, CallsMax, ChannelCaller as _, ContentHash, Failure, Host, HostConfig, Manifest, Plugin, Whose,
};

use super::{
    guests::{CODE, component, config, host, hostile_account, known, order, sandbox_account},
    install::altered,
    wallet::Wallet,
};

/// The same code under another version.
fn next_version() -> Vec<u8> {
    altered("sandbox", "sandbox0.1.0Sandbox", "sandbox0.2.0Sandbox")
}

fn through(account: &Account, package: ContentHash) -> Account {
    Account { package: Some(package), ..account.clone() }
}

async fn installed(host: &Host, bytes: &[u8]) -> Arc<Plugin> {
    let loaded = host.install_package(bytes, Whose::Everybodys).await.expect("installs");
    Arc::clone(loaded.channel().expect("a channel"))
}

#[tokio::test]
async fn each_account_is_served_by_the_package_that_it_names() {
    let (host, wallet) = (host(config()).await, Wallet::start().await);
    let built_in = sandbox_account(&wallet.url());
    let next = installed(&host, &next_version()).await;
    assert_eq!(next.manifest().version, "0.2.0");
    assert_eq!(next.content_hash(), ContentHash::of(&next_version()));
    // The built-in is as it was.
    let of_built_in: Arc<Manifest> = host.manifest("sandbox").expect("it is there");
    assert_eq!((of_built_in.version.as_str(), host.plugins().len()), ("0.1.0", 2));
    assert_eq!(
        host.package(next.content_hash()).expect("it is there").channel().expect("a channel").manifest().version,
        "0.2.0"
    );
    for account in [built_in.clone(), through(&built_in, next.content_hash())] {
        host.query(&account, &known(1)).await.expect("an answer");
    }
    // Again is no second one, and compiles nothing.
    let again = installed(&host, &next_version()).await;
    assert!(Arc::ptr_eq(&again, &next));
}

#[tokio::test]
async fn a_package_that_is_not_here_or_of_another_plugin_is_no_other_s_business() {
    let (host, wallet) = (host(config()).await, Wallet::start().await);
    let account = sandbox_account(&wallet.url());
    let next = host.install_package(&next_version(), Whose::Everybodys).await.expect("installs").content_hash();
    let other = host.install_package(&component("hostile"), Whose::Everybodys).await.expect("installs").content_hash();
    let refused = async |account: &Account| match host.charge(account, &order(1, 1_000), CODE).await {
        Err(failure @ Failure::Misconfigured { .. }) => assert!(!failure.may_have_taken_effect()),
        other => panic!("{other:?}"),
    };
    refused(&through(&account, ContentHash::of(b"never installed"))).await;
    refused(&through(&account, other)).await;
    assert!(host.remove_package(next));
    assert!(!host.remove_package(next), "once");
    assert!(host.package(next).is_none());
    refused(&through(&account, next)).await;
    assert!(wallet.requests().is_empty(), "nobody else was called in its place");
    host.charge(&account, &order(1, 1_000), CODE).await.expect("the built-in goes on");
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let host = host(config()).await;
    host.install_package(b"no component", Whose::Everybodys).await.expect_err("refused");
    let misdescribed = altered("sandbox", "\"required\": [\"base_url\",", "\"requires\": [\"base_url\",");
    host.install_package(&misdescribed, Whose::Everybodys).await.expect_err("refused");
    assert!(host.package(ContentHash::of(&misdescribed)).is_none());
    assert!(host.manifest("sandbox").is_some());
}

/// More versions are not more places.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_packages_of_a_plugin_share_its_places() {
    let host = host(HostConfig { calls_max: CallsMax { per_plugin: 2, ..CallsMax::of(8) }, ..config() }).await;
    let other = altered("hostile", "describe-mode:quiet", "describe-mode:still");
    let other = host.install_package(&other, Whose::Everybodys).await.expect("installs").content_hash();
    let (built_in, packaged) = (hostile_account("sleep"), through(&hostile_account("sleep"), other));
    let order = order(1, 1_000);
    let asleep = |account| host.charge(account, &order, "770000000000000000");
    let (a, b, c) = tokio::join!(asleep(&built_in), asleep(&packaged), asleep(&packaged));
    let overloaded = [a, b, c].iter().filter(|outcome| **outcome == Err(Failure::Overloaded)).count();
    assert_eq!(overloaded, 1, "the third had no place");
}

/// Accounts move to the next version and back while calls run, and packages come and go beside them: no call fails of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packages_are_swapped_under_load() {
    let wallet = Wallet::start().await;
    let host = Arc::new(host(config()).await);
    let versions = [component("sandbox"), next_version()];
    let mut hashes = Vec::new();
    for bytes in &versions {
        hashes.push(host.install_package(bytes, Whose::Everybodys).await.expect("installs").content_hash());
    }
    let (over, n_calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (host, over, n_calls) = (Arc::clone(&host), Arc::clone(&over), Arc::clone(&n_calls));
            let (account, hashes) = (sandbox_account(&wallet.url()), hashes.clone());
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let n = n_calls.fetch_add(1, Ordering::Relaxed);
                    let account = through(&account, hashes[usize::from(n % 2 == 1)]);
                    host.query(&account, &known(1)).await?;
                }
                Ok::<_, Failure>(())
            })
        })
        .collect();
    // One that no account names comes and goes; those in use are installed again and again.
    let passing = altered("sandbox", "sandbox0.1.0Sandbox", "sandbox0.3.0Sandbox");
    for _ in 0..10 {
        let passed = host.install_package(&passing, Whose::Everybodys).await.expect("installs").content_hash();
        host.install(&versions[1]).await.expect("installs as built-in");
        assert!(host.remove_package(passed));
    }
    over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.expect("no panic").expect("no call failed");
    }
    assert!(n_calls.load(Ordering::Relaxed) > 20, "there was load");
}

/// A call that has begun ends with its package, though that is removed meanwhile; then its code is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_under_way_ends_with_its_package() {
    let wallet = Wallet::start().await;
    let host = Arc::new(host(config()).await);
    let plugin = installed(&host, &next_version()).await;
    let (package, code) = (plugin.content_hash(), Arc::downgrade(&plugin));
    drop(plugin);
    let account = through(&sandbox_account(&wallet.url()), package);
    // 93: the wallet keeps silent until the plugin gives up.
    let call = tokio::spawn({
        let host = Arc::clone(&host);
        async move { host.charge(&account, &order(1, 1_093), CODE).await }
    });
    while wallet.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(host.remove_package(package));
    assert!(code.upgrade().is_some(), "the call holds it");
    let failure = call.await.expect("no panic").expect_err("the wallet kept silent");
    assert!(matches!(failure, Failure::NoAnswer { .. }), "{failure:?}");
    assert!(code.upgrade().is_none(), "nobody holds it any more");
}
