//! Tables of plugins' packages and of merchants' rules, as diesel sees them.

diesel::table! {
    plugin_publishers (tenant_id, key_id) {
        tenant_id -> Text,
        key_id -> Text,
        name -> Text,
        public_key -> Text,
        trusted_at -> BigInt,
        trusted_by -> Text,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    plugin_packages (tenant_id, content_hash) {
        tenant_id -> Text,
        content_hash -> Text,
        plugin -> Text,
        version -> Text,
        contract -> Text,
        publisher -> Text,
        component_bytes -> BigInt,
        published_at -> BigInt,
        published_by -> Text,
        retired_at -> Nullable<BigInt>,
        successor -> Nullable<Text>,
        envelope -> Text,
        component -> Binary,
    }
}

diesel::table! {
    plugin_rollouts (tenant_id, plugin) {
        tenant_id -> Text,
        plugin -> Text,
        stable -> Text,
        previous -> Nullable<Text>,
        canary -> Nullable<Text>,
        version -> BigInt,
        changed_at -> BigInt,
        changed_by -> Text,
    }
}

diesel::table! {
    plugin_canaries (plugin, tenant_id) {
        plugin -> Text,
        tenant_id -> Text,
    }
}

diesel::table! {
    merchant_rules (tenant_id) {
        tenant_id -> Text,
        extension -> Text,
        enabled -> Bool,
        settings_json -> Text,
        refuse_on_failure -> Text,
        version -> BigInt,
        changed_at -> BigInt,
        changed_by -> Text,
    }
}

diesel::table! {
    payment_packages (tenant_id, payment_id) {
        tenant_id -> Text,
        payment_id -> Text,
        package -> Text,
    }
}
