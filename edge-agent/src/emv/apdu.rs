//! Commands to a card and its answers (ISO/IEC 7816-4; EMV Book 1, section 9, and Book 3, section 6).

use zeroize::Zeroizing;

/// How often a card may say "there is more" or "ask for another length" to one command.
const ROUNDS_MAX: usize = 4;

/// Something that answers commands: a reader with a card in it, or a card made of software.
pub trait Card {
    /// One command, one answer with its status bytes. For T=0, a command with data is sent without the length that it expects.
    ///
    /// # Errors
    /// `Gone`: there is no card any more, or no reader.
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, Gone>;

    /// Whether the card speaks T=0.
    fn is_t0(&self) -> bool;
}

/// The card was taken out, or the reader failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// An answer without its status bytes, and these.
pub struct Answer {
    pub data: Zeroizing<Vec<u8>>,
    pub status: u16,
}

impl Answer {
    pub const DONE: u16 = 0x9000;

    #[must_use]
    pub fn is_done(&self) -> bool {
        self.status == Self::DONE
    }
}

/// Class, instruction and parameters.
pub type Header = [u8; 4];

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    Gone,
    /// An answer without status, or "there is more" without end.
    Odd,
}

impl From<Gone> for Unanswered {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

/// Asks the card, and for what it has left of its answer: 61xx by GET RESPONSE, 6Cxx by the right length (Book 1, section 9.3.1).
///
/// # Errors
/// `Gone`, `Odd`.
pub fn ask(card: &mut dyn Card, header: Header, data: &[u8]) -> Result<Answer, Unanswered> {
    let mut command = Zeroizing::new(header.to_vec());
    if !data.is_empty() {
        command.push(u8::try_from(data.len()).map_err(|_| Unanswered::Odd)?);
        command.extend_from_slice(data);
    }
    let mut tells_len = data.is_empty() || !card.is_t0();
    if tells_len {
        command.push(0);
    }
    let mut whole = Zeroizing::new(Vec::new());
    for _ in 0..=ROUNDS_MAX {
        let mut answer = card.transmit(&command)?;
        let Some([high, low]) = answer.split_last_chunk().map(|(_, status)| *status) else {
            return Err(Unanswered::Odd);
        };
        let len = answer.len() - 2;
        answer.truncate(len);
        whole.extend_from_slice(&answer);
        match high {
            0x61 => (*command, tells_len) = (vec![0x00, 0xc0, 0x00, 0x00, low], true),
            0x6c if tells_len => {
                command.pop();
                command.push(low);
            }
            _ => return Ok(Answer { data: whole, status: u16::from_be_bytes([high, low]) }),
        }
    }
    Err(Unanswered::Odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers the next of these to each command, and keeps the commands.
    struct Says {
        answers: Vec<&'static str>,
        heard: Vec<String>,
        t0: bool,
    }

    impl Card for Says {
        fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, Gone> {
            self.heard.push(hex::encode(command));
            if self.answers.is_empty() {
                Err(Gone)
            } else {
                Ok(Zeroizing::new(hex::decode(self.answers.remove(0)).unwrap()))
            }
        }
        fn is_t0(&self) -> bool {
            self.t0
        }
    }

    #[test]
    fn what_is_left_of_an_answer_is_fetched() {
        type Row<'a> = (bool, &'a str, Vec<&'static str>, Result<(&'a str, u16), Unanswered>, Vec<&'a str>);
        let rows: Vec<Row<'_>> = vec![
            (false, "a0", vec!["aa9000"], Ok(("aa", 0x9000)), vec!["00a4040001a000"]),
            (true, "a0", vec!["6102", "aabb9000"], Ok(("aabb", 0x9000)), vec!["00a4040001a0", "00c0000002"]),
            (true, "", vec!["6c02", "aabb9000"], Ok(("aabb", 0x9000)), vec!["00a4040000", "00a4040002"]),
            (false, "a0", vec!["aa6101", "bb9000"], Ok(("aabb", 0x9000)), vec!["00a4040001a000", "00c0000001"]),
            (false, "a0", vec!["6a82"], Ok(("", 0x6a82)), vec!["00a4040001a000"]),
            (false, "a0", vec!["90"], Err(Unanswered::Odd), vec!["00a4040001a000"]),
            (false, "a0", vec![], Err(Unanswered::Gone), vec!["00a4040001a000"]),
        ];
        for (t0, data, answers, told, heard) in rows {
            let mut card = Says { answers, heard: Vec::new(), t0 };
            let answer = ask(&mut card, [0, 0xa4, 4, 0], &hex::decode(data).unwrap());
            let answer = answer.map(|answer| (hex::encode(answer.data.as_slice()), answer.status));
            assert_eq!(answer, told.map(|(data, status)| (data.to_owned(), status)));
            assert_eq!(card.heard, heard);
        }
        let mut endless = Says { answers: vec!["6101"; 20], heard: Vec::new(), t0: true };
        assert!(matches!(ask(&mut endless, [0, 0xa4, 4, 0], &[1]), Err(Unanswered::Odd)));
    }
}
