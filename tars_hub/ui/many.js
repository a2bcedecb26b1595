// Below the other `many_…` scripts: what is pressed, dropped and chosen, and what is said about it.
let painting = null;

const speakOnce = (sentence) => (part(".tars-spoken").textContent = sentence);

const say = (trouble) => {
  const box = part(".tars-trouble");
  box.hidden = !trouble;
  box.textContent = trouble;
};

const timeLeft = (seconds) => {
  if (seconds < 60) return `about ${Math.max(1, Math.round(seconds))} s left`;
  if (seconds < 3600) return `about ${Math.round(seconds / 60)} min left`;
  return `about ${(seconds / 3600).toFixed(1)} h left`;
};

const paceSaid = () => {
  const perSecond = pace();
  const of = `${done.all.toLocaleString("en")} of ${rows.length.toLocaleString("en")}`;
  if (!isGoing()) return of;
  if (!perSecond) return `${of} · asking…`;
  return `${of} · ${perSecond.toFixed(1)} pictures a second · ${timeLeft((rows.length - done.all) / perSecond)}`;
};

const paintProgress = () => {
  const bar = part("progress");
  bar.max = Math.max(1, rows.length);
  bar.value = done.all;
  part(".tars-going").hidden = part(".tars-results").hidden = !rows.length;
  part(".tars-pace").textContent = paceSaid();
  const stop = part("[data-does=stop]");
  stop.textContent = isGoing() ? "Stop" : "Continue";
  stop.hidden = done.all === rows.length;
  const again = part("[data-does=again]");
  again.hidden = isGoing() || !done.failed;
  again.textContent = `Ask again about ${done.failed.toLocaleString("en")} that failed`;
};

const paintCounts = () => {
  const filtered = isFiltered();
  const shown = `${counted(view.length, "row", "rows")} of ${rows.length.toLocaleString("en")} shown`;
  part(".tars-count").textContent = filtered ? shown : "";
  part("[data-does=csv]").textContent = `Download ${counted(rows.length, "row", "rows")} as CSV`;
  const some = part("[data-does=csv-shown]");
  some.hidden = !filtered;
  some.textContent = `Download the ${counted(view.length, "row", "rows")} shown as CSV`;
};

const paintModels = () => {
  const mixed = models.size > 1;
  const said = [...models.entries()].map(([key, name]) => `${name} (${key.slice(name.length + 1, name.length + 13)})`);
  part(".tars-table").classList.toggle("tars-mixed", mixed);
  part(".tars-models").hidden = !mixed;
  part(".tars-models").textContent = mixed ? `These are answers of ${models.size} models: ${said.join(", ")}.` : "";
};

const paint = () => {
  painting = null;
  paintTable();
  paintProgress();
  paintCounts();
  paintModels();
};

const repaint = () => (painting ??= setTimeout(paint, PAINT_MS));

const paintNow = () => {
  clearTimeout(painting);
  paint();
};

const finish = () => {
  const bad = done.unreadable + done.failed;
  const sentence = `Done: ${counted(rows.length, "picture", "pictures")}${bad ? `, ${bad} without an answer` : ""}.`;
  paintNow();
  speakOnce(sentence);
};

const take = ({ pictures, others = 0 }) => {
  const tooMany = add(pictures);
  const room = MOST_FILES.toLocaleString("en");
  const out = [
    others ? `${counted(others, "other file", "other files")} left out.` : "",
    tooMany ? `${counted(tooMany, "picture", "pictures")} left out: there is room for ${room}.` : "",
  ];
  part(".tars-left-out").textContent = out.filter(Boolean).join(" ");
  speakOnce(`${counted(pictures.length, "picture", "pictures")} taken.`);
  paintNow();
  if (pictures.length) goOn();
};

const clear = () => {
  stopGoing();
  forgetAll();
  forgetTable();
  part(".tars-left-out").textContent = "";
  paintNow();
};

const turn = (by) => {
  page += by;
  paintNow();
  part(".tars-table").scrollIntoView({ block: "start" });
};

const DOES = {
  files: () => part(".tars-files").click(),
  folder: () => part(".tars-folder").click(),
  stop: () => (isGoing() ? stopGoing() : goOn()),
  again: () => (forgetFailures(), goOn()),
  clear,
  csv: () => download(rows, "answers.csv"),
  "csv-shown": () => download(view, "answers-shown.csv"),
  before: () => turn(-1),
  after: () => turn(1),
};

element.addEventListener("click", (event) => {
  const pressed = event.target.closest("button");
  if (!pressed) return;
  if (pressed.dataset.does) return DOES[pressed.dataset.does]();
  turnOrder(pressed.closest("th").dataset.column);
  paintNow();
});

for (const [name, read] of [["files", (list) => ({ pictures: chosenFiles(list) })], ["folder", chosenFolder]]) {
  const input = part(`.tars-${name}`);
  input.addEventListener("change", () => {
    take(read(input.files));
    input.value = ""; // so that the same can be chosen again
  });
}
part("[data-does=folder]").hidden = !("webkitdirectory" in HTMLInputElement.prototype);

part(".tars-filters").addEventListener("input", () => {
  page = 0;
  paintNow();
});

// All over the tab: a file dropped beside the zone would open in place of the page.
element.addEventListener("dragover", (event) => {
  event.preventDefault();
  part(".tars-drop").classList.add("tars-over");
});
element.addEventListener("dragleave", () => part(".tars-drop").classList.remove("tars-over"));
element.addEventListener("drop", async (event) => {
  event.preventDefault();
  part(".tars-drop").classList.remove("tars-over");
  take(await dropped(event.dataTransfer));
});
