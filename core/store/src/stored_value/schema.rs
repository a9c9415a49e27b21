//! The tables of stored value.

diesel::table! {
    stored_value_accounts (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        holder -> Text,
        reference -> Nullable<Text>,
        currency -> Text,
        state -> Text,
        balance_minor -> BigInt,
        charge_minor_max -> Nullable<BigInt>,
        day_minor_max -> Nullable<BigInt>,
        balance_minor_max -> Nullable<BigInt>,
        movements -> BigInt,
        version -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    stored_value_movements (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        account_id -> Text,
        sequence -> BigInt,
        kind -> Text,
        amount_minor -> BigInt,
        balance_minor -> BigInt,
        acceptor -> Nullable<Text>,
        number -> Nullable<Text>,
        charge_number -> Nullable<Text>,
        reverses -> Nullable<Text>,
        reason -> Nullable<Text>,
        made_by -> Text,
        day -> Text,
        at -> BigInt,
        borne_minor -> BigInt,
    }
}

diesel::table! {
    stored_value_charges (tenant_id, acceptor, number) {
        tenant_id -> Text,
        acceptor -> Text,
        number -> Text,
        account_id -> Nullable<Text>,
        state -> Text,
        currency -> Nullable<Text>,
        amount_minor -> Nullable<BigInt>,
        returned_minor -> BigInt,
        refusal -> Nullable<Text>,
        movement_id -> Nullable<Text>,
        day -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        borne_minor -> BigInt,
    }
}

diesel::table! {
    stored_value_codes (tenant_id, account_id) {
        tenant_id -> Text,
        account_id -> Text,
        code_hash -> Binary,
        expires_at -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(stored_value_accounts, stored_value_movements);
