//! A PostgreSQL server of our own: made in a directory that goes away, reached over a socket in it, and gone with this
//! process however that ends.

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use diesel::{Connection as _, PgConnection, connection::SimpleConnection as _};
use saoma_store::Store;

const MISSING: &str = "these tests need PostgreSQL's initdb and pg_ctl, and there are none: install Debian's package \
                       `postgresql` (`apt-get install postgresql`), or put PostgreSQL's programs on the PATH";

/// Programs that are not on the PATH of a Debian machine; the highest version is taken.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The database that each test's is a copy of.
const TEMPLATE: &str = "migrated";

struct Server {
    dir: PathBuf,
    /// Stops the server when this process is gone: the other end of its standard input is ours.
    _guard: Child,
}

/// The same database for a connection that no policy holds.
pub fn as_superuser(url: &str) -> String {
    url.replacen("//saoma@", "//postgres@", 1)
}

/// A new database with today's schema.
pub fn migrated() -> String {
    create(&format!("TEMPLATE {TEMPLATE}"))
}

/// A new database with nothing in it.
pub fn empty() -> String {
    create("TEMPLATE template0")
}

fn create(how: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = server();
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    server
        .admin()
        .batch_execute(&format!("CREATE DATABASE {name} OWNER saoma {how}"))
        .expect("a database for the test");
    server.url(&name)
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = Server::start();
        // An ordinary role, as in production: policies do not hold a superuser.
        let mut admin = server.admin();
        admin.batch_execute("CREATE ROLE saoma LOGIN").expect("core's role");
        admin.batch_execute(&format!("CREATE DATABASE {TEMPLATE} OWNER saoma")).expect("the template's database");
        drop(Store::open(&server.url(TEMPLATE), 2).expect("migrations on an empty PostgreSQL database"));
        server
    })
}

impl Server {
    fn start() -> Self {
        let programs = programs().expect(MISSING);
        let dir = tempfile::Builder::new().prefix("saoma-pg-").tempdir().expect("a directory for PostgreSQL").keep();
        // The server refuses to be run by root; Debian's package brings a user for it.
        let is_root = output(Command::new("id").arg("-u")) == "0";
        if is_root {
            let id = |which: &str| output(Command::new("id").args([which, "postgres"])).parse().ok();
            chown(&dir, id("-u"), id("-g")).expect("the directory given to the user postgres");
        }
        let command = |program: &str| {
            let path = programs.join(program);
            if !is_root {
                return Command::new(path);
            }
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path);
            command
        };
        let data = dir.join("data");
        run(command("initdb")
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(&data));
        let guard = guard(&dir, &programs, is_root);
        // No TCP at all, so there is no port to collide on. What a crash would lose does not matter here.
        let options = format!(
            "-c listen_addresses='' -c unix_socket_directories='{}' -c fsync=off -c synchronous_commit=off \
             -c full_page_writes=off -c max_connections=200 -c lc_messages=C",
            dir.display()
        );
        run(command("pg_ctl")
            .args(["start", "--wait", "--silent", "-o", &options, "-l"])
            .arg(dir.join("log"))
            .arg("-D")
            .arg(&data));
        Self { dir, _guard: guard }
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://saoma@/{database}?host={}", self.dir.display())
    }

    fn admin(&self) -> PgConnection {
        PgConnection::establish(&as_superuser(&self.url("postgres"))).expect("the test's PostgreSQL")
    }
}

/// Waits for the end of this process, in a group of its own so that an interrupt does not reach it, then cleans up.
fn guard(dir: &Path, programs: &Path, is_root: bool) -> Child {
    let stop = if is_root { "runuser -u postgres -- " } else { "" };
    let script = format!("cat; {stop}\"$1/pg_ctl\" stop --mode=immediate -D \"$2/data\"; rm -rf \"$2\"");
    Command::new("sh")
        .args(["-c", &script, "sh"])
        .args([programs, dir])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("a shell that cleans up after PostgreSQL")
}

fn programs() -> Option<PathBuf> {
    let has_all = |dir: &PathBuf| ["initdb", "pg_ctl", "postgres"].iter().all(|program| dir.join(program).exists());
    let mut versions: Vec<PathBuf> =
        fs::read_dir(DEBIAN).into_iter().flatten().flatten().map(|version| version.path().join("bin")).collect();
    versions.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    versions.into_iter().rev().chain(std::env::split_paths(&path)).find(has_all)
}

fn run(command: &mut Command) {
    // pg_ctl's child keeps its standard output open for as long as it lives, so nobody may wait for the end of that.
    let done =
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).status().expect("PostgreSQL's programs");
    assert!(done.success(), "{command:?} ended with {done}");
}

fn output(command: &mut Command) -> String {
    let output = command.output().expect("the program id");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
