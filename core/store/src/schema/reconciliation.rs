//! The tables of bills, their comparison with the books, and what was paid out.

diesel::table! {
    bills (id) {
        id -> BigInt,
        tenant_id -> Text,
        channel_account_id -> Text,
        day -> Text,
        revision -> Integer,
        lines -> BigInt,
        unreadable -> BigInt,
        digest -> Text,
        fetched_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    bill_lines (tenant_id, bill, number, movement, line) {
        tenant_id -> Text,
        bill -> BigInt,
        number -> Text,
        movement -> Text,
        line -> BigInt,
        order_number -> Text,
        reference -> Text,
        currency -> Text,
        amount_minor -> BigInt,
        fee_minor -> BigInt,
        at -> BigInt,
        words -> Text,
    }
}

diesel::table! {
    reconciliations (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        channel_account_id -> Text,
        day -> Text,
        state -> Text,
        bill -> Nullable<BigInt>,
        result_json -> Nullable<Text>,
        words -> Nullable<Text>,
        started_by -> Text,
        started_at -> BigInt,
        ended_at -> Nullable<BigInt>,
        lease_until -> BigInt,
    }
}

diesel::table! {
    discrepancies (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        channel_account_id -> Text,
        day -> Text,
        reconciliation_id -> Text,
        class -> Text,
        movement -> Text,
        number -> Text,
        nth -> BigInt,
        line -> BigInt,
        ours_json -> Nullable<Text>,
        theirs_json -> Nullable<Text>,
        words -> Nullable<Text>,
        fields -> Text,
        fix -> Text,
        currency -> Nullable<Text>,
        amount_minor -> BigInt,
        fee_minor -> BigInt,
        lost_amount_minor -> BigInt,
        lost_fee_minor -> BigInt,
        state -> Text,
        assigned_to -> Nullable<Text>,
        reason -> Nullable<Text>,
        proposed_by -> Nullable<Text>,
        decided_by -> Nullable<Text>,
        found_at -> BigInt,
        updated_at -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    payouts (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        channel_account_id -> Text,
        from_day -> Text,
        to_day -> Text,
        currency -> Text,
        amount_minor -> BigInt,
        expected_minor -> BigInt,
        reference -> Text,
        received_at -> BigInt,
        entered_by -> Text,
        entered_at -> BigInt,
        reversed_by -> Nullable<Text>,
        reversed_at -> Nullable<BigInt>,
        reversal_reason -> Nullable<Text>,
    }
}

diesel::joinable!(bill_lines -> bills (bill));
diesel::allow_tables_to_appear_in_same_query!(bill_lines, bills);
