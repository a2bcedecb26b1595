// Above picker.js: a list of lines to choose from. What stands in them are strangers' texts, which stay text.
const made = (tag, kind, text) => {
  const node = document.createElement(tag);
  if (kind) node.className = kind;
  if (text !== undefined) node.textContent = text;
  return node;
};

const lockSign = () => {
  const sign = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const lines = document.createElementNS("http://www.w3.org/2000/svg", "path");
  for (const [name, value] of Object.entries({ viewBox: "0 0 12 12", width: 12, height: 12, "aria-hidden": true })) {
    sign.setAttribute(name, value);
  }
  lines.setAttribute("d", "M2.5 5.5h7v5h-7zM4 5.5V4a2 2 0 0 1 4 0v1.5");
  lines.setAttribute("fill", "none");
  lines.setAttribute("stroke", "currentColor");
  sign.append(lines);
  return sign;
};

// Focus stays with `field`, as listboxes have it: it says which line is pointed at, and Enter takes that one.
const lineList = (list, field, take) => {
  let values = [];
  let at = -1;
  const point = (to) => {
    at = Math.max(-1, Math.min(to, values.length - 1));
    [...list.children].forEach((line, index) => line.setAttribute("aria-selected", String(index === at)));
    if (at < 0) return field.removeAttribute("aria-activedescendant");
    field.setAttribute("aria-activedescendant", list.children[at].id);
    list.children[at].scrollIntoView({ block: "nearest" });
  };
  const show = (found, line, first) => {
    values = found;
    list.replaceChildren(...found.map((value, index) => {
      const node = made("li", "tars-picker-line");
      node.id = `${list.id}-${index}`;
      node.setAttribute("role", "option");
      node.append(...line(value));
      return node;
    }));
    list.hidden = !found.length;
    point(found.length ? Math.max(0, first) : -1);
  };
  const steps = { ArrowDown: () => at + 1, ArrowUp: () => Math.max(0, at - 1), PageDown: () => at + 6 };
  steps.PageUp = () => Math.max(0, at - 6);
  const whole = { Home: () => 0, End: () => values.length - 1 }; // in a field of text they move its cursor
  const press = (event) => {
    const step = steps[event.key] ?? (field === list ? whole[event.key] : undefined);
    if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
    if (step && values.length) point(step());
    else if (event.key === "Enter" && at >= 0) take(values[at]);
    else return;
    event.preventDefault();
  };
  field.addEventListener("keydown", press);
  list.addEventListener("click", (event) => {
    const index = [...list.children].indexOf(event.target.closest("li"));
    if (index < 0) return;
    point(index);
    take(values[index]);
  });
  return { show };
};
