// The lines that say how far what is shown can be trusted.

const status = document.getElementById("status");
const trouble = document.getElementById("trouble");

const who = document.getElementById("who");

/** Say as of when the numbers are, and who looks. `health`: what the server says of itself, null where it says nothing. */
export function showStatus(overview, health, me) {
  const asOf = overview.day === null ? "No day has begun yet" : `As of ${overview.day}`;
  const complete = overview.is_complete ? "profiles are complete" : "profiles are being rebuilt, numbers are not complete yet";
  const silent = me.writes && health?.kafka.well === false ? ` Nothing can be decided by hand now: Kafka ${health.kafka.says}.` : "";
  say(status, `${asOf}, by rulebook ${overview.rulebook ?? "unknown"}; ${complete}.${silent}`);
  status.classList.toggle("partial", !overview.is_complete || silent !== "");
  say(who, me.name === null ? "Token" : me.name);
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
