// The slider fades the heat over the crop, in the browser alone. What it was set to holds for the panels that follow.
let strength;
const fade = () => {
  if (strength === undefined) return;
  element.style.setProperty("--tars-strength", strength / 100);
  const slider = element.querySelector(".tars-strength input");
  if (slider && slider.value !== strength) slider.value = strength;
};
element.addEventListener("input", (event) => {
  if (!event.target.matches(".tars-strength input")) return;
  strength = event.target.value;
  fade();
});
new MutationObserver(fade).observe(element, { childList: true, subtree: true });
// card.js marked it as being about the picture before.
watch("value", () => element.closest(".tars-stale")?.classList.remove("tars-stale"));
