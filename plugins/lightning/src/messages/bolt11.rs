//! What an invoice's text says (BOLT 11), read again before a customer sees it.
//!
//! The signature is not looked at: who made the invoice is known by the node's certificate, and a payer's wallet checks it anyway.

use super::{bech32, preimage::Hash};

/// 35 bits.
const TIMESTAMP_LEN: usize = 7;
/// 520 bits.
const SIGNATURE_LEN: usize = 104;
/// Of a field that holds 256 bits.
const HASH_LEN: usize = 52;
const EXPIRY_SECONDS_DEFAULT: u64 = 3_600;
/// All bitcoin that there will ever be, in thousandths of a satoshi.
const MSAT_MAX: u64 = 21_000_000 * 100_000_000 * 1_000;

/// The fields that a shop is concerned with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// `lnbc` and so on.
    pub prefix: String,
    /// None: the payer chooses.
    pub msat: Option<u64>,
    /// When it was made, in seconds since 1970.
    pub made_at: u64,
    pub payment_hash: Hash,
    /// None: only its hash stands in the invoice.
    pub description: Option<String>,
    pub expiry_seconds: u64,
}

/// # Errors
/// Why a payer's wallet would refuse it.
pub fn read(text: &str) -> Result<Invoice, String> {
    let (human, data) = bech32::read(text)?;
    let (prefix, msat) = human_part(&human)?;
    if data.len() < TIMESTAMP_LEN + SIGNATURE_LEN {
        return Err("it is too short".to_owned());
    }
    let (timestamp, rest) = data.split_at(TIMESTAMP_LEN);
    let mut rest = &rest[..rest.len() - SIGNATURE_LEN];
    let (mut hash, mut secret, mut description, mut expiry) = (None, None, None, None);
    while let [tag, high, low, behind @ ..] = rest {
        let len = usize::from(*high) * 32 + usize::from(*low);
        if behind.len() < len {
            return Err("a field is longer than the invoice".to_owned());
        }
        let (field, next) = behind.split_at(len);
        rest = next;
        match tag {
            1 => once(&mut hash, whole_hash(field)?, "payment hash")?,
            16 => once(&mut secret, whole_hash(field)?, "payment secret")?,
            13 => {
                let text = bech32::bytes(field).and_then(|bytes| String::from_utf8(bytes).ok());
                once(&mut description, Some(text.ok_or("its description is no text")?), "description")?;
            }
            23 => once(&mut description, whole_hash(field).map(|_| None)?, "description")?,
            6 => once(&mut expiry, bech32::number(field).ok_or("its expiry is out of bounds")?, "expiry")?,
            _ => {}
        }
    }
    if !rest.is_empty() {
        return Err("its last field is cut off".to_owned());
    }
    secret.ok_or("it has no payment secret")?;
    Ok(Invoice {
        prefix: prefix.to_owned(),
        msat,
        made_at: bech32::number(timestamp).ok_or("it has no time")?,
        payment_hash: hash.ok_or("it has no payment hash")?,
        description: description.ok_or("it has no description")?,
        expiry_seconds: expiry.unwrap_or(EXPIRY_SECONDS_DEFAULT),
    })
}

fn once<T>(place: &mut Option<T>, value: T, what: &str) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("it has more than one {what}")),
    }
}

fn whole_hash(field: &[u8]) -> Result<Hash, String> {
    let bytes = bech32::bytes(field).filter(|_| field.len() == HASH_LEN);
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| "a field of 256 bits has not so many".to_owned())
}

/// `lnbc2500u`: the prefix, and the amount in thousandths of a satoshi.
fn human_part(human: &str) -> Result<(&str, Option<u64>), String> {
    let begin = human.find(|letter: char| letter.is_ascii_digit()).unwrap_or(human.len());
    let (prefix, amount) = human.split_at(begin);
    if amount.is_empty() {
        return Ok((prefix, None));
    }
    let wrong = || format!("{amount:?} is no amount");
    let (digits, msat_of_ten) = match amount.as_bytes().last() {
        Some(b'm') => (&amount[..amount.len() - 1], 1_000_000_000),
        Some(b'u') => (&amount[..amount.len() - 1], 1_000_000),
        Some(b'n') => (&amount[..amount.len() - 1], 1_000),
        Some(b'p') => (&amount[..amount.len() - 1], 1),
        _ => (amount, 1_000_000_000_000),
    };
    let is_number = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = digits.parse().ok().filter(|_| is_number).ok_or_else(wrong)?;
    // Tenths of a thousandth of a satoshi are what the smallest multiplier counts; no payment can have them.
    let tenths = number.checked_mul(msat_of_ten).filter(|tenths| tenths % 10 == 0 && tenths / 10 <= MSAT_MAX);
    Ok((prefix, Some(tenths.ok_or_else(wrong)? / 10)))
}

#[cfg(test)]
mod tests {
    use saoma_channel_sdk::to_hex;

    use super::*;

    /// BOLT 11, "Examples": a cup of coffee, 2,500 µBTC, for a minute.
    const COFFEE: &str = "lnbc2500u1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpu9qrsgquk0rl77nj30yxdy8j9vdx85fkpmdla2087ne0xh8nhedh8w27kyke0lp53ut353s06fv3qfegext0eh0ymjpf39tuven09sam30g4vgpfna3rh";
    const DONATION: &str = "lnbc1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaq9qrsgq357wnc5r2ueh7ck6q93dj32dlqnls087fxdwk8qakdyafkq3yap9us6v52vjjsrvywa6rt52cm9r9zqt8r2t7mlcwspyetp5h2tztugp9lfyql";

    #[test]
    fn the_specifications_own() {
        let coffee = read(COFFEE).expect("an invoice");
        assert_eq!(to_hex(&coffee.payment_hash), "0001020304050607080900010203040506070809000102030405060708090102");
        assert_eq!((coffee.prefix.as_str(), coffee.msat), ("lnbc", Some(250_000_000)));
        assert_eq!((coffee.made_at, coffee.expiry_seconds), (1_496_314_658, 60));
        assert_eq!(coffee.description.as_deref(), Some("1 cup coffee"));
        assert_eq!(read(&COFFEE.to_uppercase()), Ok(coffee));
        let donation = read(DONATION).expect("an invoice");
        assert_eq!((donation.msat, donation.expiry_seconds), (None, 3_600));
        assert_eq!(donation.description.as_deref(), Some("Please consider supporting this project"));
    }

    #[test]
    fn amounts() {
        for (human, expected) in [
            ("lnbc20m", Some(2_000_000_000)),
            ("lnbc25m", Some(2_500_000_000)),
            ("lntb20m", Some(2_000_000_000)),
            ("lnbcrt10n", Some(1_000)),
            ("lnbc1n", Some(100)),
            ("lnbc10p", Some(1)),
            ("lnbc2", Some(200_000_000_000)),
            ("lnbc9678785340p", Some(967_878_534)),
        ] {
            assert_eq!(human_part(human).map(|(_, msat)| msat), Ok(expected), "{human}");
        }
        // BOLT 11, "Examples of Invalid Invoices", and others.
        for human in
            ["lnbc2500x", "lnbc2500000001p", "lnbc0", "lnbc01m", "lnbc1mm", "lnbc18446744073709551616", "lnbc22000000"]
        {
            assert!(!matches!(human_part(human), Ok((_, Some(_)))), "{human}");
        }
    }

    #[test]
    fn what_no_wallet_would_take() {
        // Each letter changed for another is found by the checksum.
        for at in [4, 10, 60, 200, COFFEE.len() - 1] {
            let mut letters = COFFEE.as_bytes().to_vec();
            letters[at] = if letters[at] == b'p' { b'q' } else { b'p' };
            let changed = String::from_utf8(letters).expect("ASCII");
            assert!(read(&changed).is_err(), "{changed}");
        }
        let mixed = COFFEE.replacen("lnbc", "LNBC", 1);
        for text in ["", "lnbc", "1qqqqqq", "pvjluez", &COFFEE[..100], &mixed, "lnbc2500u1pvjluez"] {
            assert!(read(text).is_err(), "{text}");
        }
        // BOLT 11, "Examples of Invalid Invoices".
        for (text, why) in [
            (
                "lnbc2500u1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpquwpc4curk03c9wlrswe78q4eyqc7d8d0xqzpuyk0sg5g70me25alkluzd2x62aysf2pyy8edtjeevuv4p2d5p76r4zkmneet7uvyakky2zr4cusd45tftc9c5fh0nnqpnl2jfll544esqchsrnt",
                "checksum",
            ),
            (
                "pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpquwpc4curk03c9wlrswe78q4eyqc7d8d0xqzpuyk0sg5g70me25alkluzd2x62aysf2pyy8edtjeevuv4p2d5p76r4zkmneet7uvyakky2zr4cusd45tftc9c5fh0nnqpnl2jfll544esqchsrny",
                "separator",
            ),
            (
                "LNBC2500u1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpquwpc4curk03c9wlrswe78q4eyqc7d8d0xqzpuyk0sg5g70me25alkluzd2x62aysf2pyy8edtjeevuv4p2d5p76r4zkmneet7uvyakky2zr4cusd45tftc9c5fh0nnqpnl2jfll544esqchsrny",
                "mixed",
            ),
            (
                "lnbc1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6na6hlh",
                "too short",
            ),
            (
                "lnbc2500x1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpusp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9qrsgqrrzc4cvfue4zp3hggxp47ag7xnrlr8vgcmkjxk3j5jqethnumgkpqp23z9jclu3v0a7e0aruz366e9wqdykw6dxhdzcjjhldxq0w6wgqcnu43j",
                "amount",
            ),
            (
                "lnbc2500000001p1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpusp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9qrsgq0lzc236j96a95uv0m3umg28gclm5lqxtqqwk32uuk4k6673k6n5kfvx3d2h8s295fad45fdhmusm8sjudfhlf6dcsxmfvkeywmjdkxcp99202x",
                "amount",
            ),
            (
                "lnbc20m1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqhp58yjmdan79s6qqdhdzgynm4zwqd5d7xmw5fk98klysy043l2ahrqs9qrsgq7ea976txfraylvgzuxs8kgcw23ezlrszfnh8r6qtfpr6cxga50aj6txm9rxrydzd06dfeawfk6swupvz4erwnyutnjq7x39ymw6j38gp49qdkj",
                "payment secret",
            ),
        ] {
            assert_eq!(read(text).map_err(|said| said.contains(why)), Err(true), "{text}");
        }
    }
}
