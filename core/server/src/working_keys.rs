//! Keys that schemes send at sign-on, in core's database: sealed under the tenant's data key, read for the host's own work alone.

use std::collections::BTreeMap;

use async_trait::async_trait;
use saoma_channels::{Clock as _, KeyStore, KeysUnreachable, SystemClock};
use saoma_protocol::ChannelAccountId;
use saoma_store::{Store, TenantScope, Tx, access, channel_accounts, sealed::Place, tenant_keys};
use zeroize::Zeroizing;

use crate::secrets::{SecretsError, Vault};

/// Keys by channel account and slot. One value holds all of an account: they come together, and are few.
pub struct WorkingKeys {
    pub store: Store,
    pub vault: Vault,
}

fn unreachable(error: SecretsError) -> KeysUnreachable {
    KeysUnreachable(error.to_string())
}

#[async_trait]
impl KeyStore for WorkingKeys {
    async fn load(&self, account: ChannelAccountId) -> Result<saoma_channels::WorkingKeys, KeysUnreachable> {
        let vault = self.vault.clone();
        self.store
            .read(move |tx| {
                let (scope, _) = access::by_channel_account(tx, account)?;
                opened(&vault, tx, scope, account)
            })
            .await
            .map_err(unreachable)
    }

    async fn put(
        &self,
        account: ChannelAccountId,
        slot: &str,
        key: Zeroizing<Vec<u8>>,
        slots_max: usize,
    ) -> Result<bool, KeysUnreachable> {
        let (vault, slot, now) = (self.vault.clone(), slot.to_owned(), SystemClock.now());
        self.store
            .write(move |tx| {
                let (scope, _) = access::by_channel_account(tx, account)?;
                // Before the look: two that sign on at once must see each other's keys.
                tenant_keys::take_turn(tx, &scope)?;
                let mut keys = opened(&vault, tx, scope, account)?;
                if keys.len() >= slots_max && !keys.contains_key(&slot) {
                    return Ok(false);
                }
                keys.insert(slot.clone(), key.clone());
                let texts: Vec<_> = keys.values().map(|key| Zeroizing::new(hex::encode(key))).collect();
                let written: BTreeMap<&String, &str> =
                    keys.keys().zip(texts.iter().map(|text| text.as_str())).collect();
                let plain = Zeroizing::new(serde_json::to_vec(&written).map_err(|_| SecretsError::Sealed)?);
                let sealed = vault.seal(tx, scope, &Place::WorkingKeys(account), &plain, now)?;
                channel_accounts::set_working_keys(tx, &scope, account, &sealed)?;
                Ok(true)
            })
            .await
            .map_err(unreachable)
    }
}

fn opened(
    vault: &Vault,
    tx: &mut Tx<'_>,
    scope: TenantScope,
    account: ChannelAccountId,
) -> Result<saoma_channels::WorkingKeys, SecretsError> {
    let Some(sealed) = channel_accounts::working_keys(tx, &scope, account)? else { return Ok(BTreeMap::new()) };
    let plain = vault.open(tx, scope, &Place::WorkingKeys(account), &sealed)?;
    let written: BTreeMap<String, String> = serde_json::from_slice(&plain).map_err(|_| SecretsError::Sealed)?;
    let key = |(slot, text): (String, String)| {
        let bytes = hex::decode(Zeroizing::new(text).as_bytes()).map_err(|_| SecretsError::Sealed)?;
        Ok((slot, Zeroizing::new(bytes)))
    };
    written.into_iter().map(key).collect()
}

#[cfg(test)]
mod tests {
    use saoma_domain::fee::{BasisPoints, FeePlan};
    use saoma_protocol::{Currency, Millis, TenantId};
    use saoma_store::{
        StoreError,
        channel_accounts::ChannelAccount,
        tenants::{self, LatePolicy, Tenant},
    };

    use super::*;
    use crate::secrets::tests::vault;

    const NOW: Millis = Millis(1_700_000_000_000);

    fn account(number: u8) -> ChannelAccount {
        ChannelAccount {
            id: ChannelAccountId::from_bytes([number; 16]),
            plugin: "acquirer".to_owned(),
            name: "Acquirer".to_owned(),
            enabled: true,
            settings_json: "{}".to_owned(),
            fee: FeePlan::flat(BasisPoints::new(60).unwrap()),
            fee_version: 1,
            priority: 1,
            version: 1,
            created_at: NOW,
            updated_at: NOW,
        }
    }

    #[tokio::test]
    async fn keys_lie_sealed_and_are_an_accounts_own() {
        let folder = tempfile::tempdir().unwrap();
        let (store, vault) = vault(folder.path(), "ours", NOW);
        let scope = store
            .write(|tx| {
                let tenant = Tenant {
                    id: TenantId::from_bytes([1; 16]),
                    name: "Lantern Tea".to_owned(),
                    currency: Currency::CNY,
                    late_policy: LatePolicy::Refund,
                    time_zone: "Asia/Shanghai".to_owned(),
                    active: true,
                    created_at: NOW,
                };
                let scope = tenants::create(tx, &access::process(), &tenant)?;
                channel_accounts::create(tx, &scope, &account(1))?;
                channel_accounts::create(tx, &scope, &account(2))?;
                Ok::<_, StoreError>(scope)
            })
            .await
            .unwrap();
        let [one, two] = [1, 2].map(|number| account(number).id);
        let keys = WorkingKeys { store: store.clone(), vault: vault.clone() };
        assert!(keys.load(one).await.unwrap().is_empty());
        let put = async |account, slot, key: &[u8]| keys.put(account, slot, key.to_vec().into(), 2).await.unwrap();
        assert!(put(one, "pin", b"first").await && put(one, "mac", b"other").await);
        assert!(!put(one, "third", b"third").await, "more than two slots");
        assert!(put(one, "pin", b"again").await && put(two, "pin", b"another's").await);
        let told = |keys: saoma_channels::WorkingKeys| {
            keys.into_iter().map(|(slot, key)| (slot, String::from_utf8(key.to_vec()).unwrap())).collect::<Vec<_>>()
        };
        let pair = |slot: &str, key: &str| (slot.to_owned(), key.to_owned());
        assert_eq!(told(keys.load(one).await.unwrap()), [pair("mac", "other"), pair("pin", "again")]);
        assert_eq!(told(keys.load(two).await.unwrap()), [pair("pin", "another's")]);
        let stored = store.read(move |tx| channel_accounts::working_keys(tx, &scope, one)).await.unwrap().unwrap();
        let shown = String::from_utf8_lossy(&stored.0).into_owned();
        assert!(!shown.contains("pin") && !shown.contains(&hex::encode("again")), "{shown}");
        // What is sealed for one place opens in no other.
        let moved = stored.clone();
        store.write(move |tx| channel_accounts::set_working_keys(tx, &scope, two, &moved)).await.unwrap();
        assert!(keys.load(two).await.is_err());
        store.write(move |tx| channel_accounts::set_secrets(tx, &scope, one, &stored, NOW)).await.unwrap();
        assert!(vault.secrets_of(&store, scope, one).await.is_err());
        let nobody = ChannelAccountId::from_bytes([9; 16]);
        assert!(keys.load(nobody).await.is_err() && keys.put(nobody, "pin", vec![1].into(), 2).await.is_err());
    }
}
