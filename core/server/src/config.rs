//! What can be set. One table says of each option its name, default and meaning; a file and the environment fill it in, and
//! `saoma config --explain` prints it.
//!
//! Order: default, then the TOML file, then `SAOMA_<SECTION>__<OPTION>`. A name that does not exist is an error: a misspelt
//! limit must not silently be none.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

use saoma_channels::{CALLS_MOST, CallsMax, Grant, MemoryMax};

/// One option.
pub struct Described {
    /// `section.option`, or a name alone.
    pub name: &'static str,
    pub default: &'static str,
    pub meaning: &'static str,
}

const fn option(name: &'static str, default: &'static str, meaning: &'static str) -> Described {
    Described { name, default, meaning }
}

/// Where plugins lie unless said otherwise.
pub const PLUGINS_DIR: &str = "plugins";

/// Every option there is.
pub const OPTIONS: &[Described] = &[
    option(
        "data_dir",
        "saoma-data",
        "Folder of core's own files: database, CA, keys. Made if missing, closed to others.",
    ),
    option(
        "server.listen",
        "127.0.0.1:7600",
        "Where the API and the pages are served, without TLS: put a proxy in front.",
    ),
    option(
        "server.public_url",
        "http://127.0.0.1:7600",
        "How customers and schemes reach it: the beginning of pay codes and notification addresses.",
    ),
    option(
        "server.trusted_proxies",
        "127.0.0.1,::1",
        "Addresses of the proxies in front, separated by commas: whose X-Forwarded-For is believed.",
    ),
    option("server.body_bytes_max", "262144", "Longest request body, in bytes."),
    option(
        "database.url",
        "",
        "`sqlite:///path`, a plain path, or `postgres://…` with an ordinary role that owns the database (no superuser, so \
         that row-level security holds it); empty: core.db in data_dir.",
    ),
    option("database.connections_max", "8", "Most connections to the database, 1 to 128."),
    option(
        "secrets.master_key_file",
        "",
        "File of 32 random bytes, mode 600, under which everything else is sealed: the same for all nodes on one database. \
         Empty: master.key in data_dir. Made if it is missing and the database is new. Files beside it whose names begin \
         with its name and a dot are master keys as well: `saoma keys rotate-master` draws the next one there.",
    ),
    option(
        "terminals.https_listen",
        "127.0.0.1:7643",
        "Where terminals are served over HTTPS with their certificates.",
    ),
    option("terminals.mqtt_listen", "127.0.0.1:7683", "Where the broker inside core listens (MQTT 5 over TLS)."),
    option(
        "terminals.public_host",
        "127.0.0.1",
        "The name or address under which terminals reach core; stands in core's certificate.",
    ),
    option(
        "terminals.allow_broker_switch",
        "false",
        "Whether an administrator may stop and start the broker through the API. For drills.",
    ),
    option("plugins.dir", PLUGINS_DIR, "Folder of channel plugins; each `*.wasm` in it is installed at the start."),
    option(
        "plugins.calls_max",
        "1024",
        "Most calls of plugins at once, 1 to 10,240. One that waits for its scheme holds some 0.1 MiB of memory (of a Rust \
         channel) and a connection; each sets aside 8 GiB of address space, which is no memory.",
    ),
    option(
        "plugins.calls_per_plugin_max",
        "",
        "Most calls at once of one plugin, so that a slow scheme leaves room to the others. Empty: a quarter of calls_max, and 8 \
         at least.",
    ),
    option(
        "plugins.calls_per_merchant_max",
        "",
        "Most calls at once of one merchant, through all its plugins. Empty: a quarter of calls_max, and 8 at least. Whoever \
         serves one merchant alone gives it all of them, here and in the next.",
    ),
    option(
        "plugins.calls_per_merchant_and_plugin_max",
        "",
        "Most calls at once of one merchant through one plugin, so that its other schemes go on while one is slow: notifications \
         have half of them at most. Empty: a quarter of calls_per_plugin_max, and 8 at least.",
    ),
    option(
        "plugins.memory_mib_max",
        "",
        "Most memory of all calls at once, in MiB, 512 to 1,048,576, as plugins ask for it: a Rust channel asks for 1.2 MiB and uses \
         0.1, a Python one for 40. A plugin has half of it, a merchant a quarter, and each 1,024 if there is as much. Empty: 4 \
         for each of calls_max, and 4,096 at least.",
    ),
    option(
        "plugins.allow_private_addresses",
        "false",
        "Whether plugins may call private and loopback addresses, and without TLS. For demos and closed networks.",
    ),
    option(
        "plugins.hosts",
        "",
        "Hosts that plugins may call, `api.example.com:443` or `*.example.com:443`, separated by commas; empty: those that \
         their manifests and accounts name.",
    ),
    option(
        "plugins.extra_roots",
        "",
        "PEM file of authorities that plugins trust besides the machine's: for acquirers in a network of one's own.",
    ),
    option(
        "payments.code_lifetime_seconds",
        "120",
        "How long a code on show lives unless the request says otherwise, 5 to 3,600.",
    ),
    option("payments.scan_limit", "5", "How often a code may be opened before it is dead, 1 to 100."),
    option(
        "redis.url",
        "",
        "`redis://[user:password@]host:port/number`, the same for all nodes on one database: they count attempts together \
         and wake each other. Empty: each node for itself. Core goes on without it when it is away.",
    ),
    option(
        "limits.requests_per_minute_per_caller",
        "60000",
        "How many requests one API key, person or terminal may make in a minute; 0: any number.",
    ),
    option(
        "limits.requests_per_minute_per_tenant",
        "300000",
        "How many requests all of one merchant's callers may make in a minute; 0: any number.",
    ),
    option(
        "webhooks.allow_private_addresses",
        "false",
        "Whether merchants' webhooks may go to private and loopback addresses, and there without TLS. For demos and \
         closed networks.",
    ),
    option(
        "telemetry.level",
        "info",
        "What is logged, in the syntax of tracing's EnvFilter: `info,saoma_server=debug`.",
    ),
    option("telemetry.json", "true", "Whether log lines are JSON."),
    option(
        "telemetry.otlp_endpoint",
        "",
        "Where traces and metrics are sent (OTLP over HTTP), for example `http://127.0.0.1:4318`; empty: nowhere.",
    ),
    option(
        "telemetry.metrics_listen",
        "",
        "Where /metrics is served (OpenMetrics, for Prometheus), for example `127.0.0.1:7690`; empty: nowhere. Whoever \
         reaches the address may read it: keep it on this machine or in the operator's own network.",
    ),
];

/// Prefix of every environment variable that sets an option.
const ENVIRONMENT_PREFIX: &str = "SAOMA_";

/// The environment variable that sets an option.
#[must_use]
pub fn variable(option: &str) -> String {
    format!("{ENVIRONMENT_PREFIX}{}", option.replace('.', "__").to_ascii_uppercase())
}

#[derive(Clone, Debug)]
pub struct Config {
    pub data_dir: PathBuf,
    pub server: Server,
    pub database: Database,
    pub secrets: Secrets,
    pub terminals: Terminals,
    pub plugins: Plugins,
    pub payments: Payments,
    pub redis: Redis,
    pub limits: Limits,
    pub webhooks: Webhooks,
    pub telemetry: Telemetry,
}

#[derive(Clone, Debug)]
pub struct Server {
    pub listen: SocketAddr,
    pub public_url: String,
    pub trusted_proxies: Vec<IpAddr>,
    pub body_bytes_max: usize,
}

#[derive(Clone)]
pub struct Database {
    pub url: String,
    pub connections_max: u32,
}

/// The address without its password: `saoma config` is read over people's shoulders and pasted into tickets.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = match url::Url::parse(&self.url) {
            Ok(url) => without_secrets(url),
            Err(_) => self.url.clone(),
        };
        f.debug_struct("Database").field("url", &shown).field("connections_max", &self.connections_max).finish()
    }
}

/// libpq takes a password before the host, and as a parameter.
fn without_secrets(mut url: url::Url) -> String {
    if url.password().is_some() && url.set_password(Some("***")).is_err() {
        return "***".to_owned();
    }
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    if pairs.iter().any(|(name, _)| name.contains("password")) {
        let shown = pairs.iter().map(|(name, value)| (name, if name.contains("password") { "***" } else { value }));
        url.query_pairs_mut().clear().extend_pairs(shown);
    }
    url.to_string()
}

#[derive(Clone, Debug)]
pub struct Secrets {
    pub master_key_file: PathBuf,
}

#[derive(Clone, Debug)]
pub struct Terminals {
    pub https_listen: SocketAddr,
    pub mqtt_listen: SocketAddr,
    pub public_host: String,
    pub allow_broker_switch: bool,
}

#[derive(Clone, Debug)]
pub struct Plugins {
    pub dir: PathBuf,
    pub allow_private_addresses: bool,
    pub calls_max: CallsMax,
    pub memory_max: MemoryMax,
    pub hosts: Grant,
    pub extra_roots: Option<PathBuf>,
}

#[derive(Clone, Debug)]
pub struct Payments {
    pub code_lifetime_seconds: u32,
    pub scan_limit: u32,
}

#[derive(Clone)]
pub struct Redis {
    pub url: Option<String>,
}

/// The address may hold a password.
impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.url.is_some() { "Redis(on)" } else { "Redis(off)" })
    }
}

#[derive(Clone, Debug)]
pub struct Limits {
    pub requests_per_minute_per_caller: u32,
    pub requests_per_minute_per_tenant: u32,
}

#[derive(Clone, Debug)]
pub struct Webhooks {
    pub allow_private_addresses: bool,
}

#[derive(Clone, Debug)]
pub struct Telemetry {
    pub level: String,
    pub json: bool,
    pub otlp_endpoint: Option<String>,
    pub metrics_listen: Option<SocketAddr>,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("read the settings file: {0}")]
    File(String),
    #[error("set {name}: there is no such option; did you mean {nearest}? `saoma config --explain` lists them")]
    Unknown { name: String, nearest: &'static str },
    #[error("set {name} to {value:?}: {why}")]
    Value { name: &'static str, value: String, why: String },
}

impl Config {
    /// `file`: the text of the TOML file, if there is one. `environment`: all variables of the process.
    ///
    /// # Errors
    /// The first thing that is wrong, with the option's name.
    pub fn read(
        file: Option<&str>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut values: BTreeMap<String, String> = BTreeMap::new();
        if let Some(file) = file {
            let table: toml::Table = file.parse().map_err(|error| ConfigError::File(format!("{error}")))?;
            flatten("", table, &mut values);
        }
        for (variable, value) in environment {
            if let Some(name) = variable.strip_prefix(ENVIRONMENT_PREFIX)
                && !name.starts_with("EDGE_")
                && name != "PLUGINS_DIR"
            {
                values.insert(name.to_ascii_lowercase().replace("__", "."), value);
            }
        }
        if let Some(name) = values.keys().find(|name| OPTIONS.iter().all(|option| option.name != name.as_str())) {
            return Err(ConfigError::Unknown { name: name.clone(), nearest: nearest(name) });
        }
        Values(values).config()
    }
}

fn flatten(section: &str, table: toml::Table, values: &mut BTreeMap<String, String>) {
    for (name, value) in table {
        let name = if section.is_empty() { name } else { format!("{section}.{name}") };
        match value {
            toml::Value::Table(inner) => flatten(&name, inner, values),
            toml::Value::String(text) => drop(values.insert(name, text)),
            other => drop(values.insert(name, other.to_string())),
        }
    }
}

/// The option that shares the longest beginning or end with a misspelt one.
fn nearest(name: &str) -> &'static str {
    let alike = |option: &&Described| {
        let same = |a: &mut dyn Iterator<Item = char>, b: &mut dyn Iterator<Item = char>| {
            a.zip(b).take_while(|(a, b)| a == b).count()
        };
        same(&mut option.name.chars(), &mut name.chars())
            + same(&mut option.name.chars().rev(), &mut name.chars().rev())
    };
    OPTIONS.iter().max_by_key(alike).map_or("data_dir", |option| option.name)
}

struct Values(BTreeMap<String, String>);

impl Values {
    fn text(&self, name: &'static str) -> String {
        let default =
            || OPTIONS.iter().find(|option| option.name == name).map_or("", |option| option.default).to_owned();
        self.0.get(name).cloned().unwrap_or_else(default)
    }

    /// `None` if it is empty.
    fn path(&self, name: &'static str) -> Option<PathBuf> {
        Some(self.text(name)).filter(|path| !path.is_empty()).map(PathBuf::from)
    }

    fn parsed<T: FromStr<Err: std::fmt::Display>>(&self, name: &'static str) -> Result<T, ConfigError> {
        let value = self.text(name);
        value.parse().map_err(|error: T::Err| ConfigError::Value { name, why: error.to_string(), value })
    }

    /// Nothing if it is empty.
    fn optional<T: FromStr<Err: std::fmt::Display>>(&self, name: &'static str) -> Result<Option<T>, ConfigError> {
        if self.text(name).is_empty() { Ok(None) } else { self.parsed(name).map(Some) }
    }

    fn within(&self, name: &'static str, range: std::ops::RangeInclusive<u32>) -> Result<u32, ConfigError> {
        let number: u32 = self.parsed(name)?;
        if range.contains(&number) {
            return Ok(number);
        }
        let why = format!("it must be from {} to {}", range.start(), range.end());
        Err(ConfigError::Value { name, value: number.to_string(), why })
    }

    /// As [`Self::within`]; `usual` if it is empty.
    fn within_or(
        &self,
        name: &'static str,
        range: std::ops::RangeInclusive<u32>,
        usual: u32,
    ) -> Result<u32, ConfigError> {
        if self.text(name).is_empty() { Ok(usual) } else { self.within(name, range) }
    }

    /// No share is larger than what it is a share of.
    fn calls_max(&self) -> Result<CallsMax, ConfigError> {
        let usual = CallsMax::of(self.within("plugins.calls_max", 1..=CALLS_MOST)?);
        let of_all = |name, usual_share| self.within_or(name, 1..=usual.in_all, usual_share);
        let per_plugin = of_all("plugins.calls_per_plugin_max", usual.per_plugin)?;
        let per_tenant = of_all("plugins.calls_per_merchant_max", usual.per_tenant)?;
        let most = per_plugin.min(per_tenant);
        let usual_of_plugin = CallsMax::of(per_plugin).per_plugin.min(most);
        let name = "plugins.calls_per_merchant_and_plugin_max";
        let per_tenant_of_plugin = self.within_or(name, 1..=most, usual_of_plugin)?;
        Ok(CallsMax { per_plugin, per_tenant, per_tenant_of_plugin, ..usual })
    }

    fn memory_max(&self, calls: CallsMax) -> Result<MemoryMax, ConfigError> {
        let usual = MemoryMax::for_calls(calls.in_all) >> 20;
        let usual = u32::try_from(usual).unwrap_or(u32::MAX);
        let mib = self.within_or("plugins.memory_mib_max", 512..=1 << 20, usual)?;
        Ok(MemoryMax::of((mib as usize) << 20))
    }

    /// What stands between the commas.
    fn list(value: &str) -> impl Iterator<Item = &str> {
        value.split(',').map(str::trim).filter(|text| !text.is_empty())
    }

    fn hosts(&self, name: &'static str) -> Result<Grant, ConfigError> {
        let value = self.text(name);
        if Self::list(&value).next().is_none() {
            return Ok(Grant::Any);
        }
        Grant::only(Self::list(&value)).map_err(|error| ConfigError::Value {
            name,
            value: value.clone(),
            why: error.to_string(),
        })
    }

    fn addresses(&self, name: &'static str) -> Result<Vec<IpAddr>, ConfigError> {
        let value = self.text(name);
        Self::list(&value)
            .map(|text| text.parse().map_err(|_| format!("{text:?} is no address")))
            .collect::<Result<_, _>>()
            .map_err(|why| ConfigError::Value { name, value: value.clone(), why })
    }

    fn config(&self) -> Result<Config, ConfigError> {
        let data_dir = PathBuf::from(self.text("data_dir"));
        let url = Some(self.text("database.url")).filter(|url| !url.is_empty());
        let calls = self.calls_max()?;
        Ok(Config {
            server: Server {
                listen: self.parsed("server.listen")?,
                public_url: self.text("server.public_url").trim_end_matches('/').to_owned(),
                trusted_proxies: self.addresses("server.trusted_proxies")?,
                body_bytes_max: self.parsed("server.body_bytes_max")?,
            },
            database: Database {
                url: url.unwrap_or_else(|| data_dir.join("core.db").display().to_string()),
                connections_max: self.within("database.connections_max", 1..=128)?,
            },
            secrets: Secrets {
                master_key_file: self.path("secrets.master_key_file").unwrap_or_else(|| data_dir.join("master.key")),
            },
            terminals: Terminals {
                https_listen: self.parsed("terminals.https_listen")?,
                mqtt_listen: self.parsed("terminals.mqtt_listen")?,
                public_host: self.text("terminals.public_host"),
                allow_broker_switch: self.parsed("terminals.allow_broker_switch")?,
            },
            plugins: Plugins {
                dir: PathBuf::from(self.text("plugins.dir")),
                allow_private_addresses: self.parsed("plugins.allow_private_addresses")?,
                calls_max: calls,
                memory_max: self.memory_max(calls)?,
                hosts: self.hosts("plugins.hosts")?,
                extra_roots: Some(self.text("plugins.extra_roots")).filter(|path| !path.is_empty()).map(PathBuf::from),
            },
            payments: Payments {
                code_lifetime_seconds: self.within("payments.code_lifetime_seconds", 5..=3_600)?,
                scan_limit: self.within("payments.scan_limit", 1..=100)?,
            },
            redis: Redis { url: Some(self.text("redis.url")).filter(|url| !url.is_empty()) },
            limits: Limits {
                requests_per_minute_per_caller: self.parsed("limits.requests_per_minute_per_caller")?,
                requests_per_minute_per_tenant: self.parsed("limits.requests_per_minute_per_tenant")?,
            },
            webhooks: Webhooks { allow_private_addresses: self.parsed("webhooks.allow_private_addresses")? },
            telemetry: Telemetry {
                level: self.text("telemetry.level"),
                json: self.parsed("telemetry.json")?,
                otlp_endpoint: Some(self.text("telemetry.otlp_endpoint")).filter(|endpoint| !endpoint.is_empty()),
                metrics_listen: self.optional("telemetry.metrics_listen")?,
            },
            data_dir,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::read(Some(file), environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
        let config =
            read("[payments]\nscan_limit = 7\ncode_lifetime_seconds = 60", &[("SAOMA_PAYMENTS__SCAN_LIMIT", "9")]);
        let payments = config.unwrap().payments;
        assert_eq!((payments.scan_limit, payments.code_lifetime_seconds), (9, 60));
        assert_eq!(read("", &[]).unwrap().payments.scan_limit, 5);
    }

    #[test]
    fn hosts_for_plugins_are_all_or_those_listed() {
        assert_eq!(read("", &[]).unwrap().plugins.hosts, Grant::Any);
        let listed = read("[plugins]\nhosts = \"a.example:443, *.b.example:8443,\"", &[]).unwrap().plugins.hosts;
        assert_eq!(listed, Grant::only(["a.example:443", "*.b.example:8443"]).unwrap());
    }

    #[test]
    fn shares_of_plugins_calls_follow_from_all_of_them() {
        let plugins = |file: &str| read(&format!("[plugins]\n{file}"), &[]).map(|config| config.plugins);
        let usual = plugins("").unwrap();
        assert_eq!((usual.calls_max, usual.memory_max), (CallsMax::of(1_024), MemoryMax::of(4 << 30)));
        let raised = plugins("calls_max = 10240").unwrap();
        assert_eq!((raised.calls_max, raised.memory_max), (CallsMax::of(10_240), MemoryMax::of(40 << 30)));
        // For one merchant, whose scheme may keep ten thousand payers waiting.
        let alone = plugins(
            "calls_max = 10240\ncalls_per_plugin_max = 10000\ncalls_per_merchant_max = 10240\n\
             calls_per_merchant_and_plugin_max = 10000\nmemory_mib_max = 65536",
        )
        .unwrap();
        let shares = CallsMax { in_all: 10_240, per_plugin: 10_000, per_tenant: 10_240, per_tenant_of_plugin: 10_000 };
        assert_eq!((alone.calls_max, alone.memory_max.in_all), (shares, 64 << 30));
        let few = plugins("calls_per_merchant_max = 5").unwrap().calls_max;
        assert_eq!((few.per_plugin, few.per_tenant, few.per_tenant_of_plugin), (256, 5, 5));
        for (file, words) in [
            ("calls_max = 16384", "from 1 to 10240"),
            (
                "calls_max = 100\ncalls_per_plugin_max = 101",
                "set plugins.calls_per_plugin_max to \"101\": it must be from 1 to 100",
            ),
            ("calls_per_merchant_max = 0", "from 1 to 1024"),
            ("calls_per_merchant_max = 20\ncalls_per_merchant_and_plugin_max = 21", "from 1 to 20"),
            ("memory_mib_max = 500", "from 512 to 1048576"),
        ] {
            let told = plugins(file).unwrap_err().to_string();
            assert!(told.contains(words), "{file}: {told}");
        }
    }

    #[test]
    fn a_printed_configuration_holds_no_password() {
        for (url, shown) in [
            ("postgres://saoma:s3cret@db.example/saoma", "postgres://saoma:***@db.example/saoma"),
            ("postgres://saoma@db.example/saoma", "postgres://saoma@db.example/saoma"),
            ("sqlite:///var/lib/saoma/core.db", "sqlite:///var/lib/saoma/core.db"),
        ] {
            let printed = format!("{:#?}", read(&format!("[database]\nurl = {url:?}"), &[]).unwrap());
            assert!(printed.contains(shown) && !printed.contains("s3cret"), "{printed}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (file, environment, words) in [
            ("[payments]\nscan_limits = 7", None, "did you mean payments.scan_limit"),
            ("", Some(("SAOMA_SERVER__LISTN", "x")), "did you mean server.listen"),
            ("[payments]\nscan_limit = 0", None, "from 1 to 100"),
            ("[server]\nlisten = \"here\"", None, "set server.listen to \"here\""),
            ("[server]\ntrusted_proxies = \"::1, proxy\"", None, "\"proxy\" is no address"),
            (
                "",
                Some(("SAOMA_PLUGINS__HOSTS", "pay.example.com:443, pay.example.org")),
                "\"pay.example.org\" is not of",
            ),
            ("[server", None, "read the settings file"),
            ("[telemetry]\nmetrics_listen = \"7690\"", None, "set telemetry.metrics_listen to \"7690\""),
        ] {
            let environment: Vec<_> = environment.into_iter().collect();
            let error = read(file, &environment).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
