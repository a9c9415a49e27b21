//! Whose publishers, packages and rollouts of plugins: the platform's, which everybody may use, or a tenant's own.

use std::str::FromStr;

use saoma_protocol::TenantId;

use crate::{PlatformScope, TenantScope, audit::PLATFORM, reach::Reach};

/// The right to change what is the owner's. It holds the scope, so it cannot be made from a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Platform(PlatformScope),
    Tenant(TenantScope),
}

impl Owner {
    #[must_use]
    pub const fn tenant(&self) -> Option<TenantId> {
        match self {
            Self::Platform(_) => None,
            Self::Tenant(scope) => Some(scope.tenant()),
        }
    }

    /// As it stands in rows.
    pub(crate) fn key(&self) -> Key {
        Key(self.tenant())
    }
}

impl From<&Owner> for Reach {
    fn from(owner: &Owner) -> Self {
        match owner {
            Owner::Platform(scope) => scope.into(),
            Owner::Tenant(scope) => scope.into(),
        }
    }
}

/// A tenant, or the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(pub Option<TenantId>);

impl Key {
    pub const PLATFORM: Self = Self(None);
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(tenant) => tenant.fmt(f),
            None => f.write_str(PLATFORM),
        }
    }
}

impl FromStr for Key {
    type Err = <TenantId as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == PLATFORM { Ok(Self::PLATFORM) } else { text.parse().map(|tenant| Self(Some(tenant))) }
    }
}
