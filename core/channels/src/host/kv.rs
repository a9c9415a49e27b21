//! `kv`: a small store of the channel account's own.

use super::CallState;
use crate::{
    bindings::kv::{Error, Host},
    ports::KvError,
};

/// Limits of the contract (`sdk/wit`, interface `kv`).
const KEYS_MAX: usize = 1_000;
const KEY_BYTES_MAX: usize = 128;
const VALUE_BYTES_MAX: usize = 4 * 1024;

/// Operations a call may do. A channel needs two or three; a flood would be felt in the database.
const OPERATIONS_MAX: u32 = 100;

impl Host for CallState {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        if let Err(error) = self.begin(&key, 0)? {
            return Ok(Err(error));
        }
        let given = self.given()?;
        Ok(given.ports.kv.get(given.account.id, &key).await.map_err(refused))
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), Error>> {
        if let Err(error) = self.begin(&key, value.len())? {
            return Ok(Err(error));
        }
        let given = self.given()?;
        Ok(given.ports.kv.set(given.account.id, &key, value, KEYS_MAX).await.map_err(refused))
    }

    async fn delete(&mut self, key: String) -> wasmtime::Result<Result<(), Error>> {
        if let Err(error) = self.begin(&key, 0)? {
            return Ok(Err(error));
        }
        let given = self.given()?;
        Ok(given.ports.kv.delete(given.account.id, &key).await.map_err(refused))
    }

    async fn next(&mut self, key: String) -> wasmtime::Result<Result<u64, Error>> {
        if let Err(error) = self.begin(&key, 0)? {
            return Ok(Err(error));
        }
        let given = self.given()?;
        Ok(given.ports.kv.next(given.account.id, &key, KEYS_MAX).await.map_err(refused))
    }
}

impl CallState {
    fn begin(&mut self, key: &str, value_bytes: usize) -> wasmtime::Result<Result<(), Error>> {
        let given = self.given_mut()?;
        given.kv_operations += 1;
        Ok(if given.kv_operations > OPERATIONS_MAX {
            Err(Error::Unavailable(format!("more than {OPERATIONS_MAX} operations in one call")))
        } else if key.len() > KEY_BYTES_MAX || value_bytes > VALUE_BYTES_MAX {
            Err(Error::TooLarge)
        } else {
            Ok(())
        })
    }
}

fn refused(error: KvError) -> Error {
    match error {
        KvError::Full => Error::Full,
        KvError::NotANumber => Error::NotANumber,
        // Why a database is out of reach is for our log, not for the plugin.
        KvError::Unavailable(why) => {
            tracing::warn!(error = %why, "the store of a channel account is not reachable");
            Error::Unavailable("try again later".to_owned())
        }
    }
}
