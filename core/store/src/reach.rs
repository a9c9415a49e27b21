//! Whose rows a query may touch: told to the database with the query, as a second wall behind its tenant filter.
//!
//! On PostgreSQL every table of tenants has a policy (`saoma_isolate` in the migrations) that shows and takes only the rows
//! of the tenant in the setting `saoma.tenant` of the transaction. A query whose author forgot the filter finds nothing of
//! others, and one that is told nothing finds nothing at all. SQLite has no such thing: there the filter stands alone.
//!
//! It does not hold a superuser or a role with BYPASSRLS; [`crate::Store::open`] warns of one.

use std::fmt;

use saoma_protocol::TenantId;

use crate::{PlatformScope, TenantScope};

/// The rows that one query may see and write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Tenant(TenantId),
    /// The platform's own rows and everybody's: for work that is claimed for any tenant, and for [`crate::access`], which
    /// has to find out whose a credential is.
    All,
}

impl Reach {
    /// Of a person's tenant; people of the platform have none.
    pub fn of(tenant: Option<TenantId>) -> Self {
        tenant.map_or(Self::All, Self::Tenant)
    }
}

impl From<&TenantScope> for Reach {
    fn from(scope: &TenantScope) -> Self {
        Self::Tenant(scope.tenant())
    }
}

impl From<&PlatformScope> for Reach {
    fn from(_: &PlatformScope) -> Self {
        Self::All
    }
}

/// As the setting `saoma.tenant` has it. No id is `*`, and none needs quoting.
impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(tenant) => tenant.fmt(f),
            Self::All => f.write_str("*"),
        }
    }
}
