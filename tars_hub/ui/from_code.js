// Names of models and revisions are strangers' text: whatever they hold, a line copied from here does what it says.

// What no terminal, and no reader, takes for a letter: control characters, and those that turn the direction of writing.
const STRANGE = /[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
const numbered = (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;

const text = (value) => JSON.stringify(value).replace(STRANGE, numbered); // for Python and JavaScript alike

const word = (value) => {
  if (/^[\w.\/:][\w.\/:@%+=,-]*$/.test(value)) return value;
  if (value.search(STRANGE) < 0) return `'${value.replaceAll("'", `'\\''`)}'`;
  return `$'${value.replace(/['\\]/g, numbered).replace(STRANGE, numbered)}'`; // in a shell that knows no $'…', too, one word
};

const part = (value) => encodeURIComponent(value.toWellFormed?.() ?? value)
  .replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`)
  .replaceAll("%2F", "/");

const query = (model, revision) =>
  model ? `?model=${part(model)}${revision ? `&revision=${part(revision)}` : ""}` : "";

const python = (address) => `\
import json
from pathlib import Path
from urllib.request import urlopen

address = ${text(address)}
with urlopen(address, Path("picture.jpg").read_bytes()) as answer:
    print(json.load(answer))`;

const gradio = (page) => `\
from gradio_client import Client, handle_file

page = Client(${text(page)})
print(page.predict(handle_file("picture.jpg"), api_name="/classify"))`;

const javascript = (address) => `\
import { readFile } from "node:fs/promises";

const address = ${text(address)};
const answer = await fetch(address, { method: "POST", body: await readFile("picture.jpg") });
console.log(JSON.stringify(await answer.json()));`;

const library = (source) => `\
from tars_hub import Predictor

predictor = Predictor.from_pretrained(${source})
for label, score in predictor("picture.jpg").top:
    print(f"{score:.4f} {label}")`;

// All lines, by the names of their pieces; without a hub the page has one model, and its name is a folder's.
const written = ({ key, model, revision, isDefault }) => {
  const page = `${location.origin}${location.pathname.replace(/[^/]*$/, "")}`;
  const hub = new URL("..", page).href.replace(/\/$/, "");
  const other = key && revision !== "main" ? revision : "";
  const named = key ? query(model, other) : "";
  const classify = `${page}classify${named}`;
  const folder = /^[\w.]/.test(model) ? model : `./${model}`;
  const options = `${other ? ` --revision=${word(other)}` : ""} --endpoint=${word(hub)}`;
  const chosen = `${other ? `, revision=${text(other)}` : ""}, endpoint=${text(hub)}`;
  return {
    curl: `curl --data-binary @picture.jpg ${word(classify)}`,
    token: `curl --data-binary @picture.jpg -H "Authorization: Bearer $HF_TOKEN" ${word(classify)}`,
    python: python(classify),
    gradio: !key || (isDefault && !other) ? gradio(page) : "",
    javascript: javascript(classify),
    shell: key ? `tars predict ${word(model)} picture.jpg${options}` : `tars predict ${word(folder)} picture.jpg`,
    library: library(key ? `${text(model)}${chosen}` : text(folder)),
    mcp: `${page}mcp${named}`,
  };
};

let before = "";
const fill = () => {
  const { key, model, revision = "", default: isDefault = "" } = document.querySelector(".tars-header")?.dataset ?? {};
  const now = JSON.stringify([key, model, revision, isDefault]);
  if (!model || now === before) return;
  before = now;
  const lines = written({ key, model, revision, isDefault });
  for (const section of element.querySelectorAll("[data-piece]")) {
    section.querySelector("pre").textContent = lines[section.dataset.piece];
    section.hidden = !lines[section.dataset.piece];
  }
};

// The page's clipboard is there on https and localhost alone; elsewhere the lines are marked, for a key to copy.
const copy = async (lines) => {
  try {
    await navigator.clipboard.writeText(lines.textContent);
    return "Copied";
  } catch {
    getSelection().selectAllChildren(lines);
    return document.execCommand("copy") ? "Copied" : "Marked: press Ctrl+C";
  }
};

const waiting = new Map();
element.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const [shown, status] = [button.querySelector("span"), button.parentElement.querySelector("[role=status]")];
  shown.textContent = status.textContent = await copy(button.parentElement.querySelector("pre"));
  clearTimeout(waiting.get(button));
  waiting.set(button, setTimeout(() => {
    shown.textContent = "Copy";
    status.textContent = "";
  }, 3000));
});

// The head turns to another model when its visitor picks one.
const head = document.querySelector(".tars-about") ?? document.body;
new MutationObserver(fill).observe(head, { subtree: true, childList: true, attributes: true });
fill();
