//! One master key and one CA for a database, however many nodes it has.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use saoma_protocol::Millis;
use saoma_server::own_keys::{KeysError, open, terminal_ca};
use saoma_store::Store;

const NOW: Millis = Millis(1_790_000_000_000);

fn database(folder: &Path) -> Store {
    Store::open(&folder.join("core.db").display().to_string(), 2).unwrap()
}

#[test]
fn two_nodes_with_one_key_have_one_ca() {
    let folder = tempfile::tempdir().unwrap();
    let store = database(folder.path());
    let key = folder.path().join("master.key");
    let mut fingerprints = Vec::new();
    for node in ["a", "b", "a"] {
        let ours = open(&store, &key, NOW).unwrap();
        let ca = terminal_ca(&store, &ours, &folder.path().join(node), NOW).unwrap();
        fingerprints.push((ours.masters().ring().names(), ca.ca_fingerprint()));
    }
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 1, "{fingerprints:?}");
    // The CA's key is nowhere in the clear.
    assert!(!folder.path().join("a/fleet/ca.key").exists());
}

#[test]
fn another_key_and_no_key_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = database(folder.path());
    open(&store, &folder.path().join("master.key"), NOW).unwrap();
    let missing = folder.path().join("missing.key");
    let refused = open(&store, &missing, NOW).err();
    assert!(matches!(refused, Some(KeysError::NoMaster { .. })), "{refused:?}");
    assert!(!missing.exists(), "a key that fits nothing was drawn");
    let other = folder.path().join("other.key");
    fs::write(&other, [7; 32]).unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o600)).unwrap();
    let refused = open(&store, &other, NOW).err();
    assert!(matches!(refused, Some(KeysError::OtherMaster { .. })), "{refused:?}");
}

#[test]
fn a_data_folder_with_another_ca_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = database(folder.path());
    let ours = open(&store, &folder.path().join("master.key"), NOW).unwrap();
    terminal_ca(&store, &ours, folder.path(), NOW).unwrap();
    fs::write(folder.path().join("fleet/ca.pem"), "another").unwrap();
    let refused = terminal_ca(&store, &ours, folder.path(), NOW).err();
    assert!(matches!(refused, Some(KeysError::OtherCa { .. })), "{refused:?}");
}
