//! `saoma audit verify`, as an auditor calls it on a log that somebody has had their hands in.

use std::{fs, path::Path, process::Command};

use diesel::{Connection as _, SqliteConnection, connection::SimpleConnection as _};
use saoma_protocol::{Currency, Millis, TenantId};
use saoma_store::{
    Store, StoreError, TenantScope, access,
    audit::{self, NewEntry},
    tenants::{self, LatePolicy, Tenant},
};

const NOW: Millis = Millis(1_790_000_000_000);

fn entry(number: i64) -> NewEntry {
    NewEntry {
        actor: "core".to_owned(),
        action: "terminal.revoked".to_owned(),
        subject: format!("terminal {number}"),
        detail_json: "{}".to_owned(),
        at: NOW.plus(number),
    }
}

/// A core's data folder whose merchant's log has five entries, and the platform's two.
struct Office(tempfile::TempDir, TenantScope);

impl Office {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("core.db").display().to_string(), 2).unwrap();
        let tenant = Tenant {
            id: TenantId::from_bytes([7; 16]),
            name: "Tea".to_owned(),
            currency: Currency::CNY,
            late_policy: LatePolicy::Refund,
            time_zone: "UTC".to_owned(),
            active: true,
            created_at: NOW,
        };
        let scope = store.write_blocking(|tx| {
            let scope = tenants::create(tx, &access::process(), &tenant)?;
            (1..=5).try_for_each(|number| audit::append(tx, &scope, &entry(number)).map(drop))?;
            (1..=2).try_for_each(|number| audit::append_platform(tx, &access::process(), &entry(number)).map(drop))?;
            Ok::<_, StoreError>(scope)
        });
        Self(folder, scope.unwrap())
    }

    fn folder(&self) -> &Path {
        self.0.path()
    }

    /// The exit code, standard output and standard error.
    fn saoma(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_saoma"));
        let told = command.args(arguments).env("SAOMA_DATA_DIR", self.folder()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (told.status.code().unwrap(), text(told.stdout), text(told.stderr))
    }

    /// What only somebody who owns the file can do; `{t}` stands for the merchant.
    fn force(&self, change: &str) {
        let mut database = SqliteConnection::establish(self.folder().join("core.db").to_str().unwrap()).unwrap();
        let open = "DROP TRIGGER audit_log_no_update; DROP TRIGGER audit_log_no_delete;";
        let change = change.replace("{t}", &format!("tenant_id = '{}'", self.1.tenant()));
        database.batch_execute(&format!("{open} {change}")).unwrap();
    }

    /// An attacker who knows how the chain is made writes the log anew, from these entries.
    fn write_anew(&self, entries: impl IntoIterator<Item = i64>) {
        self.force("DELETE FROM audit_log WHERE {t}");
        let store = Store::open(&self.folder().join("core.db").display().to_string(), 2).unwrap();
        let entries: Vec<i64> = entries.into_iter().collect();
        let written = store.write_blocking(|tx| {
            entries.iter().try_for_each(|number| audit::append(tx, &self.1, &entry(*number)).map(drop))
        });
        written.unwrap();
    }
}

#[test]
fn a_whole_log_holds() {
    let office = Office::open();
    let (code, out, err) = office.saoma(&["audit", "verify"]);
    assert_eq!((code, out.as_str(), err.as_str()), (0, "2 logs of 7 entries hold, and 0 anchors\n", ""));
    let tenant = office.1.tenant().to_string();
    assert_eq!(office.saoma(&["audit", "verify", "--tenant", &tenant]).1, "1 logs of 5 entries hold, and 0 anchors\n");
    let (code, _, err) = office.saoma(&["audit", "verify", "--tenant", "ten_nobody"]);
    assert!(code == 1 && err.contains("there is no audit log of ten_nobody"), "{err}");
}

#[test]
fn the_first_broken_entry_is_told_with_what_differs() {
    for (change, words) in [
        ("UPDATE audit_log SET actor = 'nobody' WHERE {t} AND sequence = 3", &["entry 3 was changed", "nobody"][..]),
        ("DELETE FROM audit_log WHERE {t} AND sequence IN (2, 3)", &["entry 2 is missing: the next one is 4"]),
        (
            "INSERT INTO audit_log SELECT tenant_id, sequence - 1, actor, action, subject, detail_json, at, hash \
             FROM audit_log WHERE {t} AND sequence = 1",
            &["has 1 entries with numbers from before the first"],
        ),
        ("UPDATE audit_log SET hash = 'x' WHERE {t} AND sequence = 4", &["the hash of entry 4 was changed: it is x"]),
        (
            "UPDATE audit_log SET sequence = CASE sequence WHEN 2 THEN 93 ELSE 92 END WHERE {t} AND sequence IN (2, 3); \
             UPDATE audit_log SET sequence = sequence - 90 WHERE {t} AND sequence > 90",
            &["entry 2 is not what was written there"],
        ),
        (
            "UPDATE audit_log SET detail_json = '[]' WHERE tenant_id = 'platform' AND sequence = 1",
            &["platform entry 1"],
        ),
    ] {
        let office = Office::open();
        office.force(change);
        let (code, out, err) = office.saoma(&["audit", "verify"]);
        assert_eq!((code, out.lines().count()), (1, 1), "{change}: {out}{err}");
        for word in words {
            assert!(out.contains(word), "{change}: {out}");
        }
        assert!(err.contains("does not hold: 1 findings"), "{err}");
    }
}

/// What leaves a chain that fits is found by what was noted elsewhere, and by nothing else.
#[test]
fn a_log_that_was_cut_off_or_written_anew_is_found_by_its_anchors() {
    type Change = fn(&Office);
    let changes: [(&str, Change, &str); 4] = [
        (
            "the end is cut off",
            |office| office.force("DELETE FROM audit_log WHERE {t} AND sequence > 3"),
            "was cut off: it ends with entry 3, and had entry 5",
        ),
        (
            "all of it is gone",
            |office| office.force("DELETE FROM audit_log WHERE {t}"),
            "was cut off: it ends with entry 0, and had entry 5",
        ),
        (
            "one entry is left out",
            |office| office.write_anew([1, 3, 4, 5]),
            "was cut off: it ends with entry 4, and had entry 5",
        ),
        ("one entry is another", |office| office.write_anew([1, 2, 9, 4, 5]), "was written anew: entry 5 had the hash"),
    ];
    for (what, change, words) in changes {
        let office = Office::open();
        let (code, anchors, err) = office.saoma(&["audit", "anchor"]);
        assert!(code == 0 && anchors.lines().count() == 2 && err.contains("public key"), "{anchors}{err}");
        let file = office.folder().join("anchors.jsonl");
        let path = file.to_str().unwrap();
        fs::write(&file, &anchors).unwrap();
        let whole = office.saoma(&["audit", "verify", "--anchor", path]).1;
        assert!(whole.ends_with("2 logs of 7 entries hold, and 2 anchors\n"), "{whole}");
        assert!(whole.contains(&format!("{}: 5 entries; anchored to entry 5 at 20", office.1.tenant())), "{whole}");
        change(&office);
        assert_eq!(office.saoma(&["audit", "verify"]).0, 0, "{what}: the chain alone fits");
        let (code, out, _) = office.saoma(&["audit", "verify", "--anchor", path]);
        assert!(code == 1 && out.contains(words), "{what}: {out}");
        // An anchor that was made to fit is not ours.
        fs::write(&file, anchors.replace("\"sequence\":5", "\"sequence\":3")).unwrap();
        let (code, out, _) = office.saoma(&["audit", "verify", "--anchor", path]);
        assert!(code == 1 && out.contains("not an anchor of this core"), "{what}: {out}");
        fs::write(&file, "nothing\n").unwrap();
        let (code, _, err) = office.saoma(&["audit", "verify", "--anchor", path]);
        assert!(code == 1 && err.contains("holds no anchor"), "{what}: {err}");
    }
}
