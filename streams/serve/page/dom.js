// Elements, made so that nothing which came from outside can be more than text.

const OWN_ADDRESS = /^(#|\/(?!\/))/;
const ADDRESSES = new Set(["href", "src"]);
const SVG = "http://www.w3.org/2000/svg";

/** An HTML element. `on`: event name -> listener. Children are nodes, text, numbers, lists of these; null and false are left out. */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** An element of SVG, likewise. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, { on = {}, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (ADDRESSES.has(name) && !OWN_ADDRESS.test(value)) throw new Error(`${name} = ${value}: leads away from here`);
    element.setAttribute(name, value === true ? "" : value);
  }
  for (const [name, listener] of Object.entries(on)) element.addEventListener(name, listener);
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/**
 * A table with a caption. `columns`: {head, cell: row -> content, number: right-aligned, isLong: takes a phone's whole width}.
 * The first column names the row. `isWide`: too many columns for a phone, which shows cards.
 */
export function table(caption, columns, rows, { foot = null, id = null, isWide = false, isCaptionSpoken = false } = {}) {
  const cell = (column, row, index) =>
    el(
      index === 0 ? "th" : "td",
      { scope: index === 0 ? "row" : null, class: column.number ? "number" : column.isLong ? "long" : null, "data-label": column.head },
      column.cell(row),
    );
  const line = (row) =>
    el(
      "tr",
      {},
      columns.map((column, index) => cell(column, row, index)),
    );
  const head = (column) => el("th", { scope: "col", class: column.number ? "number" : null }, column.head);
  return el(
    "table",
    { id, class: isWide ? "wide" : null },
    el("caption", {}, isCaptionSpoken ? spoken(caption) : caption),
    el("thead", {}, el("tr", {}, columns.map(head))),
    el("tbody", {}, rows.map(line)),
    foot,
  );
}

/** What is there when somebody asks for it, and stays unfolded while the page is read anew. */
export function folded(id, summary, ...children) {
  return el("details", { id }, el("summary", {}, summary), children);
}

/** What only a screen reader says. */
export function spoken(text) {
  return el("span", { class: "hidden" }, text);
}

/** Fill `place` anew by `fill`, and leave a reader where they were: focus, what was unfolded, where a slider stood. */
export function keeping(place, fill) {
  const focused = place.contains(document.activeElement) ? document.activeElement.id : "";
  const open = [...place.querySelectorAll("details[open][id]")].map((each) => each.id);
  const sliders = [...place.querySelectorAll("input[type=range][id]")]
    .filter((each) => each.value !== each.max)
    .map((each) => [each.id, each.value]);
  fill();
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  for (const [id, value] of sliders) {
    const slider = document.getElementById(id);
    if (slider === null) continue;
    slider.value = value;
    slider.dispatchEvent(new Event("input"));
  }
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}
