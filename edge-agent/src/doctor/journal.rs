//! The journal: whether it is whole, and what core does not have of it.

use saoma_protocol::{CashierId, Millis, Money, TerminalId, cashier::CashierList};

use super::{Finding, span};
use crate::{
    cashiers::Tries,
    config::Config,
    journal::{JournalError, Lock, Settings, UnsentEntries, lock, look as look_at, verify_chain},
    link::identity::DataDir,
};

/// With a link, entries are with core in seconds.
const UNSENT_MS_MAX: i64 = 15 * 60 * 1_000;

pub(super) fn look(config: &Config, folder: &DataDir, terminal: Option<TerminalId>, now: Millis) -> Vec<Finding> {
    let path = folder.journal();
    if !path.exists() {
        let fix = "none if the agent never ran here; else its sales are gone from this disk: call the service";
        return vec![Finding::warning("journal", "there is no journal yet: the agent's first start makes it", fix)];
    }
    let settings = Settings {
        path: path.clone(),
        free_bytes_min: config.journal.free_bytes_min,
        pages_max: config.journal.pages_max,
    };
    let mut findings = match lock(&settings) {
        Ok(lock) => vec![locked(&lock)],
        // Nothing of it can be read: what else is to be known of it has to wait.
        Err(error @ (JournalError::Key(_) | JournalError::NotSealedYet { .. })) => return vec![shut(&error)],
        // What is wrong is not the key, and told below.
        Err(_) => Vec::new(),
    };
    match verify_chain(&path) {
        Ok(verified) => {
            let found =
                format!("all {} entries are whole; core has those up to {}", verified.entries, verified.synced_through);
            findings.push(Finding::ok("journal", found));
        }
        Err(error) => {
            let fix = "do not delete it, it holds sales: stop the agent, copy the data directory, call the service";
            findings.push(Finding::fault("journal", format!("failed to {}", error.chain()), fix));
        }
    }
    match look_at(&settings)
        .and_then(|mut store| Ok((store.unsent()?, store.owner()?, store.check_room(), store.cashiers_known())))
    {
        Ok((unsent, owner, room, known)) => {
            findings.push(judge(&unsent, now));
            match known {
                Ok(known) => findings.extend(known.and_then(|(list, tries)| pins(&list, &tries, now))),
                Err(error) => {
                    let found = format!("who may sign on here is not known: failed to {}", error.chain());
                    findings.push(Finding::fault("cashiers", found, "call the service"));
                }
            }
            if let (Some(owner), Some(terminal)) = (owner, terminal)
                && owner != terminal.to_string()
            {
                let found = format!("it is the journal of {owner}, and this is {terminal}: the agent will not start");
                let fix = "put this terminal's own data directory back; enrol anew only into an empty one";
                findings.push(Finding::fault("journal_owner", found, fix));
            }
            if let Err(error) = room {
                let fix = "make room on the disk, or raise journal.pages_max";
                findings.push(Finding::fault("journal_room", error.chain(), fix));
            }
        }
        Err(error) => {
            let found = format!("what core does not have is not known: failed to {}", error.chain());
            findings.push(Finding::fault("unsent", found, "call the service"));
        }
    }
    findings
}

fn locked(lock: &Lock) -> Finding {
    let check = "journal_key";
    let Lock { key, source, is_to_follow, has_remains } = lock;
    let found = format!("the journal is encrypted; its key {key} is in {source}");
    if *is_to_follow {
        let found = format!("{found}, and systemd hands over another one");
        return Finding::warning(check, found, "stop the agent and run saoma-edge journal rekey with that credential");
    }
    if *has_remains {
        let found = format!("{found}; what it was before may still stand in free parts of the file");
        let fix = "make room on the disk and start the agent again: it tidies up then";
        return Finding::warning(check, found, fix);
    }
    Finding::ok(check, found)
}

fn shut(error: &JournalError) -> Finding {
    let check = "journal_key";
    let found = format!("failed to {}", error.chain());
    match error {
        JournalError::NotSealedYet { .. } => Finding::warning(check, found, "let the agent run once: saoma-edge run"),
        _ => Finding::fault(check, found, "put the key right; do not delete the journal, it holds sales"),
    }
}

/// Who may sign on by a PIN, and who is locked out; nothing where names are typed in.
fn pins(list: &CashierList, tries: &[(CashierId, Tries)], now: Millis) -> Option<Finding> {
    let (check, count) = ("cashiers", list.cashiers.len());
    if !list.pins {
        return None;
    }
    if count == 0 {
        let fix = "bring the link to core back, or name somebody for this store on the dashboard";
        return Some(Finding::warning(check, "signing on needs a PIN here, and nobody has one", fix));
    }
    let locked: Vec<String> = list
        .cashiers
        .iter()
        .filter(|card| tries.iter().any(|(id, tries)| *id == card.id && tries.left_ms(now) > 0))
        .map(|card| card.staff_code.to_string())
        .collect();
    if locked.is_empty() {
        return Some(Finding::ok(check, format!("{count} may sign on here by a PIN (version {})", list.version)));
    }
    let found = format!("of {count} who may sign on, these are locked out by wrong PINs: {}", locked.join(", "));
    Some(Finding::warning(check, found, "wait, for an hour at most, or have a new PIN set on the dashboard"))
}

fn judge(unsent: &UnsentEntries, now: Millis) -> Finding {
    let Some(oldest_at) = unsent.oldest_at else { return Finding::ok("unsent", "core has every entry") };
    let age_ms = now.since(oldest_at);
    let sums: Vec<String> = unsent.at_risk.iter().map(Money::to_string).collect();
    let cash = if sums.is_empty() { "no cash".to_owned() } else { format!("cash of {}", sums.join(" and ")) };
    let found = format!("{} entries with {cash} are on this disk alone, the oldest for {}", unsent.count, span(age_ms));
    if age_ms >= UNSENT_MS_MAX {
        let fix = "bring the link back and let the agent run; do not wipe or replace this machine before";
        return Finding::warning("unsent", found, fix);
    }
    Finding::ok("unsent", found)
}

#[cfg(test)]
mod tests {
    use saoma_protocol::Currency;

    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn who_is_locked_out_is_told_by_staff_code() {
        let list = serde_json::json!({ "version": 4, "pins": true, "supervisor_for": "none", "cashiers": [
            { "id": CashierId::from_bytes([7; 16]), "name": "李雷", "staff_code": "07", "role": "cashier", "verifier": "v" },
        ] });
        let list: CashierList = serde_json::from_value(list).unwrap();
        let tried = |wrong, id| {
            pins(&list, &[(CashierId::from_bytes([id; 16]), Tries { wrong, last_at: Millis(0) })], Millis(59_999))
        };
        assert!(pins(&CashierList::default(), &[], Millis(0)).is_none());
        assert_eq!(pins(&CashierList::shut(), &[], Millis(0)).unwrap().verdict, Verdict::Warning, "nobody may");
        for (wrong, id, verdict) in [(4, 7, Verdict::Ok), (5, 7, Verdict::Warning), (5, 8, Verdict::Ok)] {
            let told = tried(wrong, id).unwrap();
            assert_eq!(
                (told.verdict, told.found.contains("07"), told.found.contains("李雷")),
                (verdict, verdict != Verdict::Ok, false)
            );
        }
    }

    #[test]
    fn what_is_here_alone_is_told_with_its_money_and_its_age() {
        let at_risk = vec![Money::new(1250, "CNY".parse::<Currency>().unwrap())];
        let unsent = UnsentEntries { count: 3, oldest_at: Some(Millis(0)), at_risk };
        let young = judge(&unsent, Millis(UNSENT_MS_MAX - 1));
        assert_eq!(young.verdict, Verdict::Ok);
        let old = judge(&unsent, Millis(3 * 3_600_000));
        assert_eq!(old.verdict, Verdict::Warning);
        assert_eq!(old.found, "3 entries with cash of 12.50 CNY are on this disk alone, the oldest for 3 hours");
        assert_eq!(judge(&UnsentEntries::default(), Millis(0)).verdict, Verdict::Ok);
    }
}
