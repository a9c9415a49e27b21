//! The terminal's side of TDES DUKPT (ANSI X9.24-1:2009, annex A): a key for each card, and none that was used can be had again from
//! what is left on the disk.
//!
//! Keys form a tree: that of a counter comes from that of the same counter without its lowest bit. What is kept is one key for each
//! place of the lowest bit, of the next counter that ends there.

use des::{
    TdesEde3,
    cipher::{BlockCipherEncrypt as _, KeyInit as _},
};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

/// Bytes of a serial number: key set, device, and 21 bits of counter.
pub const SERIAL_LEN: usize = 10;
const COUNTER_BITS: u32 = 21;
/// Ones that a counter may have; the others are skipped (A.1).
const ONES_MAX: u32 = 10;
const VARIANT: [u8; 16] = {
    let c = 0xc0;
    [c, c, c, c, 0, 0, 0, 0, c, c, c, c, 0, 0, 0, 0]
};

/// A double-length key. Wiped when it goes, and prints nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Zeroizing<[u8; 16]>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a key")
    }
}

impl Key {
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// 32 hexadecimal digits.
    #[must_use]
    pub fn of_hex(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(hex::decode(text).ok()?);
        bytes.as_slice().try_into().ok().map(Self::new)
    }

    pub fn hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(*self.0))
    }

    /// One block, in place.
    pub fn encrypt(&self, block: &mut [u8; 8]) {
        let [a, b] = self.halves();
        tdes([a, b, a], block);
    }

    /// In CBC mode from a block of zeros; what is no whole block is filled up with zeros.
    #[must_use]
    pub fn encrypt_cbc(&self, plain: &[u8]) -> Vec<u8> {
        let mut before = [0; 8];
        let mut sealed = Vec::with_capacity(plain.len().next_multiple_of(8));
        for part in plain.chunks(8) {
            for (byte, plain) in before.iter_mut().zip(part) {
                *byte ^= plain;
            }
            self.encrypt(&mut before);
            sealed.extend(before);
        }
        sealed
    }

    fn halves(&self) -> [[u8; 8]; 2] {
        let (mut left, mut right) = ([0; 8], [0; 8]);
        left.copy_from_slice(&self.0[..8]);
        right.copy_from_slice(&self.0[8..]);
        [left, right]
    }

    fn varied(&self, variant: &[u8; 16]) -> Self {
        let mut bytes = self.0.clone();
        bytes.iter_mut().zip(variant).for_each(|(byte, varied)| *byte ^= varied);
        Self(bytes)
    }

    /// For PINs.
    fn for_pin(&self) -> Self {
        self.varied(&at_places(7))
    }

    /// For data to the acquirer: the variant encrypts itself.
    fn for_data(&self) -> Self {
        let varied = self.varied(&at_places(5));
        let [mut left, mut right] = varied.halves();
        varied.encrypt(&mut left);
        varied.encrypt(&mut right);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&left);
        bytes[8..].copy_from_slice(&right);
        Self::new(bytes)
    }

    /// The key of a counter, from that of the same counter without its lowest bit (A.2, "non-reversible key generation process").
    fn child(&self, register: u64) -> Self {
        let mut bytes = [0; 16];
        for (half, key) in bytes.chunks_exact_mut(8).zip([self.varied(&VARIANT), self.clone()]) {
            let [left, right] = key.halves();
            let mut block = register.to_be_bytes();
            block.iter_mut().zip(right).for_each(|(byte, right)| *byte ^= right);
            tdes([left, left, left], &mut block);
            block.iter_mut().zip(right).for_each(|(byte, right)| *byte ^= right);
            half.copy_from_slice(&block);
        }
        Self::new(bytes)
    }
}

const fn at_places(place: usize) -> [u8; 16] {
    let mut variant = [0; 16];
    variant[place] = 0xff;
    variant[place + 8] = 0xff;
    variant
}

fn tdes(parts: [[u8; 8]; 3], block: &mut [u8; 8]) {
    let mut key = Zeroizing::new([0_u8; 24]);
    for (to, from) in key.chunks_exact_mut(8).zip(parts) {
        to.copy_from_slice(&from);
    }
    TdesEde3::new(&(*key).into()).encrypt_block(block.into());
}

/// What a device has left of its initial key.
#[derive(Clone, PartialEq, Eq)]
pub struct Future {
    /// With a counter of 0.
    device: [u8; SERIAL_LEN],
    counter: u32,
    /// By the place of the lowest bit.
    keys: Vec<Option<Key>>,
}

/// As it stands in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    ksn: String,
    /// As it was brought to the device: it goes when it was read once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    future: Vec<Option<String>>,
}

impl Drop for Written {
    fn drop(&mut self) {
        self.key.zeroize();
        self.future.iter_mut().for_each(|key| key.zeroize());
    }
}

/// A key for one card.
pub struct Transaction {
    pub serial: [u8; SERIAL_LEN],
    key: Key,
}

impl Transaction {
    #[must_use]
    pub fn data_key(&self) -> Key {
        self.key.for_data()
    }

    #[must_use]
    pub fn pin_key(&self) -> Key {
        self.key.for_pin()
    }
}

impl Future {
    /// Of a device's initial key and its serial number, whose counter is ignored.
    #[must_use]
    pub fn begin(serial: [u8; SERIAL_LEN], initial: &Key) -> Self {
        let mut future = Self { device: device_of(serial), counter: 0, keys: vec![None; 21] };
        future.grow(0, initial);
        future
    }

    /// The next key; what could bring it again is forgotten. None once all are used up.
    pub fn draw(&mut self) -> Option<Transaction> {
        let mut counter = self.counter + 1;
        while counter.count_ones() > ONES_MAX {
            counter += 1 << counter.trailing_zeros();
        }
        if counter >> COUNTER_BITS != 0 {
            return None;
        }
        let key = self.keys.get_mut(counter.trailing_zeros() as usize)?.take()?;
        self.counter = counter;
        self.grow(counter, &key);
        Some(Transaction { serial: self.serial(counter), key })
    }

    /// How many keys are left: the counters above this one with few enough ones.
    #[must_use]
    pub fn left(&self) -> u32 {
        let mut left = 0;
        for place in (0..COUNTER_BITS).filter(|place| self.counter >> place & 1 == 0) {
            // As this counter above the place, one at it, anything below.
            let ones = (self.counter >> place).count_ones() + 1;
            let mut ways = 1;
            for more in (0..=place).take_while(|more| ones + more <= ONES_MAX) {
                left += ways;
                ways = ways * (place - more) / (more + 1);
            }
        }
        left
    }

    /// Which device's keys they are, and up to which counter they were used.
    #[must_use]
    pub fn used(&self) -> ([u8; SERIAL_LEN], u32) {
        (self.device, self.counter)
    }

    /// The same of a serial number that was written down.
    #[must_use]
    pub fn used_up_to(ksn: &str) -> Option<([u8; SERIAL_LEN], u32)> {
        let serial: [u8; SERIAL_LEN] = hex::decode(ksn).ok()?.try_into().ok()?;
        let [.., high, middle, low] = serial;
        Some((device_of(serial), u32::from_be_bytes([0, high & 0x1f, middle, low])))
    }

    #[must_use]
    pub fn ksn(&self) -> String {
        hex::encode_upper(self.serial(self.counter))
    }

    /// The keys of the counters that have one more bit, below those that are there.
    fn grow(&mut self, counter: u32, key: &Key) {
        if counter.count_ones() >= ONES_MAX {
            return;
        }
        let places = if counter == 0 { COUNTER_BITS } else { counter.trailing_zeros() };
        for place in 0..places {
            let serial = self.serial(counter | 1 << place);
            let [_, _, register @ ..] = serial;
            if let Some(slot) = self.keys.get_mut(place as usize) {
                *slot = Some(key.child(u64::from_be_bytes(register)));
            }
        }
    }

    fn serial(&self, counter: u32) -> [u8; SERIAL_LEN] {
        let mut serial = self.device;
        let [_, high, middle, low] = counter.to_be_bytes();
        serial[7] |= high;
        (serial[8], serial[9]) = (middle, low);
        serial
    }

    #[must_use]
    pub fn written(&self) -> Written {
        let future = self.keys.iter().map(|key| key.as_ref().map(|key| key.hex().to_string())).collect();
        Written { ksn: self.ksn(), key: None, future }
    }

    /// None if it is no such thing.
    #[must_use]
    pub fn read(written: &Written) -> Option<Self> {
        let (device, counter) = Self::used_up_to(&written.ksn)?;
        if let Some(key) = &written.key {
            return written.future.is_empty().then(|| Key::of_hex(key).map(|key| Self::begin(device, &key)))?;
        }
        let keys = written.future.iter().map(|key| key.as_deref().map(|key| Key::of_hex(key).ok_or(())).transpose());
        let keys: Vec<_> = keys.collect::<Result<_, _>>().ok()?;
        (keys.len() == COUNTER_BITS as usize).then_some(Self { device, counter, keys })
    }
}

/// A serial number with a counter of 0.
const fn device_of(mut serial: [u8; SERIAL_LEN]) -> [u8; SERIAL_LEN] {
    serial[7] &= 0xe0;
    (serial[8], serial[9]) = (0, 0);
    serial
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ANSI X9.24-1:2009, annex A.4: base key 0123456789ABCDEFFEDCBA9876543210.
    fn device() -> Future {
        let serial = hex::decode("FFFF9876543210E00000").unwrap().try_into().unwrap();
        Future::begin(serial, &Key::of_hex("6AC292FAA1315B4D858AB3A3D7D5933A").unwrap())
    }

    /// The PIN blocks are the standard's (PIN 1234 of 4012345678909); the data keys those by which core opens cards.
    #[test]
    fn keys_are_those_of_the_standards_example() {
        let mut device = device();
        let mut at = 0_u32;
        for (counter, pin_block, data_key) in [
            (1, "1B9C1845EB993A7A", "448D3F076D8304036A55A3D7E0055A78"),
            (2, "10A01C8D02C69107", "F1BE73B36135C5C26CF937D50ABBE5AF"),
            (3, "18DC07B94797B466", "EEEEF522C67239E4A2A65FEBF4C511F4"),
            (0x13, "78649BD17D0DFA60", "44893E3434ABDD6A817CE2841825E1FD"),
            (0xff800, "33365F5CC6F23C35", "A9E03F541E29B4FDD47141AECF25190B"),
        ] {
            let mut transaction = None;
            while at < counter {
                let next = device.draw().unwrap();
                let [.., high, middle, low] = next.serial;
                at = u32::from_be_bytes([0, high & 0x1f, middle, low]);
                transaction = Some(next);
            }
            let transaction = transaction.unwrap();
            assert_eq!(at, counter);
            let mut block: [u8; 8] = hex::decode("041274EDCBA9876F").unwrap().try_into().unwrap();
            transaction.pin_key().encrypt(&mut block);
            assert_eq!(hex::encode_upper(block), pin_block);
            assert_eq!(transaction.data_key().hex().to_uppercase(), data_key);
        }
    }

    #[test]
    fn what_is_written_goes_on_where_it_was_and_holds_no_key_that_was_used() {
        let mut device = device();
        let used = device.draw().unwrap();
        let written = serde_json::to_string(&device.written()).unwrap();
        assert!(!written.contains(used.key.hex().as_str()) && !written.contains("6ac292fa"), "{written}");
        let mut again = Future::read(&serde_json::from_str(&written).unwrap()).unwrap();
        let (one, other) = (device.draw().unwrap(), again.draw().unwrap());
        assert_eq!((one.serial, one.key), (other.serial, other.key));
        for odd in [
            r#"{"ksn":"FFFF","key":"6AC292FAA1315B4D858AB3A3D7D5933A"}"#,
            r#"{"ksn":"FFFF9876543210E00000","key":"6AC2"}"#,
            r#"{"ksn":"FFFF9876543210E00000","future":[]}"#,
            r#"{"ksn":"FFFF9876543210E00000"}"#,
        ] {
            assert!(Future::read(&serde_json::from_str(odd).unwrap()).is_none(), "{odd}");
        }
    }

    #[test]
    fn a_device_ends_when_its_keys_do() {
        let mut device = device();
        device.counter = (1 << COUNTER_BITS) - 2;
        assert!(device.draw().is_none());
        assert_eq!(device.left(), 0);
        assert_eq!(format!("{:?}", Key::new([7; 16])), "a key");
    }

    #[test]
    fn what_is_left_is_counted_as_it_is_used() {
        let mut device = device();
        // Half of all counters of 21 bits have at most 10 ones; 0 is none.
        assert_eq!(device.left(), (1 << 20) - 1);
        for _ in 0..3_000 {
            let before = device.left();
            device.draw().unwrap();
            assert_eq!(device.left(), before - 1, "{}", device.ksn());
        }
        device.counter = (1 << COUNTER_BITS) - (1 << 14);
        let above = (device.counter + 1..1 << COUNTER_BITS).filter(|counter| counter.count_ones() <= ONES_MAX);
        assert_eq!(usize::try_from(device.left()).unwrap(), above.count());
    }

    #[test]
    fn blocks_are_chained_and_filled_with_zeros() {
        let key = Key::new([1; 16]);
        let sealed = key.encrypt_cbc(b"123456789");
        assert_eq!(sealed.len(), 16);
        assert_eq!(sealed, key.encrypt_cbc(b"123456789\0\0\0\0\0\0\0"));
        assert_ne!(sealed[..8], sealed[8..]);
    }
}
