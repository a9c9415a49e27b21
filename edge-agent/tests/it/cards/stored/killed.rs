//! The program as a shop runs it, killed while it sells to a card.

use std::process::Command;

use super::*;
use crate::{
    enrolled::enrolled,
    program::{Program, program, running},
};

/// The program with the shop's reader, and nobody at core's address.
fn with_reader(shop: &mut Shop) -> Program {
    let folder = shop.folder.path();
    let mut command: Command = program(folder);
    command
        .env("SAOMA_EDGE_PERIPHERALS__CARD_READER", "simulated")
        .env("SAOMA_EDGE_PERIPHERALS__CARD_READER_DEVICE", folder.join("reader"))
        .env("SAOMA_EDGE_PERIPHERALS__CARD_READER_KEYS", folder.join("card-keys.json"));
    let (child, till) = running(command);
    shop.till = till;
    child
}

/// With SIGKILL, while the card is read or once its sale is told: it is there with its card, or there is none of both.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_killed_has_the_sale_with_its_card_or_none() {
    let mut shop = Shop::open_where_cards_are_stored(|_| {}).await;
    shop.stop_till().await;
    shop.core.switch_off().await;
    enrolled(shop.folder.path());
    let mut sold = 0;
    for round in 0..4 {
        let (mut child, key, is_told) = (with_reader(&mut shop), format!("killed-{round}"), round % 2 == 1);
        let pressed = async |shop: &Shop, key: &str| {
            until("core to be given up", async || {
                let pressed = shop.till.post("/api/sales", &card_of(100), key).await;
                (pressed.status != 503).then_some(pressed)
            })
            .await
        };
        assert_eq!(pressed(&shop, &key).await.status, 202);
        shop.step("present", None).await;
        shop.customer(CHIP);
        if is_told {
            until("the sale", async || (shop.sold().await.len() > sold).then_some(())).await;
        } else {
            until("the card to be seen", async || {
                let awaiting = shop.till.get("/api/state").await["awaiting_card"].clone();
                (awaiting["step"] != "present").then_some(())
            })
            .await;
        }
        child.0.kill().unwrap();
        child.0.wait().unwrap();
        let _child = with_reader(&mut shop);
        let found = shop.sold().await.len() - sold;
        assert!(found == 1 || found == 0 && !is_told, "round {round}: {found}");
        sold += found;
        assert_eq!(pressed(&shop, &key).await.status.as_u16(), if found == 1 { 200 } else { 202 });
        let waiting = shop.till.get("/api/state").await["stored"]["waiting_count"].clone();
        assert_eq!((waiting, shop.sold().await.len()), (json!(sold), sold));
    }
    let settings = Settings { path: shop.folder.path().join("journal.db"), free_bytes_min: 0, pages_max: 0 };
    let told = look(&settings).unwrap().replay().unwrap();
    assert_eq!((told.sales, told.differences), (sold as u64, Vec::new()));
}
