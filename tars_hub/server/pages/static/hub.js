// A button beside commands that copies them. Everything works without it.
"use strict";

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // no permission, or an address that browsers do not call secure
  }
}

function select(element) {
  const selection = window.getSelection();
  selection.removeAllRanges();
  const range = document.createRange();
  range.selectNodeContents(element);
  selection.addRange(range);
}

for (const block of document.querySelectorAll("pre.code")) {
  const frame = document.createElement("div");
  const button = document.createElement("button");
  frame.className = "copyable";
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  block.replaceWith(frame);
  frame.append(block, button);
  button.addEventListener("click", async () => {
    select(block);
    const done = (await copy(block.textContent)) || document.execCommand("copy");
    button.textContent = done ? "Copied" : "Selected";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
}
