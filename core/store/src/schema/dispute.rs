//! The table of customers' disputes.

use super::payments;

diesel::table! {
    disputes (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        payment_id -> Text,
        channel_account_id -> Text,
        case_reference -> Text,
        reason_code -> Nullable<Text>,
        currency -> Text,
        amount_minor -> BigInt,
        state -> Text,
        respond_by -> Nullable<BigInt>,
        accepted -> Bool,
        fee_minor -> Nullable<BigInt>,
        evidence -> Nullable<Text>,
        opened_by -> Text,
        attention_at -> Nullable<BigInt>,
        version -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        bill_number -> Nullable<Text>,
        heard_at -> Nullable<BigInt>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(disputes, payments);
