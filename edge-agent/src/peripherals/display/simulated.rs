//! A pole display that is not there: it obeys the bytes that a real one would get, and what it shows stands in a file, so that a test, a
//! script or a person can look at it.
//!
//! It knows the commands that [`super::vfd`] sends, as Epson's reference for displays has them, and no others: what it does not know is
//! an error rather than a guess, so that a test finds it.

use std::{fs, io, time::Instant};

use super::vfd::{COLUMNS, Vfd, Wire};

pub const DRIVER: &str = "simulated";
const LINES: usize = 2;

/// What the display shows, and where the next character goes.
struct Glass {
    cells: [[char; COLUMNS]; LINES],
    column: usize,
    line: usize,
}

/// The display's inside, which writes to a file what is to be seen of it.
pub struct SimulatedWire {
    path: String,
    glass: Glass,
}

/// A simulated display whose two lines are those of the file at `path`.
#[must_use]
pub fn display(path: &str) -> Vfd<SimulatedWire> {
    Vfd::over(SimulatedWire { path: path.to_owned(), glass: Glass::EMPTY })
}

impl Wire for SimulatedWire {
    fn driver(&self) -> &'static str {
        DRIVER
    }

    fn device(&self) -> String {
        format!("the simulated customer display at {}", self.path)
    }

    fn open(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], _: Instant) -> io::Result<()> {
        self.glass.obey(bytes)?;
        fs::write(&self.path, self.glass.text())
    }
}

impl Glass {
    const EMPTY: Self = Self { cells: [[' '; COLUMNS]; LINES], column: 0, line: 0 };

    /// Obeys `bytes`, which end where a command does: a wire of its own splits none.
    ///
    /// # Errors
    /// `InvalidInput` at the first thing that it does not know; what came before is shown.
    fn obey(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let [first, ..] = bytes {
            bytes = match bytes {
                // ESC @ (initialize); CLR.
                [0x1b, b'@', rest @ ..] | [0x0c, rest @ ..] => {
                    *self = Self::EMPTY;
                    rest
                }
                // US MD1 (overwrite): how it is here from the beginning. US C n: the cursor is not to be seen anyway.
                [0x1f, 0x01, rest @ ..] | [0x1f, b'C', 0 | 1 | 48 | 49, rest @ ..] => rest,
                // US $ x y, both counted from 1.
                [0x1f, b'$', x @ 1..=20, y @ 1..=2, rest @ ..] => {
                    (self.column, self.line) = (usize::from(x - 1), usize::from(y - 1));
                    rest
                }
                [b' '..=b'~', rest @ ..] => {
                    self.put(char::from(*first));
                    rest
                }
                _ => {
                    let command: Vec<u8> = bytes.iter().take(4).copied().collect();
                    let why = format!("it does not know the command {}", hex::encode(command));
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
                }
            };
        }
        Ok(())
    }

    /// The cursor moves on, at a line's end to the beginning of the other one.
    fn put(&mut self, character: char) {
        if let Some(cell) = self.cells.get_mut(self.line).and_then(|line| line.get_mut(self.column)) {
            *cell = character;
        }
        self.column += 1;
        if self.column == COLUMNS {
            (self.column, self.line) = (0, (self.line + 1) % LINES);
        }
    }

    fn text(&self) -> String {
        let lines = self.cells.iter().map(|line| line.iter().collect::<String>());
        lines.map(|line| format!("{}\n", line.trim_end())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_shows_what_a_display_of_two_lines_shows() {
        let table: [(&[u8], &str); 8] = [
            (b"", "\n\n"),
            (b"PAID", "PAID\n\n"),
            (b"PAID\x1f$\x01\x0212.50", "PAID\n12.50\n"),
            // The upper line is full: what follows is on the lower one, and from its end again on the upper one.
            (b"12345678901234567890AB", "12345678901234567890\nAB\n"),
            (b"1234567890123456789012345678901234567890X", "X2345678901234567890\n12345678901234567890\n"),
            (b"PAID\x1f$\x02\x01U", "PUID\n\n"),
            (b"PAID\x0cX", "X\n\n"),
            (b"PAID\x1b@\x1f\x01\x1fC\x00X", "X\n\n"),
        ];
        for (bytes, shown) in table {
            let mut glass = Glass::EMPTY;
            glass.obey(bytes).unwrap();
            assert_eq!(glass.text(), shown, "{bytes:?}");
        }
    }

    #[test]
    fn what_it_does_not_know_is_an_error() {
        let unknown: [&[u8]; 7] =
            [b"\x1bA", b"\x1f\x02", b"\x1f$\x15\x01", b"\x1f$\x01\x03", b"\x1f$\x01", b"\x1fC\x02", b"\xcc"];
        for bytes in unknown {
            let mut glass = Glass::EMPTY;
            let error = glass.obey(bytes).unwrap_err();
            let named = hex::encode(bytes);
            assert_eq!(error.to_string(), format!("it does not know the command {named}"));
        }
    }
}
