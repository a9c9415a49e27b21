//! The driver for PC/SC against PC/SC Lite's own service, in a room of its own: a namespace in which `/run` is a folder of the test.
//! Its reader is `vpcd`, which takes a card over TCP; the card is ours, made of software.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use saoma_edge::{
    config::PeripheralsConfig,
    emv::applet::{Applet, Profile},
    peripherals::{
        PeripheralState,
        card_reader::{Attendant, CardReader, CardSale, CardStep, CardTrouble, CardWay, NoCard, pcsc},
        registry,
    },
};
use saoma_protocol::{Amount, Currency, Millis, Sequence, api::CardEntry};

const PATIENCE: Duration = Duration::from_secs(20);
const DRIVER: &str = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";
const KEYS: &str = r#"{"data":{"ksn":"FFFF9876543210E00000","key":"6AC292FAA1315B4D858AB3A3D7D5933A"}}"#;

fn waits_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The service with its reader.
struct Service {
    folder: tempfile::TempDir,
    port: u16,
    process: Option<Child>,
}

impl Service {
    fn open() -> Self {
        assert!(Path::new(DRIVER).exists(), "are Debian's packages pcscd and vsmartcard-vpcd installed?");
        // The driver takes a second port for a second slot.
        let is_free = |port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok();
        let port = loop {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let step = NEXT.fetch_add(1, Ordering::Relaxed);
            // Below the ports of outgoing connections, and above those of the tests' core.
            let port = u16::try_from(30_000 + 2 * ((std::process::id() * 17 + step) % 1_300)).unwrap();
            if is_free(port) && is_free(port + 1) {
                break port;
            }
        };
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("pcscd")).unwrap();
        let reader =
            format!("FRIENDLYNAME \"Test\"\nDEVICENAME /dev/null:{port}\nLIBPATH {DRIVER}\nCHANNELID {port}\n");
        fs::write(folder.path().join("reader.conf"), reader).unwrap();
        let keys = folder.path().join("card-keys.json");
        fs::write(&keys, KEYS).unwrap();
        fs::set_permissions(&keys, fs::Permissions::from_mode(0o600)).unwrap();
        let mut service = Self { folder, port, process: None };
        service.start();
        service
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("pcscd/pcscd.comm")
    }

    fn start(&mut self) {
        let script = "mount --bind \"$1\" /run && exec pcscd --foreground --config \"$1/reader.conf\"";
        let process = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"])
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .spawn();
        self.process = Some(process.unwrap());
        waits_for("the service", || self.socket().exists());
    }

    fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        // What was killed does not tidy up.
        for file in ["pcscd.comm", "pcscd.pid"] {
            let _ = fs::remove_file(self.folder.path().join("pcscd").join(file));
        }
    }

    fn reader(&self, name: &str) -> Box<CardReader> {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let config = PeripheralsConfig {
            card_reader: "pcsc".to_owned(),
            card_reader_device: name.to_owned(),
            card_reader_service: text(self.socket()),
            card_reader_keys: text(self.folder.path().join("card-keys.json")),
            ..PeripheralsConfig::default()
        };
        registry::open(&config).unwrap().card_reader.unwrap()
    }

    /// Puts a card in; it is taken out after so many commands, or when this is shut.
    fn insert(&self, profile: Profile, commands_max: usize) -> TcpStream {
        let card = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        let mut answers = card.try_clone().unwrap();
        let mut applet = Applet::new(profile);
        thread::spawn(move || {
            let mut left = commands_max;
            while let Some(told) = message(&mut answers) {
                let answer = match told.as_slice() {
                    // Off, on, reset; what it says when it is switched on.
                    [0..=2] => {
                        applet.reset();
                        continue;
                    }
                    [4] => applet.answer_to_reset().to_vec(),
                    _ if left == 0 => break,
                    command => {
                        left -= 1;
                        applet.answer(command)
                    }
                };
                let len = u16::try_from(answer.len()).unwrap().to_be_bytes();
                if answers.write_all(&[len.as_slice(), &answer].concat()).is_err() {
                    break;
                }
            }
            let _ = answers.shutdown(Shutdown::Both);
        });
        card
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.stop();
        }
    }
}

fn message(line: &mut TcpStream) -> Option<Vec<u8>> {
    let mut len = [0; 2];
    line.read_exact(&mut len).ok()?;
    let mut told = vec![0; usize::from(u16::from_be_bytes(len))];
    line.read_exact(&mut told).ok()?;
    Some(told)
}

/// Notes what it hears, and does something at each step; cancels once it was told to.
struct Notes<'a> {
    heard: Vec<(CardStep, Option<CardTrouble>)>,
    is_cancelled: AtomicBool,
    at: &'a mut dyn FnMut(CardStep, Option<CardTrouble>) -> bool,
}

impl Attendant for Notes<'_> {
    fn tell(&mut self, step: CardStep, trouble: Option<CardTrouble>) {
        self.heard.push((step, trouble));
        if (self.at)(step, trouble) {
            self.is_cancelled.store(true, Ordering::SeqCst);
        }
    }

    fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::SeqCst)
    }
}

fn sale() -> CardSale {
    CardSale {
        amount: Amount::new(1_250, Currency::CNY).unwrap(),
        at: Millis(1_795_809_609_000),
        utc_offset_minutes: 480,
        counter: Sequence(7),
        way: CardWay::Online,
    }
}

#[test]
fn readers_are_found_by_asking_the_service() {
    let mut service = Service::open();
    let socket = service.socket().to_str().unwrap().to_owned();
    waits_for("its reader", || pcsc::readers(&socket).iter().any(|name| name.contains("Test")));
    service.stop();
    assert_eq!(pcsc::readers(&socket), [] as [String; 0], "without it there are none");
}

#[test]
fn a_chip_is_read_through_the_service_by_either_protocol() {
    let service = Service::open();
    let mut reader = service.reader("Test");
    for t0 in [false, true] {
        let mut cards = Vec::new();
        let mut at = |step, _| {
            if step == CardStep::Present && cards.is_empty() {
                cards.push(service.insert(Profile { t0, ..Profile::default() }, usize::MAX));
            }
            false
        };
        let mut notes = Notes { heard: Vec::new(), is_cancelled: AtomicBool::default(), at: &mut at };
        let card = reader.read(&sale(), &mut notes).unwrap();
        let heard: Vec<_> = notes.heard.iter().map(|(step, _)| *step).collect();
        assert_eq!(heard, [CardStep::Present, CardStep::Reading, CardStep::Remove], "T=0: {t0}");
        assert_eq!((card.presented.entry, card.shown.masked.as_str()), (CardEntry::Chip, "622848*********0018"));
        let emv = card.presented.emv.unwrap();
        assert!(emv.contains("9f0206000000001250") && emv.contains("9f270180"), "{emv}");
        assert!(reader.self_test().unwrap().contains("a card is in it"));
        cards[0].shutdown(Shutdown::Both).unwrap();
        waits_for("the card to be out", || reader.self_test().unwrap().contains("no card is in it"));
    }
}

/// The virtual reader takes no other card once one has gone in the middle of a command, so that there is none after it here.
#[test]
fn a_card_that_is_taken_out_too_early_is_told_of() {
    let service = Service::open();
    let mut reader = service.reader("");
    let mut cards = Vec::new();
    let mut at = |step, trouble: Option<CardTrouble>| {
        if step == CardStep::Present && cards.is_empty() {
            // Directory, its record and end, selection; the fifth command finds none.
            cards.push(service.insert(Profile::default(), 4));
        }
        trouble.is_some()
    };
    let mut notes = Notes { heard: Vec::new(), is_cancelled: AtomicBool::default(), at: &mut at };
    assert_eq!(reader.read(&sale(), &mut notes), Err(NoCard::Cancelled), "the cashier gave up");
    assert_eq!(notes.heard.last(), Some(&(CardStep::Present, Some(CardTrouble::TakenOut))));
}

#[test]
fn a_service_that_is_away_is_told_of_and_found_again() {
    let mut service = Service::open();
    let mut reader = service.reader("");
    assert_eq!(reader.health().state, PeripheralState::Ok, "{:?}", reader.health());
    let other = service.reader("of another maker").health();
    assert!(other.state == PeripheralState::Failed && other.detail.contains("does not see it"), "{other:?}");
    service.stop();
    let gone = reader.health();
    assert_eq!(gone.state, PeripheralState::Failed);
    assert!(gone.detail.contains("pcscd.comm cannot be reached"), "{}", gone.detail);
    service.start();
    waits_for("the reader", || reader.health().state == PeripheralState::Ok);
}
