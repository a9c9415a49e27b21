//! Taking components in: compiled once, kept where nobody else can write, refused if they lie.

use std::{collections::HashSet, fs, os::unix::fs::PermissionsExt as _};

use saoma_channels::{
    CacheError, CallsMax, Capability, ChannelCaller as _, Claim, ContentHash, Failure, Host, HostConfig, HostError,
    InstallError, Origin, Whose,
};

use super::guests::{component, hostile_account, order};

fn config(dir: &std::path::Path) -> HostConfig {
    // The host makes the folder itself, closed to others; a temporary one is open to reading.
    HostConfig { calls_max: CallsMax::of(4), ..HostConfig::new(dir.join("cache")) }
}

fn compiled_file(dir: &std::path::Path) -> std::path::PathBuf {
    let is_code = |path: &std::path::PathBuf| path.extension().is_some_and(|extension| extension == "cwasm");
    fs::read_dir(dir.join("cache"))
        .expect("the folder")
        .flatten()
        .map(|entry| entry.path())
        .find(is_code)
        .expect("a compiled plugin")
}

#[tokio::test]
async fn the_second_start_compiles_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let bytes = component("hostile");
    let first = Host::new(config(dir.path())).expect("starts").install(&bytes).await.expect("installs");
    assert_eq!(first.origin(), Origin::Compiled);
    let second = Host::new(config(dir.path())).expect("starts").install(&bytes).await.expect("installs");
    assert_eq!(second.origin(), Origin::Cache);
    assert_eq!(first.content_hash(), second.content_hash());
    assert_eq!(first.manifest(), second.manifest());
}

#[tokio::test]
async fn a_compiled_file_that_is_not_as_we_wrote_it_is_not_run() {
    let dir = tempfile::tempdir().expect("a folder");
    let bytes = component("hostile");
    Host::new(config(dir.path())).expect("starts").install(&bytes).await.expect("installs");
    let path = compiled_file(dir.path());
    let good = fs::read(&path).expect("the code");
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for (what, tampered) in [("one bit", flipped), ("cut", good[..good.len() - 1].to_vec()), ("empty", Vec::new())] {
        fs::write(&path, tampered).expect("written");
        let plugin = Host::new(config(dir.path())).expect("starts").install(&bytes).await.expect("installs");
        assert_eq!(plugin.origin(), Origin::Compiled, "{what}");
        assert_eq!(fs::read(&path).expect("the code"), good, "{what}: replaced by our own");
    }
    // Another plugin's genuine code under this plugin's name is not it either.
    Host::new(config(dir.path())).expect("starts").install(&component("sandbox")).await.expect("installs");
    let others = fs::read_dir(dir.path().join("cache")).expect("the folder").flatten().map(|entry| entry.path());
    let other = others.filter(|other| other.extension() == path.extension()).find(|other| *other != path).expect("two");
    fs::copy(other, &path).expect("copied");
    let plugin = Host::new(config(dir.path())).expect("starts").install(&bytes).await.expect("installs");
    assert_eq!((plugin.origin(), plugin.manifest().id.as_str()), (Origin::Compiled, "hostile"));
}

#[test]
fn a_folder_that_others_can_write_to_is_not_used() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = dir.path().join("cache");
    fs::create_dir(&cache).expect("made");
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).expect("opened");
    let error = Host::new(config(dir.path())).expect_err("refused");
    assert!(matches!(error, HostError::Cache(CacheError::NotPrivate { .. })), "{error:?}");
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o700)).expect("closed");
    Host::new(config(dir.path())).expect("accepted");
    fs::write(cache.join("cache.key"), b"short").expect("damaged");
    let error = Host::new(config(dir.path())).expect_err("refused");
    assert!(matches!(error, HostError::Cache(CacheError::BadKey { .. })), "{error:?}");
}

#[tokio::test]
async fn what_is_no_channel_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let host = Host::new(config(dir.path())).expect("starts");
    host.install(&component("hostile")).await.expect("installs");
    let native = fs::read(compiled_file(dir.path())).expect("the code")[32..].to_vec();
    let empty_component = b"\0asm\x0d\0\x01\0".to_vec();
    let core_module = b"\0asm\x01\0\0\0".to_vec();
    for (what, bytes) in [("nothing", Vec::new()), ("noise", vec![7; 100]), ("module", core_module), ("native", native)]
    {
        let error = host.install(&bytes).await.expect_err(what);
        assert!(matches!(error, InstallError::NotAComponent(_)), "{what}: {error:?}");
    }
    let error = host.install(&empty_component).await.expect_err("exports nothing");
    assert!(matches!(&error, InstallError::DoesNotFit(why) if why.contains("channel")), "{error:?}");
    assert_eq!(host.plugins().len(), 1, "nothing was replaced");
}

fn kept(dir: &std::path::Path) -> Vec<String> {
    let files = fs::read_dir(dir.join("cache")).expect("the folder").flatten();
    let names = files.map(|entry| entry.file_name().into_string().expect("a name"));
    let mut names: Vec<_> = names.filter(|name| name != "cache.key").collect();
    names.sort();
    names
}

/// Whoever has a component refused, again and again, does not fill the disk.
#[tokio::test]
async fn nothing_is_kept_of_what_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let host = Host::new(config(dir.path())).expect("starts");
    let misdescribed = altered("sandbox", "\"required\": [\"base_url\",", "\"requires\": [\"base_url\",");
    host.install(&misdescribed).await.expect_err("refused");
    host.install_package(&misdescribed, Whose::Tenants).await.expect_err("refused");
    assert_eq!(kept(dir.path()), Vec::<String>::new());
    host.install_package(&component("sandbox"), Whose::Tenants).await.expect("installs");
    assert_eq!(kept(dir.path()).len(), 1);
}

/// What a start finds and nobody knows any more.
#[tokio::test]
async fn leftovers_are_swept() {
    let dir = tempfile::tempdir().expect("a folder");
    let host = Host::new(config(dir.path())).expect("starts");
    let known = host.install(&component("sandbox")).await.expect("installs").content_hash();
    let gone = host.install(&component("hostile")).await.expect("installs").content_hash();
    let cache = dir.path().join("cache");
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(86_400);
    for (name, is_old) in
        [(format!("{known}-0123456789abcdef.cwasm"), false), ("ab.tmp".to_owned(), true), ("cd.tmp".to_owned(), false)]
    {
        let file = fs::File::create(cache.join(name)).expect("written");
        if is_old {
            file.set_modified(old).expect("aged");
        }
    }
    fs::write(cache.join("notes.txt"), "the operator's").expect("written");
    assert_eq!(
        host.sweep_code(&HashSet::from([known])).expect("swept"),
        3,
        "another component's, another engine's, half a file"
    );
    let left = kept(dir.path());
    assert!(left.len() == 3 && left.iter().all(|name| !name.contains(&gone.to_string())), "{left:?}");
    let again = Host::new(config(dir.path())).expect("starts").install(&component("sandbox")).await.expect("installs");
    assert_eq!((again.origin(), again.content_hash()), (Origin::Cache, ContentHash::of(&component("sandbox"))));
}

/// A component with one text in its data changed: the same code, another description.
pub fn altered(name: &str, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "the data keeps its size");
    let mut bytes = component(name);
    let mut n_changed = 0;
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(from.len()).position(|window| window == from.as_bytes()) {
        at += found;
        bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
        n_changed += 1;
    }
    assert!(n_changed > 0, "{from} is in the component");
    bytes
}

#[tokio::test]
async fn a_description_that_makes_no_sense_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let host = Host::new(config(dir.path())).expect("starts");
    for (from, to, why) in [
        ("\"required\": [\"base_url\",", "\"requires\": [\"base_url\",", "`requires`"),
        ("\"format\": \"uri\"", "\"format\": \"url\"", "`format`"),
        ("Sandbox Wallet", "Sandbox\u{1b}Wallet", "the name"),
    ] {
        let error = host.install(&altered("sandbox", from, to)).await.expect_err(why);
        let InstallError::Manifest(error) = &error else { panic!("{why}: {error:?}") };
        assert!(error.to_string().contains(why), "{error}");
    }
    assert!(host.plugins().is_empty());
}

#[tokio::test]
async fn a_plugin_that_misbehaves_while_describing_itself_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let host = Host::new(config(dir.path())).expect("starts");
    for (mode, why) in [("calls", "must not call any import"), ("traps", "unreachable"), ("loops", "within 2000 ms")] {
        let bytes = altered("hostile", "describe-mode:quiet", &format!("describe-mode:{mode}"));
        let error = host.install(&bytes).await.expect_err(mode);
        let InstallError::Describe(failure) = &error else { panic!("{mode}: {error:?}") };
        assert!(failure.to_string().contains(why), "{mode}: {failure}");
    }
    assert!(host.plugins().is_empty());
}

/// A new version takes over between two calls; those under way end with the old one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_is_replaced_under_load() {
    let dir = tempfile::tempdir().expect("a folder");
    let host = std::sync::Arc::new(Host::new(config(dir.path())).expect("starts"));
    let bytes = component("hostile");
    host.install(&bytes).await.expect("installs");
    let calls = tokio::spawn({
        let host = std::sync::Arc::clone(&host);
        async move {
            let (account, order) = (hostile_account("honest"), order(1, 1_000));
            for _ in 0..200 {
                host.charge(&account, &order, "770000000000000000").await?;
            }
            Ok::<_, Failure>(())
        }
    });
    for _ in 0..20 {
        host.install(&bytes).await.expect("installs again");
    }
    calls.await.expect("no panic").expect("no payment failed");
}

#[tokio::test]
async fn a_manifest_is_plain_data() {
    let dir = tempfile::tempdir().expect("a folder");
    let host = Host::new(config(dir.path())).expect("starts");
    let plugin = host.install(&component("sandbox")).await.expect("installs");
    let manifest = plugin.manifest();
    assert!(manifest.can(Capability::PartialRefund));
    assert_eq!(manifest.cadence.call_timeout_ms, 4_000);
    assert!(matches!(&manifest.claims[..], [Claim::Digits { length_min: 18, length_max: 18, .. }]));
}
