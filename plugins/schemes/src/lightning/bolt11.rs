//! Invoices as text (BOLT 11), signed by the node.

use k256::ecdsa::SigningKey;
use ring::digest::{SHA256, digest};

const CHARSET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const TIMESTAMP_LEN: usize = 7;
/// The longest description: a field has at most 1,023 groups of 5 bits.
pub const DESCRIPTION_BYTES_MAX: usize = 639;

/// A tagged field; they are written in the order given.
pub enum Field<'a> {
    PaymentHash(&'a [u8; 32]),
    PaymentSecret(&'a [u8; 32]),
    Description(&'a str),
    ExpirySeconds(u64),
    MinFinalCltvExpiry(u64),
    /// Feature bits that are set, the lowest first.
    Features(&'a [usize]),
    /// One channel by which the payee is reached: node, short channel id, base fee (msat), fee (millionths), blocks.
    Route(&'a [u8; 33], u64, u32, u32, u16),
}

impl Field<'_> {
    fn tag(&self) -> u8 {
        match self {
            Self::PaymentHash(_) => 1,
            Self::Route(..) => 3,
            Self::Features(_) => 5,
            Self::ExpirySeconds(_) => 6,
            Self::Description(_) => 13,
            Self::PaymentSecret(_) => 16,
            Self::MinFinalCltvExpiry(_) => 24,
        }
    }

    fn groups(&self) -> Vec<u8> {
        match self {
            Self::PaymentHash(bytes) | Self::PaymentSecret(bytes) => in_groups(bytes.as_slice()),
            Self::Description(text) => in_groups(text.as_bytes()),
            Self::ExpirySeconds(number) | Self::MinFinalCltvExpiry(number) => shortest(*number),
            Self::Features(bits) => {
                let len = bits.last().map_or(0, |highest| highest / 5 + 1);
                let mut groups = vec![0; len];
                for bit in *bits {
                    groups[len - 1 - bit / 5] |= 1 << (bit % 5);
                }
                groups
            }
            Self::Route(node, channel, base, fee, blocks) => {
                let mut bytes = node.to_vec();
                bytes.extend(channel.to_be_bytes());
                bytes.extend(base.to_be_bytes());
                bytes.extend(fee.to_be_bytes());
                bytes.extend(blocks.to_be_bytes());
                in_groups(&bytes)
            }
        }
    }
}

/// `prefix`: `lnbc` and its like. `msat` none: the payer chooses. `at`: seconds since 1970.
///
/// # Errors
/// If a field is too long, or the key cannot sign.
pub fn write(
    key: &SigningKey,
    prefix: &str,
    msat: Option<u64>,
    at: u64,
    fields: &[Field<'_>],
) -> anyhow::Result<String> {
    let human = format!("{prefix}{}", msat.map(amount).unwrap_or_default());
    let mut data = fixed(at, TIMESTAMP_LEN);
    for field in fields {
        let groups = field.groups();
        anyhow::ensure!(groups.len() < 1_024, "a field of {} groups is too long", groups.len());
        data.push(field.tag());
        data.extend(fixed(u64::try_from(groups.len())?, 2));
        data.extend(groups);
    }
    let mut signed = human.clone().into_bytes();
    signed.extend(in_bytes(&data));
    let (signature, recovery) = key
        .sign_prehash_recoverable(digest(&SHA256, &signed).as_ref())
        .map_err(|error| anyhow::anyhow!("the node cannot sign: {error}"))?;
    let mut compact = signature.to_bytes().to_vec();
    compact.push(recovery.to_byte());
    data.extend(in_groups(&compact));
    Ok(bech32(&human, &data))
}

/// The shortest text: the largest multiplier that leaves a whole number.
fn amount(msat: u64) -> String {
    let pico = u128::from(msat) * 10;
    let units = [(1_000_000_000_000, ""), (1_000_000_000, "m"), (1_000_000, "u"), (1_000, "n")];
    match units.into_iter().find(|(size, _)| pico % size == 0) {
        Some((size, multiplier)) => format!("{}{multiplier}", pico / size),
        None => format!("{pico}p"),
    }
}

fn fixed(number: u64, len: usize) -> Vec<u8> {
    (0..len).rev().map(|at| u8::try_from(number >> (5 * at) & 31).unwrap_or_default()).collect()
}

fn shortest(number: u64) -> Vec<u8> {
    fixed(number, 12).into_iter().skip_while(|group| *group == 0).collect()
}

/// Groups of 5 bits, filled up with zeros.
fn in_groups(bytes: &[u8]) -> Vec<u8> {
    regrouped(bytes, 8, 5)
}

/// Bytes, filled up with zeros.
fn in_bytes(groups: &[u8]) -> Vec<u8> {
    regrouped(groups, 5, 8)
}

fn regrouped(from: &[u8], from_bits: u32, to_bits: u32) -> Vec<u8> {
    let (mut held, mut bits, mut to) = (0_u32, 0, Vec::new());
    let mask = (1 << to_bits) - 1;
    for value in from {
        held = (held << from_bits | u32::from(*value)) & 0xffff;
        bits += from_bits;
        while bits >= to_bits {
            bits -= to_bits;
            to.push(u8::try_from(held >> bits & mask).unwrap_or_default());
        }
    }
    if bits > 0 {
        to.push(u8::try_from(held << (to_bits - bits) & mask).unwrap_or_default());
    }
    to
}

/// BIP 173.
fn bech32(human: &str, data: &[u8]) -> String {
    let mut checked: Vec<u8> = human.bytes().map(|byte| byte >> 5).collect();
    checked.push(0);
    checked.extend(human.bytes().map(|byte| byte & 31));
    checked.extend(data);
    checked.extend([0; 6]);
    let checksum = fixed(u64::from(polymod(&checked) ^ 1), 6);
    let letters = data.iter().chain(&checksum).map(|group| char::from(CHARSET[usize::from(*group)]));
    format!("{human}1{}", letters.collect::<String>())
}

fn polymod(values: &[u8]) -> u32 {
    let mut sum = 1_u32;
    for value in values {
        let top = sum >> 25;
        sum = (sum & 0x01ff_ffff) << 5 ^ u32::from(*value);
        for (bit, term) in [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3].into_iter().enumerate() {
            if top >> bit & 1 == 1 {
                sum ^= term;
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BOLT 11, "Examples": all are signed by this key, with this secret and this hash.
    const KEY: &str = "e126f68f7eafcc8b74f54d269fe206be715000f94dac067d1c04a8ca3b2db734";
    const SECRET: [u8; 32] = [0x11; 32];
    const HASH: &str = "0001020304050607080900010203040506070809000102030405060708090102";
    const AT: u64 = 1_496_314_658;

    fn written(msat: Option<u64>, fields: &[Field<'_>]) -> String {
        let key = SigningKey::from_slice(&hex::decode(KEY).expect("hex")).expect("a key");
        write(&key, "lnbc", msat, AT, fields).expect("an invoice")
    }

    #[test]
    fn the_specifications_own() {
        let hash: [u8; 32] = hex::decode(HASH).expect("hex").try_into().expect("32 bytes");
        let (secret, hash) = (Field::PaymentSecret(&SECRET), Field::PaymentHash(&hash));
        let fields =
            [secret, hash, Field::Description("1 cup coffee"), Field::ExpirySeconds(60), Field::Features(&[8, 14])];
        assert_eq!(
            written(Some(250_000_000), &fields),
            "lnbc2500u1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpu9qrsgquk0rl77nj30yxdy8j9vdx85fkpmdla2087ne0xh8nhedh8w27kyke0lp53ut353s06fv3qfegext0eh0ymjpf39tuven09sam30g4vgpfna3rh"
        );
        let [secret, hash, .., features] = fields;
        let donation = [secret, hash, Field::Description("Please consider supporting this project"), features];
        assert_eq!(
            written(None, &donation),
            "lnbc1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaq9qrsgq357wnc5r2ueh7ck6q93dj32dlqnls087fxdwk8qakdyafkq3yap9us6v52vjjsrvywa6rt52cm9r9zqt8r2t7mlcwspyetp5h2tztugp9lfyql"
        );
    }

    #[test]
    fn amounts() {
        for (msat, text) in [
            (1, "10p"),
            (100, "1n"),
            (1_000, "10n"),
            (25_253_000, "252530n"),
            (250_000_000, "2500u"),
            (2_000_000_000, "20m"),
            (100_000_000_000, "1"),
            (967_878_534, "9678785340p"),
        ] {
            assert_eq!(amount(msat), text);
        }
    }
}
