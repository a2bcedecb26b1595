// The table as a file for spreadsheets: UTF-8 with its mark, so that they see it; commas; a point in numbers.
const CSV_COLUMNS = ["file", "label", "probability", "second", "second_probability", "status", "model", "commit"];

// Spreadsheets run a cell that begins so as a formula; an apostrophe before it makes it text.
const harmless = (value) => (/^[=+\-@\t\r\n＝＋－＠]/.test(value) ? `'${value}` : value);

const quoted = (value) => `"${harmless(value).replaceAll('"', '""')}"`;

const plain = (score) => (typeof score === "number" ? score.toFixed(6) : "");

const csvLine = (row) => {
  const { label = "", score, second = "", secondScore, model = "", commit = "" } = row.answer ?? {};
  const answer = [quoted(label), plain(score), quoted(second), plain(secondScore)];
  return [quoted(row.name), ...answer, ...[statusOf(row), model, commit].map(quoted)].join(",");
};

const csv = (some) => {
  const mark = String.fromCharCode(0xfeff);
  return new Blob([mark, [CSV_COLUMNS.join(","), ...some.map(csvLine), ""].join("\r\n")], { type: "text/csv" });
};

const download = (some, name) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(csv(some));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
};
