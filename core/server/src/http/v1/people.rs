//! `/v1/users`: the merchant's people, and what each may do.

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, HeaderValue},
    },
    web,
};
use saoma_protocol::{Millis, UserId, api::Page};
use saoma_store::{
    TenantScope, Tx,
    users::{self, NewUser, User},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::audit::note;
use crate::{
    app::App,
    http::{
        auth::{
            Caller, passwords,
            rights::{ManagePeople, ReadBooks},
        },
        idempotency::IdempotencyKey,
        no_body::NoBody,
        once::{Wish, answered},
        problem::{INVALID, LAST_OWNER, Problem},
        role::Role,
        router::other_method,
        text,
    },
};

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/users")
                .route(web::get().to(list))
                .route(web::post().to(create))
                .default_service(web::to(other_method)),
        )
        .service(web::resource("/colleagues").route(web::get().to(colleagues)).default_service(web::to(other_method)))
        .service(
            web::resource("/users/{user}")
                .route(web::get().to(show))
                .route(web::patch().to(change))
                .default_service(web::to(other_method)),
        )
        .service(
            web::resource("/users/{user}/reset-password")
                .route(web::post().to(reset_password))
                .default_service(web::to(other_method)),
        );
}

/// A secret's answer is for the one who asked, not for the disks between.
pub(in crate::http) const NO_STORE: (actix_web::http::header::HeaderName, HeaderValue) =
    (CACHE_CONTROL, HeaderValue::from_static("no-store"));

/// A person.
#[derive(Serialize, ToSchema)]
pub struct UserView {
    id: UserId,
    name: String,
    /// What they sign in with.
    login: String,
    role: Role,
    /// Someone who is not active is not let in.
    active: bool,
    /// The password was set by somebody else: nothing else works before it is changed.
    must_change_password: bool,
    created_at: Millis,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        let User { id, tenant: _, login, name, role, active, must_change_password, created_at } = user;
        Self { id, name, login, role: role.into(), active, must_change_password, created_at }
    }
}

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    /// What they sign in with; unique over all merchants.
    email: String,
    /// 1 to 128 characters.
    name: String,
    role: Role,
}

/// A person and the password for their first sign-in, shown this once.
#[derive(Serialize, ToSchema)]
pub struct CreatedUser {
    user: UserView,
    one_time_password: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeUser {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    role: Option<Role>,
    /// `false` signs them out everywhere.
    #[serde(default)]
    active: Option<bool>,
}

/// A password for the next sign-in, shown this once.
#[derive(Serialize, ToSchema)]
pub struct OneTimePassword {
    one_time_password: String,
}

/// The merchant's people, by login.
#[utoipa::path(get, path = "/v1/users", tag = "users", responses((status = 200, body = Page<UserView>)))]
pub async fn list(app: web::Data<App>, caller: Caller<ManagePeople>) -> Result<web::Json<Page<UserView>>, Problem> {
    let scope = caller.scope()?;
    let people = app.store().read(move |tx| users::list(tx, &scope)).await?;
    Ok(web::Json(Page { items: people.into_iter().map(UserView::from).collect(), next_cursor: None }))
}

/// Whom a person works with.
#[derive(Serialize, ToSchema)]
pub struct ColleagueView {
    id: UserId,
    name: String,
    role: Role,
    /// Someone who is not active is not let in.
    active: bool,
}

/// The names of the merchant's people, for those who read in the books what they did and give them work.
#[utoipa::path(get, path = "/v1/colleagues", tag = "users", responses((status = 200, body = Page<ColleagueView>)))]
pub async fn colleagues(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
) -> Result<web::Json<Page<ColleagueView>>, Problem> {
    let scope = caller.scope()?;
    let people = app.store().read(move |tx| users::list(tx, &scope)).await?;
    let view = |User { id, name, role, active, .. }: User| ColleagueView { id, name, role: role.into(), active };
    Ok(web::Json(Page { items: people.into_iter().map(view).collect(), next_cursor: None }))
}

/// Adds a person. They sign in with the one-time password and must change it.
#[utoipa::path(post, path = "/v1/users", tag = "users", request_body = CreateUser,
    params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = CreatedUser)))]
pub async fn create(
    app: web::Data<App>,
    caller: Caller<ManagePeople>,
    key: IdempotencyKey,
    body: web::Json<CreateUser>,
) -> Result<HttpResponse, Problem> {
    let wish = Wish::of(&app, "POST /v1/users", &caller, &key, &*body)?;
    let (scope, who, body) = (caller.scope()?, caller.principal().clone(), body.into_inner());
    let role = body.role.given_by(&who)?;
    let (login, name) = (text::email(&body.email, "/email")?, text::name(&body.name, "/name")?);
    let (person, one_time_password) = new_person(&app, login, name, role).await?;
    let add = move |tx: &mut Tx<'_>| {
        let detail = json!({ "login": person.login, "name": person.name, "role": role.text() });
        note(tx, &who, "user.created", &person.id, &detail, person.created_at)?;
        let user = users::create(tx, &scope, &person)?.into();
        Ok(CreatedUser { user, one_time_password: one_time_password.clone() })
    };
    answered(&app, scope, wish, StatusCode::CREATED, add).await
}

/// One person.
#[utoipa::path(get, path = "/v1/users/{user}", tag = "users", params(("user" = UserId, Path)),
    responses((status = 200, body = UserView)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<ManagePeople>,
    user: web::Path<UserId>,
) -> Result<web::Json<UserView>, Problem> {
    let (scope, user) = (caller.scope()?, user.into_inner());
    Ok(web::Json(app.store().read(move |tx| users::load(tx, &scope, user)).await?.into()))
}

/// Renames a person, gives them another role, or shuts them out. A merchant keeps at least one active owner.
#[utoipa::path(patch, path = "/v1/users/{user}", tag = "users", request_body = ChangeUser,
    params(("user" = UserId, Path)), responses((status = 200, body = UserView)))]
pub async fn change(
    app: web::Data<App>,
    caller: Caller<ManagePeople>,
    user: web::Path<UserId>,
    body: web::Json<ChangeUser>,
) -> Result<web::Json<UserView>, Problem> {
    let (scope, who, id, body) = (caller.scope()?, caller.principal().clone(), user.into_inner(), body.into_inner());
    let role = body.role.map(|role| role.given_by(&who)).transpose()?;
    let name = body.name.as_deref().map(|name| text::name(name, "/name")).transpose()?;
    if (role, body.active, &name) == (None, None, &None) {
        return Err(Problem::new(INVALID, "Say what to change: name, role or active."));
    }
    let now = app.now();
    let user = app
        .store()
        .write(move |tx| {
            let detail = json!({ "name": name, "role": role.map(users::Role::text), "active": body.active });
            note(tx, &who, "user.changed", &id, &detail, now)?;
            let mut user = users::load(tx, &scope, id)?;
            user.name = name.clone().unwrap_or(user.name);
            user.role = role.unwrap_or(user.role);
            user.active = body.active.unwrap_or(user.active);
            users::update(tx, &scope, id, &user.name, user.role, user.active, now)?;
            keep_an_owner(tx, &scope)?;
            Ok::<_, Problem>(user)
        })
        .await?;
    Ok(web::Json(user.into()))
}

/// Gives a person a one-time password in place of the one they have, and signs them out everywhere.
#[utoipa::path(post, path = "/v1/users/{user}/reset-password", tag = "users",
    params(("user" = UserId, Path), ("Idempotency-Key" = String, Header)), responses((status = 200, body = OneTimePassword)))]
pub async fn reset_password(
    app: web::Data<App>,
    caller: Caller<ManagePeople>,
    user: web::Path<UserId>,
    key: IdempotencyKey,
    _body: NoBody,
) -> Result<HttpResponse, Problem> {
    let (scope, who, user) = (caller.scope()?, caller.principal().clone(), user.into_inner());
    let wish = Wish::of(&app, &format!("POST /v1/users/{user}/reset-password"), &caller, &key, &())?;
    // Nobody is asked to hash for someone who does not exist.
    app.store().read(move |tx| users::load(tx, &scope, user).map(drop)).await?;
    let one_time_password = passwords::one_time(&app.random_16()?);
    let password_hash = passwords::hash_new(one_time_password.clone(), app.random_16()?).await?;
    let now = app.now();
    let reset = move |tx: &mut Tx<'_>| {
        note(tx, &who, "user.password_reset", &user, &json!({}), now)?;
        users::reset_password(tx, &scope, user, &password_hash, now)?;
        Ok(OneTimePassword { one_time_password: one_time_password.clone() })
    };
    answered(&app, scope, wish, StatusCode::OK, reset).await
}

/// Somebody who can sign in once with the password that comes with them, to be stored.
pub(super) async fn new_person(
    app: &App,
    login: String,
    name: String,
    role: users::Role,
) -> Result<(NewUser, String), Problem> {
    let one_time_password = passwords::one_time(&app.random_16()?);
    let password_hash = passwords::hash_new(one_time_password.clone(), app.random_16()?).await?;
    let person = NewUser {
        id: UserId::from_bytes(app.random_16()?),
        login,
        name,
        role,
        password_hash,
        must_change_password: true,
        created_at: app.now(),
    };
    Ok((person, one_time_password))
}

/// Without one nobody could let anybody in any more.
fn keep_an_owner(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<(), Problem> {
    let is_owner = |user: &User| user.active && user.role == users::Role::Owner;
    if users::list(tx, scope)?.iter().any(is_owner) {
        return Ok(());
    }
    Err(Problem::new(LAST_OWNER, "This is the only active owner. Make somebody else an owner first."))
}
