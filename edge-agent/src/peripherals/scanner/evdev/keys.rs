//! What a keyboard's events type, on a keyboard of the United States: what scanners pretend to be unless told otherwise.
//!
//! Formats: `struct input_event` of linux/input.h (a time, then type, code and value), numbers of linux/input-event-codes.h.

use nix::libc;

/// 24 bytes where a time has 16; what we read of it are the last eight.
pub(super) const EVENT_LEN: usize = size_of::<libc::input_event>();
const TAIL_LEN: usize = 8;

const EV_SYN: u16 = 0;
const EV_KEY: u16 = 1;
const SYN_DROPPED: u16 = 3;
const DOWN: i32 = 1;
const UP: i32 = 0;

const TAB: u16 = 15;
const ENTER: u16 = 28;
const KEYPAD_ENTER: u16 = 96;
const SHIFTS: [u16; 2] = [42, 54];
/// Control, Alt and the logo keys, left and right: with one of them a key is a command and no character.
const COMMANDS: [u16; 6] = [29, 97, 56, 100, 125, 126];

/// Caps Lock, Num Lock and Scroll Lock: scanners press them around a code.
const SILENT: [u16; 3] = [58, 69, 70];

/// What an event typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// Of ASCII.
    Character(u8),
    /// Enter or Tab.
    End,
    /// The kernel had no room for events that came before this one.
    Lost,
    /// A key of a code that types nothing we know: a control character, or one of a keyboard of another country.
    Unknown,
}

/// The keys that are held.
#[derive(Default)]
pub(super) struct Keys {
    shifts: [bool; SHIFTS.len()],
    commands: [bool; COMMANDS.len()],
}

impl Keys {
    pub(super) fn take(&mut self, event: &[u8; EVENT_LEN]) -> Option<Typed> {
        let (_, tail) = event.split_last_chunk::<TAIL_LEN>()?;
        let [kind_0, kind_1, code_0, code_1, value @ ..] = *tail;
        let (kind, code) = (u16::from_ne_bytes([kind_0, kind_1]), u16::from_ne_bytes([code_0, code_1]));
        match kind {
            EV_SYN if code == SYN_DROPPED => Some(Typed::Lost),
            EV_KEY => self.key(code, i32::from_ne_bytes(value)),
            // Ends of groups, scan codes, lamps.
            _ => None,
        }
    }

    fn key(&mut self, code: u16, value: i32) -> Option<Typed> {
        for (held, key) in self.shifts.iter_mut().zip(SHIFTS).chain(self.commands.iter_mut().zip(COMMANDS)) {
            if key == code {
                *held = value != UP;
                return None;
            }
        }
        // A key that is held down repeats itself: no scanner means that.
        if value != DOWN || SILENT.contains(&code) {
            return None;
        }
        if self.commands.contains(&true) {
            return Some(Typed::Unknown);
        }
        Some(match code {
            TAB | ENTER | KEYPAD_ENTER => Typed::End,
            _ => character(code, self.shifts.contains(&true)).map_or(Typed::Unknown, Typed::Character),
        })
    }
}

/// Rows of keys: the first one's number, then what each types, without and with shift.
const ROWS: [(u16, &[u8], &[u8]); 10] = [
    (2, b"1234567890-=", b"!@#$%^&*()_+"),
    (16, b"qwertyuiop[]", b"QWERTYUIOP{}"),
    (30, b"asdfghjkl;'`", b"ASDFGHJKL:\"~"),
    (43, b"\\zxcvbnm,./", b"|ZXCVBNM<>?"),
    (55, b"*", b"*"),
    (57, b" ", b" "),
    // The keypad types the same with and without shift.
    (71, b"789-456+1230.", b"789-456+1230."),
    (86, b"<", b">"),
    (98, b"/", b"/"),
    (117, b"=", b"="),
];

fn character(code: u16, shifted: bool) -> Option<u8> {
    ROWS.iter().find_map(|(first, plain, with_shift)| {
        let idx = usize::from(code.checked_sub(*first)?);
        let row = if shifted { with_shift } else { plain };
        row.get(idx).copied()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: u16, code: u16, value: i32) -> [u8; EVENT_LEN] {
        let mut bytes = [0x5a; EVENT_LEN];
        let tail = [&kind.to_ne_bytes()[..], &code.to_ne_bytes(), &value.to_ne_bytes()].concat();
        bytes[EVENT_LEN - TAIL_LEN..].copy_from_slice(&tail);
        bytes
    }

    fn typed(events: &[(u16, i32)]) -> String {
        let mut keys = Keys::default();
        let typed = events.iter().filter_map(|(code, value)| keys.take(&event(EV_KEY, *code, *value)));
        typed
            .map(|typed| match typed {
                Typed::Character(character) => char::from(character),
                Typed::End => '⏎',
                Typed::Lost => '?',
                Typed::Unknown => '·',
            })
            .collect()
    }

    #[test]
    fn keys_type_what_is_printed_on_them() {
        let tap = |code: u16| vec![(code, 1), (code, 0)];
        let all = |codes: &[u16]| codes.iter().flat_map(|code| tap(*code)).collect::<Vec<_>>();
        let with = |held: u16, codes: &[u16]| [vec![(held, 1)], all(codes), vec![(held, 0)]].concat();
        let table = [
            (all(&(2..=13).collect::<Vec<_>>()), "1234567890-="),
            (all(&(16..=27).collect::<Vec<_>>()), "qwertyuiop[]"),
            (all(&(30..=41).collect::<Vec<_>>()), "asdfghjkl;'`"),
            (all(&(43..=53).collect::<Vec<_>>()), "\\zxcvbnm,./"),
            (with(42, &(2..=13).collect::<Vec<_>>()), "!@#$%^&*()_+"),
            (with(54, &[16, 30, 44, 26, 39, 51, 53]), "QAZ{:<?"),
            // The keypad: 7 8 9 - 4 5 6 + 1 2 3 0 . then / * = and its Enter.
            (all(&(71..=83).collect::<Vec<_>>()), "789-456+1230."),
            (all(&[98, 55, 117, 96]), "/*=⏎"),
            (all(&[57, 28, 15]), " ⏎⏎"),
            // Both shifts, one of them let go; a key let go after its shift.
            (vec![(42, 1), (54, 1), (42, 0), (30, 1), (54, 0), (30, 0), (30, 1)], "Aa"),
            (vec![(2, 1), (2, 2), (2, 2), (2, 0)], "1"),
            // Commands, and F1, Escape, the arrows: of a scanner they stand for letters that we do not know. Locks stand for nothing.
            (with(29, &[46, 2]), "··"),
            (with(125, &[28]), "·"),
            (all(&[59, 1, 103, 105, 106, 108, 14, 111, 0, 700]), "··········"),
            (all(&[58, 69, 70]), ""),
        ];
        for (events, text) in table {
            assert_eq!(typed(&events), text, "{events:?}");
        }
    }

    #[test]
    fn other_events_type_nothing_and_lost_ones_are_told() {
        let mut keys = Keys::default();
        for (kind, code, value) in [(EV_SYN, 0, 0), (4, 4, 0x0007_001e), (17, 0, 1), (2, 2, 1)] {
            assert_eq!(keys.take(&event(kind, code, value)), None);
        }
        assert_eq!(keys.take(&event(EV_SYN, SYN_DROPPED, 0)), Some(Typed::Lost));
    }
}
