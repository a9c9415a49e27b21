//! Every state and code, by table.

use insta::assert_debug_snapshot;

use super::{
    super::{
        build::samples::{NUMBER, settings},
        refusal::samples::{kind, refused},
    },
    *,
};

fn order(state: &str) -> Vec<u8> {
    format!(
        r#"{{"appid":"wx8888888888888888","mchid":"1900000001","out_trade_no":"{NUMBER}","transaction_id":"4200000001",
            "trade_type":"MICROPAY","trade_state":"{state}","trade_state_desc":"…","bank_type":"CMC","attach":"",
            "success_time":"2023-11-15T06:15:20+08:00","payer":{{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}},
            "amount":{{"total":1250,"payer_total":1200,"currency":"CNY","payer_currency":"CNY"}}}}"#
    )
    .into_bytes()
}

/// One line of an outcome: the status, or the error's kind.
fn told(outcome: Result<PaymentAnswer, Error>) -> String {
    match outcome {
        Ok(PaymentAnswer { status: PaymentStatus::Failed(failure), .. }) => format!("failed {}", failure.code),
        Ok(answer) => format!("{:?}", answer.status).replace("PaymentStatus::", ""),
        Err(error) => kind(&error).to_owned(),
    }
}

#[test]
fn a_whole_answer() {
    assert_debug_snapshot!(read_charged(&settings("direct"), 200, &order("SUCCESS"), NUMBER), @r#"
    Ok(
        PaymentAnswer {
            status: PaymentStatus::Succeeded,
            number: "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa",
            amount: Some(
                Money {
                    minor: 1250,
                    currency: "CNY",
                },
            ),
            reference: "4200000001",
            paid-at: Some(
                1700000120000,
            ),
            payer-hint: "oUpF***6o",
        },
    )
    "#);
}

#[test]
fn charges() {
    let settings = settings("direct");
    for (status, body, outcome) in [
        (200, order("SUCCESS"), "Succeeded"),
        (200, order("USERPAYING"), "Pending"),
        (200, br#"{"trade_state":"USERPAYING"}"#.to_vec(), "Pending"),
        (200, br#"{"trade_state":"SUCCESS"}"#.to_vec(), "no-answer"),
        (200, order("NOTPAY"), "Pending"),
        (200, order("PAYERROR"), "failed declined"),
        (200, order("REVOKED"), "Closed"),
        (200, order("REFUND"), "Succeeded"),
        (200, order("ACCEPT"), "no-answer"),
        (200, order("DREAMING"), "no-answer"),
        (200, b"<html>".to_vec(), "no-answer"),
        (200, Vec::new(), "no-answer"),
        (204, Vec::new(), "no-answer"),
        (302, Vec::new(), "no-answer"),
        (400, refused("AUTH_CODE_INVALID"), "failed code-invalid"),
        (400, refused("AUTH_CODE_ERROR"), "failed code-invalid"),
        (400, refused("AUTH_CODE_EXPIRED"), "failed code-expired"),
        (403, refused("AUTHCODEEXPIRE"), "failed code-expired"),
        (403, refused("NOT_ENOUGH"), "failed insufficient-funds"),
        (403, refused("NOTENOUGH"), "failed insufficient-funds"),
        (403, refused("RULE_LIMIT"), "failed limit-exceeded"),
        (403, refused("TRADE_ERROR"), "failed declined"),
        (403, refused("ACCOUNT_ERROR"), "failed declined"),
        (403, refused("USER_ACCOUNT_ABNORMAL"), "failed declined"),
        (400, refused("USERPAYING"), "Pending"),
        (400, refused("ORDER_CLOSED"), "Closed"),
        (400, refused("ORDERREVERSED"), "Closed"),
        (400, refused("PARAM_ERROR"), "not-sent"),
        (400, refused("APPID_MCHID_NOT_MATCH"), "not-sent"),
        (401, refused("SIGN_ERROR"), "not-sent"),
        (403, refused("NO_AUTH"), "not-sent"),
        (404, refused("MCH_NOT_EXISTS"), "not-sent"),
        (429, refused("FREQUENCY_LIMITED"), "not-sent"),
        // What may be about an earlier request is asked for (`is_answered_by_query`), and is no refusal by itself.
        (400, refused("ORDER_PAID"), "no-answer"),
        (403, refused("OUT_TRADE_NO_USED"), "no-answer"),
        (400, refused("INVALID_REQUEST"), "no-answer"),
        (400, refused("BUYER_MISMATCH"), "no-answer"),
        (400, refused("MOON_PHASE_ERROR"), "no-answer"),
        (404, refused("ORDER_NOT_EXIST"), "no-answer"),
        (500, refused("SYSTEM_ERROR"), "no-answer"),
        (500, refused("BANK_ERROR"), "no-answer"),
        // A refusal is the scheme's with the status that belongs to it.
        (500, refused("NOT_ENOUGH"), "no-answer"),
        (502, b"<html>".to_vec(), "no-answer"),
        (400, b"{}".to_vec(), "no-answer"),
    ] {
        let shown = String::from_utf8_lossy(&body).into_owned();
        assert_eq!(told(read_charged(&settings, status, &body, NUMBER)), outcome, "{status} {shown}");
    }
    for (status, code, is_asked) in [
        (400, "ORDER_PAID", true),
        (403, "OUT_TRADE_NO_USED", true),
        (400, "INVALID_REQUEST", true),
        (400, "BUYER_MISMATCH", true),
        (400, "AUTH_CODE_INVALID", true),
        (403, "AUTHCODEEXPIRE", true),
        (500, "AUTH_CODE_INVALID", false),
        (403, "NOT_ENOUGH", false),
        (500, "ORDER_PAID", false),
        (400, "PARAM_ERROR", false),
    ] {
        assert_eq!(is_answered_by_query(status, &refused(code)), is_asked, "{status} {code}");
    }
    assert_eq!(kind(&read_unheard(400, &refused("INVALID_REQUEST"))), "not-sent");
    assert_eq!(kind(&read_unheard(400, &refused("ORDER_PAID"))), "no-answer");
}

#[test]
fn answers_about_other_merchants_are_none() {
    for (mode, ids, outcome) in [
        ("direct", r#""mchid":"1900000001""#, "Succeeded"),
        ("direct", r#""mchid":"1900000002""#, "no-answer"),
        ("direct", r#""sp_mchid":"1900000001""#, "no-answer"),
        ("partner", r#""sp_mchid":"1900000001","sub_mchid":"1900000109""#, "Succeeded"),
        ("partner", r#""sp_mchid":"1900000001","sub_mchid":"1900000110""#, "no-answer"),
        ("partner", r#""sp_mchid":"1900000002","sub_mchid":"1900000109""#, "no-answer"),
        ("partner", r#""sp_mchid":"1900000001""#, "no-answer"),
        ("partner", r#""mchid":"1900000001""#, "no-answer"),
    ] {
        let body = format!(r#"{{{ids},"out_trade_no":"{NUMBER}","trade_state":"SUCCESS","amount":{{"total":1}}}}"#);
        assert_eq!(told(read_queried(&settings(mode), 200, body.as_bytes(), NUMBER)), outcome, "{mode} {ids}");
    }
}

#[test]
fn queries() {
    let settings = settings("direct");
    for (status, body, outcome) in [
        (200, order("NOTPAY"), "Pending"),
        (200, order("CLOSED"), "Closed"),
        (200, order("REFUND"), "Refunded"),
        (404, refused("ORDER_NOT_EXIST"), "NotFound"),
        (404, refused("ORDERNOTEXIST"), "NotFound"),
        (404, refused("RESOURCE_NOT_EXISTS"), "NotFound"),
        // A 404 of something on the way is not the scheme's word.
        (404, refused("NO_ROUTE"), "no-answer"),
        (404, b"<html>".to_vec(), "no-answer"),
        (400, refused("ORDER_NOT_EXIST"), "no-answer"),
        (401, refused("SIGN_ERROR"), "no-answer"),
        (429, refused("RATELIMIT_EXCEEDED"), "no-answer"),
        (500, refused("SYSTEM_ERROR"), "no-answer"),
    ] {
        assert_eq!(told(read_queried(&settings, status, &body, NUMBER)), outcome, "{status}");
    }
}

#[test]
fn codes() {
    let said = |status, body: &[u8]| read_created(status, body).map_err(|error| kind(&error));
    assert_eq!(
        said(200, br#"{"code_url":"weixin://wxpay/bizpayurl?pr=1"}"#),
        Ok("weixin://wxpay/bizpayurl?pr=1".to_owned())
    );
    for (status, body, outcome) in [
        (200, b"{}".to_vec(), "no-answer"),
        (200, br#"{"code_url":""}"#.to_vec(), "no-answer"),
        (400, refused("PARAM_ERROR"), "not-sent"),
        (400, refused("ORDER_CLOSED"), "not-sent"),
        (403, refused("RULE_LIMIT"), "not-sent"),
        (400, refused("ORDER_PAID"), "no-answer"),
        (400, refused("INVALID_REQUEST"), "no-answer"),
        (500, refused("SYSTEM_ERROR"), "no-answer"),
    ] {
        assert_eq!(said(status, &body), Err(outcome), "{status}");
    }
}

#[test]
fn closes_and_reversals() {
    let settings = settings("direct");
    let reversed = format!(r#"{{"mchid":"1900000001","out_trade_no":"{NUMBER}"}}"#).into_bytes();
    let shown = |outcome: Result<Undone, Error>| match outcome {
        Ok(Undone::Answer(answer)) => told(Ok(*answer)),
        Ok(Undone::ToConfirm) => "to confirm".to_owned(),
        Ok(Undone::Refused(_)) => "refused".to_owned(),
        Err(error) => kind(&error).to_owned(),
    };
    for (status, body, closed, undone) in [
        (204, Vec::new(), "Closed", "no-answer"),
        (200, reversed, "no-answer", "to confirm"),
        (200, br#"{"out_trade_no":"another"}"#.to_vec(), "no-answer", "no-answer"),
        (400, refused("ORDER_PAID"), "refused", "refused"),
        (400, refused("ORDER_CLOSED"), "Closed", "to confirm"),
        (400, refused("ORDERREVERSED"), "no-answer", "to confirm"),
        (400, refused("INVALID_REQUEST"), "refused", "refused"),
        (403, refused("TRADE_ERROR"), "no-answer", "refused"),
        (400, refused("REVERSE_EXPIRE"), "no-answer", "refused"),
        (404, refused("ORDER_NOT_EXIST"), "NotFound", "NotFound"),
        (401, refused("SIGN_ERROR"), "no-answer", "no-answer"),
        (500, refused("SYSTEM_ERROR"), "no-answer", "no-answer"),
    ] {
        assert_eq!(
            shown(read_closed(status, &body, NUMBER)),
            closed,
            "close {status} {}",
            String::from_utf8_lossy(&body)
        );
        assert_eq!(
            shown(read_reversed(status, &body, NUMBER)),
            undone,
            "reverse {status} {}",
            String::from_utf8_lossy(&body)
        );
    }
    for (state, confirmed, refused) in [
        ("REVOKED", "Closed", "Closed"),
        ("CLOSED", "Closed", "Closed"),
        ("PAYERROR", "failed declined", "failed declined"),
        // The scheme says that it reversed, and then that it did not.
        ("SUCCESS", "no-answer", "Succeeded"),
        ("USERPAYING", "no-answer", "no-answer"),
        ("REFUND", "no-answer", "Succeeded"),
    ] {
        let known = || read_queried(&settings, 200, &order(state), NUMBER).unwrap();
        assert_eq!(told(read_undone(Undone::ToConfirm, known())), confirmed, "{state}");
        assert_eq!(told(read_undone(Undone::Refused(String::new()), known())), refused, "{state}");
    }
}

#[test]
fn self_tests() {
    let said = |status, code| read_self_test(status, &refused(code)).map_err(|error| kind(&error));
    assert_eq!(said(404, "ORDER_NOT_EXIST"), Ok(()));
    for (status, code, outcome) in [
        (401, "SIGN_ERROR", "misconfigured"),
        (403, "NO_AUTH", "misconfigured"),
        (400, "APPID_MCHID_NOT_MATCH", "misconfigured"),
        (500, "SYSTEM_ERROR", "no-answer"),
    ] {
        assert_eq!(said(status, code), Err(outcome), "{code}");
    }
    // Such an order cannot be there.
    assert!(read_self_test(200, &order("SUCCESS")).is_err());
}
