//! Steps of a rollout: looked at by the domain, tried on this node and on the stored settings of those it is for, and then written
//! down under the version that whoever takes it has seen.

use std::collections::BTreeSet;

use saoma_channels::{
    ContentHash, Loaded, SettingsSchema,
    extension::{Extension, Rule},
    package::Kind,
};
use saoma_domain::package::{Choice, Rollout, Step};
use saoma_protocol::TenantId;
use saoma_store::{
    Owner, Principal, StoreError, Tx, access, channel_accounts, merchant_rules,
    plugin_packages::{self, Package},
    plugin_rollouts::{self, StoredRollout},
};
use serde_json::json;

use super::{
    NOBODY, PackageError, Serving, Unfit, note, owner_of,
    publish::{built_in, check_kind, kind_of, known_kind_of, trusted},
    serving,
};
use crate::{app::App, peers::Bell};

/// A step as somebody asks for it.
#[derive(Clone, Debug)]
pub struct Wish {
    pub plugin: String,
    /// The version of the rollout that they saw; 0 for one that is not there yet.
    pub seen: u64,
    pub step: Step,
    /// Of a canary: who has it.
    pub tenants: Vec<TenantId>,
}

/// What became of a rollout.
#[derive(Clone, Debug)]
pub struct Changed {
    pub rollout: StoredRollout,
    /// After a roll-back: accounts and merchants' rules whose settings what serves them now refuses. Until somebody changes them such
    /// accounts take no payments, and such rules fail: sales are refused where `refuse_on_failure` names one of them.
    pub unfit: Vec<Unfit>,
}

/// Takes one step. From the answer on, new payments on this node go by it, and soon on the others.
///
/// # Errors
/// `Refused` (`Stale` first), `Store` (`NotFound` for a package or tenant that is not there), `OtherPlugin`, `Retired`,
/// `Revoked`, `KindTaken`, `KindInFolder`, `CanarySize`, `CanaryOfOne`, `NotHere`, `SettingsRefused`.
pub async fn step(app: &App, who: Principal, wish: Wish) -> Result<Changed, PackageError> {
    let owner = owner_of(&who).ok_or(NOBODY)?;
    let plugin = wish.plugin.clone();
    let before = app.store().read(move |tx| plugin_rollouts::load(tx, &owner, &plugin)).await?;
    let next = before.as_ref().map_or(Rollout::UNTOUCHED, |stored| stored.rollout).decide(wish.seen, wish.step)?;
    if matches!(wish.step, Step::Canary(_)) {
        if owner.tenant().is_some() {
            return Err(PackageError::CanaryOfOne);
        }
        if wish.tenants.is_empty() || wish.tenants.len() > plugin_rollouts::CANARY_TENANTS_MAX {
            return Err(PackageError::CanarySize);
        }
    }
    let candidate = match wish.step {
        Step::Install(hash) | Step::Canary(hash) => Some(hash),
        Step::Promote => next.stable.package(),
        Step::RollBack => None,
    };
    let in_folder = built_in(app, &wish.plugin);
    // First whether it is theirs: of what is another's, not even its name is told.
    if let Some(hash) = candidate {
        let plugin = wish.plugin.clone();
        app.store().read(move |tx| may_be_rolled_out(tx, &owner, hash, &plugin, in_folder)).await?;
    }
    // What does not load here is not given to others. The way back is open all the same.
    let schema_of = |loaded: Loaded| loaded.settings_schema().clone();
    let lost = match candidate {
        Some(hash) => lost(app, &wish.plugin, before.as_ref(), hash).await?,
        None => Lost::default(),
    };
    let schema = match (candidate, next.stable) {
        (Some(hash), _) => Some(schema_of(serving::load_of(app, &wish.plugin, hash).await?)),
        (None, Choice::Package(hash)) => serving::load_of(app, &wish.plugin, hash).await.ok().map(schema_of),
        (None, Choice::BuiltIn) => built_in_schema(app, &wish.plugin),
    };
    let (now, serving) = (app.now(), app.clone());
    let work = move |tx: &mut Tx<'_>| {
        plugin_rollouts::take_turn(tx, &owner, &wish.plugin)?;
        if let Some(hash) = candidate {
            may_be_rolled_out(tx, &owner, hash, &wish.plugin, in_folder)?;
        }
        let mut tenants = wish.tenants.clone();
        tenants.sort();
        tenants.dedup();
        for tenant in &tenants {
            if let Owner::Platform(platform) = &owner {
                access::enter_tenant(tx, platform, *tenant)?;
            }
        }
        let stored = StoredRollout {
            tenant: owner.tenant(),
            plugin: wish.plugin.clone(),
            rollout: next,
            canary_tenants: if next.canary.is_some() { tenants } else { Vec::new() },
            changed_at: now,
            changed_by: who.actor(),
        };
        let of = matches!(wish.step, Step::Canary(_)).then_some(stored.canary_tenants.as_slice());
        let unfit = match (&schema, next.stable) {
            (Some(schema), _) => {
                let fits = |settings: &str| schema.check(settings).map(drop).map_err(|error| error.to_string());
                unfit(tx, &owner, &wish.plugin, of, serving.serving(), &lost, fits)?
            }
            (None, Choice::BuiltIn) => {
                let fits = |_: &str| Err("no plugin of this id is built in: nothing serves it any more".to_owned());
                unfit(tx, &owner, &wish.plugin, of, serving.serving(), &lost, fits)?
            }
            // It does not load here now; what it says of the settings is not known.
            (None, Choice::Package(_)) => Vec::new(),
        };
        if wish.step != Step::RollBack && !unfit.is_empty() {
            return Err(PackageError::SettingsRefused(unfit));
        }
        plugin_rollouts::save(tx, &owner, &stored)?;
        note(tx, &owner, &who, action(wish.step), &wish.plugin, &detail(&stored), now)?;
        Ok(Changed { rollout: stored, unfit })
    };
    let changed = app.store().write(work).await?;
    app.tell_others(Bell::Packages);
    // It is written down; if this node cannot serve it now, it says so by itself.
    if let Err(error) = serving::refresh(app).await {
        tracing::warn!(%error, "a rollout is served a little later");
        app.serving().bell().notify_one();
    }
    Ok(changed)
}

/// What merchants had of rules, and have no more after a step.
#[derive(Default)]
struct Lost {
    rules: BTreeSet<Rule>,
    /// The tenants of the canary: they have had the new version already.
    not_by: Vec<TenantId>,
}

/// # Errors
/// `NotHere`, `OtherPlugin`: of the new version.
async fn lost(
    app: &App,
    plugin: &str,
    before: Option<&StoredRollout>,
    candidate: ContentHash,
) -> Result<Lost, PackageError> {
    let offered = |rules: &Extension| rules.description().rules.clone();
    let new = serving::load_of(app, plugin, candidate).await?.rules().map(|rules| offered(rules)).unwrap_or_default();
    let old = match before.map_or(Choice::BuiltIn, |stored| stored.rollout.stable) {
        Choice::BuiltIn => app.channels().extension(plugin).map(|rules| offered(&rules)),
        // One that cannot be loaded has nothing that could be lost, and must not stand in the way of the next.
        Choice::Package(hash) => {
            let old = serving::load_of(app, plugin, hash).await.ok();
            old.and_then(|loaded| loaded.rules().map(|rules| offered(rules)))
        }
    };
    let canary = before.filter(|stored| stored.rollout.canary == Some(candidate));
    Ok(Lost {
        rules: old.unwrap_or_default().difference(&new).copied().collect(),
        not_by: canary.map(|stored| stored.canary_tenants.clone()).unwrap_or_default(),
    })
}

/// What the operator's plugin of that id wants of settings.
fn built_in_schema(app: &App, plugin: &str) -> Option<SettingsSchema> {
    let channel = app.channels().manifest(plugin).map(|manifest| manifest.settings_schema.clone());
    channel.or_else(|| Some(app.channels().extension(plugin)?.description().settings_schema.clone()))
}

const fn action(step: Step) -> &'static str {
    match step {
        Step::Install(_) => "plugin_rollout.installed",
        Step::Canary(_) => "plugin_rollout.canary_started",
        Step::Promote => "plugin_rollout.promoted",
        Step::RollBack => "plugin_rollout.rolled_back",
    }
}

fn detail(stored: &StoredRollout) -> serde_json::Value {
    let StoredRollout { rollout, canary_tenants, .. } = stored;
    json!({
        "stable": rollout.stable.to_string(),
        "previous": rollout.previous.map(|previous| previous.to_string()),
        "canary": rollout.canary.map(|canary| canary.to_string()),
        "canary_tenants": canary_tenants,
        "version": rollout.version,
    })
}

/// Whether new payments may be given to a package now.
fn may_be_rolled_out(
    tx: &mut Tx<'_>,
    owner: &Owner,
    hash: ContentHash,
    plugin: &str,
    in_folder: Option<Kind>,
) -> Result<Package, PackageError> {
    let package = plugin_packages::load(tx, owner, hash)?;
    if package.plugin != plugin {
        return Err(PackageError::OtherPlugin { hash, plugin: package.plugin });
    }
    if package.retired_at.is_some() {
        return Err(PackageError::Retired(hash));
    }
    // Also if the platform took the id after it was published: accounts of the platform's plugin hold secrets for that alone.
    if owner.tenant().is_some() && plugin_packages::is_of_platform(tx, plugin)? {
        return Err(PackageError::IdTaken(package.plugin));
    }
    if trusted(tx, owner)?.iter().all(|publisher| publisher.key_id != package.publisher) {
        return Err(PackageError::Revoked(package.publisher));
    }
    check_kind(tx, owner, plugin, known_kind_of(&package)?, in_folder)?;
    Ok(package)
}

/// The enabled accounts of the plugin, or the merchants' rules by it, whose stored settings do not fit, or which would lose a rule
/// without whose answer nothing is to be sold.
fn unfit(
    tx: &mut Tx<'_>,
    owner: &Owner,
    plugin: &str,
    tenants: Option<&[TenantId]>,
    serving: &Serving,
    lost: &Lost,
    fits: impl Fn(&str) -> Result<(), String>,
) -> Result<Vec<Unfit>, StoreError> {
    let accounts = channel_accounts::of_plugin(tx, owner, plugin, tenants)?;
    let accounts =
        accounts.into_iter().map(|(tenant, account, settings)| (tenant, Some(account), fits(&settings).err()));
    let loses = |tenant: &TenantId, refuse_on_failure: &[String]| {
        let is_named = |rule: &&Rule| refuse_on_failure.iter().any(|name| name == rule.text());
        let rule = lost.rules.iter().find(is_named).filter(|_| !lost.not_by.contains(tenant))?;
        Some(format!("it has no rule {}, without which nothing is to be sold (refuse_on_failure)", rule.text()))
    };
    let rules = merchant_rules::of_extension(tx, owner, plugin, tenants)?;
    let rules = rules.into_iter().map(|(tenant, rules)| {
        let why = fits(&rules.settings_json).err().or_else(|| loses(&tenant, &rules.refuse_on_failure));
        (tenant, None, why)
    });
    // A merchant that has a plugin of this name of its own is not served by the platform's, and must not hold it up.
    let is_concerned = |tenant| owner.tenant().is_some() || !serving.has_own(tenant, plugin);
    let refused = accounts
        .chain(rules)
        .filter(|(tenant, ..)| is_concerned(*tenant))
        .filter_map(|(tenant, account, why)| Some(Unfit { tenant, account, why: why? }));
    Ok(refused.collect())
}

/// Takes a package out of use for good: calls about its payments go through `successor` from now on. For a version that must not
/// be called again, whose payments another can look after: no other way hands payments on. Rules have none, and so need no other.
///
/// # Errors
/// `Store` (`NotFound`; `Stale` if it is retired already), `InUse`, `OtherPlugin` and `Retired` of the successor.
pub async fn retire(app: &App, who: Principal, hash: ContentHash, successor: Choice) -> Result<Package, PackageError> {
    let (owner, now) = (owner_of(&who).ok_or(NOBODY)?, app.now());
    if let Choice::Package(successor) = successor {
        app.store().read(move |tx| plugin_packages::load(tx, &owner, successor)).await?;
        serving::load(app, successor).await?;
    }
    let channels = app.channels().manifests();
    let work = move |tx: &mut Tx<'_>| {
        let package = plugin_packages::load(tx, &owner, hash)?;
        plugin_rollouts::take_turn(tx, &owner, &package.plugin)?;
        let named = plugin_rollouts::load(tx, &owner, &package.plugin)?;
        if named.is_some_and(|stored| stored.rollout.names(hash)) {
            return Err(PackageError::InUse(package.plugin));
        }
        match successor {
            Choice::Package(successor) => {
                let next = plugin_packages::load(tx, &owner, successor)?;
                if next.plugin != package.plugin {
                    return Err(PackageError::OtherPlugin { hash: successor, plugin: next.plugin });
                }
                if next.retired_at.is_some() || successor == hash {
                    return Err(PackageError::Retired(successor));
                }
            }
            Choice::BuiltIn if kind_of(&package) == Some(Kind::Rules) => {}
            Choice::BuiltIn if owner.tenant().is_some() || channels.iter().all(|own| own.id != package.plugin) => {
                return Err(StoreError::NotFound { what: "a built-in plugin of that id" }.into());
            }
            Choice::BuiltIn => {}
        }
        plugin_packages::retire(tx, &owner, hash, successor, now)?;
        let payments = plugin_packages::payments_of(tx, &owner, hash)?;
        let detail = json!({ "plugin": package.plugin, "successor": successor.to_string(), "payments": payments });
        note(tx, &owner, &who, "plugin_package.retired", &hash, &detail, now)?;
        Ok::<_, PackageError>((plugin_packages::load(tx, &owner, hash)?, payments))
    };
    let (retired, payments) = app.store().write(work).await?;
    forget(app, hash, payments).await;
    Ok(retired)
}

/// Frees what this node has of a retired package, so that no round of publishing and retiring leaves anything but a row. What is in memory
/// of one that has payments may be wanted by calls that were made ready before, and goes once it was idle for long enough. Other nodes
/// delete its code when they start.
async fn forget(app: &App, hash: ContentHash, payments: u64) {
    match app.store().read(|tx| plugin_packages::callable(tx, &access::process())).await {
        // The same bytes are another owner's as well.
        Ok(callable) if callable.contains(&hash) => {}
        Ok(_) => {
            if payments == 0 {
                app.channels().remove_package(hash);
            }
            app.channels().delete_code(hash).await;
        }
        Err(error) => tracing::warn!(%error, "the compiled code of a retired package stays until the next start"),
    }
}
