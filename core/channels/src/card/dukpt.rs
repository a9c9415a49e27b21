//! TDES DUKPT (ANSI X9.24-1:2009, annex A): a key for each transaction of a terminal, derived from one base key and the serial
//! number that the terminal sends with what it encrypted.

use zeroize::Zeroizing;

use super::cipher::{Cipher, CipherKey};

/// Key set, device and counter.
pub(crate) const SERIAL_LEN: usize = 10;

/// The counter's bits in the last three bytes.
const COUNTER_BITS: u32 = 21;

/// Ones that a counter may have: terminals skip the others.
const COUNTER_ONES_MAX: u32 = 10;

/// What halves of keys are varied by on their way to the next.
const VARIANT: [u8; 16] = {
    let c = 0xc0;
    [c, c, c, c, 0, 0, 0, 0, c, c, c, c, 0, 0, 0, 0]
};

/// What a transaction's key is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Pin,
    /// Data from the terminal.
    Data,
}

/// The key that a terminal used for this purpose under this serial number. `None` if no terminal uses that number: its counter is 0
/// (which is the initial key, not a transaction's) or has more than 10 ones.
pub(crate) fn transaction_key(base: &[u8; 16], serial: [u8; SERIAL_LEN], purpose: Purpose) -> Option<CipherKey> {
    let [.., high, middle, low] = serial;
    let counter = u32::from_be_bytes([0, high, middle, low]) & ((1 << COUNTER_BITS) - 1);
    if counter == 0 || counter.count_ones() > COUNTER_ONES_MAX {
        return None;
    }
    let mut key = initial(base, serial)?;
    // The last eight bytes of the number, the counter growing one by one from zero to what it is.
    let [_, _, rest @ ..] = serial;
    let mut register = u64::from_be_bytes(rest) & !((1 << COUNTER_BITS) - 1);
    for bit in (0..COUNTER_BITS).rev().map(|shift| 1 << shift).filter(|bit| counter & bit != 0) {
        register |= u64::from(bit);
        key = next(&key, register)?;
    }
    let place = match purpose {
        Purpose::Pin => 7,
        Purpose::Data => 5,
    };
    key[place] ^= 0xff;
    key[place + 8] ^= 0xff;
    if purpose == Purpose::Data {
        // The variant encrypts itself, half by half, so that whoever learns it does not learn the PIN's.
        let schedule = tdes(key.as_slice())?.schedule();
        let mut itself = key.clone();
        itself.chunks_exact_mut(8).for_each(|half| schedule.encrypt(half));
        key = itself;
    }
    tdes(key.as_slice())
}

/// The key that was put into the device.
fn initial(base: &[u8; 16], serial: [u8; SERIAL_LEN]) -> Option<Zeroizing<[u8; 16]>> {
    let [first @ .., _, _] = serial;
    let device = (u64::from_be_bytes(first) & !0x1f).to_be_bytes();
    let mut key = Zeroizing::new([0; 16]);
    let varied = xor(base, &VARIANT);
    for (half, base) in key.chunks_exact_mut(8).zip([base, &*varied]) {
        half.copy_from_slice(&device);
        tdes(base)?.schedule().encrypt(half);
    }
    Some(key)
}

/// The key of the next counter: each new half is what the old right one becomes under the old left one, plain and varied.
fn next(key: &Zeroizing<[u8; 16]>, register: u64) -> Option<Zeroizing<[u8; 16]>> {
    let varied = xor(key, &VARIANT);
    let mut new = Zeroizing::new([0; 16]);
    for (half, key) in new.chunks_exact_mut(8).zip([&varied, key]) {
        let (left, right) = key.split_at(8);
        for (byte, (register, right)) in half.iter_mut().zip(register.to_be_bytes().iter().zip(right)) {
            *byte = register ^ right;
        }
        tdes(left)?.schedule().encrypt(half);
        half.iter_mut().zip(right).for_each(|(byte, right)| *byte ^= right);
    }
    Some(new)
}

fn xor(a: &[u8; 16], b: &[u8; 16]) -> Zeroizing<[u8; 16]> {
    let mut sum = Zeroizing::new(*a);
    sum.iter_mut().zip(b).for_each(|(byte, b)| *byte ^= b);
    sum
}

fn tdes(bytes: &[u8]) -> Option<CipherKey> {
    CipherKey::new(Cipher::Tdes, Zeroizing::new(bytes.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text).expect("hex").try_into().expect("that long")
    }

    /// ANSI X9.24-1:2009, annex A.4: serial number, and PIN 1234 of 4012345678909 under the PIN key. The data keys are by
    /// `pycryptodome` from its keys. (The Python package `dukpt` 1.0.1 has other keys once a counter is above 511.)
    #[test]
    fn keys_are_those_of_the_standards_example() {
        let base = bytes("0123456789ABCDEFFEDCBA9876543210");
        for (serial, pin_block, data_key) in [
            ("FFFF9876543210E00001", "1B9C1845EB993A7A", "448D3F076D8304036A55A3D7E0055A78"),
            ("FFFF9876543210E00002", "10A01C8D02C69107", "F1BE73B36135C5C26CF937D50ABBE5AF"),
            ("FFFF9876543210E00003", "18DC07B94797B466", "EEEEF522C67239E4A2A65FEBF4C511F4"),
            ("FFFF9876543210E00013", "78649BD17D0DFA60", "44893E3434ABDD6A817CE2841825E1FD"),
            ("FFFF9876543210EFF800", "33365F5CC6F23C35", "A9E03F541E29B4FDD47141AECF25190B"),
        ] {
            let mut block = bytes::<8>("041274EDCBA9876F");
            let pin_key = transaction_key(&base, bytes(serial), Purpose::Pin).expect("a key");
            pin_key.schedule().encrypt(&mut block);
            assert_eq!(hex::encode_upper(block), pin_block, "{serial}");
            let key = transaction_key(&base, bytes(serial), Purpose::Data).expect("a key");
            assert_eq!(hex::encode_upper(key.bytes()), data_key, "{serial}");
        }
        // The initial key, and a counter that terminals skip.
        for serial in ["FFFF9876543210E00000", "FFFF9876543210FFFFFF", "FFFF9876543210E007FF"] {
            assert!(transaction_key(&base, bytes(serial), Purpose::Pin).is_none(), "{serial}");
        }
    }
}
