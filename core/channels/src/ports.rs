//! What the caller gives to the host, and the door through which the rest of core calls channels.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use saoma_domain::settlement::Settled;
use saoma_protocol::{ChannelAccountId, Millis};

use zeroize::Zeroizing;

use crate::{
    card::Card,
    extension::Extension,
    failure::{Failure, InstallError, NotificationFailure},
    host::Loaded,
    in_app::Step,
    manifest::Manifest,
    message::{
        Account, BillPage, Created, HttpMessage, KnownOrder, NotificationOutcome, Order, PaymentAnswer, RefundAnswer,
        RefundOrder,
    },
    package::Vetted,
    registry::{ContentHash, Whose},
    settlement::{Batch, Row},
};

/// Calls channels. [`crate::Host`] does it with plugins; a simulation with whatever it likes.
///
/// Every method gives one answer or one [`Failure`] within the channel's own call timeout (plus the wait for a free
/// place, at most [`crate::QUEUE_WAIT_MS_MAX`]). Nothing is retried in here: core owns the clock.
/// Dropping the future stops the call; what was sent stays sent.
#[async_trait]
pub trait ChannelCaller: Send + Sync {
    /// The manifest of the built-in channel of that id.
    fn manifest(&self, channel: &str) -> Option<Arc<Manifest>>;

    /// The manifest of every built-in channel, by id.
    fn manifests(&self) -> Vec<Arc<Manifest>>;

    /// The merchants' rules that are installed under that id.
    fn extension(&self, _id: &str) -> Option<Arc<Extension>> {
        None
    }

    /// All of them, by id.
    fn extensions(&self) -> Vec<Arc<Extension>> {
        Vec::new()
    }

    /// A package that is installed beside the built-in channels.
    fn package(&self, _package: ContentHash) -> Option<Loaded> {
        None
    }

    /// Installs a package beside what there is, for those who name it; nothing else changes.
    ///
    /// # Errors
    /// See [`InstallError`].
    async fn install_package(&self, _component: &[u8], _whose: Whose) -> Result<Loaded, InstallError> {
        Err(InstallError::NotAComponent("plugins are not run here".to_owned()))
    }

    /// The same, of a package that was just vetted: what it says of itself must be what its publisher signed.
    ///
    /// # Errors
    /// See [`InstallError`].
    async fn install_vetted(&self, _vetted: &Vetted, _component: &[u8], _whose: Whose) -> Result<Loaded, InstallError> {
        Err(InstallError::NotAComponent("plugins are not run here".to_owned()))
    }

    /// Once a package that was just vetted is stored: what was compiled of it stays for the next start. What went wrong is logged.
    async fn keep_code(&self, _package: ContentHash) {}

    /// Deletes what was compiled of a package that nobody is to call any more. What went wrong is logged.
    async fn delete_code(&self, _package: ContentHash) {}

    /// Takes no further calls through this package; those under way end with it. `false` if it was not there.
    fn remove_package(&self, _package: ContentHash) -> bool {
        false
    }

    /// Merchant-presented: announces the order.
    async fn create(&self, account: &Account, order: &Order) -> Result<Created, Failure>;

    /// Where a visitor with this app is sent so that the scheme tells who they are; `None` if it need not.
    async fn identify(
        &self,
        _account: &Account,
        _app: &str,
        _return_url: &str,
        _state: &str,
    ) -> Result<Option<String>, Failure> {
        Err(Failure::Unsupported)
    }

    /// Who came back from there with these parameters: the scheme's id of the payer.
    async fn payer(&self, _: &Account, _app: &str, _parameters: &[(String, String)]) -> Result<String, Failure> {
        Err(Failure::Unsupported)
    }

    /// Announces the order for a payer who has a page open in this app.
    async fn open_in_app(&self, _: &Account, _app: &str, _: &Order, _payer: &str) -> Result<Step, Failure> {
        Err(Failure::Unsupported)
    }

    /// Customer-presented: charges the scanned code.
    async fn charge(&self, account: &Account, order: &Order, code: &str) -> Result<PaymentAnswer, Failure>;

    /// Charges the card that was presented. Core must have stored what it may of it before ([`Card::kept`]).
    async fn charge_card(&self, _account: &Account, _order: &Order, _card: &Card) -> Result<PaymentAnswer, Failure> {
        Err(Failure::Unsupported)
    }

    /// Tells the scheme of a sale that a terminal made by card without a network, at `at` by its clock. `order.created_at` is when
    /// this was called first. Idempotent; for channels of which [`Manifest::forwards`].
    async fn forward(
        &self,
        _account: &Account,
        _order: &Order,
        _card: &Card,
        _at: Millis,
    ) -> Result<PaymentAnswer, Failure> {
        Err(Failure::Unsupported)
    }

    /// What the scheme knows of an order; changes nothing.
    async fn query(&self, account: &Account, order: &KnownOrder) -> Result<PaymentAnswer, Failure>;

    /// Closes it if unpaid, gives the money back if paid. Idempotent.
    async fn cancel(&self, account: &Account, order: &KnownOrder) -> Result<PaymentAnswer, Failure>;

    async fn refund(&self, account: &Account, refund: &RefundOrder) -> Result<RefundAnswer, Failure>;

    async fn query_refund(&self, account: &Account, refund: &RefundOrder) -> Result<RefundAnswer, Failure>;

    /// Checks a notification's signature and reads it.
    async fn parse_notification(
        &self,
        account: &Account,
        notification: &HttpMessage,
    ) -> Result<NotificationOutcome, NotificationFailure>;

    /// One page of the bill of a day (`YYYY-MM-DD` in the scheme's time zone).
    async fn fetch_bill(&self, account: &Account, day: &str, cursor: Option<&str>) -> Result<BillPage, Failure>;

    /// Sends a batch's totals. For channels of which [`Manifest::settlement`] is known, as the next two.
    async fn settle(&self, _account: &Account, _batch: &Batch) -> Result<Settled, Failure> {
        Err(Failure::Unsupported)
    }

    /// Sends rows of a batch that differs: at most [`crate::settlement::ROWS_MAX`], one alone if the channel takes cards.
    async fn upload(&self, _account: &Account, _batch: &Batch, _rows: &[Row]) -> Result<(), Failure> {
        Err(Failure::Unsupported)
    }

    /// Ends a batch's upload.
    async fn finish(&self, _account: &Account, _batch: &Batch) -> Result<Settled, Failure> {
        Err(Failure::Unsupported)
    }

    /// Whether the account works, without moving money; the text is for the merchant.
    async fn self_test(&self, account: &Account) -> Result<String, Failure>;
}

/// The time, as core has it.
pub trait Clock: Send + Sync {
    fn now(&self) -> Millis;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Unpredictable bytes.
pub trait Chance: Send + Sync {
    /// Fills the whole buffer.
    ///
    /// # Errors
    /// The machine has no randomness to give; nobody may go on as if it had.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoChance>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the machine gives no random bytes")]
pub struct NoChance;

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemChance;

impl Chance for SystemChance {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoChance> {
        use ring::rand::SecureRandom as _;
        ring::rand::SystemRandom::new().fill(bytes).map_err(|_| NoChance)
    }
}

/// Why a plugin's small store did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KvError {
    #[error("the store of this channel account is full")]
    Full,
    #[error("the value is no number that can be counted on")]
    NotANumber,
    #[error("the store is not reachable: {0}")]
    Unavailable(String),
}

/// Where plugins keep a few values, by channel account. The host has checked key and value sizes.
#[async_trait]
pub trait KvStore: Send + Sync {
    async fn get(&self, account: ChannelAccountId, key: &str) -> Result<Option<Vec<u8>>, KvError>;

    /// Writes a value; `Full` if the key is new and the account has `keys_max` already.
    async fn set(&self, account: ChannelAccountId, key: &str, value: Vec<u8>, keys_max: usize) -> Result<(), KvError>;

    async fn delete(&self, account: ChannelAccountId, key: &str) -> Result<(), KvError>;

    /// Adds one to the number that the key's value is in decimal digits (0 if there is none), writes it and returns it. Two that
    /// come at once get two numbers. `Full` as in `set`.
    async fn next(&self, account: ChannelAccountId, key: &str, keys_max: usize) -> Result<u64, KvError>;
}

/// The number after the one that `value` holds in decimal digits; 1 after none. `None`: it holds none, or the largest.
#[must_use]
pub fn counted_on(value: Option<&[u8]>) -> Option<u64> {
    let Some(value) = value else { return Some(1) };
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| is_number)?.parse::<u64>().ok()?.checked_add(1)
}

/// A store that lasts as long as the process: for tests, and for channels that keep nothing of weight.
#[derive(Debug, Default)]
pub struct MemoryKv(Mutex<HashMap<ChannelAccountId, BTreeMap<String, Vec<u8>>>>);

#[async_trait]
impl KvStore for MemoryKv {
    async fn get(&self, account: ChannelAccountId, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        let accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(accounts.get(&account).and_then(|values| values.get(key).cloned()))
    }

    async fn set(&self, account: ChannelAccountId, key: &str, value: Vec<u8>, keys_max: usize) -> Result<(), KvError> {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let values = accounts.entry(account).or_default();
        if values.len() >= keys_max && !values.contains_key(key) {
            return Err(KvError::Full);
        }
        values.insert(key.to_owned(), value);
        Ok(())
    }

    async fn delete(&self, account: ChannelAccountId, key: &str) -> Result<(), KvError> {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(values) = accounts.get_mut(&account) {
            values.remove(key);
        }
        Ok(())
    }

    async fn next(&self, account: ChannelAccountId, key: &str, keys_max: usize) -> Result<u64, KvError> {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let values = accounts.entry(account).or_default();
        if values.len() >= keys_max && !values.contains_key(key) {
            return Err(KvError::Full);
        }
        let next = counted_on(values.get(key).map(Vec::as_slice)).ok_or(KvError::NotANumber)?;
        values.insert(key.to_owned(), next.to_string().into_bytes());
        Ok(next)
    }
}

/// The keys of a channel account cannot be read or written now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the working keys are not reachable: {0}")]
pub struct KeysUnreachable(pub String);

/// Where the host keeps the working keys that schemes send: by channel account and slot, encrypted at rest. Plugins never read
/// them. The host bounds their number.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// Every slot's key.
    async fn load(&self, account: ChannelAccountId) -> Result<WorkingKeys, KeysUnreachable>;

    /// Puts a key into a slot, in place of what was there, and leaves the others. `false`: it would be one slot more than
    /// `slots_max`.
    async fn put(
        &self,
        account: ChannelAccountId,
        slot: &str,
        key: Zeroizing<Vec<u8>>,
        slots_max: usize,
    ) -> Result<bool, KeysUnreachable>;
}

/// Keys by slot, as the host wrote them down.
pub type WorkingKeys = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// Keys that last as long as the process: for tests.
#[derive(Default)]
pub struct MemoryKeys(Mutex<HashMap<ChannelAccountId, WorkingKeys>>);

#[async_trait]
impl KeyStore for MemoryKeys {
    async fn load(&self, account: ChannelAccountId) -> Result<WorkingKeys, KeysUnreachable> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&account).cloned().unwrap_or_default())
    }

    async fn put(
        &self,
        account: ChannelAccountId,
        slot: &str,
        key: Zeroizing<Vec<u8>>,
        slots_max: usize,
    ) -> Result<bool, KeysUnreachable> {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = accounts.entry(account).or_default();
        let fits = keys.len() < slots_max || keys.contains_key(slot);
        if fits {
            keys.insert(slot.to_owned(), key);
        }
        Ok(fits)
    }
}
