// Below `asking.js` and `answer.js`. One frame is on its way at a time; the next is taken when the answer is there.
const SIDE_PX = 640; // of a frame's longer side: models look at less
const QUALITY = 0.85;
const UNSEEN_MS = 5 * 60_000; // without a sign of the visitor the camera goes off
const FAILURES = 3; // in a row
const FRAME_MS = 250; // the longest wait for a new frame, where the browser does not tell of them
const RATE_MS = 3000;
const SPEAK_MS = 2000;
const CALM_S = 0.5; // between answers, for who asked for less motion

const OFF = "The camera is off.";
const NO_CAMERA = {
  NotAllowedError: "The browser does not let this page use the camera: allow it beside the address, then start again.",
  NotFoundError: "There is no camera here: connect one, then start again.",
  NotReadableError: "The camera is busy: close the other program that uses it, then start again.",
};
NO_CAMERA.AbortError = NO_CAMERA.NotReadableError;
NO_CAMERA.SecurityError = NO_CAMERA.NotAllowedError;
const NO_HTTPS = "Browsers give cameras to safe addresses alone: open this page by https, or on its own machine.";

const part = (selector) => element.querySelector(selector);
const live = part(".tars-live");
const video = part("video");
const note = part(".tars-screen .tars-note");
const button = part(".tars-main");
const choice = part("select");
const canvas = document.createElement("canvas");
const blankCard = part(".tars-answer").cloneNode(true);

const calm = matchMedia("(prefers-reduced-motion: reduce)");

let turn = null; // from a start to its stop: an AbortController, which the frame on its way hears
let stream = null;
let seen = Date.now();
let answered = []; // when, of the last seconds
let spoken = { label: "", at: 0 };

const off = (why = OFF) => {
  turn?.abort();
  turn = null;
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  video.srcObject = null;
  video.hidden = true;
  note.hidden = false;
  note.textContent = why;
  button.textContent = "Start the camera";
  part(".tars-rate").textContent = "";
  canvas.width = canvas.height = 0; // the last frame goes, too
};

const show = (card) => part(".tars-answer").replaceWith(card);

const showSentence = (sentence) => show(cardSaying(blankCard, sentence));

// A screen reader hears a class when it changes, not each frame's card.
const speak = (card) => {
  const label = card.querySelector(".tars-top")?.dataset.label ?? card.querySelector(".tars-note")?.textContent;
  if (label === spoken.label || Date.now() - spoken.at < SPEAK_MS) return;
  spoken = { label, at: Date.now() };
  part(".tars-spoken").textContent = label;
};

// Whether it is one: a model may fail on frame after frame.
const showAnswer = (html) => {
  // The server has escaped what strangers named; parsed apart from the page nothing in it runs.
  const card = new DOMParser().parseFromString(html, "text/html").querySelector(".tars-answer");
  if (!card) return false;
  for (const said of card.querySelectorAll("[aria-live]")) said.removeAttribute("aria-live");
  show(card);
  speak(card);
  return card.dataset.state !== "error";
};

const countAnswer = () => {
  const now = performance.now();
  answered = [...answered.filter((at) => now - at < RATE_MS), now];
  const rate = (1000 * (answered.length - 1)) / (now - answered[0]);
  part(".tars-rate").textContent = answered.length > 2 ? `${rate.toFixed(1)} answers a second` : "";
};

// A new frame, or some time: where the page is not painted the browser tells of none.
const nextFrame = () =>
  new Promise((resolve) => {
    setTimeout(resolve, FRAME_MS);
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(resolve);
  });

// Never mirrored: only the preview is.
const takeFrame = () => {
  const scale = Math.min(1, SIDE_PX / Math.max(video.videoWidth, video.videoHeight));
  canvas.width = Math.round(scale * video.videoWidth);
  canvas.height = Math.round(scale * video.videoHeight);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
};

const whyStop = () => {
  if (document.hidden) return "The camera went off while this page was out of sight.";
  if (!live.getClientRects().length) return OFF;
  if (Date.now() - seen > UNSEEN_MS) return "The camera went off after five minutes without you; Start goes on.";
  return "";
};

const shown = () => document.querySelector(".tars-shown input[type=number]")?.value;

const askOnce = async (signal) => {
  const frame = await takeFrame();
  if (!frame) return { lost: true };
  return ask("card", { shown: shown() }, frame, (response) => response.text(), signal);
};

// Until it is aborted, or says why not.
const goOn = async (signal) => {
  for (let failures = 0; !signal.aborted; ) {
    await nextFrame();
    if (signal.aborted) return;
    const why = whyStop();
    if (why) return off(why);
    if (!video.videoWidth) continue;
    const outcome = await askOnce(signal);
    if (signal.aborted || !outcome) return;
    if (outcome.busy) await pause(outcome.busy, signal);
    else if (outcome.answer && showAnswer(outcome.answer)) {
      failures = 0;
      countAnswer();
      if (calm.matches) await pause(CALM_S, signal);
    } else if (outcome.refused && outcome.status < 500) return giveUp(outcome.refused);
    else if (++failures === FAILURES) return giveUp(outcome.lost ? "The server cannot be reached." : outcome.refused);
    else await pause(failures, signal);
  }
};

// Without a sentence the last card has said it.
const giveUp = (sentence) => {
  off();
  if (sentence) showSentence(sentence);
};

const listCameras = async (current) => {
  const cameras = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
  choice.replaceChildren(
    ...cameras.map(({ deviceId, label }, index) => new Option(label || `Camera ${index + 1}`, deviceId)),
  );
  choice.value = current;
  choice.parentElement.hidden = cameras.length < 2;
};

const open = async (deviceId) => {
  const wanted = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: { ideal: "environment" } };
  const size = { width: { ideal: SIDE_PX }, height: { ideal: 480 } };
  return navigator.mediaDevices.getUserMedia({ audio: false, video: { ...wanted, ...size } });
};

const begin = async (opened) => {
  stream = opened;
  const [track] = stream.getVideoTracks();
  const { facingMode, deviceId } = track.getSettings();
  track.addEventListener("ended", () => stream === opened && off("The camera was disconnected."));
  video.classList.toggle("tars-mirrored", facingMode !== "environment");
  video.srcObject = stream;
  video.hidden = false;
  note.hidden = true;
  await video.play();
  await listCameras(deviceId);
};

const start = async (deviceId = "") => {
  off("Waiting for the camera…");
  const { signal } = (turn = new AbortController());
  button.textContent = "Stop";
  show(blankCard.cloneNode(true));
  [answered, spoken, seen] = [[], { label: "", at: 0 }, Date.now()];
  if (!navigator.mediaDevices?.getUserMedia) return off(NO_HTTPS);
  try {
    const opened = await open(deviceId);
    if (signal.aborted) {
      for (const track of opened.getTracks()) track.stop(); // it was stopped while the browser asked
      return;
    }
    await begin(opened);
    await goOn(signal);
  } catch (error) {
    if (!signal.aborted) off(NO_CAMERA[error.name] ?? "The camera does not start: try another browser or camera.");
  }
};

button.addEventListener("click", () => (turn ? off() : start()));
choice.addEventListener("change", () => start(choice.value));
const check = () => {
  const why = turn && whyStop();
  if (why) off(why);
};
document.addEventListener("visibilitychange", check);
new ResizeObserver(check).observe(live); // a tab that is left has no size
window.addEventListener("pagehide", () => turn && off());
for (const sign of ["pointermove", "pointerdown", "keydown", "wheel", "focusin"]) {
  document.addEventListener(sign, () => (seen = Date.now()), { capture: true, passive: true });
}
