// Carries the rows to the server, some at a time, until all are answered or somebody says stop.
const AT_ONCE = 4;
const TRIES = 3; // where the connection breaks
const LOST_MOST = 4; // files in a row that could not be brought to the server: then there is none
const MOST_BYTES = Number(element.querySelector(".tars-many").dataset.mostBytes); // as the server takes them
const PACE_MS = 10_000;

let going = null; // an AbortController, from a start to its end
let busy = null; // the wait that a full server asked for
let workers = 0;
let lost = 0;
let next = 0; // no row before it waits
let paces = []; // when answers came, of the last seconds

const isGoing = () => going !== null;

const takeNext = () => {
  while (next < rows.length && rows[next].state !== "waiting") next++;
  const row = rows[next];
  if (row) row.state = "asked";
  return row;
};

const giveBack = (row) => {
  row.state = "waiting";
  next = Math.min(next, row.index);
};

const countPace = () => {
  const now = performance.now();
  paces.push(now);
  while (now - paces[0] > PACE_MS) paces.shift();
};

// Pictures a second, lately; 0 while nobody can say.
const pace = () => (paces.length > 2 ? (1000 * (paces.length - 1)) / (performance.now() - paces[0]) : 0);

const isThere = (file) => file.slice(0, 1).arrayBuffer().then(() => true, () => false);

// A full server is asked again when it said, by all at once; what is on its way keeps its place.
const askPatiently = async (row, signal) => {
  for (let tries = 1; ; ) {
    await busy;
    const outcome = await ask("row", {}, row.file, (response) => response.json(), signal);
    if (outcome?.busy) busy ??= pause(outcome.busy, signal).then(() => (busy = null));
    else if (!outcome?.lost) return outcome;
    else if (!(await isThere(row.file))) return { gone: true };
    else if (tries === TRIES) return outcome;
    else await pause(2 ** tries++ / 2, signal);
    if (signal.aborted) return null;
  }
};

const settleLost = (row) => {
  settle(row, "failed", "the server could not be reached");
  if (++lost >= LOST_MOST) stopGoing("The server cannot be reached; Continue asks again.");
};

const settleRefused = (row, { refused, status }) => {
  if (status === 413 || status === 415 || status === 422) return settle(row, "unreadable", refused);
  if (status >= 500) return settle(row, "failed", refused);
  giveBack(row); // about the model or the visitor, not about this picture
  return stopGoing(refused);
};

const askAbout = async (row, signal) => {
  if (row.file.size > MOST_BYTES) return settle(row, "unreadable", `larger than ${MOST_BYTES / 2 ** 20} MB`);
  const outcome = await askPatiently(row, signal);
  if (signal.aborted) return undefined; // stopping has given it back
  if (outcome.lost) return settleLost(row);
  if (outcome.gone) return settle(row, "unreadable", "the file is gone or was changed");
  lost = 0;
  if (outcome.refused) return settleRefused(row, outcome);
  return settleAnswered(row, Object(outcome.answer));
};

const work = async (signal) => {
  for (let row; !signal.aborted && (row = takeNext()); ) {
    await askAbout(row, signal);
    countPace();
    repaint();
  }
};

const hire = async (signal) => {
  workers++;
  await work(signal);
  if (signal.aborted || --workers) return;
  going = null;
  finish();
};

// Also with more rows than there were at the start.
const goOn = () => {
  if (!going) {
    going = new AbortController();
    [workers, lost, next, paces] = [0, 0, 0, []];
    say("");
  }
  repaint();
  while (workers < AT_ONCE) hire(going.signal);
};

const stopGoing = (why = "") => {
  going?.abort();
  going = null;
  busy = null;
  rows.filter(({ state }) => state === "asked").forEach(giveBack);
  say(why);
  repaint();
};
