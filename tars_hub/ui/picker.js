// The panel has two sides: the models, and the revisions of one that has several. What is chosen goes to the page's
// server by the event "select"; its outcome comes back as the value: { model, revision } or { error }, as JSON.
const PAUSE_MS = 200;
const PATIENCE_MS = 30_000;
const SILENT = "The server does not answer; try again in a moment.";

const part = (selector) => element.querySelector(selector);
const open = part(".tars-picker-open");
const panel = part(".tars-picker-panel");
const models = part(".tars-picker-models");
const revisions = part(".tars-picker-revisions");
const search = part("input");
const modelList = models.querySelector("ul");
const revisionList = revisions.querySelector("ul");
let shown = {};
let asked = null; // what is being looked for
let timer = 0;
let loading = "";

const say = (note, trouble = "") => {
  part(".tars-picker-note").textContent = note;
  part(".tars-picker-alert").textContent = trouble;
};

const short = (revision) => (/^[0-9a-f]{40}$/.test(revision) ? revision.slice(0, 12) : revision);

// Gives a list, or null where another question came after this one or it failed, which is said.
const look = async (query) => {
  asked?.abort();
  const mine = (asked = new AbortController());
  const patience = setTimeout(() => mine.abort(), PATIENCE_MS);
  try {
    const response = await fetch(new URL(`models?${new URLSearchParams(query)}`, location.href), { signal: mine.signal });
    const found = await response.json();
    if (asked !== mine) return null;
    if (response.ok && Array.isArray(found)) return found;
    say("", typeof found?.error === "string" ? found.error : SILENT);
  } catch {
    if (asked === mine) say("", SILENT);
  } finally {
    clearTimeout(patience);
  }
  return null;
};

const modelLine = ({ model, accuracy, classes, private: closed }) => {
  const name = made("span", "tars-picker-model", model);
  const quality = accuracy === null ? "not measured" : percent(accuracy);
  const facts = made("span", "tars-picker-facts", `${quality} · ${counted(classes, "class", "classes")}`);
  if (closed) {
    const lock = made("span", "tars-picker-lock");
    lock.append(lockSign(), "private");
    facts.append(" · ", lock);
  }
  return [name, " ", facts];
};

const show = async (text = "") => {
  const found = await look({ search: text });
  if (!found) return showModels([]);
  showModels(found);
  if (loading) return;
  const none = text ? "No model of that name is open to you." : "No model is open to you yet.";
  say(found.length ? counted(found.length, "model", "models") : none);
};

const showModels = (found) => {
  modelLines.show(found, modelLine, search.value ? 0 : found.findIndex(({ model }) => model === shown.model));
  search.setAttribute("aria-expanded", String(found.length > 0));
};

const turn = (side) => {
  models.hidden = side !== models;
  revisions.hidden = side !== revisions;
  (side === models ? search : revisionList).focus();
};

const choose = async ({ model }) => {
  if (loading) return;
  clearTimeout(timer);
  say(`Looking for the revisions of ${model}…`);
  const found = await look({ model });
  if (!found) return;
  if (found.length < 2) return load(model, found[0] ?? "main");
  say("");
  revisions.querySelector("span").textContent = model;
  const usual = model === shown.model ? found.indexOf(shown.revision) : 0;
  revisionLines.show(found.map((revision) => ({ model, revision })), ({ revision }) => [revision], usual);
  turn(revisions);
};

const load = (model, revision) => {
  if (loading) return;
  loading = model;
  say(`Loading ${model}…`);
  panel.setAttribute("aria-busy", "true");
  trigger("select", { model, revision });
};

const settle = () => {
  loading = "";
  panel.removeAttribute("aria-busy");
};

const begin = () => {
  settle(); // an outcome that got lost on its way holds up nothing
  panel.hidden = false;
  open.setAttribute("aria-expanded", "true");
  search.value = "";
  say("Looking for models…");
  turn(models);
  show();
};

const end = () => {
  const within = panel.contains(document.activeElement);
  clearTimeout(timer);
  asked?.abort();
  asked = null;
  panel.hidden = true;
  open.setAttribute("aria-expanded", "false");
  if (within) open.focus();
};

const hear = () => {
  const said = props.value ? JSON.parse(props.value) : {};
  settle();
  if (said.error) {
    panel.hidden = false; // also for somebody who did not wait for it
    open.setAttribute("aria-expanded", "true");
    return say("", said.error);
  }
  if (!said.model) return;
  shown = said;
  part(".tars-picker-name").textContent = `${said.model} · ${short(said.revision)}`;
  if (!panel.hidden) end();
};

const modelLines = lineList(modelList, search, choose);
const revisionLines = lineList(revisionList, revisionList, ({ model, revision }) => load(model, revision));

open.addEventListener("click", () => (panel.hidden ? begin() : end()));
revisions.querySelector("button").addEventListener("click", () => turn(models));
search.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(() => show(search.value.trim()), PAUSE_MS);
});
panel.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.isComposing) return;
  event.stopPropagation();
  if (revisions.hidden) end();
  else turn(models);
});
element.addEventListener("focusout", (event) => {
  if (event.relatedTarget && !element.contains(event.relatedTarget)) end();
});
document.addEventListener("pointerdown", (event) => {
  if (!panel.hidden && !element.contains(event.target)) end();
});
watch("value", hear);
part(".tars-picker-name").textContent = "Choose a model";
hear();
