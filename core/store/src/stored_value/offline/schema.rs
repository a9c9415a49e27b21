//! The tables of offline codes.

diesel::table! {
    offline_policies (tenant_id) {
        tenant_id -> Text,
        enabled -> Bool,
        channel_account_id -> Text,
        acceptor -> Text,
        sale_minor_max -> BigInt,
        grant_day_count_max -> BigInt,
        unsent_minor_max -> BigInt,
        unsent_count_max -> BigInt,
        unsent_hours_max -> BigInt,
        list_hours_max -> BigInt,
        version -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    offline_issuers (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        public_key -> Text,
        secret -> Binary,
        not_before -> BigInt,
        not_after -> BigInt,
        signs_until -> BigInt,
        revoked_at -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    offline_grants (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        account_id -> Text,
        issuer_id -> Text,
        currency -> Text,
        cap_single_minor -> BigInt,
        cap_minor -> BigInt,
        spent_minor -> BigInt,
        device_key -> Text,
        not_before -> BigInt,
        not_after -> BigInt,
        code_seconds -> BigInt,
        reserved_until -> BigInt,
        revoked_at -> Nullable<BigInt>,
        made_by -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    offline_spends (tenant_id, payment_id) {
        tenant_id -> Text,
        payment_id -> Text,
        grant_id -> Text,
        account_id -> Text,
        terminal_id -> Text,
        counter -> BigInt,
        currency -> Text,
        amount_minor -> BigInt,
        covered_minor -> BigInt,
        excess -> Nullable<Text>,
        sold_at -> BigInt,
        at -> BigInt,
    }
}

diesel::table! {
    offline_resolutions (tenant_id, payment_id) {
        tenant_id -> Text,
        payment_id -> Text,
        recovered_minor -> BigInt,
        reason -> Text,
        made_by -> Text,
        at -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(offline_spends, offline_resolutions);
