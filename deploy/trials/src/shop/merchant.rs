//! Other merchants of the shop's core.

use anyhow::Result;
use serde_json::json;

use super::{ADMIN_EMAIL, Shop};
use crate::api::text;

/// A merchant beside the shop's own, without terminals and rules: who sells there, and what they sell through.
#[derive(Clone)]
pub struct Merchant {
    pub store: String,
    /// The channel account whose plugin answers at once.
    pub honest: String,
    /// Of a program that may do everything for the merchant.
    pub api_key: String,
}

impl Shop {
    /// Makes another merchant of this core, the `number`-th.
    pub async fn opens_another(&self, number: usize) -> Result<Merchant> {
        let (name, email) = (format!("Merchant {number}"), format!("owner{number}@demo.local"));
        let tenant = json!({"name": name, "currency": "CNY", "owner_name": "Wang Fang", "owner_email": email});
        let admin = self.signed_in(ADMIN_EMAIL).await?;
        let tenant = admin.post("/v1/tenants", &tenant, &format!("tenant-{number}")).await?;
        let owner = self.first_sign_in(&email, &text(&tenant, "/owner_one_time_password")?).await?;
        let store = owner.post("/v1/stores", &json!({"name": name}), "store").await?;
        let settings = json!({"settings": {"mode": "honest"}, "secrets": {}});
        let honest = self.channel_account(&owner, "hostile", "Honest", &settings).await?;
        let key = owner.post("/v1/api-keys", &json!({"name": "bench", "role": "owner"}), "key").await?;
        Ok(Merchant { store: text(&store, "/id")?, honest, api_key: text(&key, "/secret")? })
    }
}
