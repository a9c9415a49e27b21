import type { Texts } from './en';

export const zh: Texts = {
  language: '中文',
  product: 'Saoma 扫码',
  rooms: { payments: '实时支付', terminals: '终端', books: '试算平衡表' },
  shell: {
    live: '实时', connecting: '正在连接…', broken: '连接中断，正在重连…', signOut: '退出登录',
    switchLanguage: 'Switch to English', dark: '深色', light: '浅色', menu: '菜单',
    noTenant: '平台管理员没有自己的支付数据。请用商户人员的账号登录查看。',
  },
  common: {
    retry: '重试', close: '关闭', cancel: '取消', copy: '复制', copied: '已复制', more: '加载更多',
    loading: '加载中…', name: '名称', created: '创建时间', updated: '更新时间',
    never: '从未', reload: '刷新',
  },
  problem: {
    offlineTitle: '无法连接服务器', offlineDetail: '刚才的请求可能已送达，也可能没有。再试一次是安全的。',
    unexpectedTitle: '页面出错了', trace: '供客服查询的追踪号', notFoundTitle: '未找到', notFoundDetail: '此页面不存在。',
  },
  signIn: {
    title: '登录', email: '邮箱', password: '密码', submit: '登录',
    first: '设置您的密码', firstHint: '您使用的是一次性密码。请设置自己的密码后继续。',
    newPassword: '新密码', again: '再次输入新密码', change: '修改密码',
    tooShort: '至少 12 个字符', different: '两次输入不一致', sameAsOld: '不能与一次性密码相同',
  },
  states: {
    created: '已创建', presenting: '出码中', submitting: '提交中', pending: '等待顾客确认', unknown: '结果未知',
    succeeded: '已支付', partly_refunded: '部分退款', refunded: '已退款', voided: '已撤销', failed: '失败',
    reversed: '已冲正', expired: '已过期', cancelled: '已取消',
  },
  refundStates: { submitting: '提交中', pending: '处理中', unknown: '结果未知', succeeded: '已完成', failed: '失败' },
  refundKinds: { refund: '退款', void: '撤销', late: '迟到款退回' },
  methods: { merchant_presented: '主扫（商家出码）', customer_presented: '被扫（付款码）', cash: '现金' },
  payments: {
    all: '全部状态', filter: '状态', title: '实时支付', time: '时间', amount: '金额', state: '状态', method: '方式', channel: '渠道', store: '门店',
    terminal: '终端', reference: '商户单号', number: '支付单号', late: '迟到支付', none: '还没有支付',
    noneHint: '收银员一录入，这里就会出现。', noneFiltered: '没有符合条件的支付',
  },
  payment: {
    title: '支付详情', facts: '基本信息', timeline: '经过', postings: '账务分录', refunds: '退款与撤销',
    refunded: '已退', left: '可退', order: '订单', version: '版本', channelReference: '渠道单号',
    counter: '终端流水号', cashier: '收银员', goods: '商品', code: '二维码', expires: '码有效期至', paidAt: '支付时间', failure: '失败原因',
    lateNote: '该笔支付在关闭之后才被渠道确认成功。', unknownNote: '渠道没有答复，系统正在持续查询。在此期间请不要重复收款。',
    feePlan: '费率方案版本', noPostings: '没有资金变动', noRefunds: '没有退款', debit: '借方', credit: '贷方', account: '科目',
    by: '操作者', details: '详情', quantity: '×', reason: '原因',
  },
  actions: {
    query: '查询渠道', cancel: '取消', void: '撤销', refund: '退款',
    cancelTitle: '取消这笔支付？', cancelText: '二维码将失效。若顾客已经付款，款项会保留或原路退回，绝不会丢失。',
    voidTitle: '撤销这笔支付？', voidText: '全额退回给顾客。仅限支付当日。',
    refundTitle: '退款', refundAmount: '金额', refundReason: '原因（可不填）', refundMax: '最多', badAmount: '请输入金额，不超过可退金额',
    keep: '不取消',
  },
  terminals: {
    title: '终端', add: '新增终端', online: '在线', offline: '离线', unclaimed: '等待认领', revoked: '已吊销',
    version: '版本', lastSeen: '最近在线', unsent: '未上送', oldest: '最早一笔', atRisk: '风险金额', peripherals: '外设',
    store: '门店', claim: '认领码', none: '还没有终端', noneHint: '先新增终端，再在终端上输入认领码。',
    claimTitle: '认领终端', claimText: '请在终端上输入此认领码，仅可使用一次。终端会核对证书指纹，确保连接的是本服务器。',
    claimExpires: '有效期至', fingerprint: 'CA 证书指纹（SHA-256）', create: '新增', state: '状态', newTitle: '新增终端', health: '更新于',
    newClaim: '重新生成认领码', claimOld: '之前的认领码将失效。', noHealth: '尚无上报',
  },
  peripherals: { printer: '打印机', scanner: '扫码枪', display: '客显', drawer: '钱箱', card: '读卡器', speaker: '音箱' },
  peripheralStates: { ok: '正常', warning: '需要留意', failed: '故障' },
  books: {
    title: '试算平衡表', balanced: '借贷平衡', unbalanced: '借贷不平', total: '合计', none: '还没有资金变动',
    hint: '每笔资金变动都有借有贷；借贷必须相等，否则一定有问题。', account: '科目', debit: '借方', credit: '贷方',
    from: '起始日', to: '截止日', badPeriod: '请选择两个日期，起始日在前', zone: '时区', export: '导出',
    opening: '期初余额', closing: '期末余额', debits: '借方发生额', credits: '贷方发生额', balance: '余额',
    debitBalance: '期末借方余额', creditBalance: '期末贷方余额', booked: '记账时间', movement: '摘要',
    findings: '账目不符', findingsHint: '系统不会自动更正，请人工核查。', checked: '最近核对时间', neverChecked: '账目尚未核对。',
  },
  accounts: {
    channel_clearing: '渠道待清算', merchant_payable: '应付商户', fees: '手续费', refunds_in_transit: '退款在途',
    cash_in_drawer: '钱箱现金', wallet_liability: '储值负债', bank: '银行存款', disputes_held: '争议冻结', cash_in_safe: '保险柜现金',
    cash_over_short: '现金长短款', risk_loss: '风险损失',
  },
  events: {
    created: '录入', presenting: '出码', submitting: '提交渠道', pending: '等待顾客确认', no_answer: '渠道未答复',
    succeeded: '支付成功', failed: '失败', reversed: '已冲正', expired: '码已过期', cancelled: '已取消',
    close_confirmed: '渠道确认关闭', answer_refused: '答复不可信，未采纳', refund_submitted: '退款已提交', refund_pending: '退款处理中',
    refund_no_answer: '退款未答复', refund_succeeded: '退款完成', refund_failed: '退款失败', voided: '已撤销', paid_late: '迟到支付', scanned: '顾客打开了码',
  },
  postingKinds: {
    captured: '收款', refund_reserved: '退款预留', refund_succeeded: '退款完成', refund_failed: '退款失败', undone: '渠道撤回',
    fee_corrected: '手续费更正', drawer_float: '备用金', paid_in: '存入现金', paid_out: '支取现金', drawer_counted: '钱箱清点',
    wallet_topped_up: '储值充值', wallet_spent: '储值消费', wallet_refunded: '退回储值', double_spent: '离线重复消费',
    dispute_opened: '争议发起', dispute_won: '争议胜诉', dispute_lost: '争议败诉', payout_received: '渠道结算到账',
  },
  roles: {
    platform_admin: '平台管理员', owner: '老板', manager: '店长', cashier: '收银员', accountant: '会计', read_only: '只读', plugin_publisher: '插件发布者',
  },
};
