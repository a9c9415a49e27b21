//! The tables of batches, for diesel; beside [`crate::schema`].

diesel::table! {
    batches (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        store_id -> Text,
        terminal_id -> Text,
        number -> BigInt,
        cashier -> Text,
        cashier_number -> Text,
        currency -> Text,
        float_minor -> BigInt,
        opened_at -> BigInt,
        opened_sequence -> BigInt,
        closed_at -> Nullable<BigInt>,
        closed_sequence -> Nullable<BigInt>,
        closed_by -> Nullable<Text>,
        expected_minor -> Nullable<BigInt>,
        counted_minor -> Nullable<BigInt>,
        told_minor -> Nullable<BigInt>,
        close_received_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    terminal_sales (tenant_id, terminal_id, payment_id) {
        tenant_id -> Text,
        terminal_id -> Text,
        payment_id -> Text,
        batch_id -> Nullable<Text>,
        cash -> Bool,
        currency -> Text,
        amount_minor -> BigInt,
        keyed_at -> BigInt,
        state -> Nullable<Text>,
        refunded_minor -> BigInt,
        swept_batch_id -> Nullable<Text>,
    }
}

diesel::table! {
    terminal_refunds (tenant_id, terminal_id, refund_id) {
        tenant_id -> Text,
        terminal_id -> Text,
        refund_id -> Text,
        payment_id -> Text,
        batch_id -> Nullable<Text>,
        cash -> Bool,
        currency -> Text,
        amount_minor -> BigInt,
        keyed_at -> BigInt,
        state -> Nullable<Text>,
        paid_batch_id -> Nullable<Text>,
        swept_batch_id -> Nullable<Text>,
    }
}

diesel::table! {
    drawer_movements (tenant_id, batch_id, sequence) {
        tenant_id -> Text,
        batch_id -> Text,
        sequence -> BigInt,
        kind -> Text,
        amount_minor -> BigInt,
        reason -> Text,
        cashier -> Text,
        at -> BigInt,
    }
}

diesel::table! {
    leg_differences (tenant_id, place, subject) {
        tenant_id -> Text,
        place -> Text,
        subject -> Text,
        class -> Text,
        fields -> Text,
        fix -> Text,
        terminal_json -> Nullable<Text>,
        core_json -> Nullable<Text>,
        found_at -> BigInt,
        closed_at -> Nullable<BigInt>,
    }
}
