//! What the till's page asks of the agent. The door checks form; the owner of the state ([`crate::app`]) answers.

use saoma_protocol::{PaymentId, QuoteId, Sequence, api::Goods, cashier::Pin, code::phone::Confirmation};
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::{
    basket::{BasketAnswer, BasketRequest},
    held::HeldView,
    peripherals::DevicesNow,
    problem::Refused,
    quote::{QuoteRequest, QuoteTold},
    shift::{ShiftNow, ShiftView},
    split::{SplitAsk, SplitPress, SplitView},
    view::{AwaitingCard, AwaitingScan, DisplayView, SaleView, ScanView, StateNow},
};
use crate::{
    config::PeripheralsConfig,
    counter::Replacing,
    peripherals::{Kind, PeripheralError, scale::Weighing},
    sale::ScannedCode,
    training::TrainingNumber,
};

/// Commands that may wait for the owner: a till has one cashier, the rest are pages that read.
const COMMANDS_MAX: usize = 64;

/// Where an answer goes.
pub type Reply<T> = oneshot::Sender<Result<T, Refused>>;

/// One press of the page: its `Idempotency-Key`, and what was asked under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pressed {
    pub key: String,
    /// SHA-256 of path and body, in hex, without a sale's scanned code.
    pub fingerprint: String,
}

/// `POST /api/sales`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SaleRequest {
    pub amount_minor: i64,
    pub method: SaleMethod,
    /// A bearer credential: not part of the fingerprint, which is kept on the disk.
    #[serde(default, skip_serializing)]
    pub code: Option<CodeText>,
    #[serde(default)]
    pub tendered_minor: Option<i64>,
    #[serde(default)]
    pub goods: Vec<Goods>,
    /// The basket is sold: its revision as the page shows it. The goods are its lines, and the amount must be what they cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basket: Option<u64>,
    /// The amount is what this till was quoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<QuoteId>,
    /// The amount is a part of a total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<SplitAsk>,
    /// The table's or order's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What it was put aside as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Sequence>,
    #[serde(default)]
    pub cashier: Option<String>,
    /// Of that cashier, where PINs are asked for. In no fingerprint.
    #[serde(default, skip_serializing)]
    pub cashier_pin: Option<Pin>,
}

/// `POST /api/held`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldRequest {
    pub amount_minor: i64,
    /// The basket is put aside: its revision as the page shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basket: Option<u64>,
    #[serde(default)]
    pub reference: Option<String>,
    /// What was put aside before, and is put aside again with another amount or number.
    #[serde(default)]
    pub held: Option<Sequence>,
    #[serde(default)]
    pub cashier: Option<String>,
    /// Of that cashier, where PINs are asked for. In no fingerprint.
    #[serde(default, skip_serializing)]
    pub cashier_pin: Option<Pin>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SaleMethod {
    Cash,
    Code,
    Scan,
    Card,
}

/// A scanned code on its way in. Does not print.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
pub struct CodeText(pub ScannedCode);

impl From<String> for CodeText {
    fn from(text: String) -> Self {
        Self(ScannedCode::new(text))
    }
}

/// A button on a sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Press {
    Query,
    Cancel,
    Void,
    Refund {
        amount_minor: i64,
    },
    Reprint,
    /// Of what the acquirer declined when the goods were gone.
    Acknowledge,
    /// Core's word that it is paid, read from the customer's phone.
    Confirm {
        confirmation: Confirmation,
    },
}

/// Who lets somebody else do what they may not do alone. Its PIN is in no fingerprint: that would be guessed from what the disk
/// keeps of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    pub staff_code: String,
    /// A page that was reloaded in the middle of it does not have it any more.
    #[serde(default)]
    pub pin: Option<Pin>,
}

/// Somebody who is named at the till, if it is not whoever signed on; by staff code and PIN where PINs are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    pub cashier: Option<String>,
    pub pin: Option<Pin>,
}

/// A button on the shift. `batch`: the one that the page showed when it was pressed; `by`: who stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShiftPress {
    Open {
        float_minor: i64,
        cashier: String,
        cashier_number: String,
        pin: Option<Pin>,
    },
    Move {
        batch: Sequence,
        is_in: bool,
        amount_minor: i64,
        reason: String,
        by: Named,
    },
    /// `despite`: the numbers of sales in doubt over which the batch is closed all the same. `drop_held`: those of what is put
    /// aside and goes with it.
    Close {
        batch: Sequence,
        counted_minor: i64,
        by: Named,
        despite: Vec<Sequence>,
        drop_held: Vec<Sequence>,
    },
    Reprint,
}

impl ShiftPress {
    #[must_use]
    pub const fn batch(&self) -> Option<Sequence> {
        match self {
            Self::Move { batch, .. } | Self::Close { batch, .. } => Some(*batch),
            Self::Open { .. } | Self::Reprint => None,
        }
    }
}

/// Into training, or back to real sales.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrainingPress {
    Enter,
    Leave,
}

/// What came of `POST /api/sales`, or of a played sale's.
#[derive(Debug)]
pub enum Sold<N = PaymentId> {
    Made(Box<SaleView<N>>),
    /// The key was seen before; this is what it made then.
    Seen(Box<SaleView<N>>),
    AwaitingScan(AwaitingScan),
    AwaitingCard(AwaitingCard),
}

/// A page that listens: how things stand, and what happens from then on.
#[derive(Debug)]
pub struct Subscription {
    pub state: StateNow,
    pub display: DisplayView,
    pub events: broadcast::Receiver<TillEvent>,
}

/// A server-sent event.
#[derive(Clone, Debug)]
pub struct TillEvent {
    pub name: &'static str,
    /// JSON on one line.
    pub data: std::sync::Arc<str>,
}

/// Everything that can be asked.
#[derive(Debug)]
pub enum Command {
    Sell {
        pressed: Pressed,
        request: SaleRequest,
        reply: Reply<Sold>,
    },
    /// Answered when core has, or after a moment without.
    Quote {
        request: QuoteRequest,
        reply: Reply<QuoteTold>,
    },
    Press {
        pressed: Pressed,
        payment: PaymentId,
        press: Press,
        approval: Option<Approval>,
        reply: Reply<SaleView>,
    },
    Scan {
        pressed: Pressed,
        text: ScannedCode,
        reply: Reply<ScanView>,
    },
    StopScan {
        pressed: Pressed,
        reply: Reply<()>,
    },
    StopCard {
        pressed: Pressed,
        reply: Reply<()>,
    },
    Training {
        pressed: Pressed,
        press: TrainingPress,
        reply: Reply<StateNow>,
    },
    SellTraining {
        pressed: Pressed,
        request: SaleRequest,
        reply: Reply<Sold<TrainingNumber>>,
    },
    PressOnTraining {
        pressed: Pressed,
        number: TrainingNumber,
        press: Press,
        reply: Reply<SaleView<TrainingNumber>>,
    },
    TrainingSales {
        limit: u32,
        reply: Reply<Vec<SaleView<TrainingNumber>>>,
    },
    Hold {
        pressed: Pressed,
        request: HoldRequest,
        reply: Reply<HeldView>,
    },
    Basket {
        pressed: Pressed,
        request: BasketRequest,
        reply: Reply<BasketAnswer>,
    },
    DropHeld {
        pressed: Pressed,
        number: Sequence,
        reply: Reply<()>,
    },
    PressSplit {
        pressed: Pressed,
        number: Sequence,
        press: SplitPress,
        reply: Reply<SplitView>,
    },
    Split {
        number: Sequence,
        reply: Reply<SplitView>,
    },
    Shift {
        pressed: Pressed,
        press: ShiftPress,
        reply: Reply<ShiftView>,
    },
    ShiftNow {
        reply: Reply<ShiftNow>,
    },
    OpenDrawer {
        pressed: Pressed,
        reply: Reply<()>,
    },
    /// Sends what core does not have, also what was stopped.
    SyncNow {
        pressed: Pressed,
        reply: Reply<()>,
    },
    SelfTest {
        pressed: Pressed,
        kind: Kind,
        reply: Reply<oneshot::Receiver<Result<String, PeripheralError>>>,
    },
    /// Whether the configuration may be changed under this key; what it then is comes as `Configure`.
    MayConfigure {
        pressed: Pressed,
        reply: Reply<()>,
    },
    Configure {
        peripherals: Box<PeripheralsConfig>,
        reply: Reply<Vec<(Kind, Replacing)>>,
    },
    Restart {
        pressed: Pressed,
        kind: Kind,
        reply: Reply<Replacing>,
    },
    Devices {
        reply: Reply<DevicesNow>,
    },
    Weigh {
        reply: Reply<oneshot::Receiver<Result<Weighing, PeripheralError>>>,
    },
    Sale {
        payment: PaymentId,
        reply: Reply<SaleView>,
    },
    Sales {
        limit: u32,
        reply: Reply<Vec<SaleView>>,
    },
    /// The sale with that number, if there is one.
    SaleNumbered {
        counter: Sequence,
        reply: Reply<Vec<SaleView>>,
    },
    State {
        reply: Reply<StateNow>,
    },
    Display {
        reply: Reply<DisplayView>,
    },
    Subscribe {
        reply: Reply<Subscription>,
    },
}

impl Command {
    /// Whether something new begins by it; an agent that stops does not let it.
    #[must_use]
    pub const fn begins_something(&self) -> bool {
        match self {
            Self::Sell { .. }
            | Self::Quote { .. }
            | Self::Scan { .. }
            | Self::Hold { .. }
            | Self::Basket { .. }
            | Self::Training { press: TrainingPress::Enter, .. }
            | Self::SellTraining { .. }
            | Self::PressOnTraining { .. }
            | Self::PressSplit { .. }
            | Self::Shift { .. }
            | Self::OpenDrawer { .. }
            | Self::SelfTest { .. }
            | Self::MayConfigure { .. }
            | Self::Configure { .. }
            | Self::Restart { .. }
            | Self::Press { press: Press::Void | Press::Refund { .. } | Press::Reprint, .. } => true,
            Self::Press {
                press: Press::Query | Press::Cancel | Press::Acknowledge | Press::Confirm { .. }, ..
            }
            | Self::StopScan { .. }
            | Self::StopCard { .. }
            | Self::DropHeld { .. }
            | Self::SyncNow { .. }
            | Self::Training { press: TrainingPress::Leave, .. }
            | Self::TrainingSales { .. }
            | Self::Split { .. }
            | Self::ShiftNow { .. }
            | Self::Devices { .. }
            | Self::Weigh { .. }
            | Self::Sale { .. }
            | Self::Sales { .. }
            | Self::SaleNumbered { .. }
            | Self::State { .. }
            | Self::Display { .. }
            | Self::Subscribe { .. } => false,
        }
    }
}

/// A command with the trace of the request that it came by.
#[derive(Debug)]
pub struct Asked {
    pub command: Command,
    pub span: tracing::Span,
}

/// The way to the owner of the state.
#[derive(Clone, Debug)]
pub struct Commands(mpsc::Sender<Asked>);

impl Commands {
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Asked>) {
        let (sender, receiver) = mpsc::channel(COMMANDS_MAX);
        (Self(sender), receiver)
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// What the owner says; `Stopping` if it is gone.
    pub async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Refused> {
        let (reply, answer) = oneshot::channel();
        let asked = Asked { command: command(reply), span: tracing::Span::current() };
        self.0.send(asked).await.map_err(|_| Refused::Stopping)?;
        answer.await.map_err(|_| Refused::Stopping)?
    }
}
