"use strict";
const TEXTS = {
  en: {
    title: "What is in the picture?", language: "Language", drop: "Drag a picture here", choose: "or choose a file",
    token: "Token", again: "Try again", yours: "Your picture", seen: "What the model saw; red: what decided",
    probabilities: "Probabilities", class: "Class", chance: "Probability", model: "Model", version: "version",
    working: "Working …", done: "Done.", away: "The server does not answer.", secret: "This server wants a token.",
    heat: "Heat-map: the parts that decided for", degraded: "A newer model could not be loaded.",
    413: "The picture is too large.", 415: "This is not a picture in a format that is known.",
    422: "The picture is damaged or empty.", 503: "The server is busy; try again in a moment.", other: "That did not work",
    ask: "What does the model say?", go: "Predict", values: "Values", name: "Target", value: "Value", nothing: "none of the labels",
    text: "A text", sequence: "A sequence: JSON, a list of numbers or a list of lists, a list a time step; or CSV",
    row: "A row: JSON, a value for each column; null where it is missing", refused: "The model cannot take this.",
  },
  zh: {
    title: "图片里是什么？", language: "语言", drop: "把图片拖到这里", choose: "或选择一个文件",
    token: "令牌", again: "重试", yours: "您的图片", seen: "模型看到的图像；红色：决定结果的部分",
    probabilities: "概率", class: "类别", chance: "概率", model: "模型", version: "版本",
    working: "正在识别……", done: "完成。", away: "服务器没有响应。", secret: "此服务器需要令牌。",
    heat: "热力图：决定结果的部分，类别", degraded: "较新的模型无法加载。",
    413: "图片太大。", 415: "这不是已知格式的图片。",
    422: "图片已损坏或为空。", 503: "服务器繁忙，请稍后再试。", other: "出错了",
    ask: "模型怎么说？", go: "预测", values: "数值", name: "目标", value: "数值", nothing: "没有任何标签",
    text: "一段文本", sequence: "一个序列：JSON，数字列表，或每个时间步一个列表的列表；也可以是 CSV",
    row: "一行：JSON，每列一个值，缺失用 null", refused: "模型无法接受这个输入。",
  },
};
const SHOWN = 12;
const at = (id) => document.getElementById(id);
let language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
let state = { status: "", detail: "", wrong: false };
let facts = null, shown = null, last = null, asked = 0;
let takes = { column: "image", columns: {}, classes: true };

function text(name) { return TEXTS[language][name] || TEXTS[language].other; }

function say(status, wrong = false, detail = "") { state = { status, wrong, detail }; sayAgain(); }

function sayAgain() {
  at("status").textContent = state.status === "" ? "" : text(state.status) + (state.detail ? ` (${state.detail})` : "");
  at("status").classList.toggle("wrong", state.wrong);
}

function percent(value) {
  const format = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
  if (value > 0.9995 && value < 1) return `> ${format.format(0.999)}`;
  return value > 0 && value < 0.0005 ? `< ${format.format(0.001)}` : format.format(value);
}

function title() { return text(takes.column === "image" && takes.classes ? "title" : "ask"); }

function translate() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = `convoy · ${title()}`;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", text(element.dataset.label));
  for (const button of document.querySelectorAll("[data-language]")) button.setAttribute("aria-pressed", String(button.dataset.language === language));
  document.querySelector("h1").textContent = title();
  if (takes.column !== "image") at("hint").textContent = text(takes.column);
  sayAgain();
  nameModel();
  if (shown) showAnswer();
}

function adapt(found) {
  takes = found;
  const typed = takes.column !== "image";
  at("typed").hidden = !typed;
  at("drop").hidden = typed;
  at("pictures").hidden = typed;
  at("map").hidden = !takes.classes;
  if (takes.column === "row" && at("content").value === "") {
    at("content").value = JSON.stringify(Object.fromEntries(Object.keys(takes.columns).map((name) => [name, null])), null, 1);
  }
  translate();
}

function nameModel() {
  if (!facts) return;
  const version = facts.model.version ? ` ${text("version")} ${facts.model.version}` : "";
  at("model").textContent = `${facts.model.name}${version} · sha256 ${facts.model.digest.slice(0, 12)}`;
}

function number(value) {
  return new Intl.NumberFormat(language, { maximumSignificantDigits: 6 }).format(value);
}

function cells(name, value) {
  const row = document.createElement("tr"), head = document.createElement("th"), cell = document.createElement("td");
  const figure = document.createElement("span");
  head.scope = "row"; head.textContent = name;
  if (shown.values) figure.textContent = number(value);
  else {
    const meter = document.createElement("meter");
    meter.value = value; meter.setAttribute("aria-hidden", "true"); figure.textContent = percent(value);
    cell.append(meter);
  }
  cell.append(figure); row.append(head, cell);
  return row;
}

function showAnswer() {
  const pairs = Object.entries(shown.values || shown.probabilities);
  const said = shown.values ? (pairs.length === 1 ? number(pairs[0][1]) : "") : shown.label;
  at("label").textContent = shown.labels ? shown.labels.join(" · ") || text("nothing") : said;
  at("probability").textContent = shown.probability === undefined ? "" : percent(shown.probability);
  at("original").alt = shown.file;
  at("seen").setAttribute("aria-label", `${text("heat")} ${at("label").textContent}`);
  at("caption").textContent = text(shown.values ? "values" : "probabilities");
  const [name, value] = document.querySelectorAll("thead th");
  name.textContent = text(shown.values ? "name" : "class"); value.textContent = text(shown.values ? "value" : "chance");
  const order = shown.values ? pairs : pairs.sort((a, b) => b[1] - a[1]).slice(0, SHOWN);
  at("rows").replaceChildren(...order.map(([each, found]) => cells(each, found)));
  at("answer").hidden = false;
}

async function pixels(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

async function paint(answer) {
  const [image, heat] = await Promise.all([pixels(answer.prepared), pixels(answer.heatmap)]);
  for (let i = 0; i < image.data.length; i += 4) {
    const part = 0.7 * heat.data[i] / 255;
    image.data[i] += (255 - image.data[i]) * part;
    image.data[i + 1] *= 1 - part;
    image.data[i + 2] *= 1 - part;
  }
  const canvas = at("seen");
  canvas.width = image.width; canvas.height = image.height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function headers() { return at("token").value ? { authorization: `Bearer ${at("token").value}` } : {}; }

async function send(file) {
  last = file;
  const turn = ++asked;
  const typed = takes.column !== "image", mapped = takes.classes && !typed;
  say("working");
  const form = new FormData();
  form.append("files", file, file.name);
  try {
    const response = await fetch(mapped ? "predict?heatmap=true" : "predict", { method: "POST", body: form, headers: headers() });
    const answer = await response.json();
    if (turn !== asked) return;
    if (response.status === 401) { at("token-row").hidden = false; say("secret", true); at("token").focus(); return; }
    if (!response.ok) { at("answer").hidden = true; say(typed && [413, 415, 422].includes(response.status) ? "refused" : String(response.status), true, answer.detail); return; }
    [shown] = answer.predictions;
    facts = answer;
    if (!typed) {
      URL.revokeObjectURL(at("original").src);
      at("original").src = URL.createObjectURL(file);
    }
    if (mapped) await paint(shown);
    showAnswer();
    nameModel();
    say("done");
  } catch (error) {
    if (turn === asked) say("away", true, error.message);
  }
}

async function ask() {
  try {
    const response = await fetch("health", { headers: headers() });
    if (!response.ok) { if (response.status === 401) at("token-row").hidden = false; return; }
    facts = await response.json();
    adapt(facts.takes);
    if (facts.status !== "ok") say("degraded", true, facts.problem);
  } catch { say("away", true); }
}

for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => { language = button.dataset.language; translate(); });
}
at("file").addEventListener("click", () => { at("file").value = ""; });
at("file").addEventListener("change", () => { if (at("file").files.length) send(at("file").files[0]); });
at("form").addEventListener("submit", (event) => { event.preventDefault(); ask(); if (last) send(last); });
for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());
document.addEventListener("dragover", () => at("drop").classList.add("over"));
for (const kind of ["dragleave", "drop"]) document.addEventListener(kind, () => at("drop").classList.remove("over"));
at("go").addEventListener("click", () => { send(new File([at("content").value], takes.column, { type: "text/plain" })); });
document.addEventListener("drop", (event) => { if (takes.column === "image" && event.dataTransfer.files.length) send(event.dataTransfer.files[0]); });
translate();
ask();
