use proptest::prelude::*;
use saoma_protocol::{Amount, Currency, Millis, Sequence};

use super::*;
use crate::emv::{
    apdu::Gone,
    applet::{Applet, Profile as CardProfile},
};

/// Answers each question for a PIN like this, and counts them.
struct Says(PinKeyed, usize);

impl Holder for Says {
    fn key_pin(&mut self) -> PinKeyed {
        self.1 += 1;
        self.0
    }
}

fn purchase() -> Purchase {
    Purchase {
        amount: Amount::new(1250, Currency::CNY).unwrap(),
        // 2026-11-27
        at: Millis(1_795_809_609_000),
        utc_offset_minutes: 480,
        counter: Sequence(7),
        unpredictable: [0x11, 0x22, 0x33, 0x44],
    }
}

fn terminal(has_pin_pad: bool) -> Terminal {
    Terminal { country: 156, has_pin_pad, has_stripe: true }
}

fn pays(profile: CardProfile, pad: Option<PinKeyed>) -> Result<ChipRead, ChipFault> {
    let mut holder = Says(pad.unwrap_or(PinKeyed::PadFailed), 0);
    pay(&mut Applet::new(profile), &terminal(pad.is_some()), &purchase(), &mut holder)
}

fn object_of(read: &ChipRead, tag: u32) -> String {
    hex::encode(within(&read.acquirer_data, &[tag]).unwrap_or_default())
}

#[test]
fn a_card_is_read_and_asks_its_issuer() {
    for t0 in [false, true] {
        for has_directory in [true, false] {
            let read =
                pays(CardProfile { t0, has_directory, ..CardProfile::default() }, Some(PinKeyed::Keyed)).unwrap();
            assert_eq!(read.number.as_str(), "6228480402564890018");
            assert_eq!((read.expiry.as_str(), read.sequence_number), ("3012", Some(1)));
            assert_eq!(read.track_2.as_ref().unwrap().as_str(), "6228480402564890018=30122010000000");
            assert_eq!((read.label.as_str(), hex::encode(&read.aid).as_str()), ("UnionPay Debit", "a000000333010101"));
            for (tag, value) in [
                (0x9f27, "80"),
                (0x9f36, "0001"),
                (0x9f02, "000000001250"),
                (0x9f37, "11223344"),
                // Not authenticated here; a PIN goes online; above the floor limit of 0.
                (0x95, "8000048000"),
                (0x9f34, "420300"),
                (0x84, "a000000333010101"),
            ] {
                assert_eq!(object_of(&read, tag), value, "{tag:x}");
            }
            assert_eq!(object_of(&read, 0x9f26).len(), 16);
            assert!(!hex::encode(&read.acquirer_data).contains("6228480402564890018"), "no number goes in the clear");
            for kept in [0x5a, 0x57, 0x5f20] {
                assert_eq!(object_of(&read, kept), "", "{kept:x}");
            }
            assert_eq!(format!("{read:?}"), "a chip that was read");
        }
    }
}

#[test]
fn the_holder_is_verified_as_the_card_wants() {
    let rules = |rules: &str| hex::decode(format!("0000000000000000{rules}")).unwrap();
    for (list, pad, results, verified, signs) in [
        ("42035E031F00", Some(PinKeyed::Keyed), "8000048000", "420300", false),
        ("42035E031F00", Some(PinKeyed::Bypassed), "8000088000", "5e0300", true),
        ("42035E031F00", Some(PinKeyed::PadFailed), "8000108000", "5e0300", true),
        ("42035E031F00", None, "8000008000", "5e0300", true),
        ("0200", None, "8000908000", "020001", false),
        ("0200", Some(PinKeyed::Bypassed), "8000888000", "020001", false),
        ("1F00", None, "8000008000", "1f0002", false),
        ("0900", None, "8000c08000", "090001", false),
        ("", None, "8000808000", "3f0001", false),
    ] {
        let profile = CardProfile { verification: rules(list), ..CardProfile::default() };
        let read = pays(profile, pad).unwrap();
        let told = (object_of(&read, 0x95), object_of(&read, 0x9f34), read.wants_signature);
        assert_eq!(told, (results.to_owned(), verified.to_owned(), signs), "{list} {pad:?}");
    }
    let cancelled = pays(CardProfile::default(), Some(PinKeyed::Cancelled));
    assert_eq!(cancelled.map(|_| ()), Err(ChipFault::Cancelled));
}

#[test]
fn what_no_terminal_takes_is_refused() {
    let default = CardProfile::default;
    for (profile, fault) in [
        (CardProfile { decision: 0x00, ..default() }, ChipFault::Declined),
        (CardProfile { decision: 0x40, ..default() }, ChipFault::Odd("it answers another question")),
        (CardProfile { aid: vec![0xa0, 0, 0, 0, 0x99, 0x10, 0x10], ..default() }, ChipFault::NotAccepted),
        // Nobody can be asked.
        (CardProfile { priority: 0x81, ..default() }, ChipFault::NotAccepted),
        (CardProfile { number: String::new(), ..default() }, ChipFault::Unreadable("its digits are none")),
    ] {
        assert_eq!(pays(profile.clone(), Some(PinKeyed::Keyed)).map(|_| ()), Err(fault), "{profile:?}");
    }
    let old = pays(CardProfile { expiry: "200131".to_owned(), ..default() }, Some(PinKeyed::Keyed)).unwrap();
    assert_eq!(object_of(&old, 0x95), "8040048000", "the issuer hears that it is over");
}

/// A card that is taken out after so many commands, or says something else from then on.
struct Spoiled {
    card: Applet,
    good: usize,
    then: Option<Vec<u8>>,
}

impl Card for Spoiled {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, Gone> {
        if self.good == 0 {
            return self.then.clone().map(Zeroizing::new).ok_or(Gone);
        }
        self.good -= 1;
        self.card.transmit(command)
    }
    fn is_t0(&self) -> bool {
        false
    }
}

fn spoiled(good: usize, then: Option<Vec<u8>>) -> Result<ChipRead, ChipFault> {
    let mut card = Spoiled { card: Applet::new(CardProfile::default()), good, then };
    pay(&mut card, &terminal(true), &purchase(), &mut Says(PinKeyed::Keyed, 0))
}

#[test]
fn a_card_that_is_taken_out_has_decided_nothing() {
    // Directory, its record and end, selection, profile, two records, cryptogram.
    for good in 0..8 {
        assert_eq!(spoiled(good, None).map(|_| ()), Err(ChipFault::Gone), "after {good} commands");
    }
    assert!(spoiled(8, None).is_ok());
}

/// Blocked, and deaf to the question for a next application.
struct Stubborn;

impl Card for Stubborn {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, Gone> {
        let mut answer = Vec::new();
        if command.starts_with(&[0x00, 0xa4, 0x04]) && command[5..].starts_with(&[0xa0, 0, 0, 0, 3]) {
            let mut inner = Vec::new();
            tlv::write(0x84, &[0xa0, 0, 0, 0, 3, 0x10, 0x10, 1], &mut inner);
            tlv::write(0x6f, &inner, &mut answer);
            answer.extend([0x62, 0x83]);
        } else {
            answer.extend([0x6a, 0x82]);
        }
        Ok(Zeroizing::new(answer))
    }
    fn is_t0(&self) -> bool {
        false
    }
}

#[test]
fn a_card_that_names_the_same_application_for_ever_is_not_listened_to_for_ever() {
    let told = pay(&mut Stubborn, &terminal(true), &purchase(), &mut Says(PinKeyed::Keyed, 0));
    assert_eq!(told.map(|_| ()), Err(ChipFault::NotAccepted));
}

#[test]
fn a_stripe_stands_in_only_for_what_could_not_be_read() {
    // No answer at all, from the first command on; the eighth asks for the cryptogram.
    for good in 0..8 {
        let fault = spoiled(good, Some(Vec::new())).map(|_| ()).unwrap_err();
        assert_eq!(matches!(fault, ChipFault::Unreadable(_)), good < 7, "after {good} commands: {fault}");
        assert_eq!(matches!(fault, ChipFault::Odd(_)), good == 7, "after {good} commands: {fault}");
    }
}

proptest! {
    #[test]
    fn whatever_a_card_says_is_no_panic(good in 0_usize..8, then in prop::collection::vec(any::<u8>(), 0..60), done: bool) {
        let then = if done { [then, vec![0x90, 0x00]].concat() } else { then };
        let _ = spoiled(good, Some(then));
    }
}
