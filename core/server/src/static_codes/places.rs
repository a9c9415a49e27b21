//! How many of a merchant's visitors may have a call to a scheme under way at once.
//!
//! A channel's calls of one tenant share a few places (`saoma_channels::HostConfig`). Visitors are strangers: however many come, most
//! of the places stay free for the charges of the merchant's own tills.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use saoma_protocol::TenantId;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Of one tenant, on one node.
const AT_ONCE: usize = 4;
/// A browser waits for so long before it is told to come again.
const WAITS: Duration = Duration::from_secs(5);

/// Held while the call is under way.
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

/// By tenant: as many as there are.
#[derive(Default)]
pub struct Places(Mutex<HashMap<TenantId, Arc<Semaphore>>>);

impl Places {
    /// `None` if none became free in time.
    pub async fn take(&self, tenant: TenantId) -> Option<Place> {
        self.take_within(tenant, WAITS).await
    }

    async fn take_within(&self, tenant: TenantId, waits: Duration) -> Option<Place> {
        let places = {
            let mut tenants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(tenants.entry(tenant).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))))
        };
        let permit = timeout(waits, places.acquire_owned()).await.ok()?.ok()?;
        Some(Place { _permit: permit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_merchants_visitors_take_a_few_places_and_none_of_anothers() {
        let (places, tea, rice) = (Places::default(), TenantId::from_bytes([1; 16]), TenantId::from_bytes([2; 16]));
        let mut held = Vec::new();
        for _ in 0..AT_ONCE {
            held.push(places.take_within(tea, Duration::ZERO).await.expect("free"));
        }
        assert!(places.take_within(tea, Duration::ZERO).await.is_none());
        assert!(places.take_within(rice, Duration::ZERO).await.is_some());
        held.pop();
        assert!(places.take_within(tea, Duration::ZERO).await.is_some());
    }
}
