//! The speaker: programs in the place of engine and player, the real engine, and what a till says of its sales.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use saoma_edge::{
    config::SpeakerLanguage,
    peripherals::{
        PeripheralError, PeripheralState, Speaker,
        speaker::{
            Language, Program,
            espeak::{Espeak, Speech, engine},
            tones::{Player, Tones},
            words::received,
        },
    },
};
use saoma_protocol::{Currency, Money};
use serde_json::json;

use crate::{
    core::GOOD_CODE,
    shop::{Shop, fresh_key, nothing, number, until},
};

const AMOUNT: Money = Money::new(2_350, Currency::CNY);

/// A program that does what the shell's `lines` say, in `$dir`.
fn program(folder: &Path, name: &str, lines: &str) -> Program {
    let path = folder.join(name);
    // Renamed into place: a file that is open for writing cannot be run.
    let draft = folder.join(format!("{name}.new"));
    fs::write(&draft, format!("#!/bin/sh\ndir='{}'\n{lines}\n", folder.display())).unwrap();
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&draft, &path).unwrap();
    Program { name: path.to_str().unwrap().to_owned(), package: "a-package" }
}

/// Each argument on a line of its own, then what came in.
const PLAYS: &str = r#"printf '%s\n' "$@" >> "$dir/played"; cat >> "$dir/played"; echo . >> "$dir/played""#;
const SPEAKS: &str = r#"printf '%s\n' "$@" >> "$dir/spoken"; echo . >> "$dir/spoken"; echo sound"#;

fn speech(languages: SpeakerLanguage) -> Speech {
    Speech { languages, voice_zh: "cmn-latn-pinyin".to_owned(), voice_en: "en".to_owned(), volume: 80 }
}

fn player(folder: &Path, lines: &str) -> Player {
    Player { program: program(folder, "player", lines), device: "plughw:1".to_owned() }
}

fn text(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_default()
}

#[test]
fn the_engine_speaks_each_language_and_the_player_plays_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut speaker =
        Espeak::new(program(folder, "engine", SPEAKS), player(folder, PLAYS), speech(SpeakerLanguage::Both));
    assert_eq!(speaker.health().state, PeripheralState::Ok);
    speaker.announce(AMOUNT).unwrap();
    let spoken = "--stdout\n-a\n160\n-v\ncmn-latn-pinyin\n--\n收款二十三元五角\n.\n\
                  --stdout\n-a\n160\n-v\nen\n--\nReceived twenty-three yuan and fifty fen\n.\n";
    assert_eq!(text(folder, "spoken"), spoken);
    assert_eq!(text(folder, "played"), "-q\n-D\nplughw:1\nsound\n.\n".repeat(2));
    assert!(speaker.self_test().unwrap().contains("声音测试, Speaker test"));
}

#[test]
fn a_device_that_fails_is_a_state_until_it_works_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut speaker =
        Espeak::new(program(folder, "engine", SPEAKS), player(folder, "exit 1"), speech(SpeakerLanguage::Zh));
    let error = speaker.announce(AMOUNT).unwrap_err();
    assert!(matches!(&error, PeripheralError::Unreachable { why, .. } if why.contains("player")), "{error}");
    let health = speaker.health();
    assert_eq!((health.state, health.detail), (PeripheralState::Failed, error.to_string()));
    program(folder, "player", PLAYS);
    speaker.announce(AMOUNT).unwrap();
    assert_eq!(speaker.health().state, PeripheralState::Ok);
    // The engine's own mistake is told as that, although the player has nothing to play then.
    program(folder, "engine", "exit 3");
    program(folder, "player", "cat > /dev/null; exit 1");
    let error = speaker.announce(AMOUNT).unwrap_err();
    assert!(matches!(&error, PeripheralError::Unreachable { why, .. } if why.contains("engine")), "{error}");
}

#[test]
fn a_device_that_hangs_is_given_up_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let hangs = r#"sleep 600 & echo $! > "$dir/started"; wait"#;
    let mut speaker =
        Espeak::new(program(folder, "engine", SPEAKS), player(folder, hangs), speech(SpeakerLanguage::Zh));
    let began = Instant::now();
    let error = speaker.announce(AMOUNT).unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(12));
    assert!(matches!(&error, PeripheralError::Unreachable { why, .. } if why.contains("within 8 seconds")), "{error}");
    assert_eq!(speaker.health().state, PeripheralState::Failed);
    let started = format!("/proc/{}/stat", text(folder, "started").trim());
    let deadline = Instant::now() + Duration::from_secs(5);
    // Ended, or ended and not yet collected by whoever took it over.
    while fs::read_to_string(&started).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < deadline, "it goes on in the background");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn without_an_engine_it_chimes_and_without_a_player_it_says_what_to_install() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let missing = |name: &str| Program { name: folder.join(name).to_str().unwrap().to_owned(), package: "a-package" };
    let mut chimes = Espeak::new(missing("engine"), player(folder, PLAYS), speech(SpeakerLanguage::Zh));
    let health = chimes.health();
    assert_eq!(health.state, PeripheralState::Warning);
    assert!(health.detail.contains("install Debian's package a-package"), "{}", health.detail);
    chimes.announce(AMOUNT).unwrap();
    let played = fs::read(folder.join("played")).unwrap();
    let arguments = b"-q\n-t\nraw\n-f\nS16_LE\n-c\n1\n-r\n16000\n-D\nplughw:1\n";
    assert!(played.starts_with(arguments));
    // Half a second of sound.
    assert_eq!(played.len(), arguments.len() + 16_000 + 2);

    let mute = Player { program: missing("nothing"), device: String::new() };
    let mut silent = Tones::new(mute.clone(), 80);
    for speaker in [&mut silent as &mut dyn Speaker, &mut Espeak::new(engine(), mute, speech(SpeakerLanguage::Zh))] {
        let health = speaker.health();
        assert_eq!(health.state, PeripheralState::Failed);
        assert!(health.detail.contains("install Debian's package a-package"), "{}", health.detail);
        assert!(matches!(speaker.announce(AMOUNT), Err(PeripheralError::Unable { .. })));
    }
}

#[test]
fn the_real_engine_says_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let player = Player { program: program(folder, "player", r#"cat > "$dir/played""#), device: String::new() };
    let mut speaker = Espeak::new(engine(), player, speech(SpeakerLanguage::Zh));
    assert_eq!(speaker.health().state, PeripheralState::Ok, "is espeak-ng installed?");
    speaker.announce(AMOUNT).unwrap();
    let wave = fs::read(folder.join("played")).unwrap();
    assert!(wave.starts_with(b"RIFF") && &wave[8..12] == b"WAVE");
    // More than a second at 22050 samples of two bytes each, and not of silence.
    assert!(wave.len() > 44_100, "{} bytes", wave.len());
    assert!(wave[44..].chunks_exact(2).any(|pair| i16::from_le_bytes([pair[0], pair[1]]).abs() > 2_000));
}

/// Every character is read in Mandarin: a voice that falls back to English says so in its phonemes.
#[test]
fn the_chinese_voice_reads_every_amount_as_chinese() {
    let amounts = [1, 55, 105, 2_350, 1_000_005, 10_125, 123_456_789_012];
    let mut sentences: Vec<String> =
        amounts.iter().map(|minor| received(Language::Zh, Money::new(*minor, Currency::CNY)).text).collect();
    sentences.extend(Currency::all().map(|currency| received(Language::Zh, Money::new(1_234, currency)).text));
    for text in sentences {
        let voice = speech(SpeakerLanguage::Zh).voice_zh;
        let output = Command::new("espeak-ng").args(["-q", "-x", "-v", &voice, "--", &text]).output().unwrap();
        let phonemes = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success() && !phonemes.trim().is_empty() && !phonemes.contains("(en)"),
            "{text}: {phonemes}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_till_says_what_it_received_when_it_did() {
    let shop = Shop::open_with(|config, folder| {
        config.peripherals.speaker = "simulated".to_owned();
        config.peripherals.speaker_device = folder.join("said").to_str().unwrap().to_owned();
        config.peripherals.speaker_language = SpeakerLanguage::Both;
    })
    .await;
    let folder = shop.folder.path();
    let said = async |lines: &str| {
        until(lines, async || (text(folder, "said") == lines).then_some(())).await;
    };
    shop.till.sell(json!({"amount_minor": 1250, "method": "cash", "tendered_minor": 2000})).await;
    let cash = "收款十二元五角\nReceived twelve yuan and fifty fen\n";
    said(cash).await;

    let declined =
        number(&shop.till.sell(json!({"amount_minor": 100, "method": "scan", "code": "289999999999"})).await);
    shop.till.sees(declined, "state", "failed").await;
    let shown = number(&shop.till.sell(json!({"amount_minor": 200, "method": "code"})).await);
    shop.till.sees(shown, "state", "presenting").await;
    // The self-test comes behind everything that was said by now.
    let test = "声音测试\nSpeaker test\n";
    let tested = shop.till.post("/api/peripherals/speaker/self-test", &nothing(), &fresh_key()).await;
    assert!(tested.status.is_success(), "{}", tested.body);
    assert_eq!(text(folder, "said"), format!("{cash}{test}"), "nothing was received since");

    shop.core.customer_pays(shown);
    shop.till.sees(shown, "state", "succeeded").await;
    let code = "收款二元\nReceived two yuan\n";
    said(&format!("{cash}{test}{code}")).await;

    // Asked again and given back: neither is received.
    shop.till.press(shown, "query", nothing()).await;
    shop.till.press(shown, "refund", json!({"amount_minor": 50})).await;
    let scanned = number(&shop.till.sell(json!({"amount_minor": 5, "method": "scan", "code": GOOD_CODE})).await);
    shop.till.sees(scanned, "state", "succeeded").await;
    said(&format!("{cash}{test}{code}收款五分\nReceived five fen\n")).await;
}
