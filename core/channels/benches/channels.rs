//! What the sandbox costs each real channel: a call into a fresh instance against the same code called natively.
//!
//! Each call ends before its scheme is asked, so that nothing is measured but the channel: a notification of some 512 bytes that is read and
//! refused, or a self-test whose settings are refused. The wallet has none to refuse: its request goes to an address that the host does not
//! call, and the host's part of that is in its figure. The channel's own work is little in all of them, so that what is measured is the
//! sandbox. One line each: `channels/overhead alipay asked=… bytes=… load_us=… wasm_p50_us=… wasm_p99_us=… native_p50_us=… native_p99_us=…
//! overhead_p50_us=…`; `load_us` is taking in the compiled code from the cache.

#![allow(clippy::expect_used, clippy::panic, reason = "a bench that cannot be set up has nothing to measure")]

mod measure;

use std::{hint::black_box, time::Instant};

use measure::{SAMPLES, component, percentiles};
use saoma_channel_sdk::{
    Account as GuestAccount, Error, Guest, HttpMessage as GuestMessage, NotificationError, settings,
};
use saoma_channels::{Account, ChannelCaller as _, Host, HostConfig, HttpMessage, Origin};
use tokio::runtime::Runtime;

/// What is asked, and the same natively: the words in which it is refused.
enum Asked {
    Notification { begins: &'static str, natively: fn(GuestAccount, GuestMessage) -> String },
    SelfTest(fn(&GuestAccount) -> String),
}

struct Subject {
    channel: &'static str,
    /// As its schema has them.
    settings: &'static str,
    asked: Asked,
}

const SUBJECTS: [Subject; 7] = [
    Subject {
        channel: "alipay",
        settings: r#"{"gateway_url":"https://alipay.example/gateway.do","app_id":"2021000000000001","bill_url":"https://alipay.example"}"#,
        asked: Asked::Notification {
            begins: "trade_status=TRADE_SUCCESS&total_amount=12.50&sign_type=RSA2&sign=!&body=",
            natively: refused::<saoma_alipay::Alipay>,
        },
    },
    Subject {
        channel: "wechatpay",
        settings: r#"{"base_url":"https://wechat.example","mode":"direct","mchid":"not digits","appid":"wx8888888888888888","merchant_serial":"5157F09E"}"#,
        asked: Asked::Notification { begins: "", natively: refused::<saoma_wechatpay::WechatPay> },
    },
    Subject {
        channel: "unionpay",
        settings: r#"{"gateway_url":"https://unionpay.example","file_url":"https://unionpay.example","merchant_id":"777290058110097","certificate_id":"68759529225","terminal_id":"00000001","code_minutes_max":5}"#,
        asked: Asked::Notification {
            begins: "version=5.1.0&encoding=UTF-8&txnAmt=1250&respCode=00&no form ",
            natively: refused::<saoma_unionpay::UnionPay>,
        },
    },
    Subject {
        channel: "card",
        settings: r#"{"address":"tls://acquirer.example:8583","terminal_number":"10000001","merchant_number":"123456789012345","mac":"unionpay-ecb","tpdu":"9999999999"}"#,
        asked: Asked::SelfTest(|account| {
            let settings: Result<saoma_card::messages::Settings, Error> = settings(account);
            why(settings.and_then(|settings| settings.prefix()).expect_err("the TPDU is wrong"))
        }),
    },
    Subject {
        channel: "pix",
        settings: r#"{"base_url":"https://bank.example","token_url":"https://bank.example","client_id":"c","pix_key":"a@b.example","merchant_city":"SAO PAULO"}"#,
        asked: Asked::Notification {
            begins: r#"{"pix":[{"endToEndId":"E0000000020261128","txid":"abc","valor":"12.50"}],"open":"#,
            natively: refused::<saoma_pix::Pix>,
        },
    },
    Subject {
        channel: "lightning",
        settings: r#"{"node_url":"https://node.example","network":"regtest","currency":"USD","rate_min":3,"rate_max":2}"#,
        asked: Asked::SelfTest(|account| {
            why(saoma_lightning::Lightning::self_test(account.clone()).expect_err("the rates"))
        }),
    },
    Subject {
        channel: "wallet",
        settings: r#"{"base_url":"https://127.0.0.1:9","acceptor":"sto_7777777777777777777777777a"}"#,
        asked: Asked::SelfTest(|account| {
            let settings: saoma_wallet::messages::Settings = settings(account).expect("they fit");
            drop(black_box(saoma_wallet::messages::build::introduce(&settings)));
            // Natively nothing is sent either.
            "127.0.0.1".to_owned()
        }),
    },
];

fn refused<G: Guest>(account: GuestAccount, message: GuestMessage) -> String {
    match G::parse_notification(account, message).expect_err("nobody signed it") {
        NotificationError::Forged(why) | NotificationError::Malformed(why) | NotificationError::NotNow(why) => why,
        NotificationError::Irrelevant(_) => String::new(),
    }
}

fn why(error: Error) -> String {
    match error {
        Error::NoAnswer(why) | Error::NotSent(why) | Error::Misconfigured(why) => why,
        Error::Unsupported => String::new(),
    }
}

fn main() {
    SUBJECTS.iter().for_each(measure);
}

fn measure(subject: &Subject) {
    let component = component(subject.channel);
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let taken_in = |origin: Origin| {
        let host = Host::new(HostConfig::new(folder.path().join("cache"))).expect("the host starts");
        let began = Instant::now();
        let plugin = runtime.block_on(host.install(&component)).expect("installs");
        let took = began.elapsed();
        assert_eq!(plugin.origin(), origin);
        (host, took)
    };
    taken_in(Origin::Compiled);
    let (host, loaded) = taken_in(Origin::Cache);
    let account = measure::account(subject.channel.to_owned(), subject.settings.to_owned());
    let of_guest = GuestAccount {
        id: account.id.to_string(),
        settings_json: account.settings_json.clone(),
        notify_url: account.notify_url.clone(),
    };
    let message = message(&subject.asked);
    let sandboxed = || sandboxed(&runtime, &host, &account, &message, &subject.asked);
    let natively = || match subject.asked {
        Asked::Notification { natively, .. } => {
            let message = GuestMessage { headers: message.headers.clone(), body: message.body.clone() };
            natively(of_guest.clone(), message)
        }
        Asked::SelfTest(natively) => natively(&of_guest),
    };
    // Both must do the same work before it is worth timing.
    let (said, meant) = (sandboxed(), natively());
    assert!(!meant.is_empty() && said.contains(&meant), "{}: {said}, and natively {meant}", subject.channel);
    let (wasm_p50, wasm_p99) = percentiles(SAMPLES, || drop(black_box(sandboxed())));
    let (native_p50, native_p99) = percentiles(SAMPLES, || drop(black_box(natively())));
    println!(
        "channels/overhead {} asked={} bytes={} load_us={} wasm_p50_us={wasm_p50:.1} wasm_p99_us={wasm_p99:.1} native_p50_us={native_p50:.2} \
         native_p99_us={native_p99:.2} overhead_p50_us={:.1} of={SAMPLES}",
        subject.channel,
        if matches!(subject.asked, Asked::SelfTest(_)) { "self-test" } else { "notification" },
        component.len(),
        loaded.as_micros(),
        wasm_p50 - native_p50,
    );
}

fn message(asked: &Asked) -> HttpMessage {
    let begins = if let Asked::Notification { begins, .. } = asked { *begins } else { "" };
    HttpMessage { headers: Vec::new(), body: format!("{begins:x<512}").into_bytes() }
}

fn sandboxed(runtime: &Runtime, host: &Host, account: &Account, message: &HttpMessage, asked: &Asked) -> String {
    runtime.block_on(async {
        match asked {
            Asked::Notification { .. } => {
                host.parse_notification(account, message).await.expect_err("nobody signed it").to_string()
            }
            Asked::SelfTest(_) => host.self_test(account).await.expect_err("it is refused").to_string(),
        }
    })
}
