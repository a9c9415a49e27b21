//! Every way in which a call, an installation or the host itself can fail, as something the caller can act on.

/// Why a call has no answer. Of that payment alone: nothing else is touched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The channel says so itself: a timeout, a cut connection, an unreadable or wrongly signed reply.
    #[error("the scheme gave no clear answer: {why}")]
    NoAnswer { why: String },
    #[error("the request did not take effect at the scheme: {why}")]
    NotSent { why: String },
    /// What a terminal encrypted does not open, or is no card: nothing was sent, and the terminal is to blame, not the channel.
    #[error("the card cannot be read: {why}")]
    CardUnreadable { why: String },
    /// A person must mend the account's settings or secrets, or install the plugin.
    #[error("the channel account is not set up: {why}")]
    Misconfigured { why: String },
    #[error("the channel does not offer this")]
    Unsupported,
    /// The plugin crashed.
    #[error("the plugin crashed: {why}")]
    Trapped { why: String },
    #[error("the plugin gave no answer within {after_ms} ms")]
    TimedOut { after_ms: u64 },
    #[error("the plugin asked for more than its {limit_bytes} bytes of memory")]
    OutOfMemory { limit_bytes: usize },
    /// What the plugin answered cannot be an answer to what it was asked.
    #[error("the plugin's answer cannot be true: {why}")]
    BadAnswer { why: String },
    /// Every place for a call is taken, or the memory that calls share; nothing was sent.
    #[error("too many calls are under way")]
    Overloaded,
}

impl Failure {
    /// Whether the scheme may have acted on the request: if so the payment is unknown and has to be queried; if not it
    /// may be closed, or sent again.
    ///
    /// When in doubt it may have. A plugin's word that it did not is taken only if none of its requests in this call went
    /// without an answer ([`Self::NotSent`], [`Self::Misconfigured`] and [`Self::Unsupported`] become [`Self::NoAnswer`]).
    #[must_use]
    pub const fn may_have_taken_effect(&self) -> bool {
        match self {
            Self::NotSent { .. }
            | Self::CardUnreadable { .. }
            | Self::Misconfigured { .. }
            | Self::Unsupported
            | Self::Overloaded => false,
            Self::NoAnswer { .. }
            | Self::Trapped { .. }
            | Self::TimedOut { .. }
            | Self::OutOfMemory { .. }
            | Self::BadAnswer { .. } => true,
        }
    }

    /// The same in words that do not show the customer's code: a plugin or scheme may have quoted it, and these words go to
    /// logs.
    pub(crate) fn without_code(mut self, code: Option<&str>) -> Self {
        let why = match &mut self {
            Self::NoAnswer { why }
            | Self::NotSent { why }
            | Self::CardUnreadable { why }
            | Self::Misconfigured { why }
            | Self::Trapped { why }
            | Self::BadAnswer { why } => why,
            Self::Unsupported | Self::TimedOut { .. } | Self::OutOfMemory { .. } | Self::Overloaded => return self,
        };
        *why = without_code(std::mem::take(why), code);
        self
    }

    /// A stable word for logs, metrics and events.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoAnswer { .. } => "no_answer",
            Self::NotSent { .. } => "not_sent",
            Self::CardUnreadable { .. } => "card_unreadable",
            Self::Misconfigured { .. } => "misconfigured",
            Self::Unsupported => "unsupported",
            Self::Trapped { .. } => "trapped",
            Self::TimedOut { .. } => "timed_out",
            Self::OutOfMemory { .. } => "out_of_memory",
            Self::BadAnswer { .. } => "bad_answer",
            Self::Overloaded => "overloaded",
        }
    }
}

/// The text with the customer's code taken out.
pub(crate) fn without_code(text: String, code: Option<&str>) -> String {
    match code {
        Some(code) if !code.is_empty() && text.contains(code) => text.replace(code, "[code]"),
        _ => text,
    }
}

/// Why a notification is not booked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotificationFailure {
    /// Answer 401 and book nothing.
    #[error("the notification's signature is wrong: {0}")]
    Forged(String),
    /// Answer 400 and book nothing.
    #[error("the notification cannot be read: {0}")]
    Malformed(String),
    /// Answer 503: the scheme will send it again.
    #[error("the notification cannot be checked now: {0}")]
    NotNow(String),
    /// Nothing to book: send the reply.
    #[error("the notification is not about a payment")]
    Irrelevant(crate::message::HttpReply),
    /// The plugin failed: answer 500, and the scheme will send it again.
    #[error(transparent)]
    Call(#[from] Failure),
}

/// Why a plugin cannot be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error("the component has {given} bytes; at most {max} are taken")]
    TooLarge { given: usize, max: usize },
    #[error("this is not a component that can be compiled: {0}")]
    NotAComponent(String),
    #[error(
        "the component was built for the contract saoma:channel@{version}; this host runs {}: build it with the SDK of one of \
         these, or update core", crate::versions::VERSIONS.join(" and ")
    )]
    UnknownVersion { version: String },
    /// It is no channel, or imports what its version of the contract does not have.
    #[error("the component does not fit the contract saoma:channel: {0}")]
    DoesNotFit(String),
    /// [`crate::Host::install_extension`] takes it.
    #[error("this component holds a merchant's rules (merchant-extension) and is no payment channel")]
    IsExtension,
    /// [`crate::Host::install`] takes it.
    #[error("this component is a payment channel and holds no merchant's rules (merchant-extension)")]
    IsChannel,
    /// Of rules: a channel has it already.
    #[error("the id {id:?} is that of a channel; give the rules another")]
    IdTaken { id: String },
    #[error("the rules do not describe themselves")]
    DescribeRules(#[source] crate::extension::RuleFailure),
    #[error("the description of the rules cannot be accepted")]
    Description(#[from] crate::extension::DescriptionError),
    #[error("the plugin does not describe itself")]
    Describe(#[source] Failure),
    #[error("the plugin's description cannot be accepted")]
    Manifest(#[from] crate::manifest::ManifestError),
    #[error("its batches would have {0} rows; the terms of its settlement must say 1 to 100,000")]
    BatchRows(u32),
    #[error("the component is not what its package says")]
    Package(#[from] crate::package::VetError),
}

/// What is wrong with the folder of compiled plugins.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    #[error("the folder {path} cannot be used: {source}")]
    Io { path: String, source: std::io::Error },
    /// Code in it runs with the host's rights, so nobody else may write there.
    #[error(
        "the folder {path} must belong to the user of this process and be closed to others; run `chmod 700 {path}`"
    )]
    NotPrivate { path: String },
    #[error("the key of the folder {path} is damaged; delete the folder, it is made again")]
    BadKey { path: String },
}

/// Why the host cannot start.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error("the plugin engine does not start: {0}")]
    Engine(String),
    #[error("the HTTP client for plugins does not start: {0}")]
    Http(String),
    #[error(transparent)]
    Cache(#[from] CacheError),
}
