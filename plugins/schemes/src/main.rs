//! `saoma-schemes`: plays the far side of a payment channel.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use saoma_schemes::{acquirer, alipay, lightning, pix, stage, stored_value, unionpay, wallet, wechatpay};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Simulated payment schemes, for tests and the demo.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    /// Appends every request that it hears to this file, a line of JSON each, as `GET /heard` of the stage door has them.
    #[arg(long, value_name = "FILE", global = true)]
    heard: Option<PathBuf>,
    #[command(subcommand)]
    scheme: SchemeCommand,
}

#[derive(Subcommand)]
enum SchemeCommand {
    /// The Sandbox Wallet: orders, payment codes, refunds, notifications, bills and faults by magic amounts.
    ///
    /// Prints one line of JSON when it is ready: {"listening":"http://127.0.0.1:PORT"}. Logs go to stderr (RUST_LOG).
    ///
    /// Example: saoma-schemes wallet --listen 127.0.0.1:8090 --merchant noodles=secret
    ///
    /// With --stage it opens the stage door of STAGE.md too, for `saoma plugin test`, and amounts have no magic; the line then
    /// has "door" as well. It needs no merchant.
    Wallet(WalletArgs),
    /// Alipay's OpenAPI gateway (face-to-face payment), with test keys.
    ///
    /// Prints one line of JSON when it is ready: {"listening":"http://127.0.0.1:PORT","door":"http://127.0.0.1:PORT"}.
    ///
    /// Example: saoma-schemes alipay --listen 127.0.0.1:8091
    ///
    /// It takes requests of both key modes; with --certificates it wants them of certificate mode, and gives the settings for that.
    Alipay(AlipayArgs),
    /// UnionPay's Online Payment gateway (QR payments), with test keys.
    ///
    /// Prints one line of JSON when it is ready: {"listening":"http://127.0.0.1:PORT","door":"http://127.0.0.1:PORT"}.
    ///
    /// Example: saoma-schemes unionpay --listen 127.0.0.1:8093
    Unionpay(StageArgs),
    /// A Lightning node with LND's REST API (regtest), and a rate source beside it, with test keys.
    ///
    /// Prints one line of JSON when it is ready: {"listening":"https://127.0.0.1:PORT","door":"http://127.0.0.1:PORT"}.
    ///
    /// Example: saoma-schemes lightning --listen 127.0.0.1:8096
    Lightning(StageArgs),
    /// A Brazilian bank with the Banco Central's API Pix over mutual TLS, with test certificates.
    ///
    /// Prints one line of JSON when it is ready: {"listening":"https://127.0.0.1:PORT","door":"http://127.0.0.1:PORT"}.
    ///
    /// Example: saoma-schemes pix --listen 127.0.0.1:8095
    Pix(StageArgs),
    /// A Saoma tenant that issues closed-loop stored value, with a test key.
    ///
    /// Prints one line of JSON when it is ready: {"listening":"http://127.0.0.1:PORT","door":"http://127.0.0.1:PORT"}.
    ///
    /// Example: saoma-schemes stored-value --listen 127.0.0.1:8097
    StoredValue(StageArgs),
    /// WeChat Pay's API v3 (payment codes, native codes), with test keys.
    ///
    /// Prints one line of JSON when it is ready: {"listening":"http://127.0.0.1:PORT","door":"http://127.0.0.1:PORT"}.
    ///
    /// Example: saoma-schemes wechatpay --partner --signing next-certificate
    Wechatpay(WechatpayArgs),
    /// A card acquirer (ISO 8583 over TCP or TLS, as UnionPay's terminals speak it), with test keys.
    ///
    /// Prints one line of JSON when it is ready: {"listening":"tcp://127.0.0.1:PORT","door":"http://127.0.0.1:PORT"}.
    ///
    /// Example: saoma-schemes acquirer --tls --mac retail --length-header decimal
    Acquirer(AcquirerArgs),
}

#[derive(clap::Args)]
struct AcquirerArgs {
    #[command(flatten)]
    stage: StageArgs,
    /// Over TLS.
    #[arg(long)]
    tls: bool,
    /// How messages are protected.
    #[arg(long, value_enum, default_value_t)]
    mac: acquirer::cipher::Mac,
    /// What stands in front of each message.
    #[arg(long, value_enum, default_value_t)]
    length_header: acquirer::LengthHeader,
}

#[derive(clap::Args)]
struct AlipayArgs {
    #[command(flatten)]
    stage: StageArgs,
    /// The application signs in certificate mode.
    #[arg(long)]
    certificates: bool,
}

#[derive(clap::Args)]
struct WechatpayArgs {
    #[command(flatten)]
    stage: StageArgs,
    /// The merchant is behind a service provider.
    #[arg(long)]
    partner: bool,
    /// By which key the scheme signs, and which one merchants hold.
    #[arg(long, value_enum, default_value_t)]
    signing: wechatpay::Signing,
    /// The merchant's money is paid out at the end of each day.
    #[arg(long)]
    withdraws: bool,
}

#[derive(clap::Args)]
struct StageArgs {
    /// Address of the wire; port 0 takes a free one. The stage door opens on a free port beside it.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

#[derive(clap::Args)]
struct WalletArgs {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// A merchant's id and signing key; repeat it for more merchants.
    #[arg(long = "merchant", value_name = "ID=KEY", required_unless_present = "stage", value_parser = merchant)]
    merchants: Vec<(String, String)>,
    /// What order links begin with, if customers reach the scheme under another address.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// How long slow customers (amounts ending in 92) take, in milliseconds.
    #[arg(long, default_value_t = 3_000)]
    slow_ms: u32,
    /// Opens the stage door, where tests play the customer and the scheme.
    #[arg(long)]
    stage: bool,
}

/// The merchant of a stage where none is named: a key that is as good as public.
const STAGE_MERCHANT: (&str, &str) = ("stage", "stage key, known to everybody");

fn merchant(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((id, key)) if !id.is_empty() && !key.is_empty() => Ok((id.to_owned(), key.to_owned())),
        _ => Err("write it as ID=KEY, for example noodles=secret".to_owned()),
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).init();
    let cli = Cli::parse();
    if let Some(path) = &cli.heard {
        stage::keep_heard(path).with_context(|| format!("cannot write to {}", path.display()))?;
    }
    match cli.scheme {
        SchemeCommand::Wallet(args) => play_wallet(args).await,
        SchemeCommand::Alipay(args) => {
            let config = alipay::Config { by_certificates: args.certificates };
            play(|| alipay::start(args.stage.listen, config)).await
        }
        SchemeCommand::Unionpay(args) => play(|| unionpay::start(args.listen)).await,
        SchemeCommand::Lightning(args) => play(|| lightning::start(args.listen)).await,
        SchemeCommand::Pix(args) => play(|| pix::start(args.listen)).await,
        SchemeCommand::StoredValue(args) => play(|| stored_value::start(args.listen)).await,
        SchemeCommand::Wechatpay(args) => {
            let WechatpayArgs { stage, partner, signing, withdraws } = args;
            let config = wechatpay::Config { is_partner: partner, signing, withdraws };
            play(|| wechatpay::start(stage.listen, config)).await
        }
        SchemeCommand::Acquirer(args) => {
            let AcquirerArgs { stage, tls, mac, length_header } = args;
            let config = acquirer::Config { mac, tls, length_header };
            let started = || acquirer::start(stage.listen, config).map(|running| (running.ready_line(), running));
            until_told(started).await?.stop().await;
            Ok(())
        }
    }
}

/// Plays a far side that is on stage until it is told to stop.
async fn play(start: impl FnOnce() -> anyhow::Result<stage::Running>) -> anyhow::Result<()> {
    let started = || start().map(|running| (running.ready_line(), running));
    until_told(started).await?.stop().await;
    Ok(())
}

async fn play_wallet(args: WalletArgs) -> anyhow::Result<()> {
    let started = || {
        let mut merchants = args.merchants;
        if args.stage && merchants.is_empty() {
            merchants.push((STAGE_MERCHANT.0.to_owned(), STAGE_MERCHANT.1.to_owned()));
        }
        let mut config = wallet::Config::new(args.listen, merchants);
        config.on_stage = args.stage;
        config.base_url = args.base_url;
        config.slow = Duration::from_millis(u64::from(args.slow_ms));
        let running = wallet::start(config)?;
        let mut ready = serde_json::json!({"listening": format!("http://{}", running.address)});
        if let Some(door) = &running.door {
            ready["door"] = serde_json::json!(door);
        }
        Ok((ready, running))
    };
    until_told(started).await?.stop().await;
    Ok(())
}

/// Starts a far side, prints the line that says that it is ready, and gives it back when a signal says that it is to stop.
async fn until_told<R>(start: impl FnOnce() -> anyhow::Result<(serde_json::Value, R)>) -> anyhow::Result<R> {
    // Before the ready line: whoever reads it may send a signal at once.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (ready, running) = start()?;
    println!("{ready}");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    Ok(running)
}
