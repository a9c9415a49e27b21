//! A bank with the API Pix from outside: a bakery with the test certificate, tokens asked for by hand.

use saoma_schemes::{
    pix::{self, AUTHORITY_PEM, CLIENT_ID, CLIENT_PEM, CLIENT_SECRET, PIX_KEY},
    stage::Running,
};
use serde_json::{Value, json};

use crate::door::at_door;

const SCOPES: &str = "cob.write cob.read pix.write pix.read webhook.write webhook.read";
const TXID: &str = "payXaaaaaaaaaaaaaaaaaaaaaaaaaa";
const NUMBER: &str = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa";
const REFUND: &str = "rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa";

struct Bakery {
    client: reqwest::Client,
    running: Running,
    token: String,
}

impl Bakery {
    async fn open() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let running = pix::start("127.0.0.1:0".parse().unwrap()).unwrap();
        let client = trusting().identity(reqwest::Identity::from_pem(CLIENT_PEM.as_bytes()).unwrap()).build().unwrap();
        let mut bakery = Self { client, running, token: String::new() };
        bakery.token = bakery.token(SCOPES).await;
        bakery
    }

    async fn token(&self, scope: &str) -> String {
        let (status, body) =
            self.token_with(CLIENT_SECRET, &[("grant_type", "client_credentials"), ("scope", scope)]).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!((&body["token_type"], &body["scope"]), (&json!("Bearer"), &json!(scope)));
        body["access_token"].as_str().unwrap().to_owned()
    }

    async fn token_with(&self, secret: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let request = self.client.post(format!("{}/oauth/token", self.running.base_url));
        let answer = request.basic_auth(CLIENT_ID, Some(secret)).form(form).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}/v2{path}", self.running.base_url);
        let mut request = self.client.request(method.parse().unwrap(), url).bearer_auth(&self.token);
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }

    async fn call(&self, method: &str, path: &str, body: Value, status: u16) -> Value {
        let (got, said) = self.send(method, path, body).await;
        assert_eq!(got, status, "{method} {path}: {said}");
        said
    }

    async fn refused(&self, method: &str, path: &str, body: Value, kind: &str) -> Value {
        let (status, said) = self.send(method, path, body).await;
        assert_eq!(said["type"], format!("https://pix.bcb.gov.br/api/v2/error/{kind}"), "{method} {path}: {said}");
        assert_eq!(said["status"], status);
        said
    }

    async fn door(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        at_door(&self.client, &self.running.door, method, path, body).await
    }

    async fn paid(&self) -> String {
        self.call("PUT", &format!("/cob/{TXID}"), charge("12.50"), 201).await;
        assert_eq!(self.door("POST", &format!("/orders/{NUMBER}/pay"), Value::Null).await.0, 204);
        let view = self.call("GET", &format!("/cob/{TXID}"), Value::Null, 200).await;
        view["pix"][0]["endToEndId"].as_str().unwrap().to_owned()
    }
}

fn trusting() -> reqwest::ClientBuilder {
    let authority = reqwest::Certificate::from_pem(AUTHORITY_PEM.as_bytes()).unwrap();
    reqwest::Client::builder().no_proxy().timeout(std::time::Duration::from_secs(10)).tls_certs_only([authority])
}

fn charge(amount: &str) -> Value {
    json!({ "calendario": { "expiracao": 120 }, "valor": { "original": amount }, "chave": PIX_KEY, "solicitacaoPagador": "Pão" })
}

#[tokio::test]
async fn only_a_client_with_certificate_secret_and_scope_is_heard() {
    let mut bakery = Bakery::open().await;
    let stranger = trusting().build().unwrap();
    let refused = stranger.post(format!("{}/oauth/token", bakery.running.base_url)).send().await;
    assert!(refused.is_err(), "no certificate, no connection");

    let form = [("grant_type", "client_credentials")];
    assert_eq!(bakery.token_with("wrong", &form).await, (401, json!({ "error": "invalid_client" })));
    assert_eq!(bakery.token_with(CLIENT_SECRET, &[("grant_type", "password")]).await.0, 400);
    assert_eq!(bakery.token_with(CLIENT_SECRET, &[form[0], ("scope", "all")]).await.1["error"], "invalid_scope");

    bakery.token = bakery.token("cob.read").await;
    bakery.refused("PUT", &format!("/cob/{TXID}"), charge("1.00"), "AcessoNegado").await;
    bakery.refused("GET", &format!("/cob/{TXID}"), Value::Null, "CobNaoEncontrado").await;
    bakery.door("PUT", "/clock", json!({ "ahead_ms": 301_000 })).await;
    assert_eq!(bakery.send("GET", &format!("/cob/{TXID}"), Value::Null).await.0, 401, "the token has ended");
    bakery.running.stop().await;
}

#[tokio::test]
async fn a_charge_is_announced_paid_listed_and_given_back() {
    let bakery = Bakery::open().await;
    let path = format!("/cob/{TXID}");
    let first = bakery.call("PUT", &path, charge("12.50"), 201).await;
    assert_eq!((&first["status"], &first["revisao"]), (&json!("ATIVA"), &json!(0)));
    assert_eq!(bakery.call("PUT", &path, charge("12.50"), 201).await, first, "again changes nothing");
    assert_eq!(bakery.call("PUT", &path, charge("12.60"), 201).await["revisao"], 1);
    bakery.call("PUT", &path, charge("12.50"), 201).await;
    let before = bakery.door("GET", &format!("/orders/{NUMBER}"), Value::Null).await.1;
    assert_eq!((&before["amount_minor"], &before["times_taken"]), (&json!(1_250), &json!(0)));
    assert_eq!(bakery.door("POST", "/notification", json!({ "number": NUMBER })).await.0, 409, "nothing to tell");

    let end_to_end_id = bakery.paid().await;
    assert_eq!(end_to_end_id.len(), 32);
    bakery.refused("PATCH", &path, json!({ "status": "REMOVIDA_PELO_USUARIO_RECEBEDOR" }), "CobOperacaoInvalida").await;
    bakery.refused("PUT", &path, charge("12.50"), "CobOperacaoInvalida").await;
    assert_eq!(bakery.door("POST", &format!("/orders/{NUMBER}/pay"), Value::Null).await.0, 409, "once is enough");

    let back = format!("/pix/{end_to_end_id}/devolucao/rfdXaaaaaaaaaaaaaaaaaaaaaaaaaa");
    bakery.refused("GET", &back, Value::Null, "PixDevolucaoNaoEncontrada").await;
    let too_much = bakery.refused("PUT", &back, json!({ "valor": "12.51" }), "PixDevolucaoInvalida").await;
    assert_eq!(too_much["violacoes"][0]["propriedade"], "devolucao.valor");
    bakery.door("POST", "/next", json!({ "act": "refund", "fault": "pending" })).await;
    let given = bakery.call("PUT", &back, json!({ "valor": "2.00", "descricao": "frio" }), 201).await;
    assert_eq!((&given["status"], given["rtrId"].as_str().unwrap().len()), (&json!("EM_PROCESSAMENTO"), 32));
    bakery.refused("PUT", &back, json!({ "valor": "2.00" }), "PixDevolucaoInvalida").await;
    let other = back.replace("rfdXa", "rfdXb");
    bakery.refused("PUT", &other, json!({ "valor": "10.51" }), "PixDevolucaoInvalida").await;
    assert_eq!(bakery.door("POST", &format!("/orders/{REFUND}/pay"), Value::Null).await.0, 204);
    assert_eq!(bakery.call("GET", &back, Value::Null, 200).await["status"], "DEVOLVIDO");
    assert_eq!(bakery.call("PUT", &other, json!({ "valor": "10.50" }), 201).await["status"], "DEVOLVIDO");
    let after = bakery.door("GET", &format!("/orders/{NUMBER}"), Value::Null).await.1;
    assert_eq!((&after["times_taken"], &after["given_back_minor"]), (&json!(1), &json!(1_250)));

    let list = |more: &str| format!("/pix?inicio=2020-01-01T00:00:00Z&fim=2098-01-01T00:00:00Z{more}");
    let all = bakery.call("GET", &list(""), Value::Null, 200).await;
    assert_eq!(all["parametros"]["paginacao"]["quantidadeTotalDeItens"], 1);
    assert_eq!(all["pix"][0]["devolucoes"].as_array().unwrap().len(), 2);
    assert_eq!(bakery.call("GET", &list("&devolucaoPresente=false"), Value::Null, 200).await["pix"], json!([]));
    assert_eq!(bakery.call("GET", &list("&paginacao.paginaAtual=1"), Value::Null, 200).await["pix"], json!([]));
    for wrong in [
        "/pix?inicio=x&fim=y",
        "/pix?inicio=2021-01-01T00:00:00Z&fim=2020-01-01T00:00:00Z",
        &list("&paginacao.itensPorPagina=1001"),
    ] {
        bakery.refused("GET", wrong, Value::Null, "PixConsultaInvalida").await;
    }
    let told = bakery.door("POST", "/notification", json!({ "number": NUMBER, "refund_number": REFUND })).await;
    assert_eq!((told.0, told.1["headers"][0][1].as_str()), (200, Some("application/json")));
    bakery.running.stop().await;
}

#[tokio::test]
async fn the_bank_takes_a_payment_back_by_itself() {
    let bakery = Bakery::open().await;
    let end_to_end_id = bakery.paid().await;
    let back = format!("/pix/{end_to_end_id}/devolucao/rfdXaaaaaaaaaaaaaaaaaaaaaaaaaa");
    bakery.call("PUT", &back, json!({ "valor": "2.00" }), 201).await;
    let disputed = format!("/orders/{NUMBER}/decline");
    assert_eq!(bakery.door("POST", &disputed, Value::Null).await.0, 204);
    let view = bakery.call("GET", &format!("/cob/{TXID}"), Value::Null, 200).await;
    let taken = &view["pix"][0]["devolucoes"][1];
    assert_eq!((&taken["natureza"], &taken["valor"]), (&json!("MED_FRAUDE"), &json!("10.50")));
    assert_eq!((&taken["status"], &view["status"]), (&json!("DEVOLVIDO"), &json!("CONCLUIDA")));
    assert_eq!(bakery.door("POST", &disputed, Value::Null).await.0, 409, "nothing is left");
    let told = bakery.door("POST", "/notification", json!({ "number": NUMBER })).await;
    assert_eq!(told.0, 200, "the charge's own callback tells of it");

    // A return's id is one of its payment: two that the bank makes may have the same, but for the `rtrId`.
    let other = ("payXbbbbbbbbbbbbbbbbbbbbbbbbbb", "pay_bbbbbbbbbbbbbbbbbbbbbbbbbb");
    bakery.call("PUT", &format!("/cob/{}", other.0), charge("12.50"), 201).await;
    assert_eq!(bakery.door("POST", &format!("/orders/{}/pay", other.1), Value::Null).await.0, 204);
    let paid = bakery.call("GET", &format!("/cob/{}", other.0), Value::Null, 200).await;
    let back = format!("/pix/{}/devolucao/rfdXa", paid["pix"][0]["endToEndId"].as_str().unwrap());
    bakery.call("PUT", &back, json!({ "valor": "2.00" }), 201).await;
    assert_eq!(bakery.door("POST", &format!("/orders/{}/decline", other.1), Value::Null).await.0, 204);
    let view = bakery.call("GET", &format!("/cob/{}", other.0), Value::Null, 200).await;
    let again = &view["pix"][0]["devolucoes"][1];
    assert_eq!(again["id"], taken["id"]);
    assert_ne!(again["rtrId"], taken["rtrId"]);
    bakery.running.stop().await;
}

#[tokio::test]
async fn fields_are_held_to_their_forms() {
    let bakery = Bakery::open().await;
    for (txid, body, field) in [
        ("short", charge("1.00"), "cob.txid"),
        ("pay_aaaaaaaaaaaaaaaaaaaaaaaaaa", charge("1.00"), "cob.txid"),
        (TXID, charge("1.5"), "cob.valor.original"),
        (TXID, charge("0.00"), "cob.valor.original"),
        (TXID, json!({ "calendario": {}, "valor": { "original": "1.00" }, "chave": "other" }), "cob.chave"),
    ] {
        let said = bakery.refused("PUT", &format!("/cob/{txid}"), body, "CobOperacaoInvalida").await;
        assert_eq!(said["violacoes"][0]["propriedade"], field, "{said}");
    }
    bakery.refused("GET", "/cobv/x", Value::Null, "NaoEncontrado").await;
    bakery
        .refused("PUT", "/webhook/other", json!({ "webhookUrl": "https://x.example" }), "WebhookOperacaoInvalida")
        .await;
    bakery
        .refused("PUT", &format!("/webhook/{PIX_KEY}"), json!({ "webhookUrl": "ftp://x" }), "WebhookOperacaoInvalida")
        .await;
    bakery.call("PUT", &format!("/webhook/{PIX_KEY}"), json!({ "webhookUrl": "https://x.example/n" }), 200).await;
    let webhook = bakery.call("GET", &format!("/webhook/{PIX_KEY}"), Value::Null, 200).await;
    assert_eq!(webhook["webhookUrl"], "https://x.example/n");
    bakery.running.stop().await;
}

#[tokio::test]
async fn an_expired_charge_is_active_and_cannot_be_paid() {
    let bakery = Bakery::open().await;
    bakery.call("PUT", &format!("/cob/{TXID}"), charge("1.00"), 201).await;
    bakery.door("PUT", "/clock", json!({ "ahead_ms": 121_000 })).await;
    assert_eq!(bakery.call("GET", &format!("/cob/{TXID}"), Value::Null, 200).await["status"], "ATIVA");
    assert_eq!(bakery.door("POST", &format!("/orders/{NUMBER}/pay"), Value::Null).await.0, 409);
    let removed = json!({ "status": "REMOVIDA_PELO_USUARIO_RECEBEDOR" });
    assert_eq!(bakery.call("PATCH", &format!("/cob/{TXID}"), removed.clone(), 200).await["status"], removed["status"]);
    bakery.running.stop().await;
}

#[tokio::test]
async fn a_fault_spoils_one_answer() {
    let bakery = Bakery::open().await;
    let path = format!("/cob/{TXID}");
    let arm = |act: &str, fault: &str| bakery.door("POST", "/next", json!({ "act": act, "fault": fault }));
    arm("create", "busy").await;
    bakery.refused("PUT", &path, charge("12.50"), "ServicoIndisponivel").await;
    assert_eq!(bakery.call("GET", &path, Value::Null, 200).await["status"], "ATIVA", "it was carried out");
    arm("query", "wrong-amount").await;
    assert_eq!(bakery.call("GET", &path, Value::Null, 200).await["valor"]["original"], "12.51");
    arm("query", "wrong-number").await;
    assert_ne!(bakery.call("GET", &path, Value::Null, 200).await["txid"], TXID);
    arm("query", "strange-state").await;
    assert_eq!(bakery.call("GET", &path, Value::Null, 200).await["status"], "ESTADO_NUNCA_VISTO");
    arm("query", "strange-error").await;
    bakery.refused("GET", &path, Value::Null, "ErroNuncaVisto").await;
    arm("query", "sign-on").await;
    assert_eq!(bakery.send("GET", &path, Value::Null).await.0, 401);
    assert_eq!(bakery.send("GET", &path, Value::Null).await.0, 401, "its tokens have ended");
    let bakery = Bakery { token: bakery.token(SCOPES).await, ..bakery };
    let arm = |act: &str, fault: &str| bakery.door("POST", "/next", json!({ "act": act, "fault": fault }));
    assert_eq!(arm("query", "forged").await.0, 409, "nothing on this wire is signed");
    bakery.paid().await;
    let list = "/pix?inicio=2020-01-01T00:00:00Z&fim=2098-01-01T00:00:00Z";
    for (fault, rows) in [("missing-row", 0), ("extra-row", 2), ("garbled-row", 1)] {
        arm("bill", fault).await;
        assert_eq!(bakery.call("GET", list, Value::Null, 200).await["pix"].as_array().unwrap().len(), rows, "{fault}");
    }
    bakery.running.stop().await;
}
