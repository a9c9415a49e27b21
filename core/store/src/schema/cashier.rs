//! Tables of those who sign on at tills, as diesel sees them.

diesel::table! {
    cashiers (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        staff_code -> Text,
        name -> Text,
        role -> Text,
        stores -> Text,
        active -> Bool,
        version -> BigInt,
        pin -> Binary,
        pin_set_at -> BigInt,
        created_at -> BigInt,
        changed_at -> BigInt,
    }
}

diesel::table! {
    cashier_lists (tenant_id) {
        tenant_id -> Text,
        version -> BigInt,
        supervisor_for -> Text,
        changed_at -> BigInt,
    }
}
