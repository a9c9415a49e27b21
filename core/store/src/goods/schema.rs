//! Tables of the catalogue, as diesel sees them.

diesel::table! {
    tax_rates (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        name -> Text,
        basis_points -> Integer,
        included -> Bool,
        active -> Bool,
        version -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    goods (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        name -> Text,
        barcodes -> Text,
        price_minor -> BigInt,
        currency -> Text,
        tax_rate_id -> Nullable<Text>,
        stores -> Text,
        active -> Bool,
        version -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        by_weight -> Bool,
    }
}

diesel::table! {
    goods_barcodes (tenant_id, barcode) {
        tenant_id -> Text,
        barcode -> Text,
        goods_id -> Text,
    }
}
