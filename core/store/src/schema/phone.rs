//! The table of codes that customers' phones carry, as diesel sees it.

diesel::table! {
    phone_policies (tenant_id) {
        tenant_id -> Text,
        enabled -> Bool,
        channel_account_id -> Text,
        sale_minor_max -> BigInt,
        code_seconds -> BigInt,
        list_hours_max -> BigInt,
        version -> BigInt,
        updated_at -> BigInt,
        no_link_at -> Nullable<BigInt>,
    }
}
