//! Each channel against its far side, and both against software that others wrote.

use anyhow::Result;

use crate::{
    guests, machine,
    stage::{command, execute, timed},
    system, web,
};

/// Guests that are no channels: they exist to be contained, or to be old.
const NOT_CHANNELS: [&str; 2] = ["hostile", "frozen"];

pub fn test() -> Result<()> {
    let system = system::build()?;
    let (saoma, schemes) = (system.programs.join("saoma"), system.programs.join("saoma-schemes"));
    for name in guests::names()?.iter().filter(|name| !NOT_CHANNELS.contains(&name.as_str())) {
        timed(&format!("{name}: conformance"), || {
            let component = system.plugins.join(format!("{name}.wasm"));
            let far_side = format!("{} {name}", schemes.display());
            execute(command(&saoma, &["plugin", "test"]).arg(component).arg("--far-side").arg(far_side))
        })?;
        let oracle = crate::root().join("plugins").join(name).join("oracle");
        if oracle.join("package.json").is_file() {
            machine::node()?;
            timed(&format!("{name}: against other software"), || {
                web::install(&oracle)?;
                execute(command("node", &["--test"]).current_dir(&oracle).env("SAOMA_SCHEMES", &schemes))
            })?;
        }
    }
    Ok(())
}
