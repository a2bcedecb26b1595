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

// Whoever has just asked for it is shown it, below the fold too; with the next picture nothing moves.
let asked = false;
document.addEventListener("click", (event) => {
  if (event.target.closest?.(".tars-why, .tars-looks")) asked = true;
});
watch("value", () => {
  element.closest(".tars-stale")?.classList.remove("tars-stale"); // card.js marked it as of the picture before
  if (asked && element.querySelector("[data-state=shown]")) {
    element.scrollIntoView({
      block: "nearest",
      behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth",
    });
  }
  asked = false;
});
