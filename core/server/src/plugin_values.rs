//! The small store of plugins, in core's database.

use async_trait::async_trait;
use saoma_channels::{Clock, KvError, KvStore, SystemClock, counted_on};
use saoma_protocol::ChannelAccountId;
use saoma_store::{Store, StoreError, access, plugin_kv};

/// Values by channel account; an account sees its own alone.
pub struct PluginValues(pub Store);

fn unavailable(error: StoreError) -> KvError {
    match error {
        StoreError::Limit { .. } => KvError::Full,
        other => KvError::Unavailable(other.to_string()),
    }
}

#[async_trait]
impl KvStore for PluginValues {
    async fn get(&self, account: ChannelAccountId, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        let key = key.to_owned();
        self.0
            .read(move |tx| {
                let (scope, _) = access::by_channel_account(tx, account)?;
                plugin_kv::get(tx, &scope, account, &key)
            })
            .await
            .map_err(unavailable)
    }

    /// The store counts the keys itself, in the same transaction.
    async fn set(&self, account: ChannelAccountId, key: &str, value: Vec<u8>, _keys_max: usize) -> Result<(), KvError> {
        let (key, at) = (key.to_owned(), SystemClock.now());
        self.0
            .write(move |tx| {
                let (scope, _) = access::by_channel_account(tx, account)?;
                plugin_kv::set(tx, &scope, account, &key, &value, at)
            })
            .await
            .map_err(unavailable)
    }

    async fn delete(&self, account: ChannelAccountId, key: &str) -> Result<(), KvError> {
        let key = key.to_owned();
        self.0
            .write(move |tx| {
                let (scope, _) = access::by_channel_account(tx, account)?;
                plugin_kv::delete(tx, &scope, account, &key)
            })
            .await
            .map_err(unavailable)
    }

    async fn next(&self, account: ChannelAccountId, key: &str, _keys_max: usize) -> Result<u64, KvError> {
        let (key, at) = (key.to_owned(), SystemClock.now());
        let next = self.0.write(move |tx| {
            let (scope, _) = access::by_channel_account(tx, account)?;
            plugin_kv::replace(tx, &scope, account, &key, at, |value| {
                counted_on(value).map(|next| (next, next.to_string().into_bytes()))
            })
        });
        next.await.map_err(unavailable)?.ok_or(KvError::NotANumber)
    }
}
