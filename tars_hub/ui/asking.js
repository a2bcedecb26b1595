// How the tabs that send pictures themselves ask this page's own server: plain bytes, one picture a question.
const ASK_MS = 120_000;
const BUSY_S = 2;
const BUSY_MOST_S = 30;
const FAILED = "The server failed; its log says why.";

const modelKey = () => document.querySelector(".tars-header")?.dataset.key ?? "";

const addressOf = (route, query) => {
  const address = new URL(route, location.href);
  for (const [name, value] of Object.entries({ ...query, key: modelKey() })) {
    if (value) address.searchParams.set(name, value);
  }
  return address;
};

const secondsToWait = (response) => {
  const named = Number(response.headers.get("Retry-After"));
  return named > 0 ? Math.min(named, BUSY_MOST_S) : BUSY_S;
};

const refusal = async (response) => {
  const said = await response.json().catch(() => null);
  return typeof said?.error === "string" ? said.error : FAILED;
};

// Gives one of { answer } in the form that `read` takes it from a response, { busy: seconds to wait },
// { refused: a sentence, status }, { lost: true } without a server that answers, and null once `signal` says to stop.
const ask = async (route, query, picture, read, signal) => {
  const given = new AbortController();
  const giveUp = () => given.abort();
  const timer = setTimeout(giveUp, ASK_MS);
  signal.addEventListener("abort", giveUp);
  try {
    if (signal.aborted) return null;
    const response = await fetch(addressOf(route, query), { method: "POST", body: picture, signal: given.signal });
    if (response.ok) return { answer: await read(response) };
    if (response.status === 503 || response.status === 429) return { busy: secondsToWait(response) };
    if (response.status === 502 || response.status === 504) return { lost: true }; // a proxy without its server
    return { refused: await refusal(response), status: response.status };
  } catch {
    return signal.aborted ? null : { lost: true };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", giveUp);
  }
};

const pause = (seconds, signal) =>
  new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, 1000 * seconds);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
