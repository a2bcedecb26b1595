() => {
  // Gradio pastes only after a click on its button.
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
    const box = document.querySelector(".tars-picture .upload-container");
    if (!file || !box?.offsetParent) return;
    const transfer = new DataTransfer();
    transfer.items.add(file);
    box.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
    event.preventDefault();
  });

  // It leaves a file that the browser cannot show as a broken picture.
  const mark = (unseen) => (event) => {
    if (event.target.matches?.(".tars-picture img")) {
      event.target.closest(".tars-picture").classList.toggle("tars-unseen", unseen);
    }
  };
  document.addEventListener("error", mark(true), true);
  document.addEventListener("load", mark(false), true);

  // Title and address say which model the page is about: it is the head that turns to another.
  let before = "";
  const follow = () => {
    const { key, model, revision } = document.querySelector(".tars-header")?.dataset ?? {};
    if (!key || `${model}@${revision}` === before) return;
    document.title = `${model} · Tars Hub`;
    if (before) history.replaceState(null, "", `?${new URLSearchParams({ model, revision })}`);
    before = `${model}@${revision}`;
  };
  new MutationObserver(follow).observe(document.querySelector(".tars-about"), {
    subtree: true, childList: true, attributes: true,
  });
  follow();
}
