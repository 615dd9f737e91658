// The product's words and numbers, as `engagement/explain/wording.py` has them.

/** 132417 thousandths -> "132.4". Cut, not rounded up: 99.96 are not 100 points. */
export function points(thousandths) {
  const tenths = Math.trunc(Math.abs(thousandths) / 100);
  const sign = thousandths < 0 && tenths > 0 ? "−" : "";
  return `${sign}${grouped(Math.trunc(tenths / 10))}.${tenths % 10}`;
}

/** 132417 -> "132.417", so that columns add up. */
export function exact(thousandths) {
  const size = Math.abs(thousandths);
  return `${thousandths < 0 ? "−" : ""}${grouped(Math.trunc(size / 1000))}.${String(size % 1000).padStart(3, "0")}`;
}

/** 12345 -> "12,345". */
export function grouped(count) {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** "demo_request" -> "demo request"; MQA is written large. */
export function plain(name) {
  return name === "mqa" ? "MQA" : name.replaceAll("_", " ");
}

/** 1, "day" -> "1 day"; 2, "person", "people" -> "2 people". */
export function several(count, one, many = `${one}s`) {
  return `${grouped(count)} ${count === 1 ? one : many}`;
}

/** The UTC day of an instant. */
export function dayOf(instant) {
  return instant.slice(0, 10);
}

/** A fit with its grade: "A, 90", "no grade, 15". */
export function fitOf({ fit, grade }) {
  return fit === null ? "unknown" : `${grade === "none" ? "no grade" : grade}, ${fit}`;
}

/** An instant for people, in UTC: "2025-01-29 03:04". */
export function minuteOf(instant) {
  return `${instant.slice(0, 10)} ${instant.slice(11, 16)}`;
}

/** ["a", "b", "c"] -> "a, b and c". */
export function listed(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** The end of a person's hash, which is enough to tell people of one account apart. */
export function shortPerson(person) {
  return person.slice(person.indexOf(".") + 1).slice(0, 6);
}

/** A value of an attribute. */
export function told(value) {
  if (value === null || value === undefined || (Array.isArray(value) && value.length === 0)) return "unknown";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return amount(value);
  return Array.isArray(value) ? value.join(", ") : String(value);
}

function amount(value) {
  for (const [size, suffix] of [
    [1e9, "G"],
    [1e6, "M"],
  ]) {
    if (value >= size && value % (size / 10) === 0) return `${value / size}${suffix}`;
  }
  return value < 10_000 || !Number.isInteger(value) ? String(value) : grouped(value); // a year stays a year
}

/** One line on why a tier change came. */
export function why(change) {
  switch (change.reason) {
    case "silence":
      return change.direction === "demotion"
        ? `nothing new came: ${points(change.score)} points are left`
        : `by the passing of time, with ${points(change.score)} points`;
    case "suppression":
      return "suppressed: it is to stay out";
    case "pin":
      return pinned(change.pin);
    case "restatement":
      return `new rules took over, by which it has ${points(change.score)} points`;
    case "retraction":
      return `something was taken back: ${points(change.score)} points are left`;
    case "reattribution":
      return `signals turned out to be somebody else's: ${points(change.score)} points are left`;
    case "update":
      return `an update of the account says so${change.score >= 100 ? ` (${points(change.score)} points)` : ""}`;
    default:
      return earned(change);
  }
}

function pinned(pin) {
  if (pin === null) return "a pin was taken off";
  const because = pin.reason === null ? "" : `: ${pin.reason}`;
  const end = pin.until === null ? "" : ` (until ${pin.until})`;
  return `pinned by ${pin.author ?? "somebody"}${because}${end}`;
}

function earned(change) {
  const largest = change.factors.filter((factor) => factor.points > 0).slice(0, 3);
  const parts = largest.map((factor) => `${plain(factor.kind)} ${points(factor.points)}`);
  const who = change.people > 0 ? several(change.people, "person", "people") : "nobody known";
  return `${who}, ${points(change.score)} points${parts.length ? `: ${parts.join(", ")}` : ""}`;
}
