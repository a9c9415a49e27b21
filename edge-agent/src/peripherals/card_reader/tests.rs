use std::{
    collections::VecDeque,
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::{Arc, Mutex},
};

use saoma_protocol::Currency;

use super::*;
use crate::{
    emv::{
        apdu::Gone,
        applet::{Applet, Profile},
    },
    peripherals::Scanner,
};

const KEYS: &str = r#"{"data":{"ksn":"FFFF9876543210E00000","key":"6AC292FAA1315B4D858AB3A3D7D5933A"}}"#;
const STRIPE: &str = ";6228480402564890018=30122010000012345?";
const OLD_STRIPE: &str = ";6228480402564890018=30121010000012345?";

/// What is before the reader; a test does things to it at each step.
#[derive(Default)]
struct Before {
    card: Option<Applet>,
    /// Commands that the card answers yet.
    good: Option<usize>,
    is_mute: bool,
    swipes: VecDeque<&'static str>,
    slot_broken: bool,
    slit_broken: bool,
    /// The slot misses its card this often.
    bounces: usize,
    heard: usize,
}

#[derive(Clone, Default)]
struct Bench(Arc<Mutex<Before>>);

impl Bench {
    fn does<T>(&self, does: impl FnOnce(&mut Before) -> T) -> T {
        does(&mut self.0.lock().unwrap())
    }

    fn insert(&self) {
        self.does(|before| before.card = Some(Applet::new(Profile::default())));
    }
}

fn broken() -> PeripheralError {
    PeripheralError::Unreachable { device: "a part".to_owned(), why: "pulled out".to_owned() }
}

impl Slot for Bench {
    fn is_there(&mut self) -> Result<bool, PeripheralError> {
        self.does(|before| {
            if before.slot_broken {
                return Err(broken());
            }
            if before.bounces > 0 {
                before.bounces -= 1;
                return Ok(false);
            }
            Ok(before.card.is_some())
        })
    }

    fn power_up(&mut self) -> Result<Box<dyn Card + '_>, PeripheralError> {
        if self.does(|before| before.is_mute) {
            return Err(PeripheralError::Unable { device: "a slot".to_owned(), why: "no answer".to_owned() });
        }
        self.does(|before| before.card.as_mut().map(Applet::reset));
        Ok(Box::new(self.clone()))
    }

    fn power_down(&mut self) {}
}

impl Card for Bench {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, Gone> {
        self.does(|before| {
            before.heard += 1;
            if before.good == Some(0) {
                return Ok(Zeroizing::new(Vec::new()));
            }
            before.good = before.good.map(|good| good - 1);
            before.card.as_mut().map(|card| Zeroizing::new(card.answer(command))).ok_or(Gone)
        })
    }

    fn is_t0(&self) -> bool {
        false
    }
}

impl Scanner for Bench {
    fn driver(&self) -> &'static str {
        "bench"
    }

    fn read(&mut self, _: Duration) -> Result<Option<String>, PeripheralError> {
        self.does(
            |before| {
                if before.slit_broken { Err(broken()) } else { Ok(before.swipes.pop_front().map(str::to_owned)) }
            },
        )
    }

    fn health(&mut self) -> PeripheralHealth {
        let state = if self.does(|before| before.slit_broken) { PeripheralState::Failed } else { PeripheralState::Ok };
        health("card_reader", "bench", state, "pulled out")
    }

    fn self_test(&mut self) -> Result<String, PeripheralError> {
        Ok(String::new())
    }
}

/// Does something at each step; cancels once that says so. Its patience ends, so that no test waits for ever.
struct Hand<'a> {
    heard: Vec<(CardStep, Option<CardTrouble>)>,
    is_cancelled: bool,
    until: Instant,
    at: &'a mut dyn FnMut(CardStep, Option<CardTrouble>) -> bool,
}

impl Attendant for Hand<'_> {
    fn tell(&mut self, step: CardStep, trouble: Option<CardTrouble>) {
        self.heard.push((step, trouble));
        self.is_cancelled |= (self.at)(step, trouble);
    }

    fn is_cancelled(&self) -> bool {
        self.is_cancelled || Instant::now() >= self.until
    }
}

struct Room {
    bench: Bench,
    reader: CardReader,
    way: CardWay,
    _folder: tempfile::TempDir,
}

fn room() -> Room {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("card-keys.json");
    fs::write(&path, KEYS).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let bench = Bench::default();
    let mut reader = CardReader::new("bench", Vault::new(path.to_str().unwrap()), 156);
    reader.slot = Some(Box::new(bench.clone()));
    reader.swipes = Some(Swipes::new(Box::new(bench.clone())));
    Room { bench, reader, way: CardWay::Online, _folder: folder }
}

impl Room {
    /// What came of it, and what was heard.
    #[expect(clippy::type_complexity, reason = "both are compared whole")]
    fn sells(
        &mut self,
        mut at: impl FnMut(&Bench, CardStep, Option<CardTrouble>) -> bool,
    ) -> (Result<CardEntry, NoCard>, Vec<(CardStep, Option<CardTrouble>)>) {
        let sale = CardSale {
            amount: Amount::new(1_250, Currency::CNY).unwrap(),
            at: Millis(1_795_809_609_000),
            utc_offset_minutes: 480,
            counter: Sequence(7),
            way: self.way,
        };
        let bench = self.bench.clone();
        let mut at = |step, trouble| at(&bench, step, trouble);
        let until = Instant::now() + Duration::from_secs(20);
        let mut hand = Hand { heard: Vec::new(), is_cancelled: false, until, at: &mut at };
        let read = self.reader.read(&sale, &mut hand).map(|card| card.presented.entry);
        (read, hand.heard)
    }
}

use CardStep::{Present, Reading, Remove, Swipe};

/// It may have paid a sale of the run before: the driver is new, the card is not.
#[test]
fn a_card_that_was_in_the_slot_before_the_driver_pays_nothing_until_it_was_taken_out() {
    let mut room = room();
    room.bench.insert();
    let (read, heard) = room.sells(|bench, step, _| {
        match step {
            Remove => bench.does(|before| before.card = None),
            Present => bench.insert(),
            _ => {}
        }
        false
    });
    assert_eq!(read, Ok(CardEntry::Chip));
    assert_eq!(heard.first(), Some(&(Remove, None)), "{heard:?}");
}

#[test]
fn a_slot_that_misses_its_card_for_a_moment_has_none_that_is_new() {
    let mut room = room();
    let (read, _) = room.sells(|bench, step, _| {
        if step == Present {
            bench.insert();
        }
        false
    });
    assert_eq!(read, Ok(CardEntry::Chip));
    // Missed by one look, as by the one of a service that was just started.
    room.bench.does(|before| before.bounces = 1);
    let (read, heard) = room.sells(|_, step, _| step == Remove);
    assert_eq!((read, heard), (Err(NoCard::Cancelled), vec![(Remove, None)]));
}

#[test]
fn a_dialogue_hears_a_cancel_and_asks_the_card_nothing_more() {
    let mut room = room();
    let (read, _) = room.sells(|bench, step, _| {
        if step == Present {
            bench.insert();
        }
        step == Reading
    });
    assert_eq!((read, room.bench.does(|before| before.heard)), (Err(NoCard::Cancelled), 0));
}

#[test]
fn a_stripe_stands_in_for_the_very_chip_that_could_not_be_read() {
    // No answer to reset, or none before the cryptogram is asked for.
    for (is_mute, good) in [(true, None), (false, Some(0)), (false, Some(6))] {
        let mut room = room();
        let (read, heard) = room.sells(|bench, step, trouble| {
            bench.does(|before| (before.is_mute, before.good) = (is_mute, good));
            match (step, trouble) {
                (Present, None) => bench.insert(),
                (Remove, Some(_)) => bench.does(|before| before.card = None),
                (Swipe, _) => bench.does(|before| before.swipes.push_back(STRIPE)),
                _ => {}
            }
            false
        });
        assert_eq!(read, Ok(CardEntry::Fallback), "{is_mute} {good:?} {heard:?}");
    }
}

#[test]
fn a_stripe_stands_in_for_no_chip_that_was_read() {
    let mut room = room();
    let (read, heard) = room.sells(|bench, step, trouble| {
        match (step, trouble) {
            (Present, None) => {
                // All but the cryptogram.
                bench.does(|before| before.good = Some(7));
                bench.insert();
            }
            (Remove, Some(_)) => bench.does(|before| before.card = None),
            (Present, Some(CardTrouble::ChipFailed)) => bench.does(|before| before.swipes.push_back(STRIPE)),
            _ => {}
        }
        trouble == Some(CardTrouble::UseChip)
    });
    assert_eq!(read, Err(NoCard::Cancelled));
    assert!(heard.contains(&(Present, Some(CardTrouble::UseChip))), "{heard:?}");
}

#[test]
fn another_chip_that_is_read_further_ends_the_stripes_turn() {
    let mut room = room();
    let (read, heard) = room.sells(|bench, step, trouble| {
        match (step, trouble) {
            (Present, None) => {
                bench.does(|before| before.is_mute = true);
                bench.insert();
            }
            (Remove, Some(_)) => bench.does(|before| before.card = None),
            (Swipe, _) => {
                let declines = Profile { decision: 0, ..Profile::default() };
                bench.does(|before| (before.is_mute, before.card) = (false, Some(Applet::new(declines))));
            }
            (Present, Some(CardTrouble::Declined)) => bench.does(|before| before.swipes.push_back(STRIPE)),
            _ => {}
        }
        trouble == Some(CardTrouble::UseChip)
    });
    assert_eq!(read, Err(NoCard::Cancelled));
    assert!(heard.contains(&(Present, Some(CardTrouble::UseChip))), "{heard:?}");
}

#[test]
fn what_works_reads_on_when_the_other_part_is_broken() {
    let mut room = room();
    assert_eq!(room.reader.health().state, PeripheralState::Ok);
    room.bench.does(|before| before.slit_broken = true);
    let (read, _) = room.sells(|bench, step, _| {
        if step == Present {
            bench.insert();
        }
        false
    });
    assert_eq!(read, Ok(CardEntry::Chip));
    let told = room.reader.health();
    assert_eq!(told.state, PeripheralState::Warning);
    assert!(told.detail.contains("reads chips alone"), "{}", told.detail);

    room.bench.does(|before| (before.slit_broken, before.slot_broken) = (false, true));
    let (read, _) = room.sells(|bench, step, _| {
        if step == Present {
            bench.does(|before| before.swipes.push_back(OLD_STRIPE));
        }
        false
    });
    assert_eq!(read, Ok(CardEntry::Swiped));
    let told = room.reader.health();
    assert_eq!(told.state, PeripheralState::Warning);
    assert!(told.detail.contains("reads stripes alone"), "{}", told.detail);

    room.bench.does(|before| before.slit_broken = true);
    assert!(matches!(room.sells(|_, _, _| false).0, Err(NoCard::Failed(_))));
    assert_eq!(room.reader.health().state, PeripheralState::Failed);
}

/// Core takes 13 to 19 digits, and fewer would be shown whole.
#[test]
fn a_number_that_is_none_of_a_card_is_not_taken() {
    for number in ["62284804", "62284804025648900181"] {
        let mut room = room();
        let (read, heard) = room.sells(|bench, step, trouble| {
            if step == Present {
                let profile = Profile { number: number.to_owned(), ..Profile::default() };
                bench.does(|before| before.card = Some(Applet::new(profile)));
            }
            trouble.is_some()
        });
        assert_eq!(read, Err(NoCard::Cancelled), "{number}");
        assert!(
            heard.iter().any(|(_, trouble)| matches!(
                trouble,
                Some(CardTrouble::NotAccepted | CardTrouble::ChipUnreadable | CardTrouble::ChipFailed)
            )),
            "{heard:?}"
        );
    }
}

/// A copied stripe of a chip card is told from the card by its issuer alone.
#[test]
fn a_reader_without_a_slot_sells_to_no_chip_cards_stripe_without_a_network() {
    for (way, stripe, reads) in [
        (CardWay::Online, STRIPE, true),
        (CardWay::Stored { stripe: true }, STRIPE, false),
        (CardWay::Stored { stripe: true }, OLD_STRIPE, true),
        (CardWay::Stored { stripe: false }, OLD_STRIPE, false),
    ] {
        let mut room = room();
        (room.way, room.reader.slot) = (way, None);
        let (read, heard) = room.sells(|bench, _, trouble| {
            if trouble.is_none() {
                bench.does(|before| before.swipes.push_back(stripe));
            }
            trouble.is_some()
        });
        assert_eq!(read.is_ok(), reads, "{way:?} {stripe} {heard:?}");
    }
}

/// By its own rules, and by its dates: without a network nobody else decides.
#[test]
fn a_card_that_needs_its_bank_is_read_with_a_network_alone() {
    let rules = |rules: &[u8]| [&[0; 8], rules].concat();
    for (verification, expiry, alone) in [
        // A signature where no PIN can be keyed; a PIN and nothing else; no rule at all; nothing is wanted; over.
        (rules(&[0x42, 0x03, 0x5e, 0x03, 0x1f, 0x00]), "301231", None),
        (rules(&[0x02, 0x00]), "301231", Some(CardTrouble::NeedsBank)),
        (rules(&[]), "301231", Some(CardTrouble::NeedsBank)),
        (rules(&[0x1f, 0x00]), "301231", None),
        (rules(&[0x1f, 0x00]), "260101", Some(CardTrouble::OutOfDate)),
    ] {
        for way in [CardWay::Online, CardWay::Stored { stripe: true }] {
            let mut room = room();
            room.way = way;
            let profile =
                Profile { verification: verification.clone(), expiry: expiry.to_owned(), ..Profile::default() };
            let (read, heard) = room.sells(|bench, step, trouble| {
                if (step, trouble) == (Present, None) {
                    bench.does(|before| before.card = Some(Applet::new(profile.clone())));
                }
                step == Remove && trouble.is_some()
            });
            let refused = if way == CardWay::Online { None } else { alone };
            assert_eq!(read.is_ok(), refused.is_none(), "{way:?} {verification:?} {heard:?}");
            assert!(refused.is_none() || heard.contains(&(Remove, refused)), "{heard:?}");
        }
    }
}
