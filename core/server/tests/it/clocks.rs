//! The time that nodes on one database go by.

use std::sync::Arc;

use saoma_channels::{Clock, SystemClock};
use saoma_protocol::Millis;
use saoma_server::shared_clock::SharedClock;
use saoma_store::Store;

use crate::postgres;

const DAY_MS: i64 = 86_400_000;

struct DayAhead;

impl Clock for DayAhead {
    fn now(&self) -> Millis {
        SystemClock.now().plus(DAY_MS)
    }
}

/// How far a node whose machine is a day ahead is from this machine's time, to the nearest hour, once it has asked.
async fn apart_hours(url: String) -> i64 {
    let store = tokio::task::spawn_blocking(move || Store::open(&url, 2)).await.unwrap().unwrap();
    let clock = SharedClock::over(Arc::new(DayAhead));
    clock.ask(&store).await.unwrap();
    (clock.now().since(SystemClock.now()) + 1_800_000).div_euclid(3_600_000)
}

#[tokio::test]
async fn nodes_on_one_postgresql_go_by_its_clock_and_one_on_a_file_by_its_own() {
    let database = tokio::task::spawn_blocking(postgres::migrated).await.unwrap();
    assert_eq!(apart_hours(database).await, 0);
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(apart_hours(folder.path().join("core.db").display().to_string()).await, 24);
}
