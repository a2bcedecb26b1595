// The rows that are wanted, in the order that is wanted, a page of them at a time: so thousands stay light.
const PAGE_ROWS = 50;
const PAINT_MS = 250;

const part = (selector) => element.querySelector(selector);
const filters = Object.fromEntries([...element.querySelectorAll("[data-filter]")].map((e) => [e.dataset.filter, e]));
const heads = [...element.querySelectorAll("th[data-column]")];
const body = part("tbody");
const lines = new Map(); // row to its <tr>, of the page that is shown
const classOptions = new Map(); // class to its <option>
let page = 0;
let view = rows;

const share = (score) => (score === null ? "" : percent(score));

const KEYS = {
  file: (row) => row.name,
  label: (row) => row.answer?.label,
  score: (row) => row.answer?.score,
  second: (row) => row.answer?.second || undefined,
  status: statusOf,
};

const order = () => {
  const [column, way] = filters.order.value.split(" ");
  return { column, down: way === "1" };
};

// What has no such value comes last, either way; equals keep their order.
const sorted = (some) => {
  const { column, down } = order();
  const key = KEYS[column];
  if (!key) return some;
  const compare = column === "score" ? (a, b) => a - b : collator.compare;
  return [...some].sort((first, second) => {
    const [a, b] = [key(first) ?? undefined, key(second) ?? undefined];
    if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
    return down ? compare(b, a) : compare(a, b);
  });
};

const isFiltered = () => ["label", "status", "least", "most"].some((name) => filters[name].value !== "");

const isWanted = () => {
  const { label, status, least, most } = filters;
  const wantedLabel = label.value === "" ? null : label.selectedOptions[0].dataset.label;
  const [low, high] = [least.valueAsNumber, most.valueAsNumber];
  return (row) =>
    (wantedLabel === null || row.answer?.label === wantedLabel) &&
    (status.value === "" || status.value === (row.state === "asked" ? "waiting" : row.state)) &&
    (Number.isNaN(low) || 100 * row.answer?.score >= low) &&
    (Number.isNaN(high) || 100 * row.answer?.score <= high);
};

const wanted = () => sorted(isFiltered() ? rows.filter(isWanted()) : rows);

const cell = (name) => {
  const made = document.createElement("td");
  made.className = `tars-cell-${name}`;
  made.setAttribute("role", "cell");
  return made;
};

const CELLS = ["picture", "file", "label", "score", "second", "status", "model"];

const newLine = (row) => {
  const line = document.createElement("tr");
  line.setAttribute("role", "row");
  line.append(...CELLS.map(cell));
  line.children[1].textContent = row.name;
  return line;
};

const thumbnailOf = ({ thumbnail }) => {
  const image = new Image(48, 48);
  image.alt = "";
  image.src = thumbnail;
  return image;
};

const fill = (line, row) => {
  const said = `${row.state} ${row.reason}`;
  if (line.dataset.said === said) return;
  line.dataset.said = said;
  const [picture, , label, score, second, status, model] = line.children;
  const { answer } = row;
  status.textContent = statusOf(row);
  label.textContent = answer?.label ?? "";
  score.textContent = share(answer?.score ?? null);
  second.textContent = answer?.second ? `${answer.second} ${share(answer.secondScore)}` : "";
  model.textContent = answer?.model ?? "";
  picture.replaceChildren(...(answer?.thumbnail ? [thumbnailOf(answer)] : []));
};

const lineOf = (row) => {
  const line = lines.get(row) ?? newLine(row);
  fill(line, row);
  return line;
};

const paintRows = () => {
  view = wanted();
  page = Math.max(0, Math.min(page, Math.ceil(view.length / PAGE_ROWS) - 1));
  const some = view.slice(page * PAGE_ROWS, (page + 1) * PAGE_ROWS);
  const next = new Map(some.map((row) => [row, lineOf(row)]));
  const [now, then] = [[...next.values()], [...body.children]];
  if (now.length !== then.length || now.some((line, index) => line !== then[index])) body.replaceChildren(...now);
  lines.clear();
  for (const [row, line] of next) lines.set(row, line);
};

const paintPages = () => {
  const pages = Math.ceil(view.length / PAGE_ROWS);
  const nav = part(".tars-pages");
  nav.hidden = pages < 2;
  nav.querySelector("span").textContent = `Page ${page + 1} of ${pages.toLocaleString("en")}`;
  part("[data-does=before]").disabled = page === 0;
  part("[data-does=after]").disabled = page + 1 >= pages;
};

// In place: a list that somebody has open stays as it is.
const paintClasses = () => {
  for (const [label, count] of labels) {
    let option = classOptions.get(label);
    if (!option) {
      option = new Option("", String(classOptions.size + 1));
      option.dataset.label = label;
      classOptions.set(label, option);
      const after = [...filters.label.options].slice(1).find((each) => collator.compare(each.dataset.label, label) > 0);
      filters.label.add(option, after ?? null);
    }
    const said = `${label} (${count.toLocaleString("en")})`;
    if (option.text !== said) option.text = said;
  }
};

const paintHeads = () => {
  const { column, down } = order();
  for (const head of heads) {
    const way = down ? "descending" : "ascending";
    head.setAttribute("aria-sort", head.dataset.column === column ? way : "none");
  }
};

const forgetTable = () => {
  for (const option of classOptions.values()) option.remove();
  classOptions.clear();
  for (const filter of Object.values(filters)) filter.value = "";
  page = 0;
};

const paintTable = () => {
  paintClasses();
  paintRows();
  paintPages();
  paintHeads();
};

// Up, down, and back to the order as given.
const turnOrder = (column) => {
  const now = order();
  if (now.column !== column) filters.order.value = `${column} 0`;
  else filters.order.value = now.down ? "" : `${column} 1`;
};
