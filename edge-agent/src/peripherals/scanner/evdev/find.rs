//! Which of the machine's input devices the scanner is. The kernel's folders say what each is; nothing is opened for it.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    str::FromStr,
};

/// What the scanner is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Its file, best a link under `/dev/input/by-id`: numbers change.
    Path(PathBuf),
    /// USB's numbers of maker and product.
    Usb { vendor: u16, product: u16 },
    /// A part of its name.
    Name(String),
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hex = |digits: &str| {
            let are_four = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            are_four.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
        };
        if text.starts_with('/') {
            return Ok(Self::Path(text.into()));
        }
        if let Some(name) = text.strip_prefix("name:").map(str::trim).filter(|name| !name.is_empty()) {
            return Ok(Self::Name(name.to_owned()));
        }
        let usb = text.strip_prefix("usb:").and_then(|ids| ids.split_once(':'));
        if let Some((Some(vendor), Some(product))) = usb.map(|(vendor, product)| (hex(vendor), hex(product))) {
            return Ok(Self::Usb { vendor, product });
        }
        Err(format!(
            "{text:?} names no input device; write /dev/input/by-id/…, usb:0c2e:0b61 (as lsusb lists it) or name:Honeywell"
        ))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "at {}", path.display()),
            Self::Usb { vendor, product } => write!(f, "usb:{vendor:04x}:{product:04x}"),
            Self::Name(name) => write!(f, "{name:?}"),
        }
    }
}

/// Where the kernel tells of input devices, and where their files are.
#[derive(Clone, Debug)]
pub struct Places {
    /// `/sys/class/input`.
    pub class: PathBuf,
    /// `/dev/input`.
    pub dev: PathBuf,
}

impl Places {
    #[must_use]
    pub fn system() -> Self {
        Self { class: "/sys/class/input".into(), dev: "/dev/input".into() }
    }

    /// The device's file, if it is plugged in; a path as it stands.
    #[must_use]
    pub fn find(&self, selector: &Selector) -> Option<PathBuf> {
        if let Selector::Path(path) = selector {
            return Some(path.clone());
        }
        let mut numbers: Vec<u32> = fs::read_dir(&self.class)
            .ok()?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix("event")?.parse().ok())
            .collect();
        numbers.sort_unstable();
        let fits = |number: &u32| {
            let about = self.class.join(format!("event{number}")).join("device");
            let is_it = match selector {
                Selector::Path(_) => false,
                Selector::Usb { vendor, product } => {
                    hex_in(&about.join("id/vendor")) == Some(*vendor)
                        && hex_in(&about.join("id/product")) == Some(*product)
                }
                Selector::Name(part) => {
                    text_in(&about.join("name")).is_some_and(|name| name.to_lowercase().contains(&part.to_lowercase()))
                }
            };
            is_it && types_codes(&about)
        };
        numbers.into_iter().find(fits).map(|number| self.dev.join(format!("event{number}")))
    }
}

fn text_in(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn hex_in(path: &Path) -> Option<u16> {
    u16::from_str_radix(&text_in(path)?, 16).ok()
}

/// A scanner has several faces (a keyboard, volume keys); the one that types has digits and Enter.
fn types_codes(about: &Path) -> bool {
    // Words of 64 bits in hexadecimal, the lowest last.
    let lowest = text_in(&about.join("capabilities/key"))
        .and_then(|words| u64::from_str_radix(words.split_whitespace().next_back()?, 16).ok());
    // Keys 2 to 11 are 1 to 0, key 28 is Enter.
    let needed = (0x3ff << 2) | (1 << 28);
    lowest.is_some_and(|keys: u64| keys & needed == needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scanner_is_named_in_three_ways() {
        for (text, shown) in [
            ("/dev/input/by-id/usb-x-event-kbd", "at /dev/input/by-id/usb-x-event-kbd"),
            ("usb:0C2E:0b61", "usb:0c2e:0b61"),
            ("name: Honeywell ", "\"Honeywell\""),
        ] {
            assert_eq!(text.parse::<Selector>().unwrap().to_string(), shown);
        }
        for text in ["", "name:", "usb:0c2e", "usb:c2e:0b61", "usb:0c2e:zzzz", "event3", "usb:+c2e:0b61"] {
            assert!(text.parse::<Selector>().unwrap_err().contains("names no input device"), "{text}");
        }
    }

    #[test]
    fn the_face_that_types_is_found_by_what_the_kernel_says() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places { class: folder.path().join("class"), dev: folder.path().join("dev") };
        let keyboard = "1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe\n";
        for (event, name, vendor, product, keys) in [
            ("event2", "Power Button", "0000", "0001", "10000000000000 0\n"),
            ("event3", "HID Keyboard", "046d", "c31c", keyboard),
            ("event4", "Honeywell Imaging Scanner Consumer Control", "0c2e", "0b61", "3f000000000000 0 0 0\n"),
            ("event11", "Honeywell Imaging Scanner", "0c2e", "0b61", keyboard),
            ("mouse0", "Honeywell Imaging Scanner", "0c2e", "0b61", keyboard),
        ] {
            let about = places.class.join(event).join("device");
            for folder in ["id", "capabilities"] {
                fs::create_dir_all(about.join(folder)).unwrap();
            }
            for (file, text) in [("name", name), ("id/vendor", vendor), ("id/product", product)] {
                fs::write(about.join(file), format!("{text}\n")).unwrap();
            }
            fs::write(about.join("capabilities/key"), keys).unwrap();
        }
        for (selector, event) in [
            ("usb:0c2e:0b61", Some("event11")),
            ("name:honeywell", Some("event11")),
            ("name:HID", Some("event3")),
            ("usb:0c2e:0b62", None),
            ("name:Power", None),
        ] {
            let found = places.find(&selector.parse().unwrap());
            assert_eq!(found, event.map(|event| places.dev.join(event)), "{selector}");
        }
        let nowhere = Places { class: folder.path().join("none"), dev: folder.path().join("dev") };
        assert_eq!(nowhere.find(&Selector::Name("Honeywell".to_owned())), None);
    }
}
