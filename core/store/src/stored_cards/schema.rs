//! The tables of cards that are sold without a network.

use crate::schema::payments;

diesel::table! {
    card_policies (tenant_id) {
        tenant_id -> Text,
        enabled -> Bool,
        channel_account_id -> Text,
        sale_minor_max -> BigInt,
        card_day_count_max -> BigInt,
        card_day_minor_max -> BigInt,
        unsent_minor_max -> BigInt,
        unsent_count_max -> BigInt,
        unsent_hours_max -> BigInt,
        list_hours_max -> BigInt,
        stripe -> Bool,
        prefixes_json -> Text,
        version -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    stored_card_sales (tenant_id, payment_id) {
        tenant_id -> Text,
        payment_id -> Text,
        channel_account_id -> Text,
        place -> BigInt,
        terminal_id -> Text,
        first_6 -> Text,
        last_4 -> Text,
        amount_minor -> BigInt,
        currency -> Text,
        sold_at -> BigInt,
        taken_at -> BigInt,
        doubt -> Nullable<Text>,
        track_2 -> Nullable<Binary>,
        emv -> Nullable<Binary>,
        first_sent_at -> Nullable<BigInt>,
        next_attempt_at -> Nullable<BigInt>,
        lease_until -> Nullable<BigInt>,
        attempts -> Integer,
        aside -> Bool,
        outcome -> Nullable<Text>,
        ended_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    stored_card_resolutions (tenant_id, payment_id) {
        tenant_id -> Text,
        payment_id -> Text,
        unblocks -> Bool,
        reason -> Text,
        made_by -> Text,
        at -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(stored_card_sales, stored_card_resolutions);
diesel::allow_tables_to_appear_in_same_query!(stored_card_sales, payments);
