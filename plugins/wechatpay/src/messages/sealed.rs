//! Where the fund bill of a service provider's merchant is: in pieces, each sealed under a key of its own, which is sealed for the private
//! key that signs the provider's requests.
//!
//! The hash that comes along is not compared. What the key of a signed answer opens is WeChat Pay's, each byte of it; and the pages say
//! of that hash both that it is of the bill and that it is of the file that is fetched.
//!
//! Sources: `docs/partner/apis/partner-mini-program-payment/get-sub-mch-fund-flow-bill`, `doc/v3/partner/4014314390`; how WeChat Pay seals
//! for a merchant's certificate (RSAES-OAEP with SHA-1): `wiki/doc/api_external/ch/wechatpay/wechatpay4_3`.

use saoma_channel_sdk::{Error, no_answer};
use serde::Deserialize;

use super::{bill::no_trade, read::parsed};

#[derive(Deserialize)]
struct PiecesMessage {
    download_bill_count: usize,
    #[serde(default)]
    download_bill_list: Vec<SealedPiece>,
}

/// A piece of the file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SealedPiece {
    /// From 1 on.
    bill_sequence: usize,
    pub download_url: String,
    /// Base64 of the sealed key.
    pub encrypt_key: String,
    /// 12 or 16 characters, which are the nonce. Nothing is associated.
    pub nonce: String,
}

/// The pieces in their order; none if nothing moved on that day.
///
/// # Errors
/// As of a trade bill; `no-answer` also if a piece is missing.
pub fn read_pieces(status: u16, body: &[u8]) -> Result<Vec<SealedPiece>, Error> {
    if status != 200 {
        return no_trade(status, body).map(|()| Vec::new());
    }
    let PiecesMessage { download_bill_count: count, download_bill_list: mut pieces } = parsed(body)?;
    pieces.sort_by_key(|piece| piece.bill_sequence);
    if pieces.len() != count || pieces.iter().zip(1..).any(|(piece, place)| piece.bill_sequence != place) {
        return Err(no_answer(format!("of {count} pieces of the fund bill not each is named once")));
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::{
        super::refusal::samples::{kind, refused},
        *,
    };

    fn message(count: usize, places: &[usize]) -> Vec<u8> {
        let pieces: Vec<String> = places
            .iter()
            .map(|place| {
                format!(
                    r#"{{"bill_sequence":{place},"hash_type":"SHA1","hash_value":"79bb","download_url":"https://x/{place}","encrypt_key":"a0Y=","nonce":"a8607ef79034c49c"}}"#
                )
            })
            .collect();
        format!(r#"{{"download_bill_count":{count},"download_bill_list":[{}]}}"#, pieces.join(",")).into_bytes()
    }

    #[test]
    fn pieces_come_in_their_order_or_not_at_all() {
        let urls = |body: &[u8]| {
            let pieces = read_pieces(200, body).map_err(|error| kind(&error))?;
            Ok::<_, &str>(pieces.into_iter().map(|piece| piece.download_url).collect::<Vec<_>>().join(" "))
        };
        for (count, places, told) in [
            (1, &[1][..], Ok("https://x/1")),
            (3, &[2, 3, 1], Ok("https://x/1 https://x/2 https://x/3")),
            (0, &[], Ok("")),
            (2, &[1], Err("no-answer")),
            (1, &[1, 2], Err("no-answer")),
            (2, &[1, 1], Err("no-answer")),
            (2, &[1, 3], Err("no-answer")),
            (1, &[0], Err("no-answer")),
        ] {
            assert_eq!(urls(&message(count, places)).as_deref().map_err(|kind| *kind), told, "{count} {places:?}");
        }
        assert_eq!(urls(br#"{"download_bill_count":0}"#).as_deref(), Ok(""));
        for body in [&b"{}"[..], br#"{"download_bill_count":1,"download_bill_list":[{"bill_sequence":1}]}"#, b"<html>"]
        {
            assert_eq!(urls(body), Err("no-answer"));
        }
    }

    #[test]
    fn a_day_without_a_bill_and_one_whose_bill_is_not_made_yet() {
        assert_eq!(read_pieces(400, &refused("NO_STATEMENT_EXIST")), Ok(Vec::new()));
        for (status, code, outcome) in
            [(400, "STATEMENT_CREATING", "not-sent"), (403, "NO_AUTH", "not-sent"), (500, "SYSTEM_ERROR", "no-answer")]
        {
            let told = read_pieces(status, &refused(code)).map_err(|error| kind(&error));
            assert_eq!(told, Err(outcome), "{code}");
        }
    }
}
