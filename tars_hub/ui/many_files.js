// From what is dropped or chosen to a list of { file, name }; of folders, the pictures in them.
const MOST_FILES = 10_000; // rows of the table
const MOST_ENTRIES = 100_000; // looked at in folders, whatever they are
const KINDS = element.querySelector(".tars-files").accept.split(",");
const collator = new Intl.Collator(undefined, { numeric: true });

const isPicture = ({ name, type }) => {
  const kind = name.slice(name.lastIndexOf(".")).toLowerCase();
  return !name.startsWith(".") && (type.startsWith("image/") || KINDS.includes(kind));
};

const chosenFiles = (list) => [...list].map((file) => ({ file, name: file.name }));

// Gives the pictures in the order of their paths, and how many other files there were.
const picturesOf = (found) => {
  const pictures = found.filter(({ file }) => isPicture(file));
  pictures.sort((a, b) => collator.compare(a.name, b.name));
  return { pictures, others: found.length - pictures.length };
};

const chosenFolder = (list) =>
  picturesOf([...list].slice(0, MOST_ENTRIES).map((file) => ({ file, name: file.webkitRelativePath || file.name })));

const fileOf = (entry) => new Promise((resolve) => entry.file(resolve, () => resolve(null)));

// The browser gives some hundred at a time, and none at the end.
const childrenOf = async (folder) => {
  const reader = folder.createReader();
  const children = [];
  for (;;) {
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (!some.length || children.length > MOST_ENTRIES) return children;
    children.push(...some);
  }
};

const within = async (folder) => {
  const found = [];
  for (let looked = 0, waiting = [folder]; waiting.length && looked < MOST_ENTRIES; looked++) {
    const entry = waiting.pop();
    if (entry.isDirectory) waiting = waiting.concat(await childrenOf(entry));
    else {
      const file = await fileOf(entry);
      if (file) found.push({ file, name: entry.fullPath.replace(/^[/]/, "") });
    }
  }
  return picturesOf(found);
};

// The entries have to be taken before the first `await`: the browser forgets them with the event.
const dropped = async (transfer) => {
  const items = [...transfer.items].filter(({ kind }) => kind === "file");
  const given = items.map((item) => [item.webkitGetAsEntry?.(), item.getAsFile()]);
  const all = { pictures: [], others: 0 };
  for (const [entry, file] of given) {
    const some = entry?.isDirectory
      ? await within(entry)
      : { pictures: file ? chosenFiles([file]) : [], others: 0 };
    all.pictures = all.pictures.concat(some.pictures);
    all.others += some.others;
  }
  return all;
};
