//! The tables of `migrations/`, for diesel.

diesel::table! {
    entries (sequence) {
        sequence -> BigInt,
        at -> BigInt,
        body -> Binary,
        cash -> Nullable<Binary>,
    }
}

diesel::table! {
    sales (payment) {
        payment -> Text,
        counter -> BigInt,
        entry -> BigInt,
        state -> Text,
        open -> BigInt,
        captured -> BigInt,
        amount -> Binary,
        kept -> Binary,
    }
}

diesel::table! {
    elsewhere (payment) {
        payment -> Text,
        entry -> BigInt,
        open -> BigInt,
        kept -> Binary,
    }
}

diesel::table! {
    refunds (refund) {
        refund -> Text,
        payment -> Text,
        state -> Text,
        amount -> Binary,
    }
}

diesel::table! {
    intents (key) {
        key -> Text,
        fingerprint -> Binary,
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
        kept -> Binary,
    }
}

diesel::table! {
    shift_presses (key) {
        key -> Text,
        fingerprint -> Binary,
        at -> BigInt,
    }
}

diesel::table! {
    held (number) {
        number -> BigInt,
        kept -> Binary,
    }
}

diesel::table! {
    splits (number) {
        number -> BigInt,
        open -> BigInt,
        kept -> Binary,
    }
}

diesel::table! {
    cashiers (name) {
        name -> Text,
        kept -> Binary,
    }
}

diesel::table! {
    goods (id) {
        id -> Text,
        name -> Text,
        price_minor -> BigInt,
        currency -> Text,
        tax_rate -> Nullable<Text>,
        by_weight -> BigInt,
    }
}

diesel::table! {
    pin_tries (cashier) {
        cashier -> Text,
        kept -> Binary,
    }
}

diesel::table! {
    goods_barcodes (barcode) {
        barcode -> Text,
        goods -> Text,
    }
}

diesel::table! {
    tax_rates (id) {
        id -> Text,
        name -> Text,
        basis_points -> BigInt,
        included -> BigInt,
    }
}

diesel::table! {
    offline_list (name) {
        name -> Text,
        kept -> Binary,
    }
}

diesel::table! {
    offline_spends (code) {
        code -> Text,
        entry -> BigInt,
        until -> BigInt,
        kept -> Binary,
    }
}

diesel::table! {
    stored_cards (entry) {
        entry -> BigInt,
        until -> BigInt,
        kept -> Binary,
    }
}

diesel::table! {
    signatures (entry) {
        entry -> BigInt,
        kept -> Binary,
    }
}

diesel::table! {
    signers (certificate) {
        certificate -> Text,
        tenant -> Text,
        der -> Text,
    }
}

diesel::table! {
    received (payment) {
        payment -> Text,
        until -> BigInt,
        kept -> Binary,
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
