//! Keys, PIN blocks and MACs as an acquirer's security module makes them.

use des::{
    TdesEde3,
    cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _},
};

/// A key of 8 or 16 bytes: DES, or TDES with two halves.
#[derive(Clone)]
pub struct Key(Vec<u8>);

/// How messages are protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Mac {
    /// UnionPay's ECB, under a key of 8 bytes.
    #[default]
    UnionpayEcb,
    /// ANSI X9.19, under a key of 16 bytes.
    Retail,
}

impl Key {
    /// From 8 or 16 bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    fn tdes(&self) -> TdesEde3 {
        let mut whole = [0; 24];
        whole.iter_mut().zip(self.0.iter().cycle()).for_each(|(to, from)| *to = *from);
        TdesEde3::new(&whole.into())
    }

    #[must_use]
    pub fn encrypt(&self, block: [u8; 8]) -> [u8; 8] {
        let mut block = block.into();
        self.tdes().encrypt_block(&mut block);
        block.into()
    }

    #[must_use]
    pub fn decrypt(&self, block: [u8; 8]) -> [u8; 8] {
        let mut block = block.into();
        self.tdes().decrypt_block(&mut block);
        block.into()
    }

    /// Another key under this one, block by block.
    #[must_use]
    pub fn seal(&self, key: &Self) -> Vec<u8> {
        key.0.as_chunks::<8>().0.iter().flat_map(|block| self.encrypt(*block)).collect()
    }

    /// The first four bytes of what it makes of zeros.
    #[must_use]
    pub fn check_value(&self) -> Vec<u8> {
        self.encrypt([0; 8])[..4].to_vec()
    }
}

/// The MAC of these bytes.
#[must_use]
pub fn mac(kind: Mac, key: &Key, bytes: &[u8]) -> [u8; 8] {
    let blocks = bytes.chunks(8).map(|chunk| {
        let mut block = [0; 8];
        block[..chunk.len()].copy_from_slice(chunk);
        block
    });
    match kind {
        Mac::UnionpayEcb => {
            let sum = hex::encode_upper(blocks.fold([0; 8], xor));
            let (left, right) = sum.as_bytes().split_at(8);
            let once = key.encrypt(xor([0; 8], left));
            let twice = hex::encode_upper(key.encrypt(xor(once, right)));
            xor([0; 8], &twice.as_bytes()[..8])
        }
        Mac::Retail => {
            let (first, second) = key.0.split_at(8);
            let (first, second) = (Key::new(first), Key::new(second));
            let last = blocks.fold([0; 8], |state, block| first.encrypt(xor(state, block)));
            first.encrypt(second.decrypt(last))
        }
    }
}

fn xor(a: [u8; 8], b: impl AsRef<[u8]>) -> [u8; 8] {
    let mut sum = a;
    sum.iter_mut().zip(b.as_ref()).for_each(|(byte, other)| *byte ^= other);
    sum
}

/// The PIN in a block of ISO 9564-1 format 0; `None` if it is none of this card's number.
#[must_use]
pub fn pin(block: [u8; 8], key: &Key, number: &str) -> Option<String> {
    let account = format!("0000{}", number.get(number.len().checked_sub(13)?..number.len() - 1)?);
    let plain = hex::encode_upper(xor(key.decrypt(block), hex::decode(account).ok()?));
    let len = usize::try_from(plain.get(1..2).and_then(|len| u32::from_str_radix(len, 16).ok())?).ok()?;
    let (digits, fill) = plain.get(2..)?.split_at_checked(len)?;
    let sound = plain.starts_with('0')
        && (4..=12).contains(&len)
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && fill.bytes().all(|byte| byte == b'F');
    sound.then(|| digits.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key::new(&hex::decode(text).expect("hex"))
    }

    /// Retail and PIN blocks by `psec` 1.3.0; the ECB of a sale by the terminal that sent it (https://q.cnblogs.com/q/128930).
    #[test]
    fn what_others_made() {
        let fox = b"The quick brown fox jumps over";
        let sale = hex::decode(
            "02003020048000c080150000000000000012340000020300993030303030303031393532373138313832323137383735313536001926\
             00000100060000000000435f01123238343431323334353637383930313233345f03063136303033365f04063230303832365c023031",
        )
        .expect("hex");
        let retail = mac(Mac::Retail, &key("0123456789ABCDEFFEDCBA9876543210"), fox);
        assert_eq!(hex::encode_upper(retail), "D3930BC5B2AC3CCF");
        assert_eq!(&mac(Mac::UnionpayEcb, &key("0723C80DB5F4CD3D"), &sale), b"B3A092AE");
        let pins = key("0123456789ABCDEFFEDCBA9876543210");
        let block = |plain: &str| pins.encrypt(xor([0; 8], hex::decode(plain).expect("hex")));
        assert_eq!(pin(block("0412AC89ABCDEF67"), &pins, "43219876543210987").as_deref(), Some("1234"));
        assert_eq!(pin(block("0592389EDCBA9DFF"), &pins, "4000001234562000").as_deref(), Some("92389"));
        assert_eq!(pin(block("0592389EDCBA9DFF"), &pins, "4000001234562018"), None);
        assert_eq!(hex::encode_upper(pins.check_value()), "08D7B4FB");
    }
}
