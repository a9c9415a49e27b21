//! The gateway's and the business's refusals, with Alipay's codes ("公共错误码", "业务错误码").

/// Why a request is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 40001: a common parameter is missing.
    Missing(&'static str),
    /// 40002: a common parameter, or the signature, is not valid.
    Invalid(&'static str),
    /// 40004 with this `sub_code`.
    Business(&'static str),
    /// 40004 `ACQ.INVALID_PARAMETER`: this field.
    Field(&'static str),
}

impl Refusal {
    /// `code`, `msg`, `sub_code`, `sub_msg`.
    #[must_use]
    pub fn parts(&self) -> [String; 4] {
        let parts = |code: &str, msg: &str, sub_code: &str, sub_msg: &str| {
            [code.to_owned(), msg.to_owned(), sub_code.to_owned(), sub_msg.to_owned()]
        };
        match self {
            Self::Missing(what) => parts("40001", "Missing Required Arguments", &format!("isv.missing-{what}"), what),
            Self::Invalid(what) => parts("40002", "Invalid Arguments", &format!("isv.invalid-{what}"), what),
            Self::Business(code) => parts("40004", "Business Failed", code, "the simulated scheme refuses it"),
            Self::Field(field) => {
                parts("40004", "Business Failed", "ACQ.INVALID_PARAMETER", &format!("参数无效: {field}"))
            }
        }
    }
}
