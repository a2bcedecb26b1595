// The card with a sentence in place of an answer: a copy of a blank one, as the server made it.
const cardSaying = (blank, sentence) => {
  const card = blank.cloneNode(true);
  card.dataset.state = "error";
  card.querySelector(".tars-note").textContent = sentence;
  return card;
};
