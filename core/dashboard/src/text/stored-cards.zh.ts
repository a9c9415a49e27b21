import type { storedCardsEn } from './stored-cards.en';

export const storedCardsZh: typeof storedCardsEn = {
  title: '断网刷卡',
  hint: '断网期间，终端在以下限额内由商户自担风险受理银行卡。网络恢复后向收单机构补报；被拒绝的，由商户承担损失。',
  enabled: '终端断网时受理银行卡', account: '渠道账户', accountHint: '通过该账户向收单机构补报，由老板选定。',
  limits: {
    sale_minor_max: '单笔最高', card_day_count_max: '同一张卡每日笔数', card_day_minor_max: '同一张卡每日最高', unsent_minor_max: '单台终端未上传的最高总额',
    unsent_count_max: '单台终端未上传的最多笔数', unsent_hours_max: '交易在终端上最多等待的小时数', list_hours_max: '终端未更新止付卡名单仍可受理的小时数',
  },
  badLimit: '须大于零且不超过系统上限；单笔不得超过单卡每日限额或终端未上传总额',
  stripe: '也受理磁条', stripeHint: '不勾选则只读芯片。磁条容易被复制。',
  prefixes: '受理的卡号', prefixesHint: '卡号开头 2 至 6 位，用空格分隔', badPrefixes: '1 至 50 个卡号开头，每个 2 至 6 位数字',
  save: '保存', told: '已设置，并已通知各终端。', blocked: '因损失被止付：',
  sales: '断网时的刷卡交易', salesHint: '被收单机构拒绝的，请向顾客追讨或自行承担。请填写核实结果；除非重新放行，该卡断网时不再受理。未补报的交易等待您处理：补报，或由两人在其支付页面人工了结。',
  only: { open: '待处理', waiting: '等待收单机构', all: '全部' },
  none: '暂无记录。', when: '交易时间', card: '卡号', what: '结果', amount: '金额', states: { waiting: '收单机构尚未答复', held: '未补报：由您决定', paid: '已支付', lost: '被拒绝：商户损失' },
  doubt: '存在的问题', sale: '交易', resolve: '了结', resolved: '已了结', unblocked: '该卡已重新放行', unblock: '放行该卡', letIn: '断网时可再次受理该卡', forward: '补报', reason: '原因',
  resolveText: '只记录一次，账目不变。', forwardText: '将向收单机构补报，以其答复为准。如果已经支付过，会重复扣款。', keep: '保持不变',
  problems: {
    conflict: '此前已处理，可能是您自己的操作；或已没有该卡的数据，请人工了结该笔支付。这次未执行任何操作。', not_found: '不存在，或不属于您。', forbidden: '您的角色不能执行此操作。',
    answered_before: '首次请求时已执行，已超过一小时。请核对实际情况。', idempotency_key_reused: '无法再次询问：最初由他人或以不同内容提出。请核对实际情况。',
  },
};
