//! Platform certificates, as `GET /v3/certificates` hands them out: each sealed under the merchant's APIv3 key.
//!
//! They are kept sealed, so that whoever writes to where they are kept can bring in none of their own. Source:
//! `doc/v3/merchant/4012068829`.

use saoma_channel_sdk::{Error, no_answer};
use serde::{Deserialize, Serialize};

use super::{moment, read::parsed, settings::is_serial};

#[derive(Deserialize)]
struct ListMessage {
    data: Vec<CertificateMessage>,
}

#[derive(Deserialize)]
struct CertificateMessage {
    serial_no: String,
    effective_time: String,
    expire_time: String,
    encrypt_certificate: SealMessage,
}

#[derive(Deserialize)]
struct SealMessage {
    algorithm: String,
    nonce: String,
    #[serde(default)]
    associated_data: String,
    ciphertext: String,
}

/// A platform certificate under its seal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedCertificate {
    pub serial: String,
    /// Milliseconds since 1970.
    pub from: i64,
    pub until: i64,
    pub nonce: String,
    pub associated_data: String,
    /// Base64.
    pub ciphertext: String,
}

impl SealedCertificate {
    #[must_use]
    pub fn is_valid_at(&self, millis: i64) -> bool {
        (self.from..self.until).contains(&millis)
    }
}

/// All that are handed out.
///
/// # Errors
/// `no-answer` if the list cannot be read.
pub fn read_certificates(status: u16, body: &[u8]) -> Result<Vec<SealedCertificate>, Error> {
    if status != 200 {
        return Err(no_answer(super::refusal::refusal(status, body)?.words));
    }
    let list: ListMessage = parsed(body)?;
    list.data
        .into_iter()
        .map(|told| {
            let SealMessage { algorithm, nonce, associated_data, ciphertext } = told.encrypt_certificate;
            let (from, until) = (moment::from_rfc3339(&told.effective_time), moment::from_rfc3339(&told.expire_time));
            match (from, until) {
                (Some(from), Some(until)) if algorithm == "AEAD_AES_256_GCM" && is_serial(&told.serial_no) => {
                    Ok(SealedCertificate { serial: told.serial_no, from, until, nonce, associated_data, ciphertext })
                }
                _ => Err(no_answer(format!("the certificate {:?} cannot be read", told.serial_no))),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let list = |serial: &str, until: &str, algorithm: &str| {
            let body = format!(
                r#"{{"data":[{{"serial_no":"{serial}","effective_time":"2018-06-08T10:34:56+08:00","expire_time":"{until}",
                    "encrypt_certificate":{{"algorithm":"{algorithm}","nonce":"61f9c719728a","associated_data":"certificate","ciphertext":"c2Vh"}}}}]}}"#
            );
            read_certificates(200, body.as_bytes())
        };
        let good =
            list("5157F09EFDC096DE15EBE81A47057A7232F1B8E1", "2018-12-08T10:34:56+08:00", "AEAD_AES_256_GCM").unwrap();
        let [certificate] = good.as_slice() else { panic!("{good:?}") };
        for (at, is_valid) in [
            ("2018-06-08T10:34:55+08:00", false),
            ("2018-06-08T10:34:56+08:00", true),
            ("2018-12-08T10:34:56+08:00", false),
        ] {
            assert_eq!(certificate.is_valid_at(moment::from_rfc3339(at).unwrap()), is_valid, "{at}");
        }
        for (serial, until, algorithm) in [
            ("../5157", "2018-12-08T10:34:56+08:00", "AEAD_AES_256_GCM"),
            ("5157", "soon", "AEAD_AES_256_GCM"),
            ("5157", "2018-12-08T10:34:56+08:00", "AEAD_SM4_GCM"),
        ] {
            assert!(list(serial, until, algorithm).is_err(), "{serial} {until} {algorithm}");
        }
        assert!(read_certificates(404, br#"{"code":"RESOURCE_NOT_EXISTS","message":"no"}"#).is_err());
        assert!(read_certificates(200, br#"{"data":[]}"#).is_ok_and(|list| list.is_empty()));
    }
}
