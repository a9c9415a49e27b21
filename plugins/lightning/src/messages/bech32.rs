//! Bech32 without a limit of length (BIP 173; BOLT 11, "Encoding Overview"), reading only.

const CHARSET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
const CHECKSUM_LEN: usize = 6;
/// More than any invoice has; with `LIGHTNING:` in front of it as much as the contract takes for a code (4,096).
const LEN_MAX: usize = 4_086;

/// The human-readable part in lower case, and the data in groups of 5 bits without the checksum.
///
/// # Errors
/// Why it is not Bech32.
pub fn read(text: &str) -> Result<(String, Vec<u8>), String> {
    if text.len() > LEN_MAX {
        return Err(format!("it has {} characters", text.len()));
    }
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) && text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return Err("capital and small letters are mixed".to_owned());
    }
    let text = text.to_ascii_lowercase();
    let (prefix, letters) = text.rsplit_once('1').ok_or("it has no separator")?;
    if prefix.is_empty() || !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("its human-readable part is not one".to_owned());
    }
    let group = |letter: u8| CHARSET.iter().position(|known| *known == letter).and_then(|at| u8::try_from(at).ok());
    let mut data: Vec<u8> = letters.bytes().map(group).collect::<Option<_>>().ok_or("a letter is not of Bech32")?;
    let expanded = prefix.bytes().map(|byte| byte >> 5).chain([0]).chain(prefix.bytes().map(|byte| byte & 31));
    if data.len() < CHECKSUM_LEN || polymod(expanded.chain(data.iter().copied())) != 1 {
        return Err("its checksum is wrong".to_owned());
    }
    data.truncate(data.len() - CHECKSUM_LEN);
    Ok((prefix.to_owned(), data))
}

fn polymod(values: impl Iterator<Item = u8>) -> u32 {
    values.fold(1_u32, |sum, value| {
        let top = sum >> 25;
        let shifted = (sum & 0x01ff_ffff) << 5 ^ u32::from(value);
        GENERATOR.iter().enumerate().filter(|(bit, _)| top >> bit & 1 == 1).fold(shifted, |sum, (_, term)| sum ^ term)
    })
}

/// Groups of 5 bits as bytes; what is left at the end must be zeros, and less than a group.
#[must_use]
pub fn bytes(groups: &[u8]) -> Option<Vec<u8>> {
    let (mut held, mut bits) = (0_u32, 0_u32);
    let mut bytes = Vec::with_capacity(groups.len() * 5 / 8);
    for group in groups {
        held = held << 5 | u32::from(*group);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).ok()?);
            held &= (1 << bits) - 1;
        }
    }
    (bits < 5 && held == 0).then_some(bytes)
}

/// Groups of 5 bits as one number, the first the highest; `None` over 60 bits.
#[must_use]
pub fn number(groups: &[u8]) -> Option<u64> {
    (groups.len() <= 12).then(|| groups.iter().fold(0, |number, group| number << 5 | u64::from(*group)))
}

#[cfg(test)]
pub(super) fn write(prefix: &str, data: &[u8]) -> String {
    let expanded = prefix.bytes().map(|byte| byte >> 5).chain([0]).chain(prefix.bytes().map(|byte| byte & 31));
    let sum = polymod(expanded.chain(data.iter().copied()).chain([0; CHECKSUM_LEN])) ^ 1;
    let checksum = (0..CHECKSUM_LEN).rev().map(|at| usize::try_from(sum >> (5 * at) & 31).unwrap_or_default());
    let letters = data.iter().map(|group| usize::from(*group)).chain(checksum);
    format!("{prefix}1{}", letters.map(|group| char::from(CHARSET[group])).collect::<String>())
}
