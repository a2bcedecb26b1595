// Below `answer.js`. Where a question is not answered, because too many wait, the server is gone or was started anew, the card says so:
// else the old answer would stand there as if it were the new picture's. Gradio only shows a note, or nothing.
const trouble = {
  busy: "Too many pictures are waiting just now. Give it again in a moment.",
  gone: "The server does not answer. Give the picture again when it is back.",
  anew: "The server was started anew, and knows nothing of this picture. Give it again.",
};
const lookAgainMs = 4000;
const blankCard = element.querySelector(".tars-answer").cloneNode(true);
const fetched = window.fetch;
let pending = 0; // the number of the question that has no answer yet
let questions = 0;

const isOfThisCard = (body) => {
  const { dependencies, components } = window.gradio_config ?? {};
  const outputs = dependencies?.find(({ id }) => id === body?.fn_index)?.outputs ?? [];
  const classes = (id) => components.find((each) => each.id === id)?.props?.elem_classes ?? [];
  return outputs.some((id) => [classes(id)].flat().includes("tars-card"));
};
const bodyOf = (options) => {
  try {
    return JSON.parse(options?.body);
  } catch {
    return null;
  }
};
const say = (sentence) => {
  pending = 0;
  const card = cardSaying(blankCard, sentence);
  card.dataset.run = `trouble-${questions}`;
  props.value = card.outerHTML;
};
// Of an answer that does not come nothing is heard: whoever waits asks whether the server is still the same.
const lookAfter = async (question) => {
  if (pending !== question) return;
  let sentence = "";
  try {
    const answer = await fetched(new URL("gradio_api/app_id", location.href), { cache: "no-store" });
    const id = answer.ok ? (await answer.json()).app_id : null;
    if (!answer.ok) sentence = trouble.gone;
    else if (String(id) !== String(window.gradio_config?.app_id)) sentence = trouble.anew;
  } catch {
    sentence = trouble.gone;
  }
  if (pending !== question) return;
  if (sentence) say(sentence);
  else setTimeout(lookAfter, lookAgainMs, question);
};
const ask = async (input, options) => {
  questions += 1;
  const question = (pending = questions);
  setTimeout(lookAfter, lookAgainMs, question);
  try {
    const answer = await fetched(input, options);
    if (!answer.ok && pending === question) say(answer.status === 503 ? trouble.busy : trouble.gone);
    return answer;
  } catch (error) {
    if (pending === question) say(trouble.gone);
    throw error;
  }
};
window.fetch = (input, options) => {
  const isQuestion = String(input?.url ?? input).includes("/gradio_api/queue/join");
  return isQuestion && isOfThisCard(bodyOf(options)) ? ask(input, options) : fetched(input, options);
};
watch("value", () => {
  pending = 0;
});
