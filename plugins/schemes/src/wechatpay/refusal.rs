//! Refusals, in the scheme's own codes.

use serde_json::{Value, json};

use crate::stage::Fault;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// The field that is wrong, as a JSON pointer or a name of the query.
    pub(super) field: Option<String>,
}

impl Refusal {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), field: None }
    }

    pub(super) fn parameter(field: &str, issue: &str) -> Self {
        Self { field: Some(field.to_owned()), ..Self::new(400, "PARAM_ERROR", format!("参数错误: {issue}")) }
    }

    pub(super) fn signature(message: &str) -> Self {
        Self::new(401, "SIGN_ERROR", message)
    }

    /// A business rule is broken, or the request is not of the API's kind.
    pub(super) fn invalid(message: &str) -> Self {
        Self::new(400, "INVALID_REQUEST", message)
    }

    pub(super) fn no_order() -> Self {
        Self::new(404, "ORDER_NOT_EXIST", "订单不存在")
    }

    pub(super) fn no_resource(message: &str) -> Self {
        Self::new(404, "RESOURCE_NOT_EXISTS", message)
    }

    pub(super) fn no_permission(message: &str) -> Self {
        Self::new(403, "NO_AUTH", message)
    }

    pub(super) fn app() -> Self {
        Self::new(400, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配")
    }

    pub(super) fn paid() -> Self {
        Self::new(400, "ORDER_PAID", "该订单已支付")
    }

    pub(super) fn closed() -> Self {
        Self::new(400, "ORDER_CLOSED", "订单已关闭")
    }

    pub(super) fn reversed() -> Self {
        Self::new(400, "ORDER_REVERSED", "订单已撤销")
    }

    pub(super) fn declined() -> Self {
        Self::new(403, "TRADE_ERROR", "交易错误")
    }

    pub(super) fn code() -> Self {
        Self::new(400, "AUTH_CODE_INVALID", "请扫描微信支付授权码(以10/11/12/13/14/15为前缀的18位数字)")
    }

    pub(super) fn code_used() -> Self {
        Self::new(400, "AUTH_CODE_INVALID", "付款码无效，请重新扫码")
    }

    pub(super) fn too_late_to_reverse() -> Self {
        Self::new(400, "REVERSE_EXPIRE", "订单无法撤销: 已超过7天")
    }

    pub(super) fn no_bill() -> Self {
        Self::new(400, "NO_STATEMENT_EXIST", "账单文件不存在")
    }

    pub(super) fn bill_in_the_making() -> Self {
        Self::new(400, "STATEMENT_CREATING", "账单生成中")
    }

    pub(super) fn system() -> Self {
        Self::new(500, "SYSTEM_ERROR", "系统异常，请稍后重试")
    }

    /// The refusal that a fault stands for, where it stands for one.
    pub(super) fn of_fault(fault: Fault) -> Option<Self> {
        Some(match fault {
            Fault::InsufficientFunds => Self::new(403, "NOT_ENOUGH", "余额不足"),
            Fault::CodeExpired => Self::new(400, "AUTH_CODE_EXPIRED", "付款码已过期，请刷新再试"),
            Fault::CodeInvalid => Self::code(),
            Fault::LimitExceeded => Self::new(403, "RULE_LIMIT", "业务规则限制"),
            Fault::Declined => Self::declined(),
            _ => return None,
        })
    }

    pub(super) fn body(&self) -> Value {
        let mut body = json!({ "code": self.code, "message": self.message });
        if let Some(field) = &self.field {
            body["detail"] = json!({ "field": field, "value": "", "issue": self.message, "location": "body" });
        }
        body
    }
}
