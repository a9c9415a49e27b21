//! The page of the devices: how each is, what is plugged in, what is set, and changes of it.

use std::{
    collections::BTreeMap,
    path::Path,
    path::PathBuf,
    sync::{Arc, PoisonError},
    time::Duration,
};

use actix_web::web::{self, Data, Json, Path as InPath};
use saoma_protocol::Millis;
use serde::{Deserialize, Serialize};
use toml::Value;

use super::{
    Room,
    command::Command,
    door::{Nothing, Post},
    problem::Refused,
    state::answer_of,
};
use crate::{
    config::{
        PeripheralsConfig,
        source::{Source, Standing},
    },
    peripherals::{
        Kind, PeripheralHealth, PeripheralState, Trouble,
        card_reader::pcsc,
        catalogue::{DRIVERS, Driver, NONE, differing, driver_of, may_be_set_from_page, options, text_of},
        connected::{self, Bus, Connected},
        registry,
        scanner::evdev,
        search,
    },
};

/// Where the system keeps its devices.
const ROOT: &str = "/";
/// How long a device may take to be opened anew, behind what it does; then the page hears that it hangs.
const REPLACE_MAX: Duration = Duration::from_secs(8);

/// The devices as the owner of the state knows them.
#[derive(Debug)]
pub struct DevicesNow {
    pub config: PeripheralsConfig,
    pub devices: Vec<DeviceNow>,
}

#[derive(Debug)]
pub struct DeviceNow {
    pub kind: Kind,
    pub health: Option<PeripheralHealth>,
    pub since: Option<Millis>,
    pub last_used_at: Option<Millis>,
    pub last_error: Option<LastError>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastError {
    pub why: String,
    pub trouble: Option<Trouble>,
    pub at: Millis,
}

impl LastError {
    #[must_use]
    pub fn new(why: String, at: Millis) -> Self {
        let trouble = Trouble::told_in(&why);
        Self { why, trouble, at }
    }
}

/// `GET /api/peripherals`.
#[derive(Debug, Serialize)]
pub(super) struct PeripheralsView {
    devices: Vec<DeviceView>,
    connected: Vec<ConnectedView>,
    drivers: &'static [Driver],
    settings: SettingsView,
}

#[derive(Debug, Serialize)]
struct DeviceView {
    kind: Kind,
    driver: String,
    place: Option<String>,
    state: DeviceState,
    detail: String,
    trouble: Option<Trouble>,
    since: Option<Millis>,
    last_used_at: Option<Millis>,
    last_error: Option<LastError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum DeviceState {
    /// None is configured.
    None,
    /// It has not said yet how it is.
    Starting,
    Ok,
    Warning,
    Failed,
}

#[derive(Debug, Serialize)]
struct ConnectedView {
    #[serde(flatten)]
    found: Connected,
    used_by: Vec<Kind>,
    fits: Vec<Fit>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Fit {
    kind: Kind,
    driver: &'static str,
}

#[derive(Debug, Serialize)]
struct SettingsView {
    file: Option<PathBuf>,
    version: String,
    /// Why nothing can be changed here.
    locked: Option<String>,
    /// Why an agent that starts now would not.
    broken: Option<String>,
    /// Devices for which the file says what is not in force.
    pending: Vec<Kind>,
    options: Vec<OptionView>,
}

#[derive(Debug, Serialize)]
struct OptionView {
    name: String,
    value: Value,
    /// The environment sets it by this.
    variable: Option<String>,
}

pub(super) async fn list(room: Data<Room>) -> Result<Json<PeripheralsView>, Refused> {
    let now = room.commands.ask(|reply| Command::Devices { reply }).await?;
    let source = Arc::clone(&room.source);
    let asked_for = room.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let look = move || view(now, &source, [connected::look(Path::new(ROOT)), asked_for].concat());
    web::block(look).await.map(Json).map_err(|_| Refused::Stopping)
}

/// Asks around for what no look finds; it is in the list from now on, until somebody asks again.
pub(super) async fn search(room: Data<Room>, _: Post<Nothing>) -> Result<Json<Found>, Refused> {
    let config = room.commands.ask(|reply| Command::Devices { reply }).await?.config;
    let asked = web::block(move || {
        (pcsc::readers(&config.card_reader_service), std::fs::read_to_string(search::ROUTES).unwrap_or_default())
    });
    let (readers, routes) = asked.await.map_err(|_| Refused::Stopping)?;
    let mut found: Vec<Connected> = readers.into_iter().map(|name| Connected::named(Bus::ChipReader, name)).collect();
    found.extend(search::printers(search::neighbours(&routes), search::PORT).await);
    let answer = Found { found: found.len() };
    *room.found.lock().unwrap_or_else(PoisonError::into_inner) = found;
    Ok(Json(answer))
}

#[derive(Debug, Serialize)]
pub(super) struct Found {
    found: usize,
}

fn view(now: DevicesNow, source: &Source, found: Vec<Connected>) -> PeripheralsView {
    let DevicesNow { config, devices } = now;
    PeripheralsView {
        connected: found.into_iter().map(|found| connected_view(found, &config)).collect(),
        devices: devices.into_iter().map(|device| device_view(device, &config)).collect(),
        drivers: DRIVERS,
        settings: settings_view(source.look(), source, &config),
    }
}

fn device_view(device: DeviceNow, config: &PeripheralsConfig) -> DeviceView {
    let DeviceNow { kind, health, since, last_used_at, last_error } = device;
    let driver = text_of(config, kind.name());
    let state = match &health {
        _ if driver == NONE => DeviceState::None,
        None => DeviceState::Starting,
        Some(health) => match health.state {
            PeripheralState::Ok => DeviceState::Ok,
            PeripheralState::Warning => DeviceState::Warning,
            PeripheralState::Failed => DeviceState::Failed,
        },
    };
    let detail = health.map(|health| health.detail).unwrap_or_default();
    DeviceView {
        kind,
        place: driver_of(kind, &driver).and_then(|driver| driver.place).map(|option| text_of(config, option)),
        driver,
        state,
        trouble: Trouble::told_in(&detail),
        detail,
        since,
        last_used_at,
        last_error,
    }
}

fn connected_view(found: Connected, config: &PeripheralsConfig) -> ConnectedView {
    let fits = DRIVERS.iter().filter(|driver| driver.bus == Some(found.bus));
    let fits = fits.map(|driver| Fit { kind: driver.kind, driver: driver.name }).collect();
    let used_by = Kind::ALL.into_iter().filter(|kind| is_used_by(*kind, &found, config).unwrap_or(false)).collect();
    ConnectedView { found, used_by, fits }
}

fn is_used_by(kind: Kind, found: &Connected, config: &PeripheralsConfig) -> Option<bool> {
    let driver = driver_of(kind, &text_of(config, kind.name()))?;
    let place = text_of(config, driver.place?);
    let path: PathBuf = match driver.bus? {
        Bus::Keyboard => evdev::Places::system().find(&place.parse().ok()?)?,
        Bus::Serial | Bus::UsbPrinter => place.into(),
        // A part of its name is enough, and without one it is the first.
        Bus::ChipReader => return Some(found.bus == Bus::ChipReader && found.place.contains(&place)),
        bus @ (Bus::Sound | Bus::Network) => return Some(found.bus == bus && found.place == place),
    };
    Some(found.real == Some(std::fs::canonicalize(path).ok()?))
}

fn settings_view(standing: Standing, source: &Source, in_force: &PeripheralsConfig) -> SettingsView {
    let Standing { file, version, locked, read } = standing;
    let (set, broken) = match read {
        Ok(config) => (config.peripherals, None),
        Err(error) => (in_force.clone(), Some(format!("failed to {error}"))),
    };
    let option = |(name, value): (String, Value)| {
        let variable = source.variable_of(&name).map(str::to_owned);
        OptionView { name, value, variable }
    };
    SettingsView {
        file,
        version,
        locked: locked.map(|locked| locked.to_string()),
        broken,
        pending: differing(&set, in_force).into_iter().collect(),
        options: options(&set).into_iter().map(option).collect(),
    }
}

/// Opens one device anew: closes it, and finds it where it is now.
pub(super) async fn restart(
    room: Data<Room>,
    path: InPath<String>,
    post: Post<Nothing>,
) -> Result<Json<Restarted>, Refused> {
    let kind: Kind = path.parse().map_err(|_| Refused::NotFound)?;
    let pressed = post.pressed;
    let replacing = room.commands.ask(|reply| Command::Restart { pressed, kind, reply }).await?;
    let health = tokio::time::timeout(REPLACE_MAX, answer_of(kind, replacing)).await.map_err(|_| hangs(kind))??;
    let health = health.ok_or_else(|| hangs(kind))?;
    Ok(Json(Restarted { state: health.state, detail: health.detail }))
}

#[derive(Debug, Serialize)]
pub(super) struct Restarted {
    state: PeripheralState,
    detail: String,
}

fn hangs(kind: Kind) -> Refused {
    Refused::Peripheral(format!(
        "the {kind} hangs, and is opened anew once it lets go; switch it off and on, and if that does not help start the \
         agent again"
    ))
}

/// `POST /api/peripherals/settings`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Changes {
    /// Of the file, as it was seen.
    version: String,
    /// Options of the section `peripherals`: texts and whole numbers.
    changes: BTreeMap<String, serde_json::Value>,
}

impl Changes {
    /// # Errors
    /// `SettingsInvalid` for what is no option, of another type, or not for the page to set.
    fn read(&self) -> Result<Vec<(String, Value)>, Refused> {
        let known = options(&PeripheralsConfig::default());
        let read = |(name, value): (&String, &serde_json::Value)| {
            let invalid = |why: String| Refused::SettingsInvalid(format!("peripherals.{name} is not set: {why}"));
            let value = match (known.get(name), value) {
                (None, _) => return Err(invalid("there is no such option".to_owned())),
                (Some(Value::String(_)), serde_json::Value::String(text)) => Value::String(text.clone()),
                (Some(Value::Integer(_)), number) => {
                    let number = number.as_i64().ok_or_else(|| invalid("it must be a whole number".to_owned()))?;
                    Value::Integer(number)
                }
                (Some(_), _) => return Err(invalid("it must be a text".to_owned())),
            };
            may_be_set_from_page(name, &value).map_err(invalid)?;
            Ok((name.clone(), value))
        };
        self.changes.iter().map(read).collect()
    }
}

/// What came of a change.
#[derive(Debug, Default, Serialize)]
pub(super) struct Applied {
    /// These devices were opened anew, and are as set now.
    applied: Vec<Kind>,
    /// These hang: the file has it, and they follow once they let go, or when the agent is started again.
    hanging: Vec<Kind>,
}

/// Writes options of the devices into the configuration file, and opens those anew that changed.
pub(super) async fn set(room: Data<Room>, post: Post<Changes>) -> Result<Json<Applied>, Refused> {
    let Post { pressed, body } = post;
    let wanted = body.read()?;
    room.commands.ask(|reply| Command::MayConfigure { pressed, reply }).await?;
    let source = Arc::clone(&room.source);
    let changed = web::block(move || {
        source.change(&body.version, &wanted, |config| {
            // Also a driver that there is none of keeps an agent from starting.
            registry::open(&config.peripherals).map(drop).map_err(|error| Refused::SettingsInvalid(error.to_string()))
        })
    });
    let peripherals = Box::new(changed.await.map_err(|_| Refused::Stopping)??.peripherals);
    let replacing = room.commands.ask(|reply| Command::Configure { peripherals, reply }).await?;
    let deadline = tokio::time::Instant::now() + REPLACE_MAX;
    let mut answer = Applied::default();
    for (kind, replaced) in replacing {
        match tokio::time::timeout_at(deadline, replaced).await {
            Ok(Ok(_)) => answer.applied.push(kind),
            Ok(Err(_)) | Err(_) => answer.hanging.push(kind),
        }
    }
    Ok(Json(answer))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_plugged_in_fits_drivers_and_may_be_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("ttyACM0");
        std::fs::write(&real, "").unwrap();
        let config = PeripheralsConfig {
            scale: "mt8217".to_owned(),
            scale_device: real.to_str().unwrap().to_owned(),
            // Set, and not for this driver.
            printer_device: real.to_str().unwrap().to_owned(),
            ..PeripheralsConfig::default()
        };
        let found = |bus| Connected { real: Some(real.clone()), ..Connected::named(bus, "x".to_owned()) };
        let view = connected_view(found(Bus::Serial), &config);
        assert_eq!(view.used_by, [Kind::Scale]);
        let fits: Vec<_> = view.fits.iter().map(|fit| (fit.kind, fit.driver)).collect();
        assert_eq!(
            fits,
            [
                (Kind::Printer, "escpos-serial"),
                (Kind::Display, "serial-vfd"),
                (Kind::Scanner, "serial"),
                (Kind::Scale, "mt8217")
            ]
        );
        assert_eq!(connected_view(found(Bus::Keyboard), &config).fits, [Fit { kind: Kind::Scanner, driver: "evdev" }]);
    }

    #[test]
    fn what_was_asked_for_fits_drivers_and_may_be_in_use() {
        let config = PeripheralsConfig {
            printer: "escpos-tcp".to_owned(),
            printer_address: "192.168.1.7:9100".to_owned(),
            card_reader: "pcsc".to_owned(),
            card_reader_device: "Virtual".to_owned(),
            speaker: "tones".to_owned(),
            speaker_device: "default".to_owned(),
            ..PeripheralsConfig::default()
        };
        for (bus, place, user, driver) in [
            (Bus::Network, "192.168.1.7:9100", Some(Kind::Printer), "escpos-tcp"),
            (Bus::Network, "192.168.1.8:9100", None, "escpos-tcp"),
            (Bus::ChipReader, "Virtual PCD 00 00", Some(Kind::CardReader), "pcsc"),
            (Bus::ChipReader, "Other 00 00", None, "pcsc"),
            (Bus::Sound, "plughw:CARD=PCH,DEV=0", None, "espeak-ng"),
        ] {
            let view = connected_view(Connected::named(bus, place.to_owned()), &config);
            assert_eq!(view.used_by, user.into_iter().collect::<Vec<_>>(), "{place}");
            assert!(view.fits.iter().any(|fit| fit.driver == driver), "{place}");
        }
    }

    #[test]
    fn changes_are_options_of_their_types() {
        for (changes, why) in [
            (json!({"scanner": "serial", "scanner_baud": 9600}), ""),
            (json!({}), ""),
            (json!({"skanner": "serial"}), "no such option"),
            (json!({"scanner_baud": "9600"}), "whole number"),
            (json!({"scanner_baud": 9600.5}), "whole number"),
            (json!({"scanner": 3}), "a text"),
            (json!({"scanner": null}), "a text"),
            (json!({"printer_device": "/etc/passwd"}), "by hand"),
        ] {
            let changes: Changes = serde_json::from_value(json!({"version": "", "changes": changes})).unwrap();
            match changes.read() {
                Ok(_) => assert_eq!(why, ""),
                Err(refused) => assert!(!why.is_empty() && refused.to_string().contains(why), "{refused}"),
            }
        }
    }
}
