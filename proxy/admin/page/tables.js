// Tables that are brought up to date in place: rows keep their element, so that focus and selection stay where they are.
// Whatever comes from outside goes in as textContent, never as markup.

function cell(tag, text, numeric) {
  const made = document.createElement(tag);
  made.textContent = text;
  if (numeric) made.className = "n";
  if (tag === "th") made.scope = "row";
  return made;
}

// rows: [{key, cells: [text, …]}], in their order. `head(key)` makes what stands in a row's first cell; without it the
// first text does. While somebody points at the body or has the focus in it, rows stay where they are.
export function update_rows(body, rows, head) {
  const present = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  const held = body.matches(":hover, :focus-within");
  for (const { key, cells } of rows) {
    let row = present.get(key);
    present.delete(key);
    if (!row) {
      row = document.createElement("tr");
      row.dataset.key = key;
      const first = cell("th", head ? "" : cells[0], false);
      if (head) first.append(head(key, cells[0]));
      row.append(first, ...cells.slice(1).map((text) => cell("td", text, true)));
      body.append(row);
    } else {
      if (!held) body.append(row);
      for (let i = 1; i < cells.length; ++i) {
        if (row.cells[i].textContent !== cells[i]) row.cells[i].textContent = cells[i];
      }
    }
  }
  for (const row of present.values()) row.remove();
}

// A whole table of texts: `columns` once, then rows as above.
export function update_table(table, columns, rows) {
  if (!table.tHead) {
    const line = table.createTHead().insertRow();
    columns.forEach((name, index) => {
      const made = cell("th", name, index > 0);
      made.scope = "col";
      line.append(made);
    });
    table.createTBody();
  }
  update_rows(table.tBodies[0], rows);
}
