// What the API says. The token, where there is one, stays in this tab.

const KEPT = "mqa-token";
const PATIENCE = 10_000; // ms

/** An answer that is none: `status` of HTTP, 0 where nobody answered; `message` says what is wrong, for people. */
export class Problem extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const token = {
  get: () => sessionStorage.getItem(KEPT),
  keep: (text) => sessionStorage.setItem(KEPT, text),
  drop: () => sessionStorage.removeItem(KEPT),
};

/** Read `path`; `query` without what is null. Raises `Problem`. */
export async function read(path, query = {}) {
  const said = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== null && value !== undefined));
  return asked("GET", said.size ? `${path}?${said}` : path);
}

/** Send `body` (null: none) under `key`, which makes a repeat the same as the first. Raises `Problem`. */
export async function write(method, path, body, key) {
  const sent = body === null ? {} : { body: JSON.stringify(body) };
  return asked(method, path, { ...sent, headers: { "Content-Type": "application/json", "Idempotency-Key": key } });
}

/** How the server itself is, which it says with any status. Raises `Problem` where it says nothing. */
export async function readiness() {
  return (await fetched("GET", "/health/ready")).json();
}

async function asked(method, path, options = {}) {
  const answer = await fetched(method, path, options);
  if (answer.ok) return answer.json();
  const problem = await answer.json().catch(() => ({}));
  throw new Problem(answer.status, problem.detail ?? problem.title ?? `the server answered ${answer.status}`);
}

async function fetched(method, path, { headers = {}, ...options } = {}) {
  const kept = token.get();
  const own = kept === null ? {} : { Authorization: `Bearer ${kept}` };
  try {
    return await fetch(path, { method, headers: { ...headers, ...own }, signal: AbortSignal.timeout(PATIENCE), ...options });
  } catch {
    throw new Problem(0, "the server does not answer");
  }
}
