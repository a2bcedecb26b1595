// The rows: what is known about each file. Files are kept by name alone; their bytes are read when they are sent.
const rows = [];
const labels = new Map(); // class to the number of rows that have it
const models = new Map(); // "owner/name@commit" to the model's name
const done = { all: 0, failed: 0, unreadable: 0 };

const STATUS = { waiting: "waiting", asked: "waiting", ok: "ok", unsure: "not sure" };

const newRow = ({ file, name }, index) => ({ index, file, name, state: "waiting", reason: "", answer: null });

const isDone = (row) => row.state !== "waiting" && row.state !== "asked";

const statusOf = (row) => STATUS[row.state] ?? row.reason;

const add = (files) => {
  const some = files.slice(0, MOST_FILES - rows.length);
  for (const file of some) rows.push(newRow(file, rows.length));
  return files.length - some.length;
};

const settle = (row, state, reason = "") => {
  Object.assign(row, { state, reason });
  done.all++;
  if (state in done) done[state]++;
};

const text = (value) => (typeof value === "string" ? value : "");
const number = (value) => (typeof value === "number" ? value : null);

const settleAnswered = (row, said) => {
  const [label, model, commit] = [text(said.label), text(said.model), text(said.commit)];
  const thumbnail = text(said.thumbnail).startsWith("data:image/jpeg;base64,") ? said.thumbnail : "";
  const [score, secondScore] = [number(said.score), number(said.second_score)];
  row.answer = { label, score, second: text(said.second), secondScore, thumbnail, model, commit };
  labels.set(label, (labels.get(label) ?? 0) + 1);
  models.set(`${model}@${commit}`, model);
  settle(row, said.unsure || said.declined ? "unsure" : "ok");
};

// Failed ones wait again; pictures that cannot be read stay as they are.
const forgetFailures = () => {
  for (const row of rows) if (row.state === "failed") Object.assign(row, { state: "waiting", reason: "" });
  done.all -= done.failed;
  done.failed = 0;
};

const forgetAll = () => {
  rows.length = 0;
  labels.clear();
  models.clear();
  Object.assign(done, { all: 0, failed: 0, unreadable: 0 });
};
