//! Keys, PIN blocks and MACs as an acquirer's security module makes them.

use aes::Aes128;
use cmac::{Cmac, Mac as _};
use des::{
    TdesEde3,
    cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _},
};

/// A key of 8 or 16 bytes: DES, or TDES with two halves.
#[derive(Clone)]
pub struct Key(Vec<u8>);

/// A key of AES-128.
#[derive(Clone)]
pub struct AesKey([u8; 16]);

/// A working key, of the cipher of all of them.
#[derive(Clone)]
pub enum Working {
    Tdes(Key),
    Aes(AesKey),
}

/// How messages are protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Mac {
    /// UnionPay's ECB, under a key of 8 bytes.
    #[default]
    UnionpayEcb,
    /// ANSI X9.19, under a key of 16 bytes.
    Retail,
    /// AES-CMAC, its first 8 bytes. All keys are of AES then, and PIN blocks of format 4.
    AesCmac,
}

impl Mac {
    /// Bytes of field 52.
    #[must_use]
    pub const fn pin_block_len(self) -> usize {
        if matches!(self, Self::AesCmac) { 16 } else { 8 }
    }
}

impl AesKey {
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    fn decrypt(&self, block: [u8; 16]) -> [u8; 16] {
        let mut block = block.into();
        Aes128::new(&self.0.into()).decrypt_block(&mut block);
        block.into()
    }

    /// Another key under this one: one block.
    #[must_use]
    pub fn seal(&self, key: &Self) -> [u8; 16] {
        let mut block = key.0.into();
        Aes128::new(&self.0.into()).encrypt_block(&mut block);
        block.into()
    }

    /// The first four bytes of its CMAC of a block of zeros (ANSI X9.24-1, annex A).
    #[must_use]
    pub fn check_value(&self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.mac(&[0; 16]);
        [a, b, c, d]
    }

    /// The first half of the CMAC of these bytes (NIST SP 800-38B).
    #[must_use]
    pub fn mac(&self, bytes: &[u8]) -> [u8; 8] {
        let tag = <Cmac<Aes128> as cmac::KeyInit>::new(&self.0.into()).chain_update(bytes).finalize().into_bytes();
        xor([0; 8], &tag[..8])
    }
}

impl Working {
    /// Sealed under the master key of its cipher, and its check value.
    #[must_use]
    pub fn sealed(&self, master: &Key, master_aes: &AesKey) -> (Vec<u8>, Vec<u8>) {
        match self {
            Self::Tdes(key) => (master.seal(key), key.check_value()),
            Self::Aes(key) => (master_aes.seal(key).to_vec(), key.check_value().to_vec()),
        }
    }
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

/// The MAC of these bytes; a key of AES makes one of its own kind.
#[must_use]
pub fn mac(kind: Mac, key: &Working, bytes: &[u8]) -> [u8; 8] {
    let blocks = bytes.chunks(8).map(|chunk| {
        let mut block = [0; 8];
        block[..chunk.len()].copy_from_slice(chunk);
        block
    });
    match (key, kind) {
        (Working::Aes(key), _) => key.mac(bytes),
        (Working::Tdes(key), Mac::UnionpayEcb) => {
            let sum = hex::encode_upper(blocks.fold([0; 8], xor));
            let (left, right) = sum.as_bytes().split_at(8);
            let once = key.encrypt(xor([0; 8], left));
            let twice = hex::encode_upper(key.encrypt(xor(once, right)));
            xor([0; 8], &twice.as_bytes()[..8])
        }
        (Working::Tdes(key), _) => {
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

/// The PIN in a block of ISO 9564-1; `None` if it is none of the key's format and of this card's number.
#[must_use]
pub fn pin(block: &[u8], key: &Working, number: &str) -> Option<String> {
    match key {
        Working::Tdes(key) => {
            let account = format!("0000{}", number.get(number.len().checked_sub(13)?..number.len() - 1)?);
            let plain = xor(key.decrypt(block.try_into().ok()?), hex::decode(account).ok()?);
            digits(plain, '0', b'F')
        }
        Working::Aes(key) => {
            let more = number.len().checked_sub(12)?;
            let account = hex::decode(format!("{more:X}{number:0<31}")).ok()?;
            let mut inner = key.decrypt(block.try_into().ok()?);
            inner.iter_mut().zip(account).for_each(|(byte, account)| *byte ^= account);
            // Chance fills the second half.
            digits(*key.decrypt(inner).first_chunk()?, '4', b'A')
        }
    }
}

/// Format, length, digits, fill.
fn digits(field: [u8; 8], format: char, fill: u8) -> Option<String> {
    let plain = hex::encode_upper(field);
    let len = usize::try_from(plain.get(1..2).and_then(|len| u32::from_str_radix(len, 16).ok())?).ok()?;
    let (digits, rest) = plain.get(2..)?.split_at_checked(len)?;
    let sound = plain.starts_with(format)
        && (4..=12).contains(&len)
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && rest.bytes().all(|byte| byte == fill);
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
        let retail = mac(Mac::Retail, &Working::Tdes(key("0123456789ABCDEFFEDCBA9876543210")), fox);
        assert_eq!(hex::encode_upper(retail), "D3930BC5B2AC3CCF");
        assert_eq!(&mac(Mac::UnionpayEcb, &Working::Tdes(key("0723C80DB5F4CD3D")), &sale), b"B3A092AE");
        let pins = key("0123456789ABCDEFFEDCBA9876543210");
        let block = |plain: &str| pins.encrypt(xor([0; 8], hex::decode(plain).expect("hex")));
        let opened = |plain: &str, number: &str| pin(&block(plain), &Working::Tdes(pins.clone()), number);
        assert_eq!(opened("0412AC89ABCDEF67", "43219876543210987").as_deref(), Some("1234"));
        assert_eq!(opened("0592389EDCBA9DFF", "4000001234562000").as_deref(), Some("92389"));
        assert_eq!(opened("0592389EDCBA9DFF", "4000001234562018"), None);
        assert_eq!(hex::encode_upper(pins.check_value()), "08D7B4FB");
    }

    /// Blocks by `psec` 1.3.0; CMAC and check value by `cryptography` 50.0.2.
    #[test]
    fn what_others_made_under_aes() {
        let bytes = hex::decode("00112233445566778899AABBCCDDEEFF").expect("hex");
        let key = AesKey::new(bytes.try_into().expect("16 bytes"));
        assert_eq!(hex::encode_upper(key.check_value()), "53E107B3");
        assert_eq!(hex::encode_upper(key.mac(b"The quick brown fox jumps over")), "A2FD8ED2C9D42B0E");
        let opened = |block: &str, number| pin(&hex::decode(block).expect("hex"), &Working::Aes(key.clone()), number);
        for (block, number, digits) in [
            ("20B60385B5A5DCFDED919561687FEDE3", "4012345678909", "1234"),
            ("711CA78B57D1B4F1AFBFA1897E68293E", "6212345678900000003", "123456789012"),
            ("0E308319B30EC30D45CBCCA711C929A2", "4000001234562000", "92389"),
        ] {
            assert_eq!(opened(block, number).as_deref(), Some(digits));
            assert_eq!(opened(block, "4012345678917"), None, "{number}");
        }
        // Of a shorter key's length.
        assert_eq!(opened("6B5634EE70D8C83F", "4012345678909"), None);
    }
}
