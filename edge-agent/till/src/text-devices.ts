// What the page of the devices says.

import type { Device, Trouble } from './api';
import type { Language } from './text';

export interface DeviceTexts {
  title: string;
  states: Record<Device['state'], string>;
  /** What is wrong and what to do. */
  troubles: Record<Trouble, string>;
  /** {0}: when. */
  since: string;
  lastUsed: string;
  lastError: string;
  never: string;
  restart: string;
  settings: string;
  restarted: string;
  /** {0}: which devices. */
  applied: string;
  hanging: string;
  unchanged: string;
  connected: string;
  nothingConnected: string;
  /** For what is reached over the network, and readers of chips. */
  search: string;
  /** {0}: how many. */
  searched: string;
  /** {0}: by which devices. */
  usedBy: string;
  driver: string;
  drivers: Record<string, string>;
  options: Record<string, string>;
  choices: Record<string, string>;
  save: string;
  takesKeys: string;
  takeKeys: string;
  file: string;
  locked: string;
  broken: string;
  /** {0}: which devices. */
  pending: string;
  /** {0}: the variable. */
  variable: string;
}

const zh: DeviceTexts = {
  title: '外设管理',
  states: { none: '未配置', starting: '正在打开', ok: '正常', warning: '注意', failed: '故障' },
  troubles: {
    unreachable: '连接不上：检查连接线、电源和地址。',
    silent: '没有应答：把设备关掉再打开。',
    paper_out: '缺纸：请换上新纸卷。',
    cover_open: '机盖开着：请合上。',
    unable: '现在的设置用不了：请看说明并修改设置。',
  },
  since: '自 {0}',
  lastUsed: '上次使用',
  lastError: '上次出错',
  never: '还没有',
  restart: '重新启动',
  settings: '设置',
  restarted: '已重新启动',
  applied: '已写入配置文件，立即生效：{0}',
  hanging: '已写入配置文件，但 {0} 没有响应：请关机再开机；仍不行就重启收银服务',
  unchanged: '没有需要更改的内容',
  connected: '已接入的设备',
  nothingConnected: '没有发现串口、USB 打印机、键盘式扫码枪或声卡',
  search: '查找网络打印机和读卡器',
  searched: '查找完毕：找到 {0} 个，列在已接入的设备里',
  usedBy: '{0}正在使用',
  driver: '驱动',
  drivers: {
    none: '无', simulated: '模拟', 'escpos-tcp': '网络打印机 (ESC/POS)', 'escpos-serial': '串口打印机 (ESC/POS)',
    'escpos-file': 'USB 打印机 (ESC/POS)', printer: '接在打印机上', page: '浏览器第二屏', 'serial-vfd': '串口顾客显示屏',
    serial: '串口扫码枪', evdev: '键盘式扫码枪（独占）', mt8217: '串口电子秤 (8217)', 'espeak-ng': '语音播报', tones: '提示音',
    pcsc: '芯片读卡器 (PC/SC)', stripe: '磁条读卡器',
  },
  options: {
    address: '地址:端口', device: '设备', baud: '波特率', width_dots: '纸宽（点）', encoding: '文字编码', qr: '二维码', parity: '校验', language: '语言', volume: '音量',
    voice_zh: '中文语音', voice_en: '英文语音', service: 'PC/SC 服务', stripe: '磁条读卡', stripe_device: '磁条设备', stripe_baud: '磁条波特率',
    pad: '密码键盘', pad_device: '密码键盘设备', keys: '密钥文件', country: '国家代码（中国 156）',
  },
  choices: { even: '偶校验（7 位）', none: '无校验（8 位）', zh: '中文', en: '英文', both: '中英文', '384': '384（58 毫米）', '576': '576（80 毫米）', gb18030: 'GB 18030（国内打印机）', utf8: 'UTF-8（打出乱码时）', printer: '打印机自己画', raster: '由本机画（打印机不出码时）' },
  save: '保存并启用',
  takesKeys: '这个设备的按键将只归收银服务使用，在别处都不起作用。它必须是扫码枪，不能是收银机自己的键盘。',
  takeKeys: '独占这个设备的按键？',
  file: '配置文件',
  locked: '这里不能更改设置：',
  broken: '配置文件有错，收银服务下次将无法启动：',
  pending: '配置文件里的 {0} 与正在使用的不同：保存设置或重启收银服务后生效',
  variable: '由环境变量 {0} 设定',
};

const en: DeviceTexts = {
  title: 'Devices',
  states: { none: 'not configured', starting: 'being opened', ok: 'works', warning: 'attention', failed: 'failed' },
  troubles: {
    unreachable: 'It cannot be reached: check its cable, its power and its address.',
    silent: 'It does not answer: switch it off and on.',
    paper_out: 'It is out of paper: put in a new roll.',
    cover_open: 'Its cover is open: close it.',
    unable: 'It cannot work as it is set: read why, and change its settings.',
  },
  since: 'since {0}',
  lastUsed: 'Last used',
  lastError: 'Last error',
  never: 'not yet',
  restart: 'Restart it',
  settings: 'Settings',
  restarted: 'Restarted',
  applied: 'Written to the configuration file and in use at once: {0}',
  hanging: 'Written to the configuration file, but this hangs: {0}. Switch it off and on; if that does not help, restart the till service',
  unchanged: 'Nothing was to be changed',
  connected: 'Plugged in',
  nothingConnected: 'No serial port, USB printer, scanner that types or sound card was found',
  search: 'Look for printers on the network, and card readers',
  searched: 'Found {0}; what was found is in the list',
  usedBy: 'used by: {0}',
  driver: 'Driver',
  drivers: {
    none: 'none', simulated: 'simulated', 'escpos-tcp': 'network printer (ESC/POS)', 'escpos-serial': 'serial printer (ESC/POS)',
    'escpos-file': 'USB printer (ESC/POS)', printer: 'at the printer', page: 'second screen in a browser', 'serial-vfd': 'serial pole display',
    serial: 'serial scanner', evdev: 'scanner that types, for the till alone', mt8217: 'serial scale (8217)', 'espeak-ng': 'speech', tones: 'two notes',
    pcsc: 'reader of chips (PC/SC)', stripe: 'reader of stripes',
  },
  options: {
    address: 'Host:port', device: 'Device', baud: 'Speed (baud)', width_dots: 'Width (dots)', encoding: 'Text', qr: 'QR codes', parity: 'Parity', language: 'Language', volume: 'Volume',
    voice_zh: 'Chinese voice', voice_en: 'English voice', service: 'PC/SC service', stripe: 'Reads stripes', stripe_device: 'Stripe’s device',
    stripe_baud: 'Stripe’s speed (baud)', pad: 'PIN pad', pad_device: 'PIN pad’s device', keys: 'File of keys', country: 'Country (156 is China)',
  },
  choices: { even: 'even (7 bits)', none: 'none (8 bits)', zh: 'Chinese', en: 'English', both: 'both', '384': '384 (58 mm)', '576': '576 (80 mm)', gb18030: 'GB 18030 (printers sold in China)', utf8: 'UTF-8 (if texts come out as garbage)', printer: 'drawn by the printer', raster: 'drawn here (if the printer leaves them out)' },
  save: 'Save and use',
  takesKeys: 'The keys of this device will type nowhere else. It must be a scanner, never the till’s own keyboard.',
  takeKeys: 'Take this device’s keys?',
  file: 'Configuration file',
  locked: 'Settings cannot be changed here: ',
  broken: 'The configuration file has a mistake, and the till service would not start with it: ',
  pending: 'The configuration file says otherwise of {0} than is in use: save here, or restart the till service',
  variable: 'set by the variable {0}',
};

export const DEVICES: Readonly<Record<Language, DeviceTexts>> = { zh, en };
