//! What currencies are called aloud.

use saoma_protocol::Currency;

pub(super) struct Names {
    pub(super) zh: &'static str,
    pub(super) en: &'static str,
    pub(super) en_many: &'static str,
    /// One and many of the minor unit, where people say it; without one, its digits are said behind the point.
    pub(super) minor: Option<(&'static str, &'static str)>,
}

type Row = (&'static str, &'static str, &'static str, &'static str, Option<(&'static str, &'static str)>);

const CENTS: Option<(&str, &str)> = Some(("cent", "cents"));

const NAMES: &[Row] = &[
    ("AED", "阿联酋迪拉姆", "dirham", "dirhams", Some(("fils", "fils"))),
    ("AUD", "澳元", "Australian dollar", "Australian dollars", CENTS),
    ("BHD", "巴林第纳尔", "Bahraini dinar", "Bahraini dinars", None),
    ("BRL", "雷亚尔", "real", "reais", Some(("centavo", "centavos"))),
    ("CAD", "加元", "Canadian dollar", "Canadian dollars", CENTS),
    ("CHF", "瑞士法郎", "Swiss franc", "Swiss francs", Some(("centime", "centimes"))),
    ("CLP", "智利比索", "Chilean peso", "Chilean pesos", None),
    ("CNY", "元", "yuan", "yuan", Some(("fen", "fen"))),
    ("EUR", "欧元", "euro", "euros", CENTS),
    ("GBP", "英镑", "pound", "pounds", Some(("penny", "pence"))),
    ("HKD", "港元", "Hong Kong dollar", "Hong Kong dollars", CENTS),
    ("IDR", "印尼盾", "rupiah", "rupiah", None),
    ("INR", "印度卢比", "rupee", "rupees", Some(("paisa", "paise"))),
    ("JPY", "日元", "yen", "yen", None),
    ("KRW", "韩元", "won", "won", None),
    ("KWD", "科威特第纳尔", "Kuwaiti dinar", "Kuwaiti dinars", None),
    ("MOP", "澳门元", "pataca", "patacas", Some(("avo", "avos"))),
    ("MXN", "墨西哥比索", "Mexican peso", "Mexican pesos", Some(("centavo", "centavos"))),
    ("MYR", "林吉特", "ringgit", "ringgit", Some(("sen", "sen"))),
    ("NZD", "新西兰元", "New Zealand dollar", "New Zealand dollars", CENTS),
    ("PHP", "菲律宾比索", "Philippine peso", "Philippine pesos", Some(("centavo", "centavos"))),
    ("SGD", "新加坡元", "Singapore dollar", "Singapore dollars", CENTS),
    ("THB", "泰铢", "baht", "baht", Some(("satang", "satang"))),
    ("TND", "突尼斯第纳尔", "Tunisian dinar", "Tunisian dinars", None),
    ("TWD", "新台币元", "Taiwan dollar", "Taiwan dollars", CENTS),
    ("USD", "美元", "dollar", "dollars", CENTS),
    ("VND", "越南盾", "dong", "dong", None),
];

/// A currency without a row is said without its name: the shop knows which one it takes.
pub(super) fn names(currency: Currency) -> Names {
    let found = NAMES.iter().find(|(code, ..)| *code == currency.code());
    let (_, zh, en, en_many, minor) = found.copied().unwrap_or(("", "", "", "", None));
    Names { zh, en, en_many, minor }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_currency_has_a_row_and_every_row_a_currency() {
        let known: Vec<&str> = Currency::all().map(Currency::code).collect();
        let named: Vec<&str> = NAMES.iter().map(|(code, ..)| *code).collect();
        assert_eq!(named, known);
    }
}
