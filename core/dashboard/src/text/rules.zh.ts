import type { rulesEn, settingsEn } from './rules.en';

export const rulesZh: typeof rulesEn = {
  title: '店铺规则', hint: '每笔交易按店铺自有规则处理：价格、是否允许收款、由哪个账户收款，以及小票附加内容。改动一分钟内在各终端生效。',
  package: '规则包', none: '尚未安装规则包。可由平台放入，也可用“saoma plugin publish”发布自己的。', noneChosen: '尚未选用规则',
  on: '已启用', off: '已停用', enabled: '对新交易启用', version: '版本', changed: '更改时间', by: '操作人', has: '决定',
  parts: { price: '价格', route: '收款账户', risk: '是否允许收款', 'receipt-lines': '小票附加内容' } as Record<string, string>,
  refuse: '没有答复就不收款的规则', refuseHint: '所选规则没有答复时不收款；其余规则没有答复时照常收款。终端没有网络或平台未及时答复时，仍按原价收款。',
  settings: '设置', save: '保存', saved: '已保存，各终端一分钟内生效。', problem: '规则目前无法使用',
  gone: '所选规则包已不在此处：可以停用，或改选其他规则包。',
  tryIt: '试算', tryHint: '按当前启用的规则试算，不会收款。', amount: '金额', goods: '商品', goodsHint: '商品名称，与终端上一致', store: '门店', ask: '试算价格',
  price: '价格', list: '原价', lines: '小票附加', noLines: '小票没有附加内容。', failed: '没有答复，已跳过',
  badAmount: '请输入该币种的金额',
  problems: {
    changed_meanwhile: '您查看之后规则已被他人更改，本次没有覆盖。请刷新后重新查看。',
    plugin_missing: '该规则包已不在此处。请刷新后重新查看。',
    forbidden: '您的角色不能执行此操作。',
  } as Record<string, string>,
};

export const settingsZh: typeof settingsEn = {
  missing: '必填', url: '网址，例如 https://pay.example.com', length: '{min} 至 {max} 个字符', whole: '{min} 至 {max} 的整数',
};
