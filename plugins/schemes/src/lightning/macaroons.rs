//! Who may ask for what. Macaroons are compared whole with those that the node gave out: nobody here adds caveats of their own.

use super::status::Status;

/// May do all with invoices and nothing with money (`invoice.macaroon`); made for tests.
pub const INVOICE: &str = "0201036c6e6402626d61646520666f7220746573747320696e766f696365732077726974650000062000112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
/// May look and do nothing (`readonly.macaroon`); made for tests.
pub const READ_ONLY: &str = "0201036c6e6402626d61646520666f7220746573747320696e766f6963657320726561640000062000112233445566778899aabbccddeeff00112233445566778899aabbccddee00";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Read,
    Write,
}

/// # Errors
/// In the words of LND's macaroon service.
pub fn check(given: Option<&str>, action: Action) -> Result<(), Status> {
    let given = given.ok_or_else(|| Status::unknown("expected 1 macaroon, got 0"))?;
    let bytes = hex::decode(given).map_err(|error| Status::unknown(format!("encoding/hex: {error}")))?;
    match hex::encode(bytes).as_str() {
        INVOICE => Ok(()),
        READ_ONLY if action == Action::Read => Ok(()),
        READ_ONLY => Err(Status::unknown("permission denied")),
        _ => Err(Status::unknown("verification failed: signature mismatch after caveat verification")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macaroons() {
        let told = |given: Option<&str>, action| check(given, action).map_err(|status| status.message);
        assert_eq!(told(Some(INVOICE), Action::Write), Ok(()));
        assert_eq!(told(Some(&INVOICE.to_uppercase()), Action::Write), Ok(()));
        assert_eq!(told(Some(READ_ONLY), Action::Read), Ok(()));
        for (given, action, words) in [
            (Some(READ_ONLY), Action::Write, "permission denied"),
            (None, Action::Read, "expected 1 macaroon"),
            (Some("xyz"), Action::Read, "encoding/hex"),
            (Some("0201"), Action::Read, "verification failed"),
        ] {
            assert!(told(given, action).is_err_and(|said| said.contains(words)), "{words}");
        }
    }
}
