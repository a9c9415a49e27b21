//! What each kind of caller may do: one table.

use saoma_store::{Principal, users::Role};

/// What one endpoint needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// See and end one's own session, change one's own password.
    OwnSession,
    ReadPayments,
    TakePayments,
    GiveRefunds,
    /// Propose how a stuck payment or refund ended.
    SettleByHand,
    /// Be the second person who confirms or withdraws that.
    ConfirmSettlements,
    ReadBooks,
    /// Compare books with bills, and decide what becomes of differences.
    Reconcile,
    /// Write down what channels say of disputes, and answer them.
    HandleDisputes,
    ReadFleet,
    ManageFleet,
    ManageStores,
    /// Say what is sold, at what price and under which tax.
    ManageGoods,
    ManageChannels,
    /// Publish plugins that a trusted publisher has signed; the platform for everybody, others for their merchant.
    PublishPlugins,
    /// Say whose signatures are believed, and which package of a plugin serves new payments.
    ManagePlugins,
    ManagePeople,
    /// Say who signs on at tills, and give them their PINs.
    ManageCashiers,
    ManageWebhooks,
    ReadAudit,
    ManageTenants,
    ReadStoredValue,
    /// Open accounts of stored value, take money for them, and freeze what was lost.
    ServeStoredValue,
    /// Limits, what was a mistake, what is released, and what is paid out.
    ManageStoredValue,
    /// The requests of those who accept stored value of this merchant's.
    AcceptStoredValue,
    /// The requests that only a terminal makes.
    BeTerminal,
}

impl Right {
    /// As it stands after "the right to".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::OwnSession => "hold a session",
            Self::ReadPayments => "see payments",
            Self::TakePayments => "take payments",
            Self::GiveRefunds => "give refunds",
            Self::SettleByHand => "settle by hand",
            Self::ConfirmSettlements => "confirm what was settled by hand",
            Self::ReadBooks => "see the books",
            Self::Reconcile => "reconcile the books",
            Self::HandleDisputes => "handle disputes",
            Self::ReadFleet => "see terminals",
            Self::ManageFleet => "manage terminals",
            Self::ManageStores => "manage stores",
            Self::ManageGoods => "manage goods",
            Self::ManageChannels => "manage channel accounts",
            Self::PublishPlugins => "publish plugins",
            Self::ManagePlugins => "manage plugins",
            Self::ManagePeople => "manage people and API keys",
            Self::ManageCashiers => "manage cashiers",
            Self::ManageWebhooks => "manage webhooks",
            Self::ReadAudit => "read the audit log",
            Self::ManageTenants => "manage merchants",
            Self::ReadStoredValue => "see stored value",
            Self::ServeStoredValue => "serve holders of stored value",
            Self::ManageStoredValue => "manage stored value",
            Self::AcceptStoredValue => "accept stored value",
            Self::BeTerminal => "speak as a terminal",
        }
    }
}

const OWNER: &[Right] = &[
    Right::OwnSession,
    Right::ReadPayments,
    Right::TakePayments,
    Right::GiveRefunds,
    Right::SettleByHand,
    Right::ConfirmSettlements,
    Right::ReadBooks,
    Right::Reconcile,
    Right::HandleDisputes,
    Right::ReadFleet,
    Right::ManageFleet,
    Right::ManageStores,
    Right::ManageGoods,
    Right::ManageChannels,
    Right::PublishPlugins,
    Right::ManagePlugins,
    Right::ManagePeople,
    Right::ManageCashiers,
    Right::ManageWebhooks,
    Right::ReadAudit,
    Right::ReadStoredValue,
    Right::ServeStoredValue,
    Right::ManageStoredValue,
    Right::AcceptStoredValue,
];
const MANAGER: &[Right] = &[
    Right::OwnSession,
    Right::ReadPayments,
    Right::TakePayments,
    Right::GiveRefunds,
    Right::ConfirmSettlements,
    Right::ReadBooks,
    Right::ReadFleet,
    Right::ManageFleet,
    Right::ManageStores,
    Right::ManageCashiers,
    Right::ManageGoods,
    Right::ReadStoredValue,
    Right::ServeStoredValue,
    Right::ManageStoredValue,
];
const CASHIER: &[Right] = &[
    Right::OwnSession,
    Right::ReadPayments,
    Right::TakePayments,
    Right::ReadFleet,
    Right::ReadStoredValue,
    Right::ServeStoredValue,
];
const ACCOUNTANT: &[Right] = &[
    Right::OwnSession,
    Right::ReadPayments,
    Right::ConfirmSettlements,
    Right::ReadBooks,
    Right::Reconcile,
    Right::HandleDisputes,
    Right::ReadFleet,
    Right::ReadAudit,
    Right::ReadStoredValue,
];
const READ_ONLY: &[Right] = &[Right::OwnSession, Right::ReadPayments, Right::ReadFleet];
const PUBLISHER: &[Right] = &[Right::OwnSession, Right::PublishPlugins];
const ACCEPTOR: &[Right] = &[Right::OwnSession, Right::AcceptStoredValue];
const PLATFORM: &[Right] =
    &[Right::OwnSession, Right::ManageTenants, Right::PublishPlugins, Right::ManagePlugins, Right::ReadAudit];
const TERMINAL: &[Right] = &[Right::BeTerminal, Right::ReadPayments, Right::TakePayments, Right::GiveRefunds];

/// What a caller may do.
#[must_use]
pub fn rights_of(principal: &Principal) -> &'static [Right] {
    match principal {
        Principal::Platform { .. } => PLATFORM,
        Principal::User { role, .. } => of_role(*role),
        // A key acts as a role; one whose role we no longer know may do nothing.
        Principal::ApiKey { scopes, .. } => {
            scopes.first().and_then(|role| Role::from_text(role)).map_or(&[], |role| of_role(role))
        }
        Principal::Terminal { .. } => TERMINAL,
    }
}

/// Whether the caller may do all that this role may. Nobody gives away more than they have.
#[must_use]
pub fn covers(principal: &Principal, role: Role) -> bool {
    let own = rights_of(principal);
    of_role(role).iter().all(|right| own.contains(right))
}

const fn of_role(role: Role) -> &'static [Right] {
    match role {
        Role::PlatformAdmin => PLATFORM,
        Role::Owner => OWNER,
        Role::Manager => MANAGER,
        Role::Cashier => CASHIER,
        Role::Accountant => ACCOUNTANT,
        Role::ReadOnly => READ_ONLY,
        Role::PluginPublisher => PUBLISHER,
        Role::Acceptor => ACCEPTOR,
    }
}

/// A right as a type, for [`super::Caller`].
pub trait Needs: 'static {
    const RIGHT: Right;
}

macro_rules! needs {
    ($($name:ident)+) => {$(
        #[doc = concat!("Needs [`Right::", stringify!($name), "`].")]
        pub struct $name;

        impl Needs for $name {
            const RIGHT: Right = Right::$name;
        }
    )+};
}

needs! {
    OwnSession ReadPayments TakePayments GiveRefunds SettleByHand ConfirmSettlements ReadBooks Reconcile HandleDisputes ReadFleet ManageFleet ManageStores ManageGoods
    ManageChannels PublishPlugins ManagePlugins ManagePeople ManageCashiers ManageWebhooks ReadAudit ManageTenants
    ReadStoredValue ServeStoredValue ManageStoredValue AcceptStoredValue BeTerminal
}
