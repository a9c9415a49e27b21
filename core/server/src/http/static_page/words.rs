//! What a static code's page says, in the customer's language.

use actix_web::{HttpRequest, http::header};

use crate::http::pay_page;

pub struct Words {
    pub language: &'static str,
    pub title: &'static str,
    pub amount: &'static str,
    pub pay: &'static str,
    pub waiting: &'static str,
    pub paid: &'static str,
    pub failed: &'static str,
    pub over: &'static str,
    pub closing: &'static str,
    pub part_given_back: &'static str,
    pub going_back: &'static str,
    pub given_back: &'static str,
    pub again: &'static str,
    pub pay_again: &'static str,
    pub cancel: &'static str,
    pub back: &'static str,
    pub unreachable: &'static str,
    pub unknown: &'static str,
    pub revoked: &'static str,
    /// Followed by the names of apps.
    pub other_app: &'static str,
    pub no_app: &'static str,
    pub scan_again: &'static str,
    pub not_known: &'static str,
    pub too_often: &'static str,
    pub amount_between: [&'static str; 2],
    pub not_possible: &'static str,
}

pub const ENGLISH: Words = Words {
    language: "en",
    title: "Pay",
    amount: "Amount",
    pay: "Pay",
    waiting: "Waiting for your payment…",
    paid: "Paid. Thank you!",
    failed: "The payment failed. No money was taken.",
    over: "This payment is closed. No money was taken.",
    closing: "This payment is being closed. If you have paid it in your app, please wait.",
    part_given_back: pay_page::ENGLISH.part_given_back,
    going_back: pay_page::ENGLISH.going_back,
    given_back: pay_page::ENGLISH.given_back,
    again: "New payment",
    pay_again: "Open the payment again",
    cancel: "Cancel",
    back: "Delete",
    unreachable: "The shop cannot be reached. Please try again.",
    unknown: "There is no such code. Please ask the shop.",
    revoked: "This code is no longer in use. Please ask the shop for another way to pay.",
    other_app: "This shop cannot be paid from here. Please scan the code with one of these apps: ",
    no_app: "This shop cannot be paid by this code now. Please ask the shop.",
    scan_again: "Please scan the shop's code again. Cookies must be allowed for this page.",
    not_known: "Your app did not say who pays. Please scan the shop's code again.",
    too_often: "Too many requests. Please wait a minute and try again.",
    amount_between: ["Please enter an amount from", "to"],
    not_possible: "This payment is not possible now. No money was taken. Please ask the shop.",
};

pub const CHINESE: Words = Words {
    language: "zh-CN",
    title: "付款",
    amount: "付款金额",
    pay: "付款",
    waiting: "等待您付款…",
    paid: "支付成功，谢谢！",
    failed: "支付失败，未扣款。",
    over: "这笔支付已关闭，未扣款。",
    closing: "正在关闭这笔支付。如果您已在应用中付款，请稍候。",
    part_given_back: pay_page::CHINESE.part_given_back,
    going_back: pay_page::CHINESE.going_back,
    given_back: pay_page::CHINESE.given_back,
    again: "再付一笔",
    pay_again: "重新打开支付",
    cancel: "取消",
    back: "删除",
    unreachable: "无法连接商家，请重试。",
    unknown: "没有这个收款码，请询问商家。",
    revoked: "此收款码已停用，请向商家询问其他付款方式。",
    other_app: "此处无法向该商家付款，请用以下应用扫码：",
    no_app: "该商家暂时无法用此码收款，请询问商家。",
    scan_again: "请重新扫描商家的收款码，并允许本页面使用 Cookie。",
    not_known: "应用没有告知付款人，请重新扫描商家的收款码。",
    too_often: "请求过于频繁，请稍候一分钟再试。",
    amount_between: ["请输入金额，范围", "至"],
    not_possible: "暂时无法支付，未扣款，请询问商家。",
};

pub fn words(request: &HttpRequest) -> &'static Words {
    let wanted = request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let first = wanted.split(',').next().unwrap_or("").trim().to_ascii_lowercase();
    if first.starts_with("zh") { &CHINESE } else { &ENGLISH }
}
