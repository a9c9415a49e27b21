//! The block ciphers of card payments, as much of them as the messages need: TDES (NIST SP 800-67) and AES (FIPS 197).
//!
//! `ring` has neither on its own. TDES stays because acquirers' terminals speak nothing else; nothing of ours is kept by it.

use std::fmt;

use aes::{
    Aes128, Aes256,
    cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _},
};
use cmac::Cmac;
use des::TdesEde3;
use zeroize::Zeroizing;

/// Longest block.
pub(crate) const BLOCK_LEN_MAX: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cipher {
    Tdes,
    Aes,
}

impl Cipher {
    pub(crate) const fn block_len(self) -> usize {
        match self {
            Self::Tdes => 8,
            Self::Aes => 16,
        }
    }
}

/// A key in the clear, of a length that its cipher has: 8, 16 or 24 bytes of TDES, 16 or 32 of AES. Wiped when it goes; prints
/// as its cipher.
#[derive(Clone)]
pub(crate) struct CipherKey {
    cipher: Cipher,
    bytes: Zeroizing<Vec<u8>>,
}

impl CipherKey {
    /// `None` for another length.
    pub(crate) fn new(cipher: Cipher, bytes: Zeroizing<Vec<u8>>) -> Option<Self> {
        let fits = match cipher {
            Cipher::Tdes => matches!(bytes.len(), 8 | 16 | 24),
            Cipher::Aes => matches!(bytes.len(), 16 | 32),
        };
        fits.then_some(Self { cipher, bytes })
    }

    pub(crate) const fn cipher(&self) -> Cipher {
        self.cipher
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn is_double(&self) -> bool {
        self.cipher == Cipher::Tdes && self.bytes.len() == 16
    }

    /// Whether its first 16 bytes are one key of 8 twice over, so that TDES under it is nothing more than DES.
    pub(crate) fn is_single_in_disguise(&self) -> bool {
        // The lowest bit of each byte is parity.
        let half = |from: usize| self.bytes.get(from..from + 8).map(|half| half.iter().map(|byte| byte & 0xfe));
        self.cipher == Cipher::Tdes
            && match (half(0), half(8), half(16)) {
                (Some(first), Some(second), None) => first.eq(second),
                (Some(first), Some(second), Some(third)) => first.clone().eq(second.clone()) || second.eq(third),
                _ => true,
            }
    }

    /// Ready to work.
    pub(crate) fn schedule(&self) -> Schedule {
        match (self.cipher, &*self.bytes) {
            (Cipher::Aes, bytes) if bytes.len() == 32 => {
                let mut key = Zeroizing::new([0; 32]);
                key.copy_from_slice(bytes);
                Schedule::Aes256(Box::new(Aes256::new(&(*key).into())))
            }
            (Cipher::Aes, bytes) => {
                let mut key = Zeroizing::new([0; 16]);
                key.copy_from_slice(bytes);
                Schedule::Aes128(Box::new(Aes128::new(&(*key).into())))
            }
            (Cipher::Tdes, bytes) => {
                // One key of 8 bytes thrice is DES; two are used as first, second, first.
                let mut key = Zeroizing::new([0; 24]);
                for (to, from) in key.chunks_exact_mut(8).zip(bytes.chunks_exact(8).cycle()) {
                    to.copy_from_slice(from);
                }
                Schedule::Tdes(Box::new(TdesEde3::new(&(*key).into())))
            }
        }
    }

    /// By which two sides see that they hold the same key: what it makes of a block of zeros (ANSI X9.24-1), by TDES encrypted,
    /// by AES-CMAC.
    pub(crate) fn check_value(&self) -> Vec<u8> {
        match self.cipher {
            Cipher::Tdes => {
                let mut zeros = [0; 8];
                self.schedule().encrypt(&mut zeros);
                zeros.to_vec()
            }
            Cipher::Aes => self.cmac(&[0; BLOCK_LEN_MAX]),
        }
    }

    /// AES-CMAC (NIST SP 800-38B), 16 bytes; nothing for a key of TDES.
    pub(crate) fn cmac(&self, message: &[u8]) -> Vec<u8> {
        fn tag<M: cmac::Mac + cmac::KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
            M::new_from_slice(key)
                .map(|mac| mac.chain_update(message).finalize().into_bytes().to_vec())
                .unwrap_or_default()
        }
        match (self.cipher, self.bytes.len()) {
            (Cipher::Aes, 32) => tag::<Cmac<Aes256>>(&self.bytes, message),
            (Cipher::Aes, _) => tag::<Cmac<Aes128>>(&self.bytes, message),
            (Cipher::Tdes, _) => Vec::new(),
        }
    }
}

impl fmt::Debug for CipherKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a key of {:?}", self.cipher)
    }
}

/// A key's schedule; the crates wipe it when it goes.
pub(crate) enum Schedule {
    Tdes(Box<TdesEde3>),
    Aes128(Box<Aes128>),
    Aes256(Box<Aes256>),
}

impl Schedule {
    /// One block, in place. What is not one block long stays as it is: lengths are checked where bytes come in.
    pub(crate) fn encrypt(&self, block: &mut [u8]) {
        match self {
            Self::Tdes(tdes) => block.try_into().map_or_else(drop, |block| tdes.encrypt_block(block)),
            Self::Aes128(aes) => block.try_into().map_or_else(drop, |block| aes.encrypt_block(block)),
            Self::Aes256(aes) => block.try_into().map_or_else(drop, |block| aes.encrypt_block(block)),
        }
    }

    /// As [`Self::encrypt`].
    pub(crate) fn decrypt(&self, block: &mut [u8]) {
        match self {
            Self::Tdes(tdes) => block.try_into().map_or_else(drop, |block| tdes.decrypt_block(block)),
            Self::Aes128(aes) => block.try_into().map_or_else(drop, |block| aes.decrypt_block(block)),
            Self::Aes256(aes) => block.try_into().map_or_else(drop, |block| aes.decrypt_block(block)),
        }
    }

    /// TDES in CBC mode from a block of zeros: what was encrypted, if that is whole blocks.
    pub(crate) fn decrypt_cbc(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (blocks, []) = sealed.as_chunks::<8>() else { return None };
        let mut before = [0; 8];
        let mut plain = Zeroizing::new(Vec::with_capacity(sealed.len()));
        for block in blocks {
            let mut opened = Zeroizing::new(*block);
            self.decrypt(opened.as_mut_slice());
            plain.extend(opened.iter().zip(before).map(|(byte, before)| byte ^ before));
            before = *block;
        }
        Some(plain)
    }
}
