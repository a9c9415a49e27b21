//! The versions of the contract side by side: whichever a component was built for, a call of it is asked and answered in the
//! words of the newest.

mod v0_1;

use wasmtime::{
    Engine, Store,
    component::{Component, HasSelf, InstancePre, Linker, types::ComponentItem},
};

use crate::{
    bindings::{self, contract, in_app::exports::saoma::channel::in_app, settlement, types},
    failure::InstallError,
    host::CallState,
    settlement::not_exported,
};

/// What a component must export, but for the version.
const EXPORT: &str = "saoma:channel/channel@";

/// What a channel exports that settles batches; since the newest version.
const EXPORT_OF_SETTLEMENT: &str = "saoma:channel/settlement@0.2.0";
/// The same of one that serves pages which are open in an app.
const EXPORT_OF_APPS: &str = "saoma:channel/in-app@0.2.0";
/// The same of one that forwards what was sold without a network.
const EXPORT_OF_STORED: &str = "saoma:channel/stored@0.2.0";

/// What rules must export, but for the version.
const EXPORT_OF_RULES: &str = "saoma:channel/extension@";

/// What a component was built to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum World {
    PaymentChannel,
    MerchantExtension,
}

impl World {
    /// By what it exports; a component that would be both is a channel, whose checks it then has to pass.
    pub(crate) fn of(engine: &Engine, component: &Component) -> Option<Self> {
        let exported = component.component_type();
        let has = |prefix: &str| exported.exports(engine).any(|(name, _)| name.starts_with(prefix));
        if has(EXPORT) {
            return Some(Self::PaymentChannel);
        }
        has(EXPORT_OF_RULES).then_some(Self::MerchantExtension)
    }
}

/// The versions that the host runs, as `sdk/wit` has them.
pub(crate) const VERSIONS: [&str; 2] = ["0.1.0", "0.2.0"];
/// The only one that has rules.
pub(crate) const NEWEST: &str = VERSIONS[VERSIONS.len() - 1];

/// Puts the imports of every version within reach of components.
pub(crate) fn add_to_linker(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    bindings::v0_1::PaymentChannel::add_to_linker::<CallState, HasSelf<CallState>>(linker, |state| state)?;
    bindings::v0_2::PaymentChannel::add_to_linker::<CallState, HasSelf<CallState>>(linker, |state| state)
}

/// A component that is ready to be instantiated, of either version.
pub(crate) enum Pre {
    V0_1(bindings::v0_1::PaymentChannelPre<CallState>),
    V0_2(Newest),
}

/// A component of the newest version, with what it may have beside a channel.
pub(crate) struct Newest {
    pub(crate) pre: InstancePre<CallState>,
    channel: bindings::v0_2::PaymentChannelIndices,
    settles: Option<bindings::settles::SettlesIndices>,
    apps: Option<bindings::in_app::InAppPartIndices>,
    forwards: Option<bindings::forwards::ForwardsIndices>,
}

impl Newest {
    fn new(engine: &Engine, pre: InstancePre<CallState>) -> wasmtime::Result<Self> {
        let exported = pre.component().component_type();
        let has = |export| exported.exports(engine).any(|(name, _)| name == export);
        let (settles, apps, forwards) = (has(EXPORT_OF_SETTLEMENT), has(EXPORT_OF_APPS), has(EXPORT_OF_STORED));
        Ok(Self {
            channel: bindings::v0_2::PaymentChannelIndices::new(&pre)?,
            settles: settles.then(|| bindings::settles::SettlesIndices::new(&pre)).transpose()?,
            apps: apps.then(|| bindings::in_app::InAppPartIndices::new(&pre)).transpose()?,
            forwards: forwards.then(|| bindings::forwards::ForwardsIndices::new(&pre)).transpose()?,
            pre,
        })
    }

    async fn instantiate(&self, store: &mut Store<CallState>) -> wasmtime::Result<Guest> {
        let instance = self.pre.instantiate_async(&mut *store).await?;
        let channel = self.channel.load(&mut *store, &instance)?;
        let settles = self.settles.as_ref().map(|settles| settles.load(&mut *store, &instance)).transpose()?;
        let apps = self.apps.as_ref().map(|apps| apps.load(&mut *store, &instance)).transpose()?;
        let forwards = self.forwards.as_ref().map(|forwards| forwards.load(&mut *store, &instance)).transpose()?;
        Ok(Guest::V0_2 { channel, settles, apps, forwards })
    }
}

impl Pre {
    /// # Errors
    /// `UnknownVersion`, `DoesNotFit`.
    pub(crate) fn new(
        engine: &Engine,
        linker: &Linker<CallState>,
        component: &Component,
    ) -> Result<Self, InstallError> {
        if World::of(engine, component) == Some(World::MerchantExtension) {
            return Err(InstallError::IsExtension);
        }
        let unfit = |error: wasmtime::Error| InstallError::DoesNotFit(format!("{error:#}"));
        let exported = component.component_type();
        let version = exported
            .exports(engine)
            .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentInstance(_)))
            .find_map(|(name, _)| name.strip_prefix(EXPORT))
            .ok_or_else(|| InstallError::DoesNotFit(format!("it exports no {EXPORT}…")))?;
        if !VERSIONS.contains(&version) {
            return Err(InstallError::UnknownVersion { version: version.chars().take(40).collect() });
        }
        let pre = linker.instantiate_pre(component).map_err(unfit)?;
        if version == VERSIONS[0] {
            bindings::v0_1::PaymentChannelPre::new(pre).map(Self::V0_1).map_err(unfit)
        } else {
            Newest::new(engine, pre).map(Self::V0_2).map_err(unfit)
        }
    }

    /// The version of the contract that it was built for.
    pub(crate) fn version(&self) -> &'static str {
        match self {
            Self::V0_1(_) => VERSIONS[0],
            Self::V0_2(_) => VERSIONS[1],
        }
    }

    pub(crate) fn component(&self) -> &Component {
        match self {
            Self::V0_1(pre) => pre.instance_pre().component(),
            Self::V0_2(newest) => newest.pre.component(),
        }
    }

    /// Whether it exports what settles batches.
    pub(crate) const fn settles(&self) -> bool {
        matches!(self, Self::V0_2(Newest { settles: Some(_), .. }))
    }

    /// Whether it exports what forwards stored sales.
    pub(crate) const fn forwards(&self) -> bool {
        matches!(self, Self::V0_2(Newest { forwards: Some(_), .. }))
    }

    pub(crate) async fn instantiate(&self, store: &mut Store<CallState>) -> wasmtime::Result<Guest> {
        match self {
            Self::V0_1(pre) => Ok(Guest::V0_1(pre.instantiate_async(store).await?)),
            Self::V0_2(newest) => newest.instantiate(store).await,
        }
    }
}

/// One instance. Its functions are the contract's, with the types of the newest version.
#[expect(clippy::large_enum_variant, reason = "one lives as long as its call, and is not moved about")]
pub(crate) enum Guest {
    V0_1(bindings::v0_1::PaymentChannel),
    V0_2 {
        channel: bindings::v0_2::PaymentChannel,
        settles: Option<bindings::settles::Settles>,
        apps: Option<bindings::in_app::InAppPart>,
        forwards: Option<bindings::forwards::Forwards>,
    },
}

type Answered<T> = wasmtime::Result<Result<T, types::Error>>;

impl Guest {
    pub(crate) async fn describe(&self, store: &mut Store<CallState>) -> wasmtime::Result<types::Manifest> {
        match self {
            Self::V0_1(guest) => Ok(guest.saoma_channel_channel().call_describe(store).await?.into()),
            Self::V0_2 { channel, .. } => channel.saoma_channel_channel().call_describe(store).await,
        }
    }

    pub(crate) async fn create(
        &self,
        store: &mut Store<CallState>,
        account: &types::Account,
        order: &types::Order,
    ) -> Answered<contract::Created> {
        match self {
            Self::V0_1(guest) => {
                let order = v0_1::order(order, account);
                v0_1::answered(guest.saoma_channel_channel().call_create(store, &account.into(), &order).await?)
            }
            Self::V0_2 { channel, .. } => channel.saoma_channel_channel().call_create(store, account, order).await,
        }
    }

    pub(crate) async fn charge(
        &self,
        store: &mut Store<CallState>,
        account: &types::Account,
        order: &types::Order,
        code: &str,
    ) -> Answered<types::PaymentAnswer> {
        match self {
            Self::V0_1(guest) => {
                let order = v0_1::order(order, account);
                v0_1::answered(guest.saoma_channel_channel().call_charge(store, &account.into(), &order, code).await?)
            }
            Self::V0_2 { channel, .. } => {
                channel.saoma_channel_channel().call_charge(store, account, order, code).await
            }
        }
    }

    pub(crate) async fn query(
        &self,
        store: &mut Store<CallState>,
        account: &types::Account,
        order: &types::KnownOrder,
    ) -> Answered<types::PaymentAnswer> {
        match self {
            Self::V0_1(guest) => {
                let guest = guest.saoma_channel_channel();
                v0_1::answered(guest.call_query(store, &account.into(), &order.number).await?)
            }
            Self::V0_2 { channel, .. } => channel.saoma_channel_channel().call_query(store, account, order).await,
        }
    }

    pub(crate) async fn cancel(
        &self,
        store: &mut Store<CallState>,
        account: &types::Account,
        order: &types::KnownOrder,
    ) -> Answered<types::PaymentAnswer> {
        match self {
            Self::V0_1(guest) => {
                let guest = guest.saoma_channel_channel();
                v0_1::answered(guest.call_cancel(store, &account.into(), &order.number).await?)
            }
            Self::V0_2 { channel, .. } => channel.saoma_channel_channel().call_cancel(store, account, order).await,
        }
    }

    pub(crate) async fn refund(
        &self,
        store: &mut Store<CallState>,
        account: &types::Account,
        refund: &types::RefundOrder,
    ) -> Answered<types::RefundAnswer> {
        match self {
            Self::V0_1(guest) => {
                let guest = guest.saoma_channel_channel();
                v0_1::answered(guest.call_refund(store, &account.into(), &refund.into()).await?)
            }
            Self::V0_2 { channel, .. } => channel.saoma_channel_channel().call_refund(store, account, refund).await,
        }
    }

    pub(crate) async fn query_refund(
        &self,
        store: &mut Store<CallState>,
        account: &types::Account,
        refund: &types::RefundOrder,
    ) -> Answered<types::RefundAnswer> {
        match self {
            Self::V0_1(guest) => {
                let guest = guest.saoma_channel_channel();
                v0_1::answered(guest.call_query_refund(store, &account.into(), &refund.into()).await?)
            }
            Self::V0_2 { channel, .. } => {
                channel.saoma_channel_channel().call_query_refund(store, account, refund).await
            }
        }
    }

    pub(crate) async fn parse_notification(
        &self,
        store: &mut Store<CallState>,
        account: &types::Account,
        message: &contract::HttpMessage,
    ) -> wasmtime::Result<Result<contract::NotificationOutcome, contract::NotificationError>> {
        match self {
            Self::V0_1(guest) => {
                let guest = guest.saoma_channel_channel();
                let outcome = guest.call_parse_notification(store, &account.into(), &message.into()).await?;
                Ok(outcome.map(Into::into).map_err(Into::into))
            }
            Self::V0_2 { channel, .. } => {
                channel.saoma_channel_channel().call_parse_notification(store, account, message).await
            }
        }
    }

    pub(crate) async fn fetch_bill(
        &self,
        store: &mut Store<CallState>,
        account: &types::Account,
        day: &str,
        cursor: Option<&str>,
    ) -> Answered<contract::BillPage> {
        match self {
            Self::V0_1(guest) => {
                let guest = guest.saoma_channel_channel();
                v0_1::answered(guest.call_fetch_bill(store, &account.into(), day, cursor).await?)
            }
            Self::V0_2 { channel, .. } => {
                channel.saoma_channel_channel().call_fetch_bill(store, account, day, cursor).await
            }
        }
    }

    pub(crate) async fn self_test(&self, store: &mut Store<CallState>, account: &types::Account) -> Answered<String> {
        match self {
            Self::V0_1(guest) => {
                v0_1::answered(guest.saoma_channel_channel().call_self_test(store, &account.into()).await?)
            }
            Self::V0_2 { channel, .. } => channel.saoma_channel_channel().call_self_test(store, account).await,
        }
    }

    /// The interface by which it settles batches.
    fn settlement(&self) -> Option<&settlement::Guest> {
        match self {
            Self::V0_2 { settles: Some(settles), .. } => Some(settles.saoma_channel_settlement()),
            Self::V0_1(_) | Self::V0_2 { settles: None, .. } => None,
        }
    }

    /// `None` if it does not settle.
    pub(crate) async fn settlement_terms(
        &self,
        store: &mut Store<CallState>,
    ) -> wasmtime::Result<Option<settlement::SettlementTerms>> {
        match self.settlement() {
            Some(guest) => guest.call_terms(store).await.map(Some),
            None => Ok(None),
        }
    }

    pub(crate) async fn settle(
        &self,
        store: &mut Store<CallState>,
        account: &types::Account,
        batch: &settlement::Batch,
    ) -> Answered<settlement::Settled> {
        match self.settlement() {
            Some(guest) => guest.call_settle(store, account, batch).await,
            None => not_exported(),
        }
    }

    pub(crate) async fn upload(
        &self,
        store: &mut Store<CallState>,
        account: &types::Account,
        batch: &settlement::Batch,
        rows: &[settlement::Row],
    ) -> Answered<()> {
        match self.settlement() {
            Some(guest) => guest.call_upload(store, account, batch, rows).await,
            None => not_exported(),
        }
    }

    pub(crate) async fn finish(
        &self,
        store: &mut Store<CallState>,
        account: &types::Account,
        batch: &settlement::Batch,
    ) -> Answered<settlement::Settled> {
        match self.settlement() {
            Some(guest) => guest.call_finish(store, account, batch).await,
            None => not_exported(),
        }
    }

    pub(crate) async fn forward(
        &self,
        store: &mut Store<CallState>,
        account: &types::Account,
        order: &types::Order,
        at: i64,
    ) -> Answered<types::PaymentAnswer> {
        match self {
            Self::V0_2 { forwards: Some(guest), .. } => {
                guest.saoma_channel_stored().call_forward(store, account, order, at).await
            }
            Self::V0_1(_) | Self::V0_2 { forwards: None, .. } => not_exported(),
        }
    }

    /// The apps that it serves; none if it does not export that.
    pub(crate) async fn apps(&self, store: &mut Store<CallState>) -> wasmtime::Result<Vec<in_app::App>> {
        match self.in_app() {
            Some(guest) => guest.call_apps(store).await,
            None => Ok(Vec::new()),
        }
    }

    pub(crate) async fn identify(
        &self,
        store: &mut Store<CallState>,
        account: &types::Account,
        app: &str,
        return_url: &str,
        state: &str,
    ) -> Answered<Option<String>> {
        match self.in_app() {
            Some(guest) => guest.call_identify(store, account, app, return_url, state).await,
            None => not_exported(),
        }
    }

    pub(crate) async fn payer(
        &self,
        store: &mut Store<CallState>,
        account: &types::Account,
        app: &str,
        parameters: &[(String, String)],
    ) -> Answered<String> {
        match self.in_app() {
            Some(guest) => guest.call_payer(store, account, app, parameters).await,
            None => not_exported(),
        }
    }

    pub(crate) async fn open(
        &self,
        store: &mut Store<CallState>,
        account: &types::Account,
        app: &str,
        order: &types::Order,
        payer: &str,
    ) -> Answered<in_app::Step> {
        match self.in_app() {
            Some(guest) => guest.call_open(store, account, app, order, payer).await,
            None => not_exported(),
        }
    }

    fn in_app(&self) -> Option<&in_app::Guest> {
        match self {
            Self::V0_2 { apps: Some(guest), .. } => Some(guest.saoma_channel_in_app()),
            Self::V0_1(_) | Self::V0_2 { apps: None, .. } => None,
        }
    }
}
