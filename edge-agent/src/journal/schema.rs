//! The tables of `migrations/`, for diesel.

diesel::table! {
    entries (sequence) {
        sequence -> BigInt,
        at -> BigInt,
        prev_hash -> Text,
        payload -> Text,
        hash -> Text,
        cash_minor -> Nullable<BigInt>,
        currency -> Nullable<Text>,
    }
}

diesel::table! {
    sales (payment) {
        payment -> Text,
        counter -> BigInt,
        entry -> BigInt,
        state -> Text,
        amount_minor -> BigInt,
        currency -> Text,
        open -> BigInt,
        captured -> BigInt,
        kept -> Text,
    }
}

diesel::table! {
    refunds (refund) {
        refund -> Text,
        payment -> Text,
        state -> Text,
        amount_minor -> BigInt,
        currency -> Text,
    }
}

diesel::table! {
    intents (key) {
        key -> Text,
        fingerprint -> Text,
        payment -> Text,
        refund -> Nullable<Text>,
        at -> BigInt,
    }
}

diesel::table! {
    shifts (batch) {
        batch -> BigInt,
        entry -> BigInt,
        open -> BigInt,
        kept -> Text,
    }
}

diesel::table! {
    shift_presses (key) {
        key -> Text,
        fingerprint -> Text,
        at -> BigInt,
    }
}

diesel::table! {
    pushes_seen (id) {
        id -> BigInt,
    }
}

diesel::table! {
    meta (name) {
        name -> Text,
        value -> Text,
    }
}
