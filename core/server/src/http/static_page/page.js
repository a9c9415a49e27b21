"use strict";
(() => {
  const main = document.querySelector("main");
  const at = (name) => document.getElementById(name);
  const words = JSON.parse(main.dataset.words);
  const digits = Number(main.dataset.digits);
  const base = main.dataset.base;
  let typed = "";
  let asked = false;
  let called = "";
  let looking = 0;

  // Amounts are texts and whole minor units: no fraction is ever computed.
  const minor = () => {
    const [whole, rest = ""] = typed.split(".");
    return Number(whole + rest.padEnd(digits, "0"));
  };
  const show = (name, on) => {
    at(name).hidden = !on;
  };
  const say = (text, kind) => {
    at("told").textContent = text;
    at("told").className = kind;
  };
  const type = (key) => {
    if (key === "back") typed = typed.slice(0, -1);
    else if (key === ".") typed += digits > 0 && typed !== "" && !typed.includes(".") ? "." : "";
    else if ((typed.split(".")[1] || "").length < digits || !typed.includes(".")) {
      if (typed.replace(".", "").length < 9) typed = typed === "0" ? key : typed + key;
    }
    at("amount").textContent = typed === "" ? "0" : typed;
    at("pay").disabled = typed === "" || minor() < 1 || asked;
  };

  const bridge = (step) => {
    const call = () =>
      window[step.object][step.function](step.name, step.parameters, () => {
        // Whatever the app says of it, the shop's own word counts.
        show("pay-again", true);
        look();
      });
    if (window[step.object]) call();
    else document.addEventListener(step.ready, call, { once: true });
  };
  const carry = (step) => {
    const text = JSON.stringify(step);
    if (called === text) return;
    called = text;
    at("step").replaceChildren();
    if (step.kind === "link") {
      const link = document.createElement("a");
      link.id = "pay-link";
      link.className = "pay";
      link.href = step.url;
      link.textContent = words.pay;
      at("step").append(link);
    } else if (step.kind === "picture") {
      const picture = document.createElement("img");
      picture.alt = "QR";
      picture.width = 240;
      picture.src = step.data;
      at("step").append(picture);
    }
    if (step.kind === "bridge") bridge(step);
    if (step.kind === "visit") location.assign(step.url);
  };

  const shown = (told) => {
    const waits = told.state === "waiting";
    const closing = told.state === "closing";
    const fresh = told.state === "fresh";
    show("keypad", fresh);
    show("cancel", waits);
    show("again", !waits && !closing && !fresh);
    show("step", waits);
    if (!waits) show("pay-again", false);
    if (!fresh) at("amount").textContent = told.amount;
    if (waits) say(words.waiting, "label");
    else if (told.state === "paid" || told.state === "part_given_back") say(words[told.state], "done");
    else if (!fresh) say(words[told.state], "notice");
    if (waits && told.step) carry(told.step);
    clearTimeout(looking);
    // What is being closed may have been paid all the same.
    if (waits || closing) looking = setTimeout(look, 2000);
  };
  const ask = async (path, body) => {
    const request = { method: body ? "POST" : "GET", cache: "no-store", credentials: "same-origin" };
    if (body) Object.assign(request, { headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    const answer = await fetch(base + path, request);
    const told = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(told.detail || words.unreachable), { status: answer.status });
    return told;
  };
  const look = async () => {
    try {
      shown(await ask("/state"));
    } catch (error) {
      clearTimeout(looking);
      // This page is of no use any more, and nothing is to be waited for.
      if ([403, 404, 410].includes(error.status)) {
        for (const name of ["keypad", "step", "cancel", "pay-again", "again"]) show(name, false);
        say(error.message, "notice");
        return;
      }
      looking = setTimeout(look, 4000);
    }
  };
  const send = async (path, body) => {
    if (asked) return;
    asked = true;
    at("pay").disabled = true;
    say(words.waiting, "label");
    try {
      const told = await ask(path, body);
      if (path === "/again" && told.state === "fresh") {
        typed = "";
        called = "";
        say("", "label");
      }
      asked = false;
      shown(told);
      if (told.state === "fresh") type("");
    } catch (error) {
      asked = false;
      say(error.message, "notice");
      type("");
      // It may have been taken all the same.
      look();
    }
  };

  for (const key of document.querySelectorAll("[data-key]")) key.addEventListener("click", () => type(key.dataset.key));
  at("pay").addEventListener("click", () => send("/pay", { amount_minor: minor() }));
  at("pay-again").addEventListener("click", () => {
    called = "";
    look();
  });
  at("cancel").addEventListener("click", () => send("/again", {}));
  at("again").addEventListener("click", () => send("/again", {}));
  // Kept pages come back as they were left.
  addEventListener("pageshow", (event) => event.persisted && look());
  type("");
  shown(JSON.parse(main.dataset.state));
})();
