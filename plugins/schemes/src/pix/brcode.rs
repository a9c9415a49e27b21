//! The text in a dynamic BR Code.

/// A code that leads to the charge at `location` (without `https://`), of a bakery in São Paulo.
#[must_use]
pub fn brcode(location: &str) -> String {
    let account = field(0, "br.gov.bcb.pix") + &field(25, location);
    let mut code = field(0, "01")
        + &field(1, "12")
        + &field(26, &account)
        + &field(52, "0000")
        + &field(53, "986")
        + &field(58, "BR")
        + &field(59, "Padaria de Teste")
        + &field(60, "SAO PAULO")
        + &field(62, &field(5, "***"))
        + "6304";
    let crc = crc(code.as_bytes());
    code.push_str(&format!("{crc:04X}"));
    code
}

fn field(id: u8, value: &str) -> String {
    format!("{id:02}{:02}{value}", value.chars().count())
}

fn crc(bytes: &[u8]) -> u16 {
    let mut crc = 0xFFFF_u16;
    for byte in bytes {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            let carry = crc & 0x8000 != 0;
            crc <<= 1;
            if carry {
                crc ^= 0x1021;
            }
        }
    }
    crc
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_of_the_manuals_own_code() {
        let text = "00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-4266554400005204000053039865802BR5913Fulano de Tal\
                    6008BRASILIA62070503***6304";
        assert_eq!(super::crc(text.as_bytes()), 0x1D3D);
    }
}
