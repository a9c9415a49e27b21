//! The tables as diesel sees them. `tests/it/schema.rs` holds them to the live databases.

mod cashier;
mod dispute;
mod package;
mod reconciliation;
mod settlement;
mod static_code;

pub use cashier::*;
pub use dispute::*;
pub use package::*;
pub use reconciliation::*;
pub use settlement::*;
pub use static_code::*;

diesel::table! {
    tenants (id) {
        id -> Text,
        name -> Text,
        currency -> Text,
        late_policy -> Text,
        active -> Bool,
        created_at -> BigInt,
        time_zone -> Text,
    }
}

diesel::table! {
    stores (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        name -> Text,
        active -> Bool,
        created_at -> BigInt,
    }
}

diesel::table! {
    terminals (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        store_id -> Text,
        number -> Integer,
        name -> Text,
        created_at -> BigInt,
        enrolled_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
        online -> Bool,
        last_seen_at -> Nullable<BigInt>,
        health_json -> Nullable<Text>,
        health_at -> Nullable<BigInt>,
        node_id -> Nullable<Text>,
    }
}

diesel::table! {
    terminal_claims (code_hash) {
        code_hash -> Binary,
        tenant_id -> Text,
        terminal_id -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        used_at -> Nullable<BigInt>,
        withdrawn_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    terminal_certificates (serial) {
        serial -> Text,
        tenant_id -> Text,
        terminal_id -> Text,
        issued_at -> BigInt,
        not_after -> BigInt,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    users (id) {
        id -> Text,
        tenant_id -> Nullable<Text>,
        login -> Text,
        name -> Text,
        role -> Text,
        password_hash -> Text,
        active -> Bool,
        must_change_password -> Bool,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    sessions (id) {
        id -> Text,
        tenant_id -> Nullable<Text>,
        user_id -> Text,
        refresh_hash -> Binary,
        label -> Text,
        created_at -> BigInt,
        refreshed_at -> Nullable<BigInt>,
        expires_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    api_keys (id) {
        id -> Text,
        tenant_id -> Text,
        name -> Text,
        scopes_json -> Text,
        secret_hash -> Binary,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    channel_accounts (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        plugin -> Text,
        name -> Text,
        enabled -> Bool,
        settings_json -> Text,
        secrets -> Nullable<Binary>,
        fee_plan_version -> BigInt,
        priority -> Integer,
        version -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        working_keys -> Nullable<Binary>,
    }
}

diesel::table! {
    tenant_keys (tenant_id, number) {
        tenant_id -> Text,
        number -> Integer,
        wrapped -> Binary,
        master -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    server_keys (kid) {
        kid -> Text,
        kind -> Text,
        public_part -> Text,
        ciphertext -> Binary,
        created_at -> BigInt,
        retired_at -> Nullable<BigInt>,
        master -> Text,
    }
}

diesel::table! {
    master_keys (name) {
        name -> Text,
        began_at -> BigInt,
        retired_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    meta (name) {
        name -> Text,
        value -> Text,
    }
}

diesel::table! {
    idempotency_keys (tenant_id, kind, idempotency_key) {
        tenant_id -> Text,
        kind -> Text,
        idempotency_key -> Text,
        fingerprint -> Binary,
        created_at -> BigInt,
        answer -> Nullable<Binary>,
        answer_until -> Nullable<BigInt>,
    }
}

diesel::table! {
    orders (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        store_id -> Text,
        terminal_id -> Nullable<Text>,
        counter -> Nullable<BigInt>,
        cashier -> Nullable<Text>,
        reference -> Nullable<Text>,
        currency -> Text,
        amount_minor -> BigInt,
        goods_json -> Text,
        created_at -> BigInt,
        paid_by -> Nullable<Text>,
    }
}

diesel::table! {
    payments (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        order_id -> Text,
        store_id -> Text,
        terminal_id -> Nullable<Text>,
        channel -> Text,
        channel_account_id -> Nullable<Text>,
        channel_reference -> Nullable<Text>,
        payer_hint -> Nullable<Text>,
        method -> Text,
        currency -> Text,
        amount_minor -> BigInt,
        fee_plan_version -> Nullable<BigInt>,
        state -> Text,
        public_state -> Text,
        since -> Nullable<BigInt>,
        expires_at -> Nullable<BigInt>,
        close -> Nullable<Text>,
        captured_at -> Nullable<BigInt>,
        paid_late -> Bool,
        refunded_minor -> BigInt,
        reserved_minor -> BigInt,
        failure_code -> Nullable<Text>,
        failure_message -> Nullable<Text>,
        close_asked_at -> Nullable<BigInt>,
        next_attempt_at -> Nullable<BigInt>,
        attempts -> Integer,
        lease_until -> Nullable<BigInt>,
        version -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        attention_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    payment_words (tenant_id, payment_id) {
        tenant_id -> Text,
        payment_id -> Text,
        asked -> Integer,
        last_said -> Text,
        last_said_at -> BigInt,
    }
}

diesel::table! {
    pay_codes (id) {
        id -> Binary,
        tenant_id -> Text,
        payment_id -> Text,
        channel_code -> Text,
        scans -> Integer,
        scan_limit -> Integer,
        created_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    payment_cards (tenant_id, payment_id) {
        tenant_id -> Text,
        payment_id -> Text,
        entry -> Text,
        sequence_number -> Nullable<Integer>,
        ksn -> Binary,
        number -> Binary,
        created_at -> BigInt,
        read_before -> Bool,
    }
}

diesel::table! {
    refunds (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        payment_id -> Text,
        kind -> Text,
        currency -> Text,
        amount_minor -> BigInt,
        state -> Text,
        failure_code -> Nullable<Text>,
        failure_message -> Nullable<Text>,
        reason -> Nullable<Text>,
        requested_by -> Text,
        channel_reference -> Nullable<Text>,
        next_attempt_at -> Nullable<BigInt>,
        attempts -> Integer,
        lease_until -> Nullable<BigInt>,
        version -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        attention_at -> Nullable<BigInt>,
        asked -> Integer,
        last_said -> Nullable<Text>,
        last_said_at -> Nullable<BigInt>,
        doubted_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    hand_settlements (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        payment_id -> Text,
        refund_id -> Text,
        paid -> Bool,
        reference -> Text,
        reason -> Text,
        state -> Text,
        proposed_by -> Text,
        proposed_at -> BigInt,
        decided_by -> Nullable<Text>,
        decided_at -> Nullable<BigInt>,
        outcome -> Nullable<Text>,
        denied_behind -> Nullable<BigInt>,
    }
}

diesel::table! {
    payment_events (sequence) {
        sequence -> BigInt,
        tenant_id -> Text,
        payment_id -> Text,
        refund_id -> Nullable<Text>,
        version -> BigInt,
        kind -> Text,
        data_json -> Text,
        actor -> Text,
        store_id -> Text,
        terminal_id -> Nullable<Text>,
        at -> BigInt,
        traceparent -> Nullable<Text>,
        dispute_id -> Nullable<Text>,
    }
}

diesel::table! {
    posting_sets (id) {
        id -> BigInt,
        tenant_id -> Text,
        subject -> Text,
        payment_id -> Nullable<Text>,
        refund_id -> Nullable<Text>,
        kind -> Text,
        part -> Integer,
        channel_account_id -> Nullable<Text>,
        at -> BigInt,
        booked_at -> BigInt,
    }
}

diesel::table! {
    postings (tenant_id, set_id, idx) {
        tenant_id -> Text,
        set_id -> BigInt,
        idx -> Integer,
        account -> Text,
        channel_account_id -> Nullable<Text>,
        currency -> Text,
        amount_minor -> BigInt,
    }
}

diesel::table! {
    ledger_checkpoints (tenant_id, through_set, account, channel_account_id, currency) {
        tenant_id -> Text,
        through_set -> BigInt,
        account -> Text,
        channel_account_id -> Text,
        currency -> Text,
        debits_minor -> BigInt,
        credits_minor -> BigInt,
    }
}

diesel::table! {
    ledger_checks (tenant_id) {
        tenant_id -> Text,
        through_set -> BigInt,
        through_event -> BigInt,
        checked_at -> BigInt,
        whole_at -> BigInt,
    }
}

diesel::table! {
    ledger_findings (tenant_id, subject, code) {
        tenant_id -> Text,
        subject -> Text,
        code -> Text,
        detail -> Text,
        found_at -> BigInt,
        seen_at -> BigInt,
        cleared_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    fee_plans (tenant_id, channel_account_id, version) {
        tenant_id -> Text,
        channel_account_id -> Text,
        version -> BigInt,
        plan_json -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    outbox (id) {
        id -> BigInt,
        tenant_id -> Text,
        kind -> Text,
        terminal_id -> Nullable<Text>,
        payload -> Text,
        created_at -> BigInt,
        next_at -> BigInt,
        attempts -> Integer,
        acked_at -> Nullable<BigInt>,
        traceparent -> Nullable<Text>,
    }
}

diesel::table! {
    journal_entries (tenant_id, terminal_id, sequence) {
        tenant_id -> Text,
        terminal_id -> Text,
        sequence -> BigInt,
        at -> BigInt,
        prev_hash -> Text,
        hash -> Text,
        payload -> Text,
        received_at -> BigInt,
        verdict -> Nullable<Text>,
        why -> Nullable<Text>,
        signed_by -> Nullable<Text>,
        signature -> Nullable<Text>,
    }
}

diesel::table! {
    plugin_kv (tenant_id, channel_account_id, name) {
        tenant_id -> Text,
        channel_account_id -> Text,
        name -> Text,
        value -> Binary,
        updated_at -> BigInt,
    }
}

diesel::table! {
    audit_log (tenant_id, sequence) {
        tenant_id -> Text,
        sequence -> BigInt,
        actor -> Text,
        action -> Text,
        subject -> Text,
        detail_json -> Text,
        at -> BigInt,
        hash -> Text,
    }
}

diesel::table! {
    nodes (id) {
        id -> Text,
        beats -> BigInt,
        masters -> Text,
    }
}

diesel::table! {
    webhook_endpoints (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        url -> Text,
        description -> Text,
        event_types_json -> Text,
        ordered -> Bool,
        secret -> Binary,
        previous_secret -> Nullable<Binary>,
        previous_until -> Nullable<BigInt>,
        enabled -> Bool,
        disabled_reason -> Nullable<Text>,
        disabled_at -> Nullable<BigInt>,
        last_success_at -> Nullable<BigInt>,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    webhook_deliveries (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        endpoint_id -> Text,
        event_id -> Text,
        event_type -> Text,
        sequence -> BigInt,
        payload -> Text,
        state -> Text,
        attempts -> Integer,
        began_at -> Nullable<BigInt>,
        next_at -> Nullable<BigInt>,
        created_at -> BigInt,
        done_at -> Nullable<BigInt>,
        traceparent -> Nullable<Text>,
    }
}

diesel::table! {
    webhook_attempts (tenant_id, delivery_id, number) {
        tenant_id -> Text,
        delivery_id -> Text,
        number -> Integer,
        at -> BigInt,
        duration_ms -> BigInt,
        status -> Nullable<Integer>,
        error -> Nullable<Text>,
        body -> Nullable<Text>,
    }
}

diesel::joinable!(postings -> posting_sets (set_id));
diesel::joinable!(sessions -> users (user_id));
diesel::allow_tables_to_appear_in_same_query!(channel_accounts, fee_plans);
diesel::allow_tables_to_appear_in_same_query!(orders, payments);
diesel::allow_tables_to_appear_in_same_query!(outbox, terminals);
diesel::allow_tables_to_appear_in_same_query!(postings, posting_sets);
diesel::allow_tables_to_appear_in_same_query!(sessions, users);
diesel::allow_tables_to_appear_in_same_query!(tenants, terminals);
diesel::allow_tables_to_appear_in_same_query!(terminals, terminal_certificates);
diesel::allow_tables_to_appear_in_same_query!(payments, refunds);
