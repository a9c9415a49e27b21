// Written by `npm run types` from sdk/wit/0.2.0: do not edit.

/** What every channel exports. */
declare module 'saoma:channel/channel@0.2.0' {
  import type { Account, Order, KnownOrder, PaymentAnswer, RefundOrder, RefundAnswer, Error, Manifest, Millis, Money } from 'saoma:channel/types@0.2.0';
  export type { Account, Order, KnownOrder, PaymentAnswer, RefundOrder, RefundAnswer, Error, Manifest, Millis, Money };

  export interface Created {
    /** 1 to 4,096 characters. */
    code: string;
  }

  export interface HttpMessage {
    /** Header names in lower case. */
    headers: [string, string][];
    /** With the headers at most 256 KiB. */
    body: Uint8Array;
  }

  export interface NotificationOutcome {
    /**
     * 1 to 100, in the order in which they are to be booked. If one of them cannot be booked now, nothing is acknowledged, and
     * what the scheme sends again is the same to those that were.
     */
    events: NotificationEvent[];
    /** What the scheme wants to hear once core has it in its database. */
    acknowledgement: HttpReply;
  }

  export type NotificationEvent =
    | { tag: 'payment'; val: PaymentAnswer }
    /** As `query-refund` would answer; `refund-number` says which. */
    | { tag: 'refund'; val: RefundAnswer }
    /**
     * What the scheme says of a dispute (a chargeback, a claim of fraud) that takes money. An inquiry that takes none is not one:
     * leave it out.
     */
    | { tag: 'dispute'; val: DisputeNotice };

  export interface DisputeNotice {
    /** Our number of the payment, at most 64 characters. */
    number: string;
    /**
     * The scheme's number of the dispute, as `bill-row.case-number` has it; empty if it numbers none, and then a payment has one
     * dispute.
     */
    caseNumber: string;
    /** What the scheme took, or is about to take: the same in all that it says of a dispute. */
    amount: Money;
    /** The scheme's code of the reason, cut to 64 characters; may be empty. */
    reason: string;
    news: DisputeNews;
    /** When the scheme says that happened: of two notices the later one is the newer. */
    at: Millis;
  }

  export type DisputeNews =
    /**
     * The scheme took the money; and until when the merchant may answer, if it says so. When the decision comes without an
     * opening before it, core books both.
     */
    | { tag: 'opened'; val: Millis | null }
    /** It asks the merchant for evidence, until then. */
    | { tag: 'evidence-wanted'; val: Millis | null }
    /** Decided for the merchant, who has the money back; and what the scheme charged for the case, if it says so. */
    | { tag: 'won'; val: Money | null }
    /** Decided for the customer. */
    | { tag: 'lost'; val: Money | null };

  export interface HttpReply {
    /** 200 to 599. */
    status: number;
    /** At most 100 printable ASCII characters. */
    contentType: string;
    /** At most 16 KiB; empty with 204, 205 and 304. */
    body: Uint8Array;
  }

  export type NotificationError =
    /** The signature is wrong or missing. */
    | { tag: 'forged'; val: string }
    /** It cannot be read. */
    | { tag: 'malformed'; val: string }
    /**
     * Whether it is true cannot be told now: the scheme, or the host's store, does not answer. It is not acknowledged, so that the
     * scheme sends it again.
     */
    | { tag: 'not-now'; val: string }
    /** A notification about no payment, refund or dispute; acknowledge it, there is nothing to do. */
    | { tag: 'irrelevant'; val: HttpReply };

  export interface BillPage {
    /** At most 5,000, in the scheme's order: core numbers them from 1 over all pages. */
    lines: BillLine[];
    /** At most 1,024 characters; none after the last page. */
    nextCursor: string | null;
  }

  export type BillLine =
    | { tag: 'row'; val: BillRow }
    /**
     * What stands there instead of a row: it is shown to a person, cut to 200 characters. A row that breaks a bound below
     * counts as one too.
     */
    | { tag: 'unreadable'; val: string };

  export interface BillRow {
    kind: BillKind;
    /** The order number as the scheme has it, ours or not; at most 64 characters. */
    number: string;
    /** Our number of the refund, at most 64 characters; for a refund, and for it alone. */
    refundNumber: string;
    /**
     * The scheme's number of the dispute, at most 64 characters; for a chargeback and its reversal alone, and empty there too if
     * the scheme numbers none.
     */
    caseNumber: string;
    /** The scheme's own number, at most 128 characters. */
    reference: string;
    /** Whole minor units, above 0 for all kinds alike. */
    amountMinor: number;
    /** Whole minor units, no more than the amount; below 0 where the scheme gives a fee back. */
    feeMinor: number;
    /** ISO 4217, of amount and fee. */
    currency: string;
    /** When the scheme booked it. */
    at: Millis;
  }

  export type BillKind =
    | 'payment'
    | 'refund'
    /** The payment was undone whole under its own number, as `cancel` does. */
    | 'reversal'
    /** The scheme took back what the customer disputes. */
    | 'chargeback'
    /** The scheme gave that back, because the merchant won. */
    | 'chargeback-reversal';

  export interface Channel {
    /**
     * Who this is and what it needs. Called once when the plugin is installed, with no capability at all: it must not
     * call any import.
     */
    describe(): Manifest;
    /**
     * Merchant-presented: announces the order to the scheme. `code` is what the customer's app must receive (a URL or a
     * payload). Announcing again returns the same code or a new one; both lead to the same order. Only the code goes back to
     * core, so compare the scheme's number and amount with the order yourself; another is `no-answer`.
     * @throws {Error}
     */
    create(account: Account, order: Order): Created;
    /**
     * Customer-presented: charges the code that the cashier scanned, or the card that `card.presented` shows; the code is empty
     * then. Again with the same order number: the scheme's answer about the first.
     * @throws {Error}
     */
    charge(account: Account, order: Order, code: string): PaymentAnswer;
    /**
     * What the scheme knows of an order. Mandatory, changes nothing, and is repeated at the manifest's cadence.
     * @throws {Error}
     */
    query(account: Account, order: KnownOrder): PaymentAnswer;
    /**
     * Undoes an order: closes it if unpaid, gives the money back in full if paid. Mandatory, idempotent.
     * `closed` once the scheme confirms; `succeeded` if the scheme says it is paid and can no longer be undone this way.
     * `not-found` only if the scheme never heard of the order; half a minute after the charge core takes that as undone.
     * `pending` while the scheme cannot close an announced order that is still payable: core asks again until it is dead.
     * @throws {Error}
     */
    cancel(account: Account, order: KnownOrder): PaymentAnswer;
    /**
     * Gives back part or all of a paid order. Again with the same refund number: the scheme's answer about the first, never a
     * second refund.
     * @throws {Error}
     */
    refund(account: Account, refund: RefundOrder): RefundAnswer;
    /**
     * What the scheme knows of a refund. Changes nothing.
     * @throws {Error}
     */
    queryRefund(account: Account, refund: RefundOrder): RefundAnswer;
    /**
     * Reads a notification and checks its signature. Nothing may be believed before that: where a scheme does not sign, ask the
     * scheme about what is named, over `http`, and report its answer. The same one may come any number of times, late, and in any
     * order: core sorts that out.
     * @throws {NotificationError}
     */
    parseNotification(account: Account, notification: HttpMessage): NotificationOutcome;
    /**
     * The scheme's bill of one day (`YYYY-MM-DD` in the scheme's time zone), one page after another: the first with no cursor,
     * each next with the cursor of the one before. Asking again gives the same rows.
     * @throws {Error}
     */
    fetchBill(account: Account, day: string, cursor: string | null): BillPage;
    /**
     * Whether the account's settings and secrets work, without moving money. Also the place to register `account.notify-url` where
     * the scheme wants that done by a call. The text is for the merchant, cut to 500
     * characters.
     * @throws {Error}
     */
    selfTest(account: Account): string;
  }
}

/**
 * A tenant's own rules. Unlike a channel an extension sends nothing: it is asked, it answers, and core decides what the answer is
 * worth. So it has no http, no secrets and no store: what it may know stands in its arguments, the time as well, and the same
 * arguments must give the same answer.
 * 
 * Whoever sells may ask core for a quote before anybody is asked to pay: `price` and `receipt-lines` are called for that, and whoever
 * asked makes the sale of the amount that was quoted. Nothing is written for it, and nobody must make that sale; one that names the
 * quote is held to it: core never changes the amount of a sale, which the customer has seen. For the sale itself `risk` is called, and
 * `route` where core would choose among several channel accounts, both before anything of the payment is written or sent; what they
 * decided is kept with the payment. Cash is sold at the terminal, with or without a network: `price` and `receipt-lines` are called for
 * it where core can be asked, `risk` and `route` never. An instance lives for one call, which may wait
 * half a second for its place, run for 50 ms, and end within a second once it has begun: a customer waits.
 * 
 * A trap, a call past its deadline, an `err`, and an answer that breaks a bound stated here are one and the same to core: the rule
 * has failed, and the tenant's setting says what then: there is no payment (or quote), or it is made as if the extension had no such
 * rule, and the failure is kept with the payment (told with the quote). Without a setting there is no payment if `risk` fails, and it goes on without the
 * others.
 */
declare module 'saoma:channel/extension@0.2.0' {
  export interface Description {
    /** As a channel's `manifest`: 2 to 32 lower-case letters, digits and `-`; another than that of any channel. */
    id: string;
    /** SemVer, at most 64 characters. */
    version: string;
    /** What people see, 1 to 64 characters. */
    name: string;
    /** At least one, none twice. Those that are not named are never called. */
    rules: Rule[];
    /** JSON Schema of the tenant's settings, of the kind that a channel's `manifest.settings-schema` is. */
    settingsSchema: string;
  }

  export type Rule =
    | 'price'
    | 'route'
    | 'risk'
    | 'receipt-lines';

  /** A sale that is about to be made. */
  export interface Draft {
    /** What was asked for, in whole minor units, from 1 to 999,999,999,999. */
    amountMinor: number;
    /** ISO 4217, and how many of the amount's digits stand behind its point (0 to 4). */
    currency: string;
    minorDigits: number;
    /** As the till named them, at most 200; often none. They need not add up to the amount. */
    goods: Goods[];
    /** Core's ids, as channels see them; the terminal's is empty for sales without one. */
    storeId: string;
    terminalId: string;
    /** Who sells, as the till names them; empty if nobody is named. */
    cashier: string;
    method: Method;
    /** When, in milliseconds since 1970-01-01T00:00:00Z, and how many minutes after UTC's the merchant's clock is, -1,439 to 1,439. */
    at: number;
    utcOffsetMinutes: number;
  }

  export interface Goods {
    /** 1 to 128 characters, of any script. */
    name: string;
    quantity: number;
    /** Of one; 0 or more. */
    priceMinor: number;
  }

  export type Method =
    | 'merchant-presented'
    | 'customer-presented'
    | 'card'
    /** The customer has not chosen yet, as when a price is asked for; cash too. */
    | 'undecided';

  export interface Priced {
    /** From 1 to twice what was asked. In the currency of the draft: there is no other. */
    amountMinor: number;
    /** Why, at most 8; what was asked and all of these are together exactly the amount. */
    adjustments: Adjustment[];
  }

  export interface Adjustment {
    /** 1 to 64 characters without control characters. Customers read it. */
    name: string;
    /** Less than 0 is a discount; never 0. */
    minor: number;
  }

  export interface Candidate {
    /** 2 to 64 of them come (further ones keep their place behind), in the order of the merchant's priorities. */
    id: string;
    channel: string;
    /** What the account's fee plan says that this sale will cost, in minor units. */
    feeMinor: number;
    /** Of the account's payments of late that have an outcome: how many, and how many of ten thousand succeeded (10,000 if none). */
    outcomes: number;
    successPer10000: number;
  }

  /**
   * The payments in the draft's currency of this cashier (if the draft names one; else of this store) that were made in the hour before
   * and are paid by now, cash too. Those under way do not count.
   */
  export interface Recent {
    payments: number;
    amountMinor: number;
  }

  export type Verdict =
    | { tag: 'allow' }
    | { tag: 'refuse'; val: Refusal };

  export interface Refusal {
    /** 1 to 64 of [a-z0-9_]. */
    code: string;
    /** For the cashier, 1 to 200 characters without control characters. */
    sentence: string;
  }

  /** Who this is and what it offers. Called once when the extension is taken in; it must not call any import. */
  export function describe(): Description;

  /**
   * What is to be paid: a discount, a surcharge, or as it was (then without adjustments).
   * @throws {string}
   */
  export function price(settingsJson: string, draft: Draft): Priced;

  /**
   * Which of the accounts that could collect it should, the best first. Only ids of `candidates`, none twice; those left out come
   * after, in their old order, so that an empty list changes nothing. Core still passes over those where nobody answers; whose a
   * code is that several wallets of one priority claim is a person's to say; and once something was sent there is no other account.
   * @throws {string}
   */
  export function route(settingsJson: string, draft: Draft, candidates: Candidate[]): string[];

  /**
   * Whether the sale may be made at all.
   * @throws {string}
   */
  export function risk(settingsJson: string, draft: Draft, recent: Recent): Verdict;

  /**
   * What the receipt says besides: at most 8 lines of 1 to 48 characters without control characters. `priced` is what `price` gave,
   * or the draft's amount without adjustments.
   * @throws {string}
   */
  export function receiptLines(settingsJson: string, draft: Draft, priced: Priced): string[];
}

/**
 * The only way out to the network. The host allows what the manifest names and the operator granted, checks every
 * address it connects to (no private ranges unless the operator allows them), follows no redirect, and cuts off at its
 * limits: 16 requests a call, requests of at most 1 MiB, 32 headers of at most 8 KiB in all, and the call's deadline. It
 * retries nothing. A trace's `traceparent` is the host's to add.
 */
declare module 'saoma:channel/http@0.2.0' {
  export interface Request {
    /** `GET`, `POST`, `PUT`, `PATCH` or `DELETE`. */
    method: string;
    /** At most 4 KiB, without user name and password. */
    url: string;
    /** Not those of the connection itself: `host`, `content-length`, `transfer-encoding` and their like are refused. */
    headers: [string, string][];
    body: Uint8Array;
    /** At most 4; each adds what it says to headers or body, within their limits. */
    credentials: Credential[];
    /** The secret (`client-certificate`) by which this side shows who it is in TLS. */
    clientCertificate: string | null;
    /**
     * The secret (`certificates`) that alone is trusted to tell who the other side is: it shows one of these very
     * certificates, whatever name is in it, or one that they issued for its name. None: the public authorities.
     */
    serverCertificates: string | null;
    /** 1 to 60,000; the call's own deadline counts too. */
    timeoutMs: number;
    /** The longest body taken, 1 to 1,048,576; in `fetch-bill` to 8,388,608. */
    answerBytesMax: number;
  }

  /**
   * A secret (`text`) that the host puts into a request. Its text never enters the plugin: an answer that repeats it is
   * `broken`.
   */
  export interface Credential {
    secret: string;
    place: CredentialPlace;
  }

  export type CredentialPlace =
    | { tag: 'header'; val: SecretHeader }
    /** The password of this user, who has no colon, in `authorization: Basic …` (RFC 7617). */
    | { tag: 'basic'; val: string }
    /** The last field, of this name, of a body whose `content-type` says `application/x-www-form-urlencoded`. */
    | { tag: 'form-field'; val: string };

  export interface SecretHeader {
    /** Not one that `headers` has. */
    name: string;
    /** What stands before the secret, for example `Bearer `. */
    prefix: string;
  }

  export interface Response {
    status: number;
    /** Names in lower case. */
    headers: [string, string][];
    body: Uint8Array;
  }

  export type Error =
    /** The request itself is not valid; nothing was sent. */
    | { tag: 'invalid'; val: string }
    /** Not on the list, a private address, or more requests than a call may send: nothing was sent. */
    | { tag: 'forbidden'; val: string }
    /** The account lacks a secret that the request names, or it is of another kind: nothing was sent. */
    | { tag: 'no-secret'; val: string }
    /** No connection was made, or the other side is not who it should be: nothing was sent. */
    | { tag: 'unreachable'; val: string }
    /** The request may have been received. */
    | { tag: 'timed-out' }
    /** The request may have been received; the answer was cut off, too large or not HTTP, or repeats a secret. */
    | { tag: 'broken'; val: string };

  /** A secret (`text`) as a parameter of the URL's query, for schemes that take it nowhere else. */
  export interface QuerySecret {
    /** 1 to 64 letters, digits, `-` and `_`. */
    name: string;
    secret: string;
  }

  /**
   * Any status is an answer, redirects too: none is followed.
   * @throws {Error}
   */
  export function send(request: Request): Response;

  /**
   * The same with these, at most 4, as the last parameters of the query. They count to the URL's length.
   * @throws {Error}
   */
  export function sendWithQuery(request: Request, secrets: QuerySecret[]): Response;
}

/** Keys by name. They never enter the plugin; it asks for their work. Messages have at most 1 MiB, unless it says otherwise. */
declare module 'saoma:channel/secrets@0.2.0' {
  export type Error =
    /** The account has no secret of that name, or the manifest does not list it. */
    | { tag: 'missing'; val: string }
    /** The secret is of another kind than the operation needs, or its value does not read as one of its kind. */
    | { tag: 'wrong-kind'; val: string }
    /** The secret holds no key of that id, or not the one that something was sealed for. */
    | { tag: 'unknown-key'; val: string }
    /** The operation cannot be done on this: too long a message, a nonce of another length, a key that cannot be read. */
    | { tag: 'invalid'; val: string }
    /** More than 64 RSA operations in one call. */
    | { tag: 'exhausted' };

  /**
   * HMAC-SHA-256 (RFC 2104) over the message, 32 bytes. Kind `mac-key`.
   * @throws {Error}
   */
  export function hmacSha256(secret: string, message: Uint8Array): Uint8Array;

  /**
   * Whether the tag is the HMAC-SHA-256 of the message, compared in constant time. Kind `mac-key`.
   * @throws {Error}
   */
  export function hmacSha256Verify(secret: string, message: Uint8Array, tag: Uint8Array): boolean;

  /**
   * RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 8.2) over the message, as long as the key's modulus. Kind
   * `rsa-private-key`.
   * @throws {Error}
   */
  export function rsaSha256Sign(secret: string, message: Uint8Array): Uint8Array;

  /**
   * Whether it is such a signature by the key of that id; without an id, by any key of the secret. Kind `rsa-public-keys`.
   * @throws {Error}
   */
  export function rsaSha256Verify(secret: string, keyId: string | null, message: Uint8Array, signature: Uint8Array): boolean;

  /**
   * The same by a public key or certificate (PEM or DER, at most 16 KiB) that the plugin has from the scheme itself, under a
   * signature or seal that it has checked: how a scheme hands out its next key. Whether a certificate is still valid, and who
   * issued it, is not looked at.
   * @throws {Error}
   */
  export function rsaSha256VerifyWith(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;

  /**
   * AES-256-GCM (NIST SP 800-38D) with a nonce of 12 bytes: what was sealed, the tag of 16 bytes at its end. None if it was not
   * sealed under this key with this nonce and this associated data. Kind `aes-256-key`.
   * @throws {Error}
   */
  export function aes256GcmOpen(secret: string, nonce: Uint8Array, associatedData: Uint8Array, sealed: Uint8Array): Uint8Array | null;

  /**
   * A digital envelope: what was sealed by AES-256-GCM under a key of its own, the tag of 16 bytes at its end, and `sealed-key`, that
   * key of 32 bytes sealed for the secret's by RSAES-OAEP with SHA-1, MGF1 with SHA-1 and no label (RFC 8017, section 7.1). The nonce
   * has 12 or 16 bytes. What is sealed may be as long as an answer that `http` takes in this call; it counts as one RSA operation, and one more for each MiB.
   * The opened key stays in the host. `unknown-key` if the secret does not open the sealed key; none if that key, this nonce and this
   * associated data do not open the rest. Kind `rsa-private-key`.
   * @throws {Error}
   */
  export function rsaOaepSha1Aes256GcmOpen(secret: string, sealedKey: Uint8Array, nonce: Uint8Array, associatedData: Uint8Array, sealed: Uint8Array): Uint8Array | null;
}

/**
 * One message to a host that speaks in frames over TCP, and its answer: card acquirers (ISO 8583). The same hosts, addresses
 * and grants as `http`, and its requests and these are counted together.
 * 
 * Every exchange has a connection of its own, closed with the answer. An answer that comes late, or twice, then has nowhere to
 * go and cannot be taken for the answer to another message, whatever the far side does. A handshake a payment is its price. Whether
 * the answer is about the message (type, trace number, terminal) is for the plugin to compare all the same.
 */
declare module 'saoma:channel/tcp@0.2.0' {
  export interface Request {
    /** `tls://host:port`, or `tcp://host:port` for a private address that the operator allows; nothing after the port. */
    url: string;
    /** Without the length in front of it: 1 to 65,533 bytes, and 1 to 9,995 with a decimal length. */
    message: Uint8Array;
    length: LengthHeader;
    /** At most 8, which do not overlap. */
    cardFields: CardField[];
    mac: MessageMac | null;
    /** As in `http`; with `tls://` alone. */
    clientCertificate: string | null;
    serverCertificates: string | null;
    /** 1 to 60,000; the call's own deadline counts too. */
    timeoutMs: number;
  }

  /** How long the message is, in front of it, in both directions. */
  export type LengthHeader =
    /** Two bytes, the higher first, of what follows them. */
    | 'binary'
    /** The same, and they count themselves. */
    | 'binary-with-itself'
    /** Four ASCII digits, of what follows them. */
    | 'decimal'
    /** The same, and they count themselves. */
    | 'decimal-with-itself';

  /**
   * Something of the card (`card.presented`) that the host writes over the bytes that stand in `message` from `at` on, as many as
   * the value takes. A length in front of it is the plugin's to write.
   */
  export interface CardField {
    at: number;
    value: CardValue;
  }

  export type CardValue =
    /** As many digits as `presented-card.number-masked` has characters. */
    | { tag: 'number'; val: Digits }
    /** Four digits, year and month. */
    | { tag: 'expiry'; val: Digits }
    /** As many as `presented-card.track-2-length`; between number and expiry stands a D, in text a `=`. */
    | { tag: 'track-2'; val: Digits }
    /** The customer's PIN, sealed for the acquirer. */
    | { tag: 'pin-block'; val: PinBlock };

  export type Digits =
    /** Two in a byte, the first in the higher half; after an odd number a 0. */
    | 'packed'
    /** The same; after an odd number an F. */
    | 'packed-f'
    /** ASCII. */
    | 'text';

  /** The PIN block that the terminal made is opened and made anew under a working key for PINs, without leaving the host. */
  export interface PinBlock {
    /** The slot of the key. */
    key: string;
    format: PinFormat;
  }

  export type PinFormat =
    /** ISO 9564-1 format 0, 8 bytes, under TDES. */
    | 'iso-0'
    /** ISO 9564-1 format 4, 16 bytes, under AES. */
    | 'iso-4';

  /** A MAC over the message, card fields and all, from `begins-at` to the byte before its own place: the last 8 bytes. */
  export interface MessageMac {
    /** The slot of a key for MACs. */
    key: string;
    algorithm: MacAlgorithm;
    /** After what no MAC covers (TPDU, header); the same in the answer. */
    beginsAt: number;
  }

  export type MacAlgorithm =
    /** ISO 9797-1 algorithm 3 with DES, filled up with zeros (ANSI X9.19, the retail MAC); a key of 16 bytes. */
    | 'retail'
    /** China UnionPay's ECB: the blocks XORed, the hex of that encrypted in two steps, of which 8 hex digits are the MAC. */
    | 'unionpay-ecb'
    /** The first 8 bytes of AES-CMAC (NIST SP 800-38B). */
    | 'aes-cmac';

  export interface Answer {
    /**
     * Without its length. Where it repeats the card's number, all digits but the first 6 and the last 4 are 0, and what follows the
     * number on track 2 is too.
     */
    message: Uint8Array;
    /**
     * Whether its last 8 bytes are the MAC that `request.mac` asks for, over the answer as it came. An answer that names no MAC
     * among its fields has none: how much it may then be believed is for the plugin to say.
     */
    macFits: boolean;
  }

  export type Error =
    /** The request itself is not valid; nothing was sent. */
    | { tag: 'invalid'; val: string }
    /** Not on the list, a private address, or more requests than a call may send: nothing was sent. */
    | { tag: 'forbidden'; val: string }
    /** The account lacks a secret that the request names, or it is of another kind: nothing was sent. */
    | { tag: 'no-secret'; val: string }
    /** No working key for that is in the slot, and nothing was sent: sign on, and load it. */
    | { tag: 'no-key'; val: string }
    /** This call is about no card, or the card has no such field, or a PIN block that does not open: nothing was sent. */
    | { tag: 'no-card'; val: string }
    /** No connection was made, or the other side is not who it should be: nothing was sent. */
    | { tag: 'unreachable'; val: string }
    /** The message may have been received. */
    | { tag: 'timed-out' }
    /** The message may have been received; the connection ended before a whole answer. */
    | { tag: 'broken'; val: string };

  /** @throws {Error} */
  export function exchange(request: Request): Answer;
}

/**
 * Working keys, which acquirers send at sign-on sealed under a key that both sides have. They are opened in the host and kept
 * there for the channel account, for `tcp`; the plugin can use them by the names of their slots and never read them.
 */
declare module 'saoma:channel/keys@0.2.0' {
  /** What a key may be used for, and nothing else. */
  export type KeyUse =
    | 'pin'
    | 'mac';

  export type Error =
    /** The account has no secret of that name, or it is of another kind. */
    | { tag: 'no-secret'; val: string }
    /**
     * A slot's name of another form, more than 8 slots, a sealed key of a length that its cipher or use does not have, a PIN key
     * with two equal halves, or a check value that is not the key's: the slot has what it had.
     */
    | { tag: 'refused'; val: string }
    /** The host's store cannot be reached now. */
    | { tag: 'unavailable'; val: string };

  /**
   * Opens the key by the secret `under` (kind `key-encryption-key`; by TDES or AES, whichever that is for, block by block), compares
   * it with its check value, and puts it into the slot (1 to 32 lower-case letters, digits and `-`) in place of what was there. A
   * sealed TDES key has 16 or 24 bytes, for a MAC 8 too; an AES key 16 or 32. The check value has 3 to 8 bytes, the first ones of
   * what the key makes of a block of zeros: by TDES encrypted, by AES-CMAC (ANSI X9.24-1).
   * @throws {Error}
   */
  export function load(slot: string, usage: KeyUse, under: string, sealed: Uint8Array, checkValue: Uint8Array): void;
}

/** The card that a call is about. */
declare module 'saoma:channel/card@0.2.0' {
  export type EntryMode =
    /** The magnetic stripe. */
    | 'swiped'
    /** The stripe, because the chip did not work. */
    | 'fallback'
    | 'chip'
    | 'contactless'
    | 'contactless-stripe'
    /** The number was typed in. */
    | 'keyed';

  export interface PresentedCard {
    entry: EntryMode;
    /** The first 6 digits of the number, `*` for each of those that follow, and the last 4. */
    numberMasked: string;
    /** In digits, the separator too; 0 without a track 2. */
    track2Length: number;
    /** ISO 7813 service code of track 2, three digits; empty without. */
    serviceCode: string;
    /** 0 to 99 (EMV tag 5F34). */
    sequenceNumber: number | null;
    /**
     * The data of chip and terminal for the acquirer (field 55), BER-TLV: without number, track, or name of the customer. Empty
     * without a chip.
     */
    emv: Uint8Array;
    hasPin: boolean;
  }

  /**
   * In `charge` and `stored.forward` the card that was presented, none if a code was. In later calls about that order (`query`, `cancel`, `refund`,
   * `query-refund`) what core may keep of it: neither track nor PIN nor data of the chip.
   */
  export function presented(): PresentedCard | null;
}

/**
 * A small store of the channel account's own: 1,000 keys of at most 128 bytes, values of at most 4 KiB, 100 operations a
 * call.
 */
declare module 'saoma:channel/kv@0.2.0' {
  export type Error =
    /** A new key, and the account has 1,000. */
    | { tag: 'full' }
    /** The key or the value. */
    | { tag: 'too-large' }
    /** `next` of a key whose value is no number, or of the largest. */
    | { tag: 'not-a-number' }
    /** The store cannot be reached now, or the call has used up its operations. */
    | { tag: 'unavailable'; val: string };

  /** @throws {Error} */
  export function get(key: string): Uint8Array | null;

  /**
   * Replaces what was there. Written when it returns; kept even if the call fails later.
   * @throws {Error}
   */
  export function set(key: string, value: Uint8Array): void;

  /**
   * Deleting what is not there is no error.
   * @throws {Error}
   */
  function _delete(key: string): void;

  export { _delete as delete };

  /**
   * Adds one to the number at the key (0 where there is none) and returns it: never the same twice, whatever calls run at once,
   * also on other nodes; numbers may be left out. It is kept as decimal digits, which `get` and `set` see.
   * @throws {Error}
   */
  export function next(key: string): number;
}

declare module 'saoma:channel/log@0.2.0' {
  export type Level =
    | 'debug'
    | 'info'
    | 'warn'
    | 'error';

  /**
   * At most 50 lines of at most 1,000 characters a call; what is over is dropped and counted. Never log a code or a secret:
   * the host takes out the customer's code where it finds it, and knows no other.
   */
  export function write(level: Level, message: string): void;
}

declare module 'saoma:channel/clock@0.2.0' {
  /** Milliseconds since 1970-01-01T00:00:00Z, as core's clock says. */
  export function now(): number;
}

declare module 'saoma:channel/random@0.2.0' {
  /** Unpredictable bytes, at most 1,024; asking for more is a trap. */
  export function bytes(len: number): Uint8Array;
}

/**
 * What a channel may export beside `channel`: paying from a page of core's that is open in an app's own browser.
 * 
 * A small stall has one printed code, the same for every customer and every app (聚合码). It leads to a page of core's, which knows
 * the app by what its browser says of itself, asks for the amount, and lets the customer pay in that app's own way. The page is
 * core's: a channel says which apps it serves, who the visitor is to the scheme, and what the browser has to do to pay.
 * 
 * A component that does not export this is a channel like any other. The host finds out when it takes the component in, and core
 * then offers no app through it.
 * 
 * What is opened here is an order like one of `create`: `query` and `cancel` are asked about it (`presented-by` is `merchant`),
 * notifications and bills tell of it, refunds are given of it. What the browser says of the outcome reaches no one.
 */
declare module 'saoma:channel/in-app@0.2.0' {
  import type { Account, Order, Error } from 'saoma:channel/types@0.2.0';
  export type { Account, Order, Error };

  /** At most 8, no id twice. */
  export interface App {
    /** As a manifest's `id`: 2 to 32 lower-case letters, digits and `-`. */
    id: string;
    /** What people see, 1 to 64 characters. */
    name: string;
    /**
     * By what the page knows the app's browser: it stands in the header `User-Agent` (RFC 9110, section 10.1.5). 1 to 4, of 3 to 64
     * printable ASCII characters, compared without regard to case. Who forges it sees a page that does not work, and no more.
     */
    markers: string[];
    /**
     * The settings and secrets of the manifest without which an account does not serve the app, at most 8 of each: what an account
     * without them lacks is not asked for where nobody scans.
     */
    settings: string[];
    secrets: string[];
  }

  export type Step =
    /** Call a function of the app's bridge. */
    | { tag: 'bridge'; val: BridgeCall }
    /** Go to this address, with the bounds of what `identify` gives. */
    | { tag: 'visit'; val: string };

  /** `window[object][function](name, parameters, done)`. Nothing secret: the visitor can read it. */
  export interface BridgeCall {
    /** 8 to 32 letters that end in `JSBridge`. */
    object: string;
    /** The event of `document` that says that the bridge is there, for a page that is quicker: 1 to 64 letters. */
    ready: string;
    /** 1 to 64 letters and digits, a letter first; both. */
    function: string;
    name: string;
    /** A JSON object of texts, at most 4,096 bytes. */
    parametersJson: string;
  }

  /**
   * The apps that are served. Called once when the plugin is installed, after `describe` and like it with no capability at all: it
   * must not call any import.
   */
  export function apps(): App[];

  /**
   * Where the visitor's browser is sent so that the scheme tells who they are: an `https` URL (or `http`, where the operator allows
   * private addresses) of at most 2,048 characters without a user name, at a host and port of the manifest's `hosts` or of one of the
   * app's `settings`; none if `open` needs no payer. The browser must come back to `return-url` with
   * `state` (32 characters of [a-z0-9]) among its query parameters: core refuses it otherwise, and whoever is not the visitor whom
   * it sent. Sends nothing; the same arguments give the same URL.
   * @throws {Error}
   */
  export function identify(account: Account, app: string, returnUrl: string, state: string): string | null;

  /**
   * Who came back, by the parameters that the scheme put into the query (at most 16 with at most 2,048 bytes in all, decoded, without
   * `state`): the scheme's id of the payer, for `open` alone. 1 to 128 printable ASCII characters. Core keeps it sealed, for as long as
   * the page is open. Called at most twice for each coming back, also at the same time: browsers ask twice, and schemes' codes are good once.
   * `not-sent`: the scheme does not take these parameters (used, too old, made for another app): core sends the visitor there again
   * unless it knows them by then, at most twice.
   * @throws {Error}
   */
  export function payer(account: Account, app: string, parameters: [string, string][]): string;

  /**
   * Announces the order for this payer (empty where `identify` gave no URL) and says what the browser has to do. Again with the same
   * order number and payer: the same order, which is paid once; the step may be a new one. Only the step goes
   * back to core, so compare the scheme's number with the order yourself; another is `no-answer`.
   * Errors and their retries are those of `create`: after `no-answer` core asks by `query` and undoes the order by `cancel`.
   * @throws {Error}
   */
  export function open(account: Account, app: string, order: Order, payer: string): Step;
}

/**
 * For channels whose scheme wants batches closed: a card acquirer compares what both sides count before it pays out. A channel
 * that has this exports it beside `channel` (world `settling-channel`); the host finds that out when it takes the component in, and the
 * manifest says nothing about it. Core never settles with a channel that does not export it.
 * 
 * Core alone knows what belongs to a batch: all that came into its books through the account since the batch before, whenever it was
 * paid: sales, refunds and voids that the scheme confirmed. What is in doubt when a batch is closed belongs to the next one. A batch has a
 * number and totals before the first message leaves, and both stay as they are whatever comes; an account has one batch at a time on its way.
 * 
 * settle -> balanced                                     the batch is over
 * settle -> differs -> upload, page after page -> finish the batch is over; a person looks at what `finish` leaves open
 * 
 * Each of these functions may be repeated with the same number at any time (after a crash, after a timeout, on another node), and must
 * never settle twice: a repeat is the same message to the scheme, or a question about it. `no-answer`, `not-sent` and
 * `misconfigured` leave the batch as it is; core asks again, at growing pauses, until it has an end. Core closes a batch when nothing of the
 * account is under way: where something is, it first holds new payments and refunds back, for two minutes at most, and tries again later if that was
 * not enough. What a person is called for is not waited for, unless it may be going out just then: it belongs to the next batch. Nor is a code
 * on show under way: it may be paid at any moment, and is of the batch into which its success comes. Until `settle` has an answer, for two minutes
 * from the close at most, core calls neither `create`, `charge`, `refund` nor `cancel` of the account, so that what the scheme counts does not
 * change meanwhile; and again during each repeat of `settle`, as long as nothing was confirmed since the close.
 * Settlement moves no money and changes no payment, here as there: what it finds, persons see to.
 */
declare module 'saoma:channel/settlement@0.2.0' {
  import type { Account, Error, Millis, Money } from 'saoma:channel/types@0.2.0';
  export type { Account, Error, Millis, Money };

  export interface SettlementTerms {
    /** Rows of a batch, 1 to 100,000. Core closes a batch by itself before it has as many, and never makes one of more. */
    rowsMax: number;
  }

  export interface Batch {
    /** Our number of the batch, 30 characters of [a-z0-9_]: what a repeat is known by. */
    number: string;
    /** One for each currency that moved, 1 to 64; in their order by code. */
    totals: Total[];
    /** All rows of all currencies: 1 to `rows-max`. */
    rows: number;
    /** When core closed it. */
    closedAt: Millis;
  }

  /** Whole minor units, 0 to 10^17, and how many rows they are of; both 0 if there are none. */
  export interface Tally {
    count: number;
    minor: number;
  }

  export interface Total {
    /** ISO 4217. */
    currency: string;
    /** Sales, whatever became of them later. */
    debits: Tally;
    /** Refunds and voids, whenever the sale was. What was reversed before anybody knew of a success is in neither. */
    credits: Tally;
  }

  export type Settled =
    /** The scheme counts the same. The batch is over on both sides. */
    | { tag: 'balanced' }
    /**
     * It counts otherwise; and its own totals, if it says them (1 to 64, each currency once). From `settle`: the batch is open there, and waits for its
     * rows. From `finish`: the batch is over, and a person sees to the difference.
     */
    | { tag: 'differs'; val: Total[] | null }
    /**
     * The scheme has closed that batch by itself, and cannot be asked whether the totals agreed. The batch is over, and a person
     * sees to it. In words for them, cut to 500 characters.
     */
    | { tag: 'over'; val: string };

  export interface Row {
    /** From 1, in the order in which they came into core's books. */
    place: number;
    kind: RowKind;
    /** Our number of the payment. */
    number: string;
    /** The scheme's number of the payment, as `payment-answer.reference` had it; empty if we never learned it. */
    reference: string;
    /** Our number of the refund or void; empty for a sale. */
    refundNumber: string;
    /** The scheme's number of the refund, as `refund-answer.reference` had it; may be empty. */
    refundReference: string;
    amount: Money;
    /** When the scheme confirmed it. */
    at: Millis;
  }

  export type RowKind =
    | 'sale'
    /** Part or all of a sale, also of an earlier batch. */
    | 'refund'
    /** A sale undone whole by `cancel`. */
    | 'void';

  /** What the scheme's messages have room for. Asked once when the component is taken in, like `describe`: it must not call any import. */
  export function terms(): SettlementTerms;

  /**
   * Sends the batch's totals.
   * @throws {Error}
   */
  export function settle(account: Account, batch: Batch): Settled;

  /**
   * Sends rows of a batch that differs, in their order, from `rows`' first on. Core sends the next ones once these were taken, and
   * these again while it does not know. 1 to 50 rows; one alone where the manifest has the capability `card`, so that
   * `card.presented` shows that row's card, if it is still kept.
   * A row that the scheme cannot be told of is left out, and `finish` does not say `balanced` then.
   * @throws {Error}
   */
  export function upload(account: Account, batch: Batch, rows: Row[]): void;

  /**
   * After the last row.
   * @throws {Error}
   */
  export function finish(account: Account, batch: Batch): Settled;
}

/**
 * For card channels whose scheme takes advices: sales that a terminal made by card while it had no network, at the merchant's own risk
 * (store-and-forward). A channel with the capability `card` that has this exports it beside `channel` (world `forwarding-channel`); the
 * host finds that out when it takes the component in, and the manifest says nothing about it. Core lets no terminal sell so through a
 * channel that does not export it.
 * 
 * The goods are gone when core hears of such a sale, so it is never undone for want of an answer, and `cancel` is not called before it
 * has one. Core calls `forward` again, at growing pauses, until the scheme has said that the sale is paid, or never will be. It
 * forwards the sales of an account one after the other in the order in which they came in, once what is to be reversed is, and before it closes
 * a batch.
 */
declare module 'saoma:channel/stored@0.2.0' {
  import type { Account, Error, Millis, Order, PaymentAnswer } from 'saoma:channel/types@0.2.0';
  export type { Account, Error, Millis, Order, PaymentAnswer };

  /**
   * Tells the scheme of the sale as an advice. `card.presented` shows the card as in `charge`, never with a PIN.
   * `at`: when the terminal sold, by its own clock. `order.created-at`: when core called this first; the same in every call, as all else
   * is, so that a channel that keeps nothing of an order which is not new knows that a record is lost.
   * 
   * May be repeated with the same number at any time (after a crash, after a timeout, on another node), and must never be taken twice:
   * a repeat is the same message to the scheme, with the number of the first.
   * 
   * Say `succeeded` or `failed` once the scheme has, and only then: a sale that failed is the merchant's loss, and is not forwarded again. Any
   * other status counts as `no-answer`. With an error core calls again; `not-sent` and `misconfigured` say that nothing of the sale
   * is at the scheme, by no earlier call either. Afterwards the payment is like any other of the channel: `query`, `cancel` and `refund`
   * are called about it by the `reference` of the answer.
   * @throws {Error}
   */
  export function forward(account: Account, order: Order, at: Millis): PaymentAnswer;
}

declare module 'saoma:channel/types@0.2.0' {
  /** Whole minor units of an ISO 4217 currency (1250 and "CNY" is 12.50 yuan), from 1 to 999,999,999,999. */
  export interface Money {
    minor: number;
    currency: string;
  }

  /** Milliseconds since 1970-01-01T00:00:00Z. */
  export type Millis = number;

  /** What the tenant has with this scheme. */
  export interface Account {
    /** Stable id of the channel account, `cha_…`. */
    id: string;
    /** The account's settings as JSON, valid under the manifest's settings schema. Secrets are not in here. */
    settingsJson: string;
    /**
     * Where the scheme sends this account's notifications, of payments and refunds alike; empty if core cannot be reached from
     * outside. A scheme may add one segment to its path (Pix adds `/pix`).
     */
    notifyUrl: string;
  }

  export interface Order {
    /** Our order number: the payment's id. The scheme must carry it as the merchant's order number. */
    number: string;
    amount: Money;
    /** What the customer may be shown, at most 127 characters. A scheme that takes fewer gets at least the first 8 letters and digits of it. */
    subject: string;
    merchantName: string;
    /** Core's id of the store, 30 characters of [a-z0-9_]: what schemes ask for as the merchant's own store code. */
    storeId: string;
    storeName: string;
    /** Core's id of the terminal, 30 characters of [a-z0-9_], and its short name; both empty for online payments. */
    terminalId: string;
    terminalName: string;
    createdAt: Millis;
    /** When an unpaid order must be dead at the scheme as well. */
    expiresAt: Millis;
  }

  /**
   * An order that was announced or charged before, as `query` and `cancel` are asked about it. What schemes want to hear again
   * is carried by core, so that a channel need not keep it.
   */
  export interface KnownOrder {
    /** Our order number, as it was in `order`. */
    number: string;
    /** The scheme's own number of the payment, empty if we never learned it. */
    reference: string;
    amount: Money;
    /** By which function the scheme heard of it: some undo what was charged and what was announced by different calls. */
    presentedBy: Presenter;
    /** As it was in `order`. */
    createdAt: Millis;
  }

  export type Presenter =
    /** The order was announced by `create`. */
    | 'merchant'
    /** A code was charged by `charge`. */
    | 'customer';

  /** What the scheme says of an order. Everything that core must check is carried as the scheme said it. */
  export interface PaymentAnswer {
    status: PaymentStatus;
    /** The order number in the scheme's answer, at most 64 characters. Core refuses an answer for another order. */
    number: string;
    /** The amount in the scheme's answer, if it said one. Core refuses another amount or currency. */
    amount: Money | null;
    /** The scheme's own number of the payment, empty until it has one; at most 128 characters. */
    reference: string;
    /** When the scheme says it was paid; a moment of the years 2000 to 2099. */
    paidAt: Millis | null;
    /** Who paid, masked by the scheme or by you; never an account number in full. Cut to 64 characters. */
    payerHint: string;
  }

  export type PaymentStatus =
    | { tag: 'succeeded' }
    /** The customer has to confirm, or has not paid yet. */
    | { tag: 'pending' }
    /** The scheme says that this payment will never succeed. */
    | { tag: 'failed'; val: Failure }
    /** The scheme has no such order (and so took no money). */
    | { tag: 'not-found' }
    /** The scheme confirms that the order is closed without payment, or that the payment was undone. */
    | { tag: 'closed' }
    /** Given back in part or in whole; only from `query`. */
    | { tag: 'refunded' };

  export interface Failure {
    /** `declined`, `insufficient-funds`, `code-invalid`, `code-expired`, `limit-exceeded`, `not-permitted`, `amount-invalid`, `other`. */
    code: string;
    /** The scheme's own code and words, for the merchant's log; no secrets, no personal data. Cut to 500 characters. */
    message: string;
  }

  export interface RefundOrder {
    /** Our number of the payment. */
    number: string;
    /** The scheme's number of the payment, empty if we never learned it. */
    reference: string;
    /** Our number of this refund: the idempotency key at the scheme. */
    refundNumber: string;
    /** What is to be given back by this refund. */
    amount: Money;
    /** The whole payment's amount; several schemes ask for it. */
    total: Money;
    /** For the customer, at most 127 characters; may be empty. */
    reason: string;
    /** When core took the refund in, the same in every call about it. */
    createdAt: Millis;
  }

  export interface RefundAnswer {
    status: RefundStatus;
    /** The refund's number in the scheme's answer. Core refuses an answer about another refund. */
    refundNumber: string;
    /** The refund's amount in the scheme's answer, if it said one. Core refuses another amount or currency. */
    amount: Money | null;
    /** The scheme's own number of the refund, empty until it has one; at most 128 characters. */
    reference: string;
  }

  export type RefundStatus =
    /** The scheme has given the money back, or has promised to beyond recall. */
    | { tag: 'succeeded' }
    /** The scheme has the refund and has not finished. */
    | { tag: 'pending' }
    /** The scheme says that this refund will never be paid. */
    | { tag: 'failed'; val: Failure }
    /** The scheme has no such refund (and so gave nothing back): core sends it again under the same number. */
    | { tag: 'not-found' };

  /** Why there is no answer to report. The texts are for the operator's log, cut to 500 characters. */
  export type Error =
    /**
     * The request may have reached the scheme and the outcome is not known: a timeout, a cut connection, a reply that
     * could not be read or whose signature was wrong. Core treats the payment as unknown and queries.
     */
    | { tag: 'no-answer'; val: string }
    /** The request certainly did not reach the scheme, or the scheme refused it before it could take effect. */
    | { tag: 'not-sent'; val: string }
    /** The account's settings or secrets are wrong; nothing was sent. A person must mend them. */
    | { tag: 'misconfigured'; val: string }
    /** The capability is not offered by this channel. */
    | { tag: 'unsupported' };

  export interface Manifest {
    /** 2 to 32 lower-case letters, digits and `-`, the first a letter; the name in the registry. */
    id: string;
    /** SemVer of the plugin, at most 64 characters. */
    version: string;
    /** What people see, 1 to 64 characters. */
    name: string;
    /** ISO 4217 codes, 1 to 64. */
    currencies: string[];
    capabilities: Capability[];
    /** At most 32; at least one if customers present codes, else none. */
    claims: Claim[];
    /**
     * JSON Schema (2020-12) of the account's settings, at most 64 KiB: one flat object of strings (`enum`, `minLength`,
     * `maxLength`, `format: uri`), integers (`minimum`, `maximum`) and booleans. Other keywords are refused.
     */
    settingsSchema: string;
    /** The secrets an account holds, by name; at most 16. */
    secrets: SecretSpec[];
    /**
     * The settings whose value is a base URL that this channel calls, and fixed `host:port`s; at most 16. Nothing else is
     * reachable.
     */
    hosts: HostPattern[];
    cadence: Cadence;
    /** With the capability `bills`, and with it alone. */
    bills: BillTerms | null;
  }

  /** When there are bills. */
  export interface BillTerms {
    /** The IANA name of the time zone whose days the scheme counts, for example `Asia/Shanghai`. */
    timeZone: string;
    /**
     * How many minutes after the midnight of its date a day begins, -1,439 to 1,439: most often 0; -30 where 31 January is from
     * 23:30 on the 30th to 23:30 on the 31st.
     */
    dayBeginsMinutes: number;
    /** How long after its end a day's bill is ready, 0 to 4,320 (three days). Core does not ask sooner by itself. */
    readyAfterMinutes: number;
  }

  /** What the channel offers. One of the first two or `card`, and `cancel`, every channel has. */
  export type Capability =
    /** `create`. */
    | 'merchant-presented'
    /** `charge`. */
    | 'customer-presented'
    | 'cancel'
    /** `refund` of the whole amount, and `query-refund`. */
    | 'refund'
    /** `refund` of less, any number of times. */
    | 'partial-refund'
    /** `parse-notification`. */
    | 'notifications'
    /** `fetch-bill`. */
    | 'bills'
    /**
     * The scheme's answers do not say how much was paid, so that `payment-answer.amount` and `refund-answer.amount` may be
     * missing in success. Without it core does not believe a success that names no amount.
     */
    | 'amounts-not-named'
    /** `charge` of cards; with a secret of kind `terminal-data-key`. */
    | 'card';

  /** How to know this channel's customer codes. A code belongs to the channel if any claim fits. */
  export type Claim =
    /** All digits, with this prefix (inclusive range, same number of digits) and a length within the range. */
    | { tag: 'digits'; val: DigitClaim }
    /** An EMVCo consumer-presented code that names this application id (10 to 32 hex digits, a prefix is enough). */
    | { tag: 'emvco-cpm-aid'; val: string }
    /** Any text with this prefix of 2 to 64 printable ASCII characters. */
    | { tag: 'text-prefix'; val: string };

  export interface DigitClaim {
    prefixFrom: string;
    prefixTo: string;
    /** In digits, 10 to 64, and more than the prefix has. */
    lengthMin: number;
    lengthMax: number;
  }

  export interface SecretSpec {
    /** 1 to 64 lower-case letters, digits and `-`. */
    name: string;
    kind: SecretKind;
    /** For the person who enters it, at most 500 characters. */
    description: string;
  }

  /**
   * What a secret is, and so which operation takes it. Persons enter it as text, and what does not read as its kind is refused
   * then. PEM may come without line breaks, and keys as the bare Base64 of their DER, as some schemes' consoles give them.
   */
  export type SecretKind =
    /** 1 to 16,384 bytes, for `hmac-sha256`. */
    | 'mac-key'
    /** An API key, token, macaroon or password, for `http.credential` alone: 8 to 4,096 printable ASCII characters. */
    | 'text'
    /**
     * An RSA key of 2,048 to 4,096 bits (PKCS #8 or PKCS #1, without a password), for `rsa-sha256-sign` and
     * `rsa-oaep-sha1-aes-256-gcm-open`.
     */
    | 'rsa-private-key'
    /**
     * 1 to 8 RSA public keys of 2,048 to 8,192 bits, or certificates of such keys, for `rsa-sha256-verify`. A certificate's
     * id is its serial number in upper-case hex without leading zeros; a key's is what a line `Key-Id: …` right above it says.
     */
    | 'rsa-public-keys'
    /** 32 ASCII characters, which are the key, for `aes-256-gcm-open`. */
    | 'aes-256-key'
    /** A certificate, those that lead from it to its issuer, and its private key, all PEM: for `http.request.client-certificate`. */
    | 'client-certificate'
    /** 1 to 8 certificates, PEM: for `http.request.server-certificates`. */
    | 'certificates'
    /** What opens working keys (`keys.load`): 32 or 48 hex digits of a TDES key, or `aes:` and 32 or 64 hex digits of an AES key. */
    | 'key-encryption-key'
    /**
     * The base derivation key (ANSI X9.24-1, TDES DUKPT) of the keys under which terminals encrypt card data: 32 hex digits. At most
     * one. What is encrypted is text with zeros behind it to a multiple of 8 bytes, by TDES in CBC mode from a block of zeros, under
     * the key's variant for data.
     */
    | 'terminal-data-key'
    /** The same for their PIN blocks (ISO 9564-1 format 0), under the variant for PINs. At most one. */
    | 'terminal-pin-key';

  export type HostPattern =
    /** `host:port` over TLS, for example `api.example.com:443`; a name, not an address. */
    | { tag: 'fixed'; val: string }
    /** The name of a setting that holds a base URL, of `tcp` too (`tls://acquirer.example.com:7001`). */
    | { tag: 'setting'; val: string };

  /** How core drives this channel's payments. All in milliseconds. */
  export interface Cadence {
    /** Longest time one call may take, waiting included, 100 to 60,000. Of that the plugin's own code runs 2,000 at most. */
    callTimeoutMs: number;
    /** First query after no answer, and the pause between queries, 200 to 60,000. */
    queryIntervalMs: number;
    /**
     * How long after the charge core goes on asking before it reverses a customer-presented payment, from
     * `query-interval-ms` to 600,000.
     */
    reverseAfterMs: number;
  }
}
