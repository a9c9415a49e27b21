//! How long a message is, in front of it.

use zeroize::Zeroizing;

use crate::bindings::tcp::LengthHeader;

pub(super) const fn header_len(header: LengthHeader) -> usize {
    match header {
        LengthHeader::Binary | LengthHeader::BinaryWithItself => 2,
        LengthHeader::Decimal | LengthHeader::DecimalWithItself => 4,
    }
}

/// What the header counts beside the message.
const fn counted(header: LengthHeader) -> usize {
    match header {
        LengthHeader::Binary | LengthHeader::Decimal => 0,
        LengthHeader::BinaryWithItself | LengthHeader::DecimalWithItself => header_len(header),
    }
}

/// The longest message that every header of the kind can name.
pub(super) const fn message_len_max(header: LengthHeader) -> usize {
    match header {
        LengthHeader::Binary | LengthHeader::BinaryWithItself => 0xffff - 2,
        LengthHeader::Decimal | LengthHeader::DecimalWithItself => 9_999 - 4,
    }
}

/// The message, which is no longer than that, with its length in front.
pub(super) fn framed(header: LengthHeader, message: &[u8]) -> Zeroizing<Vec<u8>> {
    let len = message.len() + counted(header);
    let mut frame = Zeroizing::new(Vec::with_capacity(header_len(header) + message.len()));
    match header {
        LengthHeader::Binary | LengthHeader::BinaryWithItself => {
            frame.extend(u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes());
        }
        LengthHeader::Decimal | LengthHeader::DecimalWithItself => frame.extend(format!("{len:04}").bytes()),
    }
    frame.extend_from_slice(message);
    frame
}

/// The length of the message behind this header; `None` if it is none, or that of an empty message.
pub(super) fn message_len(header: LengthHeader, bytes: &[u8]) -> Option<usize> {
    let len = match header {
        LengthHeader::Binary | LengthHeader::BinaryWithItself => u16::from_be_bytes(*bytes.as_array()?).into(),
        LengthHeader::Decimal | LengthHeader::DecimalWithItself => {
            let digits = std::str::from_utf8(bytes).ok()?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<usize>().ok())??
        }
    };
    len.checked_sub(counted(header)).filter(|len| *len > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [LengthHeader; 4] =
        [LengthHeader::Binary, LengthHeader::BinaryWithItself, LengthHeader::Decimal, LengthHeader::DecimalWithItself];

    #[test]
    fn headers() {
        for (header, frame) in ALL.into_iter().zip(["0003616263", "0005616263", "30303033616263", "30303037616263"]) {
            assert_eq!(hex::encode(&*framed(header, b"abc")), frame, "{header:?}");
        }
        for (header, bytes) in [
            (LengthHeader::Binary, &b"\0\0"[..]),
            (LengthHeader::BinaryWithItself, b"\0\x02"),
            (LengthHeader::BinaryWithItself, b"\0\x01"),
            (LengthHeader::Decimal, b"0000"),
            (LengthHeader::Decimal, b"+012"),
            (LengthHeader::Decimal, b" 12 "),
            (LengthHeader::Decimal, b"HTTP"),
            (LengthHeader::Decimal, b"\xff\xff\xff\xff"),
            (LengthHeader::DecimalWithItself, b"0004"),
        ] {
            assert_eq!(message_len(header, bytes), None, "{header:?} {bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_framed_is_read_again(header in prop::sample::select(ALL.to_vec()), len in 1_usize..70_000) {
            let len = len.min(message_len_max(header));
            let frame = framed(header, &vec![7; len]);
            let (head, message) = frame.split_at(header_len(header));
            prop_assert_eq!((message_len(header, head), message.len()), (Some(len), len));
        }
    }
}
