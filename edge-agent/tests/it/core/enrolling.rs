//! A terminal's certificate: its first, and the next.

use std::sync::atomic::Ordering;

use actix_web::{HttpResponse, web::Json};
use saoma_protocol::{
    Millis, StoreId, TenantId, TerminalId,
    api::{Enrol, Enrolled, Renew, Renewed},
};

use super::{Secured, problem, shop_profile};

pub(super) async fn enrol(secured: Secured, body: Json<Enrol>) -> HttpResponse {
    let (authority, broker) = secured.as_ref();
    let authority = authority.as_ref().unwrap();
    let terminal = match body.claim_code.as_str() {
        "CLAIM" => authority.terminal,
        "OTHER" => TerminalId::from_bytes([7; 16]),
        _ => return problem(403, "claim_code_invalid"),
    };
    HttpResponse::Ok().json(Enrolled {
        tenant: TenantId::from_bytes([1; 16]),
        terminal,
        store: StoreId::from_bytes([3; 16]),
        certificate_chain_pem: authority.enrol(&body.csr_pem, terminal),
        ca_pem: authority.pem.clone(),
        mqtt_host: "127.0.0.1".to_owned(),
        mqtt_port: broker.load(Ordering::SeqCst),
        profile: shop_profile(),
    })
}

pub(super) async fn renew(secured: Secured, body: Json<Renew>) -> HttpResponse {
    match secured.0.as_ref().unwrap().renew(&body.csr_pem) {
        Some(certificate_chain_pem) => HttpResponse::Ok().json(Renewed { certificate_chain_pem, not_after: Millis(0) }),
        None => HttpResponse::GatewayTimeout().finish(),
    }
}
