//! The tables of batches that are settled at schemes.

diesel::table! {
    settlement_batches (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        channel_account_id -> Text,
        sequence -> BigInt,
        after_set -> BigInt,
        through_set -> BigInt,
        row_count -> Integer,
        totals_json -> Text,
        state -> Text,
        sent -> Integer,
        sent_set -> BigInt,
        theirs_json -> Nullable<Text>,
        words -> Nullable<Text>,
        closed_by -> Text,
        closed_at -> BigInt,
        holds_until -> BigInt,
        next_attempt_at -> Nullable<BigInt>,
        lease_until -> Nullable<BigInt>,
        attempts -> Integer,
        attention_at -> Nullable<BigInt>,
        ended_at -> Nullable<BigInt>,
        resolved_by -> Nullable<Text>,
        resolved_at -> Nullable<BigInt>,
        resolution -> Nullable<Text>,
        version -> BigInt,
        unsent -> Bool,
    }
}

diesel::table! {
    settling_accounts (tenant_id, channel_account_id) {
        tenant_id -> Text,
        channel_account_id -> Text,
        from_set -> BigInt,
        wanted_at -> Nullable<BigInt>,
        wanted_by -> Nullable<Text>,
        held_at -> Nullable<BigInt>,
        holds -> Integer,
        attention_at -> Nullable<BigInt>,
        busy_until -> Nullable<BigInt>,
        put_off_at -> Nullable<BigInt>,
    }
}
