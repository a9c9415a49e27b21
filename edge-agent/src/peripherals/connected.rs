//! What is plugged into the machine that a driver could be for, as udev and the kernel name it. Nothing is opened for it.
//!
//! A link under `by-id` names the device and not the order in which it was found, so it still stands after a restart. So do the
//! numbers of serial ports on the board, which have none, and the names of sound cards.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;

/// Most that is told of one kind: beyond that nobody chooses by eye.
const FOUND_MAX: usize = 32;

/// How a device is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bus {
    Serial,
    UsbPrinter,
    /// It types.
    Keyboard,
    /// A card that plays sound.
    Sound,
    /// It is had by the service of PC/SC.
    ChipReader,
    Network,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Connected {
    pub bus: Bus,
    /// What to set as the place.
    pub place: String,
    /// For people.
    pub name: String,
    /// The file behind the links, if it is one.
    #[serde(skip)]
    pub real: Option<PathBuf>,
}

impl Connected {
    /// What its place says all about.
    #[must_use]
    pub fn named(bus: Bus, place: String) -> Self {
        Self { bus, name: place.clone(), place, real: None }
    }
}

/// `root`: `/`.
#[must_use]
pub fn look(root: &Path) -> Vec<Connected> {
    let dev = root.join("dev");
    let mut all = found(Bus::Serial, &dev.join("serial/by-id"), "", "");
    all.extend(ports_on_the_board(root));
    all.extend(found(Bus::UsbPrinter, &dev.join("usb"), "lp", ""));
    all.extend(found(Bus::Keyboard, &dev.join("input/by-id"), "", "-event-kbd"));
    all.extend(sound_cards(&fs::read_to_string(root.join("proc/asound/pcm")).unwrap_or_default(), root));
    all
}

/// The names in a folder, in their order.
fn names(folder: &Path, start: &str, end: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| name.starts_with(start) && name.ends_with(end)).collect();
    names.sort_unstable();
    names.truncate(FOUND_MAX);
    names
}

fn found(bus: Bus, folder: &Path, start: &str, end: &str) -> Vec<Connected> {
    let one = |file: String| {
        let path = folder.join(&file);
        // A link to what was just pulled out leads nowhere.
        let real = fs::canonicalize(&path).ok()?;
        Some(Connected { bus, name: name_of(&file), place: path.to_str()?.to_owned(), real: Some(real) })
    };
    names(folder, start, end).into_iter().filter_map(one).collect()
}

/// Linux makes room for some ports whether or not the board has them; those that it has are of a known type.
fn ports_on_the_board(root: &Path) -> Vec<Connected> {
    let kept = root.join("sys/class/tty");
    let is_there = |name: &String| {
        let told = fs::read_to_string(kept.join(name).join("type")).unwrap_or_default();
        told.trim().parse().is_ok_and(|kind: u32| kind != 0)
    };
    let one = |name: String| {
        let path = root.join("dev").join(&name);
        let real = fs::canonicalize(&path).ok()?;
        Some(Connected { bus: Bus::Serial, place: path.to_str()?.to_owned(), name, real: Some(real) })
    };
    names(&kept, "ttyS", "").into_iter().filter(is_there).filter_map(one).collect()
}

/// `pcm`: `/proc/asound/pcm`, a line for each device: `00-03: its id : its name : playback 1 : capture 1`.
fn sound_cards(pcm: &str, root: &Path) -> Vec<Connected> {
    let one = |line: &str| {
        let (numbers, told) = line.split_once(": ")?;
        let name = told.split(" : ").nth(1)?;
        let (card, device) = numbers.split_once('-')?;
        let (card, device): (u32, u32) = (card.parse().ok()?, device.parse().ok()?);
        let id = fs::read_to_string(root.join(format!("proc/asound/card{card}/id"))).ok()?;
        let place = format!("plughw:CARD={},DEV={device}", id.trim());
        told.contains(" : playback ").then(|| Connected { bus: Bus::Sound, place, name: name.to_owned(), real: None })
    };
    pcm.lines().filter_map(one).take(FOUND_MAX).collect()
}

/// `usb-Honeywell_Scanner_123-if00-port0` → `Honeywell Scanner 123`.
fn name_of(file: &str) -> String {
    let name = file.strip_prefix("usb-").unwrap_or(file);
    let name = name.strip_suffix("-event-kbd").unwrap_or(name);
    let name = match name.rsplit_once("-if") {
        Some((before, part)) if part.starts_with(|first: char| first.is_ascii_digit()) => before,
        _ => name,
    };
    name.replace('_', " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_plugged_in_is_told_with_its_lasting_name() {
        let folder = tempfile::tempdir().unwrap();
        let (root, dev) = (folder.path(), &folder.path().join("dev"));
        assert_eq!(look(root), [], "a machine without any");
        for path in ["serial/by-id", "usb", "input/by-id"] {
            fs::create_dir_all(dev.join(path)).unwrap();
        }
        for file in ["ttyACM0", "usb/lp0", "usb/hiddev0", "input/event3", "input/event4"] {
            fs::write(dev.join(file), "").unwrap();
        }
        for (target, link) in [
            ("../../ttyACM0", "serial/by-id/usb-Mettler_Toledo__Ariva-S_0042-if00-port0"),
            ("../../ttyUSB7", "serial/by-id/usb-pulled_out-if00"),
            ("../event3", "input/by-id/usb-Honeywell_Imaging_Scanner-event-kbd"),
            ("../event4", "input/by-id/usb-Honeywell_Imaging_Scanner-event-mouse"),
        ] {
            symlink(target, dev.join(link)).unwrap();
        }
        let found = look(root);
        let told: Vec<_> = found.iter().map(|one| (one.bus, one.name.as_str())).collect();
        assert_eq!(
            told,
            [
                (Bus::Serial, "Mettler Toledo Ariva-S 0042"),
                (Bus::UsbPrinter, "lp0"),
                (Bus::Keyboard, "Honeywell Imaging Scanner"),
            ]
        );
        assert!(found.iter().all(|one| Path::new(&one.place).starts_with(dev)));
        assert_eq!(found[0].real, fs::canonicalize(dev.join("ttyACM0")).ok());
    }

    #[test]
    fn ports_on_the_board_and_sound_cards_are_told_if_they_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for (port, kind) in [("ttyS0", "4\n"), ("ttyS1", "0\n"), ("ttyS2", "torn")] {
            let kept = root.join("sys/class/tty").join(port);
            fs::create_dir_all(&kept).unwrap();
            fs::write(kept.join("type"), kind).unwrap();
            fs::create_dir_all(root.join("dev")).unwrap();
            fs::write(root.join("dev").join(port), "").unwrap();
        }
        let pcm = "00-00: ALC897 Analog : ALC897 Analog : playback 1 : capture 1
00-02: ALC897 Alt Analog : ALC897 Alt Analog : capture 1
01-03: HDMI 0 : LG: TV : playback 1
07-00: gone : gone : playback 1
torn";
        for (card, id) in [("card0", "PCH\n"), ("card1", "HDMI\n")] {
            fs::create_dir_all(root.join("proc/asound").join(card)).unwrap();
            fs::write(root.join("proc/asound").join(card).join("id"), id).unwrap();
        }
        fs::write(root.join("proc/asound/pcm"), pcm).unwrap();
        let told: Vec<_> = look(root).into_iter().map(|one| (one.bus, one.place, one.name)).collect();
        let port = root.join("dev/ttyS0").to_str().unwrap().to_owned();
        assert_eq!(
            told,
            [
                (Bus::Serial, port, "ttyS0".to_owned()),
                (Bus::Sound, "plughw:CARD=PCH,DEV=0".to_owned(), "ALC897 Analog".to_owned()),
                (Bus::Sound, "plughw:CARD=HDMI,DEV=3".to_owned(), "LG: TV".to_owned()),
            ]
        );
    }
}
