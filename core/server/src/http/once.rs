//! A request that makes something does so once, however often it comes.
//!
//! Its key is kept for good in the transaction that does the work, its answer for an hour, for those who did not hear it. An
//! answer may hold a secret that is shown once. So it lies sealed, under a key that is made of the whole request and one of
//! the platform's own: it is opened for the same person with the same request, and for nobody who has the database alone.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header::ContentType},
};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
};
use saoma_protocol::Millis;
use saoma_store::{
    Opaque, StoreError, TenantScope, Tx,
    idempotency::{self, Fingerprint, Kind},
};
use serde::Serialize;
use zeroize::Zeroizing;

use super::{
    auth::{Caller, rights::Needs},
    idempotency::{IdempotencyKey, fingerprint},
    problem::{ANSWERED_BEFORE, INTERNAL, KEY_REUSED, Problem},
    v1::people::NO_STORE,
};
use crate::app::App;

/// Long enough for a person who tries again by hand, short for a secret to lie about.
const ANSWERED_FOR_MS: i64 = 3_600_000;

/// A request as it is known again.
#[derive(Clone)]
pub struct Wish {
    name: String,
    fingerprint: Fingerprint,
    seal: Zeroizing<[u8; 32]>,
    nonce: [u8; NONCE_LEN],
    now: Millis,
}

/// Why a transaction came to nothing.
pub enum Undone {
    /// The same request came twice at once, and the other was first.
    Overtaken,
    Refused(Problem),
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { what: "the Idempotency-Key" } => Self::Overtaken,
            error => Self::Refused(error.into()),
        }
    }
}

impl From<Problem> for Undone {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

impl From<Undone> for Problem {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Overtaken => StoreError::Conflict { what: "the Idempotency-Key" }.into(),
            Undone::Refused(problem) => problem,
        }
    }
}

impl Wish {
    /// `asked`: method and path, with the ids in it.
    ///
    /// # Errors
    /// `INTERNAL`.
    pub fn of<N: Needs>(
        app: &App,
        asked: &str,
        caller: &Caller<N>,
        key: &IdempotencyKey,
        body: &impl Serialize,
    ) -> Result<Self, Problem> {
        let who = caller.actor();
        let whole = Zeroizing::new(
            serde_json::to_vec(&(asked, &who, &**key, body)).map_err(|error| Problem::internal(&error))?,
        );
        let tag = hmac::sign(&app.vault().own().fingerprint, &[b"answer\n".as_slice(), &whole].concat());
        let mut seal = Zeroizing::new([0; 32]);
        seal.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        let mut nonce = [0; NONCE_LEN];
        nonce.iter_mut().zip(app.random_16()?).for_each(|(to, from)| *to = from);
        let fingerprint = fingerprint(app, asked, caller.principal(), &(&who, body))?;
        Ok(Self { name: format!("{asked} {}", &**key), fingerprint, seal, nonce, now: app.now() })
    }

    /// Whether it was carried out before.
    ///
    /// # Errors
    /// `KEY_REUSED` if that was another request, or another person's.
    pub fn is_known(&self, tx: &mut Tx<'_>, scope: &TenantScope) -> Result<bool, Undone> {
        match idempotency::kept(tx, scope, Kind::Request, &self.name)? {
            Some(first) if first == self.fingerprint => Ok(true),
            Some(_) => Err(Problem::new(KEY_REUSED, "Another request had this Idempotency-Key.").into()),
            None => Ok(false),
        }
    }

    /// What it was answered, if it was carried out before.
    ///
    /// # Errors
    /// As [`Self::is_known`]; `ANSWERED_BEFORE` once the answer is gone.
    pub fn answer(&self, tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Option<Vec<u8>>, Undone> {
        if !self.is_known(tx, scope)? {
            return Ok(None);
        }
        let gone = || {
            let detail = "It was done when this request first came, and its answer is kept for an hour. Look at what there is; \
                          a secret that did not arrive is made anew by a request with another Idempotency-Key.";
            Problem::new(ANSWERED_BEFORE, detail)
        };
        let sealed = idempotency::answer(tx, scope, Kind::Request, &self.name, self.now)?.ok_or_else(gone)?;
        Ok(Some(self.open(sealed)?))
    }

    /// Keeps it as carried out.
    ///
    /// # Errors
    /// `Overtaken`.
    pub fn keep(&self, tx: &mut Tx<'_>, scope: &TenantScope) -> Result<(), Undone> {
        Ok(idempotency::keep(tx, scope, Kind::Request, &self.name, &self.fingerprint, self.now)?)
    }

    /// The same, with what it is answered.
    ///
    /// # Errors
    /// `Overtaken`.
    pub fn keep_answer(&self, tx: &mut Tx<'_>, scope: &TenantScope, answer: &[u8]) -> Result<(), Undone> {
        self.keep(tx, scope)?;
        let sealed = Opaque(self.sealed(answer)?);
        let until = self.now.plus(ANSWERED_FOR_MS);
        Ok(idempotency::keep_answer(tx, scope, Kind::Request, &self.name, &sealed, until)?)
    }

    /// [`Self::is_known`], for work whose transactions are its own and change nothing when they are repeated.
    ///
    /// # Errors
    /// As there.
    pub async fn is_known_already(&self, app: &App, scope: TenantScope) -> Result<bool, Problem> {
        let wish = self.clone();
        Ok(app.store().read(move |tx| wish.is_known(tx, &scope)).await?)
    }

    /// [`Self::answer`], for such work.
    ///
    /// # Errors
    /// As there.
    pub async fn answer_already(&self, app: &App, scope: TenantScope) -> Result<Option<Vec<u8>>, Problem> {
        let wish = self.clone();
        Ok(app.store().read(move |tx| wish.answer(tx, &scope)).await?)
    }

    /// Keeps it once such work is done. Between the two a crash leaves the key free, and a repeat finds the work done.
    ///
    /// # Errors
    /// Of the store alone.
    pub async fn keep_afterwards(&self, app: &App, scope: TenantScope, answer: Option<Vec<u8>>) -> Result<(), Problem> {
        let wish = self.clone();
        let keep = move |tx: &mut Tx<'_>| match &answer {
            Some(answer) => wish.keep_answer(tx, &scope, answer),
            None => wish.keep(tx, &scope),
        };
        match app.store().write(keep).await {
            // The same request came twice at once.
            Ok(()) | Err(Undone::Overtaken) => Ok(()),
            Err(Undone::Refused(problem)) => Err(problem),
        }
    }

    fn cipher(&self) -> Result<LessSafeKey, Problem> {
        UnboundKey::new(&AES_256_GCM, &*self.seal).map(LessSafeKey::new).map_err(|_| unsealed())
    }

    fn sealed(&self, answer: &[u8]) -> Result<Vec<u8>, Problem> {
        let mut text = answer.to_vec();
        let nonce = Nonce::assume_unique_for_key(self.nonce);
        let sealed = self.cipher()?.seal_in_place_append_tag(nonce, Aad::empty(), &mut text);
        sealed.map_err(|_| unsealed())?;
        Ok([self.nonce.as_slice(), &text].concat())
    }

    fn open(&self, Opaque(sealed): Opaque<Vec<u8>>) -> Result<Vec<u8>, Problem> {
        let (nonce, text) = sealed.split_first_chunk().ok_or_else(unsealed)?;
        let mut text = text.to_vec();
        let opened = self.cipher()?.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::empty(), &mut text);
        Ok(opened.map_err(|_| unsealed())?.to_vec())
    }
}

fn unsealed() -> Problem {
    Problem::new(INTERNAL, "The first answer to this request cannot be read any more.")
}

/// Carries a transaction out that asks first whether the wish is known: once more if it was overtaken.
///
/// # Errors
/// What `work` says.
pub async fn carry_out<T, F>(app: &App, work: F) -> Result<T, Problem>
where
    T: Send + 'static,
    F: Fn(&mut Tx<'_>) -> Result<T, Undone> + Clone + Send + 'static,
{
    match app.store().write(work.clone()).await {
        Err(Undone::Overtaken) => Ok(app.store().write(work).await?),
        done => Ok(done?),
    }
}

/// Does `work` unless this request has been carried out: then nothing.
///
/// # Errors
/// `KEY_REUSED`, and what `work` says; then nothing is changed, and the key is free.
pub async fn once<F>(app: &App, scope: TenantScope, wish: Wish, work: F) -> Result<(), Problem>
where
    F: Fn(&mut Tx<'_>) -> Result<(), Problem> + Clone + Send + 'static,
{
    let whole = move |tx: &mut Tx<'_>| {
        if wish.is_known(tx, &scope)? {
            return Ok(());
        }
        work(tx)?;
        wish.keep(tx, &scope)
    };
    carry_out(app, whole).await
}

/// Does `work`, whose outcome is the answer; the same request again has the same answer, and nothing is done.
///
/// # Errors
/// `KEY_REUSED`, `ANSWERED_BEFORE`, and what `work` says; then nothing is changed, and a new key is free.
pub async fn answered<T, F>(
    app: &App,
    scope: TenantScope,
    wish: Wish,
    status: StatusCode,
    work: F,
) -> Result<HttpResponse, Problem>
where
    T: Serialize,
    F: Fn(&mut Tx<'_>) -> Result<T, Problem> + Clone + Send + 'static,
{
    let whole = move |tx: &mut Tx<'_>| match wish.answer(tx, &scope)? {
        Some(answer) => Ok(answer),
        None => {
            let answer = bytes(&work(tx)?)?;
            wish.keep_answer(tx, &scope, &answer)?;
            Ok(answer)
        }
    };
    Ok(response(status, carry_out(app, whole).await?))
}

/// An answer as it is kept.
///
/// # Errors
/// `INTERNAL` for what cannot be JSON, which its type excludes.
pub fn bytes(answer: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(answer).map_err(|error| Problem::internal(&error))
}

/// Whoever keeps a copy of it on the way might keep a secret.
pub fn response(status: StatusCode, answer: Vec<u8>) -> HttpResponse {
    HttpResponse::build(status).insert_header(NO_STORE).content_type(ContentType::json()).body(answer)
}
