//! Each channel against its far side, in whatever language it is written, and both against software that others wrote.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::{
    guests, machine,
    stage::{command, execute, timed},
    system::{self, System},
    web,
};

/// Guests that are no channels: they exist to be contained, or to be old, or are a merchant's rules.
const NOT_CHANNELS: [&str; 4] = ["hostile", "frozen", "canteen-rules", "hostile-rules"];
/// The far side of all channels of the Sandbox Wallet.
const WALLET: &str = "wallet --stage";
/// Far sides that are not called as their channel.
const FAR_SIDES: [(&str, &str); 3] = [("sandbox", WALLET), ("wallet", "stored-value"), ("card", "acquirer --tls")];
/// Other ways in which a scheme deals with a channel, each played whole: keys that are certificates, a service provider's merchants, and
/// the scheme's keys as they are held, fetched and rotated; an acquirer whose keys are of AES and whose lengths are digits.
const VARIANTS: [(&str, &str); 4] = [
    ("alipay", "alipay --certificates"),
    ("wechatpay", "wechatpay --signing certificate"),
    ("wechatpay", "wechatpay --partner --signing next-certificate"),
    ("card", "acquirer --tls --mac aes-cmac --length-header decimal-with-itself"),
];
/// The folder of what far sides heard, which software of others reads.
const HEARD: &str = "heard";
/// Cases that are played at once: most of them wait for a scheme that does not answer.
const JOBS: &str = "8";

pub fn test() -> Result<()> {
    let system = system::build()?;
    // What an earlier run heard is another build's.
    let heard = crate::target().join(HEARD);
    if heard.is_dir() {
        fs::remove_dir_all(&heard)?;
    }
    fs::create_dir_all(&heard)?;
    for name in guests::names()?.iter().filter(|name| !NOT_CHANNELS.contains(&name.as_str())) {
        let far_side = FAR_SIDES.iter().find(|(channel, _)| channel == name).map_or(name.as_str(), |(_, side)| *side);
        conforms(&system, name, &guests::component(name), far_side)?;
        for (_, far_side) in VARIANTS.iter().filter(|(channel, _)| channel == name) {
            conforms(&system, name, &guests::component(name), far_side)?;
        }
        agrees_with_others(&system, name)?;
    }
    timed("canteen-rules: conformance", || {
        let settings = crate::root().join("plugins/canteen-rules/settings.example.json");
        let mut play = command(system.programs.join("saoma"), &["plugin", "test"]);
        execute(play.arg(guests::component("canteen-rules")).arg("--settings").arg(settings))
    })?;
    in_typescript()?;
    in_python()
}

/// Where the far sides write down what the channel sent in the kit's cases.
fn heard(name: &str) -> PathBuf {
    crate::target().join(HEARD).join(format!("{name}.jsonl"))
}

fn conforms(system: &System, name: &str, component: &Path, far_side: &str) -> Result<()> {
    timed(&format!("{name}: conformance against {far_side}"), || {
        let schemes = system.programs.join("saoma-schemes");
        let far_side = format!("{} --heard {} {far_side}", schemes.display(), heard(name).display());
        let mut play = command(system.programs.join("saoma"), &["plugin", "test", "--jobs", JOBS]);
        execute(play.arg(component).arg("--far-side").arg(far_side))
    })
}

/// What software that others wrote says of the channel's messages and of its far side: `oracle`, in whichever language that is.
fn agrees_with_others(system: &System, name: &str) -> Result<()> {
    let oracle = crate::root().join("plugins").join(name).join("oracle");
    let asked = |command: &mut Command| {
        let schemes = system.programs.join("saoma-schemes");
        execute(command.current_dir(&oracle).env("SAOMA_SCHEMES", schemes).env("SAOMA_HEARD", heard(name)))
    };
    if oracle.join("package.json").is_file() {
        machine::node()?;
        timed(&format!("{name}: against other software"), || {
            web::install(&oracle)?;
            asked(&mut command("node", &["--test"]))
        })?;
    }
    if oracle.join("requirements.txt").is_file() {
        machine::packages(&[&machine::PYTHON_VENV])?;
        timed(&format!("{name}: against other software"), || {
            let python = machine::python_with(&oracle.join("requirements.txt"), name, &[])?;
            asked(&mut command(python, &["-B", "-m", "unittest"]))
        })?;
    }
    Ok(())
}

/// The components of the channels in other languages are played as `saoma plugin new` writes them (`walk`).
fn in_typescript() -> Result<()> {
    machine::node()?;
    let (sdk, channel) = (crate::root().join("sdk/js"), crate::root().join("sdk/examples/js"));
    timed("TypeScript: SDK and channel", || {
        // The SDK's tool takes the engine from the channel's packages.
        web::install(&channel)?;
        web::install(&sdk)?;
        for folder in [&sdk, &channel] {
            execute(command("npm", &["run", "--silent", "check"]).current_dir(folder))?;
        }
        Ok(())
    })
}

fn in_python() -> Result<()> {
    machine::packages(&[&machine::PYTHON_VENV])?;
    timed("Python: channel", || {
        execute(command("python3", &["build.py", "check"]).current_dir(crate::root().join("sdk/examples/python")))
    })
}

/// The channels in JavaScript and Python, built where they lie, for the benches: name and component.
pub fn examples() -> Result<[(&'static str, PathBuf); 2]> {
    machine::node()?;
    machine::packages(&[&machine::PYTHON_VENV])?;
    timed("Channels in JavaScript and Python", || {
        let examples = crate::root().join("sdk/examples");
        web::install(&examples.join("js"))?;
        execute(command("npm", &["run", "--silent", "build"]).current_dir(examples.join("js")))?;
        execute(command("python3", &["build.py"]).current_dir(examples.join("python")))?;
        Ok([
            ("sandbox-js", examples.join("js/dist/sandbox-js.wasm")),
            ("sandbox-python", examples.join("python/dist/sandbox-python.wasm")),
        ])
    })
}
