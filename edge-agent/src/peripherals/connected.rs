//! What is plugged into the machine that a driver could be for, as udev names it. Nothing is opened for it.
//!
//! A link under `by-id` names the device and not the order in which it was found, so it still stands after a restart. What has
//! none (a serial port on the board) is not told of here, and can be set all the same.

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
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Connected {
    pub bus: Bus,
    /// What to set as the device.
    pub path: PathBuf,
    /// For people.
    pub name: String,
    /// The file behind the links.
    #[serde(skip)]
    pub real: PathBuf,
}

/// `dev`: `/dev`.
#[must_use]
pub fn look(dev: &Path) -> Vec<Connected> {
    [
        (Bus::Serial, "serial/by-id", "", ""),
        (Bus::UsbPrinter, "usb", "lp", ""),
        (Bus::Keyboard, "input/by-id", "", "-event-kbd"),
    ]
    .into_iter()
    .flat_map(|(bus, folder, start, end)| found(bus, &dev.join(folder), start, end))
    .collect()
}

fn found(bus: Bus, folder: &Path, start: &str, end: &str) -> Vec<Connected> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| name.starts_with(start) && name.ends_with(end)).collect();
    names.sort_unstable();
    names.truncate(FOUND_MAX);
    let one = |file: String| {
        let path = folder.join(&file);
        // A link to what was just pulled out leads nowhere.
        let real = fs::canonicalize(&path).ok()?;
        Some(Connected { bus, name: name_of(&file), path, real })
    };
    names.into_iter().filter_map(one).collect()
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
        let dev = folder.path();
        assert_eq!(look(dev), [], "a machine without any");
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
        let found = look(dev);
        let told: Vec<_> = found.iter().map(|one| (one.bus, one.name.as_str())).collect();
        assert_eq!(
            told,
            [
                (Bus::Serial, "Mettler Toledo Ariva-S 0042"),
                (Bus::UsbPrinter, "lp0"),
                (Bus::Keyboard, "Honeywell Imaging Scanner"),
            ]
        );
        assert!(found.iter().all(|one| one.path.starts_with(dev)));
        assert_eq!(found[0].real, fs::canonicalize(dev.join("ttyACM0")).unwrap());
    }
}
