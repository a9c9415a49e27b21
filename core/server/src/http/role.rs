//! Roles as they stand in requests and answers.

use saoma_store::{Principal, users};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    auth::rights::covers,
    problem::{FORBIDDEN, Problem},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    PlatformAdmin,
    Owner,
    Manager,
    Cashier,
    Accountant,
    ReadOnly,
    PluginPublisher,
    /// Takes stored value of this merchant's, and does nothing else: for keys of those who accept it.
    Acceptor,
}

impl Role {
    /// This role, to be given away by `giver`.
    ///
    /// # Errors
    /// `FORBIDDEN` if the giver may not do all that it may.
    pub fn given_by(self, giver: &Principal) -> Result<users::Role, Problem> {
        let role = users::Role::from(self);
        if covers(giver, role) {
            return Ok(role);
        }
        Err(Problem::new(FORBIDDEN, format!("You cannot give the role {}: it may do more than you.", role.text()))
            .at("/role"))
    }
}

impl From<users::Role> for Role {
    fn from(role: users::Role) -> Self {
        match role {
            users::Role::PlatformAdmin => Self::PlatformAdmin,
            users::Role::Owner => Self::Owner,
            users::Role::Manager => Self::Manager,
            users::Role::Cashier => Self::Cashier,
            users::Role::Accountant => Self::Accountant,
            users::Role::ReadOnly => Self::ReadOnly,
            users::Role::PluginPublisher => Self::PluginPublisher,
            users::Role::Acceptor => Self::Acceptor,
        }
    }
}

impl From<Role> for users::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::PlatformAdmin => Self::PlatformAdmin,
            Role::Owner => Self::Owner,
            Role::Manager => Self::Manager,
            Role::Cashier => Self::Cashier,
            Role::Accountant => Self::Accountant,
            Role::ReadOnly => Self::ReadOnly,
            Role::PluginPublisher => Self::PluginPublisher,
            Role::Acceptor => Self::Acceptor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_sent_as_it_is_stored() {
        for role in users::Role::ALL {
            assert_eq!(serde_json::to_value(Role::from(role)).unwrap(), role.text());
            assert_eq!(users::Role::from(Role::from(role)), role);
        }
    }
}
