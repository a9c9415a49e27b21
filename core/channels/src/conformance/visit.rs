//! A visitor with an app: their browser goes to the scheme and comes back, and what it brings along says who they are.

use super::{
    far_side::FarSideError,
    play::{Player, Stop},
    told::{self, Told},
};

/// Where visitors come back to. Nothing listens there; the kit reads where they were sent, and goes nowhere.
const RETURN_URL: &str = "http://127.0.0.1:9/s/kit/back";
const STATE: &str = "5f1c0ffee0ddba11c0de5afe5eed1e55";

/// What a visitor comes back with, without the state; none if the channel need not know who they are.
async fn came_back(player: &Player<'_>, app: &str) -> Result<Option<Vec<(String, String)>>, Stop> {
    let outcome = player.caller.identify(&player.account, app, RETURN_URL, STATE).await;
    let url = match outcome {
        Ok(Some(url)) => url,
        Ok(None) => return Ok(None),
        Err(failure) => return Err(Stop::failed("identify -> a URL, or none", told::failure(&failure).sentence)),
    };
    let to = player.far_side.visited(&url).await?;
    let query = to.strip_prefix(RETURN_URL).and_then(|rest| rest.strip_prefix('?'));
    let Some(query) = query else {
        return Err(Stop::failed(format!("the visitor to come back to {RETURN_URL}"), to));
    };
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let states: Vec<&str> = pairs.iter().filter(|(name, _)| name == "state").map(|(_, value)| value.as_str()).collect();
    if states != [STATE] {
        return Err(Stop::failed("the visitor to come back with the state that they were sent with", to));
    }
    Ok(Some(pairs.into_iter().filter(|(name, _)| name != "state").collect()))
}

/// The app and the payer of an order to come.
pub(super) async fn payer(player: &Player<'_>) -> Result<(String, String), Stop> {
    let app = player.manifest.apps.first().map(|app| app.id.clone());
    let app = app.ok_or_else(|| Stop::failed("an app that is served", "none"))?;
    let payer = match came_back(player, &app).await? {
        None => String::new(),
        Some(parameters) => player
            .caller
            .payer(&player.account, &app, &parameters)
            .await
            .map_err(|failure| Stop::failed("payer -> who came back", told::failure(&failure).sentence))?,
    };
    Ok((app, payer))
}

async fn known(player: &Player<'_>, app: &str, parameters: &[(String, String)]) -> Told {
    match player.caller.payer(&player.account, app, parameters).await {
        Ok(_) => Told::new("known", "somebody is known"),
        Err(failure) => told::failure(&failure),
    }
}

/// What the channel says of a visitor who comes back from the first app's scheme.
pub(super) async fn comes_back(player: &Player<'_>) -> Result<Told, Stop> {
    let app = player.manifest.apps.first().map(|app| app.id.clone()).unwrap_or_default();
    Ok(match came_back(player, &app).await? {
        None => Told::new("known", "nobody need be known"),
        Some(parameters) => known(player, &app, &parameters).await,
    })
}

/// That what was brought along is good once, and what was not brought along is good for nothing.
pub(super) async fn strangers(player: &mut Player<'_>) -> Result<(), Stop> {
    let app = player.manifest.apps.first().map(|app| app.id.clone()).unwrap_or_default();
    let Some(parameters) = came_back(player, &app).await? else {
        player.done.push("identify -> nobody need be known".to_owned());
        return Ok(());
    };
    let made_up: Vec<_> =
        parameters.iter().map(|(name, value)| (name.clone(), value.chars().rev().collect())).collect();
    for (what, parameters, expected) in [
        ("payer", parameters.clone(), "known"),
        ("payer of the same again", parameters, "not-sent"),
        ("payer of what nobody gave", made_up, "not-sent"),
        ("payer of nothing", Vec::new(), "not-sent"),
    ] {
        let told = known(player, &app, &parameters).await;
        player.said.push(told.sentence.clone());
        player.held_to(what, &told, &[expected.to_owned()])?;
    }
    Ok(())
}

impl From<reqwest::Error> for FarSideError {
    fn from(error: reqwest::Error) -> Self {
        Self::Door { request: "the visitor's".to_owned(), why: error.to_string() }
    }
}
