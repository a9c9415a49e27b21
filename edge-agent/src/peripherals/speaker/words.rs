//! Amounts in words, as they are said in each language. No digit is left for the speech engine to guess how it is read.

use saoma_protocol::{Currency, Money};

use super::currency::{Names, names};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Zh,
    En,
}

/// What is said, and in which language it must be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    pub language: Language,
    pub text: String,
}

/// `收款二十三元五角`, `Received twenty-three yuan and fifty fen`.
#[must_use]
pub fn received(language: Language, amount: Money) -> Sentence {
    let text = match language {
        Language::Zh => format!("收款{}", zh_money(amount)),
        Language::En => format!("Received {}", en_money(amount)),
    };
    Sentence { language, text }
}

/// What a person should hear who tests the speaker.
#[must_use]
pub fn test(language: Language) -> Sentence {
    let text = match language {
        Language::Zh => "声音测试",
        Language::En => "Speaker test",
    };
    Sentence { language, text: text.to_owned() }
}

/// An amount's whole units, the digits behind the point, and how many those are.
fn parts(amount: Money) -> (u64, u64, u32) {
    let digits = u32::from(amount.currency().minor_digits());
    let unit = 10_u64.pow(digits);
    let magnitude = amount.minor().unsigned_abs();
    (magnitude / unit, magnitude % unit, digits)
}

fn zh_money(amount: Money) -> String {
    let (whole, fraction, digits) = parts(amount);
    let Names { zh, .. } = names(amount.currency());
    if amount.currency() != Currency::CNY {
        return match fraction {
            0 => format!("{}{zh}", zh_number(whole)),
            _ => format!("{}点{}{zh}", zh_number(whole), zh_digits(fraction, digits)),
        };
    }
    let (jiao, fen) = (fraction / 10, fraction % 10);
    let mut text = String::new();
    if whole > 0 || fraction == 0 {
        text.push_str(&zh_number(whole));
        text.push('元');
    }
    if jiao > 0 {
        text.push_str(zh_digit(jiao));
        text.push('角');
    } else if fen > 0 && whole > 0 {
        text.push('零');
    }
    if fen > 0 {
        text.push_str(zh_digit(fen));
        text.push('分');
    }
    text
}

const fn zh_digit(digit: u64) -> &'static str {
    match digit {
        1 => "一",
        2 => "二",
        3 => "三",
        4 => "四",
        5 => "五",
        6 => "六",
        7 => "七",
        8 => "八",
        9 => "九",
        _ => "零",
    }
}

fn zh_digits(number: u64, digits: u32) -> String {
    (0..digits).rev().map(|place| zh_digit(number / 10_u64.pow(place) % 10)).collect()
}

/// Groups of four digits: 亿, 万, and what is left. A gap between two digits that are said is one 零, however wide.
fn zh_number(number: u64) -> String {
    if number == 0 {
        return "零".to_owned();
    }
    let mut text = String::new();
    let mut gap = false;
    // The largest amount has twelve digits.
    for (unit, name) in [(100_000_000, "亿"), (10_000, "万"), (1, "")] {
        let group = number / unit % 10_000;
        if group == 0 {
            gap = true;
            continue;
        }
        for (place, place_name) in [(1_000, "千"), (100, "百"), (10, "十"), (1, "")] {
            let digit = group / place % 10;
            if digit == 0 {
                gap = true;
                continue;
            }
            if gap && !text.is_empty() {
                text.push('零');
            }
            gap = false;
            // Ten at the very beginning is 十, everywhere else 一十.
            if !(digit == 1 && place == 10 && text.is_empty()) {
                text.push_str(zh_digit(digit));
            }
            text.push_str(place_name);
        }
        text.push_str(name);
        // Zeros at a group's end are not said.
        gap = false;
    }
    text
}

fn en_money(amount: Money) -> String {
    let (whole, fraction, digits) = parts(amount);
    let Names { en, en_many, minor, .. } = names(amount.currency());
    let unit = |count: u64, one: &'static str, many: &'static str| if count == 1 { one } else { many };
    let whole_words = || format!("{} {}", en_number(whole), unit(whole, en, en_many));
    match (fraction, minor) {
        (0, _) => whole_words(),
        (_, Some((one, many))) => {
            let minor_words = format!("{} {}", en_number(fraction), unit(fraction, one, many));
            if whole == 0 { minor_words } else { format!("{} and {minor_words}", whole_words()) }
        }
        (_, None) => {
            let said: Vec<&str> = (0..digits).rev().map(|place| en_small(fraction / 10_u64.pow(place) % 10)).collect();
            format!("{} point {} {en_many}", en_number(whole), said.join(" "))
        }
    }
}

fn en_number(number: u64) -> String {
    if number == 0 {
        return en_small(0).to_owned();
    }
    let mut words: Vec<String> = Vec::new();
    for (unit, name) in [(1_000_000_000, " billion"), (1_000_000, " million"), (1_000, " thousand"), (1, "")] {
        let group = number / unit % 1_000;
        if group > 0 {
            words.push(format!("{}{name}", en_group(group)));
        }
    }
    words.join(" ")
}

/// 1 to 999.
fn en_group(number: u64) -> String {
    let (hundreds, rest) = (number / 100, number % 100);
    let tens = match rest {
        0..20 => en_small(rest).to_owned(),
        _ if rest.is_multiple_of(10) => en_tens(rest / 10).to_owned(),
        _ => format!("{}-{}", en_tens(rest / 10), en_small(rest % 10)),
    };
    match (hundreds, rest) {
        (0, _) => tens,
        (_, 0) => format!("{} hundred", en_small(hundreds)),
        _ => format!("{} hundred {tens}", en_small(hundreds)),
    }
}

const fn en_small(number: u64) -> &'static str {
    match number {
        1 => "one",
        2 => "two",
        3 => "three",
        4 => "four",
        5 => "five",
        6 => "six",
        7 => "seven",
        8 => "eight",
        9 => "nine",
        10 => "ten",
        11 => "eleven",
        12 => "twelve",
        13 => "thirteen",
        14 => "fourteen",
        15 => "fifteen",
        16 => "sixteen",
        17 => "seventeen",
        18 => "eighteen",
        19 => "nineteen",
        _ => "zero",
    }
}

const fn en_tens(tens: u64) -> &'static str {
    match tens {
        3 => "thirty",
        4 => "forty",
        5 => "fifty",
        6 => "sixty",
        7 => "seventy",
        8 => "eighty",
        9 => "ninety",
        _ => "twenty",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use saoma_protocol::money::AMOUNT_MINOR_MAX;

    use super::*;

    #[test]
    fn amounts_are_said_as_people_say_them() {
        for (minor, currency, zh, en) in [
            (1, "CNY", "收款一分", "Received one fen"),
            (5, "CNY", "收款五分", "Received five fen"),
            (50, "CNY", "收款五角", "Received fifty fen"),
            (55, "CNY", "收款五角五分", "Received fifty-five fen"),
            (100, "CNY", "收款一元", "Received one yuan"),
            (105, "CNY", "收款一元零五分", "Received one yuan and five fen"),
            (1_000, "CNY", "收款十元", "Received ten yuan"),
            (1_150, "CNY", "收款十一元五角", "Received eleven yuan and fifty fen"),
            (2_350, "CNY", "收款二十三元五角", "Received twenty-three yuan and fifty fen"),
            (10_000, "CNY", "收款一百元", "Received one hundred yuan"),
            (10_125, "CNY", "收款一百零一元二角五分", "Received one hundred one yuan and twenty-five fen"),
            (11_000, "CNY", "收款一百一十元", "Received one hundred ten yuan"),
            (100_100, "CNY", "收款一千零一元", "Received one thousand one yuan"),
            (1_000_005, "CNY", "收款一万元零五分", "Received ten thousand yuan and five fen"),
            (1_001_000, "CNY", "收款一万零一十元", "Received ten thousand ten yuan"),
            (1_100_000, "CNY", "收款一万一千元", "Received eleven thousand yuan"),
            (10_500_000, "CNY", "收款十万五千元", "Received one hundred five thousand yuan"),
            (
                1_020_304_500,
                "CNY",
                "收款一千零二十万三千零四十五元",
                "Received ten million two hundred three thousand forty-five yuan",
            ),
            (10_000_000_100, "CNY", "收款一亿零一元", "Received one hundred million one yuan"),
            (
                AMOUNT_MINOR_MAX,
                "CNY",
                "收款九十九亿九千九百九十九万九千九百九十九元九角九分",
                "Received nine billion nine hundred ninety-nine million nine hundred ninety-nine thousand nine hundred \
                 ninety-nine yuan and ninety-nine fen",
            ),
            (1, "USD", "收款零点零一美元", "Received one cent"),
            (1_250, "USD", "收款十二点五零美元", "Received twelve dollars and fifty cents"),
            (100, "GBP", "收款一英镑", "Received one pound"),
            (500, "JPY", "收款五百日元", "Received five hundred yen"),
            (1, "JPY", "收款一日元", "Received one yen"),
            (1_250, "KWD", "收款一点二五零科威特第纳尔", "Received one point two five zero Kuwaiti dinars"),
            (7, "KWD", "收款零点零零七科威特第纳尔", "Received zero point zero zero seven Kuwaiti dinars"),
            (2_000, "KWD", "收款二科威特第纳尔", "Received two Kuwaiti dinars"),
        ] {
            let amount = Money::new(minor, currency.parse().unwrap());
            assert_eq!(received(Language::Zh, amount).text, zh, "{amount}");
            assert_eq!(received(Language::En, amount).text, en, "{amount}");
        }
    }

    /// The number that Chinese words mean, read by the rules of the language alone.
    fn read_zh(words: &str) -> u64 {
        let (mut total, mut group, mut digit) = (0, 0, None);
        for character in words.chars() {
            let place = match character {
                '十' => 10,
                '百' => 100,
                '千' => 1_000,
                '万' | '亿' => {
                    total +=
                        (group + digit.take().unwrap_or(0)) * if character == '万' { 10_000 } else { 100_000_000 };
                    group = 0;
                    continue;
                }
                _ => {
                    digit = "零一二三四五六七八九"
                        .chars()
                        .position(|known| known == character)
                        .map(|at| u64::try_from(at).unwrap());
                    continue;
                }
            };
            group += digit.take().unwrap_or(1) * place;
        }
        total + group + digit.unwrap_or(0)
    }

    /// The same for English.
    fn read_en(words: &str) -> u64 {
        let (mut total, mut group) = (0, 0);
        for word in words.split([' ', '-']) {
            match word {
                "hundred" => group *= 100,
                "thousand" | "million" | "billion" => {
                    let unit = [("thousand", 1_000), ("million", 1_000_000), ("billion", 1_000_000_000)];
                    total += group * unit.iter().find(|(name, _)| *name == word).unwrap().1;
                    group = 0;
                }
                _ => {
                    let small = (0..20).find(|number| en_small(*number) == word);
                    group += small.unwrap_or_else(|| (2..10).find(|tens| en_tens(*tens) == word).unwrap() * 10);
                }
            }
        }
        total + group
    }

    proptest! {
        #[test]
        fn what_is_said_is_the_number(number in prop_oneof![0..20_000_u64, 0..1_000_000_000_000_u64, (0..12_u32, 0..100_u64)
            .prop_map(|(zeros, digits)| digits * 10_u64.pow(zeros.min(9)))])
        {
            let zh = zh_number(number);
            prop_assert_eq!(read_zh(&zh), number, "{}", zh);
            prop_assert!(!zh.contains("零零") && (number == 0 || !zh.ends_with('零')), "{}", zh);
            let en = en_number(number);
            prop_assert_eq!(read_en(&en), number, "{}", en);
        }

        #[test]
        fn every_currency_has_its_words(minor in 1..=AMOUNT_MINOR_MAX) {
            for currency in Currency::all() {
                let amount = Money::new(minor, currency);
                for language in [Language::Zh, Language::En] {
                    let text = received(language, amount).text;
                    prop_assert!(!text.contains(|character: char| character.is_ascii_digit()), "{}", text);
                }
                prop_assert!(!received(Language::Zh, amount).text.contains(|letter: char| letter.is_ascii_alphabetic()));
            }
        }
    }
}
