//! Tables of printed codes, as diesel sees them.

diesel::table! {
    static_codes (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        store_id -> Text,
        terminal_id -> Nullable<Text>,
        label -> Text,
        min_minor -> BigInt,
        max_minor -> BigInt,
        created_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
        announce_at -> Nullable<Text>,
    }
}

diesel::table! {
    static_code_payments (tenant_id, payment_id) {
        tenant_id -> Text,
        payment_id -> Text,
        static_code_id -> Text,
        app -> Nullable<Text>,
    }
}
