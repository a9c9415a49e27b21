//! The API's own description, made from the handlers. `openapi.json` beside this crate is it, checked by a test.

use std::{collections::BTreeMap, sync::LazyLock};

use actix_web::http::Method;
use saoma_protocol::api::{PaymentView, Problem, RefundView};
use utoipa::{
    OpenApi,
    openapi::{
        ContentBuilder, Ref, RefOr, ResponseBuilder,
        path::{Operation, PathItem},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use super::v1;
use crate::{
    payments::DisputeView,
    settlement::{SettlementBatchView, SettlementCloseView},
    webhooks::{DoubleSpendView, WebhookEvent, WebhookTrial},
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Saoma core",
        description = "Payments by code: taken, given back, booked. Amounts are whole minor units with an ISO 4217 \
                       currency, times milliseconds since 1970 (UTC). Errors are problem details (RFC 9457); `code` is \
                       stable. Every POST that makes or moves something takes an Idempotency-Key: the same request under the \
                       same key is carried out once. What is made is answered the same again for an hour, the secret in it \
                       too; after that the answer is answered_before.",
    ),
    components(schemas(
        Problem,
        WebhookEvent<PaymentView>,
        WebhookEvent<RefundView>,
        WebhookEvent<DisputeView>,
        WebhookEvent<DoubleSpendView>,
        WebhookEvent<SettlementBatchView>,
        WebhookEvent<SettlementCloseView>,
        WebhookEvent<WebhookTrial>,
    )),
    paths(
        v1::api_keys::create,
        v1::api_keys::list,
        v1::api_keys::revoke,
        v1::audit::list,
        v1::batches::accept_uncounted,
        v1::batches::day,
        v1::batches::days,
        v1::batches::export,
        v1::batches::list,
        v1::batches::settlement,
        v1::batches::show,
        v1::cashiers::change,
        v1::cashiers::change_rules,
        v1::cashiers::create,
        v1::cashiers::list,
        v1::cashiers::rules,
        v1::cashiers::set_pin,
        v1::cashiers::show,
        v1::channel_accounts::change,
        v1::channel_accounts::create,
        v1::channel_accounts::list,
        v1::channel_accounts::self_test,
        v1::channel_accounts::show,
        v1::discrepancies::approve_write_off,
        v1::discrepancies::assign,
        v1::discrepancies::decline_write_off,
        v1::discrepancies::list,
        v1::discrepancies::propose_write_off,
        v1::discrepancies::resolve,
        v1::discrepancies::show,
        v1::disputes::accept,
        v1::disputes::close,
        v1::disputes::list,
        v1::disputes::open,
        v1::disputes::respond_by,
        v1::disputes::show,
        v1::disputes::submit,
        v1::fee_plans::change,
        v1::fee_plans::show,
        v1::fleet::start,
        v1::fleet::stop,
        v1::goods::change,
        v1::goods::create,
        v1::goods::list,
        v1::goods::show,
        v1::held::close,
        v1::held::list,
        v1::ledger::export::balances,
        v1::ledger::export::statement,
        v1::ledger::list_findings,
        v1::ledger::settlement::export,
        v1::ledger::settlement::show,
        v1::ledger::show_balances,
        v1::ledger::show_statement,
        v1::ledger::trial_balance,
        v1::merchant_rules::change,
        v1::merchant_rules::list,
        v1::merchant_rules::show,
        v1::notify::receive,
        v1::orders::show,
        v1::payments::cancel,
        v1::payments::code,
        v1::payments::create,
        v1::payments::list,
        v1::payments::query,
        v1::payments::show,
        v1::payouts::enter,
        v1::payouts::list,
        v1::payouts::reverse,
        v1::people::change,
        v1::people::colleagues,
        v1::people::create,
        v1::people::list,
        v1::people::reset_password,
        v1::people::show,
        v1::plugin_packages::list,
        v1::plugin_packages::publish,
        v1::plugin_packages::retire,
        v1::plugin_packages::show,
        v1::plugin_publishers::list,
        v1::plugin_publishers::revoke,
        v1::plugin_publishers::trust,
        v1::plugin_rollouts::canary,
        v1::plugin_rollouts::install,
        v1::plugin_rollouts::list,
        v1::plugin_rollouts::promote,
        v1::plugin_rollouts::roll_back,
        v1::plugin_rollouts::show,
        v1::plugins::list,
        v1::quotes::ask,
        v1::reconciliation_days::day,
        v1::reconciliations::list,
        v1::reconciliations::show,
        v1::reconciliations::start,
        v1::refunds::create,
        v1::refunds::list,
        v1::refunds::void,
        v1::sessions::change_password,
        v1::sessions::end,
        v1::sessions::list,
        v1::sessions::me,
        v1::sessions::refresh_session,
        v1::sessions::sign_in,
        v1::sessions::sign_out,
        v1::attention::attend,
        v1::settlement_batches::open,
        v1::settlement_batches::close,
        v1::settlement_batches::list,
        v1::settlement_batches::show,
        v1::settlement_batches::resolve,
        v1::settlement_batches::cancel,
        v1::settlement_batches::cancel_close,
        v1::settlements::confirm,
        v1::settlements::create,
        v1::settlements::list,
        v1::settlements::withdraw,
        v1::static_codes::change,
        v1::static_codes::create,
        v1::static_codes::list,
        v1::static_codes::picture,
        v1::static_codes::revoke,
        v1::static_codes::show,
        v1::stored_cards::end_loss,
        v1::stored_cards::forward_held,
        v1::stored_cards::list,
        v1::stored_cards::put_policy,
        v1::stored_cards::show_policy,
        v1::stored_value::change,
        v1::stored_value::desk::close,
        v1::stored_value::desk::freeze,
        v1::stored_value::desk::new_code,
        v1::stored_value::desk::reverse,
        v1::stored_value::desk::top_up,
        v1::stored_value::desk::unfreeze,
        v1::stored_value::export,
        v1::stored_value::offline::double_spends,
        v1::stored_value::offline::grants::list_grants,
        v1::stored_value::offline::grants::make_grant,
        v1::stored_value::offline::grants::revoke_grant,
        v1::stored_value::offline::keys::list_keys,
        v1::stored_value::offline::keys::revoke_offline_key,
        v1::stored_value::offline::put_policy,
        v1::stored_value::offline::resolve_double_spend,
        v1::stored_value::offline::show_policy,
        v1::stored_value::list,
        v1::stored_value::open,
        v1::stored_value::show,
        v1::stored_value::statement,
        v1::stored_value_acceptors::bill,
        v1::stored_value_acceptors::cancel,
        v1::stored_value_acceptors::charge,
        v1::stored_value_acceptors::introduce,
        v1::stored_value_acceptors::refund,
        v1::stored_value_acceptors::show_charge,
        v1::stored_value_acceptors::show_refund,
        v1::stores::change,
        v1::stores::create,
        v1::stores::list,
        v1::stores::show,
        v1::stream::follow,
        v1::tax_rates::change,
        v1::tax_rates::create,
        v1::tax_rates::list,
        v1::tenants::change,
        v1::tenants::create,
        v1::tenants::list,
        v1::tenants::show,
        v1::terminal::acknowledge,
        v1::terminal::cashiers,
        v1::terminal::enrol,
        v1::terminal::goods::changes,
        v1::terminal::journal,
        v1::terminal::offline_list,
        v1::terminal::profile,
        v1::terminal::pushes,
        v1::terminal::renew,
        v1::terminal::show_books,
        v1::terminals::change,
        v1::terminals::create,
        v1::terminals::list,
        v1::terminals::offer_claim,
        v1::terminals::revoke,
        v1::terminals::show,
        v1::terminals::sync_now,
        v1::timeline::show,
        v1::webhook_deliveries::list,
        v1::webhook_deliveries::replay,
        v1::webhook_deliveries::replay_range,
        v1::webhook_deliveries::show,
        v1::webhooks::change,
        v1::webhooks::create,
        v1::webhooks::delete,
        v1::webhooks::list,
        v1::webhooks::rotate_secret,
        v1::webhooks::send_test,
        v1::webhooks::show,
    )
)]
struct Described;

const BEARER: &str = "bearer";

/// The document, with what every operation has in common.
#[must_use]
pub fn described() -> utoipa::openapi::OpenApi {
    let mut api = Described::openapi();
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A person's access token, or an API key"))
        .build();
    if let Some(components) = api.components.as_mut() {
        components.add_security_scheme(BEARER, SecurityScheme::Http(scheme));
    }
    api.security = Some(vec![SecurityRequirement::new(BEARER, Vec::<String>::new())]);
    for item in api.paths.paths.values_mut() {
        let methods = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in methods.into_iter().flatten() {
            complete(operation);
        }
    }
    api
}

/// The methods that the document has at this route; `None` if it does not have the route.
#[must_use]
pub fn methods_of(pattern: &str) -> Option<&'static [Method]> {
    static DESCRIBED: LazyLock<BTreeMap<String, Vec<Method>>> = LazyLock::new(|| {
        let methods = |item: PathItem| {
            let each = [
                (Method::GET, item.get),
                (Method::POST, item.post),
                (Method::PUT, item.put),
                (Method::PATCH, item.patch),
                (Method::DELETE, item.delete),
            ];
            each.into_iter().filter(|(_, operation)| operation.is_some()).map(|(method, _)| method).collect()
        };
        described().paths.paths.into_iter().map(|(path, item)| (path, methods(item))).collect()
    });
    DESCRIBED.get(pattern).map(Vec::as_slice)
}

/// A name that is the only one of its kind, and the answer that everything can have.
fn complete(operation: &mut Operation) {
    let tag = operation.tags.as_ref().and_then(|tags| tags.first()).cloned().unwrap_or_default();
    operation.operation_id = operation.operation_id.take().map(|name| format!("{tag}_{name}").replace(' ', "_"));
    let problem = ResponseBuilder::new()
        .description("What is wrong, and what to do")
        .content(
            "application/problem+json",
            ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build(),
        )
        .build();
    operation.responses.responses.insert("default".to_owned(), RefOr::T(problem));
}

/// The document as text, as it lies beside the source.
///
/// # Errors
/// If it cannot be JSON, which its type excludes.
pub fn document() -> Result<String, serde_json::Error> {
    described().to_pretty_json()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use utoipa::openapi::Required;

    use super::*;

    #[test]
    fn the_committed_document_is_the_code_s() {
        let committed = include_str!("../../openapi.json");
        assert_eq!(committed.trim_end(), document().unwrap(), "renew it with: cargo xtask codegen");
    }

    /// POSTs without an `Idempotency-Key`, each with why a repeat does no harm.
    const UNKEYED: &[(&str, &str)] = &[
        ("/v1/auth/password", "the old password works once"),
        ("/v1/auth/refresh", "the cookie is exchanged once"),
        ("/v1/auth/sign-in", "a session that nobody has heard of ends by itself"),
        ("/v1/auth/sign-out", "what has ended stays ended"),
        ("/v1/channel-accounts/{account}/self-test", "it asks, and changes nothing"),
        ("/v1/fleet/broker/start", "what runs is not started again"),
        ("/v1/fleet/broker/stop", "what stands still is not stopped again"),
        ("/v1/notify/{account}", "the channel's own message names its payment"),
        ("/v1/plugin-packages", "the component's hash names the package"),
        ("/v1/plugin-packages/{package}/retire", "what is retired stays so"),
        ("/v1/plugin-publishers", "the key names its publisher"),
        ("/v1/plugin-publishers/{publisher}/revoke", "what is revoked stays so"),
        ("/v1/plugin-rollouts/{plugin}/canary", "it names the version that it changes, which a repeat finds used up"),
        ("/v1/plugin-rollouts/{plugin}/install", "it names the version that it changes, which a repeat finds used up"),
        ("/v1/plugin-rollouts/{plugin}/promote", "it names the version that it changes, which a repeat finds used up"),
        ("/v1/plugin-rollouts/{plugin}/rollback", "it names the version that it changes, which a repeat finds used up"),
        ("/v1/quotes", "it tells a price, and keeps nothing"),
        ("/v1/static-codes/{static_code}/revoke", "what is revoked stays so"),
        ("/v1/terminal/enrol", "the claim code works once"),
        ("/v1/terminal/journal", "entries are known by number and hash"),
        ("/v1/terminal/pushes/ack", "what is acknowledged stays so"),
        ("/v1/terminal/renew", "a further certificate of the same terminal; none ends by it"),
        ("/v1/terminals/{terminal}/revoke", "a terminal that is shut out stays out"),
        ("/v1/terminals/{terminal}/sync-now", "while it waits, the terminal hears of it once"),
    ];

    #[test]
    fn every_post_has_a_key_or_a_reason_to_have_none() {
        let mut unkeyed = Vec::new();
        for (path, item) in described().paths.paths {
            let Some(post) = item.post else { continue };
            let key = post.parameters.into_iter().flatten().find_map(|parameter| match parameter {
                RefOr::T(parameter) if parameter.name == "Idempotency-Key" => Some(parameter),
                _ => None,
            });
            match key {
                Some(key) => assert!(key.required == Required::True, "{path}"),
                None => unkeyed.push(path),
            }
        }
        assert_eq!(unkeyed, UNKEYED.iter().map(|(path, _)| *path).collect::<Vec<_>>());
    }

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let mut names = BTreeSet::new();
        for (path, item) in described().paths.paths {
            for operation in [item.get, item.post, item.put, item.patch, item.delete].into_iter().flatten() {
                let name = operation.operation_id.unwrap_or_default();
                assert!(!name.is_empty() && names.insert(name.clone()), "{name} at {path}");
            }
        }
        assert!(names.len() > 40);
    }
}
