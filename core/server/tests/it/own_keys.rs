//! One master key and one CA for a database, however many nodes it has.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use saoma_protocol::Millis;
use saoma_server::own_keys::{KeysError, terminal_ca, vault};
use saoma_store::Store;

const NOW: Millis = Millis(1_790_000_000_000);

fn database(folder: &Path) -> Store {
    Store::open(&folder.join("core.db").display().to_string(), 2).unwrap()
}

#[tokio::test]
async fn two_nodes_with_one_key_have_one_ca() {
    let folder = tempfile::tempdir().unwrap();
    let store = database(folder.path());
    let key = folder.path().join("master.key");
    let mut fingerprints = Vec::new();
    for node in ["a", "b", "a"] {
        let ours = vault(&store, &key).await.unwrap();
        let ca = terminal_ca(&store, &ours, &folder.path().join(node), NOW).await.unwrap();
        fingerprints.push((ours.name().to_owned(), ca.ca_fingerprint()));
    }
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 1, "{fingerprints:?}");
    // The CA's key is nowhere in the clear.
    assert!(!folder.path().join("a/fleet/ca.key").exists());
}

#[tokio::test]
async fn another_key_and_no_key_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = database(folder.path());
    vault(&store, &folder.path().join("master.key")).await.unwrap();
    let missing = folder.path().join("missing.key");
    let refused = vault(&store, &missing).await.err();
    assert!(matches!(refused, Some(KeysError::NoMaster { .. })), "{refused:?}");
    assert!(!missing.exists(), "a key that fits nothing was drawn");
    let other = folder.path().join("other.key");
    fs::write(&other, [7; 32]).unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o600)).unwrap();
    let refused = vault(&store, &other).await.err();
    assert!(matches!(refused, Some(KeysError::OtherMaster { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_data_folder_with_another_ca_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = database(folder.path());
    let ours = vault(&store, &folder.path().join("master.key")).await.unwrap();
    terminal_ca(&store, &ours, folder.path(), NOW).await.unwrap();
    fs::write(folder.path().join("fleet/ca.pem"), "another").unwrap();
    let refused = terminal_ca(&store, &ours, folder.path(), NOW).await.err();
    assert!(matches!(refused, Some(KeysError::OtherCa { .. })), "{refused:?}");
}
