// The second screen, which the customer sees: the code with its amount, a message, or the shop's name. It asks nothing and
// takes no input.

import { kilograms } from './amount';
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { type Display, type DisplayMessage, follow } from './api';

const MESSAGES: Readonly<Record<DisplayMessage, readonly [zh: string, en: string]>> = {
  show_your_code: ['请出示付款码', 'Please show your payment code'],
  scan_code: ['请扫码支付', 'Scan to pay'],
  confirming: ['请在手机上确认', 'Please confirm on your phone'],
  paid: ['支付成功', 'Paid, thank you'],
  failed: ['支付未成功', 'Not paid'],
  cancelled: ['交易已取消', 'Cancelled'],
  expired: ['二维码已过期', 'The code has expired'],
  refunded: ['退款成功', 'Refunded'],
  present_card: ['请插卡或刷卡', 'Please insert or swipe your card'],
  swipe_card: ['请刷磁条', 'Please swipe your card'],
  reading_card: ['正在读卡，请勿拔卡', 'Please leave your card in'],
  key_pin: ['请输入密码', 'Please key your PIN'],
  remove_card: ['请取出卡片', 'Please take your card'],
  sign_slip: ['请在小票上签名', 'Please sign the slip'],
};

const SIGNS: Readonly<Record<DisplayMessage, string>> = {
  show_your_code: '▤', scan_code: '▦', confirming: '…', paid: '✓', failed: '✗', cancelled: '–', expired: '⌛', refunded: '↩',
  present_card: '▭', swipe_card: '▭', reading_card: '…', key_pin: '∗', remove_card: '▭', sign_slip: '✎',
};

function Screen() {
  const [display, setDisplay] = useState<Display | null>(null);
  const [connected, setConnected] = useState(false);
  useEffect(() => follow({ display: setDisplay }, setConnected), []);
  // What is no longer kept up to date must not be paid: a code without the agent behind it is taken down.
  if (display === null || (!connected && display.kind === 'code')) return <div class="display" data-kind="away">Saoma 扫码</div>;
  switch (display.kind) {
    case 'idle':
      return (
        <div class="display" data-kind="idle">
          <h1>{display.merchant_name}</h1>
          <p>欢迎光临 · Welcome</p>
        </div>
      );
    case 'code':
      return (
        <div class="display" data-kind="code" data-payment={display.payment}>
          <img id="code" alt="二维码 code" src={`data:image/svg+xml,${encodeURIComponent(display.svg)}`} />
          <div class="words">
            <p>请扫码支付 <small>Scan to pay</small></p>
            <Amount amount={display.amount} currency={display.currency} />
            {display.expires_at !== undefined && <Countdown until={display.expires_at} />}
          </div>
        </div>
      );
    case 'basket':
      return (
        <div class="display" data-kind="basket">
          <p>{display.name} {display.weight_grams === undefined ? `×${display.quantity}` : kilograms(display.weight_grams)} <strong>{display.line}</strong></p>
          <p>合计 <small>Total</small></p>
          <Amount amount={display.total} currency={display.currency} />
        </div>
      );
    case 'training': {
      const [zh, en] = display.message === undefined ? ['', ''] : MESSAGES[display.message];
      return (
        <div class="display" data-kind="training" data-message={display.message}>
          <h1 class="training">培训 TRAINING</h1>
          <p>请勿付款 · Do not pay</p>
          {zh !== '' && <p>{zh} · {en}</p>}
          {display.amount !== undefined && <Amount amount={display.amount} currency={display.currency ?? ''} />}
          {display.change !== undefined && <p class="change">找零 Change <strong>{display.change}</strong></p>}
        </div>
      );
    }
    case 'message': {
      const [zh, en] = MESSAGES[display.message] ?? ['', ''];
      return (
        <div class="display" data-kind="message" data-message={display.message}>
          <p class="sign" aria-hidden="true">{SIGNS[display.message]}</p>
          <h1>{zh}</h1>
          <p>{en}</p>
          {display.amount !== undefined && <Amount amount={display.amount} currency={display.currency ?? ''} />}
          {display.change !== undefined && <p class="change">找零 Change <strong>{display.change}</strong></p>}
        </div>
      );
    }
  }
}

function Amount({ amount, currency }: { amount: string; currency: string }) {
  return <p class="amount"><small>{currency}</small> <strong id="amount">{amount}</strong></p>;
}

function Countdown({ until }: { until: number }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.max(0, Math.ceil((until - now) / 1_000));
  return <p class="countdown">{Math.floor(seconds / 60)}:{String(seconds % 60).padStart(2, '0')}</p>;
}

const root = document.getElementById('root');
if (root !== null) render(<Screen />, root);
