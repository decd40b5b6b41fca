'use strict';
// How many writes tidegate lets through now, for any library: `ask(key)` sends TIDEGATE QUOTA and gives the reply.
const BATCH = 500; // writes in one pipeline at most

const sleep = (milliseconds) => new Promise((wake) => { setTimeout(wake, Math.max(1, milliseconds)); });

// A RESP2 reply of names and values, or a RESP3 map.
function fields(reply) {
  if (reply instanceof Map) return Object.fromEntries(reply);
  if (!Array.isArray(reply)) return reply;
  const made = {};
  for (let at = 0; at + 1 < reply.length; at += 2) made[reply[at]] = reply[at + 1];
  return made;
}

// {blocked, wait_ms, limits: [{rule, cost, rate, burst, tokens, …}]}, or null of a bare Redis.
async function quota(ask, key) {
  let reply;
  try {
    reply = fields(await ask(key));
  } catch (error) {
    if (/^ERR unknown command/.test(error.message)) return null;
    throw error;
  }
  return { ...reply, limits: reply.limits.map(fields) };
}

// What `SET key value EX 3600` costs under a limit: of bytes, every argument counts.
const cost = (limit, key, value) =>
  (limit.cost === 'byte' ? Buffer.byteLength(key) + Buffer.byteLength(value) + 'EX3600'.length : 1);

// How many writes like this one pass at once; waits until it is a batch, or as much as the burst ever holds.
async function allowed(ask, [key, value]) {
  for (;;) {
    const now = await quota(ask, key);
    const held = now ? now.limits.filter((limit) => limit.action !== 'observe') : [];
    if (held.length === 0) return BATCH;
    if (now.blocked) {
      await sleep(Math.min(now.wait_ms, 5000));
      continue;
    }
    let room = BATCH;
    let wait = 0;
    for (const limit of held) {
      const each = cost(limit, key, value);
      // What costs more than the bucket holds passes when the bucket is full.
      const wanted = Math.min(BATCH * each, limit.burst - (limit.burst % each) || limit.burst);
      room = Math.min(room, Math.floor(limit.tokens / each));
      wait = Math.max(wait, (wanted - limit.tokens) * 1000 / Number(limit.rate));
    }
    if (wait <= 0) return Math.max(1, room);
    await sleep(Math.ceil(wait));
  }
}

// Milliseconds that a THROTTLED asks for; null for any other error.
function retry_after(error) {
  const found = /^THROTTLED .*retry_after_ms=(\d+)/.exec(error.message);
  return found ? Number(found[1]) : null;
}

// Writes [key, value] pairs. send(batch) gives for each an error or null. Returns how many were refused on the way and
// sent again.
async function run(ask, send, writes) {
  let throttled = 0;
  const waiting = writes.slice().reverse();
  while (waiting.length > 0) {
    // By the largest of those that are next, so that none is dearer than it was thought.
    const size = ([key, value]) => Buffer.byteLength(key) + Buffer.byteLength(value);
    const room = await allowed(ask, waiting.slice(-BATCH).reduce((a, b) => (size(b) > size(a) ? b : a)));
    const batch = waiting.splice(Math.max(0, waiting.length - room)).reverse();
    const errors = await send(batch);
    const again = [];
    let pause = 0;
    errors.forEach((error, index) => {
      if (!error) return;
      const milliseconds = retry_after(error);
      if (milliseconds === null) throw error;
      again.push(batch[index]);
      pause = Math.max(pause, milliseconds);
    });
    throttled += again.length;
    waiting.push(...again.reverse());
    if (pause > 0) await sleep(pause);
  }
  return throttled;
}

function job() {
  const name = process.env.JOB_NAME || 'nightly-import';
  const count = Number(process.argv[2]);
  const longest = Number(process.argv[3] || 32);
  const writes = Array.from({ length: count },
    (_, n) => [`import:${name}:${process.pid}:${n}`, 'x'.repeat(longest - (n % longest))]);
  return { name, count, writes, url: process.env.REDIS_URL || 'redis://127.0.0.1:6379' };
}

module.exports = { allowed, job, quota, retry_after, run };
