// A press on a class asks what speaks for it. After each new answer, whoever wants to see where the model looked is
// shown that of the new one: the old one is of another picture.
const wanted = () => document.querySelector(".tars-looks input[type=checkbox]")?.checked;
element.addEventListener("click", (event) => {
  const label = event.target.closest(".tars-why")?.closest("[data-label]")?.dataset.label;
  if (label !== undefined) trigger("explain", { label });
});
watch("value", () => {
  if (!wanted()) return;
  document.querySelector(".tars-looked")?.classList.add("tars-stale");
  trigger("answered");
});
