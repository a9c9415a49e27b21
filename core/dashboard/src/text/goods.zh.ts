import type { goodsEn, taxesEn } from './goods.en';

export const goodsZh: typeof goodsEn = {
  title: '商品', list: '商品', hint: '各终端销售的商品。终端保存本门店的商品，断网也能销售；改动在终端联网后生效。',
  add: '新增商品', change: '修改', save: '保存', withdraw: '下架', back: '重新上架', keep: '保持不变',
  none: '还没有商品。可逐个新增，也可导入表格。', noneLike: '没有符合条件的商品',
  find: '名称或条码', findHint: '输入一部分，或扫码', look: '查找', only: '范围',
  onlys: { sold: '在售', withdrawn: '已下架', all: '全部' } as Record<string, string>, withdrawn: '已下架',
  name: '名称', nameHint: '会印在小票上', price: '价格', priceKg: '每公斤价格', perKg: '/公斤', badPrice: '请输入该币种的价格；免费则填 0',
  byWeight: '按重量销售', byWeightHint: '在收银台称重，按重量计价。',
  barcodes: '条码', barcodesHint: '扫码，或输入后按回车；最多 20 个。EAN、UPC 须带校验位，也可用不含空格的自编码。',
  labelHint: '本店电子秤的标签：只填标签上的商品编号（即终端设置 till.scale_labels 中的 i 位），例如 00123。',
  wholeLabel: '{code} 像是电子秤打印的整张标签，其中含有重量或价格。请只填商品编号。',
  wrongBarcode: {
    characters: '{code}：应为 1 至 32 个字母、数字或符号，不含空格', digit: '{code}：末位校验码应为 {expected}，请核对',
    twice: '{code} 重复', taken: '{code}：已被其他在售商品使用，请先从该商品移除',
  },
  tax: '税', noTax: '无', stores: '门店', storesHint: '不选即所有门店', allStores: '所有门店',
  added: '已新增', withdrawText: '此后各终端不再销售，其条码可供其他商品使用。已售出的不受影响。之后可重新上架。',
  loadAnew: '重新加载',
  problems: {
    changed_meanwhile: '您查看之后已被他人更改，本次没有覆盖。',
    conflict: '其中一个条码已被其他在售商品使用，请先从该商品移除。',
    forbidden: '您的角色不能执行此操作。',
  } as Record<string, string>,
  import: '导入', importTitle: '导入商品', importDo: '导入 {count} 个商品',
  importHint: 'CSV 表格，或从电子表格中复制粘贴。首行为列名：名称、价格，另可有条码（多个用空格分隔）、称重（填“是”表示每公斤价格）、税（税的名称）。只新增商品，要么全部导入，要么一个也不导入。',
  file: '选择文件', table: '表格', fileTooLarge: '文件太大：每次最多 500 行。', fileUnreadable: '无法读取该文件。',
  noHeads: '首行须为列名。缺少：', tooLong: '{count} 行太多：每次最多 500 行，请拆分表格。', unused: '未使用的列：',
  lines: '共 {count} 行', wrongLines: '其中 {count} 行须先更正，在此之前不会导入。', line: '行', wrong: '问题', others: '另有 {count} 行无误。',
  imported: '已导入 {count} 个商品。', toList: '查看商品', importAsked: '导入 {count} 个商品，首个：{name}',
  columns: { name: '名称', price: '价格', barcode: '条码', weight: '称重', tax: '税' },
  wrongs: {
    name: '名称须为 1 至 128 个字符', price: '价格不正确，应如 12.50', weight: '称重须填“是”或“否”', tax: '没有此税，或有多个同名的税',
    quote: '引号没有闭合', cells: '单元格多于列数：含逗号的名称请加引号',
    characters: '{code}：应为 1 至 32 个字母、数字或符号', rounded: '{code}：被电子表格舍入；请将该列设为文本后重新填写',
    noughts: '{code}：前面的零可能被电子表格去掉了；请将该列设为文本后重新填写。若确为自编代码，请用“新增商品”录入',
    digit: '{code}：末位校验码应为 {expected}', twice: '{code} 与第 {line} 行重复', taken: '{code}：已被其他在售商品使用',
  },
  importProblems: {
    invalid: '没有导入任何商品。问题已标在相应的行。', body_too_large: '没有导入任何商品：一次太多，请拆分表格。',
    forbidden: '您的角色不能执行此操作。',
  } as Record<string, string>,
};

export const taxesZh: typeof taxesEn = {
  title: '税', hint: '商品的税。改动只对此后的销售生效。', add: '新增税', change: '修改', save: '保存', none: '还没有税',
  name: '名称', nameHint: '会印在小票上', percent: '百分比', badPercent: '0 至 100，最多两位小数', included: '价格已含税', includedHint: '否则另加。',
  inside: '价内', onTop: '价外', active: '可用于商品', activeHint: '已使用此税的商品保持不变。', inactive: '不再用于其他商品',
  loadAnew: '重新加载',
  problems: {
    changed_meanwhile: '您查看之后已被他人更改，本次没有覆盖。', forbidden: '您的角色不能执行此操作。',
  } as Record<string, string>,
};
