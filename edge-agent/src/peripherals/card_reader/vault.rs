//! What of a card leaves the reader: encrypted as core's host opens it ([`PresentedCard`]), and what may be shown of it.
//!
//! The keys are in one file, for the agent's user alone. It is brought with the initial keys of this device, `{"data": {"ksn", "key"},
//! "pin": {"ksn", "key"}}`, and written anew before a key is used: from then on it has the keys to come and none that was used.
//! Survives: a crash at any moment costs keys, and none is used twice.

use std::{fs, io, path::PathBuf};

use saoma_protocol::api::{CardEntry, PresentedCard, PresentedPin};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::dukpt::{Future, Transaction, Written};
use crate::{
    peripherals::PeripheralError,
    private_file::{self, GROUP_AND_OTHERS, NOBODY},
    sale::{CardShown, CardTender},
};

const DEVICE: &str = "the card reader";

/// The file of the keys; and beside it, how far they were used, which is no secret and outlives them.
pub struct Vault {
    path: PathBuf,
    /// The file was written in this run.
    is_tried: bool,
}

/// That there are keys, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    pub has_pin_key: bool,
    /// Cards that there are keys for.
    pub left: u32,
}

/// Of one card. What could bring them again is gone from the disk.
pub struct Keys {
    data: Transaction,
    pin: Option<Transaction>,
}

/// The serial numbers that were used last.
#[derive(Serialize, Deserialize)]
struct Mark {
    data: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pin: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    data: Written,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pin: Option<Written>,
}

/// A card in the clear. Wiped when it goes, and prints nothing.
pub struct ClearCard {
    pub entry: CardEntry,
    /// 13 to 19 digits.
    pub number: Zeroizing<String>,
    /// `YYMM`.
    pub expiry: Zeroizing<String>,
    pub track_2: Option<Zeroizing<String>>,
    pub sequence_number: Option<u8>,
    /// 4 to 12 digits.
    pub pin: Option<Zeroizing<String>>,
    /// For the acquirer, without number and track.
    pub emv: Vec<u8>,
    pub label: String,
    pub aid: Vec<u8>,
    pub wants_signature: bool,
}

impl Vault {
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self { path: PathBuf::from(path), is_tried: false }
    }

    /// Whether there are keys, and for how long. The first look of a run finds out beside them whether the folder can be written to,
    /// before there is a card. The keys themselves are not touched: `saoma-edge doctor` looks as well, beside an agent that uses them
    /// and often as another user.
    ///
    /// # Errors
    /// `Unable`, with what to do.
    pub fn check(&mut self) -> Result<Checked, PeripheralError> {
        let (data, pin) = self.read()?;
        let left = pin.as_ref().map_or(u32::MAX, Future::left).min(data.left());
        if left == 0 {
            return Err(used_up());
        }
        if !self.is_tried {
            self.try_folder()
                .map_err(|error| told(&format!("read or write beside {}: {error}", self.path.display())))?;
            self.is_tried = true;
        }
        Ok(Checked { has_pin_key: pin.is_some(), left })
    }

    fn try_folder(&self) -> io::Result<()> {
        let mut probe = self.path.clone().into_os_string();
        probe.push(format!(".probe-{}", std::process::id()));
        fs::File::create_new(&probe)?;
        fs::remove_file(&probe)
    }

    fn read(&self) -> Result<(Future, Option<Future>), PeripheralError> {
        if self.path.as_os_str().is_empty() {
            return Err(told("it has no keys to encrypt cards by; set peripherals.card_reader_keys"));
        }
        let bytes = private_file::read(&self.path, GROUP_AND_OTHERS).map_err(|error| told(&error.to_string()))?;
        let path = self.path.display();
        let bytes = Zeroizing::new(bytes.ok_or_else(|| told(&format!("there is no file of keys at {path}")))?);
        let odd = || told(&format!("{path} is no file of keys; have the keys brought anew"));
        let KeyFile { data, pin } = serde_json::from_slice(&bytes).map_err(|_| odd())?;
        let pin = pin.map(|pin| Future::read(&pin).ok_or_else(odd)).transpose()?;
        let data = Future::read(&data).ok_or_else(odd)?;
        self.check_mark(&data, pin.as_ref())?;
        Ok((data, pin))
    }

    fn mark(&self) -> PathBuf {
        self.path.with_extension("used")
    }

    /// That these keys are not from before what was used: they would encrypt a second card, or PIN, alike.
    fn check_mark(&self, data: &Future, pin: Option<&Future>) -> Result<(), PeripheralError> {
        let mark = private_file::read(&self.mark(), NOBODY).map_err(|error| told(&error.to_string()))?;
        let Some(Mark { data: data_used, pin: pin_used }) = mark.and_then(|bytes| serde_json::from_slice(&bytes).ok())
        else {
            return Ok(());
        };
        let is_older = |keys: &Future, used: Option<&str>| {
            let (device, counter) = keys.used();
            used.and_then(Future::used_up_to).is_some_and(|(of, up_to)| of == device && counter < up_to)
        };
        if is_older(data, Some(&data_used)) || pin.is_some_and(|pin| is_older(pin, pin_used.as_deref())) {
            let path = self.path.display();
            return Err(told(&format!("{path} is from before: its keys were used already; have new keys brought")));
        }
        Ok(())
    }

    /// The keys first: a crash before the mark leaves one that is too low, and refuses nothing.
    fn write(&self, data: &Future, pin: Option<&Future>) -> Result<(), PeripheralError> {
        let failed = |error: private_file::PrivateFileError| told(&error.to_string());
        let odd = |error: serde_json::Error| told(&error.to_string());
        let file = KeyFile { data: data.written(), pin: pin.map(Future::written) };
        let bytes = Zeroizing::new(serde_json::to_vec(&file).map_err(odd)?);
        private_file::write(&self.path, &bytes).map_err(failed)?;
        let mark = Mark { data: data.ksn(), pin: pin.map(Future::ksn) };
        private_file::write(&self.mark(), &serde_json::to_vec(&mark).map_err(odd)?).map_err(failed)
    }

    /// Keys for one card, once the disk has forgotten them.
    ///
    /// # Errors
    /// `Unable`, with what to do.
    pub fn take(&self, with_pin: bool) -> Result<Keys, PeripheralError> {
        let (mut data, mut pin) = self.read()?;
        let for_data = data.draw().ok_or_else(used_up)?;
        let for_pin = match (&mut pin, with_pin) {
            (Some(pin), true) => Some(pin.draw().ok_or_else(used_up)?),
            (None, true) => return Err(told("it has no key to encrypt PINs by")),
            (_, false) => None,
        };
        self.write(&data, pin.as_ref())?;
        Ok(Keys { data: for_data, pin: for_pin })
    }
}

/// # Errors
/// `Unable`: nothing of the card goes anywhere.
pub fn seal(card: &ClearCard, keys: Keys) -> Result<CardTender, PeripheralError> {
    let Keys { data, pin } = keys;
    let key = data.data_key();
    let number = Zeroizing::new(format!("{}={}", *card.number, *card.expiry));
    let pin = pin.zip(card.pin.as_ref()).and_then(|(transaction, pin)| {
        let mut block = pin_block(pin, &card.number)?;
        transaction.pin_key().encrypt(&mut block);
        Some(PresentedPin { ksn: hex::encode_upper(transaction.serial), block: hex::encode(*block) })
    });
    if pin.is_none() && card.pin.is_some() {
        return Err(told("the PIN has no 4 to 12 digits"));
    }
    let presented = PresentedCard {
        entry: card.entry,
        ksn: hex::encode_upper(data.serial),
        number: hex::encode(key.encrypt_cbc(number.as_bytes())),
        sequence_number: card.sequence_number,
        track_2: card.track_2.as_ref().map(|track| hex::encode(key.encrypt_cbc(track.as_bytes()))),
        pin,
        emv: (!card.emv.is_empty()).then(|| hex::encode(&card.emv)),
    };
    let shown = CardShown {
        entry: card.entry,
        masked: masked(&card.number),
        label: card.label.clone(),
        aid: hex::encode_upper(&card.aid),
        wants_signature: card.wants_signature,
    };
    Ok(CardTender { presented, shown })
}

fn told(why: &str) -> PeripheralError {
    PeripheralError::Unable { device: DEVICE.to_owned(), why: why.to_owned() }
}

fn used_up() -> PeripheralError {
    told("its keys are used up; have new ones brought")
}

/// The first 6 digits, the last 4, and `*` between them (PCI DSS 3.4).
#[must_use]
pub fn masked(number: &str) -> String {
    let hidden = 6..number.len().saturating_sub(4);
    number.chars().enumerate().map(|(idx, digit)| if hidden.contains(&idx) { '*' } else { digit }).collect()
}

/// ISO 9564-1, format 0: the PIN's length and digits over the twelve digits of the number before its check digit. None if it is no PIN.
fn pin_block(pin: &str, number: &str) -> Option<Zeroizing<[u8; 8]>> {
    let is_pin = (4..=12).contains(&pin.len()) && pin.bytes().all(|digit| digit.is_ascii_digit());
    let account = number.get(number.len().checked_sub(13)?..number.len() - 1)?;
    let field = |text: Zeroizing<String>| -> Option<Zeroizing<[u8; 8]>> {
        let mut field = Zeroizing::new([0; 8]);
        hex::decode_to_slice(text.as_bytes(), field.as_mut_slice()).ok()?;
        Some(field)
    };
    let mut block = field(Zeroizing::new(format!("{:f<16}", *Zeroizing::new(format!("0{:x}{pin}", pin.len())))))?;
    let account = field(Zeroizing::new(format!("0000{account}")))?;
    block.iter_mut().zip(account.iter()).for_each(|(byte, account)| *byte ^= account);
    is_pin.then_some(block)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    /// The standard's example device.
    const KEYS: &str = r#"{"data":{"ksn":"FFFF9876543210E00000","key":"6AC292FAA1315B4D858AB3A3D7D5933A"},
        "pin":{"ksn":"FFFF9876543210E00000","key":"6AC292FAA1315B4D858AB3A3D7D5933A"}}"#;

    fn vault(folder: &tempfile::TempDir, text: &str) -> Vault {
        let path = folder.path().join("card-keys.json");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        Vault::new(path.to_str().unwrap())
    }

    fn card() -> ClearCard {
        ClearCard {
            entry: CardEntry::Chip,
            number: Zeroizing::new("4012345678909".to_owned()),
            expiry: Zeroizing::new("2512".to_owned()),
            track_2: Some(Zeroizing::new("4012345678909=25122010000012345".to_owned())),
            sequence_number: Some(1),
            pin: Some(Zeroizing::new("1234".to_owned())),
            emv: vec![0x9c, 1, 0],
            label: "UnionPay".to_owned(),
            aid: vec![0xa0, 0, 0, 3, 0x33],
            wants_signature: false,
        }
    }

    /// The bytes are those that core's host opens in its own tests, which `pycryptodome` made.
    #[test]
    fn a_card_is_encrypted_as_core_opens_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut vault = vault(&folder, KEYS);
        assert_eq!(vault.check(), Ok(Checked { has_pin_key: true, left: (1 << 20) - 1 }));
        seal(&card(), vault.take(true).unwrap()).unwrap();
        let CardTender { presented, shown } = seal(&card(), vault.take(true).unwrap()).unwrap();
        assert_eq!(presented.ksn, "FFFF9876543210E00002");
        assert_eq!(presented.number, "a2b4e70f846e63d666a501869e442dbc351b59e427d9d44d");
        assert_eq!(
            presented.track_2.as_deref(),
            Some("a2b4e70f846e63d666a501869e442dbc0980ec6aebbdb20af3b694708f6f85f1")
        );
        let pin = presented.pin.unwrap();
        assert_eq!((pin.ksn.as_str(), pin.block.as_str()), ("FFFF9876543210E00002", "10a01c8d02c69107"));
        assert_eq!((shown.masked.as_str(), shown.aid.as_str()), ("401234***8909", "A000000333"));
        assert_eq!(presented.emv.as_deref(), Some("9c0100"));
        // The initial key is gone from the disk, and a new start goes on where this one was.
        let text = fs::read_to_string(&vault.path).unwrap();
        assert!(!text.to_uppercase().contains("6AC292FAA1315B4D"), "{text}");
        let again = Vault::new(vault.path.to_str().unwrap()).take(true).unwrap();
        let again = seal(&ClearCard { pin: None, ..card() }, again).unwrap();
        assert_eq!(again.presented.ksn, "FFFF9876543210E00003");
        assert!(again.presented.pin.is_none());
    }

    #[test]
    fn without_keys_no_card_is_taken_and_the_reason_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let told = |mut vault: Vault| vault.check().unwrap_err().to_string();
        assert!(told(Vault::new("")).contains("peripherals.card_reader_keys"));
        assert!(told(Vault::new("/nowhere/keys.json")).contains("no file of keys at /nowhere"));
        for text in ["", "{}", r#"{"data":{"ksn":"FFFF9876543210E00000","key":"6AC2"}}"#] {
            assert!(told(vault(&folder, text)).contains("is no file of keys"), "{text}");
        }
        let mut only_data =
            vault(&folder, r#"{"data":{"ksn":"FFFF9876543210E00000","key":"6AC292FAA1315B4D858AB3A3D7D5933A"}}"#);
        assert_eq!(only_data.check().map(|checked| checked.has_pin_key), Ok(false));
        assert!(only_data.take(true).is_err());
        assert!(seal(&card(), only_data.take(false).unwrap()).is_err(), "a PIN goes encrypted or not at all");
        fs::set_permissions(&only_data.path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(told(only_data).contains("chmod 0600"));
    }

    /// Configuration management lays the initial file down again, or a backup is put back.
    #[test]
    fn keys_from_before_are_refused_and_new_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let first = vault(&folder, KEYS);
        let before = fs::read(&first.path).unwrap();
        first.take(true).unwrap();
        let back = fs::read(&first.path).unwrap();
        first.take(false).unwrap();
        for older in [before, back] {
            fs::write(&first.path, older).unwrap();
            let mut again = Vault::new(first.path.to_str().unwrap());
            let told = again.check().unwrap_err().to_string();
            assert!(told.contains("have new keys brought"), "{told}");
            assert!(again.take(true).is_err() && first.take(false).is_err());
        }
        let mut other = vault(&folder, &KEYS.replace("9876543210E0", "9876543220E0"));
        assert!(other.check().is_ok(), "another device's keys");
        assert_eq!(seal(&card(), other.take(true).unwrap()).unwrap().presented.ksn, "FFFF9876543220E00001");
    }

    #[test]
    fn an_initial_key_goes_from_the_disk_before_the_first_card() {
        let folder = tempfile::tempdir().unwrap();
        let vault = vault(&folder, KEYS);
        vault.take(true).unwrap();
        let text = fs::read_to_string(&vault.path).unwrap();
        assert!(!text.to_uppercase().contains("6AC292FAA1315B4D"), "{text}");
    }

    /// Somebody else's old look, written back, would bring a key a second time, or take the file from the agent.
    #[test]
    fn a_look_leaves_the_keys_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let mut vault = vault(&folder, KEYS);
        let before = fs::metadata(&vault.path).unwrap();
        vault.check().unwrap();
        let after = fs::metadata(&vault.path).unwrap();
        assert_eq!((fs::read_to_string(&vault.path).unwrap(), after.ino()), (KEYS.to_owned(), before.ino()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside them");
    }

    /// What is in the way also stands before the superuser, whom no mode stops.
    #[test]
    fn where_the_keys_cannot_be_written_no_card_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut vault = vault(&folder, KEYS);
        let probe = format!("card-keys.json.probe-{}", std::process::id());
        fs::create_dir(folder.path().join(probe)).unwrap();
        fs::create_dir(folder.path().join("card-keys.new")).unwrap();
        assert!(vault.check().unwrap_err().to_string().contains("read or write"));
        assert!(vault.take(true).is_err());
    }

    #[test]
    fn keys_that_are_used_up_are_told_before_a_card_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        // All of 21 bits but one: no counter with ten ones or fewer follows.
        let keys = ["null"; 21].join(",");
        let mut vault = vault(&folder, &format!(r#"{{"data":{{"ksn":"FFFF9876543210FFFFFE","future":[{keys}]}}}}"#));
        assert!(vault.check().unwrap_err().to_string().contains("used up"));
        assert!(vault.take(false).is_err());
    }

    #[test]
    fn pin_blocks_are_those_of_the_standard() {
        for (pin, number, block) in [
            ("1234", "43219876543210987", Some("0412ac89abcdef67")),
            ("92389", "4000001234562000", Some("0592389edcba9dff")),
            ("123", "4000001234562000", None),
            ("12345678901234", "4000001234562000", None),
            ("12a4", "4000001234562000", None),
            ("1234", "400000", None),
        ] {
            assert_eq!(pin_block(pin, number).map(|block| hex::encode(*block)).as_deref(), block, "{pin} {number}");
        }
    }
}
