// What is said of codes that the customer's phone carries to core, where the till has no network.

export interface PhoneTexts {
  /** While nobody knows whether it is paid. */
  state: string;
  hint: string;
  /** The same, once it is to be cancelled. */
  cancelling: string;
  open: string;
  letters: string;
  lettersHint: string;
}

export const PHONE: Readonly<Record<'zh' | 'en', PhoneTexts>> = {
  zh: {
    state: '顾客用自己的手机网络支付',
    hint: '请顾客用手机扫屏幕上的码并支付，再扫描手机上的确认码，或按 End 输入 8 位字母。没有确认就是没有付款：请不要交货，等待即可，联网后自动得到结果。联网时可以取消；没有网络时，码过期一分半钟后才能取消。',
    cancelling: '正在请中心取消，顾客此刻仍可能付款：在显示“已取消”之前，请不要收别的钱。没有网络时要等联网才能取消：倒计时到 0:00 再过一分半钟，就没有人能再用这个码开始付款；那时顾客手机若没有显示已付款，可以改收别的钱，若后来查明已付款，本机会提醒。顾客若已付款，请扫描手机上的确认码。',
    open: '也可出示二维码，由顾客的手机联网支付。',
    letters: '请输入顾客手机上的 8 位字母或数字',
    lettersHint: '先核对手机上的流水号和金额；也可直接扫描手机上的确认码。',
  },
  en: {
    state: 'The customer pays by their own phone’s network',
    hint: 'The customer scans the code with a phone and pays. Then scan the confirmation on the phone, or press End and type its 8 letters. Not confirmed is not paid: keep the goods and wait, the till finds out once it has a network. It can be cancelled where there is a network, else a minute and a half after the code is over.',
    cancelling: 'Core is asked to cancel it, and the customer may still be paying: take no other money before this says that it is cancelled. Without a network that has to wait: a minute and a half after the countdown is at 0:00 nobody can begin to pay by this code any more. If their phone does not say paid then, take other money: the till rings if it was paid all the same. If they have paid, scan the confirmation on the phone.',
    open: 'A code can be shown too: the customer’s phone carries it.',
    letters: 'Type the 8 letters and digits on the customer’s phone',
    lettersHint: 'Compare number and amount with the phone first. The code there can be scanned instead.',
  },
};

/** Those whose words name what stands in the agent's sentence. */
export const PHONE_WITH_A_SUM = ['phone_sale_cap'];

export const PHONE_PROBLEMS: Readonly<Record<'zh' | 'en', Record<string, string>>> = {
  zh: {
    phone_split: '没有网络时二维码只能付整笔：请把已付的部分退回，或这部分改用其他方式付款。',
    phone_stopped: '中心不收本机的记录，暂停出示二维码：请联系维护人员；在此之前请收现金。',
    phone_clock_unheard: '联网之前本机不能确定时间，不能出示二维码：请联网；联网前请收现金。',
    phone_clock_wrong: '本机时钟在上次联网后变动过，不能出示二维码：请联网；联网前请收现金。',
    phone_list_old: '本机离线太久，不能再出示二维码：请联网；联网前请收现金。',
    phone_certificate_over: '本机的证书即将到期，不能出示二维码：请联网，证书会自动更新；联网前请收现金。',
    phone_certificate_new: '本机刚换证书，中心尚未告知如何确认付款，不能出示二维码：请联网；联网前请收现金。',
    phone_currency_other: '没有网络时不能出示这个币种的二维码：请改用其他方式付款。',
    phone_sale_cap: '没有网络时二维码每笔最多收 {0}：请改用其他方式付款。',
    phone_not_over: '顾客还可能用这个码付款，没有网络时现在不能取消：请等待，或扫描顾客手机上的确认码。',
    phone_confirmation_unread: '确认码没有读完整：请再扫一次，或输入手机上的 8 位字母。',
    phone_confirmation_elsewhere: '这是别的收银机的确认码，或没有这笔交易：请核对手机上的流水号。',
    phone_confirmation_wrong: '这不能确认这笔交易已付款：请核对手机上的流水号和字母。',
    phone_over: '顾客没有及时打开二维码，没有扣款。',
    phone_called_off: '顾客打开二维码之前已取消，没有扣款。',
    phone_number_taken: '中心在这个流水号下已有更早的交易，这个码没有收到钱：请联系维护人员。',
  },
  en: {
    phone_split: 'Without a network a code pays a whole sale only: give back what was paid in parts, or take this part in another way.',
    phone_stopped: 'Core takes none of this till’s records, so no codes are shown: call the service. Until then take cash.',
    phone_clock_unheard: 'This till is not sure of the time until it has reached core, and shows no codes: connect it. Until then take cash.',
    phone_clock_wrong: 'This till’s clock has moved since it last reached core, and it shows no codes: connect it. Until then take cash.',
    phone_list_old: 'This till has been offline for too long to show codes: connect it. Until then take cash.',
    phone_certificate_over: 'This till’s certificate is nearly over, so it shows no codes: connect it, and it is renewed. Until then take cash.',
    phone_certificate_new: 'This till has a new certificate, and core has not said yet how it confirms by that: connect it. Until then take cash.',
    phone_currency_other: 'Codes are not shown in this currency without a network: take another way to pay.',
    phone_sale_cap: 'Without a network a code pays {0} at most: take another way to pay.',
    phone_not_over: 'The customer may still pay by this code, so without a network it cannot be cancelled now: wait, or scan the confirmation on the phone.',
    phone_confirmation_unread: 'The confirmation was not read whole: scan it again, or type the 8 letters on the phone.',
    phone_confirmation_elsewhere: 'This confirms a sale of another till, or none: look at the number on the phone.',
    phone_confirmation_wrong: 'This does not confirm that the sale is paid: look at the number and the letters on the phone.',
    phone_over: 'The customer did not open the code in time: nothing was charged.',
    phone_called_off: 'It was cancelled before the customer opened the code: nothing was charged.',
    phone_number_taken: 'Core has an older sale under this number, so this code was paid by nobody: call the service.',
  },
};
