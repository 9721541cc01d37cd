// Elements, tables and tiles. Cells stay where they are, so that nothing flickers and no selection is
// lost; what is written into them is only ever text.

export const byId = (id) => document.getElementById(id);

export function node(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function fill(table, rows, nothing) {
  const body = table.tBodies[0];
  const columns = table.tHead.rows[0].cells.length;
  if (!rows.length) {
    if (body.dataset.empty) return;
    const cell = node("td", nothing, "nothing");
    cell.colSpan = columns;
    const row = node("tr");
    row.append(cell);
    body.replaceChildren(row);
    body.dataset.empty = "yes";
    return;
  }
  if (body.dataset.empty) {
    body.replaceChildren();
    delete body.dataset.empty;
  }
  while (body.rows.length > rows.length) body.lastElementChild.remove();
  rows.forEach((values, number) => {
    let row = body.rows[number];
    if (!row) {
      row = body.insertRow();
      const first = node("th");
      first.scope = "row";
      row.append(first, ...values.slice(1).map(() => node("td")));
    }
    values.forEach((value, place) => {
      const [text, className] = Array.isArray(value) ? value : [value, ""];
      say(row.cells[place], text);
      if (row.cells[place].className !== className) row.cells[place].className = className;
    });
  });
}

export function tile(name, value, remark) {
  const list = byId("tiles");
  const id = `tile-${name.replace(/\W/g, "-")}`;
  let box = byId(id);
  if (!box) {
    box = node("div");
    box.id = id;
    box.append(node("dt", name), node("dd", "", "value"), node("dd", "", "soft"));
    list.append(box);
  }
  say(box.children[1], value);
  say(box.children[2], remark);
}
