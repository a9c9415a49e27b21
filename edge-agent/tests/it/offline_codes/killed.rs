//! The program as a shop runs it, killed while it takes a code.

use super::*;
use crate::{
    enrolled::enrolled,
    program::{program, running},
};

/// With SIGKILL, at whatever moment it is: the code is used and its sale is there, or neither; pressed again it is one sale.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_used_with_its_sale_or_not_at_all() {
    let mut shop = Shop::open_where_codes_are_taken(LIMITS).await;
    shop.stop_till().await;
    shop.core.switch_off().await;
    let folder = shop.folder.path();
    enrolled(folder);
    for round in 1..4_u32 {
        let (mut killed, till) = running(program(folder));
        let body = json!({"amount_minor": 100, "method": "scan", "code": Phone::new(1).code(round)});
        let key = format!("killed-{round}");
        let (client, url) = (reqwest::Client::new(), format!("{}/api/sales", till.base));
        let request = client.post(url).header("x-saoma-till", "1").header("idempotency-key", &key).json(&body);
        let pressed = tokio::spawn(request.send());
        if round > 1 {
            // It has answered: now it must be there.
            let told = pressed.await.unwrap().unwrap();
            assert_eq!(told.status(), 201);
        }
        killed.0.kill().unwrap();
        killed.0.wait().unwrap();
        let (_child, till) = running(program(folder));
        let again = till.post("/api/sales", &body, &key).await;
        let seen = if round > 1 { 200 } else { again.status.as_u16() };
        assert_eq!((again.status.as_u16(), again.status.is_success()), (seen, true), "{}", again.body);
        let once_more = till.post("/api/sales", &body, &fresh_key()).await;
        assert_eq!(once_more.body["code"], "offline_code_used", "{}", once_more.body);
        let sales = till.get("/api/sales").await["items"].as_array().unwrap().len();
        assert_eq!(sales, usize::try_from(round).unwrap());
    }
}
