// Words of the page of the paired devices, in both languages.

import type { Language } from './text';

export interface PairedTexts {
  title: string;
  off: string;
  failed: string;
  address: string;
  fingerprint: string;
  /** {0}: the day. */
  certificateUntil: string;
  trouble: string;
  none: string;
  /** {0}: how many, {1}: at most. */
  count: string;
  roles: { till: string; display: string };
  pairTill: string;
  pairDisplay: string;
  name: string;
  nameHint: string;
  names: { tablet: string; phone: string; display: string; counter: string };
  pair: string;
  scan: string;
  orType: string;
  /** {0}: minutes and seconds. */
  goodFor: string;
  over: string;
  /** {0}: how many more wrong ones. */
  wrong: string;
  /** As many wrong ones as are taken. */
  spoilt: string;
  /** {0}: the device's name. */
  done: string;
  compare: string;
  seen: string;
  /** Revoked, and the disk has not taken it. */
  leaving: string;
  revoke: string;
  revokeSure: string;
  revokeHint: string;
  /** On a device itself. */
  elsewhere: string;
}

const zh: PairedTexts = {
  title: '配对设备',
  off: '没有开放给店内网络：在配置文件里设置 paired.listen，再重启收银服务。',
  failed: '店内网络的入口没有打开：',
  address: '地址',
  fingerprint: '证书指纹 SHA-256',
  certificateUntil: '证书有效期至 {0}',
  trouble: '原来配对的设备读不出来，请重新配对：',
  none: '还没有配对的设备',
  count: '{0} 台，最多 {1} 台',
  roles: { till: '收银', display: '顾客屏（只看）' },
  pairTill: '配对收银设备',
  pairDisplay: '配对顾客屏',
  name: '设备名称',
  nameHint: '输入名称，或点下面的名称，再按确认',
  names: { tablet: '平板', phone: '手机', display: '顾客屏', counter: '二号台' },
  pair: '生成配对码',
  scan: '用设备的相机扫描这个码',
  orType: '或在设备上打开这个地址，输入配对码',
  goodFor: '还有 {0} 有效，只能用一次',
  over: '配对码已失效，请返回重新生成',
  wrong: '有人输错了配对码：再错 {0} 次就不能再输入',
  spoilt: '有人多次输错配对码：不能再输入，仍可扫描上面的码',
  done: '已配对：{0}',
  compare: '设备会提示证书不受信任：指纹与这里一致才可以继续。',
  seen: '最近使用',
  leaving: '已移除，但磁盘还没有记下：重启前请腾出空间',
  revoke: '移除',
  revokeSure: '移除这台设备？',
  revokeHint: '它立刻不能再使用收银机，重新配对后才能用。',
  elsewhere: '这是配对设备：设置和配对请到收银机上进行。',
};

const en: PairedTexts = {
  title: 'Paired devices',
  off: 'The till is not open to the shop’s network: set paired.listen in the configuration file, and restart the till service.',
  failed: 'The door in the shop’s network is not open: ',
  address: 'Address',
  fingerprint: 'Certificate’s SHA-256 fingerprint',
  certificateUntil: 'Certificate good until {0}',
  trouble: 'The devices that were paired cannot be read, and have to be paired again: ',
  none: 'No device is paired yet',
  count: '{0} of {1} at most',
  roles: { till: 'till', display: 'customer display (looks only)' },
  pairTill: 'Pair a till',
  pairDisplay: 'Pair a customer display',
  name: 'The device’s name',
  nameHint: 'Type a name, or tap one below, then Enter',
  names: { tablet: 'Tablet', phone: 'Phone', display: 'Display', counter: 'Counter 2' },
  pair: 'Make a code',
  scan: 'Scan this with the device’s camera',
  orType: 'Or open this address there, and type the code',
  goodFor: 'Good for {0} more, and once',
  over: 'The code is over: go back and make another one',
  wrong: 'Somebody typed a wrong code: {0} more, and it cannot be typed any more',
  spoilt: 'Somebody typed wrong codes: it can be scanned, and not typed any more',
  done: 'Paired: {0}',
  compare: 'The device will not trust the certificate: go on only if its fingerprint is the one shown here.',
  seen: 'Last used',
  leaving: 'Revoked, but the disk has not taken it: free some space before a restart',
  revoke: 'Revoke',
  revokeSure: 'Revoke this device?',
  revokeHint: 'It cannot use the till from now on, until it is paired again.',
  elsewhere: 'This is a paired device: settings and pairing are at the till itself.',
};

export const PAIRED: Readonly<Record<Language, PairedTexts>> = { zh, en };

/** What the agent says no by. */
export const PAIRED_PROBLEMS: Readonly<Record<Language, Record<string, string>>> = {
  zh: {
    not_paired: '这台设备没有配对，或已被移除。',
    loopback_only: '这只能在收银机上操作。',
    display_only: '这台设备只是顾客屏。',
    too_many_requests: '尝试次数过多，请等一分钟。',
    pairing_off: '没有开放给店内网络，不能配对。',
    pairing_over: '配对码已失效，请重新生成。',
    pairing_code_wrong: '配对码不正确。',
    revoke_unwritten: '设备已不能使用，但磁盘没有记下：重启后它会恢复。系统会不断重试，请先腾出磁盘空间。',
    devices_full: '配对的设备太多，请先移除一个。',
    device_name_invalid: '设备名称最多 32 个字，只能一行。',
  },
  en: {
    not_paired: 'This device is not paired, or was revoked.',
    loopback_only: 'This is done at the till itself.',
    display_only: 'This device is a customer display only.',
    too_many_requests: 'Too many tries: wait a minute.',
    pairing_off: 'The till is not open to the shop’s network, so nothing can be paired.',
    pairing_over: 'The code is over: make another one.',
    pairing_code_wrong: 'The code is wrong.',
    revoke_unwritten: 'The device is out, but the disk did not take that: a restart would let it in again. It is tried again and again; free some space.',
    devices_full: 'Too many devices are paired: revoke one first.',
    device_name_invalid: 'A device’s name has at most 32 characters, on one line.',
  },
};
