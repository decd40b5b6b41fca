'use strict';
// A batch job over node-redis that asks tidegate what it may write, and so is not refused. See README.md.
const { createClient } = require('redis');
const { job, run } = require('./pace');

async function main() {
  const { name, count, writes, url } = job();
  const client = createClient({ url, name });
  client.on('error', (error) => console.error(error));
  await client.connect();
  const ask = (key) => client.sendCommand(['TIDEGATE', 'QUOTA', key]);
  // Commands of one turn of the event loop leave in one pipeline.
  const send = async (batch) => {
    const replies = await Promise.allSettled(batch.map(([key, value]) => client.set(key, value, { EX: 3600 })));
    return replies.map((reply) => (reply.status === 'rejected' ? reply.reason : null));
  };
  const throttled = await run(ask, send, writes);
  console.log(JSON.stringify({ written: count, throttled }));
  client.destroy();
}

main().catch((error) => { console.error(error); process.exit(1); });
