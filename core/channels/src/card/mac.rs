//! MACs of card messages, 8 bytes each.

use subtle::ConstantTimeEq as _;

use super::cipher::{Cipher, CipherKey};

pub(crate) const MAC_LEN: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// ISO/IEC 9797-1 algorithm 3, padding 1 (ANSI X9.19).
    Retail,
    /// China UnionPay, POS terminal specification, ECB.
    UnionpayEcb,
    AesCmac,
}

/// `None` if the key is not of the algorithm's cipher or length.
pub(crate) fn mac(algorithm: Algorithm, key: &CipherKey, message: &[u8]) -> Option<[u8; MAC_LEN]> {
    match (algorithm, key.cipher()) {
        (Algorithm::Retail, Cipher::Tdes) if key.is_double() => retail(key, message),
        (Algorithm::UnionpayEcb, Cipher::Tdes) => unionpay_ecb(key, message),
        (Algorithm::AesCmac, Cipher::Aes) => key.cmac(message).first_chunk().copied(),
        _ => None,
    }
}

/// Whether this is the MAC, in a time that does not tell how much of it is.
pub(crate) fn fits(algorithm: Algorithm, key: &CipherKey, message: &[u8], tag: &[u8]) -> bool {
    mac(algorithm, key, message).is_some_and(|made| bool::from(made.as_slice().ct_eq(tag)))
}

fn blocks(message: &[u8]) -> impl Iterator<Item = [u8; MAC_LEN]> + '_ {
    message.chunks(MAC_LEN).map(|chunk| {
        let mut block = [0; MAC_LEN];
        block[..chunk.len()].copy_from_slice(chunk);
        block
    })
}

fn xor(into: &mut [u8; MAC_LEN], block: &[u8]) {
    into.iter_mut().zip(block).for_each(|(byte, other)| *byte ^= other);
}

/// DES in CBC mode under the first half; the last block is encrypted under the whole key.
fn retail(key: &CipherKey, message: &[u8]) -> Option<[u8; MAC_LEN]> {
    let half = key.bytes().first_chunk::<8>()?;
    let first = CipherKey::new(Cipher::Tdes, half.to_vec().into())?.schedule();
    let whole = key.schedule();
    let mut state = [0; MAC_LEN];
    let mut rest = blocks(message).peekable();
    if rest.peek().is_none() {
        // Nothing is filled up to one block.
        whole.encrypt(&mut state);
    }
    while let Some(block) = rest.next() {
        xor(&mut state, &block);
        if rest.peek().is_some() { first.encrypt(&mut state) } else { whole.encrypt(&mut state) }
    }
    Some(state)
}

fn unionpay_ecb(key: &CipherKey, message: &[u8]) -> Option<[u8; MAC_LEN]> {
    let key = key.schedule();
    let mut sum = [0; MAC_LEN];
    blocks(message).for_each(|block| xor(&mut sum, &block));
    let text = hex::encode_upper(sum);
    let (left, right) = text.as_bytes().split_at_checked(MAC_LEN)?;
    let mut state: [u8; MAC_LEN] = left.try_into().ok()?;
    key.encrypt(&mut state);
    xor(&mut state, right);
    key.encrypt(&mut state);
    hex::encode_upper(state).as_bytes().first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(cipher: Cipher, text: &str) -> CipherKey {
        CipherKey::new(cipher, hex::decode(text).expect("hex").into()).expect("a key")
    }

    const FOX: &str = "54686520717569636B2062726F776E20666F78206A756D7073206F766572";

    /// A sale that a terminal sent (https://q.cnblogs.com/q/128930), from its message type on.
    const SALE: &str = "02003020048000c080150000000000000012340000020300993030303030303031393532373138313832323137383735\
        31353600192600000100060000000000435f01123238343431323334353637383930313233345f03063136303033365f04063230303832365c023031";

    /// By the Python packages `psec` 1.3.0 (retail) and `pycryptodome` (CMAC), and by a terminal.
    #[test]
    fn macs_are_those_of_others() {
        for (algorithm, cipher, secret, message, tag) in [
            (Algorithm::Retail, Cipher::Tdes, "0123456789ABCDEFFEDCBA9876543210", FOX, "D3930BC5B2AC3CCF"),
            (Algorithm::UnionpayEcb, Cipher::Tdes, "0123456789ABCDEF", FOX, "4241304245363138"),
            (Algorithm::UnionpayEcb, Cipher::Tdes, "0123456789ABCDEFFEDCBA9876543210", FOX, "3042384436343236"),
            (Algorithm::UnionpayEcb, Cipher::Tdes, "0723C80DB5F4CD3D", SALE, "4233413039324145"),
            (Algorithm::UnionpayEcb, Cipher::Tdes, "0723C80DB5F4CD3D0723C80DB5F4CD3D", SALE, "4233413039324145"),
            (Algorithm::AesCmac, Cipher::Aes, "00112233445566778899AABBCCDDEEFF", FOX, "A2FD8ED2C9D42B0E"),
        ] {
            let (key, message) = (key(cipher, secret), hex::decode(message).expect("hex"));
            let made = mac(algorithm, &key, &message).expect("a MAC");
            assert_eq!(hex::encode_upper(made), tag, "{algorithm:?} {secret}");
            assert!(fits(algorithm, &key, &message, &made));
            let mut other = made;
            other[7] ^= 1;
            assert!(!fits(algorithm, &key, &message, &other) && !fits(algorithm, &key, &message, &made[..7]));
        }
        let (double, aes) = (key(Cipher::Tdes, &"0123456789ABCDEF".repeat(2)), key(Cipher::Aes, &"00".repeat(16)));
        assert!(mac(Algorithm::AesCmac, &double, b"").is_none() && mac(Algorithm::Retail, &aes, b"").is_none());
        assert!(mac(Algorithm::Retail, &key(Cipher::Tdes, "0123456789ABCDEF"), b"").is_none());
        assert!(mac(Algorithm::Retail, &double, b"").is_some());
    }

    /// The first bytes of these are what acquirers print beside their keys.
    #[test]
    fn check_values() {
        for (cipher, secret, value) in [
            (Cipher::Tdes, "0123456789ABCDEFFEDCBA9876543210", "08D7B4FB629D0885"),
            (Cipher::Tdes, "C24A8FB57AA20123", "0547DB3E89B4E1F3"),
            (Cipher::Aes, "00112233445566778899AABBCCDDEEFF", "53E107B36EF2C5381B62D83D46BB2149"),
        ] {
            assert_eq!(hex::encode_upper(key(cipher, secret).check_value()), value);
        }
        assert!(key(Cipher::Tdes, &"0123456789ABCDEF".repeat(2)).is_single_in_disguise());
        assert!(!key(Cipher::Tdes, "0123456789ABCDEF1122446688AACCEE").is_single_in_disguise());
        // Only its parity differs.
        assert!(key(Cipher::Tdes, "0123456789ABCDEF0022446688AACCEE").is_single_in_disguise());
        assert!(key(Cipher::Tdes, "0123456789ABCDEF1122446688AACCEE1122446688AACCEE").is_single_in_disguise());
    }
}
