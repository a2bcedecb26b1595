() => {
  // Gradio pastes only after a click on its button. What is pasted goes to the tab that is open where that takes
  // pictures, to the first one from elsewhere.
  const seen = (selector) => {
    const found = document.querySelector(selector);
    return found?.getClientRects().length ? found : null;
  };
  const target = async () => {
    const here = seen(".tars-drop") ?? seen(".tars-picture .upload-container");
    if (here) return here;
    for (const tabs of [".tars-rooms", ".tars-ways"]) {
      // Gradio has each tab twice, once to measure it by.
      document.querySelector(`${tabs} > .tab-wrapper .tab-container:not(.visually-hidden) [role=tab]`)?.click();
    }
    for (let frame = 0; frame < 60 && !seen(".tars-picture .upload-container"); frame++) {
      await new Promise(requestAnimationFrame);
    }
    return seen(".tars-picture .upload-container");
  };
  document.addEventListener("paste", async (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
    if (!file || !seen(".tars-rooms")) return;
    event.preventDefault();
    const transfer = new DataTransfer();
    transfer.items.add(file);
    const box = await target();
    box?.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
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
