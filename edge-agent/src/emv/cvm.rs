//! How the card wants its holder to be verified (EMV Book 3, section 10.5 and annex C3).

/// A method that this terminal can carry out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    OnlinePin,
    Signature,
    Nothing,
}

/// A rule whose condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// None: this terminal cannot, or the rule is to fail.
    pub(super) method: Option<Method>,
    /// Whether the code is one of the standard's.
    pub(super) is_known: bool,
    /// Whether the card wants a PIN by it.
    pub(super) wants_pin: bool,
    /// If it fails, the next rule may succeed (bit 7 of the code).
    pub(super) may_go_on: bool,
    /// As the card wrote them: for tag 9F34.
    pub(super) code: u8,
    pub(super) condition: u8,
}

/// The rules of a list (tag 8E) that hold for a purchase. `in_own_currency`: whether the amount is of the card's currency (tag 9F42);
/// else its limits say nothing.
pub(super) fn rules(list: &[u8], minor: u64, in_own_currency: bool, has_pin_pad: bool) -> Vec<Rule> {
    let limit = |from: usize| {
        let bytes = list.get(from..from + 4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()).unwrap_or_default();
        u64::from(u32::from_be_bytes(bytes))
    };
    let (x, y) = (limit(0), limit(4));
    let pairs = list.get(8..).unwrap_or_default().as_chunks::<2>().0;
    let holds = |condition: u8, can: bool| match condition {
        0x00 | 0x02 => true,
        0x03 => can,
        0x06 => in_own_currency && minor < x,
        0x07 => in_own_currency && minor > x,
        0x08 => in_own_currency && minor < y,
        0x09 => in_own_currency && minor > y,
        // Cash, cashback, and what is not known.
        _ => false,
    };
    let rule = |[code, condition]: [u8; 2]| {
        let kind = code & 0x3f;
        let method = match kind {
            0x02 if has_pin_pad => Some(Method::OnlinePin),
            0x1e => Some(Method::Signature),
            0x1f => Some(Method::Nothing),
            _ => None,
        };
        let is_known = matches!(kind, 0x00..=0x05 | 0x1e | 0x1f);
        let wants_pin = matches!(kind, 0x01..=0x05);
        let rule = Rule { method, is_known, wants_pin, may_go_on: code & 0x40 != 0, code, condition };
        holds(condition, method.is_some()).then_some(rule)
    };
    pairs.iter().copied().filter_map(rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purchase_meets_the_rules_that_are_for_it() {
        let list = |rules: &str| hex::decode(format!("000003E8000007D0{rules}")).unwrap();
        let met = |text: &str, minor, own, pad| -> Vec<(Option<Method>, bool)> {
            rules(&list(text), minor, own, pad).iter().map(|rule| (rule.method, rule.may_go_on)).collect()
        };
        use Method::{Nothing, OnlinePin, Signature};
        for (text, minor, own, pad, told) in [
            (
                "4203 5E03 1F00",
                1,
                true,
                true,
                vec![(Some(OnlinePin), true), (Some(Signature), true), (Some(Nothing), false)],
            ),
            ("4203 5E03 1F00", 1, true, false, vec![(Some(Signature), true), (Some(Nothing), false)]),
            // Without a pad, a rule that always holds fails.
            ("0200", 1, true, false, vec![(None, false)]),
            ("1F06 0207", 999, true, true, vec![(Some(Nothing), false)]),
            ("1F06 0207", 1_000, true, true, vec![]),
            ("1F06 0207", 1_001, true, true, vec![(Some(OnlinePin), false)]),
            ("1F06 0207", 1, false, true, vec![]),
            ("1F08 1E09", 2_001, true, true, vec![(Some(Signature), false)]),
            // The card's own PIN; cash; a code that is none.
            ("4103 0401 0900", 1, true, true, vec![(None, false)]),
            ("", 1, true, true, vec![]),
            ("42", 1, true, true, vec![]),
        ] {
            assert_eq!(met(&text.replace(' ', ""), minor, own, pad), told, "{text} {minor}");
        }
        assert!(rules(&[1, 2, 3], 1, true, true).is_empty());
    }
}
