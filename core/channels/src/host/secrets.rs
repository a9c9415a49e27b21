//! `secrets`: keyed operations. The keys stay on this side.

use ring::hmac;

use super::CallState;
use crate::{
    bindings::secrets::{Error, Host},
    manifest::SecretKind,
};

impl Host for CallState {
    fn hmac_sha256(&mut self, secret: String, message: Vec<u8>) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        Ok(self.mac_key(&secret)?.map(|key| hmac::sign(&key, &message).as_ref().to_vec()))
    }

    fn hmac_sha256_verify(
        &mut self,
        secret: String,
        message: Vec<u8>,
        tag: Vec<u8>,
    ) -> wasmtime::Result<Result<bool, Error>> {
        // `verify` compares in constant time.
        Ok(self.mac_key(&secret)?.map(|key| hmac::verify(&key, &message, &tag).is_ok()))
    }
}

impl CallState {
    /// A secret that the manifest lists and the account has. What the manifest does not list does not exist for the plugin,
    /// and both cases read alike: it cannot find out which names an account holds.
    fn mac_key(&self, name: &str) -> wasmtime::Result<Result<hmac::Key, Error>> {
        let given = self.given()?;
        let missing = || Error::Missing(name.chars().take(64).collect());
        let Some(spec) = given.plugin.secrets.iter().find(|spec| spec.name == name) else {
            return Ok(Err(missing()));
        };
        match spec.kind {
            SecretKind::MacKey => Ok(given
                .account
                .secrets
                .get(name)
                .map(|value| hmac::Key::new(hmac::HMAC_SHA256, value))
                .ok_or_else(missing)),
        }
    }
}
