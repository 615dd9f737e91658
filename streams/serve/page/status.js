// The lines that say how far what is shown can be trusted.

const status = document.getElementById("status");
const trouble = document.getElementById("trouble");

/** Say as of when the numbers are. `ready`: what the server says of itself, null where it says nothing. */
export function showStatus(overview, ready) {
  const asOf = overview.day === null ? "No day has begun yet" : `As of ${overview.day}`;
  const complete = overview.complete ? "profiles are complete" : "profiles are being rebuilt: numbers are not complete yet";
  say(status, `${asOf}, rulebook ${overview.rulebook ?? "unknown"}; ${complete}.`);
  status.classList.toggle("partial", !overview.complete);
}

/** Say what is wrong, and since when what is shown stands (a Date; null: nothing is shown). `problem` null: nothing is. */
export function showTrouble(problem, since = null) {
  if (problem === null) {
    say(trouble, "");
    return;
  }
  const what = problem.message.replace(/[.\s]*$/, "");
  const stands = since === null ? "" : ` What you see is what was known at ${since.toTimeString().slice(0, 8)}.`;
  say(trouble, `${what[0].toUpperCase()}${what.slice(1)}.${stands}`);
}

/** A screen reader hears what changes: the same is not said again. */
function say(line, text) {
  if (line.textContent !== text) line.textContent = text;
}
