//! What those who run the system see of it: traces, metrics, logs. And what they must not see.

use std::{
    collections::BTreeMap,
    process::Command,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::people::{Cashier, Customer, Office};
use crate::{
    api::text,
    collector::{Collector, Span},
    secrecy,
    shop::{OWNER_EMAIL, Shop},
    wait::until,
};

/// A card's number with a true check digit, as somebody may key or scan it where a code belongs.
const CARD: &str = "4111111111111111";
/// Most series of one core: each is kept by every watcher for ever.
const SERIES_MAX: usize = 2_000;

const AGENT: &str = "saoma-edge";
const CORE: &str = "saoma";

fn collector(shop: &Shop) -> Result<Collector> {
    shop.premises.collector.clone().context("nobody collects traces")
}

/// The trace of a span that `begins` fits, once all `names` are in it and it is one tree.
async fn whole_trace(
    collector: &Collector,
    begins: impl Fn(&Span) -> bool,
    names: &[(&str, &str)],
) -> Result<Vec<Span>> {
    let lacks = Mutex::new(String::new());
    let waited = until("a whole trace", || {
        let spans = collector.spans();
        let trace = spans.iter().rev().find(|span| begins(span)).map(|span| collector.trace(&span.trace));
        let trace = trace.unwrap_or_default();
        let told = missing(&trace, names);
        let whole = told.is_none().then_some(trace);
        *lacks.lock().unwrap_or_else(PoisonError::into_inner) = told.unwrap_or_default();
        async { Ok(whole) }
    })
    .await;
    waited.map_err(|error| error.context(lacks.into_inner().unwrap_or_default()))
}

/// What a trace lacks: spans, or one root (the till's key press, or a batch of its journal) with every other span below another of the same trace.
fn missing(trace: &[Span], names: &[(&str, &str)]) -> Option<String> {
    let has = |service: &str, name: &str| trace.iter().any(|span| span.service == service && span.name == name);
    if let Some((service, name)) = names.iter().find(|(service, name)| !has(service, name)) {
        let there: Vec<&str> = trace.iter().map(|span| span.name.as_str()).collect();
        return Some(format!("the trace has no {name} of {service}, only {there:?}"));
    }
    let roots: Vec<&Span> = trace.iter().filter(|span| span.parent.is_empty()).collect();
    if roots.len() != 1 || !["till.request", "journal.batch"].contains(&roots[0].name.as_str()) {
        return Some(format!("the trace begins with {roots:?}"));
    }
    let above = |span: &Span| span.parent.is_empty() || trace.iter().any(|above| above.id == span.parent);
    trace.iter().find(|span| !above(span)).map(|span| format!("{} of {} hangs in the air", span.name, span.service))
}

fn plugin_call_of(payment: &str) -> impl Fn(&Span) -> bool {
    let payment = payment.to_owned();
    move |span| span.name == "plugin_call" && span.attribute("payment.id") == Some(&payment)
}

/// From `name` upwards, the names of the spans that it is in.
fn ancestry<'a>(trace: &'a [Span], name: &str) -> Vec<&'a str> {
    let mut names = Vec::new();
    let mut next = trace.iter().find(|span| span.name == name);
    while let Some(span) = next {
        names.push(span.name.as_str());
        next = trace.iter().find(|above| above.id == span.parent);
    }
    names
}

/// The scheme was told the trace by the very request that stands in it.
async fn scheme_was_told(shop: &Shop, payment: &str, trace: &[Span]) -> Result<()> {
    let order = shop.scheme()?.get(&format!("/admin/orders/{payment}")).await?;
    let told = order["traceparent"].as_str().with_context(|| format!("the scheme was told no trace: {order}"))?;
    let parts: Vec<&str> = told.split('-').collect();
    let request = trace.iter().find(|span| span.name == "plugin_http" && parts.get(2) == Some(&span.id.as_str()));
    ensure!(request.is_some_and(|request| parts[1] == request.trace), "the scheme was told {told}");
    Ok(())
}

pub async fn one_trace(shop: &mut Shop) -> Result<()> {
    shop.till_is_online().await?;
    let (cashier, customer, collector) = (Cashier::of(shop)?, Customer::of(shop)?, collector(shop)?);
    let pushed = [(CORE, "push"), (AGENT, "core.push"), (CORE, "terminal.message")];
    let asked = [(AGENT, "till.request"), (AGENT, "core.request"), (CORE, "request"), (CORE, "collect")];
    let called = [(CORE, "settle"), (CORE, "plugin_call"), (CORE, "plugin_http")];
    let all = [&asked[..], &called, &pushed].concat();

    let charged = cashier.sell_by_scan(2011, &customer.shows_code().await?).await?;
    cashier.sees(&charged, "succeeded").await?;
    let trace = whole_trace(&collector, plugin_call_of(&charged), &all).await?;
    let down = ["plugin_http", "plugin_call", "collect", "request", "core.request", "till.request"];
    ensure!(ancestry(&trace, "plugin_http") == down, "{:?}", ancestry(&trace, "plugin_http"));
    scheme_was_told(shop, &charged, &trace).await?;

    let shown = cashier.sell_by_code(1211).await?;
    let sale = cashier.sees(&shown, "presenting").await?;
    let (_, page) = customer.opens(sale["code_url"].as_str().context("no code")?).await?;
    let paid = customer.pays(&Customer::wallet_token(&page)?).await?;
    ensure!(paid.status.is_success(), "the wallet refuses: {}", paid.body);
    cashier.sees(&shown, "succeeded").await?;
    let trace = whole_trace(&collector, plugin_call_of(&shown), &all).await?;
    scheme_was_told(shop, &shown, &trace).await?;
    // The scheme's own word comes back in the trace in which it was asked, and so does the push that follows from it.
    let notified = |span: &Span| {
        let route = span.attribute("http.route").unwrap_or_default();
        span.name == "request" && route.starts_with("/v1/notify/")
    };
    let trace = until("the notification in the trace", || {
        let trace = collector.trace(&trace[0].trace);
        async { Ok(trace.iter().any(notified).then_some(trace)) }
    })
    .await?;
    let pushes = trace.iter().filter(|span| span.name == "core.push").count();
    ensure!(pushes >= 2, "the till heard of code and payment in {pushes} pushes of the trace");

    let cash = cashier.sell_for_cash(711, 711).await?;
    cashier.sees(&cash, "succeeded").await?;
    // In the press's trace if it goes out at once, in its own if another batch was under way.
    let batch = [(AGENT, "journal.batch"), (CORE, "terminal.message"), (AGENT, "journal.ack")];
    whole_trace(&collector, |span| span.name == "journal.batch", &batch).await?;
    ensure!(collector.refused().is_empty(), "exports that cannot be read: {:?}", collector.refused());
    Ok(())
}

/// 93: no answer, resolved by query. Workers work in traces of their own, which point to the payment's.
pub async fn later_traces(shop: &mut Shop) -> Result<()> {
    shop.till_is_online().await?;
    let (customer, office, collector) = (Customer::of(shop)?, Office::of(shop)?, collector(shop)?);
    let charged = office.charges(shop, 2293, &customer.shows_code().await?).await?;
    let payment = charged["id"].as_str().context("no id")?.to_owned();
    office.sees(&payment, "succeeded").await?;
    let shown = office.presents(shop, 1311, 5).await?;
    let expired = shown["id"].as_str().context("no id")?.to_owned();
    office.sees(&expired, "expired").await?;
    // A code's end is found by whoever looks first: the one who ends codes, or the one who asks the channel.
    let ends: [(&String, &[&str]); 2] = [(&payment, &["resolve"]), (&expired, &["expire", "resolve"])];
    for (payment, later) in ends {
        let about = |span: &Span, name: &str| span.name == name && span.attribute("payment.id") == Some(payment);
        let (first, worker) = until(&format!("a span of {later:?} of {payment}"), || {
            let spans = collector.spans();
            let first = spans.iter().find(|span| about(span, "collect")).cloned();
            let worker = spans.iter().find(|span| later.iter().any(|name| about(span, name))).cloned();
            async { Ok(first.zip(worker)) }
        })
        .await?;
        ensure!(worker.trace != first.trace && worker.parent.is_empty(), "{worker:?}");
        ensure!(worker.links == [first.trace.clone()], "{later:?} points to {:?}, not {}", worker.links, first.trace);
    }
    Ok(())
}

/// Reads a text in OpenMetrics with the library that Prometheus's authors keep, strictly, and says in JSON what is in it.
const PARSER: &str = "
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
families = list(text_string_to_metric_families(sys.stdin.read()))
print(json.dumps([[f.name, f.type, [[s.name, s.labels, s.value] for s in f.samples]] for f in families]))
";

/// Each sample: its name, its labels, its value.
type Samples = Vec<(String, BTreeMap<String, String>, f64)>;

async fn scraped(shop: &Shop) -> Result<Samples> {
    use std::io::Write as _;
    let (status, text) = shop.metrics()?.bytes("/metrics").await?;
    ensure!(status.is_success(), "/metrics answers {status}");
    let mut parser = Command::new("/usr/bin/python3")
        .args(["-c", PARSER])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .context("python3 is missing: apt-get install python3-prometheus-client")?;
    parser.stdin.take().context("no input")?.write_all(&text)?;
    let read = parser.wait_with_output()?;
    ensure!(read.status.success(), "the parser refuses /metrics:\n{}", String::from_utf8_lossy(&text));
    let families: Vec<(String, String, Samples)> = serde_json::from_slice(&read.stdout)?;
    Ok(families.into_iter().flat_map(|(_, _, samples)| samples).collect())
}

/// The sum over all samples of that name whose labels hold these.
fn sum(samples: &Samples, name: &str, labels: &[(&str, &str)]) -> f64 {
    let holds = |held: &BTreeMap<String, String>| {
        labels.iter().all(|(label, value)| held.get(*label).is_some_and(|held| held == value))
    };
    samples.iter().filter(|(of, held, _)| of == name && holds(held)).map(|(.., value)| value).sum()
}

pub async fn metrics(shop: &mut Shop) -> Result<()> {
    shop.till_is_online().await?;
    let (customer, cashier, office) = (Customer::of(shop)?, Cashier::of(shop)?, Office::of(shop)?);
    let before = scraped(shop).await?;
    let payment = office.charges(shop, 2021, &customer.shows_code().await?).await?;
    let payment = payment["id"].as_str().context("no id")?.to_owned();
    let refund =
        office.asks(&format!("/v1/payments/{payment}/refunds"), &json!({"amount": Office::amount(21)})).await?;
    ensure!(refund.status.is_success(), "refund: {}", refund.body);
    let cash = cashier.sell_for_cash(811, 811).await?;
    office.core.call(reqwest::Method::from_bytes(b"BREW")?, &format!("/v1/{payment}"), None, None).await?;
    until("the cash sale at core", || async {
        let found = office.core.call(reqwest::Method::GET, &format!("/v1/payments/{cash}"), None, None).await?;
        Ok(found.status.is_success().then_some(()))
    })
    .await?;
    let after = scraped(shop).await?;
    let grew = |name: &str, labels: &[(&str, &str)]| sum(&after, name, labels) - sum(&before, name, labels);
    let scanned = [("method", "customer_presented"), ("channel", "sandbox")];
    for (name, labels, by) in [
        ("saoma_payments_total", [&scanned[..], &[("state", "submitting")]].concat(), 1.0),
        ("saoma_payments_total", [&scanned[..], &[("state", "succeeded")]].concat(), 1.0),
        ("saoma_payments_total", vec![("channel", "cash"), ("state", "succeeded")], 1.0),
        ("saoma_refunds_total", vec![("kind", "refund"), ("state", "submitting")], 1.0),
        ("saoma_refunds_total", vec![("kind", "refund"), ("state", "succeeded")], 1.0),
        ("saoma_plugin_call_duration_seconds_count", vec![("function", "charge"), ("outcome", "answered")], 1.0),
        ("saoma_plugin_call_duration_seconds_count", vec![("function", "refund"), ("plugin", "sandbox")], 1.0),
        (
            "http_server_request_duration_seconds_count",
            vec![("http_request_method", "POST"), ("http_route", "/v1/payments"), ("http_response_status_code", "201")],
            1.0,
        ),
        (
            "http_server_request_duration_seconds_count",
            vec![("http_request_method", "_OTHER"), ("http_route", "none")],
            1.0,
        ),
    ] {
        ensure!((grew(name, &labels) - by).abs() < 0.1, "{name} {labels:?} grew by {}", grew(name, &labels));
    }
    for (name, labels) in [
        ("saoma_journal_entries_total", vec![("verdict", "accepted")]),
        ("saoma_db_waits_total", vec![("pool", "write")]),
    ] {
        ensure!(grew(name, &labels) >= 1.0, "{name} {labels:?} grew by {}", grew(name, &labels));
    }
    ensure!(sum(&after, "saoma_terminals_online", &[]) == 1.0, "one terminal is online");
    ensure!(sum(&after, "process_memory_usage_bytes", &[]) > 1e6, "the memory of the process");
    for name in [
        "saoma_outbox_messages",
        "saoma_outbox_oldest_age_seconds",
        "saoma_payments_open",
        "saoma_payments_unknown",
        "saoma_settlements_waiting",
    ] {
        ensure!(after.iter().any(|(of, ..)| of == name), "no {name}");
    }
    ensure!(after.len() <= SERIES_MAX, "{} series", after.len());
    let ids = [&shop.made()?.tenant, &shop.made()?.terminal, &payment];
    let told = after.iter().flat_map(|(_, labels, _)| labels.values());
    for label in told {
        ensure!(!ids.iter().any(|id| label.contains(id.as_str())), "a label says {label}");
    }
    // The same figures go to a collector.
    let wanted =
        ["saoma.payments", "saoma.plugin.call.duration", "http.server.request.duration", "saoma.terminals.online"];
    let collector = collector(shop)?;
    until("the metrics at the collector", || {
        let there = collector.metrics();
        let all = wanted.iter().all(|name| there.contains(*name));
        async move { Ok(all.then_some(())) }
    })
    .await?;
    let elsewhere = office.core.call(reqwest::Method::GET, "/metrics", None, None).await?;
    ensure!(elsewhere.problem()? == "not_found", "the API's address serves /metrics: {}", elsewhere.body);
    Ok(())
}

/// After all that was played before, with core and terminal saying all they have to say: no secret of this run in it.
pub async fn no_secrets(shop: &mut Shop) -> Result<()> {
    shop.till_is_online().await?;
    let (cashier, office, collector) = (Cashier::of(shop)?, Office::of(shop)?, collector(shop)?);
    // What people do with a card at a till that takes none.
    drop(cashier.sell_by_scan(101, CARD).await?);
    let scanned = office.asks("/v1/payments", &office.charge_body(shop, 101, CARD)?).await?;
    ensure!(scanned.problem()? == "code_not_recognised", "{}", scanned.body);
    let mut noted = office.charge_body(shop, 101, "770000000000000009")?;
    noted["reference"] = json!(CARD);
    noted["channel_account"] = json!(shop.made()?.honest);
    let payment = office.asks("/v1/payments", &noted).await?.body;
    let payment = payment["id"].as_str().context("no id")?.to_owned();
    for wrong in ["Bearer nonsense-nonsense-nonsense", "Basic bm9ib2R5Om5vdGhpbmc="] {
        let reply =
            shop.core()?.with("authorization", wrong).call(reqwest::Method::GET, "/v1/payments", None, None).await?;
        ensure!(reply.status == 401, "{wrong} is answered {}", reply.status);
    }
    told_of_persons(shop, &office).await?;
    secrecy::note("a credential", "bm9ib2R5Om5vdGhpbmc=");
    secrecy::note("a channel's secret", &shop.merchant_key());
    secrecy::note_files(&shop.premises.folder)?;
    let kinds = secrecy::one_of_each();
    for what in [
        "a password",
        "an access token",
        "a refresh token",
        "an API key",
        "a claim code",
        "a customer's code",
        "a pay code",
        "the scheme's pay code",
        "a credential",
        "a channel's secret",
        "a private key",
        "the master key",
        "a person's address",
        "a person's name",
        "a cashier's name",
        "a payer",
        "a person's reason",
        "a dispute's evidence",
    ] {
        ensure!(kinds.contains_key(what), "this run showed nobody {what}; there is nothing to look for");
    }
    let read = |name: &str| std::fs::read_to_string(shop.premises.folder.join(name));
    // The last words are in the log and at the collector.
    until("the last payment in core's log and spans", || {
        let there = read("core.log").map(|log| log.contains(&payment) && collector.words().contains(&payment));
        async move { Ok(there?.then_some(())) }
    })
    .await?;
    let mut written = vec![("spans".to_owned(), collector.words())];
    // What our programs wrote to standard error (log) and to standard output (out). Schemes are not ours.
    for name in ["core.log", "core.out", "terminal.log", "terminal.out"] {
        written.push((name.to_owned(), read(name)?));
    }
    for (place, text) in &written {
        secrecy::must_not_leak(place, text)?;
        // The canary: the very text with one secret more in the middle of a line.
        for (what, secret) in &kinds {
            let tainted = text.replacen("\n", &format!(" {secret}\n"), 1);
            ensure!(!secrecy::leaks(&tainted).is_empty(), "{what} would not be noticed in {place}");
        }
    }
    log_lines(&read("core.log")?)
}

/// What people write about themselves and each other, each in a field that has room for it.
async fn told_of_persons(shop: &Shop, office: &Office) -> Result<()> {
    let customer = Customer::of(shop)?;
    let person = json!({"email": "ouyang.xiuying@tea.example", "name": "Ouyang Xiuying", "role": "cashier"});
    let owner = shop.signed_in(OWNER_EMAIL).await?;
    owner.post("/v1/users", &person, "ouyang").await?;
    let mut sale = office.charge_body(shop, 4_321, &customer.shows_code().await?)?;
    sale["cashier"] = json!("Shangguan Wan'er");
    let sold = office.core.post("/v1/payments", &sale, "told").await?;
    let sold = text(&office.sees(&text(&sold, "/id")?, "succeeded").await?, "/id")?;
    // The scheme's own word for who paid, which core keeps and shows nobody.
    customer.scheme_order(&sold).await?;
    let reason = json!({"amount": Office::amount(1), "reason": "the tea was cold and her sister ill"});
    office.core.post(&format!("/v1/payments/{sold}/refunds"), &reason, "told").await?;
    let dispute = json!({"amount": Office::amount(1_000), "case_reference": "told"});
    let dispute = owner.post(&format!("/v1/payments/{sold}/disputes"), &dispute, "told").await?;
    let evidence = json!({"evidence": ["a slip that Ximen Qing has signed"]});
    owner.post(&format!("/v1/disputes/{}/submit", text(&dispute, "/id")?), &evidence, "told").await?;
    Ok(())
}

/// Every line of core is JSON, and a request's has what a person looks for.
fn log_lines(log: &str) -> Result<()> {
    let mut answered = 0;
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
        if line["message"] != "answered" || line["target"] != "saoma_server::http::request_span" {
            continue;
        }
        answered += 1;
        let texts = ["method", "route", "trace_id"].iter().all(|name| line[*name].is_string());
        let numbers = ["status", "duration_ms"].iter().all(|name| line[*name].is_u64());
        ensure!(texts && numbers, "a request's line lacks something: {line}");
        ensure!(line["trace_id"].as_str().is_some_and(|id| id.len() == 32), "{line}");
    }
    ensure!(answered > 10, "{answered} requests were logged");
    Ok(())
}
