import type { staticCodesEn } from './static-codes.en';

export const staticCodesZh: typeof staticCodesEn = {
  title: '聚合码', one: '聚合码', none: '还没有聚合码', make: '新建聚合码',
  hint: '小摊位只需一张打印的收款码：顾客用任何应用扫码，输入金额，并以该应用自己的方式付款。',
  store: '门店', terminal: '旁边的终端（仅备注）', noTerminal: '不指定', label: '标签', labelHint: '摆放位置，仅供店内人员查看',
  min: '最低金额', max: '最高金额', bounds: '单笔金额', made: '创建时间', revoked: '已停用', inForce: '使用中',
  badAmount: '请输入该币种的金额', minHint: '不填即不限',
  announce: '收款播报', announcedAt: '播报终端', nowhere: '不播报',
  announceHint: '本门店的一台终端：顾客经此码付款后，由它播报并显示。该终端的程序须为此版本或更新版本。',
  show: '查看并打印', print: '打印', scanToPay: '扫码付款', save: '另存为',
  revoke: '停用', revokeText: '此后扫码的顾客会看到此码已停用。正在进行的付款不受影响。此操作无法撤销。',
  keep: '保持不变', asked: '新建聚合码',
};
